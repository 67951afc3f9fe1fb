// SPDX-License-Identifier: BSD-3-Clause
// cli_table: aligned columns of text and numbers.
//
// Owns:    its cells. Out of memory: cells are missing, nothing worse.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum {
	CLI_TABLE_COLUMNS = 13,
	CLI_TABLE_CELL = 64, // bytes, with the terminator
};

struct cli_table {
	uint32_t n_columns;
	uint32_t n_cells; // heads first
	char (*cells)[CLI_TABLE_CELL];
	uint32_t cap;
	uint32_t is_left; // bit i: column i is text, aligned left
};

// heads: "port|rx packets|...", a leading '<' aligns a column left.
void cli_table_init(struct cli_table *table, const char *heads);
void cli_table_text(struct cli_table *table, const char *text);
void cli_table_number(struct cli_table *table, uint64_t value); // "1,234,567"
// value / by with one digit after the point; "-" when by is 0.
void cli_table_ratio(struct cli_table *table, uint64_t value, uint64_t by);
// Print and empty it.
void cli_table_print(struct cli_table *table, FILE *to);

// "1,234,567" into buf [32].
const char *cli_number(uint64_t value, char *buf);
