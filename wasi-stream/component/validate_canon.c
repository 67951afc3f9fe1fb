// SPDX-License-Identifier: BSD-3-Clause
// validate_canon: lift, lower and the canonical built-ins: options, types, signatures.
//
// Module path 5/6.
// Spec: CanonicalABI.md "canonopt Validation" and the validation rules of each canonical definition.
#include "validate.h"

#include "limits.h"

#include <stdio.h>
#include <string.h>

// What is needed of the options for the values that are moved.
struct needs {
	bool memory;
	bool realloc;
};

static const struct {
	const char *name;
	enum cm_feature gate;
	const char *params;
	const char *results;
} builtins[CM_CANON_N] = {
#define CM_CANON(code, NAME, text, gate, immediates, params, results, handler)                     \
	{text, CM_FEATURE_##gate, params, results},
#include "../canon/canon.def"
#undef CM_CANON
};

const char *cm_canon_name(enum cm_canon canon)
{
	return builtins[canon].name;
}

// ---- core signatures ----------------------------------------------------------------------------

static int core_type(struct cm_validator *v, const uint8_t *params, uint32_t n_params,
	const uint8_t *results, uint32_t n_results, const struct we_functype **ret_type)
{
	enum we_kind param_kinds[CM_FLAT_SPILLED + 1];
	enum we_kind result_kinds[CM_MAX_FLAT_RESULTS];

	for (uint32_t i = 0; i < n_params; i++)
		param_kinds[i] = (enum we_kind)params[i];
	for (uint32_t i = 0; i < n_results; i++)
		result_kinds[i] = (enum we_kind)results[i];
	return we_functype_create(
		v->engine, param_kinds, n_params, result_kinds, n_results, ret_type, v->err);
}

static int core_type_of_sig(
	struct cm_validator *v, const struct cm_coresig *sig, const struct we_functype **ret_type)
{
	return core_type(v, sig->params, sig->n_params, sig->results, sig->n_results, ret_type);
}

// A signature in the letters of canon.def.
static int core_type_of_text(struct cm_validator *v, const char *params, const char *results,
	const struct we_functype **ret_type)
{
	struct cm_coresig sig = {0};

	for (; *params != '\0'; params++)
		sig.params[sig.n_params++] = *params == 'l' ? WE_I64 : WE_I32;
	for (; *results != '\0'; results++)
		sig.results[sig.n_results++] = *results == 'l' ? WE_I64 : WE_I32;
	return core_type_of_sig(v, &sig, ret_type);
}

static void print_functype(const struct we_functype *type, char *buf, size_t cap)
{
	const struct we_externtype externtype = {.kind = WE_EXTERN_FUNC, .func = type};

	we_externtype_print(&externtype, buf, cap);
}

// The core function must have the type.
static int check_core_func(struct cm_validator *v, const struct cm_scope *scope, uint32_t idx,
	const struct we_functype *want, const char *what, uint64_t offset)
{
	const struct cm_item *item = NULL;
	char have_text[48];
	char want_text[48];
	int rc;

	rc = cm_scope_item(v, scope, CM_SORT_CORE_FUNC, idx, offset, &item);
	if (rc < 0 || item->core.func == want)
		return rc;
	print_functype(item->core.func, have_text, sizeof(have_text));
	print_functype(want, want_text, sizeof(want_text));
	return cm_invalid(v, offset, "%s: expected %s, found %s", what, want_text, have_text);
}

// ---- options ------------------------------------------------------------------------------------

static int check_memory(
	struct cm_validator *v, const struct cm_scope *scope, uint32_t idx, uint64_t offset)
{
	const struct cm_item *item = NULL;
	int rc;

	rc = cm_scope_item(v, scope, CM_SORT_CORE_MEMORY, idx, offset, &item);
	if (rc == 0 && item->core.is_64)
		cm_use(v, CM_FEATURE_MEMORY64, offset);
	return rc;
}

static int check_options_once(struct cm_validator *v, const struct cm_syntax_item *item)
{
	static const char *const again = "canonical option `%s` is specified more than once";

	if (item->of.canon.n_encoding > 1)
		return cm_invalid(v, item->offset,
			"canonical encoding option conflicts with another one: only one of `utf8`, "
			"`utf16` and `latin1-utf16` can be given");
	if (item->of.canon.n_memory > 1)
		return cm_invalid(v, item->offset, again, "memory");
	if (item->of.canon.n_realloc > 1)
		return cm_invalid(v, item->offset, again, "realloc");
	if (item->of.canon.n_post_return > 1)
		return cm_invalid(v, item->offset, again, "post-return");
	if (item->of.canon.n_async > 1)
		return cm_invalid(v, item->offset, again, "async");
	if (item->of.canon.n_callback > 1)
		return cm_invalid(v, item->offset, again, "callback");
	return 0;
}

// The rules that hold wherever options stand.
static int check_options(
	struct cm_validator *v, const struct cm_scope *scope, const struct cm_syntax_item *item)
{
	const struct cm_canon_opts *opts = &item->of.canon.opts;
	const struct we_functype *type = NULL;
	int rc;

	rc = check_options_once(v, item);
	if (rc == 0 && item->of.canon.n_memory > 0)
		rc = check_memory(v, scope, opts->memory_idx, item->offset);
	if (rc == 0 && item->of.canon.n_realloc > 0) {
		rc = core_type_of_text(v, "iiii", "i", &type);
		if (rc == 0)
			rc = check_core_func(v, scope, opts->realloc_idx, type,
				"canonical option `realloc` uses a core function with an incorrect "
				"signature",
				item->offset);
		if (rc == 0 && item->of.canon.n_memory == 0)
			rc = cm_invalid(v, item->offset,
				"canonical option `realloc` requires `memory` to also be "
				"specified");
	}
	if (rc == 0 && opts->is_async && item->of.canon.n_post_return > 0)
		rc = cm_invalid(v, item->offset,
			"canonical option `post-return` cannot be specified together with `async`");
	if (rc == 0 && item->of.canon.n_callback > 0 && !opts->is_async)
		rc = cm_invalid(v, item->offset,
			"canonical option `callback` requires `async` to also be specified");
	return rc;
}

static int refuse_option(struct cm_validator *v, const struct cm_syntax_item *item,
	const char *option, const char *what)
{
	return cm_invalid(
		v, item->offset, "canonical option `%s` cannot be specified for %s", option, what);
}

static int check_needs(
	struct cm_validator *v, const struct cm_syntax_item *item, struct needs needs)
{
	if ((needs.memory || needs.realloc) && item->of.canon.n_memory == 0)
		return cm_invalid(v, item->offset, "canonical option `memory` is required");
	if (needs.realloc && item->of.canon.n_realloc == 0)
		return cm_invalid(v, item->offset, "canonical option `realloc` is required");
	return 0;
}

static bool has_pointers(const struct cm_type *type)
{
	return type != NULL && (type->traits & CM_TRAIT_POINTERS) != 0;
}

// A function's type: do its parameters have pointers? Its own traits also count the result.
static bool params_have_pointers(const struct cm_type *func)
{
	for (uint32_t i = 0; i < func->n_fields; i++)
		if (has_pointers(func->fields[i].type))
			return true;
	return false;
}

// ---- lift and lower -----------------------------------------------------------------------------

static int find_functype(struct cm_validator *v, const struct cm_scope *scope, uint32_t idx,
	uint64_t offset, const struct cm_type **ret_type)
{
	const struct cm_item *item = NULL;
	int rc;

	rc = cm_scope_item(v, scope, CM_SORT_TYPE, idx, offset, &item);
	if (rc == 0 && item->type->kind != CM_TYPE_FUNC)
		return cm_invalid(v, offset, "type index %u is not a function type", idx);
	if (rc == 0)
		*ret_type = item->type;
	return rc;
}

static int check_async_type(
	struct cm_validator *v, const struct cm_syntax_item *item, const struct cm_type *func)
{
	if (item->of.canon.opts.is_async && !func->is_async)
		return cm_invalid(v, item->offset,
			"the `async` canonical option requires an async function type");
	return 0;
}

static int check_lift_options(struct cm_validator *v, const struct cm_scope *scope,
	const struct cm_syntax_item *item, const struct cm_coresig *sig)
{
	const struct cm_canon_opts *opts = &item->of.canon.opts;
	const struct we_functype *type = NULL;
	int rc = 0;

	if (item->of.canon.n_post_return > 0) {
		rc = core_type(v, sig->results, sig->n_results, NULL, 0, &type);
		if (rc == 0)
			rc = check_core_func(v, scope, opts->post_return_idx, type,
				"canonical option `post-return` uses a core function with an "
				"incorrect signature",
				item->offset);
	}
	if (rc == 0 && item->of.canon.n_callback > 0) {
		rc = core_type_of_text(v, "iii", "i", &type);
		if (rc == 0)
			rc = check_core_func(v, scope, opts->callback_idx, type,
				"canonical option `callback` uses a core function with an "
				"incorrect signature",
				item->offset);
	}
	if (rc == 0 && opts->is_async && item->of.canon.n_callback == 0)
		cm_use(v, CM_FEATURE_STACKFUL, item->offset);
	return rc;
}

static int validate_lift(
	struct cm_validator *v, struct cm_scope *scope, const struct cm_syntax_item *item)
{
	const struct cm_canon_opts *opts = &item->of.canon.opts;
	const struct we_functype *core = NULL;
	const struct cm_type *func = NULL;
	struct cm_coresig sig;
	struct cm_item lifted = {0};
	struct cm_def *def = NULL;
	int rc;

	rc = find_functype(v, scope, item->of.canon.type_idx, item->offset, &func);
	if (rc == 0)
		rc = check_options(v, scope, item);
	if (rc == 0)
		rc = check_async_type(v, item, func);
	if (rc < 0)
		return rc;
	cm_functype_flatten(func, CM_ABI_LIFT, opts->is_async, item->of.canon.n_callback > 0, &sig);
	rc = core_type_of_sig(v, &sig, &core);
	if (rc == 0)
		rc = check_core_func(v, scope, item->of.canon.idx, core,
			"lowered types of the function do not match the core function",
			item->offset);
	if (rc == 0)
		rc = check_lift_options(v, scope, item, &sig);
	if (rc == 0)
		rc = check_needs(v, item,
			(struct needs){
				.memory = sig.result_in_memory ||
					  (!opts->is_async && has_pointers(func->elem)),
				.realloc = sig.params_in_memory || params_have_pointers(func),
			});
	if (rc == 0)
		rc = cm_scope_define(v, scope, CM_DEF_LIFT, CM_SORT_FUNC, item->offset, &def);
	if (rc < 0)
		return rc;
	def->of.lift.core_func_idx = item->of.canon.idx;
	def->of.lift.type = func;
	def->of.lift.opts = *opts;
	lifted.type = func;
	return cm_scope_push(v, scope, CM_SORT_FUNC, &lifted, item->offset);
}

static int push_core_func(struct cm_validator *v, struct cm_scope *scope,
	const struct we_functype *type, uint64_t offset)
{
	const struct cm_item item = {.core = {.kind = WE_EXTERN_FUNC, .func = type}};

	return cm_scope_push(v, scope, CM_SORT_CORE_FUNC, &item, offset);
}

static int validate_lower(
	struct cm_validator *v, struct cm_scope *scope, const struct cm_syntax_item *item)
{
	const struct cm_canon_opts *opts = &item->of.canon.opts;
	const struct we_functype *core = NULL;
	const struct cm_item *callee = NULL;
	const struct cm_type *func;
	struct cm_coresig sig;
	struct cm_def *def = NULL;
	int rc;

	rc = cm_scope_item(v, scope, CM_SORT_FUNC, item->of.canon.idx, item->offset, &callee);
	if (rc == 0)
		rc = check_options(v, scope, item);
	if (rc < 0)
		return rc;
	func = callee->type;
	if (item->of.canon.n_post_return > 0)
		return refuse_option(v, item, "post-return", "lowerings");
	if (item->of.canon.n_callback > 0)
		return refuse_option(v, item, "callback", "lowerings");
	rc = check_async_type(v, item, func);
	if (rc < 0)
		return rc;
	cm_functype_flatten(func, CM_ABI_LOWER, opts->is_async, false, &sig);
	rc = check_needs(v, item,
		(struct needs){
			.memory = sig.params_in_memory || sig.result_in_memory ||
				  params_have_pointers(func),
			.realloc = has_pointers(func->elem),
		});
	if (rc == 0)
		rc = core_type_of_sig(v, &sig, &core);
	if (rc == 0)
		rc = cm_scope_define(v, scope, CM_DEF_LOWER, CM_SORT_CORE_FUNC, item->offset, &def);
	if (rc < 0)
		return rc;
	def->of.lower.func_idx = item->of.canon.idx;
	def->of.lower.type = func;
	def->of.lower.opts = *opts;
	def->of.lower.core_type = core;
	return push_core_func(v, scope, core, item->offset);
}

// ---- built-ins ----------------------------------------------------------------------------------

struct builtin {
	const struct cm_type *type;     // of the immediate; NULL: none
	const struct we_functype *core; // of the new core function
};

static int find_type(struct cm_validator *v, const struct cm_scope *scope,
	const struct cm_syntax_item *item, enum cm_typekind kind, const char *expected,
	const struct cm_type **ret_type)
{
	const struct cm_item *type = NULL;
	int rc;

	rc = cm_scope_item(v, scope, CM_SORT_TYPE, item->of.canon.idx, item->offset, &type);
	if (rc < 0)
		return rc;
	if (type->type->kind != kind)
		return cm_invalid(v, item->offset, "type index %u is not a %s type",
			item->of.canon.idx, expected);
	*ret_type = type->type;
	return 0;
}

// Only memory and encoding, and async and realloc where they have a meaning.
static int check_builtin_options(struct cm_validator *v, const struct cm_scope *scope,
	const struct cm_syntax_item *item, bool is_copy)
{
	const char *what = builtins[item->of.canon.op].name;
	int rc = check_options(v, scope, item);

	if (rc < 0)
		return rc;
	if (item->of.canon.n_post_return > 0)
		return refuse_option(v, item, "post-return", what);
	if (item->of.canon.n_callback > 0)
		return refuse_option(v, item, "callback", what);
	if (!is_copy && item->of.canon.n_async > 0)
		return refuse_option(v, item, "async", what);
	if (!is_copy && item->of.canon.n_realloc > 0)
		return refuse_option(v, item, "realloc", what);
	return 0;
}

static int check_resource(struct cm_validator *v, const struct cm_scope *scope,
	const struct cm_syntax_item *item, struct builtin *b)
{
	int rc;

	rc = find_type(v, scope, item, CM_TYPE_RESOURCE, "resource", &b->type);
	if (rc == 0 && item->of.canon.op != CM_CANON_RESOURCE_DROP &&
		cm_ptr_map_get(&scope->local_resources, cm_type_root(b->type)) == NULL)
		rc = cm_invalid(v, item->offset, "type index %u is not a local resource",
			item->of.canon.idx);
	return rc;
}

static int check_task_return(struct cm_validator *v, const struct cm_scope *scope,
	const struct cm_syntax_item *item, struct builtin *b)
{
	struct cm_coresig sig;
	int rc;

	rc = cm_validate_valtype(v, scope, &item->of.canon.result, item->offset, &b->type);
	if (rc == 0)
		rc = check_builtin_options(v, scope, item, false);
	if (rc < 0)
		return rc;
	if (b->type != NULL && (b->type->traits & CM_TRAIT_BORROW) != 0)
		return cm_invalid(
			v, item->offset, "function result cannot contain a `borrow` type");
	cm_task_return_flatten(b->type, &sig);
	rc = check_needs(
		v, item, (struct needs){.memory = sig.params_in_memory || has_pointers(b->type)});
	return rc < 0 ? rc : core_type_of_sig(v, &sig, &b->core);
}

// {stream,future}.{read,write}
static int check_copy(struct cm_validator *v, const struct cm_scope *scope,
	const struct cm_syntax_item *item, struct builtin *b)
{
	const bool is_read = item->of.canon.op == CM_CANON_STREAM_READ ||
			     item->of.canon.op == CM_CANON_FUTURE_READ;
	int rc;

	rc = check_builtin_options(v, scope, item, true);
	if (rc < 0)
		return rc;
	if (!item->of.canon.opts.is_async)
		cm_use(v, CM_FEATURE_MORE_ASYNC, item->offset);
	return check_needs(v, item,
		(struct needs){
			.memory = b->type->elem != NULL,
			.realloc = is_read && has_pointers(b->type->elem),
		});
}

static int check_slot(struct cm_validator *v, const struct cm_syntax_item *item)
{
	if (!item->of.canon.is_slot_i32)
		cm_use(v, CM_FEATURE_MEMORY64, item->offset);
	if (item->of.canon.slot >= CM_MAX_CONTEXT_SLOTS)
		return cm_invalid(v, item->offset,
			"immediate must be less than %d: context slot %u", CM_MAX_CONTEXT_SLOTS,
			item->of.canon.slot);
	return 0;
}

// thread.new-indirect: the function's type and the table that it is found in.
static int check_start(
	struct cm_validator *v, const struct cm_scope *scope, const struct cm_syntax_item *item)
{
	const struct we_functype *want = NULL;
	const struct cm_item *type = NULL;
	const struct cm_item *table = NULL;
	int rc;

	rc = cm_scope_item(
		v, scope, CM_SORT_CORE_TYPE, item->of.canon.core_type_idx, item->offset, &type);
	if (rc == 0)
		rc = core_type_of_text(v, "i", "", &want);
	if (rc == 0 && (type->module != NULL || type->core.func != want))
		rc = cm_invalid(
			v, item->offset, "start function must have the type (func (param i32))");
	if (rc == 0)
		rc = cm_scope_item(v, scope, CM_SORT_CORE_TABLE, item->of.canon.core_table_idx,
			item->offset, &table);
	return rc;
}

// The immediates of canon.def, one function each.
#define CHECK(NAME)                                                                                \
	static int check_##NAME(struct cm_validator *v, const struct cm_scope *scope,              \
		const struct cm_syntax_item *item, struct builtin *b)

CHECK(NONE)
{
	(void)v;
	(void)scope;
	(void)item;
	(void)b;
	return 0;
}

CHECK(RESOURCE)
{
	return check_resource(v, scope, item, b);
}

CHECK(RESULT_OPTS)
{
	return check_task_return(v, scope, item, b);
}

CHECK(SLOT)
{
	(void)scope;
	(void)b;
	return check_slot(v, item);
}

CHECK(ASYNC)
{
	(void)scope;
	(void)b;
	if (item->of.canon.is_async)
		cm_use(v, CM_FEATURE_MORE_ASYNC, item->offset);
	return 0;
}

CHECK(CANCEL_MEMORY)
{
	(void)b;
	return check_memory(v, scope, item->of.canon.opts.memory_idx, item->offset);
}

CHECK(STREAM)
{
	return find_type(v, scope, item, CM_TYPE_STREAM, "stream", &b->type);
}

CHECK(FUTURE)
{
	return find_type(v, scope, item, CM_TYPE_FUTURE, "future", &b->type);
}

CHECK(STREAM_OPTS)
{
	const int rc = check_STREAM(v, scope, item, b);

	return rc < 0 ? rc : check_copy(v, scope, item, b);
}

CHECK(FUTURE_OPTS)
{
	const int rc = check_FUTURE(v, scope, item, b);

	return rc < 0 ? rc : check_copy(v, scope, item, b);
}

CHECK(STREAM_ASYNC)
{
	const int rc = check_STREAM(v, scope, item, b);

	return rc < 0 ? rc : check_ASYNC(v, scope, item, b);
}

CHECK(FUTURE_ASYNC)
{
	const int rc = check_FUTURE(v, scope, item, b);

	return rc < 0 ? rc : check_ASYNC(v, scope, item, b);
}

CHECK(OPTS)
{
	const bool is_message = item->of.canon.op == CM_CANON_ERROR_CONTEXT_MESSAGE;
	const int rc = check_builtin_options(v, scope, item, is_message);

	(void)b;
	return rc < 0 ? rc
		      : check_needs(v, item, (struct needs){.memory = true, .realloc = is_message});
}

CHECK(START)
{
	(void)b;
	return check_start(v, scope, item);
}

#undef CHECK
#define check_CANCEL       check_NONE
#define check_SHARED       check_NONE
#define check_SHARED_TYPE  check_NONE
#define check_SHARED_START check_START

typedef int (*check_fn)(struct cm_validator *v, const struct cm_scope *scope,
	const struct cm_syntax_item *item, struct builtin *b);

static const check_fn checks[CM_CANON_N] = {
#define CM_CANON(code, NAME, text, gate, immediates, params, results, handler) check_##immediates,
#include "../canon/canon.def"
#undef CM_CANON
};

static int validate_builtin(
	struct cm_validator *v, struct cm_scope *scope, const struct cm_syntax_item *item)
{
	const enum cm_canon op = item->of.canon.op;
	struct builtin b = {0};
	struct cm_def *def = NULL;
	int rc;

	rc = checks[op](v, scope, item, &b);
	if (rc == 0 && builtins[op].gate != CM_FEATURE_BASE)
		cm_use(v, builtins[op].gate, item->offset);
	if (rc == 0 && b.core == NULL) // "*": of a gate that is refused
		rc = core_type_of_text(v,
			strcmp(builtins[op].params, "*") == 0 ? "" : builtins[op].params,
			builtins[op].results, &b.core);
	if (rc == 0)
		rc = cm_scope_define(v, scope, CM_DEF_CANON, CM_SORT_CORE_FUNC, item->offset, &def);
	if (rc < 0)
		return rc;
	def->of.canon.op = op;
	def->of.canon.is_async = item->of.canon.is_async;
	def->of.canon.is_cancellable = item->of.canon.is_cancellable;
	def->of.canon.slot = item->of.canon.slot;
	def->of.canon.type = b.type;
	def->of.canon.opts = item->of.canon.opts;
	def->of.canon.core_type_idx = item->of.canon.core_type_idx;
	def->of.canon.core_table_idx = item->of.canon.core_table_idx;
	def->of.canon.core_type = b.core;
	return push_core_func(v, scope, b.core, item->offset);
}

int cm_validate_canon(
	struct cm_validator *v, struct cm_scope *scope, const struct cm_syntax_item *item)
{
	switch (item->kind) {
	case CM_ITEM_LIFT:
		return validate_lift(v, scope, item);
	case CM_ITEM_LOWER:
		return validate_lower(v, scope, item);
	default:
		return validate_builtin(v, scope, item);
	}
}
