// SPDX-License-Identifier: BSD-3-Clause
// we-fuzz-link: up to four modules in one store, each linked against the ones before it. A libFuzzer target.
//
//	we-fuzz-link [-runs=N] CORPUS [SEEDS...]
//
// The input is cut where a module's header stands. An import is looked for by its name, then by its type, among the
// exports of the earlier instances; what is not there the host makes.
#include <stdlib.h>
#include <string.h>

#include "mutator.h"
#include "subject.h"

enum {
	MODULES = 4,
	IMPORTS = 64,
	HEADER_BYTES = 8
};

static const uint8_t header[HEADER_BYTES] = {0, 'a', 's', 'm', 1, 0, 0, 0};

struct linked {
	struct we_module *module;
	struct we_instance *inst; // NULL: could not be instantiated
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t len, size_t cap, unsigned int seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t len_a, const uint8_t *b, size_t len_b,
	uint8_t *out, size_t cap, unsigned int seed);

// Where the module ends that starts at `at`: at the next header, or with the input.
static size_t module_end(const uint8_t *data, size_t len, size_t at)
{
	for (size_t i = at + 1; i + HEADER_BYTES <= len; i++) {
		if (memcmp(data + i, header, HEADER_BYTES) == 0)
			return i;
	}
	return len;
}

// Mutates one of the modules.
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t len, size_t cap, unsigned int seed)
{
	size_t start = 0;
	size_t end = module_end(data, len, 0);
	uint8_t *copy = malloc(cap);
	size_t n;

	if (copy == NULL)
		return 0;
	for (unsigned int left = seed % MODULES; left > 0 && end < len; left--) {
		start = end;
		end = module_end(data, len, start);
	}
	memcpy(copy, data + start, end - start);
	n = we_mutator_module(copy, end - start, cap - (len - (end - start)), seed / MODULES);
	memmove(data + start + n, data + end, len - end);
	memcpy(data + start, copy, n);
	free(copy);
	return start + n + (len - end);
}

// Puts one input behind the other, or crosses two modules.
size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t len_a, const uint8_t *b, size_t len_b,
	uint8_t *out, size_t cap, unsigned int seed)
{
	if (seed % 4 == 0 || len_a + len_b > cap)
		return we_mutator_cross(a, len_a, b, len_b, out, cap, seed / 4);
	memcpy(out, a, len_a);
	memcpy(out + len_a, b, len_b);
	return len_a + len_b;
}

static bool export_by_name(
	const struct linked *linked, const struct we_import *import, struct we_extern *ret)
{
	return linked->inst != NULL &&
	       we_instance_export(
		       linked->inst, (const char *)import->name.data, import->name.len, ret) == 0;
}

static bool export_by_type(
	const struct linked *linked, const struct we_import *import, struct we_extern *ret)
{
	if (linked->inst == NULL)
		return false;
	for (uint32_t i = 0; i < we_module_n_exports(linked->module); i++) {
		struct we_externtype type;
		struct we_export export;

		we_module_export(linked->module, i, &export);
		if (we_instance_export(linked->inst, (const char *)export.name.data,
			    export.name.len, ret) != 0)
			abort();
		we_extern_type(ret, &type);
		if (we_externtype_matches(&type, &import->type))
			return true;
	}
	return false;
}

static bool find(struct fuzz_subject *subject, const struct linked *linked, uint32_t n,
	const struct we_import *import, struct we_extern *ret)
{
	for (uint32_t i = n; i-- > 0;) {
		if (export_by_name(&linked[i], import, ret))
			return true;
	}
	for (uint32_t i = n; i-- > 0;) {
		if (export_by_type(&linked[i], import, ret))
			return true;
	}
	return fuzz_subject_supply(subject, &import->type, ret) == 0;
}

static void link_one(struct fuzz_subject *subject, struct linked *linked, uint32_t n)
{
	struct we_module *module = linked[n].module;
	const uint32_t n_imports = we_module_n_imports(module);
	struct we_extern externs[IMPORTS];
	struct we_import import;
	struct we_error err;
	int rc;

	if (n_imports > IMPORTS)
		return;
	for (uint32_t i = 0; i < n_imports; i++) {
		we_module_import(module, i, &import);
		if (!find(subject, linked, n, &import, &externs[i]))
			return;
	}
	rc = we_instance_create(subject->store, module, externs, n_imports, &linked[n].inst, &err);
	fuzz_subject_check(rc, &err);
	if (rc < 0)
		linked[n].inst = NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct linked linked[MODULES] = {0};
	struct fuzz_subject subject;
	struct we_error err;
	uint32_t n = 0;

	fuzz_subject_init(&subject, data, len);
	for (size_t at = 0; at < len && n < MODULES;) {
		const size_t end = module_end(data, len, at);
		const struct we_bytes bytes = {data + at, end - at};

		if (we_module_create(subject.engine, bytes, 0, &linked[n].module, &err) == 0) {
			link_one(&subject, linked, n);
			n++;
		}
		at = end;
	}
	for (uint32_t i = 0; i < n; i++) {
		if (linked[i].inst != NULL)
			fuzz_subject_use(&subject, linked[i].module, linked[i].inst);
	}
	for (uint32_t i = 0; i < n; i++)
		we_module_unref(linked[i].module);
	fuzz_subject_fini(&subject);
	return 0;
}
