// SPDX-License-Identifier: BSD-3-Clause
// The names of world weir:packet/sdk and their types. See world.h.
//
// Module path 5/7, in the other direction: what is written here is what the component decoder reads.
// Spec: Binary.md "Type Definitions"; filters/wit is the same world in words.

#include "world.h"

#include <string.h>

static const char *const iface_names[] = {
#define WRAP_IFACE(NAME, name) name,
#define WRAP_FUNC(IFACE, name, params, results, options)
#include "host.def"
#undef WRAP_IFACE
#undef WRAP_FUNC
};

enum {
	MEMORY = WRAP_MEMORY,
	REALLOC = WRAP_REALLOC,
	ASYNC = WRAP_ASYNC
};

static const struct host_func {
	enum wrap_iface iface;
	const char *name;
	const char *params;
	const char *results;
	uint32_t options;
} host_funcs[] = {
#define WRAP_IFACE(NAME, name)
#define WRAP_FUNC(IFACE, name, params, results, options)                                           \
	{WRAP_IFACE_##IFACE, name, params, results, options},
#include "host.def"
#undef WRAP_IFACE
#undef WRAP_FUNC
};

enum {
	HOST_FUNCS = sizeof(host_funcs) / sizeof(host_funcs[0])
};
_Static_assert(HOST_FUNCS <= 64, "a set of functions is 64 bits");

// The built-ins of canon.def whose gate is open; immediates in its words.
enum {
	IMM_NONE = WRAP_NONE,
	IMM_RESULT_OPTS = WRAP_RESULT_OPTS,
	IMM_SLOT = WRAP_SLOT,
	IMM_ASYNC = WRAP_ASYNC_FLAG,
	IMM_CANCEL = WRAP_CANCEL,
	IMM_CANCEL_MEMORY = WRAP_CANCEL_MEMORY,
	IMM_STREAM = WRAP_STREAM,
	IMM_STREAM_OPTS = WRAP_STREAM_OPTS,
	IMM_STREAM_ASYNC = WRAP_STREAM_ASYNC,
	IMM_FUTURE = WRAP_FUTURE,
	IMM_FUTURE_OPTS = WRAP_FUTURE_OPTS,
	IMM_FUTURE_ASYNC = WRAP_FUTURE_ASYNC,
	IMM_RESOURCE = WRAP_OTHER,
	IMM_OPTS = WRAP_OTHER,
	IMM_START = WRAP_OTHER,
	IMM_SHARED = WRAP_OTHER,
	IMM_SHARED_TYPE = WRAP_OTHER,
	IMM_SHARED_START = WRAP_OTHER,
};

static const struct builtin {
	uint8_t code;
	const char *name; // as the specification has it: "stream.cancel-read"
	const char *gate;
	enum wrap_immediates immediates;
	const char *params;
	const char *results;
} builtins[] = {
#define CM_CANON(code, NAME, name, gate, immediates, params, results, handler)                     \
	{code, name, #gate, (enum wrap_immediates)IMM_##immediates, params, results},
#include "../canon/canon.def"
#undef CM_CANON
};

enum {
	BUILTINS = sizeof(builtins) / sizeof(builtins[0]),
	CANON_TASK_CANCEL = 0x05,
	CANON_TASK_RETURN = 0x09,
	N_STREAM_IN = 0, // streams and futures of process in the order of its type
	N_STREAM_OUT = 1,
	N_STATUS = 2,
	N_NONE = UINT8_MAX,
};

static bool bytes_equal(struct we_bytes a, const char *b)
{
	return a.len == strlen(b) && memcmp(a.data, b, a.len) == 0;
}

// Step over prefix. Returns: false, *bytes untouched, when it is not there.
static bool skip_prefix(struct we_bytes *bytes, const char *prefix)
{
	const size_t len = strlen(prefix);

	if (bytes->len < len || memcmp(bytes->data, prefix, len) != 0)
		return false;
	bytes->data += len;
	bytes->len -= len;
	return true;
}

// Step over "[stream-cancel-read" for "stream.cancel-read".
static bool skip_builtin_name(struct we_bytes *bytes, const char *name)
{
	char mangled[64] = "[";
	size_t len = 1;

	for (; *name != '\0' && len + 1 < sizeof(mangled); name++)
		mangled[len++] = *name == '.' ? '-' : *name;
	mangled[len] = '\0';
	return skip_prefix(bytes, mangled);
}

static bool immediates_have_number(enum wrap_immediates immediates)
{
	return immediates == WRAP_SLOT ||
	       (immediates >= WRAP_STREAM && immediates <= WRAP_FUTURE_ASYNC);
}

// Does the number behind the name fit: which stream or future of process, or which context slot?
static bool number_fits(enum wrap_immediates immediates, uint32_t n)
{
	if (immediates == WRAP_SLOT)
		return n <= 1;
	if (immediates >= WRAP_FUTURE)
		return n == N_STATUS;
	return n == N_STREAM_IN || n == N_STREAM_OUT;
}

// May the import carry [async-lower], must it? A copy that waits inside the guest is not in this world.
static bool async_fits(enum wrap_immediates immediates, bool is_async)
{
	if (immediates == WRAP_STREAM_OPTS || immediates == WRAP_FUTURE_OPTS)
		return is_async;
	return !is_async || immediates == WRAP_ASYNC_FLAG || immediates == WRAP_STREAM_ASYNC ||
	       immediates == WRAP_FUTURE_ASYNC;
}

// Built-ins with the types of process, and the end of its task, come from the module named for its interface.
static const char *builtin_module(const struct builtin *builtin)
{
	if (builtin->code == CANON_TASK_CANCEL || builtin->code == CANON_TASK_RETURN ||
		(builtin->immediates >= WRAP_STREAM && builtin->immediates <= WRAP_FUTURE_ASYNC))
		return WRAP_BUILTINS;
	return WRAP_ROOT;
}

static bool builtin_matches(const struct builtin *builtin, struct we_bytes module,
	struct we_bytes name, uint32_t *ret_n)
{
	const char *from = builtin_module(builtin);
	const bool is_async = skip_prefix(&name, "[async-lower]");
	const bool has_type =
		strcmp(from, WRAP_BUILTINS) == 0 && builtin->code != CANON_TASK_CANCEL;

	if (strcmp(builtin->gate, "BASE") != 0 || builtin->immediates == WRAP_OTHER)
		return false;
	if (!bytes_equal(module, from) || !async_fits(builtin->immediates, is_async) ||
		!skip_builtin_name(&name, builtin->name))
		return false;
	*ret_n = N_NONE;
	if (immediates_have_number(builtin->immediates)) {
		if (!skip_prefix(&name, "-") || name.len == 0 || name.data[0] < '0' ||
			name.data[0] > '9')
			return false;
		*ret_n = (uint32_t)(name.data[0] - '0');
		name.data++;
		name.len--;
		if (!number_fits(builtin->immediates, *ret_n))
			return false;
	}
	return bytes_equal(name, has_type ? "]process" : "]");
}

static uint32_t builtin_options(const struct builtin *builtin, bool is_async)
{
	uint32_t options = is_async ? WRAP_ASYNC : 0;

	if (builtin->immediates == WRAP_STREAM_OPTS || builtin->immediates == WRAP_FUTURE_OPTS)
		options |= WRAP_MEMORY;
	if (builtin->immediates == WRAP_FUTURE_OPTS && strstr(builtin->name, "read") != NULL)
		options |= WRAP_REALLOC; // the text of an error comes in
	return options;
}

int wrap_import_resolve(
	struct we_bytes module, struct we_bytes name, struct wrap_import *ret_import)
{
	for (uint32_t i = 0; i < HOST_FUNCS; i++) {
		const struct host_func *func = &host_funcs[i];

		if (bytes_equal(module, iface_names[func->iface]) &&
			bytes_equal(name, func->name)) {
			*ret_import = (struct wrap_import){
				.params = func->params,
				.results = func->results,
				.options = func->options,
				.host_idx = i,
			};
			return 0;
		}
	}
	for (uint32_t i = 0; i < BUILTINS; i++) {
		const struct builtin *builtin = &builtins[i];
		uint32_t n;

		if (builtin_matches(builtin, module, name, &n)) {
			*ret_import = (struct wrap_import){
				.is_builtin = true,
				.params =
					builtin->code == CANON_TASK_RETURN ? "ii" : builtin->params,
				.results = builtin->results,
				.options = builtin_options(
					builtin, skip_prefix(&name, "[async-lower]")),
				.code = builtin->code,
				.immediates = builtin->immediates,
				.slot = n,
			};
			return 0;
		}
	}
	return 1;
}

const char *wrap_iface_name(enum wrap_iface iface)
{
	return iface_names[iface];
}

enum wrap_iface wrap_host_iface(uint32_t host_idx)
{
	return host_funcs[host_idx].iface;
}

const char *wrap_host_name(uint32_t host_idx)
{
	const char *name = host_funcs[host_idx].name;
	const char *bracket = strchr(name, ']');

	return bracket != NULL ? bracket + 1 : name;
}

// ---- instance types -----------------------------------------------------------------------------

// Component value types and declarations, by their bytes.
enum {
	T_U8 = 0x7d,
	T_U32 = 0x79,
	T_U64 = 0x77,
	T_STRING = 0x73,
	T_RECORD = 0x72,
	T_VARIANT = 0x71,
	T_LIST = 0x70,
	T_TUPLE = 0x6f,
	T_ENUM = 0x6d,
	T_OPTION = 0x6b,
	T_RESULT = 0x6a,
	T_FUNC = 0x40,
	T_FUNC_ASYNC = 0x43,
	T_INSTANCE = 0x42,
	DECL_TYPE = 0x01,
	DECL_EXPORT = 0x04,
	SORT_FUNC = 0x01,
	SORT_TYPE = 0x03,
	NONE = 0xff,
};

// The declarations of an instance type. Type indices here are below 64, so that each is one byte, as a primitive is.
struct decls {
	struct ws_bytes bytes;
	uint32_t n;
	uint8_t n_types;
};

// Begin a type; its bytes follow. Returns its index.
static uint8_t decl_type(struct decls *d, uint8_t constructor)
{
	ws_bytes_u8(&d->bytes, DECL_TYPE);
	ws_bytes_u8(&d->bytes, constructor);
	d->n++;
	return d->n_types++;
}

static uint8_t decl_unary(struct decls *d, uint8_t constructor, uint8_t of)
{
	const uint8_t type = decl_type(d, constructor);

	ws_bytes_u8(&d->bytes, of);
	return type;
}

static void decl_export(struct decls *d, const char *name)
{
	ws_bytes_u8(&d->bytes, DECL_EXPORT);
	ws_bytes_u8(&d->bytes, 0);
	ws_bytes_str(&d->bytes, name);
	d->n++;
}

// Export a type under a name. Returns the index that names it from then on.
static uint8_t decl_named(struct decls *d, const char *name, uint8_t type)
{
	decl_export(d, name);
	ws_bytes_u8(&d->bytes, SORT_TYPE);
	ws_bytes_u8(&d->bytes, 0); // eq
	ws_bytes_u8(&d->bytes, type);
	return d->n_types++;
}

struct param {
	const char *name;
	uint8_t type;
};

// A function type and its export. result may be NONE.
static void decl_func(struct decls *d, const char *name, uint8_t constructor,
	const struct param *params, uint32_t n_params, uint8_t result)
{
	const uint8_t type = decl_type(d, constructor);

	ws_bytes_u32(&d->bytes, n_params);
	for (uint32_t i = 0; i < n_params; i++) {
		ws_bytes_str(&d->bytes, params[i].name);
		ws_bytes_u8(&d->bytes, params[i].type);
	}
	ws_bytes_u8(&d->bytes, result == NONE ? 1 : 0);
	ws_bytes_u8(&d->bytes, result == NONE ? 0 : result);
	decl_export(d, name);
	ws_bytes_u8(&d->bytes, SORT_FUNC);
	ws_bytes_u8(&d->bytes, type);
}

static void decl_setup(struct decls *d)
{
	static const char *const fields[] = {"stride", "view", "room", "burst"};
	const uint8_t record = decl_type(d, T_RECORD);
	uint8_t shape, reasons;

	ws_bytes_u32(&d->bytes, 4);
	for (uint32_t i = 0; i < 4; i++) {
		ws_bytes_str(&d->bytes, fields[i]);
		ws_bytes_u8(&d->bytes, T_U32);
	}
	shape = decl_named(d, "shape", record);
	reasons = decl_unary(d, T_LIST, T_STRING);
	decl_func(d, "configure", T_FUNC,
		(struct param[]){{"view", T_U32}, {"room", T_U32}, {"reasons", reasons}}, 3, shape);
}

// result<ok, error>
static uint8_t decl_result(struct decls *d, uint8_t ok, uint8_t error)
{
	const uint8_t type = decl_type(d, T_RESULT);

	ws_bytes_put(&d->bytes, (const uint8_t[]){1, ok, 1, error}, 4);
	return type;
}

static void decl_config(struct decls *d, bool has_get, bool has_get_all)
{
	uint8_t error = decl_type(d, T_VARIANT);

	ws_bytes_u32(&d->bytes, 2);
	ws_bytes_str(&d->bytes, "upstream");
	ws_bytes_put(&d->bytes, (const uint8_t[]){1, T_STRING, 0}, 3);
	ws_bytes_str(&d->bytes, "io");
	ws_bytes_put(&d->bytes, (const uint8_t[]){1, T_STRING, 0}, 3);
	error = decl_named(d, "error", error);
	if (has_get) {
		const uint8_t option = decl_unary(d, T_OPTION, T_STRING);

		decl_func(d, "get", T_FUNC, (struct param[]){{"key", T_STRING}}, 1,
			decl_result(d, option, error));
	}
	if (has_get_all) {
		const uint8_t pair = decl_type(d, T_TUPLE);
		uint8_t list;

		ws_bytes_put(&d->bytes, (const uint8_t[]){2, T_STRING, T_STRING}, 3);
		list = decl_unary(d, T_LIST, pair);
		decl_func(d, "get-all", T_FUNC, NULL, 0, decl_result(d, list, error));
	}
}

static void decl_logging(struct decls *d)
{
	static const char *const levels[] = {"trace", "debug", "info", "warn", "error", "critical"};
	uint8_t level = decl_type(d, T_ENUM);

	ws_bytes_u32(&d->bytes, 6);
	for (uint32_t i = 0; i < 6; i++)
		ws_bytes_str(&d->bytes, levels[i]);
	level = decl_named(d, "level", level);
	decl_func(d, "log", T_FUNC,
		(struct param[]){{"level", level}, {"context", T_STRING}, {"message", T_STRING}}, 3,
		NONE);
}

static bool is_used(uint64_t used, enum wrap_iface iface, const char *name)
{
	for (uint32_t i = 0; i < HOST_FUNCS; i++)
		if ((used >> i & 1) != 0 && host_funcs[i].iface == iface &&
			strcmp(wrap_host_name(i), name) == 0)
			return true;
	return false;
}

static void decl_clock(struct decls *d, uint64_t used)
{
	if (is_used(used, WRAP_IFACE_CLOCK, "now"))
		decl_func(d, "now", T_FUNC, NULL, 0, T_U64);
	if (is_used(used, WRAP_IFACE_CLOCK, "get-resolution"))
		decl_func(d, "get-resolution", T_FUNC, NULL, 0, T_U64);
	if (is_used(used, WRAP_IFACE_CLOCK, "wait-until"))
		decl_func(
			d, "wait-until", T_FUNC_ASYNC, (struct param[]){{"when", T_U64}}, 1, NONE);
	if (is_used(used, WRAP_IFACE_CLOCK, "wait-for"))
		decl_func(d, "wait-for", T_FUNC_ASYNC, (struct param[]){{"how-long", T_U64}}, 1,
			NONE);
}

static void decl_random(struct decls *d, uint64_t used)
{
	if (is_used(used, WRAP_IFACE_RANDOM, "get-random-bytes")) {
		const uint8_t list = decl_unary(d, T_LIST, T_U8);

		decl_func(d, "get-random-bytes", T_FUNC, (struct param[]){{"max-len", T_U64}}, 1,
			list);
	}
	if (is_used(used, WRAP_IFACE_RANDOM, "get-random-u64"))
		decl_func(d, "get-random-u64", T_FUNC, NULL, 0, T_U64);
}

void wrap_iface_type(struct ws_bytes *out, enum wrap_iface iface, uint64_t used)
{
	struct decls d = {0};

	switch (iface) {
	case WRAP_IFACE_SETUP:
		decl_setup(&d);
		break;
	case WRAP_IFACE_CLOCK:
		decl_clock(&d, used);
		break;
	case WRAP_IFACE_CONFIG:
		decl_config(&d, is_used(used, iface, "get"), is_used(used, iface, "get-all"));
		break;
	case WRAP_IFACE_LOGGING:
		decl_logging(&d);
		break;
	case WRAP_IFACE_RANDOM:
		decl_random(&d, used);
		break;
	case WRAP_IFACES:
		break;
	}
	ws_bytes_u8(out, T_INSTANCE);
	ws_bytes_u32(out, d.n);
	ws_bytes_put(out, d.bytes.data, d.bytes.len);
	out->has_failed |= d.bytes.has_failed;
	ws_bytes_fini(&d.bytes);
}
