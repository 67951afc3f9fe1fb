// SPDX-License-Identifier: BSD-3-Clause
// cli_print: see print.h. Counters are found by the keys of stat.def.
#include "print.h"

#include "table.h"

#include <string.h>

static uint64_t number(const json_t *thing, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(thing, key));
}

static const char *text(const json_t *thing, const char *key)
{
	const char *value = json_string_value(json_object_get(thing, key));

	return value != NULL ? value : "";
}

// The drops of a thing, added up.
static uint64_t drops_of(const json_t *thing)
{
	const char *key;
	json_t *value;
	uint64_t sum = 0;

	json_object_foreach((json_t *)thing, key, value)
	{
		if (strncmp(key, "drop_", 5) == 0)
			sum += (uint64_t)json_integer_value(value);
	}
	return sum;
}

static void print_ports(const json_t *report, FILE *to)
{
	const json_t *ports = json_object_get(report, "ports");
	struct cli_table table;
	const json_t *port;
	size_t i;

	cli_table_init(&table, "<port|<link|rx packets|rx bytes|tx packets|tx bytes|drops");
	json_array_foreach(ports, i, port)
	{
		cli_table_text(&table, text(port, "name"));
		cli_table_text(&table, number(port, "link_up") != 0 ? "up" : "down");
		cli_table_number(&table, number(port, "rx_packets"));
		cli_table_number(&table, number(port, "rx_bytes"));
		cli_table_number(&table, number(port, "tx_packets"));
		cli_table_number(&table, number(port, "tx_bytes"));
		cli_table_number(&table, drops_of(port));
	}
	cli_table_print(&table, to);
}

static void print_reasons(const json_t *filters, FILE *to)
{
	struct cli_table table;
	const json_t *filter;
	const char *name;
	json_t *count;
	size_t i;
	bool has_any = false;

	cli_table_init(&table, "<filter|<its drop reason|packets");
	json_array_foreach(filters, i, filter)
	{
		json_object_foreach(json_object_get(filter, "reasons"), name, count)
		{
			if (json_integer_value(count) == 0)
				continue;
			has_any = true;
			cli_table_text(&table, text(filter, "filter"));
			cli_table_text(&table, name[0] != '\0' ? name : "(without a name)");
			cli_table_number(&table, (uint64_t)json_integer_value(count));
		}
	}
	if (!has_any)
		table.n_cells = 0;
	else
		fputc('\n', to);
	cli_table_print(&table, to);
}

static uint64_t code_failures(const json_t *code)
{
	static const char *const keys[] = {
		"refused", "aborted", "timed_out", "no_memory", "damaged", "lost"};
	uint64_t sum = 0;

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		sum += number(code, keys[i]);
	return sum;
}

// Filters for which there was to be native code, how much of it there is, and why not more.
static void print_code(const json_t *codes, FILE *to)
{
	struct cli_table table;
	const json_t *code;
	size_t i;
	bool has_any = false;

	cli_table_init(&table, "<native code of|functions|native|from cache|bytes|compile ms|"
			       "failures");
	json_array_foreach(codes, i, code)
	{
		if (number(code, "functions") == 0 && text(code, "message")[0] == '\0')
			continue;
		has_any = true;
		cli_table_text(&table, text(code, "name"));
		cli_table_number(&table, number(code, "functions"));
		cli_table_number(&table, number(code, "native"));
		cli_table_number(&table, number(code, "cached"));
		cli_table_number(&table, number(code, "code_bytes"));
		cli_table_ratio(&table, number(code, "compile_ns"), 1000000);
		cli_table_number(&table, code_failures(code));
	}
	if (has_any)
		fputc('\n', to);
	else
		table.n_cells = 0;
	cli_table_print(&table, to);
	json_array_foreach(codes, i, code)
	{
		if (text(code, "message")[0] != '\0')
			fprintf(to, "%s: the last failure: %s\n", text(code, "name"),
				text(code, "message"));
	}
}

void cli_print_filters(const json_t *report, FILE *to)
{
	const json_t *filters = json_object_get(report, "filters");
	struct cli_table table;
	const json_t *filter;
	size_t i;

	if (json_array_size(filters) == 0)
		return;
	cli_table_init(&table,
		"<chain|<filter|<tier|packets|forward|drop|exception|changed|originated|"
		"held|traps|restarts|"
		"cycles/packet");
	json_array_foreach(filters, i, filter)
	{
		cli_table_text(&table, text(filter, "name"));
		cli_table_text(&table, text(filter, "filter"));
		cli_table_text(&table, text(filter, "tier"));
		cli_table_number(&table, number(filter, "in_packets"));
		cli_table_number(&table, number(filter, "preset") + number(filter, "forward"));
		cli_table_number(&table, number(filter, "drop"));
		cli_table_number(&table, number(filter, "exception"));
		cli_table_number(&table, number(filter, "changed"));
		cli_table_number(&table, number(filter, "originated"));
		cli_table_number(&table, number(filter, "held"));
		cli_table_number(&table, number(filter, "traps"));
		cli_table_number(&table, number(filter, "restarts"));
		cli_table_ratio(&table, number(filter, "cycles"), number(filter, "in_packets"));
	}
	cli_table_print(&table, to);
	print_reasons(filters, to);
	print_code(json_object_get(report, "code"), to);
}

static void print_workers(const json_t *report, FILE *to)
{
	const json_t *workers = json_object_get(report, "workers");
	struct cli_table table;
	const json_t *worker;
	size_t i;

	cli_table_init(&table, "<worker|<lcore|turns|idle turns|sleeps|busy %");
	json_array_foreach(workers, i, worker)
	{
		const uint64_t busy = number(worker, "cycles_busy");

		cli_table_text(&table, text(worker, "name"));
		cli_table_text(&table, text(worker, "lcore"));
		cli_table_number(&table, number(worker, "passes"));
		cli_table_number(&table, number(worker, "passes_idle"));
		cli_table_number(&table, number(worker, "sleeps"));
		cli_table_ratio(&table, busy * 100, busy + number(worker, "cycles_idle"));
	}
	cli_table_print(&table, to);
}

void cli_print_law(const json_t *report, bool is_running, FILE *to)
{
	const json_t *law = json_object_get(report, "conservation");
	const char *word = json_is_true(json_object_get(law, "holds")) ? "holds"
			   : is_running                                ? "packets are moving"
								       : "VIOLATED";
	const char *key;
	json_t *value;
	bool has_any = false;

	fprintf(to,
		"conservation: rx %llu + originated %llu == tx %llu + drops %llu + held %llu: %s",
		(unsigned long long)number(law, "rx"),
		(unsigned long long)number(law, "originated"),
		(unsigned long long)number(law, "tx"), (unsigned long long)number(law, "drops"),
		(unsigned long long)number(law, "held"), word);
	json_object_foreach((json_t *)law, key, value)
	{
		if (strncmp(key, "drop_", 5) != 0 || json_integer_value(value) == 0)
			continue;
		fprintf(to, "%s%s %llu", has_any ? ", " : " (", key + 5,
			(unsigned long long)json_integer_value(value));
		has_any = true;
	}
	fputs(has_any ? ")\n" : "\n", to);
}

void cli_print_report(const json_t *report, bool is_running, FILE *to)
{
	print_ports(report, to);
	fputc('\n', to);
	cli_print_filters(report, to);
	if (json_array_size(json_object_get(report, "filters")) > 0)
		fputc('\n', to);
	print_workers(report, to);
	fputc('\n', to);
	cli_print_law(report, is_running, to);
}
