// SPDX-License-Identifier: BSD-3-Clause
// we_collector: see collect.h.
//
// Module path 4/6. Two sweeps through the objects, upwards. The first marks: every granule of every object that can
// be reached gets its bit. A reference to what lies ahead only sets the first bit of its object, which
// waits in its place for the sweep; what lies behind waits on a stack of fixed size. So most of memory
// is read in its order, and nothing recurses or allocates. Where the stack has no room the object just stays as it
// is, marked but for its second granule, and one more sweep finds it.
// The new address of an object is the number of bits below its own, which a table by block and a count of the bits
// within the block give in two loads. The second sweep gives the fields their new addresses and slides
// the objects down.
// Owns:   nothing.
// Thread: the store's worker.
#include "collect.h"

#include <assert.h>
#include <string.h>

#include "engine.h"
#include "runtime.h"

// What makes two passes of one function: `phase` is a constant to it.
#define INLINE inline __attribute__((always_inline))

enum {
	AHEAD = 16,              // objects whose headers are on their way from memory
	ELEMENTS_AT_ONCE = 1024, // of an array that is traced
	RUN_BYTES = 32768,       // at most slid at once, so that they are still in the cache
	LOOK = 1024,             // objects between two looks whether the entry shall end
};

enum phase {
	MARK,
	MOVE
};

// What waits to be traced: an object, or of an array the elements from `from` on, when that is not 0.
struct grey {
	we_ref ref;
	uint32_t from;
};

// Invariant while marking: greys <= grey <= greys_end. An object that is marked and not traced is among the greys, or in
// [cursor, far], or in [untraced_low, untraced_high].
struct collection {
	struct we_root_visitor roots;
	const struct we_engine *engine;
	uint8_t *base;
	uint64_t *marks;
	uint64_t top; // bytes, before
	// MARK
	const struct we_store *store;
	uint32_t n_traced;
	struct grey *greys;
	struct grey *grey; // where the next one goes
	struct grey *greys_end;
	we_ref cursor;       // where the sweep is
	we_ref far;          // where it ends
	we_ref untraced_low; // for the next sweep: above untraced_high when there is nothing
	we_ref untraced_high;
	// MOVE
	uint32_t *targets; // [blocks] where the block's first marked granule goes, bytes
	uint64_t dense;    // bytes: what lies below does not move; no object does on both sides
	uint64_t lift;     // bytes: everything ends this much higher
};

static uint64_t min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static struct we_object *object_at(const struct collection *c, uint64_t at)
{
	return (struct we_object *)(void *)(c->base + at);
}

// The type of an object that has one. *last: that of the one before, or NULL; neighbours are often alike, and then
// nothing waits for the tables.
static INLINE const struct we_deftype *type_of(
	const struct collection *c, const struct we_object *object, const struct we_deftype **last)
{
	if (*last == NULL || (*last)->id != object->type)
		*last = we_engine_type(c->engine, object->type);
	return *last;
}

static INLINE uint64_t object_bytes(
	const struct collection *c, uint64_t at, const struct we_deftype **last)
{
	const struct we_object *object = object_at(c, at);
	const struct we_deftype *def;

	if (object->type == WE_OBJECT_EXN)
		return we_exn_bytes(object->len);
	if (object->type == WE_OBJECT_BOX)
		return sizeof(struct we_box);
	def = type_of(c, object, last);
	return def->kind == WE_COMP_ARRAY ? we_array_bytes(def, object->len) : def->size_bytes;
}

// Could an object begin there? For asserts: the poison of a stale reference cannot.
static inline __attribute__((unused)) bool is_plausible(const struct collection *c, we_ref ref)
{
	const struct we_object *object = object_at(c, ref);
	const struct we_deftype *const *chunk;

	if (ref % WE_GRANULE_BYTES != 0 || ref < WE_HEAP_FIRST || ref >= c->top)
		return false;
	if (object->type >= WE_LIMIT_ENGINE_TYPES)
		return object->type == WE_OBJECT_EXN || object->type == WE_OBJECT_BOX;
	chunk = c->engine->types[object->type >> WE_TYPE_CHUNK_BITS];
	return chunk != NULL && chunk[object->type % (1u << WE_TYPE_CHUNK_BITS)] != NULL;
}

// ---- marks --------------------------------------------------------------------------------------

static bool is_marked(const struct collection *c, uint64_t at)
{
	return (c->marks[at / WE_BLOCK_BYTES] >> (at / WE_GRANULE_BYTES % 64) & 1) != 0;
}

// Set the n bits from bit on, n > 0.
static void set_bits(uint64_t *words, uint64_t bit, uint64_t n)
{
	uint64_t *word = &words[bit / 64];
	const uint64_t shift = bit % 64;

	if (shift + n <= 64) {
		*word |= (~UINT64_C(0) >> (64 - n)) << shift;
		return;
	}
	*word++ |= ~UINT64_C(0) << shift;
	for (n -= 64 - shift; n > 64; n -= 64)
		*word++ = ~UINT64_C(0);
	*word |= ~UINT64_C(0) >> (64 - n);
}

static INLINE void mark_all(struct collection *c, we_ref ref, uint64_t n)
{
	set_bits(c->marks, ref / WE_GRANULE_BYTES, n / WE_GRANULE_BYTES);
}

// The first marked granule at or after `at`, in bytes, or top.
static uint64_t next_marked(const struct collection *c, uint64_t at)
{
	uint64_t i = at / WE_BLOCK_BYTES;
	const uint64_t n = (c->top + WE_BLOCK_BYTES - 1) / WE_BLOCK_BYTES;
	uint64_t word;

	if (i >= n)
		return c->top;
	word = c->marks[i] & ~UINT64_C(0) << (at / WE_GRANULE_BYTES % 64);
	while (word == 0) {
		if (++i == n)
			return c->top;
		word = c->marks[i];
	}
	return i * WE_BLOCK_BYTES + (uint64_t)__builtin_ctzll(word) * WE_GRANULE_BYTES;
}

// ---- references ---------------------------------------------------------------------------------

// There is no room among the greys.
static void postpone(struct collection *c, we_ref ref)
{
	if (ref < c->untraced_low)
		c->untraced_low = ref;
	if (ref > c->untraced_high)
		c->untraced_high = ref;
}

// A reference was found: null, which counts as marked, or to an object. Of the two only a rare one takes a branch.
static INLINE void discover(struct collection *c, we_ref ref)
{
	uint64_t *word = &c->marks[ref / WE_BLOCK_BYTES];
	const uint64_t bit = UINT64_C(1) << (ref / WE_GRANULE_BYTES % 64);
	const bool is_new = (*word & bit) == 0;

	assert(ref == 0 || is_plausible(c, ref));
	*word |= bit;
	c->far = (is_new & (ref > c->far)) ? ref : c->far;
	if (!(is_new & (ref < c->cursor)))
		return;
	if (c->grey != c->greys_end)
		*c->grey++ = (struct grey){.ref = ref};
	else
		postpone(c, ref);
}

static INLINE we_ref new_ref(const struct collection *c, we_ref ref)
{
	const uint64_t below = (UINT64_C(1) << (ref / WE_GRANULE_BYTES % 64)) - 1;
	const uint64_t block = ref / WE_BLOCK_BYTES;

	assert(is_marked(c, ref));
	return c->targets[block] +
	       WE_GRANULE_BYTES * (we_ref)__builtin_popcountll(c->marks[block] & below);
}

// What is done with a field, an element, an argument or a root of WE_TRACE_ANY.
static INLINE void visit_any(struct collection *c, void *field, enum phase phase)
{
	we_ref ref;

	memcpy(&ref, field, sizeof(ref));
	if (we_ref_is_i31(ref))
		return;
	if (phase == MARK) {
		discover(c, ref);
	} else if (ref >= c->dense) {
		ref = new_ref(c, ref);
		memcpy(field, &ref, sizeof(ref));
	}
}

// The same of WE_TRACE_EXTERN: the low half of an internal one is an any reference.
static INLINE void visit_extern(struct collection *c, void *field, enum phase phase)
{
	uint64_t value;

	memcpy(&value, field, sizeof(value));
	if (value & WE_EXTERN_INTERNAL)
		visit_any(c, field, phase);
}

static INLINE void visit_cell(
	struct collection *c, void *cell, enum we_trace trace, enum phase phase)
{
	if (trace == WE_TRACE_ANY)
		visit_any(c, cell, phase);
	else if (trace == WE_TRACE_EXTERN)
		visit_extern(c, cell, phase);
}

// ---- objects ------------------------------------------------------------------------------------

static INLINE void visit_struct(struct collection *c, struct we_object *object,
	const struct we_deftype *def, enum phase phase)
{
	uint8_t *bytes = (uint8_t *)object;
	uint32_t i = 0;

	for (; i < def->n_any_refs; i++)
		visit_any(c, bytes + def->refs[i], phase);
	for (; i < def->n_refs; i++)
		visit_extern(c, bytes + def->refs[i], phase);
}

// Elements [from, to).
static INLINE void visit_elements(struct collection *c, struct we_object *object,
	const struct we_deftype *def, uint64_t from, uint64_t to, enum phase phase)
{
	const struct we_field *element = &def->fields[0];
	uint8_t *at = (uint8_t *)object + element->offset + (from << element->storage);
	uint8_t *end = at + ((to - from) << element->storage);

	if (element->trace == WE_TRACE_ANY) {
		for (; at != end; at += sizeof(we_ref))
			visit_any(c, at, phase);
	} else if (element->trace == WE_TRACE_EXTERN) {
		for (; at != end; at += sizeof(uint64_t))
			visit_extern(c, at, phase);
	}
}

static void visit_exn(struct collection *c, struct we_object *object, enum phase phase)
{
	uint8_t *bytes = (uint8_t *)object;
	uint8_t *cell = bytes + offsetof(struct we_exn, args);
	const struct we_tag *tag;
	const we_valtype *types;

	memcpy(&tag, bytes + offsetof(struct we_exn, tag), sizeof(tag));
	assert(object->len == tag->type->n_param_slots);
	types = we_functype_params(tag->type);
	for (uint32_t i = 0; i < tag->type->n_params; i++) {
		visit_cell(c, cell, we_valtype_trace(c->engine, types[i]), phase);
		cell += sizeof(uint64_t) * we_valtype_n_slots(types[i]);
	}
}

// ---- marking ------------------------------------------------------------------------------------

// A wide array goes piece by piece, so that its objects do not all wait at once. There is room for the rest of
// it: since the last object was traced one has left the stack, or the stack was empty.
static void trace_array(struct collection *c, struct grey grey, const struct we_deftype *def)
{
	struct we_object *object = object_at(c, grey.ref);
	uint64_t to = object->len;

	if (grey.from == 0)
		mark_all(c, grey.ref, we_array_bytes(def, object->len));
	if (!def->has_refs)
		return;
	if (to - grey.from > ELEMENTS_AT_ONCE) {
		assert(c->grey != c->greys_end);
		to = grey.from + ELEMENTS_AT_ONCE;
		*c->grey++ = (struct grey){.ref = grey.ref, .from = (uint32_t)to};
	}
	visit_elements(c, object, def, grey.from, to, MARK);
}

// Mark the rest of a marked object and discover what it refers to.
static INLINE void trace(struct collection *c, struct grey grey)
{
	struct we_object *object = object_at(c, grey.ref);
	const struct we_deftype *def;

	if (object->type == WE_OBJECT_EXN) {
		mark_all(c, grey.ref, we_exn_bytes(object->len));
		visit_exn(c, object, MARK);
		return;
	}
	if (object->type == WE_OBJECT_BOX) {
		mark_all(c, grey.ref, sizeof(struct we_box));
		return;
	}
	def = we_engine_type(c->engine, object->type);
	if (def->kind == WE_COMP_ARRAY) {
		trace_array(c, grey, def);
		return;
	}
	mark_all(c, grey.ref, def->size_bytes);
	visit_struct(c, object, def, MARK);
}

// Has the entry been told to end? Looked at now and then.
static INLINE bool is_over(struct collection *c)
{
	return ++c->n_traced % LOOK == 0 && we_store_is_interrupted(c->store);
}

// Trace until no grey is left. Each goes through a short queue while its header comes from memory. Returns: false when the
// entry shall end.
static bool trace_greys(struct collection *c)
{
	struct grey queue[AHEAD];
	unsigned head = 0;
	unsigned tail = 0;

	for (;;) {
		while (c->grey != c->greys && tail - head < AHEAD) {
			const struct grey next = *--c->grey;

			__builtin_prefetch(c->base + next.ref);
			queue[tail++ % AHEAD] = next;
		}
		if (head == tail)
			return true;
		if (is_over(c))
			return false;
		trace(c, queue[head++ % AHEAD]);
	}
}

// Trace what is marked and not traced in [at, far], and all that it leads to behind the cursor. Returns: as above.
static bool sweep(struct collection *c, uint64_t at)
{
	const struct we_deftype *type = NULL;

	while ((at = next_marked(c, at)) <= c->far) {
		const uint64_t n = object_bytes(c, at, &type);

		c->cursor = (we_ref)at;
		if (n > WE_GRANULE_BYTES && !is_marked(c, at + WE_GRANULE_BYTES)) {
			if (is_over(c))
				return false;
			trace(c, (struct grey){.ref = (we_ref)at});
			if (c->grey != c->greys && !trace_greys(c))
				return false;
		}
		at += n;
	}
	return true;
}

static void mark_roots(struct we_root_visitor *v, uint64_t *cells, size_t n, enum we_trace trace_as)
{
	struct collection *c = (struct collection *)v;

	for (size_t i = 0; i < n; i++)
		visit_cell(c, &cells[i], trace_as, MARK);
}

// A sweep beyond the first needs that more objects waited than the stack has room for. So there are no more of them
// than stacks full of objects in the space, however it is woven. Returns: as above; nothing but marks has changed.
static bool mark(struct collection *c, struct we_store *store)
{
	uint64_t at = WE_HEAP_FIRST;

	memset(c->marks, 0, (c->top + WE_BLOCK_BYTES - 1) / WE_BLOCK_BYTES * sizeof(*c->marks));
	set_bits(c->marks, 0, WE_HEAP_FIRST / WE_GRANULE_BYTES); // null stays where it is
	c->roots.visit = mark_roots;
	we_store_visit_roots(store, &c->roots);
	for (;;) {
		c->untraced_low = UINT32_MAX;
		c->untraced_high = 0;
		if (!sweep(c, at))
			return false;
		if (c->untraced_low > c->untraced_high)
			return true;
		at = c->untraced_low;
		c->far = c->untraced_high;
	}
}

// ---- moving -------------------------------------------------------------------------------------

// Where moving begins to pay: at the first free granule of the first block that is a quarter free, or below
// which more would stay free than may.
static uint64_t find_dense(const struct collection *c, uint64_t max_waste_bytes)
{
	const uint64_t n = c->top / WE_BLOCK_BYTES;
	uint64_t waste = 0;
	uint64_t i = 0;

	if (c->lift > 0)
		return WE_HEAP_FIRST;
	for (; i < n; i++) {
		const uint64_t n_free = (uint64_t)__builtin_popcountll(~c->marks[i]);

		waste += n_free * WE_GRANULE_BYTES;
		if (n_free > 16 || waste > max_waste_bytes)
			break;
	}
	if (i * WE_BLOCK_BYTES == c->top)
		return c->top;
	return min_u64(c->top,
		i * WE_BLOCK_BYTES + WE_GRANULE_BYTES * (uint64_t)__builtin_ctzll(~c->marks[i]));
}

// Where each block's objects go.
static void find_targets(struct collection *c)
{
	const uint64_t n = (c->top + WE_BLOCK_BYTES - 1) / WE_BLOCK_BYTES;
	const uint64_t below = (UINT64_C(1) << (c->dense / WE_GRANULE_BYTES % 64)) - 1;
	uint64_t i = c->dense / WE_BLOCK_BYTES;
	uint64_t to = c->dense + c->lift -
		      WE_GRANULE_BYTES * (uint64_t)__builtin_popcountll(c->marks[i] & below);

	for (; i < n; i++) {
		c->targets[i] = (uint32_t)to;
		to += WE_GRANULE_BYTES * (uint64_t)__builtin_popcountll(c->marks[i]);
	}
}

static void move_roots(struct we_root_visitor *v, uint64_t *cells, size_t n, enum we_trace trace_as)
{
	struct collection *c = (struct collection *)v;

	for (size_t i = 0; i < n; i++)
		visit_cell(c, &cells[i], trace_as, MOVE);
}

// Give the fields of the object their new references. Returns: its size.
static INLINE uint64_t renew(struct collection *c, uint64_t at, const struct we_deftype **last)
{
	struct we_object *object = object_at(c, at);
	const struct we_deftype *def;

	if (object->type == WE_OBJECT_EXN) {
		visit_exn(c, object, MOVE);
		return we_exn_bytes(object->len);
	}
	if (object->type == WE_OBJECT_BOX)
		return sizeof(struct we_box);
	def = type_of(c, object, last);
	if (def->kind == WE_COMP_ARRAY) {
		visit_elements(c, object, def, 0, object->len, MOVE);
		return we_array_bytes(def, object->len);
	}
	visit_struct(c, object, def, MOVE);
	return def->size_bytes;
}

// Slide all objects down, in their order. Returns: where they end.
static uint64_t slide(struct collection *c)
{
	const struct we_deftype *type = NULL;
	uint64_t to = WE_HEAP_FIRST;
	uint64_t from = WE_HEAP_FIRST;

	while ((from = next_marked(c, from)) < c->top) {
		uint64_t end = from;

		do
			end += renew(c, end, &type);
		while (end < c->top && end - from < RUN_BYTES && is_marked(c, end));
		if (from < c->dense)
			to = from;
		else if (to < c->dense)
			to = c->dense;
		if (to != from)
			memmove(c->base + to, c->base + from, end - from);
		to += end - from;
		from = end;
	}
	return to;
}

uint64_t we_collector_run(
	const struct we_collector *collector, struct we_store *store, uint64_t top)
{
	struct grey *greys = collector->scratch;
	struct collection c = {.engine = store->engine,
		.base = collector->base,
		.marks = collector->marks,
		.top = top,
		.store = store,
		.greys = greys,
		.grey = greys,
		.greys_end = greys + collector->scratch_bytes / sizeof(*greys),
		.targets = collector->scratch,
		.lift = collector->is_lifted ? WE_LIFT_BYTES : 0};

	if (!mark(&c, store))
		return 0;
	c.dense = find_dense(&c, collector->max_waste_bytes);
	if (c.dense == top)
		return top;
	find_targets(&c);
	c.roots.visit = move_roots;
	we_store_visit_roots(store, &c.roots);
	top = slide(&c);
	if (c.lift > 0)
		memmove(c.base + WE_HEAP_FIRST + c.lift, c.base + WE_HEAP_FIRST,
			top - WE_HEAP_FIRST);
	return top + c.lift;
}
