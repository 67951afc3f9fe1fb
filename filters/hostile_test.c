// SPDX-License-Identifier: BSD-3-Clause
// Every hostile filter of hostile.def: what weir does about it, while a well-behaved filter on the same thread passes
// every packet. Whatever happens, each packet comes back exactly once.
//
// A thread of the test is the deadline: it interrupts an entry into guest code that lasts for DEADLINE_MS.

#include "ws.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

enum {
	BURST = 16,
	BURSTS = 4,
	PACKET_LEN = 60,
	VIEW_FULL = 1518,
	N_PORTS = 2,
	DEADLINE_MS = 200,
	HANDLES = 1024,
	MEMORY_PAGES = 1024,
	COMPONENT_MAX = 1 << 20,
	HOLD_NS = 1000000,
};

enum when {
	START,   // ws_filter_create fails
	RUN,     // the run after the first offer fails
	HELD,    // a run fails after a slot was held for too long
	STOP,    // the stop fails
	ENDS,    // it ends by itself, without a fault; what it kept is given back
	GOES_ON, // nothing fails, every packet gets its verdict
};

static const struct row {
	const char *name;
	enum when when;
	int rc;
	const char *text;
} rows[] = {
#define HOSTILE(name, when, rc, text, does) {name, when, rc, text},
#include "hostile/hostile.def"
#undef HOSTILE
};

static const char *const when_names[] = {
	"at its start", "in its first run", "held too long", "at the stop", "ends", "goes on"};

// ---- the deadline -------------------------------------------------------------------------------

// Invariant: core is NULL or a live store.
static struct {
	pthread_t thread;
	pthread_mutex_t lock;
	struct we_store *core; // under lock
	atomic_bool is_over;
} watch = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void *watch_run(void *arg)
{
	const struct timespec tick = {.tv_nsec = DEADLINE_MS * 1000000 / 2};
	const struct we_store *core = NULL;
	uint64_t entry = 0;

	while (!atomic_load(&watch.is_over)) {
		nanosleep(&tick, NULL);
		pthread_mutex_lock(&watch.lock);
		if (watch.core == NULL) {
			core = NULL;
		} else if (watch.core == core && entry != 0 &&
			   we_store_entry(watch.core) == entry) {
			we_store_interrupt(watch.core, entry);
		} else {
			core = watch.core;
			entry = we_store_entry(watch.core);
		}
		pthread_mutex_unlock(&watch.lock);
	}
	return arg;
}

static void watch_core(struct we_store *core)
{
	pthread_mutex_lock(&watch.lock);
	watch.core = core;
	pthread_mutex_unlock(&watch.lock);
}

// ---- packets ------------------------------------------------------------------------------------

struct lane {
	struct ws_filter *filter;
	uint32_t n_back[BURST * BURSTS]; // by packet
	uint32_t n_offered;
	uint32_t n_originated;
};

static void take_back(void *env, void *token)
{
	struct lane *lane = env;

	lane->n_back[(uintptr_t)token - 1]++;
}

static void on_verdicts(void *env, const struct ws_verdict *v, uint32_t n)
{
	struct lane *lane = env;

	for (uint32_t i = 0; i < n; i++) {
		if (v[i].token == NULL)
			lane->n_originated++;
		else
			take_back(env, v[i].token);
		assert_true(v[i].code <= WS_VERDICT_EXCEPTION);
		assert_true(v[i].port_out < N_PORTS || v[i].port_out == WS_PORT_NONE);
	}
}

static void on_log(void *env, enum ws_log_level level, const char *context, size_t context_len,
	const char *message, size_t message_len)
{
	(void)env;
	(void)level;
	(void)context;
	(void)context_len;
	(void)message;
	(void)message_len;
}

static void on_starting(void *env, struct we_store *core)
{
	(void)env;
	watch_core(core);
}

static uint64_t on_now(void *env)
{
	(void)env;
	return 0;
}

static const struct ws_filter_ops ops = {
	.verdicts = on_verdicts, .log = on_log, .starting = on_starting, .now_ns = on_now};

static const struct ws_filter_config config = {
	.view_full = VIEW_FULL,
	.burst = BURST,
	.n_ports = N_PORTS,
	.limits = {.hold_ns = HOLD_NS,
		.cm = {.core.memory_pages = MEMORY_PAGES, .handles = HANDLES}},
};

static void offer(struct lane *lane, uint64_t now_ns)
{
	static const uint8_t data[PACKET_LEN] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45};
	struct ws_packet packets[BURST];
	struct we_error err;
	uint32_t n = ws_filter_room(lane->filter);

	if (n > BURST)
		n = BURST;
	if (n == 0)
		return;
	for (uint32_t i = 0; i < n; i++) {
		packets[i] = (struct ws_packet){
			.desc = {.total_len = PACKET_LEN, .port_out = 1},
			.data = data,
			.token = (void *)(uintptr_t)++lane->n_offered,
		};
	}
	assert_int_equal(ws_filter_offer(lane->filter, packets, n, now_ns, &err), 0);
}

static void expect_all_back(const struct lane *lane)
{
	for (uint32_t i = 0; i < lane->n_offered; i++)
		assert_int_equal(lane->n_back[i], 1);
}

// ---- one filter ---------------------------------------------------------------------------------

static struct ws_program *load(struct we_engine *engine, const char *folder, const char *name)
{
	static uint8_t bytes[COMPONENT_MAX];
	struct ws_program *program = NULL;
	struct we_error err;
	char path[4096];
	size_t len;
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s.wasm", folder, name);
	file = fopen(path, "rb");
	if (file == NULL)
		return NULL;
	len = fread(bytes, 1, sizeof(bytes), file);
	fclose(file);
	if (ws_program_create(engine, name, (struct we_bytes){bytes, len}, &program, &err) != 0)
		fail_msg("%s: %s", path, err.msg);
	return program;
}

// What happens to the lane's filter over BURSTS offers, time and a stop.
static enum when run(struct lane *lane, struct we_error *err)
{
	uint64_t now_ns = 1;
	enum when when = GOES_ON;

	for (uint32_t i = 0; i < BURSTS && when == GOES_ON; i++) {
		offer(lane, now_ns);
		if (ws_filter_run(lane->filter, now_ns, err) != 0)
			when = RUN;
		else if (ws_filter_state(lane->filter) != WS_FILTER_READY)
			when = ENDS;
		now_ns++;
	}
	if (when == GOES_ON && ws_filter_n_lent(lane->filter) > 0) {
		now_ns += HOLD_NS;
		if (ws_filter_run(lane->filter, now_ns, err) != 0)
			return HELD;
	}
	if (when == GOES_ON && ws_filter_stop(lane->filter, now_ns, err) != 0)
		when = STOP;
	return when;
}

// A good filter passes a burst; it is on the same thread as the hostile one and sees nothing of it.
static void run_good(struct ws_program *program, struct ws_filter **good, struct lane *lane)
{
	struct we_error err;

	if (*good == NULL && ws_filter_create(program, &config, &ops, lane, good, &err) != 0)
		fail_msg("pass: %s", err.msg);
	lane->filter = *good;
	lane->n_offered = 0;
	memset(lane->n_back, 0, sizeof(lane->n_back));
	offer(lane, 1);
	if (ws_filter_run(*good, 1, &err) != 0)
		fail_msg("pass: %s", err.msg);
	assert_int_equal(lane->n_offered, BURST);
	expect_all_back(lane);
}

// Returns: is it what the table says?
static bool run_row(const struct row *row, struct ws_program *program)
{
	struct lane lane = {0};
	struct we_error err = {0};
	enum when when = START;
	bool is_right;

	if (ws_filter_create(program, &config, &ops, &lane, &lane.filter, &err) == 0) {
		watch_core(ws_filter_core(lane.filter));
		when = run(&lane, &err);
		watch_core(NULL);
		if (when == GOES_ON)
			expect_all_back(&lane);
		ws_filter_reclaim(lane.filter, take_back, &lane);
		expect_all_back(&lane);
		ws_filter_destroy(lane.filter);
	}
	is_right = when == row->when &&
		   (when >= ENDS || (err.rc == row->rc && strstr(err.msg, row->text) != NULL));
	print_message("# %-18s %-17s %s: %s %s\n", row->name, when_names[when],
		when < ENDS ? we_failure_word(err.rc) : "", when < ENDS ? err.msg : "",
		is_right ? "" : "<- not as expected");
	return is_right;
}

static void hostile_filters_hurt_nobody_but_themselves(void **state)
{
	struct we_engine *engine;
	struct ws_program *good_program, *program;
	struct ws_filter *good = NULL;
	struct lane good_lane = {0};
	struct we_error err;
	uint32_t n_wrong = 0;

	(void)state;
	assert_int_equal(we_engine_create(NULL, &engine, &err), 0);
	good_program = load(engine, WEIR_PREBUILT, "pass");
	assert_non_null(good_program);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		program = load(engine, WEIR_HOSTILE, rows[i].name);
		if (program == NULL) {
			print_message("%s/%s.wasm is not there (no clang for wasm32?): skipped\n",
				WEIR_HOSTILE, rows[i].name);
			skip();
		}
		run_good(good_program, &good, &good_lane);
		n_wrong += !run_row(&rows[i], program);
		run_good(good_program, &good, &good_lane);
		ws_program_unref(program);
	}
	ws_filter_destroy(good);
	ws_program_unref(good_program);
	we_engine_destroy(engine);
	assert_int_equal(n_wrong, 0);
}

static int setup(void **state)
{
	(void)state;
	return pthread_create(&watch.thread, NULL, watch_run, NULL);
}

static int teardown(void **state)
{
	(void)state;
	atomic_store(&watch.is_over, true);
	return pthread_join(watch.thread, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hostile_filters_hurt_nobody_but_themselves),
	};

	return cmocka_run_group_tests_name("hostile", tests, setup, teardown);
}
