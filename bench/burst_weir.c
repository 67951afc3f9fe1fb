// SPDX-License-Identifier: BSD-3-Clause
// burst_weir: what one burst costs from the host through a filter component and back, in weir.
//
//	burst_weir [--engine jit|interp] [--slots N,N..] [--stride N,N..] [--bursts N] [--rounds N]
//		[--config K=V|K=@FILE].. [--steps] FILTER.wasm..
//
// For each filter and shape one line, as peers/wasmtime-burst prints it: `weir FILE slots=N stride=N ns=MEDIAN min=NS
// forward=N drop=N`, the median over the rounds of nanoseconds a burst, and the verdicts of one burst. Each round has
// a filter of its own. A stride that the filter does not have is left out. Bursts beyond WS_BURST_MAX are
// as many offers and runs as they need, as the poll loop would make them. --steps adds `offer=NS run=NS` from
// time stamps inside, which cost some 20 ns themselves. --engine jit: filters are compiled first.
#include "ws.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <x86intrin.h>

enum {
	LIST_MAX = 16,
	SLOTS_MAX = 1024,
	ROUNDS_MAX = 1001,
	PACKET_BYTES = 60,
	WARM_UP = 1000, // bursts
};

struct args {
	uint32_t slots[LIST_MAX], strides[LIST_MAX];
	uint32_t n_slots, n_strides;
	uint64_t bursts;
	uint32_t rounds;
	struct ws_config_entry entries[LIST_MAX];
	uint32_t n_entries;
	bool steps;
	bool is_jit;
};

// What the verdicts of the last burst said.
struct tally {
	uint64_t n;
	uint64_t n_drop;
};

struct times {
	double ns; // a burst
	double offer_ns, run_ns;
};

static void die(const char *what, const char *why)
{
	fprintf(stderr, "burst_weir: %s: %s\n", what, why);
	exit(2);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void count(void *env, const struct ws_verdict *v, uint32_t n)
{
	struct tally *tally = env;

	tally->n += n;
	for (uint32_t i = 0; i < n; i++)
		tally->n_drop += v[i].code == WS_VERDICT_DROP;
}

// 60-byte UDP packets, the same that the peer sends.
static void make_packets(struct ws_packet *packets, uint32_t n)
{
	static const uint8_t data[PACKET_BYTES] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45,
		0, 0, 46, 0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 198, 51, 100, 1, 0x30, 0x39, 0,
		53};

	for (uint32_t i = 0; i < n; i++)
		packets[i] = (struct ws_packet){
			.desc.total_len = PACKET_BYTES,
			.data = data,
			.token = &packets[i],
		};
}

static int pass(struct ws_filter *filter, const struct ws_packet *packets, uint32_t n,
	uint64_t cycles[2], struct we_error *err)
{
	uint32_t done = 0;

	while (done < n) {
		const uint64_t start = cycles != NULL ? __rdtsc() : 0;
		const uint32_t left = n - done;
		const uint32_t room = ws_filter_room(filter);
		const uint32_t take = left < room ? left : room;

		if (take == 0)
			return we_error_set(err, WE_E_HOST, 0, "it keeps the slots of %u bursts",
				ws_filter_n_lent(filter) / n);
		int rc = ws_filter_offer(filter, packets + done, take, 1, err);

		if (rc < 0)
			return rc;
		const uint64_t offered = cycles != NULL ? __rdtsc() : 0;

		rc = ws_filter_run(filter, 1, err);
		if (rc < 0)
			return rc;
		if (cycles != NULL) {
			cycles[0] += offered - start;
			cycles[1] += __rdtsc() - offered;
		}
		done += take;
	}
	return 0;
}

// One filter from its start to its end. Returns: 0, 1 when it does not have that stride, or a failure.
static int run_round(struct ws_program *program, const struct args *args, uint32_t n,
	uint32_t stride, struct tally *tally, struct times *times, struct we_error *err)
{
	static struct ws_packet packets[SLOTS_MAX];
	const struct ws_filter_config config = {
		.view = ws_program_has_setup(program) ? stride - 64 : 0,
		.view_full = 1518,
		.burst = n < WS_BURST_MAX ? n : WS_BURST_MAX,
		.n_ports = 1,
		.entries = args->entries,
		.n_entries = args->n_entries,
	};
	const struct ws_filter_ops ops = {.verdicts = count};
	struct ws_filter *filter;
	uint64_t cycles[2] = {0, 0};
	int rc = ws_filter_create(program, &config, &ops, tally, &filter, err);

	if (rc < 0)
		return rc;
	make_packets(packets, n);
	if (ws_filter_shape(filter).stride != stride ||
		ws_filter_state(filter) != WS_FILTER_READY) {
		rc = 1;
		goto out;
	}
	for (uint32_t i = 0; i < WARM_UP && rc == 0; i++)
		rc = pass(filter, packets, n, NULL, err);
	const uint64_t start = now_ns();
	const uint64_t start_tsc = __rdtsc();

	for (uint64_t i = 0; i < args->bursts && rc == 0; i++)
		rc = pass(filter, packets, n, args->steps ? cycles : NULL, err);
	const double ns = (double)(now_ns() - start);
	const double ns_of_cycle = ns / (double)(__rdtsc() - start_tsc);

	times->ns = ns / (double)args->bursts;
	times->offer_ns = (double)cycles[0] * ns_of_cycle / (double)args->bursts;
	times->run_ns = (double)cycles[1] * ns_of_cycle / (double)args->bursts;
	if (rc == 0) {
		*tally = (struct tally){0};
		rc = pass(filter, packets, n, NULL, err);
	}
	if (rc == 0 && ws_filter_n_lent(filter) > 0)
		rc = we_error_set(
			err, WE_E_HOST, 0, "%u slots did not come back", ws_filter_n_lent(filter));
	if (rc == 0)
		rc = ws_filter_stop(filter, 2, err);
out:
	if (rc >= 0)
		ws_filter_destroy(filter);
	return rc;
}

static int by_ns(const void *a, const void *b)
{
	const struct times *x = a;
	const struct times *y = b;

	return (x->ns > y->ns) - (x->ns < y->ns);
}

static int measure(const char *file, struct ws_program *program, const struct args *args,
	uint32_t n, uint32_t stride, struct we_error *err)
{
	static struct times times[ROUNDS_MAX];
	struct tally tally;

	for (uint32_t i = 0; i < args->rounds; i++) {
		const int rc = run_round(program, args, n, stride, &tally, &times[i], err);

		if (rc < 0)
			return rc;
		if (rc == 1)
			return 0;
	}
	qsort(times, args->rounds, sizeof(times[0]), by_ns);
	const struct times *median = &times[args->rounds / 2];

	printf("weir %s slots=%u stride=%u ns=%.0f min=%.0f forward=%llu drop=%llu", file, n,
		stride, median->ns, times[0].ns, (unsigned long long)(tally.n - tally.n_drop),
		(unsigned long long)tally.n_drop);
	if (args->steps)
		printf(" offer=%.0f run=%.0f", median->offer_ns, median->run_ns);
	printf("\n");
	return 0;
}

static struct we_bytes read_file(const char *path)
{
	FILE *in = fopen(path, "rb");
	uint8_t *data = NULL;
	size_t len = 0;
	size_t n;

	if (in == NULL)
		die(path, strerror(errno));
	do {
		data = realloc(data, len + 65536);
		if (data == NULL)
			die(path, "out of memory");
		n = fread(data + len, 1, 65536, in);
		len += n;
	} while (n > 0);
	fclose(in);
	return (struct we_bytes){data, len};
}

// All of it, or it is no measurement.
static int compile(struct ws_program *program, struct we_error *err)
{
	const int rc = ws_program_compile(program, err);
	struct we_jit_stats stats;

	if (rc <= 0)
		return rc;
	ws_program_jit_stats(program, &stats);
	return we_error_set(err, WE_E_UNSUPPORTED, 0, "%u of %u functions have native code: %s",
		stats.n_funcs_native, stats.n_funcs, stats.last_failure);
}

static int measure_file(
	struct we_engine *engine, const char *file, const struct args *args, struct we_error *err)
{
	const struct we_bytes bytes = read_file(file);
	struct ws_program *program;
	int rc = ws_program_create(engine, file, bytes, &program, err);

	free((void *)bytes.data);
	if (rc < 0)
		return rc;
	if (args->is_jit)
		rc = compile(program, err);
	for (uint32_t i = 0; i < args->n_strides && rc == 0; i++)
		for (uint32_t j = 0; j < args->n_slots && rc == 0; j++)
			rc = measure(file, program, args, args->slots[j], args->strides[i], err);
	ws_program_unref(program);
	return rc;
}

static uint32_t number(const char *text, char **ret_end, uint32_t most)
{
	const unsigned long n = strtoul(text, ret_end, 10);

	if (*ret_end == text || n == 0 || n > most)
		die(text, "a number in range was expected");
	return (uint32_t)n;
}

static uint32_t list(const char *text, uint32_t *ret_numbers, uint32_t most)
{
	uint32_t n = 0;
	char *end;

	do {
		if (n == LIST_MAX)
			die(text, "too many");
		ret_numbers[n++] = number(text, &end, most);
		text = end + 1;
	} while (*end == ',');
	if (*end != '\0')
		die(end, "expected numbers with commas");
	return n;
}

static struct ws_config_entry entry(char *text)
{
	char *value = strchr(text, '=');
	struct we_bytes bytes;

	if (value == NULL)
		die(text, "expected K=V or K=@FILE");
	*value++ = '\0';
	bytes = (struct we_bytes){(const uint8_t *)value, strlen(value)};
	if (*value == '@')
		bytes = read_file(value + 1);
	return (struct ws_config_entry){
		.key = text, .value = (const char *)bytes.data, .value_len = bytes.len};
}

int main(int argc, char **argv)
{
	struct args args = {
		.slots = {1, 8, 32, 128},
		.n_slots = 4,
		.strides = {128, 256},
		.n_strides = 2,
		.bursts = 100000,
		.rounds = 5,
	};
	struct we_engine *engine;
	struct we_error err;
	uint32_t n_files = 0;
	int i = 1;

	if (we_engine_create(NULL, &engine, &err) < 0)
		die("engine", err.msg);
	for (; i < argc; i++) {
		const char *flag = argv[i];
		char *end;

		if (flag[0] != '-') {
			n_files++;
			if (measure_file(engine, flag, &args, &err) < 0) {
				fprintf(stderr, "burst_weir: %s: %s: %s\n", flag,
					we_failure_word(err.rc), err.msg);
				return 1;
			}
			continue;
		}
		if (strcmp(flag, "--steps") == 0) {
			args.steps = true;
			continue;
		}
		if (i + 1 == argc)
			die(flag, "a value is missing");
		if (strcmp(flag, "--engine") == 0) {
			args.is_jit = strcmp(argv[++i], "jit") == 0;
			if (!args.is_jit && strcmp(argv[i], "interp") != 0)
				die(argv[i], "jit or interp was expected");
			continue;
		}
		if (strcmp(flag, "--slots") == 0)
			args.n_slots = list(argv[++i], args.slots, SLOTS_MAX);
		else if (strcmp(flag, "--stride") == 0)
			args.n_strides = list(argv[++i], args.strides, 65472);
		else if (strcmp(flag, "--bursts") == 0)
			args.bursts = number(argv[++i], &end, UINT32_MAX);
		else if (strcmp(flag, "--rounds") == 0)
			args.rounds = number(argv[++i], &end, ROUNDS_MAX);
		else if (strcmp(flag, "--config") == 0 && args.n_entries < LIST_MAX)
			args.entries[args.n_entries++] = entry(argv[++i]);
		else
			die(flag, "unknown flag");
	}
	if (n_files == 0)
		die("usage", "burst_weir [--engine jit|interp] [--slots N,N..] [--stride N,N..] "
			     "[--bursts N]"
			     " [--rounds N] [--config K=V|K=@FILE].. [--steps] FILTER.wasm..");
	we_engine_destroy(engine);
	return 0;
}
