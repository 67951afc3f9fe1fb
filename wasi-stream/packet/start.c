// SPDX-License-Identifier: BSD-3-Clause
// Bringing a filter to life: instantiate, call process, take what it returns, run to its first wait.
//
// Runs on a control thread; the data path begins after it.
// Spec: ARCHITECTURE.md section 4, CanonicalABI.md "Stream State", "Future State"
#include "filter.h"
#include "program.h"

#include <stdlib.h>

enum {
	HELD_DEFAULT = 1024,
	ORIGINATED_DEFAULT = 64, // packets in a run
	LOG_PER_S_DEFAULT = 10,  // lines
	TIMERS_DEFAULT = 64,
	TIMERS_MAX = 65536,
};
#define HOLD_NS_DEFAULT UINT64_C(1000000000)

int ws_filter_fix_shape(struct ws_filter *filter, struct we_error *err)
{
	struct ws_setup *setup = &filter->hosts.setup;

	if (filter->is_shaped)
		return 0;
	const struct ws_layout layout = slot_layout(setup->shape.room, setup->shape.view);
	int rc = ws_source_init(&filter->source, &layout, setup->shape.burst, err);

	if (rc < 0)
		return rc;
	rc = ws_sink_init(&filter->sink, &layout, &filter->lent, err);
	if (rc < 0)
		return rc;
	filter->sink.n_reasons = setup->n_reasons;
	setup->phase = WS_SETUP_LATE;
	filter->is_shaped = true;
	return 0;
}

// ---- the guest's reads: data path 3/7 -----------------------------------------------------------

static int rx_copy(void *env, uint8_t *buf, uint32_t n, uint32_t *ret_n, struct we_error *err)
{
	struct ws_filter *filter = env;

	if (!filter->is_shaped) {
		const int rc = ws_filter_fix_shape(filter, err);

		if (rc < 0)
			return rc;
	}
	ws_source_begin(&filter->source, n);
	*ret_n = 0;
	if (filter->source.n == 0)
		return CM_BLOCKED;
	if (n == 0) // a probe: there is something to read
		return 0;
	*ret_n = ws_source_read(&filter->source, buf, n);
	return *ret_n == 0 ? CM_BLOCKED : 0;
}

static void rx_dropped(void *env)
{
	struct ws_filter *filter = env;

	filter->ends.rx_dropped = true;
	filter->rx = NULL;
}

static const struct cm_stream_ops rx_ops = {.copy = rx_copy, .dropped = rx_dropped};

// ---- the guest's writes: data path 5/7 ----------------------------------------------------------

static int tx_copy(void *env, uint8_t *buf, uint32_t n, uint32_t *ret_n, struct we_error *err)
{
	struct ws_filter *filter = env;
	const struct ws_sink_ops ops = {filter->owner.ops.verdicts, filter->owner.env};

	if (!filter->is_shaped) {
		const int rc = ws_filter_fix_shape(filter, err);

		if (rc < 0)
			return rc;
	}
	*ret_n = n;
	if (n == 0) // a probe: a write is always taken
		return 0;
	return ws_sink_write(&filter->sink, &ops, buf, n, err);
}

// A partial slot is found by ws_filter_settle: this callback cannot fail.
static void tx_dropped(void *env)
{
	struct ws_filter *filter = env;

	filter->ends.tx_dropped = true;
}

static const struct cm_stream_ops tx_ops = {.copy = tx_copy, .dropped = tx_dropped};

// ---- what process returns -----------------------------------------------------------------------

// The value of the future: result<_, error>.
static int status_came(void *env, const struct cm_val *value, struct we_error *err)
{
	struct ws_filter *filter = env;
	const struct cm_val *error;

	if (filter->status != WS_STATUS_OPEN)
		return 0;
	if (value == NULL) {
		filter->status = WS_STATUS_DROPPED;
		return 0;
	}
	if (value->kind != CM_VARIANT || value->n > 1)
		return we_error_set(
			err, WE_E_INVALID, 0, "status of process is no result<_, error>");
	if (value->n == 0) {
		filter->status = WS_STATUS_OK;
		return 0;
	}
	error = value->of.payload;
	if (error == NULL || error->kind != CM_VARIANT || error->n > 1 ||
		(error->n == 1 &&
			(error->of.payload == NULL || error->of.payload->kind != CM_STRING)))
		return we_error_set(err, WE_E_INVALID, 0,
			"error of process is not malformed or internal(string)");
	if (error->n == 0) {
		filter->status = WS_STATUS_MALFORMED;
		return 0;
	}
	size_t len = error->of.payload->n;

	if (len >= sizeof(filter->text)) { // cut between characters
		len = sizeof(filter->text) - 1;
		while (len > 0 && ((unsigned char)error->of.payload->of.string[len] & 0xc0) == 0x80)
			len--;
	}
	memcpy(filter->text, error->of.payload->of.string, len);
	filter->text[len] = '\0';
	filter->status = WS_STATUS_INTERNAL;
	return 0;
}

// process has returned tuple<stream<u8>, future<result<_, error>>>.
static int process_returned(void *env, const struct cm_val *result, struct we_error *err)
{
	struct ws_filter *filter = env;
	void *own_env = NULL;

	if (result == NULL)
		return we_error_set(err, WE_E_TRAP, 0, "process was cancelled");
	if (result->kind != CM_TUPLE || result->n != 2 || result->of.elems[0].kind != CM_STREAM ||
		result->of.elems[1].kind != CM_FUTURE)
		return we_error_set(err, WE_E_INVALID, 0,
			"process returns something else than tuple<stream<u8>, future<result<_, "
			"error>>>");
	const int rc = cm_stream_attach_sink(
		result->of.elems[0].of.stream, &tx_ops, filter, &own_env, err);

	if (rc < 0)
		return rc;
	if (rc == CM_OWN_SOURCE) { // only one source was ever made in this store
		assert(own_env == filter);
		if (filter->source.off > 0)
			return we_error_set(err, WE_E_TRAP, 0,
				"process returns its own rx with %u bytes of a slot read, expected "
				"whole slots",
				filter->source.off);
		filter->ends.is_own_rx = true;
		filter->rx = NULL;
	}
	return cm_future_attach(result->of.elems[1].of.future, status_came, filter, err);
}

static void process_exited(void *env)
{
	struct ws_filter *filter = env;

	filter->ends.has_exited = true;
}

// ---- create and destroy -------------------------------------------------------------------------

static int refuse(struct we_error *err, const char *what, uint64_t found, uint64_t most)
{
	return we_error_set(err, WE_E_INVALID, 0, "%s %llu, expected at most %llu", what,
		(unsigned long long)found, (unsigned long long)most);
}

static int check_config(const struct ws_program *program, const struct ws_filter_config *config,
	struct we_error *err)
{
	if (config->view != 0 && !program->has_setup)
		return we_error_set(err, WE_E_INVALID, 0,
			"view: the filter does not import weir:packet/setup, so its view is %u "
			"bytes for good",
			WS_VIEW_DEFAULT);
	if (config->view != WS_VIEW_FULL && config->view > WS_VIEW_MAX)
		return refuse(err, "view", config->view, WS_VIEW_MAX);
	if (config->view_full > WS_VIEW_MAX)
		return refuse(err, "full view", config->view_full, WS_VIEW_MAX);
	if (config->burst == 0)
		return we_error_set(
			err, WE_E_INVALID, 0, "burst 0, expected 1 to %u", WS_BURST_MAX);
	if (config->burst > WS_BURST_MAX)
		return refuse(err, "burst", config->burst, WS_BURST_MAX);
	if (config->limits.held > WS_HELD_MAX)
		return refuse(err, "held", config->limits.held, WS_HELD_MAX);
	if (config->limits.timers > TIMERS_MAX)
		return refuse(err, "timers", config->limits.timers, TIMERS_MAX);
	return 0;
}

static struct ws_limits with_defaults(const struct ws_limits *given)
{
	struct ws_limits limits = *given;

	if (limits.held == 0)
		limits.held = HELD_DEFAULT;
	if (limits.hold_ns == 0)
		limits.hold_ns = HOLD_NS_DEFAULT;
	if (limits.originated_per_run == 0)
		limits.originated_per_run = ORIGINATED_DEFAULT;
	if (limits.log_per_s == 0)
		limits.log_per_s = LOG_PER_S_DEFAULT;
	if (limits.timers == 0)
		limits.timers = TIMERS_DEFAULT;
	return limits;
}

// Everything that belongs to us; no guest code has run.
static int prepare(
	struct ws_filter *filter, const struct ws_filter_config *config, struct we_error *err)
{
	const struct ws_limits limits = with_defaults(&config->limits);
	int rc;

	filter->hold_ns = limits.hold_ns;
	filter->drained_ns = UINT64_MAX;
	filter->sink.n_ports = config->n_ports;
	filter->sink.originated_max = limits.originated_per_run;
	rc = ws_lent_init(&filter->lent, limits.held, config->burst, err);
	if (rc < 0)
		return rc;
	rc = ws_hosts_init(&filter->hosts, config, &limits, &filter->owner, err);
	if (rc < 0)
		return rc;
	return cm_store_create(filter->program->engine, &limits.cm, &filter->store, err);
}

// Instantiate and run process until it waits.
static int run_process(struct ws_filter *filter, struct we_error *err)
{
	const struct cm_on_return on_return = {
		.returned = process_returned,
		.exited = process_exited,
		.env = filter,
	};
	struct cm_instance *inst;
	struct cm_stream *rx;
	struct cm_task *task;
	struct cm_func *process;
	int rc = cm_instance_create(filter->store, filter->program->component,
		filter->program->linker, ws_hosts_env, &filter->hosts, &inst, err);

	if (rc < 0)
		return rc;
	if (cm_instance_func(inst, WS_FILTER_INTERFACE, "process", &process) != 0)
		return we_error_set(
			err, WE_E_UNLINKABLE, 0, "%s has no function process", WS_FILTER_INTERFACE);
	rc = cm_stream_create_source(filter->store, &rx_ops, filter, &rx, err);
	if (rc < 0)
		return rc;
	const struct cm_val arg = {.kind = CM_STREAM, .of.stream = rx};

	filter->rx = rx;
	filter->hosts.setup.phase = WS_SETUP_OPEN;
	rc = cm_func_start(process, &arg, 1, &on_return, &task, err);
	if (rc < 0)
		return rc;
	rc = cm_store_run(filter->store, err);
	if (rc < 0)
		return rc;
	filter->is_pending = rc == CM_MORE; // it yields: the first run goes on with that
	return ws_filter_fix_shape(filter, err);
}

int ws_filter_create(struct ws_program *program, const struct ws_filter_config *config,
	const struct ws_filter_ops *ops, void *env, struct ws_filter **ret_filter,
	struct we_error *err)
{
	struct ws_filter *filter;
	int rc = check_config(program, config, err);

	if (rc < 0)
		return rc;
	filter = calloc(1, sizeof(*filter));
	if (filter == NULL)
		return we_error_set(err, WE_E_NOMEM, 0, "no memory for a filter");
	filter->program = ws_program_ref(program);
	filter->owner.ops = *ops;
	filter->owner.env = env;
	ws_owner_now(&filter->owner);
	rc = prepare(filter, config, err);
	if (rc < 0)
		goto fail;
	if (ops->starting != NULL)
		ops->starting(env, cm_store_core(filter->store));
	rc = run_process(filter, err);
	if (rc == 0)
		rc = ws_filter_settle(filter, err);
	if (ops->starting != NULL)
		ops->starting(env, NULL);
	if (rc < 0)
		goto fail;
	*ret_filter = filter;
	return 0;
fail:
	ws_filter_destroy(filter);
	return rc;
}

void ws_filter_destroy(struct ws_filter *filter)
{
	if (filter == NULL)
		return;
	assert(filter->lent.n_lent == 0);
	cm_store_destroy(filter->store);
	ws_hosts_fini(&filter->hosts);
	ws_sink_fini(&filter->sink);
	ws_source_fini(&filter->source);
	ws_lent_fini(&filter->lent);
	ws_program_unref(filter->program);
	free(filter);
}
