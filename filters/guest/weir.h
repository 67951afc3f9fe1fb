// SPDX-License-Identifier: BSD-3-Clause
// The C SDK for packet filters: a filter is one function over a burst of packets.
//
//	#include "weir.h"
//
//	static void burst(struct weir_burst *b)
//	{
//		for (uint32_t i = 0; i < b->n; i++) {
//			struct weir_slot *slot = weir_slot(b, i);
//
//			if (slot->len < 60)
//				weir_drop(slot, 1);
//		}
//	}
//
//	static const struct weir_str reasons[] = {WEIR_STR("short")};
//
//	const struct weir_filter weir_filter = {
//		.burst = burst,
//		.reasons = reasons,
//		.n_reasons = 1,
//	};
//
//	clang-22 --target=wasm32 -O2 -nostdlib -ffreestanding -msimd128 -mrelaxed-simd -mbulk-memory
//		-Wl,--no-entry -Wl,--import-memory -I guest -o short.core.wasm short.c
//	weir wrap short.core.wasm -o short.wasm
//
// Include it in one C file of the filter, which then says `const struct weir_filter weir_filter`. The rest is done here:
// the component model's process (streams in and out, status future, callback), and imports only of what is used.
// In the steady state a burst costs one entry of the callback and two calls of the host: one write, one read.
//
// Spec: CanonicalABI.md "canon lift", "canon stream.read"; names as wit-component's.
#pragma once

#include "weir_abi.h"
#include "weir_checksum.h"
#include "weir_packet.h"
#include "weir_slot.h"
#include "weir_text.h"

// ---- what a filter says -------------------------------------------------------------------------

struct weir_burst;

// All may be left out but burst.
struct weir_filter {
	void (*burst)(struct weir_burst *b); // say a verdict for each slot; nothing said: passed on
	void (*start)(struct weir_burst
			*b); // once, before the first burst, b->n == 0: configuration, memory
	void (*stop)(struct weir_burst
			*b); // once, after the last burst, b->n == 0; it may still add slots
	uint32_t view;       // bytes wanted of each packet; 0: WEIR_VIEW_DEFAULT
	uint32_t room;       // bytes wanted in front of each packet
	uint32_t originate;  // most slots that one burst adds by weir_originate or weir_put
	const struct weir_str *reasons; // [n_reasons] names of drop reasons 1..n
	uint32_t n_reasons;
};
extern const struct weir_filter weir_filter;

// The slots of one call, and what is known of the stream. It stays at the same place for all bursts.
struct weir_burst {
	uint8_t *slots;  // [n] slots of stride bytes
	uint32_t n;      // slots in this burst
	uint32_t stride; // bytes from slot to slot
	uint32_t view;   // most bytes shown of a packet
	uint32_t room;   // bytes in front of each packet
	uint32_t cap;    // slots that fit: burst + originate
	uint32_t burst;  // most slots that come in
	struct {
		bool failed;
		bool malformed;
		struct weir_str text;
	} status; // by weir_fail and weir_fail_malformed
};

static inline struct weir_slot *weir_slot(const struct weir_burst *b, uint32_t i)
{
	return (struct weir_slot *)(b->slots + (size_t)i * b->stride);
}

// End the run with status `error internal(text)`: after this burst's slots are written back, or at once in start.
// The first failure counts. Borrows: text, for good.
static inline void weir_fail(struct weir_burst *b, struct weir_str text)
{
	if (!b->status.failed) {
		b->status.failed = true;
		b->status.text = text;
	}
}

// The same with status `error malformed`.
static inline void weir_fail_malformed(struct weir_burst *b)
{
	if (!b->status.failed) {
		b->status.failed = true;
		b->status.malformed = true;
	}
}

// A new packet at the end of the burst: len 0 at 64 + room; fill data, len and port_out. NULL: no room, see
// weir_filter.originate. It is sent as verdict and port_out say.
static inline struct weir_slot *weir_originate(struct weir_burst *b)
{
	struct weir_slot *slot;

	if (b->n == b->cap)
		return NULL;
	slot = weir_slot(b, b->n++);
	*slot = (struct weir_slot){
		.rx_flags = WEIR_RX_ORIGINATED,
		.data_off = (uint16_t)(sizeof(*slot) + b->room),
		.verdict = WEIR_FORWARD | WEIR_CHANGED,
	};
	return slot;
}

// Hold slot i: copy its b->stride bytes to held and take it out of the burst; the last slot of the burst moves to
// its place. The host counts it as held until weir_put writes it back.
static inline void weir_take(struct weir_burst *b, uint32_t i, void *held)
{
	__builtin_memcpy(held, weir_slot(b, i), b->stride);
	b->n--;
	if (i < b->n)
		__builtin_memcpy(weir_slot(b, i), weir_slot(b, b->n), b->stride);
}

// Put a held slot back at the end of the burst. Returns: false when the burst is full, see weir_filter.originate.
static inline bool weir_put(struct weir_burst *b, const void *held)
{
	if (b->n == b->cap)
		return false;
	__builtin_memcpy(weir_slot(b, b->n++), held, b->stride);
	return true;
}

// ---- memory -------------------------------------------------------------------------------------

extern uint8_t __heap_base; // the linker's: end of data and stack
extern uint8_t __heap_end;  // end of the memory that the module declares

enum {
	WEIR_PAGE = 65536,
	WEIR_PAGES_MAX = 65535,      // so that no address is 2^32
	WEIR_ALLOC_MAX = 0x7fff0000, // bytes
};

// What weir_alloc has left: [top, end). 0 at first. Memory behind the declared end may be somebody else's.
static uintptr_t weir_heap_top, weir_heap_end;

// size zeroed bytes at a multiple of align (a power of two); there is no free. NULL: the memory limit is reached.
static void *weir_alloc(size_t size, size_t align)
{
	uintptr_t at;

	if (weir_heap_end == 0) {
		weir_heap_top = (uintptr_t)&__heap_base;
		weir_heap_end = (uintptr_t)&__heap_end;
	}
	at = (weir_heap_top + align - 1) & ~(uintptr_t)(align - 1);
	if (at > weir_heap_end || size > weir_heap_end - at) {
		const size_t pages =
			(size < WEIR_ALLOC_MAX ? size : WEIR_ALLOC_MAX) / WEIR_PAGE + 2;
		const size_t old =
			size < WEIR_ALLOC_MAX ? __builtin_wasm_memory_grow(0, pages) : SIZE_MAX;

		if (old == SIZE_MAX || old + pages > WEIR_PAGES_MAX)
			return NULL;
		if (old * WEIR_PAGE != weir_heap_end) // not behind what was left: that is given up
			weir_heap_top = old * WEIR_PAGE;
		at = (weir_heap_top + align - 1) & ~(uintptr_t)(align - 1);
		weir_heap_end = (old + pages) * WEIR_PAGE;
	}
	weir_heap_top = at + size;
	return (void *)at;
}

// Give back what the last weir_alloc gave, from end on; those bytes must still be zero.
static inline void weir_trim(void *end)
{
	weir_heap_top = (uintptr_t)end;
}

// What `wasm-tools component new` lets the host allocate with; `weir wrap` brings its own.
WEIR_EXPORT("cabi_realloc")
void *weir_cabi_realloc(void *old, size_t old_size, size_t align, size_t size)
{
	void *at = weir_alloc(size, align);

	if (at == NULL)
		__builtin_trap();
	if (old_size > 0)
		__builtin_memcpy(at, old, old_size < size ? old_size : size);
	return at;
}

// ---- the task behind process: nothing below is for filters --------------------------------------

enum weir_phase {
	WEIR_READING,
	WEIR_WRITING,
	WEIR_RESOLVING,
};

// One call of process.
// Invariant: at most one copy is under way, that of phase.
struct weir_task {
	struct weir_burst burst;
	uint32_t bytes_cap; // of burst.slots, for reading
	uint32_t have;      // bytes in burst.slots that no filter has seen: part of a slot
	uint32_t rest;      // where those bytes lie while the slots before them are written
	uint32_t off;       // [off, end) is still to be written
	uint32_t end;
	uint32_t set;
	uint32_t rx; // 0: dropped
	uint32_t tx; // 0: dropped
	uint32_t status;
	bool has_stopped; // weir_filter.stop was called
	enum weir_phase phase;
	struct weir_status_value value;
	struct weir_task *next; // on weir_tasks_free
};

static struct weir_task *weir_tasks_free;
static struct weir_task
	*weir_task_only; // the only task alive; NULL when there are several: then ask the context
static uint32_t weir_tasks_alive;

// Let the filter see what is whole; the slots, with what it added, are to be written.
static inline void weir_task_filter(struct weir_task *t)
{
	struct weir_burst *b = &t->burst;
	const uint32_t n = t->have / b->stride;
	const uint32_t in = n * b->stride;

	t->have -= in;
	t->rest = in;
	if (t->have > 0 &&
		weir_filter.originate > 0) { // out of the way of slots that the filter adds
		t->rest = b->cap * b->stride;
		__builtin_memcpy(b->slots + t->rest, b->slots + in, t->have);
	}
	b->n = n;
	if (n > 0)
		weir_filter.burst(b);
	t->off = 0;
	t->end = b->n * b->stride;
}

// After the last burst: what the filter still adds is to be written.
static inline void weir_task_stop(struct weir_task *t)
{
	struct weir_burst *b = &t->burst;

	t->has_stopped = true;
	b->n = 0;
	if (weir_filter.stop != NULL)
		weir_filter.stop(b);
	t->off = 0;
	t->end = b->n * b->stride;
}

// Close both streams and say how it went.
static void weir_task_close(struct weir_task *t)
{
	struct weir_burst *b = &t->burst;

	if (t->rx != 0)
		weir_rx_drop(t->rx);
	if (t->have > 0) // part of a slot
		weir_fail_malformed(b);
	weir_tx_drop(t->tx);
	t->value = (struct weir_status_value){
		.is_err = b->status.failed,
		.is_internal = !b->status.malformed,
		.text = b->status.text,
	};
	t->phase = WEIR_RESOLVING;
}

static void weir_task_end(struct weir_task *t)
{
	weir_status_drop(t->status);
	weir_set_drop(t->set);
	weir_context_set(0);
	t->next = weir_tasks_free;
	weir_tasks_free = t;
	weir_tasks_alive--;
	if (weir_task_only == t)
		weir_task_only = NULL;
}

// Run until something blocks. copied: what the copy of this phase came to; has_copied: false to begin it.
static uint32_t weir_task_run(struct weir_task *t, bool has_copied, uint32_t copied)
{
	for (;;) {
		switch (t->phase) {
		case WEIR_READING:
			if (!has_copied)
				copied = weir_rx_read(
					t->rx, t->burst.slots + t->have, t->bytes_cap - t->have);
			if (copied == WEIR_BLOCKED)
				return WEIR_CALLBACK_WAIT | t->set << 4;
			has_copied = false;
			t->have += copied >> 4;
			if ((copied & 15) != 0) { // no more will come
				weir_rx_drop(t->rx);
				t->rx = 0;
			}
			weir_task_filter(t);
			t->phase = WEIR_WRITING;
			break;
		case WEIR_WRITING:
			if (t->off < t->end) {
				if (!has_copied)
					copied = weir_tx_write(
						t->tx, t->burst.slots + t->off, t->end - t->off);
				if (copied == WEIR_BLOCKED)
					return WEIR_CALLBACK_WAIT | t->set << 4;
				has_copied = false;
				t->off += copied >> 4;
				if ((copied & 15) != 0) { // nobody reads any more
					if (!t->has_stopped)
						weir_task_stop(t);
					t->have = 0;
					weir_task_close(t);
				}
				break;
			}
			if (t->burst.status.failed || t->rx == 0) {
				if (t->has_stopped)
					weir_task_close(t);
				else
					weir_task_stop(t);
				break;
			}
			if (t->have > 0)
				__builtin_memmove(
					t->burst.slots, t->burst.slots + t->rest, t->have);
			t->phase = WEIR_READING;
			break;
		case WEIR_RESOLVING:
			if (!has_copied)
				copied = weir_status_write(t->status, &t->value);
			if (copied == WEIR_BLOCKED)
				return WEIR_CALLBACK_WAIT | t->set << 4;
			weir_task_end(t);
			return WEIR_CALLBACK_EXIT;
		}
	}
}

// The steady state, as few steps as it can be: a read has brought whole slots, the filter saw them, the host takes all
// that is written, and the next read waits. Whatever goes another way goes on in weir_task_run.
// Needs: phase WEIR_READING.
static inline uint32_t weir_task_pass(struct weir_task *t, uint32_t copied)
{
	struct weir_burst *b = &t->burst;

	while ((copied & 15) == 0 && t->have == 0) {
		b->n = (copied >> 4) / b->stride;
		if (b->n == 0 || b->n * b->stride != copied >> 4)
			break;
		weir_filter.burst(b);
		t->off = 0;
		t->end = b->n * b->stride;
		t->phase = WEIR_WRITING;
		if (t->end == 0 || b->status.failed)
			return weir_task_run(t, false, 0);
		copied = weir_tx_write(t->tx, b->slots, t->end);
		if (copied != t->end << 4)
			return weir_task_run(t, true, copied);
		t->phase = WEIR_READING;
		copied = weir_rx_read(t->rx, b->slots, t->bytes_cap);
		if (copied == WEIR_BLOCKED)
			return WEIR_CALLBACK_WAIT | t->set << 4;
	}
	return weir_task_run(t, true, copied);
}

// A task with a buffer for this shape, from those that have ended where one fits.
static struct weir_task *weir_task_new(const struct weir_shape *shape)
{
	const uint32_t cap = shape->burst + weir_filter.originate;
	struct weir_task *t = weir_tasks_free;

	if (t != NULL && t->burst.stride == shape->stride && t->burst.cap == cap) {
		weir_tasks_free = t->next;
	} else {
		t = weir_alloc(sizeof(*t), 16);
		if (t == NULL)
			__builtin_trap();
		// One slot more for part of a slot beside what the filter adds, and for 16-byte loads
		// that begin in the last packet.
		t->burst.slots = weir_alloc((size_t)(cap + 1) * shape->stride, 64);
		if (t->burst.slots == NULL)
			__builtin_trap();
	}
	*t = (struct weir_task){
		.burst =
			{
				.slots = t->burst.slots,
				.stride = shape->stride,
				.view = shape->view,
				.room = shape->room,
				.cap = cap,
				.burst = shape->burst,
			},
		.bytes_cap = shape->burst * shape->stride,
		.phase = WEIR_READING,
	};
	return t;
}

WEIR_EXPORT(WEIR_PROCESS)
uint32_t weir_process(uint32_t rx)
{
	struct weir_shape shape;
	struct weir_task *t;
	uint64_t tx, status; // readable end in the low half, writable end in the high half

	weir_configure(weir_filter.view != 0 ? weir_filter.view : (uint32_t)WEIR_VIEW_DEFAULT,
		weir_filter.room, weir_filter.reasons, weir_filter.n_reasons, &shape);
	t = weir_task_new(&shape);
	tx = weir_tx_new();
	status = weir_status_new();
	t->rx = rx;
	t->tx = (uint32_t)(tx >> 32);
	t->status = (uint32_t)(status >> 32);
	t->set = weir_set_new();
	weir_join(t->rx, t->set);
	weir_join(t->tx, t->set);
	weir_join(t->status, t->set);
	weir_context_set((uint32_t)(uintptr_t)t);
	weir_task_only = weir_tasks_alive++ == 0 ? t : NULL;
	if (weir_filter.start != NULL)
		weir_filter.start(&t->burst);
	weir_return((uint32_t)tx, (uint32_t)status);
	if (t->burst.status.failed)
		weir_task_close(t);
	return weir_task_run(t, false, 0);
}

WEIR_EXPORT(WEIR_CALLBACK)
uint32_t weir_process_callback(uint32_t event, uint32_t waitable, uint32_t copied)
{
	struct weir_task *t = weir_task_only;

	(void)waitable;
	if (t == NULL)
		t = (struct weir_task *)(uintptr_t)weir_context_get();
	if (event == WEIR_EVENT_STREAM_READ)
		return weir_task_pass(t, copied);
	if (event != WEIR_EVENT_STREAM_WRITE && event != WEIR_EVENT_FUTURE_WRITE)
		__builtin_trap(); // nothing else is waited for
	return weir_task_run(t, true, copied);
}
