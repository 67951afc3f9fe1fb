// SPDX-License-Identifier: BSD-3-Clause
// cli_print: a report (report.h) for people.
#pragma once

#include <jansson.h>

#include <stdbool.h>
#include <stdio.h>

// All tables, ending with the conservation line. is_running: packets move while counters are read one after
// the other, so both sides of the law may differ by those on their way.
void cli_print_report(const json_t *report, bool is_running, FILE *to);
// "conservation: rx 10 + originated 0 == tx 7 + drops 3 + held 0: holds (filter 3)".
void cli_print_law(const json_t *report, bool is_running, FILE *to);
// The filters' table and their reasons, alone.
void cli_print_filters(const json_t *report, FILE *to);
