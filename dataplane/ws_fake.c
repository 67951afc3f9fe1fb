// SPDX-License-Identifier: BSD-3-Clause
// ws_fake: a stand-in for wasi-stream/packet.
#include "ws_fake.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	LENT_MAX = 2048,
	BYTES_MAX = 65536,
};

struct ws_fake_seen ws_fake_seen;

struct ws_program {
	struct we_engine *engine;
};

struct lent {
	void *token;
	struct ws_slot desc;
	uint16_t shown;
	uint8_t first; // byte
};

struct ws_filter {
	struct ws_filter_ops ops;
	void *env;
	char script[128];
	struct we_store *core;
	uint32_t view;
	uint32_t burst;
	uint32_t held;
	uint32_t n_lent;
	uint32_t n_runs;
	bool is_pending;
	bool is_stopping;
	enum ws_filter_state state;
	struct we_error error;
	uint8_t *bytes; // [WS_BURST_MAX][BYTES_MAX], of verdicts that change
	struct lent lent[LENT_MAX];
};

// What the deadline thread sees: a filter that loops has an entry.
static atomic_uint_fast64_t looping;
static atomic_bool is_interrupted;

uint64_t __wrap_we_store_entry(const struct we_store *store);
uint64_t __wrap_we_store_entry(const struct we_store *store)
{
	(void)store;
	return atomic_load(&looping);
}

void __wrap_we_store_interrupt(struct we_store *store, uint64_t entry);
void __wrap_we_store_interrupt(struct we_store *store, uint64_t entry)
{
	(void)store;
	if (entry)
		atomic_store(&is_interrupted, true);
}

int ws_program_create(struct we_engine *engine, const char *name, struct we_bytes bytes,
	struct ws_program **ret_program, struct we_error *err)
{
	(void)name;
	(void)bytes;
	(void)err;
	*ret_program = calloc(1, sizeof(**ret_program));
	assert(*ret_program);
	(*ret_program)->engine = engine;
	return 0;
}

int ws_program_compile(struct ws_program *program, struct we_error *err)
{
	(void)program;
	if (ws_fake_seen.compile_rc < 0)
		we_error_set(err, ws_fake_seen.compile_rc, 0, "the compiler is ill");
	return ws_fake_seen.compile_rc;
}

void ws_program_jit_stats(const struct ws_program *program, struct we_jit_stats *ret_stats)
{
	(void)program;
	*ret_stats = (struct we_jit_stats){
		.n_funcs = 2, .n_funcs_native = ws_fake_seen.compile_rc == 0 ? 2 : 1};
	if (ws_fake_seen.compile_rc > 0)
		snprintf(ret_stats->last_failure, sizeof(ret_stats->last_failure), "it is hard");
}

void ws_program_unref(struct ws_program *program)
{
	free(program);
}

// The number after word in the script, `otherwise` when the word is not there.
static uint32_t asked(const struct ws_filter *filter, const char *word, uint32_t otherwise)
{
	const char *at = strstr(filter->script, word);

	return at ? (uint32_t)strtoul(at + strlen(word), NULL, 10) : otherwise;
}

static bool is_asked(const struct ws_filter *filter, const char *word)
{
	return strstr(filter->script, word) != NULL;
}

int ws_filter_create(struct ws_program *program, const struct ws_filter_config *config,
	const struct ws_filter_ops *ops, void *env, struct ws_filter **ret_filter,
	struct we_error *err)
{
	struct ws_filter *filter = calloc(1, sizeof(*filter));

	assert(filter);
	for (uint32_t i = 0; i < config->n_entries; i++) {
		if (strcmp(config->entries[i].key, "do") == 0)
			strncpy(filter->script, config->entries[i].value,
				sizeof(filter->script) - 1);
	}
	filter->ops = *ops;
	filter->env = env;
	filter->view = config->view == WS_VIEW_FULL ? config->view_full
		       : config->view               ? config->view
						    : WS_VIEW_DEFAULT;
	filter->burst = config->burst;
	filter->held = config->limits.held ? config->limits.held : 1024;
	filter->bytes = malloc((size_t)WS_BURST_MAX * BYTES_MAX);
	assert(filter->bytes);
	if (is_asked(filter, "refuse"))
		filter->state = WS_FILTER_ENDED;
	if (we_store_create(program->engine, NULL, &filter->core, err))
		abort();
	ops->starting(env, filter->core);
	ops->starting(env, NULL);
	ws_fake_seen.n_created++;
	*ret_filter = filter;
	return 0;
}

void ws_filter_destroy(struct ws_filter *filter)
{
	if (!filter)
		return;
	assert(filter->n_lent == 0);
	if (ws_fake_seen.destroying)
		ws_fake_seen.destroying();
	we_store_destroy(filter->core);
	free(filter->bytes);
	free(filter);
	ws_fake_seen.n_destroyed++;
}

void ws_filter_set_env(struct ws_filter *filter, void *env)
{
	filter->env = env;
}

struct ws_shape ws_filter_shape(const struct ws_filter *filter)
{
	return (struct ws_shape){.stride = 64 + (filter->view + 63) / 64 * 64,
		.view = filter->view,
		.burst = filter->burst};
}

uint32_t ws_filter_n_reasons(const struct ws_filter *filter)
{
	(void)filter;
	return 1;
}

const char *ws_filter_reason(const struct ws_filter *filter, uint32_t i)
{
	(void)filter;
	return i == 1 ? "fake" : NULL;
}

uint32_t ws_filter_room(const struct ws_filter *filter)
{
	const uint32_t room = filter->held - filter->n_lent;

	if (filter->state != WS_FILTER_READY || filter->is_stopping)
		return 0;
	return room < filter->burst ? room : filter->burst;
}

int ws_filter_offer(struct ws_filter *filter, const struct ws_packet *packets, uint32_t n,
	uint64_t now_ns, struct we_error *err)
{
	(void)now_ns;
	(void)err;
	assert(n > 0 && n <= ws_filter_room(filter));
	for (uint32_t i = 0; i < n; i++) {
		const struct ws_slot *desc = &packets[i].desc;
		const uint32_t shown =
			desc->total_len < filter->view ? desc->total_len : filter->view;

		filter->lent[filter->n_lent++] = (struct lent){
			.token = packets[i].token,
			.desc = *desc,
			.shown = (uint16_t)shown,
			.first = shown ? packets[i].data[0] : 0,
		};
		ws_fake_seen.last = *desc;
		memcpy(ws_fake_seen.bytes, packets[i].data,
			shown < sizeof(ws_fake_seen.bytes) ? shown : sizeof(ws_fake_seen.bytes));
		// The whole of what is shown must be there to be read.
		memcpy(filter->bytes, packets[i].data, shown);
	}
	filter->is_pending = true;
	return 0;
}

static struct ws_verdict judge(struct ws_filter *filter, const struct lent *lent, uint32_t nth)
{
	uint8_t *bytes = filter->bytes + (size_t)nth * BYTES_MAX;
	struct ws_verdict v = {
		.token = lent->token,
		.data = bytes,
		.len = lent->shown,
		.shown = lent->shown,
		.port_out = lent->desc.port_out,
		.mark = lent->desc.mark,
	};

	memcpy(v.scratch, lent->desc.scratch, sizeof(v.scratch));
	if (is_asked(filter, "mark"))
		v.mark += asked(filter, "mark", 0);
	if (is_asked(filter, "port"))
		v.port_out = (uint16_t)asked(filter, "port", 0);
	if (is_asked(filter, "len")) {
		v.changed = true;
		v.len = (uint16_t)asked(filter, "len", 0);
		memset(bytes, 0xee, v.len);
	}
	if (is_asked(filter, "drop")) {
		v.code = WS_VERDICT_DROP;
		v.reason = (uint8_t)asked(filter, "drop", 0);
	}
	if (is_asked(filter, "except"))
		v.code = WS_VERDICT_EXCEPTION;
	if (is_asked(filter, "odd") && lent->first % 2 == 0)
		v.code = WS_VERDICT_FORWARD;
	return v;
}

// Hand the first n back.
static void hand_back(struct ws_filter *filter, uint32_t n)
{
	struct ws_verdict v[WS_BURST_MAX];

	while (n > 0) {
		const uint32_t k = n < WS_BURST_MAX ? n : WS_BURST_MAX;

		for (uint32_t i = 0; i < k; i++)
			v[i] = judge(filter, &filter->lent[i], i);
		filter->n_lent -= k;
		memmove(filter->lent, filter->lent + k, filter->n_lent * sizeof(*filter->lent));
		n -= k;
		filter->ops.verdicts(filter->env, v, k);
	}
}

static void originate(struct ws_filter *filter, uint32_t n)
{
	memset(filter->bytes, 0x77, 60);
	for (uint32_t i = 0; i < n; i++) {
		const struct ws_verdict v = {
			.data = filter->bytes, .len = 60, .port_out = 0, .changed = true};

		filter->ops.verdicts(filter->env, &v, 1);
	}
}

static int fault(struct ws_filter *filter, enum we_trap trap, struct we_error *err)
{
	filter->state = WS_FILTER_FAULTED;
	we_error_trap(&filter->error, trap, 0, WE_NO_FUNC, NULL);
	*err = filter->error;
	return err->rc;
}

int ws_filter_run(struct ws_filter *filter, uint64_t now_ns, struct we_error *err)
{
	(void)now_ns;
	filter->n_runs++;
	filter->is_pending = false;
	if (filter->n_runs == asked(filter, "trap", 0)) {
		hand_back(filter, filter->n_lent / 2);
		return fault(filter, WE_TRAP_UNREACHABLE, err);
	}
	if (filter->n_runs == asked(filter, "loop", 0)) {
		atomic_store(&looping, 1);
		while (!atomic_load(&is_interrupted))
			continue;
		atomic_store(&looping, 0);
		atomic_store(&is_interrupted, false);
		ws_fake_seen.n_interrupted++;
		return fault(filter, WE_TRAP_DEADLINE, err);
	}
	originate(filter, asked(filter, "originate", 0));
	if (filter->n_lent >= asked(filter, "hold", 0) || filter->is_stopping)
		hand_back(filter, filter->n_lent);
	if (filter->is_stopping)
		filter->state = WS_FILTER_STOPPED;
	else if (filter->n_runs == asked(filter, "end", 0))
		filter->state = WS_FILTER_ENDED;
	return 0;
}

bool ws_filter_wants_run(const struct ws_filter *filter, uint64_t now_ns)
{
	(void)now_ns;
	return filter->is_pending;
}

int ws_filter_stop(struct ws_filter *filter, uint64_t now_ns, struct we_error *err)
{
	filter->is_stopping = true;
	return ws_filter_run(filter, now_ns, err);
}

uint32_t ws_filter_n_lent(const struct ws_filter *filter)
{
	return filter->n_lent;
}

void ws_filter_reclaim(
	struct ws_filter *filter, void (*give_back)(void *env, void *token), void *env)
{
	const uint32_t n = filter->n_lent;

	filter->n_lent = 0;
	for (uint32_t i = 0; i < n; i++)
		give_back(env, filter->lent[i].token);
}

enum ws_filter_state ws_filter_state(const struct ws_filter *filter)
{
	return filter->state;
}

enum ws_status ws_filter_status(const struct ws_filter *filter)
{
	return filter->state == WS_FILTER_ENDED ? WS_STATUS_INTERNAL : WS_STATUS_OK;
}

const char *ws_status_name(enum ws_status status)
{
	return status == WS_STATUS_INTERNAL ? "internal" : "ok";
}

const char *ws_filter_status_text(const struct ws_filter *filter)
{
	return filter->state == WS_FILTER_ENDED ? "as it was told" : "";
}

struct we_store *ws_filter_core(struct ws_filter *filter)
{
	return filter->core;
}
