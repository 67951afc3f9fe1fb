// SPDX-License-Identifier: BSD-3-Clause
// monotonic_clock: the time, and a heap of waits that the poll loop fires.
#include "monotonic_clock.h"

#include <assert.h>
#include <stdlib.h>

struct ws_timer {
	uint64_t due_ns;
	struct cm_call *call;
	struct ws_clock *clock;
	uint32_t at; // its place in the heap
};

int ws_clock_init(
	struct ws_clock *clock, struct ws_owner *owner, uint32_t max, struct we_error *err)
{
	*clock = (struct ws_clock){
		.owner = owner,
		.timers = calloc(max, sizeof(*clock->timers)),
		.heap = calloc(max, sizeof(*clock->heap)),
		.max = max,
		.next_ns = UINT64_MAX,
	};
	if (clock->timers == NULL || clock->heap == NULL) {
		ws_clock_fini(clock);
		return we_error_set(err, WE_E_NOMEM, 0, "no memory for %u timers", max);
	}
	for (uint32_t i = 0; i < max; i++)
		clock->heap[i] = &clock->timers[i];
	return 0;
}

void ws_clock_fini(struct ws_clock *clock)
{
	free(clock->timers);
	free(clock->heap);
	*clock = (struct ws_clock){0};
}

static void place(struct ws_clock *clock, uint32_t at, struct ws_timer *timer)
{
	clock->heap[at] = timer;
	timer->at = at;
}

// Move the timer at `at` to where the heap's order wants it, up or down.
static void sift(struct ws_clock *clock, uint32_t at)
{
	struct ws_timer *timer = clock->heap[at];

	for (; at > 0; at = (at - 1) / 2) {
		struct ws_timer *parent = clock->heap[(at - 1) / 2];

		if (parent->due_ns <= timer->due_ns)
			break;
		place(clock, at, parent);
	}
	while (2 * at + 1 < clock->n) {
		uint32_t child = 2 * at + 1;

		if (child + 1 < clock->n &&
			clock->heap[child + 1]->due_ns < clock->heap[child]->due_ns)
			child++;
		if (timer->due_ns <= clock->heap[child]->due_ns)
			break;
		place(clock, at, clock->heap[child]);
		at = child;
	}
	place(clock, at, timer);
	clock->next_ns = clock->heap[0]->due_ns;
}

// Take a timer out: the last one fills its place and it becomes the first free one.
static void disarm(struct ws_clock *clock, struct ws_timer *timer)
{
	const uint32_t at = timer->at;

	assert(clock->n > 0 && clock->heap[at] == timer);
	clock->n--;
	place(clock, at, clock->heap[clock->n]);
	place(clock, clock->n, timer);
	clock->next_ns = UINT64_MAX;
	if (at < clock->n)
		sift(clock, at);
	else if (clock->n > 0)
		clock->next_ns = clock->heap[0]->due_ns;
}

int ws_clock_fire(struct ws_clock *clock, uint64_t now_ns, struct we_error *err)
{
	while (clock->n > 0 && clock->heap[0]->due_ns <= now_ns) {
		struct ws_timer *timer = clock->heap[0];

		disarm(clock, timer);
		const int rc = cm_call_resolve(timer->call, NULL, err);

		if (rc < 0)
			return rc;
	}
	return 0;
}

static void cancelled(void *env)
{
	struct ws_timer *timer = env;

	disarm(timer->clock, timer);
}

// A mark that has passed is reached at once; else the call is finished by ws_clock_fire.
static int wait_till(
	struct ws_clock *clock, struct cm_call *call, uint64_t due_ns, struct we_error *err)
{
	if (due_ns <= clock->owner->now_ns)
		return 0;
	if (clock->n == clock->max)
		return we_error_set(err, WE_E_EXHAUSTED, 0,
			"monotonic-clock: more than %u waits at one time", clock->max);
	struct ws_timer *timer = clock->heap[clock->n];

	timer->due_ns = due_ns;
	timer->call = call;
	timer->clock = clock;
	place(clock, clock->n++, timer);
	sift(clock, timer->at);
	cm_call_defer(call, cancelled, timer);
	return CM_PENDING;
}

int ws_clock_now(void *env, struct cm_call *call, const struct cm_val *args, uint32_t n_args,
	struct cm_val *result, struct we_error *err)
{
	struct ws_clock *clock = env;

	(void)call;
	(void)args;
	(void)n_args;
	(void)err;
	*result = (struct cm_val){.kind = CM_U64, .of.bits = ws_owner_now(clock->owner)};
	return 0;
}

int ws_clock_get_resolution(void *env, struct cm_call *call, const struct cm_val *args,
	uint32_t n_args, struct cm_val *result, struct we_error *err)
{
	(void)env;
	(void)call;
	(void)args;
	(void)n_args;
	(void)err;
	*result = (struct cm_val){.kind = CM_U64, .of.bits = 1};
	return 0;
}

int ws_clock_wait_until(void *env, struct cm_call *call, const struct cm_val *args, uint32_t n_args,
	struct cm_val *result, struct we_error *err)
{
	(void)n_args;
	(void)result;
	return wait_till(env, call, args[0].of.bits, err);
}

int ws_clock_wait_for(void *env, struct cm_call *call, const struct cm_val *args, uint32_t n_args,
	struct cm_val *result, struct we_error *err)
{
	struct ws_clock *clock = env;
	const uint64_t now_ns = ws_owner_now(clock->owner);
	uint64_t due_ns;

	(void)n_args;
	(void)result;
	if (__builtin_add_overflow(now_ns, args[0].of.bits, &due_ns))
		due_ns = UINT64_MAX;
	return wait_till(clock, call, due_ns, err);
}
