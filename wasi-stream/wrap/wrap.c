// SPDX-License-Identifier: BSD-3-Clause
// ws_wrap: a core module built against the guest SDK becomes a component.
//
// What is written, in this order: the interfaces that the module imports, with the functions that it uses; a small
// core module of ours with the memory and its allocator, instantiated first; the imports and built-ins lowered straight
// against that memory, so that no call goes through a table; the guest; the lift of process; a nested component that
// gives the interface's types their names.
//
// Thread: any.
// Spec:   Binary.md; CanonicalABI.md "canon lift"; the names are wit-component's.

#include "bytes.h"
#include "reader.h"
#include "world.h"
#include "ws.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	SECTION_CUSTOM = 0,
	SECTION_CORE_MODULE = 1,
	SECTION_CORE_INSTANCE = 2,
	SECTION_COMPONENT = 4,
	SECTION_INSTANCE = 5,
	SECTION_ALIAS = 6,
	SECTION_TYPE = 7,
	SECTION_CANON = 8,
	SECTION_IMPORT = 10,
	SECTION_EXPORT = 11,

	SORT_CORE = 0x00,
	SORT_FUNC = 0x01,
	SORT_TYPE = 0x03,
	SORT_INSTANCE = 0x05,
	CORE_SORT_FUNC = 0x00,
	CORE_SORT_MEMORY = 0x02,
	CORE_SORT_INSTANCE = 0x12,

	CANON_LIFT = 0x00,
	CANON_LOWER = 0x01,
	OPT_UTF8 = 0x00,
	OPT_MEMORY = 0x03,
	OPT_REALLOC = 0x04,
	OPT_ASYNC = 0x06,
	OPT_CALLBACK = 0x07,

	CORE_MEMORY_IDX = 0, // the index spaces of what is written
	CORE_REALLOC_IDX = 0,
	CORE_MEMORY_INSTANCE = 0,

	PAGE_BYTES = 65536,
};

// Types of process, counted from the first behind the imported interfaces' own.
enum process_type {
	TYPE_ERROR,
	TYPE_BYTES,
	TYPE_STATUS,
	TYPE_DONE,
	TYPE_OUT,
	TYPE_PROCESS,
};

// What is known of the guest, and the component as far as it is written.
struct wrap {
	const struct we_module *module;
	struct wrap_import *imports; // [n_imports]; of the memory: zeros
	uint32_t n_imports;
	uint64_t host_used; // bit: row of host.def
	uint32_t ifaces
		[WRAP_IFACES]; // instance index of an interface, WRAP_IFACES when it is not used
	uint32_t n_ifaces;
	uint32_t process_types; // index of TYPE_ERROR
	struct we_externtype memory;
	struct ws_bytes out;
	struct ws_bytes body; // of the section being written
};

// ---- what the guest may be ----------------------------------------------------------------------

static bool name_is(struct we_bytes name, const char *text)
{
	return name.len == strlen(text) && memcmp(name.data, text, name.len) == 0;
}

static bool names_equal(struct we_bytes a, struct we_bytes b)
{
	return a.len == b.len && memcmp(a.data, b.data, a.len) == 0;
}

static bool kinds_match(const char *want, const struct we_functype *type, bool is_result)
{
	const uint32_t n = is_result ? we_functype_n_results(type) : we_functype_n_params(type);

	if (strlen(want) != n)
		return false;
	for (uint32_t i = 0; i < n; i++) {
		const enum we_kind kind =
			is_result ? we_functype_result(type, i) : we_functype_param(type, i);

		if (kind != (want[i] == 'l' ? WE_I64 : WE_I32))
			return false;
	}
	return true;
}

// "(func (param i32 i32) (result i64))"
static void signature_print(const char *params, const char *results, char *buf, size_t cap)
{
	size_t len = (size_t)snprintf(buf, cap, "(func");

	if (*params != '\0')
		len += (size_t)snprintf(buf + len, cap - len, " (param");
	for (const char *p = params; *p != '\0'; p++)
		len += (size_t)snprintf(buf + len, cap - len, *p == 'l' ? " i64" : " i32");
	if (*params != '\0')
		len += (size_t)snprintf(buf + len, cap - len, ")");
	if (*results != '\0')
		len += (size_t)snprintf(
			buf + len, cap - len, " (result %s)", *results == 'l' ? "i64" : "i32");
	snprintf(buf + len, cap - len, ")");
}

// what: "import X Y" or "export Y", with the type that it should have.
static int check_func(const char *what, const struct we_externtype *type, const char *params,
	const char *results, struct we_error *err)
{
	char found[96], expected[64];

	if (type->kind == WE_EXTERN_FUNC && kinds_match(params, type->func, false) &&
		kinds_match(results, type->func, true))
		return 0;
	we_externtype_print(type, found, sizeof(found));
	signature_print(params, results, expected, sizeof(expected));
	return we_error_set(
		err, WE_E_UNLINKABLE, 0, "%s is %s, expected %s", what, found, expected);
}

static int check_memory(struct wrap *w, const struct we_externtype *type, struct we_error *err)
{
	if (type->kind != WE_EXTERN_MEMORY)
		return we_error_set(err, WE_E_UNLINKABLE, 0,
			"import \"env\" \"memory\" is not a memory, expected (memory ...)");
	if (type->is_64)
		return we_error_set(err, WE_E_UNSUPPORTED, 0,
			"a 64-bit memory, expected one with 32-bit addresses");
	w->memory = *type;
	return 0;
}

// Is there an import of that name before import i? The earlier ones are all different names of the world: few.
static bool is_imported_before(const struct wrap *w, uint32_t i)
{
	struct we_import import, earlier;

	we_module_import(w->module, i, &import);
	for (uint32_t j = 0; j < i; j++) {
		we_module_import(w->module, j, &earlier);
		if (names_equal(earlier.module, import.module) &&
			names_equal(earlier.name, import.name))
			return true;
	}
	return false;
}

static int check_imports(struct wrap *w, struct we_error *err)
{
	bool has_memory = false;

	for (uint32_t i = 0; i < w->n_imports; i++) {
		struct we_import import;
		char what[160];
		int rc;

		we_module_import(w->module, i, &import);
		snprintf(what, sizeof(what), "import \"%.*s\" \"%.*s\"",
			(int)(import.module.len < 60 ? import.module.len : 60), import.module.data,
			(int)(import.name.len < 60 ? import.name.len : 60), import.name.data);
		if (is_imported_before(w, i)) {
			rc = we_error_set(err, WE_E_UNLINKABLE, 0,
				"%s stands there twice, expected once", what);
		} else if (name_is(import.module, "env") && name_is(import.name, "memory")) {
			has_memory = true;
			rc = check_memory(w, &import.type, err);
		} else if (wrap_import_resolve(import.module, import.name, &w->imports[i]) != 0) {
			rc = we_error_set(err, WE_E_UNLINKABLE, 0,
				"%s is not in the world of the guest SDK, expected a name of "
				"weir:packet/sdk",
				what);
		} else {
			rc = check_func(what, &import.type, w->imports[i].params,
				w->imports[i].results, err);
			if (!w->imports[i].is_builtin)
				w->host_used |= UINT64_C(1) << w->imports[i].host_idx;
		}
		if (rc != 0)
			return rc;
	}
	if (!has_memory)
		return we_error_set(err, WE_E_UNLINKABLE, 0,
			"no import \"env\" \"memory\", expected it (link with "
			"-Wl,--import-memory)");
	return 0;
}

static int check_exports(const struct we_module *module, struct we_error *err)
{
	bool has_process = false, has_callback = false;

	for (uint32_t i = 0; i < we_module_n_exports(module); i++) {
		struct we_export export;
		int rc = 0;

		we_module_export(module, i, &export);
		if (export.type.kind == WE_EXTERN_MEMORY)
			return we_error_set(err, WE_E_UNLINKABLE, 0,
				"export \"%.*s\" is a memory, expected import \"env\" \"memory\" "
				"instead (link with -Wl,--import-memory)",
				(int)(export.name.len < 40 ? export.name.len : 40),
				export.name.data);
		if (name_is(export.name, "_initialize"))
			return we_error_set(err, WE_E_UNLINKABLE, 0,
				"export \"_initialize\": nothing would call it, expected none "
				"(link with -Wl,--no-entry)");
		if (name_is(export.name, WRAP_PROCESS)) {
			has_process = true;
			rc = check_func("export \"" WRAP_PROCESS "\"", &export.type, "i", "i", err);
		} else if (name_is(export.name, WRAP_CALLBACK)) {
			has_callback = true;
			rc = check_func(
				"export \"" WRAP_CALLBACK "\"", &export.type, "iii", "i", err);
		}
		if (rc != 0)
			return rc;
	}
	if (!has_process || !has_callback)
		return we_error_set(err, WE_E_UNLINKABLE, 0, "no export \"%s\", expected it",
			has_process ? WRAP_CALLBACK : WRAP_PROCESS);
	return 0;
}

// ---- the module that owns the memory ------------------------------------------------------------

// (func (export "cabi_realloc") (param $old $old_size $align $size i32) (result i32) (local $p $n i32)
// Pieces of [$top, $lim), which is this module's alone; then of fresh pages, behind what the guest may have grown.
// clang-format off
static const uint8_t realloc_code[] = {
	0x01, 0x02, 0x7f,                   // (local i32 i32): 4 $p, 5 $n
	0x23, 0x00, 0x20, 0x02, 0x6a,       // $top + $align
	0x41, 0x01, 0x6b,                   // - 1
	0x41, 0x00, 0x20, 0x02, 0x6b,       // -$align
	0x71, 0x21, 0x04,                   // $p = and
	0x20, 0x04, 0xad, 0x20, 0x03, 0xad, // $p + $size, in 64 bits
	0x7c, 0x23, 0x01, 0xad, 0x56,       // > $lim
	0x04, 0x40,                         // if
	0x20, 0x03, 0x41, 0x10, 0x76,       //   $size >> 16
	0x41, 0x01, 0x6a, 0x22, 0x05,       //   $n = + 1
	0x40, 0x00, 0x22, 0x04,             //   $p = memory.grow
	0x41, 0x7f, 0x46,                   //   == -1
	0x04, 0x40, 0x00, 0x0b,             //   if unreachable end
	0x20, 0x04, 0x41, 0x10, 0x74,       //   $p << 16
	0x22, 0x04,                         //   $p =
	0x20, 0x05, 0x41, 0x10, 0x74,       //   $n << 16
	0x6a, 0x24, 0x01,                   //   $lim = +
	0x0b,                               // end
	0x20, 0x04, 0x20, 0x00,             // to $p, from $old
	0x20, 0x01, 0x20, 0x03,             // $old_size or $size,
	0x20, 0x01, 0x20, 0x03, 0x49, 0x1b, // whichever is less
	0xfc, 0x0a, 0x00, 0x00,             // memory.copy
	0x20, 0x04, 0x20, 0x03, 0x6a,       // $p + $size
	0x24, 0x00,                         // $top =
	0x20, 0x04, 0x0b,                   // $p
};
// clang-format on

static void global_i32(struct ws_bytes *b, uint32_t value)
{
	ws_bytes_put(b, (const uint8_t[]){0x7f, 0x01, 0x41}, 3); // mut i32, i32.const
	ws_bytes_s32(b, (int32_t)value);
	ws_bytes_u8(b, 0x0b);
}

// One page beyond what the guest declares is the allocator's, where the declared maximum leaves it.
static void put_memory_module(struct wrap *w)
{
	const uint64_t min = w->memory.min;
	const bool has_page = min < 65535 && (!w->memory.has_max || min < w->memory.max);
	const uint32_t top = (uint32_t)(min * PAGE_BYTES); // 65536 pages: 0, as $lim then
	const uint32_t lim = has_page ? top + PAGE_BYTES : top;
	struct ws_bytes module = {0}, body = {0};

	ws_bytes_put(&module, "\0asm\1\0\0\0", 8);
	ws_bytes_put(&body, "\1\x60\4\x7f\x7f\x7f\x7f\1\x7f", 9);
	ws_bytes_section(&module, 1, &body); // types
	ws_bytes_put(&body, "\1\0", 2);
	ws_bytes_section(&module, 3, &body); // functions
	ws_bytes_u8(&body, 1);
	ws_bytes_u8(&body, w->memory.has_max);
	ws_bytes_u32(&body, (uint32_t)min + has_page);
	if (w->memory.has_max)
		ws_bytes_u32(&body, (uint32_t)w->memory.max);
	ws_bytes_section(&module, 5, &body); // memories
	ws_bytes_u8(&body, 2);
	global_i32(&body, top);
	global_i32(&body, lim);
	ws_bytes_section(&module, 6, &body); // globals
	ws_bytes_u8(&body, 2);
	ws_bytes_str(&body, "memory");
	ws_bytes_put(&body, "\2\0", 2);
	ws_bytes_str(&body, "cabi_realloc");
	ws_bytes_put(&body, "\0\0", 2);
	ws_bytes_section(&module, 7, &body); // exports
	ws_bytes_u8(&body, 1);
	ws_bytes_u32(&body, sizeof(realloc_code));
	ws_bytes_put(&body, realloc_code, sizeof(realloc_code));
	ws_bytes_section(&module, 10, &body); // code
	ws_bytes_section(&w->out, SECTION_CORE_MODULE, &module);
	ws_bytes_fini(&body);
	ws_bytes_fini(&module);
}

// ---- the guest ----------------------------------------------------------------------------------

// Custom sections that speak to linkers and to wit-component, not to who runs the module.
static bool is_for_tools(struct we_bytes name)
{
	static const char type[] = "component-type";

	return name_is(name, "target_features") ||
	       (name.len >= sizeof(type) - 1 && memcmp(name.data, type, sizeof(type) - 1) == 0);
}

// The guest's module as it came, without those sections. The bytes have been validated.
static int put_guest_module(struct wrap *w, struct we_bytes bytes, struct we_error *err)
{
	struct ws_bytes module = {0};
	struct we_reader r;
	struct we_bytes head;
	int rc;

	we_reader_init(&r, bytes, 0, err);
	rc = we_reader_bytes(&r, 8, &head);
	ws_bytes_put(&module, head.data, rc == 0 ? head.len : 0);
	while (rc == 0 && !we_reader_at_end(&r)) {
		const uint8_t *start = r.at;
		struct we_reader section;
		struct we_bytes name;
		uint8_t id = 0;
		uint32_t len = 0;

		rc = we_reader_u8(&r, &id);
		if (rc == 0)
			rc = we_reader_u32(&r, &len);
		if (rc == 0)
			rc = we_reader_sub(&r, len, &section);
		if (rc == 0 && id == SECTION_CUSTOM) {
			rc = we_reader_name(&section, &name);
			if (rc == 0 && is_for_tools(name))
				continue;
		}
		if (rc == 0)
			ws_bytes_put(&module, start, (size_t)(r.at - start));
	}
	if (rc == 0)
		ws_bytes_section(&w->out, SECTION_CORE_MODULE, &module);
	ws_bytes_fini(&module);
	return rc;
}

// ---- the component around it --------------------------------------------------------------------

static void put_section(struct wrap *w, uint8_t id)
{
	ws_bytes_section(&w->out, id, &w->body);
}

static void put_name_attributes(struct ws_bytes *b, const char *name)
{
	ws_bytes_u8(b, 0);
	ws_bytes_str(b, name);
}

static void put_interfaces(struct wrap *w)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < WRAP_IFACES; i++)
		w->ifaces[i] = WRAP_IFACES;
	for (uint32_t i = 0; i < 64; i++)
		if ((w->host_used >> i & 1) != 0)
			w->ifaces[wrap_host_iface(i)] = 0;
	for (uint32_t i = 0; i < WRAP_IFACES; i++)
		if (w->ifaces[i] == 0)
			w->ifaces[i] = n++;
	w->n_ifaces = n;
	w->process_types = n;
	if (n == 0)
		return;
	ws_bytes_u32(&w->body, n);
	for (uint32_t i = 0; i < WRAP_IFACES; i++)
		if (w->ifaces[i] != WRAP_IFACES)
			wrap_iface_type(&w->body, (enum wrap_iface)i, w->host_used);
	put_section(w, SECTION_TYPE);
	ws_bytes_u32(&w->body, n);
	for (uint32_t i = 0; i < WRAP_IFACES; i++) {
		if (w->ifaces[i] == WRAP_IFACES)
			continue;
		put_name_attributes(&w->body, wrap_iface_name((enum wrap_iface)i));
		ws_bytes_u8(&w->body, SORT_INSTANCE);
		ws_bytes_u32(&w->body, w->ifaces[i]);
	}
	put_section(w, SECTION_IMPORT);
}

// Memory and allocator out of their instance, then one component function for each import of a host function.
static void put_aliases(struct wrap *w)
{
	uint32_t n = 2;

	for (uint32_t i = 0; i < w->n_imports; i++)
		n += w->imports[i].params != NULL && !w->imports[i].is_builtin;
	ws_bytes_u32(&w->body, n);
	ws_bytes_put(&w->body, (const uint8_t[]){SORT_CORE, CORE_SORT_MEMORY, 0x01}, 3);
	ws_bytes_u32(&w->body, CORE_MEMORY_INSTANCE);
	ws_bytes_str(&w->body, "memory");
	ws_bytes_put(&w->body, (const uint8_t[]){SORT_CORE, CORE_SORT_FUNC, 0x01}, 3);
	ws_bytes_u32(&w->body, CORE_MEMORY_INSTANCE);
	ws_bytes_str(&w->body, "cabi_realloc");
	for (uint32_t i = 0; i < w->n_imports; i++) {
		if (w->imports[i].params == NULL || w->imports[i].is_builtin)
			continue;
		ws_bytes_put(&w->body, (const uint8_t[]){SORT_FUNC, 0x00}, 2);
		ws_bytes_u32(&w->body, w->ifaces[wrap_host_iface(w->imports[i].host_idx)]);
		ws_bytes_str(&w->body, wrap_host_name(w->imports[i].host_idx));
	}
	put_section(w, SECTION_ALIAS);
}

// variant error { malformed, internal(string) }
static void put_error_type(struct ws_bytes *b)
{
	ws_bytes_put(b, (const uint8_t[]){0x71, 2}, 2);
	ws_bytes_str(b, "malformed");
	ws_bytes_put(b, (const uint8_t[]){0, 0}, 2);
	ws_bytes_str(b, "internal");
	ws_bytes_put(b, (const uint8_t[]){1, 0x73, 0}, 3);
}

static void put_bytes_type(struct ws_bytes *b)
{
	ws_bytes_put(b, (const uint8_t[]){0x66, 1, 0x7d}, 3);
}

// result<_, error>, future of it, tuple<stream<u8>, future>, async func(rx: stream<u8>) -> tuple: four types, the first
// of which gets index first.
static void put_process_types(struct ws_bytes *b, uint32_t error, uint32_t bytes, uint32_t first)
{
	ws_bytes_put(b, (const uint8_t[]){0x6a, 0, 1}, 3);
	ws_bytes_u32(b, error);
	ws_bytes_put(b, (const uint8_t[]){0x65, 1}, 2);
	ws_bytes_u32(b, first);
	ws_bytes_put(b, (const uint8_t[]){0x6f, 2}, 2);
	ws_bytes_u32(b, bytes);
	ws_bytes_u32(b, first + 1);
	ws_bytes_put(b, (const uint8_t[]){0x43, 1}, 2);
	ws_bytes_str(b, "rx");
	ws_bytes_u32(b, bytes);
	ws_bytes_u8(b, 0);
	ws_bytes_u32(b, first + 2);
}

static void put_types(struct wrap *w)
{
	ws_bytes_u32(&w->body, TYPE_PROCESS + 1);
	put_error_type(&w->body);
	put_bytes_type(&w->body);
	put_process_types(&w->body, w->process_types + TYPE_ERROR, w->process_types + TYPE_BYTES,
		w->process_types + TYPE_STATUS);
	put_section(w, SECTION_TYPE);
}

static void put_options(struct ws_bytes *b, uint32_t options, bool has_text)
{
	const bool has_memory = (options & WRAP_MEMORY) != 0;
	const bool has_realloc = (options & WRAP_REALLOC) != 0;
	const bool is_async = (options & WRAP_ASYNC) != 0;

	ws_bytes_u32(b, (uint32_t)has_text + has_memory + has_realloc + is_async);
	if (has_text)
		ws_bytes_u8(b, OPT_UTF8);
	if (has_memory) {
		ws_bytes_u8(b, OPT_MEMORY);
		ws_bytes_u32(b, CORE_MEMORY_IDX);
	}
	if (has_realloc) {
		ws_bytes_u8(b, OPT_REALLOC);
		ws_bytes_u32(b, CORE_REALLOC_IDX);
	}
	if (is_async)
		ws_bytes_u8(b, OPT_ASYNC);
}

static void put_builtin(struct wrap *w, const struct wrap_import *import)
{
	struct ws_bytes *b = &w->body;
	const uint32_t bytes = w->process_types + TYPE_BYTES;
	const uint32_t done = w->process_types + TYPE_DONE;
	const bool is_async = (import->options & WRAP_ASYNC) != 0;

	ws_bytes_u8(b, import->code);
	switch (import->immediates) {
	case WRAP_NONE:
	case WRAP_OTHER:
		break;
	case WRAP_RESULT_OPTS:
		ws_bytes_u8(b, 0);
		ws_bytes_u32(b, w->process_types + TYPE_OUT);
		put_options(b, import->options, true);
		break;
	case WRAP_SLOT:
		ws_bytes_u8(b, 0x7f); // i32
		ws_bytes_u32(b, import->slot);
		break;
	case WRAP_ASYNC_FLAG:
		ws_bytes_u8(b, is_async);
		break;
	case WRAP_CANCEL:
		ws_bytes_u8(b, 0);
		break;
	case WRAP_CANCEL_MEMORY:
		ws_bytes_u8(b, 0);
		ws_bytes_u32(b, CORE_MEMORY_IDX);
		break;
	case WRAP_STREAM:
		ws_bytes_u32(b, bytes);
		break;
	case WRAP_STREAM_OPTS:
		ws_bytes_u32(b, bytes);
		put_options(b, import->options, false);
		break;
	case WRAP_STREAM_ASYNC:
		ws_bytes_u32(b, bytes);
		ws_bytes_u8(b, is_async);
		break;
	case WRAP_FUTURE:
		ws_bytes_u32(b, done);
		break;
	case WRAP_FUTURE_OPTS:
		ws_bytes_u32(b, done);
		put_options(b, import->options, true);
		break;
	case WRAP_FUTURE_ASYNC:
		ws_bytes_u32(b, done);
		ws_bytes_u8(b, is_async);
		break;
	}
}

// One core function for each import, in the guest's order; the first gets index CORE_REALLOC_IDX + 1.
static void put_lowered(struct wrap *w)
{
	uint32_t n = 0, host_func = 0;

	for (uint32_t i = 0; i < w->n_imports; i++)
		n += w->imports[i].params != NULL;
	ws_bytes_u32(&w->body, n);
	for (uint32_t i = 0; i < w->n_imports; i++) {
		if (w->imports[i].params == NULL)
			continue;
		if (w->imports[i].is_builtin) {
			put_builtin(w, &w->imports[i]);
			continue;
		}
		ws_bytes_put(&w->body, (const uint8_t[]){CANON_LOWER, 0}, 2);
		ws_bytes_u32(&w->body, host_func++);
		put_options(&w->body, w->imports[i].options,
			(w->imports[i].options & WRAP_MEMORY) != 0);
	}
	put_section(w, SECTION_CANON);
}

// Is import i the first one from its module?
static bool is_first_of_module(const struct wrap *w, uint32_t i)
{
	struct we_import import, earlier;

	we_module_import(w->module, i, &import);
	for (uint32_t j = 0; j < i; j++) {
		we_module_import(w->module, j, &earlier);
		if (names_equal(earlier.module, import.module))
			return false;
	}
	return true;
}

// A core instance of the functions that come from the module of import `first`.
static void put_import_instance(struct wrap *w, uint32_t first)
{
	struct ws_bytes exports = {0};
	struct we_import import, other;
	uint32_t n = 0, core_func = CORE_REALLOC_IDX + 1;

	we_module_import(w->module, first, &import);
	for (uint32_t i = 0; i < w->n_imports; i++) {
		if (w->imports[i].params == NULL)
			continue;
		we_module_import(w->module, i, &other);
		if (names_equal(other.module, import.module)) {
			ws_bytes_name(&exports, (const char *)other.name.data, other.name.len);
			ws_bytes_u8(&exports, CORE_SORT_FUNC);
			ws_bytes_u32(&exports, core_func);
			n++;
		}
		core_func++;
	}
	ws_bytes_u8(&w->body, 0x01);
	ws_bytes_u32(&w->body, n);
	ws_bytes_put(&w->body, exports.data, exports.len);
	w->body.has_failed |= exports.has_failed;
	ws_bytes_fini(&exports);
}

// The modules that the guest imports from, as core instances, and the guest, the last. Returns the guest's index.
static uint32_t put_guest_instance(struct wrap *w)
{
	struct ws_bytes args = {0};
	uint32_t n = 0; // import modules beside "env"

	for (uint32_t i = 0; i < w->n_imports; i++)
		n += w->imports[i].params != NULL && is_first_of_module(w, i);
	ws_bytes_u32(&w->body, n + 1);
	ws_bytes_u32(&args, n + 1);
	ws_bytes_str(&args, "env");
	ws_bytes_u8(&args, CORE_SORT_INSTANCE);
	ws_bytes_u32(&args, CORE_MEMORY_INSTANCE);
	n = CORE_MEMORY_INSTANCE + 1;
	for (uint32_t i = 0; i < w->n_imports; i++) {
		struct we_import import;

		if (w->imports[i].params == NULL || !is_first_of_module(w, i))
			continue;
		put_import_instance(w, i);
		we_module_import(w->module, i, &import);
		ws_bytes_name(&args, (const char *)import.module.data, import.module.len);
		ws_bytes_u8(&args, CORE_SORT_INSTANCE);
		ws_bytes_u32(&args, n++);
	}
	ws_bytes_put(&w->body, (const uint8_t[]){0x00, 1}, 2); // instantiate core module 1
	ws_bytes_put(&w->body, args.data, args.len);
	w->body.has_failed |= args.has_failed;
	ws_bytes_fini(&args);
	put_section(w, SECTION_CORE_INSTANCE);
	return n;
}

// process and its callback out of the guest, lifted. Returns the index of the component function.
static uint32_t put_lift(struct wrap *w, uint32_t guest)
{
	uint32_t core_func = CORE_REALLOC_IDX + 1, host_funcs = 0;

	for (uint32_t i = 0; i < w->n_imports; i++) {
		core_func += w->imports[i].params != NULL;
		host_funcs += w->imports[i].params != NULL && !w->imports[i].is_builtin;
	}
	ws_bytes_u32(&w->body, 2);
	ws_bytes_put(&w->body, (const uint8_t[]){SORT_CORE, CORE_SORT_FUNC, 0x01}, 3);
	ws_bytes_u32(&w->body, guest);
	ws_bytes_str(&w->body, WRAP_PROCESS);
	ws_bytes_put(&w->body, (const uint8_t[]){SORT_CORE, CORE_SORT_FUNC, 0x01}, 3);
	ws_bytes_u32(&w->body, guest);
	ws_bytes_str(&w->body, WRAP_CALLBACK);
	put_section(w, SECTION_ALIAS);
	ws_bytes_put(&w->body, (const uint8_t[]){1, CANON_LIFT, 0}, 3);
	ws_bytes_u32(&w->body, core_func);
	ws_bytes_put(&w->body,
		(const uint8_t[]){
			4, OPT_UTF8, OPT_MEMORY, CORE_MEMORY_IDX, OPT_ASYNC, OPT_CALLBACK},
		6);
	ws_bytes_u32(&w->body, core_func + 1);
	ws_bytes_u32(&w->body, w->process_types + TYPE_PROCESS);
	put_section(w, SECTION_CANON);
	return host_funcs;
}

// A component that imports `error` and `process`, and exports both under the interface's names.
static void put_interface_component(struct wrap *w)
{
	enum {
		ERROR_IN = 1,
		BYTES = 2,
		STATUS_IN = 3,
		ERROR_OUT = 8,
		STATUS_OUT = 9
	}; // type indices
	struct ws_bytes inner = {0}, body = {0};

	ws_bytes_put(&inner, "\0asm\x0d\0\1\0", 8);
	ws_bytes_u32(&body, 1);
	put_error_type(&body); // type 0
	ws_bytes_section(&inner, SECTION_TYPE, &body);
	ws_bytes_u32(&body, 1);
	put_name_attributes(&body, "import-type-error"); // type 1, eq 0
	ws_bytes_put(&body, (const uint8_t[]){SORT_TYPE, 0, 0}, 3);
	ws_bytes_section(&inner, SECTION_IMPORT, &body);
	ws_bytes_u32(&body, 5);
	put_bytes_type(&body);                                // type 2
	put_process_types(&body, ERROR_IN, BYTES, STATUS_IN); // types 3 to 6
	ws_bytes_section(&inner, SECTION_TYPE, &body);
	ws_bytes_u32(&body, 1);
	put_name_attributes(&body, "import-func-process"); // func 0
	ws_bytes_put(&body, (const uint8_t[]){SORT_FUNC, STATUS_IN + 3}, 2);
	ws_bytes_section(&inner, SECTION_IMPORT, &body);
	ws_bytes_u32(&body, 1);
	put_error_type(&body); // type 7
	ws_bytes_section(&inner, SECTION_TYPE, &body);
	ws_bytes_u32(&body, 1);
	put_name_attributes(&body, "error"); // type 8
	ws_bytes_put(&body, (const uint8_t[]){SORT_TYPE, 7, 0}, 3);
	ws_bytes_section(&inner, SECTION_EXPORT, &body);
	ws_bytes_u32(&body, 4);
	put_process_types(&body, ERROR_OUT, BYTES, STATUS_OUT); // types 9 to 12
	ws_bytes_section(&inner, SECTION_TYPE, &body);
	ws_bytes_u32(&body, 1);
	put_name_attributes(&body, "process");
	ws_bytes_put(&body, (const uint8_t[]){SORT_FUNC, 0, 1, SORT_FUNC, STATUS_OUT + 3}, 5);
	ws_bytes_section(&inner, SECTION_EXPORT, &body);
	ws_bytes_section(&w->out, SECTION_COMPONENT, &inner);
	ws_bytes_fini(&body);
	ws_bytes_fini(&inner);
}

static void put_interface(struct wrap *w, uint32_t process)
{
	put_interface_component(w);
	ws_bytes_put(&w->body, (const uint8_t[]){1, 0x00, 0}, 3); // instantiate component 0
	ws_bytes_u32(&w->body, 2);
	ws_bytes_str(&w->body, "import-func-process");
	ws_bytes_u8(&w->body, SORT_FUNC);
	ws_bytes_u32(&w->body, process);
	ws_bytes_str(&w->body, "import-type-error");
	ws_bytes_u8(&w->body, SORT_TYPE);
	ws_bytes_u32(&w->body, w->process_types + TYPE_ERROR);
	put_section(w, SECTION_INSTANCE);
	ws_bytes_u32(&w->body, 1);
	put_name_attributes(&w->body, WRAP_FILTER);
	ws_bytes_u8(&w->body, SORT_INSTANCE);
	ws_bytes_u32(&w->body, w->n_ifaces);
	ws_bytes_u8(&w->body, 0);
	put_section(w, SECTION_EXPORT);
}

static int put_component(struct wrap *w, struct we_bytes core_module, struct we_error *err)
{
	uint32_t guest;
	int rc;

	ws_bytes_put(&w->out, "\0asm\x0d\0\1\0", 8);
	put_interfaces(w);
	put_memory_module(w);
	ws_bytes_put(&w->body, (const uint8_t[]){1, 0x00, 0, 0}, 4); // instantiate core module 0
	put_section(w, SECTION_CORE_INSTANCE);
	put_aliases(w);
	put_types(w);
	put_lowered(w);
	rc = put_guest_module(w, core_module, err);
	if (rc != 0)
		return rc;
	guest = put_guest_instance(w);
	put_interface(w, put_lift(w, guest));
	if (w->out.has_failed || w->body.has_failed)
		return we_error_set(err, WE_E_NOMEM, 0, "no memory for the component");
	return 0;
}

int ws_wrap(struct we_engine *engine, struct we_bytes core_module, uint8_t **ret_data,
	size_t *ret_len, struct we_error *err)
{
	struct we_module *module = NULL;
	struct wrap w = {0};
	int rc;

	if (cm_is_component(core_module))
		return we_error_set(err, WE_E_INVALID, 0, "a component, expected a core module");
	rc = we_module_create(engine, core_module, 0, &module, err);
	if (rc != 0)
		return rc;
	w.module = module;
	w.n_imports = we_module_n_imports(module);
	w.imports = calloc((size_t)w.n_imports + 1, sizeof(*w.imports));
	if (w.imports == NULL) {
		rc = we_error_set(err, WE_E_NOMEM, 0, "no memory for %u imports", w.n_imports);
		goto out;
	}
	rc = check_imports(&w, err);
	if (rc == 0)
		rc = check_exports(module, err);
	if (rc == 0)
		rc = put_component(&w, core_module, err);
	if (rc == 0) {
		*ret_data = w.out.data;
		*ret_len = w.out.len;
		w.out = (struct ws_bytes){0};
	}
out:
	ws_bytes_fini(&w.body);
	ws_bytes_fini(&w.out);
	free(w.imports);
	we_module_unref(module);
	return rc;
}
