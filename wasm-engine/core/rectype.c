// SPDX-License-Identifier: BSD-3-Clause
// we_rectype_intern: recursion groups become canonical.
//
// Module path 2/6. A group is written down as words in which types of the same group stand by their place and
// all others by their canonical ids: equal words are equivalent groups, whichever modules they come
// from. So equivalence of whole type graphs is one comparison of memory.
// Owns:   nothing; what it makes goes to the engine's arena, under the engine's lock.
// Thread: any.
// Spec:   core "Recursive Types", "Defined Types" (rolling, unrolling, equivalence).
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "engine.h"
#include "heap.h"
#include "limits.h"
#include "module.h"

// A group of the engine.
struct we_rectype {
	struct we_rectype *next; // of the same bucket
	uint64_t hash;
	const uint32_t *words; // [n_words]
	size_t n_words;
	struct we_deftype *types; // [n]
	uint32_t n;
};

struct interning {
	struct we_engine *engine;
	struct we_subtype *all; // types of the module
	we_typeidx first;       // of the group
	uint32_t n;             // types of the group
	uint32_t *words;
	size_t n_words;
};

// ---- the words of a group -----------------------------------------------------------------------

static uint32_t normal_index(const struct interning *in, we_typeidx idx)
{
	return idx >= in->first ? WE_T_REC | (idx - in->first) : in->all[idx].def->id;
}

static uint32_t normal_type(const struct interning *in, we_valtype type)
{
	if (!we_valtype_is_ref(type) || !(type & WE_T_INDEX))
		return type;
	return (type & ~WE_T_INDEX_MASK) | normal_index(in, type & WE_T_INDEX_MASK);
}

static size_t words_of(const struct we_subtype *type)
{
	return 4 + (size_t)type->n_params + type->n_results + 2 * (size_t)type->n_fields;
}

static void write_type(struct interning *in, const struct we_subtype *type)
{
	uint32_t *w = in->words + in->n_words;

	*w++ = (uint32_t)type->kind | (uint32_t)type->is_final << 2 | type->n_supers << 3;
	*w++ = type->n_supers > 0 ? normal_index(in, type->super) : 0;
	*w++ = type->kind == WE_COMP_FUNC ? type->n_params : type->n_fields;
	*w++ = type->n_results;
	for (uint32_t i = 0; i < type->n_params; i++)
		*w++ = normal_type(in, type->params[i]);
	for (uint32_t i = 0; i < type->n_results; i++)
		*w++ = normal_type(in, type->results[i]);
	for (uint32_t i = 0; i < type->n_fields; i++) {
		*w++ = normal_type(in, type->fields[i].type);
		*w++ = type->fields[i].mut;
	}
	in->n_words = (size_t)(w - in->words);
}

// Multiplicative hash from the secret seed on.
static uint64_t hash_words(uint64_t hash, const uint32_t *words, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		hash = (hash ^ words[i]) * UINT64_C(0x9e3779b97f4a7c15);
		hash ^= hash >> 32;
	}
	return hash;
}

// ---- the records --------------------------------------------------------------------------------

// A type of the group in terms of canonical ids; the group's own begin at first_id.
static we_valtype canonical(const struct interning *in, we_valtype type, uint32_t first_id)
{
	const we_valtype normal = normal_type(in, type);
	const uint32_t rec = WE_T_INDEX | WE_T_REC;

	if (!we_valtype_is_ref(normal) || (normal & rec) != rec)
		return normal;
	return (normal & ~(WE_T_REC | WE_T_INDEX_MASK)) | (first_id + (normal & WE_T_INDEX_MASK));
}

static uint32_t count_slots(const we_valtype *types, uint32_t n)
{
	uint32_t slots = 0;

	for (uint32_t i = 0; i < n; i++)
		slots += we_valtype_n_slots(types[i]);
	return slots;
}

static bool make_func(const struct interning *in, const struct we_subtype *from,
	struct we_deftype *def, uint32_t first_id)
{
	const size_t n = (size_t)from->n_params + from->n_results;
	struct we_functype *func =
		we_arena_alloc(&in->engine->arena, sizeof(*func) + n * sizeof(func->types[0]));

	if (func == NULL)
		return false;
	func->def = def;
	func->n_params = from->n_params;
	func->n_results = from->n_results;
	for (uint32_t i = 0; i < from->n_params; i++)
		func->types[i] = canonical(in, from->params[i], first_id);
	for (uint32_t i = 0; i < from->n_results; i++)
		func->types[from->n_params + i] = canonical(in, from->results[i], first_id);
	func->n_param_slots = count_slots(func->types, from->n_params);
	func->n_result_slots = count_slots(func->types + from->n_params, from->n_results);
	def->func = func;
	return true;
}

static bool make_fields(const struct interning *in, const struct we_subtype *from,
	struct we_deftype *def, uint32_t first_id)
{
	struct we_field *fields =
		we_arena_array(&in->engine->arena, from->n_fields, sizeof(*fields));
	uint32_t *refs = we_arena_array(&in->engine->arena, from->n_fields, sizeof(*refs));

	if (fields == NULL || refs == NULL)
		return false;
	for (uint32_t i = 0; i < from->n_fields; i++) {
		fields[i].type = canonical(in, from->fields[i].type, first_id);
		fields[i].mut = from->fields[i].mut;
	}
	def->fields = fields;
	def->n_fields = from->n_fields;
	def->refs = refs;
	return true;
}

static bool make_type(
	const struct interning *in, uint32_t i, struct we_deftype *types, uint32_t first_id)
{
	const struct we_subtype *from = &in->all[in->first + i];
	struct we_deftype *def = &types[i];
	uint32_t *display;

	def->engine = in->engine;
	def->id = first_id + i;
	def->kind = from->kind;
	def->is_final = from->is_final;
	if (from->n_supers > 0) {
		def->super = from->super >= in->first ? &types[from->super - in->first]
						      : in->all[from->super].def;
		def->depth = def->super->depth + 1;
	}
	display = we_arena_array(&in->engine->arena, (size_t)def->depth + 1, sizeof(*display));
	if (display == NULL)
		return false;
	if (def->super != NULL)
		memcpy(display, def->super->display, def->depth * sizeof(*display));
	display[def->depth] = def->id;
	def->display = display;
	return from->kind == WE_COMP_FUNC ? make_func(in, from, def, first_id)
					  : make_fields(in, from, def, first_id);
}

static enum we_storage storage_of(we_valtype type, enum we_trace trace)
{
	switch (type) {
	case WE_T_I8:
		return WE_STORE_8;
	case WE_T_I16:
		return WE_STORE_16;
	case WE_T_I32:
	case WE_T_F32:
		return WE_STORE_32;
	case WE_T_V128:
		return WE_STORE_128;
	default: // a reference that is not 32 bits wide is a pointer
		return trace == WE_TRACE_ANY ? WE_STORE_32 : WE_STORE_64;
	}
}

// Add the fields of one kind to those that a collection looks at.
static void list_refs(struct we_deftype *def, enum we_trace trace)
{
	uint32_t *refs = (uint32_t *)(uintptr_t)def->refs;

	for (uint32_t i = 0; i < def->n_fields; i++) {
		if (def->fields[i].trace == trace)
			refs[def->n_refs++] = def->fields[i].offset;
	}
}

// Fields lie in their order, each aligned to its size but at most 8 bytes, so that a subtype begins as its supertype
// does.
static void lay_out(struct we_deftype *def)
{
	struct we_field *fields = (struct we_field *)(uintptr_t)def->fields;
	uint32_t at = WE_OBJECT_HEADER_BYTES;

	for (uint32_t i = 0; i < def->n_fields; i++) {
		const enum we_trace trace = we_valtype_trace(def->engine, fields[i].type);
		const enum we_storage storage = storage_of(fields[i].type, trace);
		const uint32_t size = 1u << storage;
		const uint32_t align = size < 8 ? size : 8;

		at = (at + align - 1) & ~(align - 1);
		fields[i].offset = at;
		fields[i].storage = (uint8_t)storage;
		fields[i].trace = (uint8_t)trace;
		at += size;
	}
	list_refs(def, WE_TRACE_ANY);
	def->n_any_refs = def->n_refs;
	list_refs(def, WE_TRACE_EXTERN);
	def->has_refs = def->n_refs > 0;
	def->size_bytes = (at + 7u) & ~7u;
}

// ---- the engine's table -------------------------------------------------------------------------

// Keep chains short. A table that cannot grow stays as it is.
static void grow_buckets(struct we_engine *engine)
{
	const uint32_t n = engine->n_buckets * 2;
	struct we_rectype **buckets = calloc(n, sizeof(struct we_rectype *));

	if (buckets == NULL)
		return;
	for (uint32_t i = 0; i < engine->n_buckets; i++) {
		struct we_rectype *group = engine->buckets[i];

		while (group != NULL) {
			struct we_rectype *next = group->next;

			group->next = buckets[group->hash & (n - 1)];
			buckets[group->hash & (n - 1)] = group;
			group = next;
		}
	}
	free(engine->buckets);
	engine->buckets = buckets;
	engine->n_buckets = n;
}

static struct we_rectype *find_group(const struct interning *in, uint64_t hash)
{
	struct we_rectype *group = in->engine->buckets[hash & (in->engine->n_buckets - 1)];

	for (; group != NULL; group = group->next) {
		if (group->hash == hash && group->n_words == in->n_words &&
			memcmp(group->words, in->words, in->n_words * sizeof(*in->words)) == 0)
			return group;
	}
	return NULL;
}

// Give the group's types their places in the table by id.
static bool register_types(struct we_engine *engine, struct we_deftype *types, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		const uint32_t chunk = types[i].id >> WE_TYPE_CHUNK_BITS;

		if (engine->types[chunk] == NULL)
			engine->types[chunk] = we_arena_array(&engine->arena,
				1u << WE_TYPE_CHUNK_BITS, sizeof(*engine->types[chunk]));
		if (engine->types[chunk] == NULL)
			return false;
		engine->types[chunk][types[i].id & ((1u << WE_TYPE_CHUNK_BITS) - 1)] = &types[i];
	}
	return true;
}

static struct we_rectype *add_group(const struct interning *in, uint64_t hash)
{
	struct we_engine *engine = in->engine;
	const uint32_t first_id = engine->n_types;
	struct we_rectype *group = we_arena_alloc(&engine->arena, sizeof(*group));
	struct we_deftype *types = we_arena_array(&engine->arena, in->n, sizeof(*types));
	uint32_t *words = we_arena_array(&engine->arena, in->n_words, sizeof(*words));

	if (group == NULL || types == NULL || words == NULL)
		return NULL;
	for (uint32_t i = 0; i < in->n; i++) {
		if (!make_type(in, i, types, first_id))
			return NULL;
	}
	if (!register_types(engine, types, in->n))
		return NULL;
	for (uint32_t i = 0; i < in->n; i++) {
		if (types[i].kind != WE_COMP_FUNC)
			lay_out(&types[i]);
	}
	if (in->n_words > 0)
		memcpy(words, in->words, in->n_words * sizeof(*words));
	if (engine->n_groups >= engine->n_buckets)
		grow_buckets(engine);
	*group = (struct we_rectype){.next = engine->buckets[hash & (engine->n_buckets - 1)],
		.hash = hash,
		.words = words,
		.n_words = in->n_words,
		.types = types,
		.n = in->n};
	engine->buckets[hash & (engine->n_buckets - 1)] = group;
	engine->n_groups++;
	engine->n_types += in->n;
	return group;
}

static int intern(struct interning *in, struct we_error *err)
{
	struct we_engine *engine = in->engine;
	uint64_t hash;
	struct we_rectype *group;
	bool is_full;

	for (uint32_t i = 0; i < in->n; i++)
		write_type(in, &in->all[in->first + i]);
	hash = hash_words(engine->hash_seed, in->words, in->n_words);
	pthread_mutex_lock(&engine->lock);
	group = find_group(in, hash);
	is_full = group == NULL && in->n > WE_LIMIT_ENGINE_TYPES - engine->n_types;
	if (group == NULL && !is_full)
		group = add_group(in, hash);
	pthread_mutex_unlock(&engine->lock);
	if (is_full)
		return we_error_set(err, WE_E_EXHAUSTED, 0,
			"more than the implementation limit of %u types in an engine",
			WE_LIMIT_ENGINE_TYPES);
	if (group == NULL)
		return we_error_set(err, WE_E_NOMEM, 0, "no memory for a type");
	for (uint32_t i = 0; i < in->n; i++)
		in->all[in->first + i].def = &group->types[i];
	return 0;
}

int we_rectype_intern(struct we_engine *engine, struct we_subtype *all, we_typeidx first,
	uint32_t n, struct we_error *err)
{
	uint32_t small[128]; // most groups are one function type
	struct interning in = {.engine = engine, .all = all, .first = first, .n = n};
	size_t n_words = 0;
	int rc;

	for (uint32_t i = 0; i < n; i++)
		n_words += words_of(&all[first + i]);
	in.words = n_words <= sizeof(small) / sizeof(small[0])
			   ? small
			   : malloc(n_words * sizeof(*in.words));
	if (in.words == NULL)
		return we_error_set(err, WE_E_NOMEM, 0, "no memory for a type");
	rc = intern(&in, err);
	if (in.words != small)
		free(in.words);
	return rc;
}
