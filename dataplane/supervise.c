// SPDX-License-Identifier: BSD-3-Clause
// dp_supervise: instances, deadlines and log lines of filters.
#include "supervise.h"

#include "file.h"
#include "log.h"
#include "message.h"
#include "native.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define MS                UINT64_C(1000000)
#define START_DEADLINE_NS (1000 * MS) // CPU time of an instance's start
#define STOP_DEADLINE_NS  (100 * MS)  // CPU time of a filter's run once the run is to stop
#define BUSY_PAUSE_NS     (MS / 20)   // of the control thread, while instances come and go
#define QUIET_PAUSE_NS    (2 * MS)
#define BUSY_TURNS        200 // until it is quiet
#define CLOCK_NS          (1000 * MS)
#define SAY_NS            (1000 * MS) // in which a seat may log
#define SAY_FIRST         5           // lines of what it lost
#define WATCH_MIN_NS      (MS / 10)
#define WATCH_MAX_NS      (5 * MS)

struct program {
	struct ws_program *program;
	char *reasons[WS_REASONS_MAX + 1]; // by number; of the first instance
	bool has_reasons;
};

struct dp_supervisor {
	const struct dp_config *config;
	const struct ws_filter_ops *ops;
	struct dp_clock *clock;
	struct we_engine *engine;
	struct dp_native native;
	struct program *programs; // [config->n_filters]
	struct dp_seat *seats;
	struct dp_watch *watches;
	struct dp_log_ring *rings;
	struct dp_watch birth;  // of the thread that makes instances
	pthread_mutex_t graves; // held while stores are destroyed, and while deadlines are checked
	pthread_t control;
	pthread_t watch;
	bool has_control;
	bool has_watch;
	atomic_bool stop;
	const atomic_bool *run_stops; // borrowed, may be NULL
	uint64_t watch_pause_ns;
	uint64_t clock_ns; // when the clock was set last
};

static void pause_ns(uint64_t ns)
{
	const struct timespec ts = {.tv_nsec = (long)ns};

	nanosleep(&ts, NULL);
}

// ---- log lines ------------------------------------------------------------------------------------

static enum dp_log_level level_of(enum ws_log_level level)
{
	switch (level) {
	case WS_LOG_TRACE:
		return DP_LOG_TRACE;
	case WS_LOG_DEBUG:
		return DP_LOG_DEBUG;
	case WS_LOG_INFO:
		return DP_LOG_INFO;
	case WS_LOG_WARN:
		return DP_LOG_WARN;
	case WS_LOG_ERROR:
	case WS_LOG_CRITICAL:
		break;
	}
	return DP_LOG_ERROR;
}

static void say(const struct dp_filter_config *filter, enum ws_log_level level, const char *text,
	size_t len)
{
	char place[DP_NAME_MAX + 8];

	snprintf(place, sizeof(place), "filter %s", filter->name);
	dp_log_text(level_of(level), place, text, len);
}

int dp_log_push(struct dp_log_ring *ring, const struct dp_filter_config *filter,
	enum ws_log_level level, const char *text, size_t len)
{
	const unsigned head = atomic_load_explicit(&ring->head, memory_order_relaxed);
	const unsigned tail = atomic_load_explicit(&ring->tail, memory_order_acquire);

	if (head - tail == DP_LOG_RECORDS)
		return 1;
	struct dp_log_record *record = &ring->records[head % DP_LOG_RECORDS];
	record->filter = filter;
	record->level = level;
	record->len = (uint32_t)(len < DP_LOG_BYTES ? len : DP_LOG_BYTES);
	memcpy(record->text, text, record->len);
	atomic_store_explicit(&ring->head, head + 1, memory_order_release);
	return 0;
}

static void drain_log(struct dp_log_ring *ring)
{
	const unsigned head = atomic_load_explicit(&ring->head, memory_order_acquire);
	unsigned tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);

	for (; tail != head; tail++) {
		const struct dp_log_record *record = &ring->records[tail % DP_LOG_RECORDS];

		say(record->filter, record->level, record->text, record->len);
		atomic_store_explicit(&ring->tail, tail + 1, memory_order_release);
	}
}

// Why an instance was lost, or how it ended, in one line.
static void say_gone(struct dp_seat *seat, const struct dp_gone *gone, uint64_t now_ns)
{
	const char *text = ws_filter_status_text(gone->filter);
	const bool is_asked = ws_filter_state(gone->filter) == WS_FILTER_STOPPED;
	char line[512];

	if (now_ns - seat->said_ns >= SAY_NS) {
		seat->said_ns = now_ns;
		seat->n_said = 0;
	}
	if (seat->n_said == SAY_FIRST) {
		seat->n_unsaid++;
		return;
	}
	int len = snprintf(
		line, sizeof(line), "port %s queue %u: ", seat->port_name, seat->queue_idx);
	if (gone->err.rc < 0)
		len += snprintf(line + len, sizeof(line) - (size_t)len, "lost: %s: %s",
			we_failure_word(gone->err.rc), gone->err.msg);
	else
		len += snprintf(line + len, sizeof(line) - (size_t)len, "ended: %s%s%s",
			ws_status_name(ws_filter_status(gone->filter)), text[0] ? ": " : "", text);
	if (seat->n_unsaid > 0 && (size_t)len < sizeof(line))
		len += snprintf(line + len, sizeof(line) - (size_t)len, " (and %u more before)",
			seat->n_unsaid);
	if ((size_t)len >= sizeof(line))
		len = sizeof(line) - 1;
	say(seat->filter, is_asked && gone->err.rc == 0 ? WS_LOG_INFO : WS_LOG_WARN, line,
		(size_t)len);
	seat->n_unsaid = 0;
	seat->n_said++;
}

// ---- programs -------------------------------------------------------------------------------------

static int load(struct dp_supervisor *s, uint16_t filter_idx, char **ret_message)
{
	const struct dp_filter_config *config = &s->config->filters[filter_idx];
	struct we_error err = {0};
	uint8_t *data;
	size_t len;
	int rc = dp_file_read(config->file, DP_FILE_MAX, &data, &len, &err);

	if (rc)
		return dp_fail_at(ret_message, s->config, config->place,
			rc == WE_E_HOST ? WE_E_INVALID : rc, "filter %s: cannot read %s: %s",
			config->name, config->file, err.msg);
	rc = ws_program_create(s->engine, config->file, (struct we_bytes){.data = data, .len = len},
		&s->programs[filter_idx].program, &err);
	free(data);
	if (rc == 0)
		return 0;
	return dp_fail(ret_message, rc, "%s:0x%" PRIx64 ": %s: %s", config->file, err.offset,
		we_failure_word(rc), err.msg);
}

static int load_used(struct dp_supervisor *s, char **ret_message)
{
	int rc;

	for (uint32_t c = 0; c < s->config->n_chains; c++) {
		const struct dp_chain_config *chain = &s->config->chains[c];

		for (uint32_t i = 0; i < chain->n_filters; i++) {
			const uint16_t idx = chain->filter_idx[i];

			if (!s->programs[idx].program && (rc = load(s, idx, ret_message)))
				return rc;
		}
	}
	return 0;
}

// ---- instances ------------------------------------------------------------------------------------

static uint16_t index_of(const struct dp_seat *seat)
{
	return (uint16_t)(seat->filter - seat->supervisor->config->filters);
}

static void keep_reasons(struct program *program, const struct ws_filter *filter)
{
	if (program->has_reasons)
		return;
	program->has_reasons = true;
	for (uint32_t i = 1; i <= ws_filter_n_reasons(filter); i++)
		program->reasons[i] = strdup(ws_filter_reason(filter, i));
}

// Runs guest code, so the deadline thread watches.
static int make(struct dp_seat *seat, struct ws_filter **ret_filter, struct we_error *err)
{
	struct dp_supervisor *s = seat->supervisor;
	struct program *program = &s->programs[index_of(seat)];
	struct ws_filter_config config = {
		.view = seat->filter->view,
		.view_full = seat->view_full,
		.burst = s->config->burst,
		.n_ports = (uint16_t)s->config->n_ports,
		.entries = seat->filter->entries,
		.n_entries = seat->filter->n_entries,
		.limits = seat->filter->limits,
	};
	struct ws_filter *filter = NULL;
	int rc;

	if (getrandom(config.random_seed, sizeof(config.random_seed), 0) < 0)
		return we_error_set(err, WE_E_HOST, 0, "getrandom: %s", strerror(errno));
	dp_watch_bind(&s->birth);
	rc = ws_filter_create(program->program, &config, s->ops, &seat->maker, &filter, err);
	if (rc)
		return rc;
	if (ws_filter_state(filter) != WS_FILTER_READY) {
		rc = we_error_set(err, WE_E_INVALID, 0, "it ended at its start: %s%s%s",
			ws_status_name(ws_filter_status(filter)),
			ws_filter_status_text(filter)[0] ? ": " : "",
			ws_filter_status_text(filter));
	} else if (seat->max_view && ws_filter_shape(filter).view > seat->max_view) {
		rc = we_error_set(err, WE_E_INVALID, 0,
			"it asks for a view of %u bytes, and had %u before",
			ws_filter_shape(filter).view, seat->max_view);
	}
	if (rc) {
		ws_filter_destroy(filter);
		return rc;
	}
	keep_reasons(program, filter);
	*ret_filter = filter;
	return 0;
}

static void destroy(struct dp_supervisor *s, struct ws_filter *filter)
{
	pthread_mutex_lock(&s->graves);
	ws_filter_destroy(filter);
	pthread_mutex_unlock(&s->graves);
}

void dp_seat_starting(struct dp_seat *seat, struct we_store *core)
{
	if (!core) {
		dp_watch_leave(&seat->supervisor->birth);
		return;
	}
	if (seat->is_interp)
		we_store_set_interp(core, true);
	dp_watch_enter(&seat->supervisor->birth, core, START_DEADLINE_NS);
}

void dp_seat_say(struct dp_seat *seat, enum ws_log_level level, const char *text, size_t len)
{
	say(seat->filter, level, text, len);
}

uint64_t dp_seat_now_ns(const struct dp_seat *seat)
{
	return dp_clock_now(seat->supervisor->clock);
}

struct ws_filter *dp_seat_take(struct dp_seat *seat)
{
	if (!atomic_load_explicit(&seat->spare, memory_order_relaxed))
		return NULL;
	return atomic_exchange_explicit(&seat->spare, NULL, memory_order_acq_rel);
}

void dp_seat_give_up(struct dp_seat *seat, struct ws_filter *filter, const struct we_error *err)
{
	const unsigned n = atomic_load_explicit(&seat->n_given_up, memory_order_relaxed);

	assert(n - atomic_load(&seat->n_collected) < DP_GONE_MAX);
	struct dp_gone *gone = &seat->gone[n % DP_GONE_MAX];
	gone->filter = filter;
	gone->err = err ? *err : (struct we_error){0};
	atomic_store_explicit(&seat->n_given_up, n + 1, memory_order_release);
}

// Take away what the worker has lost. Returns: was there anything?
static bool collect(struct dp_supervisor *s, struct dp_seat *seat)
{
	const unsigned n = atomic_load_explicit(&seat->n_given_up, memory_order_acquire);
	unsigned done = atomic_load_explicit(&seat->n_collected, memory_order_relaxed);
	const bool had_any = done != n;

	for (; done != n; done++) {
		struct dp_gone *gone = &seat->gone[done % DP_GONE_MAX];

		say_gone(seat, gone, dp_clock_now(s->clock));
		destroy(s, gone->filter);
		gone->filter = NULL;
		atomic_store_explicit(&seat->n_collected, done + 1, memory_order_release);
	}
	return had_any;
}

static void say_no_spare(struct dp_seat *seat, const struct we_error *err)
{
	char line[400];
	const int len = snprintf(line, sizeof(line),
		"port %s queue %u: no new instance: %s: %s (again in %" PRIu64 " ms)",
		seat->port_name, seat->queue_idx, we_failure_word(err->rc), err->msg,
		seat->retry_pause_ns / MS);

	say(seat->filter, WS_LOG_ERROR, line, (size_t)len);
}

static bool has_lost(const struct dp_seat *seat)
{
	return atomic_load_explicit(&seat->n_given_up, memory_order_acquire) !=
	       atomic_load_explicit(&seat->n_collected, memory_order_relaxed);
}

// Not while a lost one is left: the worker's and a spare are all that there is at any time, so all that can be lost
// (DP_GONE_MAX). It may lose both since they were collected; what it lost before it took the spare is seen with that.
// Returns: was one made?
static bool make_spare(struct dp_supervisor *s, struct dp_seat *seat)
{
	const uint64_t now_ns = dp_clock_now(s->clock);
	struct ws_filter *filter = NULL;
	struct we_error err = {0};

	if (atomic_load(&s->stop) || now_ns < seat->retry_at_ns ||
		atomic_load_explicit(&seat->spare, memory_order_acquire) || has_lost(seat))
		return false;
	if (make(seat, &filter, &err)) {
		seat->retry_pause_ns =
			seat->retry_pause_ns == 0 ? 10 * MS : 2 * seat->retry_pause_ns;
		if (seat->retry_pause_ns > 10000 * MS)
			seat->retry_pause_ns = 10000 * MS;
		seat->retry_at_ns = now_ns + seat->retry_pause_ns;
		say_no_spare(seat, &err);
		return false;
	}
	seat->retry_pause_ns = 0;
	atomic_store_explicit(&seat->spare, filter, memory_order_release);
	return true;
}

int dp_seat_init(struct dp_seat *seat, struct dp_supervisor *supervisor, uint16_t filter_idx,
	struct ws_filter **ret_filter, char **ret_message)
{
	const struct dp_config *config = supervisor->config;
	struct we_error err = {0};

	seat->supervisor = supervisor;
	seat->filter = &config->filters[filter_idx];
	seat->maker = (struct dp_owner){.seat = seat};
	const int rc = make(seat, ret_filter, &err);
	if (rc)
		return dp_fail_at(ret_message, config, seat->filter->place, rc, "filter %s: %s: %s",
			seat->filter->name, we_failure_word(rc), err.msg);
	seat->max_view = ws_filter_shape(*ret_filter).view;
	seat->next = supervisor->seats;
	supervisor->seats = seat;
	return 0;
}

const char *dp_supervisor_reason(
	const struct dp_supervisor *supervisor, uint16_t filter_idx, uint32_t i)
{
	return i <= WS_REASONS_MAX ? supervisor->programs[filter_idx].reasons[i] : NULL;
}

// ---- threads --------------------------------------------------------------------------------------

// Real-time signals stay open: net_tap's wakes the process with one, and workers block it.
static void block_signals(void)
{
	sigset_t set;

	sigfillset(&set);
	for (int signal = SIGRTMIN; signal <= SIGRTMAX; signal++)
		sigdelset(&set, signal);
	pthread_sigmask(SIG_SETMASK, &set, NULL);
}

// Returns: did an instance come or go?
static bool tend(struct dp_supervisor *s)
{
	bool was_busy = false;

	for (struct dp_seat *seat = s->seats; seat; seat = seat->next) {
		was_busy |= collect(s, seat);
		was_busy |= make_spare(s, seat);
	}
	for (struct dp_log_ring *ring = s->rings; ring; ring = ring->next)
		drain_log(ring);
	const uint64_t now_ns = dp_clock_now(s->clock);
	if (now_ns - s->clock_ns > CLOCK_NS) {
		s->clock_ns = now_ns;
		dp_clock_follow(s->clock);
	}
	return was_busy;
}

static void *control_main(void *arg)
{
	struct dp_supervisor *s = arg;
	uint32_t n_quiet = 0;

	block_signals();
	while (!atomic_load(&s->stop)) {
		n_quiet = tend(s) ? 0 : n_quiet + 1;
		if (n_quiet > 0)
			pause_ns(n_quiet < BUSY_TURNS ? BUSY_PAUSE_NS : QUIET_PAUSE_NS);
	}
	tend(s);
	return NULL;
}

static uint64_t longest_run_ns(const struct dp_supervisor *s)
{
	return s->run_stops && atomic_load(s->run_stops) ? STOP_DEADLINE_NS : UINT64_MAX;
}

// Returns: ns until the first deadline may be over, of those that run; UINT64_MAX: none.
static uint64_t check_watches(struct dp_supervisor *s)
{
	const uint64_t limit_ns = longest_run_ns(s);
	uint64_t first_ns = dp_watch_check(&s->birth, limit_ns);

	for (struct dp_watch *watch = s->watches; watch; watch = watch->next) {
		const uint64_t due_ns = dp_watch_check(watch, limit_ns);

		first_ns = due_ns < first_ns ? due_ns : first_ns;
	}
	return first_ns;
}

static void *watch_main(void *arg)
{
	struct dp_supervisor *s = arg;

	block_signals();
	while (!atomic_load(&s->stop)) {
		pthread_mutex_lock(&s->graves);
		const uint64_t due_ns = check_watches(s);
		pthread_mutex_unlock(&s->graves);
		if (due_ns > s->watch_pause_ns)
			pause_ns(s->watch_pause_ns);
		else
			pause_ns(due_ns < WATCH_MIN_NS ? WATCH_MIN_NS : due_ns);
	}
	return NULL;
}

void dp_supervisor_watch(struct dp_supervisor *supervisor, struct dp_watch *watch)
{
	pthread_mutex_lock(&supervisor->graves);
	watch->next = supervisor->watches;
	supervisor->watches = watch;
	pthread_mutex_unlock(&supervisor->graves);
}

void dp_supervisor_listen(struct dp_supervisor *supervisor, struct dp_log_ring *ring)
{
	ring->next = supervisor->rings;
	supervisor->rings = ring;
}

// ---- create and destroy ---------------------------------------------------------------------------

// A quarter of the shortest deadline: so long may a run have lasted when it is seen first. Its own end is then waited for.
static uint64_t watch_pause_ns(const struct dp_config *config)
{
	uint64_t pause = WATCH_MAX_NS;

	for (uint32_t i = 0; i < config->n_filters; i++) {
		if (config->filters[i].deadline_ns / 4 < pause)
			pause = config->filters[i].deadline_ns / 4;
	}
	return pause < WATCH_MIN_NS ? WATCH_MIN_NS : pause;
}

int dp_supervisor_create(const struct dp_config *config, const struct ws_filter_ops *ops,
	struct dp_clock *clock, const atomic_bool *stop, struct dp_supervisor **ret_supervisor,
	char **ret_message)
{
	struct dp_supervisor *s = calloc(1, sizeof(*s));
	struct we_error err = {0};
	int rc;

	if (!s)
		return dp_fail(ret_message, WE_E_NOMEM, "no memory");
	pthread_mutex_init(&s->graves, NULL);
	s->config = config;
	s->ops = ops;
	s->clock = clock;
	s->run_stops = stop;
	s->watch_pause_ns = watch_pause_ns(config);
	s->programs = calloc(config->n_filters + 1, sizeof(*s->programs));
	if (!s->programs) {
		rc = dp_fail(ret_message, WE_E_NOMEM, "no memory");
		goto fail;
	}
	const struct we_engine_config engine_config = dp_native_engine_config(config);
	if ((rc = we_engine_create(&engine_config, &s->engine, &err))) {
		dp_fail(ret_message, rc, "engine: %s", err.msg);
		goto fail;
	}
	if (dp_native_init(&s->native, config, s->engine)) {
		rc = dp_fail(ret_message, WE_E_NOMEM, "no memory");
		goto fail;
	}
	if ((rc = load_used(s, ret_message)))
		goto fail;
	if (pthread_create(&s->watch, NULL, watch_main, s)) {
		rc = dp_fail(ret_message, WE_E_HOST, "no thread for deadlines");
		goto fail;
	}
	s->has_watch = true;
	*ret_supervisor = s;
	return 0;
fail:
	dp_supervisor_destroy(s);
	return rc;
}

int dp_supervisor_compile(struct dp_supervisor *supervisor, char **ret_message)
{
	for (uint32_t i = 0; i < supervisor->config->n_filters; i++) {
		if (supervisor->programs[i].program)
			dp_native_add(
				&supervisor->native, (uint16_t)i, supervisor->programs[i].program);
	}
	if (dp_native_start(&supervisor->native))
		return dp_fail(ret_message, WE_E_HOST, "no thread for native code");
	return dp_native_await(&supervisor->native, supervisor->run_stops, ret_message);
}

void dp_supervisor_code(const struct dp_supervisor *supervisor, uint16_t filter_idx,
	struct dp_code_stats *ret_stats)
{
	dp_native_stats(&supervisor->native, filter_idx, ret_stats);
}

int dp_supervisor_start(struct dp_supervisor *supervisor)
{
	if (pthread_create(&supervisor->control, NULL, control_main, supervisor))
		return WE_E_HOST;
	supervisor->has_control = true;
	return 0;
}

void dp_supervisor_stop(struct dp_supervisor *supervisor)
{
	atomic_store(&supervisor->stop, true);
	dp_native_stop(&supervisor->native);
	if (supervisor->has_control)
		pthread_join(supervisor->control, NULL);
	supervisor->has_control = false;
	if (supervisor->has_watch)
		pthread_join(supervisor->watch, NULL);
	supervisor->has_watch = false;
	for (struct dp_seat *seat = supervisor->seats; seat; seat = seat->next) {
		collect(supervisor, seat);
		ws_filter_destroy(atomic_exchange(&seat->spare, NULL));
	}
	supervisor->seats = NULL;
}

static void destroy_program(struct program *program)
{
	ws_program_unref(program->program);
	for (uint32_t i = 0; i <= WS_REASONS_MAX; i++)
		free(program->reasons[i]);
}

void dp_supervisor_destroy(struct dp_supervisor *supervisor)
{
	if (!supervisor)
		return;
	dp_supervisor_stop(supervisor);
	dp_native_fini(&supervisor->native);
	for (uint32_t i = 0; supervisor->programs && i < supervisor->config->n_filters; i++)
		destroy_program(&supervisor->programs[i]);
	free(supervisor->programs);
	we_engine_destroy(supervisor->engine);
	pthread_mutex_destroy(&supervisor->graves);
	free(supervisor);
}
