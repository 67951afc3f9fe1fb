// SPDX-License-Identifier: BSD-3-Clause
// we-fuzz-run: a module is translated, instantiated and run. A libFuzzer target.
//
//	we-fuzz-run [-runs=N] CORPUS [SEEDS...]
//
// Imports are made to measure; every exported function is called with bytes of the input as arguments, and ended by
// the deadline of subject.c.
#include <stdlib.h>

#include "mutator.h"
#include "subject.h"

enum {
	IMPORTS = 64
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t len, size_t cap, unsigned int seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t len_a, const uint8_t *b, size_t len_b,
	uint8_t *out, size_t cap, unsigned int seed);

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t len, size_t cap, unsigned int seed)
{
	return we_mutator_module(data, len, cap, seed);
}

size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t len_a, const uint8_t *b, size_t len_b,
	uint8_t *out, size_t cap, unsigned int seed)
{
	return we_mutator_cross(a, len_a, b, len_b, out, cap, seed);
}

static void run(struct fuzz_subject *subject, struct we_module *module)
{
	const uint32_t n = we_module_n_imports(module);
	struct we_extern externs[IMPORTS];
	struct we_instance *inst;
	struct we_import import;
	struct we_error err;
	int rc;

	if (n > IMPORTS)
		return;
	for (uint32_t i = 0; i < n; i++) {
		we_module_import(module, i, &import);
		if (fuzz_subject_supply(subject, &import.type, &externs[i]) != 0)
			return;
	}
	rc = we_instance_create(subject->store, module, externs, n, &inst, &err);
	fuzz_subject_check(rc, &err);
	if (rc == 0)
		fuzz_subject_use(subject, module, inst);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct fuzz_subject subject;
	struct we_module *module;
	struct we_error err;

	fuzz_subject_init(&subject, data, len);
	if (we_module_create(subject.engine, (struct we_bytes){data, len}, 0, &module, &err) == 0) {
		run(&subject, module);
		we_module_unref(module);
	}
	fuzz_subject_fini(&subject);
	return 0;
}
