// SPDX-License-Identifier: BSD-3-Clause
// cli_table: see table.h.
#include "table.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

const char *cli_number(uint64_t value, char *buf)
{
	char digits[24];
	const int n = snprintf(digits, sizeof(digits), "%" PRIu64, value);
	char *to = buf;

	for (int i = 0; i < n; i++) {
		if (i > 0 && (n - i) % 3 == 0)
			*to++ = ',';
		*to++ = digits[i];
	}
	*to = '\0';
	return buf;
}

void cli_table_init(struct cli_table *table, const char *heads)
{
	*table = (struct cli_table){0};
	while (*heads != '\0') {
		char head[CLI_TABLE_CELL];
		const size_t len = strcspn(heads, "|");
		const size_t skip = heads[0] == '<' ? 1 : 0;

		if (skip == 1)
			table->is_left |= 1u << table->n_columns;
		snprintf(head, sizeof(head), "%.*s", (int)(len - skip), heads + skip);
		cli_table_text(table, head);
		table->n_columns++;
		heads += len + (heads[len] == '|' ? 1 : 0);
	}
}

void cli_table_text(struct cli_table *table, const char *text)
{
	if (table->n_cells == table->cap) {
		const uint32_t cap = table->cap == 0 ? 64 : table->cap * 2;
		void *cells = realloc(table->cells, (size_t)cap * sizeof(*table->cells));

		if (cells == NULL)
			return;
		table->cells = cells;
		table->cap = cap;
	}
	snprintf(table->cells[table->n_cells++], CLI_TABLE_CELL, "%s", text);
}

void cli_table_number(struct cli_table *table, uint64_t value)
{
	char buf[32];

	cli_table_text(table, cli_number(value, buf));
}

void cli_table_ratio(struct cli_table *table, uint64_t value, uint64_t by)
{
	char buf[32];

	if (by == 0)
		snprintf(buf, sizeof(buf), "-");
	else
		snprintf(buf, sizeof(buf), "%.1f", (double)value / (double)by);
	cli_table_text(table, buf);
}

void cli_table_print(struct cli_table *table, FILE *to)
{
	int widths[CLI_TABLE_COLUMNS] = {0};
	const uint32_t n_rows = table->n_columns == 0 ? 0 : table->n_cells / table->n_columns;

	for (uint32_t i = 0; i < table->n_cells; i++) {
		const int len = (int)strlen(table->cells[i]);
		int *width = &widths[i % table->n_columns];

		if (len > *width)
			*width = len;
	}
	for (uint32_t row = 0; row < n_rows; row++) {
		for (uint32_t c = 0; c < table->n_columns; c++) {
			const char *cell = table->cells[row * table->n_columns + c];
			const bool is_last = c + 1 == table->n_columns;

			if ((table->is_left >> c & 1) == 0)
				fprintf(to, "%*s", widths[c], cell);
			else if (is_last)
				fputs(cell, to);
			else
				fprintf(to, "%-*s", widths[c], cell);
			fputs(is_last ? "\n" : "  ", to);
		}
	}
	free(table->cells);
	*table = (struct cli_table){0};
}
