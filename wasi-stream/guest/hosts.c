// SPDX-License-Identifier: BSD-3-Clause
// A filter that calls the function of the host that the first packet's mark asks for, and answers in that packet's
// mark and scratch. For ../host/host_component_test.c; build.sh makes hosts.wasm and hosts_new.wasm.

#include "hosts.h"

#include "weir_abi.h"
#include "weir_slot.h"
#include "weir_world.h"

struct list {
	const void *ptr;
	uint32_t len;
};
struct pair {
	struct weir_str key, value;
};
struct all_result {
	uint32_t is_err;
	const struct pair *ptr;
	uint32_t len;
};

WEIR_IMPORT("wasi:clocks/monotonic-clock@0.3.0", "get-resolution") uint64_t resolution(void);
WEIR_IMPORT("wasi:clocks/monotonic-clock@0.3.0", "[async-lower]wait-until")
uint32_t wait_until(uint64_t mark);
WEIR_IMPORT("wasi:random/random@0.3.0", "get-random-bytes")
void random_bytes(uint64_t max, struct list *ret);
WEIR_IMPORT("wasi:config/store@0.2.0-rc.1", "get-all") void get_all(struct all_result *ret);

static uint32_t rx, tx, status, set;
static uint32_t held; // bytes that wait for a timer
static _Alignas(64) uint8_t buf[64 * 256];

static uint32_t wait(void)
{
	return WEIR_CALLBACK_WAIT | set << 4;
}

static void put_text(struct weir_slot *slot, const struct weir_str *text)
{
	slot->mark = text->len;
	__builtin_memcpy(slot->scratch, text->ptr, text->len < 16 ? text->len : 16);
}

// What `wasm-tools component new` lets the host allocate with; there is no free.
WEIR_EXPORT("cabi_realloc")
void *allocate(void *old, size_t old_size, size_t align, size_t size)
{
	static _Alignas(16) uint8_t heap[16384];
	static size_t used;
	const size_t at = (used + align - 1) & ~(align - 1);

	(void)old;
	if (old_size != 0 || size > sizeof(heap) - at)
		__builtin_trap();
	used = at + size;
	return heap + at;
}

// Returns: a subtask to wait for, or 0.
static uint32_t answer(struct weir_slot *slot)
{
	uint64_t number = 0;
	struct list list;
	struct all_result all;
	struct weir_str text;

	switch ((enum ask)slot->mark) {
	case ASK_NOW:
		number = weir_now_ns();
		break;
	case ASK_RESOLUTION:
		number = resolution();
		break;
	case ASK_U64:
		number = weir_random_u64();
		break;
	case ASK_BYTES:
		random_bytes(16, &list);
		put_text(slot, &(struct weir_str){list.ptr, list.len});
		return 0;
	case ASK_LOG:
		weir_log(WEIR_LOG_WARN, (struct weir_str)WEIR_STR("hosts"),
			(struct weir_str)WEIR_STR("asked"));
		return 0;
	case ASK_GET:
		slot->mark = 0;
		if (weir_config((struct weir_str)WEIR_STR("key"), &text) == 0)
			put_text(slot, &text);
		return 0;
	case ASK_GET_ALL:
		get_all(&all);
		slot->mark = all.len;
		if (all.is_err || all.len == 0)
			return 0;
		put_text(slot, &all.ptr[all.len - 1].value);
		slot->mark = all.len;
		return 0;
	case ASK_WAIT_FOR:
		return weir_wait_for(1000) >> 4;
	case ASK_WAIT_UNTIL:
		return wait_until(5000) >> 4;
	case ASK_WAIT_UNTIL_PAST:
		slot->mark = wait_until(0);
		return 0;
	}
	__builtin_memcpy(slot->scratch, &number, sizeof(number));
	return 0;
}

static void finish(void)
{
	const struct weir_status_value ok = {.is_err = 0};

	weir_rx_drop(rx);
	weir_tx_drop(tx);
	weir_status_write(status, &ok);
	weir_status_drop(status);
	weir_set_drop(set);
}

// Returns: what a callback answers.
static uint32_t go_on(uint32_t copied)
{
	while (copied != WEIR_BLOCKED) {
		const uint32_t n = copied >> 4;

		if (n > 0) {
			const uint32_t subtask = answer((struct weir_slot *)buf);

			if (subtask != 0) {
				weir_join(subtask, set);
				held = n;
				return wait();
			}
			weir_tx_write(tx, buf, n);
		}
		if ((copied & 15) != 0) {
			finish();
			return WEIR_CALLBACK_EXIT;
		}
		copied = weir_rx_read(rx, buf, sizeof(buf));
	}
	return wait();
}

WEIR_EXPORT(WEIR_PROCESS) uint32_t process(uint32_t stream)
{
	const uint64_t out = weir_tx_new();
	const uint64_t done = weir_status_new();

	rx = stream;
	tx = (uint32_t)(out >> 32);
	status = (uint32_t)(done >> 32);
	set = weir_set_new();
	weir_join(rx, set);
	weir_return((uint32_t)out, (uint32_t)done);
	return go_on(0);
}

WEIR_IMPORT("$root", "[subtask-drop]") void subtask_drop(uint32_t subtask);

WEIR_EXPORT(WEIR_CALLBACK)
uint32_t callback(uint32_t event, uint32_t waitable, uint32_t code)
{
	if (event == WEIR_EVENT_SUBTASK) {
		subtask_drop(waitable);
		weir_tx_write(tx, buf, held);
		return go_on(0);
	}
	return go_on(code);
}
