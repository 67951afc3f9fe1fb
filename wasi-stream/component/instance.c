// SPDX-License-Identifier: BSD-3-Clause
// Component binary -> component instance: runs the definitions of a component from the first to the
// last, each of which fills one place of an index space. Module path 5/6.
//
// Owns:    an arena with what the definitions made; functions, memories and tables belong to the core store.
// Thread:  one worker; no locks.
// Spec:    Explainer.md "Instance Definitions", "Canonical Definitions"; CanonicalABI.md "Component Instances".
#include "instance.h"

#include "arena.h"
#include "builtins.h"
#include "canon_lower.h"
#include "component.h"
#include "linker.h"
#include "task.h"

#include <stdlib.h>
#include <string.h>

enum {
	INSTANCES_MAX = 10000, // component instances in a store
	NESTING_MAX = 100,     // component instances inside each other
};

struct cm_frame;

// What a component is at run time: its definition, and the index spaces around it.
struct closure {
	const struct cm_component *component;
	struct cm_frame *outer;
};

// One place of an index space; its sort says which member. Types have no place.
union item {
	struct we_extern core; // CORE_FUNC .. CORE_TAG
	struct we_module *module;
	const struct core_instance *core_instance;
	struct cm_func *func;
	const struct bag *instance;
	struct closure component;
};

// An item under a name.
struct named {
	struct cm_name name;
	enum cm_sort sort;
	union item item;
};

// A component instance seen from outside, or inline exports.
struct bag {
	const struct named *items; // [n]
	uint32_t n;
};

// A core instance: a real one, or inline exports.
struct core_instance {
	const struct we_instance *real; // NULL: exports
	struct bag exports;
};

// The index spaces of one component instance while, and after, it is made.
struct cm_frame {
	const struct cm_component *component;
	struct cm_frame *outer; // of the component that defines this one
	struct cm_instance *inst;
	const struct bag *args; // what imports stand for; NULL: the host's offers
	uint32_t depth;
	union item *spaces[CM_SORT_N]; // [component->n_items[sort]]
	struct named *exports;         // [n_exports], filled as they are met
	uint32_t n_exports;
};

// Invariant: bag is the exports of the instance; the arena and the reference are the root's alone.
struct cm_items {
	struct bag exports;
	struct cm_component *component; // counted; NULL in a nested instance
	struct we_arena arena;
};

// What all frames of one instantiation share.
struct maker {
	struct cm_store *store;
	struct we_arena *arena;
	const struct cm_linker *linker;
	cm_env_fn env_of;
	void *ctx;
	struct we_error *err;
};

static int nomem(const struct maker *m)
{
	return cm_nomem(m->err);
}

static bool has_place(enum cm_sort sort)
{
	return sort != CM_SORT_TYPE && sort != CM_SORT_CORE_TYPE && sort != CM_SORT_VALUE;
}

static bool same_name(struct cm_name a, struct cm_name b)
{
	return a.len == b.len && memcmp(a.text, b.text, a.len) == 0;
}

static const struct named *bag_find(const struct bag *bag, struct cm_name name)
{
	for (uint32_t i = 0; i < bag->n; i++) {
		if (same_name(bag->items[i].name, name))
			return &bag->items[i];
	}
	return NULL;
}

static void *space_at(struct cm_frame *frame, enum cm_sort sort, uint32_t idx)
{
	assert(has_place(sort) && idx < frame->component->n_items[sort]);
	return &frame->spaces[sort][idx];
}

static union item item_at(struct cm_frame *frame, enum cm_sort sort, uint32_t idx)
{
	union item item;

	memcpy(&item, space_at(frame, sort, idx), sizeof(item));
	return item;
}

static void put(struct cm_frame *frame, const struct cm_def *def, union item item)
{
	memcpy(space_at(frame, def->sort, def->idx), &item, sizeof(item));
}

// Inline exports and with-arguments as a bag.
static int make_bag(const struct maker *m, struct cm_frame *frame, const struct cm_arg *args,
	uint32_t n, struct bag *ret_bag)
{
	struct named *items = we_arena_array(m->arena, n, sizeof(*items));

	if (!items)
		return nomem(m);
	for (uint32_t i = 0; i < n; i++) {
		items[i].name = args[i].name;
		items[i].sort = args[i].sort;
		if (has_place(args[i].sort))
			items[i].item = item_at(frame, args[i].sort, args[i].idx);
	}
	*ret_bag = (struct bag){.items = items, .n = n};
	return 0;
}

// ---- core instances -----------------------------------------------------------------------------

// Validation has seen that it is there.
static struct we_extern core_export(const struct core_instance *core, struct cm_name name)
{
	struct we_extern ext = {0};

	if (!core->real) {
		const struct named *named = bag_find(&core->exports, name);

		assert(named);
		return named->item.core;
	}
	if (we_instance_export(core->real, name.text, name.len, &ext) != 0)
		assert(false); // validation has seen the export
	return ext;
}

static struct cm_name name_of(struct we_bytes bytes)
{
	return (struct cm_name){.text = (const char *)bytes.data, .len = (uint32_t)bytes.len};
}

// The imports of a module out of core instances that the arguments name.
static int core_imports(const struct maker *m, const struct we_module *module,
	const struct bag *args, struct we_extern **ret_imports)
{
	const uint32_t n = we_module_n_imports(module);
	struct we_extern *imports = we_arena_array(m->arena, n, sizeof(*imports));

	if (!imports)
		return nomem(m);
	for (uint32_t i = 0; i < n; i++) {
		struct we_import import;
		const struct named *arg;

		we_module_import(module, i, &import);
		arg = bag_find(args, name_of(import.module));
		assert(arg && arg->sort == CM_SORT_CORE_INSTANCE);
		imports[i] = core_export(arg->item.core_instance, name_of(import.name));
	}
	*ret_imports = imports;
	return 0;
}

static int run_core_instantiate(
	const struct maker *m, struct cm_frame *frame, const struct cm_def *def)
{
	struct we_module *module =
		item_at(frame, CM_SORT_CORE_MODULE, def->of.instantiate.idx).module;
	struct core_instance *core = we_arena_alloc(m->arena, sizeof(*core));
	struct we_instance *real = NULL;
	struct we_extern *imports;
	struct cm_task *previous;
	struct cm_task task;
	struct bag args;
	int rc;

	if (!core)
		return nomem(m);
	rc = make_bag(m, frame, def->of.instantiate.args, def->of.instantiate.n_args, &args);
	if (rc == 0)
		rc = core_imports(m, module, &args, &imports);
	if (rc != 0)
		return rc;
	cm_task_enter_core(
		&task, frame->inst, &previous); // the start function is a synchronous task
	rc = we_instance_create(
		m->store->core, module, imports, we_module_n_imports(module), &real, m->err);
	cm_task_leave_core(&task, previous);
	core->real = real;
	if (rc == 0)
		put(frame, def, (union item){.core_instance = core});
	return rc;
}

static int run_core_inline(const struct maker *m, struct cm_frame *frame, const struct cm_def *def)
{
	struct core_instance *core = we_arena_alloc(m->arena, sizeof(*core));
	int rc;

	if (!core)
		return nomem(m);
	rc = make_bag(
		m, frame, def->of.instantiate.args, def->of.instantiate.n_args, &core->exports);
	if (rc == 0)
		put(frame, def, (union item){.core_instance = core});
	return rc;
}

// ---- canonical definitions ----------------------------------------------------------------------

static struct we_func *core_func_at(struct cm_frame *frame, uint32_t idx)
{
	return idx == CM_NO_IDX ? NULL : item_at(frame, CM_SORT_CORE_FUNC, idx).core.of.func;
}

static struct cm_options options_of(struct cm_frame *frame, const struct cm_canon_opts *opts)
{
	return (struct cm_options){
		.encoding = opts->encoding,
		.is_async = opts->is_async,
		.memory = opts->memory_idx == CM_NO_IDX
				  ? NULL
				  : item_at(frame, CM_SORT_CORE_MEMORY, opts->memory_idx)
					    .core.of.memory,
		.realloc = core_func_at(frame, opts->realloc_idx),
		.post_return = core_func_at(frame, opts->post_return_idx),
		.callback = core_func_at(frame, opts->callback_idx),
	};
}

static int run_lift(const struct maker *m, struct cm_frame *frame, const struct cm_def *def)
{
	struct cm_func *func = we_arena_alloc(m->arena, sizeof(*func));

	if (!func)
		return nomem(m);
	func->type = def->of.lift.type;
	func->inst = frame->inst;
	func->callee = core_func_at(frame, def->of.lift.core_func_idx);
	func->opts = options_of(frame, &def->of.lift.opts);
	put(frame, def, (union item){.func = func});
	return 0;
}

static int put_host_func(const struct maker *m, struct cm_frame *frame, const struct cm_def *def,
	const struct we_functype *type, we_host_fn fn, void *env)
{
	union item item = {.core.kind = WE_EXTERN_FUNC};
	const int rc =
		we_func_create_host(m->store->core, type, fn, env, &item.core.of.func, m->err);

	if (rc == 0)
		put(frame, def, item);
	return rc;
}

static int run_lower(const struct maker *m, struct cm_frame *frame, const struct cm_def *def)
{
	const struct cm_func *func = item_at(frame, CM_SORT_FUNC, def->of.lower.func_idx).func;
	struct cm_lowered *lowered = we_arena_alloc(m->arena, sizeof(*lowered));

	if (!lowered)
		return nomem(m);
	if (func->inst)
		return we_error_set(
			m->err, WE_E_UNSUPPORTED, def->offset, "calls from component to component");
	lowered->inst = frame->inst;
	lowered->func = func;
	lowered->opts = options_of(frame, &def->of.lower.opts);
	cm_functype_flatten(func->type, CM_ABI_LOWER, lowered->opts.is_async, false, &lowered->sig);
	return put_host_func(m, frame, def, def->of.lower.core_type, cm_canon_lower, lowered);
}

static int run_canon(const struct maker *m, struct cm_frame *frame, const struct cm_def *def)
{
	const we_host_fn fn = cm_builtin_fn(def->of.canon.op);
	struct cm_builtin *builtin = we_arena_alloc(m->arena, sizeof(*builtin));

	if (!builtin)
		return nomem(m);
	if (!fn)
		return we_error_set(m->err, WE_E_UNSUPPORTED, def->offset, "built-in %s",
			cm_canon_name(def->of.canon.op));
	builtin->cx = (struct cm_cx){.inst = frame->inst, .opts = &builtin->opts};
	builtin->type = def->of.canon.type;
	builtin->opts = options_of(frame, &def->of.canon.opts);
	builtin->slot = def->of.canon.slot;
	builtin->is_async = def->of.canon.is_async || builtin->opts.is_async;
	builtin->is_cancellable = def->of.canon.is_cancellable;
	return put_host_func(m, frame, def, def->of.canon.core_type, fn, builtin);
}

// ---- imports of the outermost component ---------------------------------------------------------

static int offered_bag(const struct maker *m, const struct cm_offer *offer,
	const struct cm_type *want, struct bag *ret_bag)
{
	const struct cm_interface *face = want->face;
	struct named *items = we_arena_array(m->arena, face->n_exports, sizeof(*items));
	void *env = m->env_of ? m->env_of(m->ctx, offer->name.text) : NULL;

	if (!items)
		return nomem(m);
	for (uint32_t i = 0; i < face->n_exports; i++) {
		struct cm_func *func;

		items[i].name = face->exports[i].name;
		items[i].sort = face->exports[i].sort;
		if (items[i].sort != CM_SORT_FUNC)
			continue;
		func = we_arena_alloc(m->arena, sizeof(*func));
		if (!func)
			return nomem(m);
		func->type = face->exports[i].type;
		func->host = cm_offer_func(offer, items[i].name)->fn;
		func->host_env = env;
		items[i].item.func = func;
	}
	*ret_bag = (struct bag){.items = items, .n = face->n_exports};
	return 0;
}

static int import_interface(const struct maker *m, const struct cm_def *def, union item *ret_item)
{
	const struct cm_extern *decl = def->of.import;
	const struct cm_name name = decl->implements.text ? decl->implements : decl->name;
	const struct cm_offer *offer = cm_linker_find(m->linker, name);
	struct bag *bag = we_arena_alloc(m->arena, sizeof(*bag));
	char detail[192];
	int rc;

	if (!bag)
		return nomem(m);
	if (!offer)
		return cm_linker_blame(m->linker, name, def->offset, m->err);
	rc = cm_type_matches(offer->type, decl->type, detail, sizeof(detail));
	if (rc == CM_TYPE_DIFFERS)
		return we_error_set(
			m->err, WE_E_UNLINKABLE, def->offset, "import %s: %s", name.text, detail);
	if (rc < 0)
		return we_error_set(m->err, rc, def->offset, "import %s", name.text);
	ret_item->instance = bag;
	return offered_bag(m, offer, decl->type, bag);
}

static int import_from_host(const struct maker *m, const struct cm_def *def, union item *ret_item)
{
	if (def->sort == CM_SORT_INSTANCE)
		return import_interface(m, def, ret_item);
	return we_error_set(m->err, WE_E_UNLINKABLE, def->offset,
		"import %s is a %s; only interfaces are offered", def->of.import->name.text,
		cm_sort_name(def->sort));
}

static int run_import(const struct maker *m, struct cm_frame *frame, const struct cm_def *def)
{
	union item item = {0};
	int rc = 0;

	if (!has_place(def->sort))
		return 0;
	if (frame->args) {
		const struct named *arg = bag_find(frame->args, def->of.import->name);

		assert(arg);
		item = arg->item;
	} else {
		rc = import_from_host(m, def, &item);
	}
	if (rc == 0)
		put(frame, def, item);
	return rc;
}

// ---- component instances ------------------------------------------------------------------------

static int instantiate(const struct maker *m, struct closure component, struct cm_frame *parent,
	const struct bag *args, struct cm_instance **ret_inst);

static int run_instantiate(const struct maker *m, struct cm_frame *frame, const struct cm_def *def)
{
	struct bag *args = we_arena_alloc(m->arena, sizeof(*args));
	struct cm_instance *inst;
	int rc;

	if (!args)
		return nomem(m);
	rc = make_bag(m, frame, def->of.instantiate.args, def->of.instantiate.n_args, args);
	if (rc == 0)
		rc = instantiate(m,
			item_at(frame, CM_SORT_COMPONENT, def->of.instantiate.idx).component, frame,
			args, &inst);
	if (rc == 0)
		put(frame, def, (union item){.instance = &inst->items->exports});
	return rc;
}

static int run_inline(const struct maker *m, struct cm_frame *frame, const struct cm_def *def)
{
	struct bag *bag = we_arena_alloc(m->arena, sizeof(*bag));
	int rc;

	if (!bag)
		return nomem(m);
	rc = make_bag(m, frame, def->of.instantiate.args, def->of.instantiate.n_args, bag);
	if (rc == 0)
		put(frame, def, (union item){.instance = bag});
	return rc;
}

static void run_alias_export(struct cm_frame *frame, const struct cm_def *def)
{
	const struct bag *bag;
	const struct named *named;

	if (!has_place(def->sort))
		return;
	bag = item_at(frame, CM_SORT_INSTANCE, def->of.alias.idx).instance;
	named = bag_find(bag, def->of.alias.name);
	assert(named);
	put(frame, def, named->item);
}

static void run_alias_core_export(struct cm_frame *frame, const struct cm_def *def)
{
	const struct core_instance *core =
		item_at(frame, CM_SORT_CORE_INSTANCE, def->of.alias.idx).core_instance;

	put(frame, def, (union item){.core = core_export(core, def->of.alias.name)});
}

static void run_alias_outer(struct cm_frame *frame, const struct cm_def *def)
{
	struct cm_frame *outer = frame;

	if (!has_place(def->sort))
		return;
	for (uint32_t i = 0; i < def->of.outer.n_out; i++)
		outer = outer->outer;
	put(frame, def, item_at(outer, def->sort, def->of.outer.idx));
}

static void run_export(struct cm_frame *frame, const struct cm_def *def)
{
	struct named *named = &frame->exports[frame->n_exports++];

	named->name = def->of.export.decl->name;
	named->sort = def->sort;
	if (!has_place(def->sort))
		return;
	named->item = item_at(frame, def->sort, def->of.export.idx);
	put(frame, def, named->item);
}

static int run_def(const struct maker *m, struct cm_frame *frame, const struct cm_def *def)
{
	switch (def->kind) {
	case CM_DEF_CORE_MODULE:
		put(frame, def, (union item){.module = def->of.module});
		return 0;
	case CM_DEF_CORE_INSTANTIATE:
		return run_core_instantiate(m, frame, def);
	case CM_DEF_CORE_INSTANCE:
		return run_core_inline(m, frame, def);
	case CM_DEF_CORE_TYPE:
	case CM_DEF_TYPE:
		return 0;
	case CM_DEF_COMPONENT:
		put(frame, def,
			(union item){
				.component = {.component = def->of.component, .outer = frame}});
		return 0;
	case CM_DEF_INSTANTIATE:
		return run_instantiate(m, frame, def);
	case CM_DEF_INSTANCE:
		return run_inline(m, frame, def);
	case CM_DEF_ALIAS_EXPORT:
		run_alias_export(frame, def);
		return 0;
	case CM_DEF_ALIAS_CORE_EXPORT:
		run_alias_core_export(frame, def);
		return 0;
	case CM_DEF_ALIAS_OUTER:
		run_alias_outer(frame, def);
		return 0;
	case CM_DEF_LIFT:
		return run_lift(m, frame, def);
	case CM_DEF_LOWER:
		return run_lower(m, frame, def);
	case CM_DEF_CANON:
		return run_canon(m, frame, def);
	case CM_DEF_IMPORT:
		return run_import(m, frame, def);
	case CM_DEF_EXPORT:
		run_export(frame, def);
		return 0;
	}
	assert(false); // every kind has a case
	return WE_E_HOST;
}

static uint32_t n_exports(const struct cm_component *component)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < component->n_defs; i++)
		n += component->defs[i].kind == CM_DEF_EXPORT;
	return n;
}

static int make_frame(const struct maker *m, struct closure component, struct cm_frame *parent,
	const struct bag *args, struct cm_frame **ret_frame)
{
	const struct cm_component *c = component.component;
	struct cm_frame *frame = we_arena_alloc(m->arena, sizeof(*frame));

	if (!frame)
		return nomem(m);
	frame->component = c;
	frame->outer = component.outer;
	frame->args = args;
	frame->depth = parent ? parent->depth + 1 : 0;
	for (uint32_t sort = 0; sort < CM_SORT_N; sort++) {
		frame->spaces[sort] =
			we_arena_array(m->arena, c->n_items[sort], sizeof(*frame->spaces[sort]));
		if (!frame->spaces[sort])
			return nomem(m);
	}
	frame->exports = we_arena_array(m->arena, n_exports(c), sizeof(*frame->exports));
	if (!frame->exports)
		return nomem(m);
	*ret_frame = frame;
	return 0;
}

int cm_instance_create_empty(struct cm_store *store, struct cm_instance *parent,
	struct cm_instance **ret_inst, struct we_error *err)
{
	struct cm_instance *inst = calloc(1, sizeof(*inst));

	if (inst)
		inst->items = calloc(1, sizeof(*inst->items));
	if (!inst || !inst->items) {
		free(inst);
		return cm_nomem(err);
	}
	inst->store = store;
	inst->parent = parent;
	inst->may_leave = true;
	cm_handles_init(&inst->handles, store->limits.handles);
	cm_link_init(&inst->waiting_to_enter);
	cm_ready_init(&inst->entry, CM_READY_ENTRY);
	inst->next = store->instances;
	store->instances = inst;
	store->n_instances++;
	*ret_inst = inst;
	return 0;
}

void cm_instance_destroy(struct cm_instance *inst)
{
	cm_handles_fini(&inst->handles);
	we_arena_fini(&inst->items->arena);
	cm_component_unref(inst->items->component);
	free(inst->items);
	free(inst);
}

static int run_defs(const struct maker *m, struct cm_frame *frame)
{
	const struct cm_component *c = frame->component;

	for (uint32_t i = 0; i < c->n_defs; i++) {
		const int rc = run_def(m, frame, &c->defs[i]);

		if (rc < 0)
			return rc;
	}
	frame->inst->items->exports = (struct bag){.items = frame->exports, .n = frame->n_exports};
	frame->inst->may_enter = true;
	return 0;
}

static int instantiate(const struct maker *m, struct closure component, struct cm_frame *parent,
	const struct bag *args, struct cm_instance **ret_inst)
{
	struct cm_frame *frame;
	int rc;

	if (m->store->n_instances >= INSTANCES_MAX)
		return cm_exhausted(m->err, "component instances", INSTANCES_MAX);
	if (parent && parent->depth >= NESTING_MAX)
		return cm_exhausted(m->err, "nesting of component instances", NESTING_MAX);
	rc = make_frame(m, component, parent, args, &frame);
	if (rc == 0)
		rc = cm_instance_create_empty(m->store, parent->inst, &frame->inst, m->err);
	if (rc < 0)
		return rc;
	*ret_inst = frame->inst;
	return run_defs(m, frame);
}

// ---- public -------------------------------------------------------------------------------------

static int refuse(const struct cm_component *component, struct we_error *err)
{
	uint64_t offset = 0;
	const enum cm_feature feature = cm_component_refused(component, &offset);

	if (feature == CM_FEATURE_BASE)
		return 0;
	return we_error_set(err, WE_E_UNSUPPORTED, offset, "%s", cm_feature_name(feature));
}

int cm_instance_create(struct cm_store *store, struct cm_component *component,
	const struct cm_linker *linker, cm_env_fn env_of, void *ctx,
	struct cm_instance **ret_instance, struct we_error *err)
{
	const struct closure root = {.component = component};
	struct maker m = {.store = store,
		.linker = linker,
		.env_of = env_of,
		.ctx = ctx,
		.err = &store->dead};
	struct cm_frame *frame;
	struct cm_instance *inst;
	int rc = cm_store_check(store, err);

	if (rc == 0)
		rc = refuse(component, err);
	if (rc == 0)
		rc = cm_instance_create_empty(store, NULL, &inst, err);
	if (rc != 0)
		return rc;
	inst->items->component = cm_component_ref(component);
	m.arena = &inst->items->arena;
	rc = make_frame(&m, root, NULL, NULL, &frame);
	if (rc == 0) {
		frame->inst = inst;
		rc = run_defs(&m, frame);
	}
	if (rc == WE_E_TRAP || rc == WE_E_EXHAUSTED)
		return cm_store_end(store, rc, err);
	if (rc < 0 && err)
		*err = store->dead;
	if (rc == 0)
		*ret_instance = inst;
	return rc;
}

static const struct named *find(const struct bag *bag, const char *name, enum cm_sort sort)
{
	const struct cm_name wanted = {.text = name, .len = (uint32_t)strlen(name)};
	const struct named *named = bag_find(bag, wanted);

	return named && named->sort == sort ? named : NULL;
}

int cm_instance_func(struct cm_instance *inst, const char *interface_name, const char *name,
	struct cm_func **ret_func)
{
	const struct bag *bag = &inst->items->exports;
	const struct named *named;

	if (interface_name) {
		named = find(bag, interface_name, CM_SORT_INSTANCE);
		if (!named)
			return 1;
		bag = named->item.instance;
	}
	named = find(bag, name, CM_SORT_FUNC);
	if (!named)
		return 1;
	*ret_func = named->item.func;
	return 0;
}
