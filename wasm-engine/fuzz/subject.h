// SPDX-License-Identifier: BSD-3-Clause
// fuzz_subject: a store with small limits, imports made to measure, calls with a deadline. For the targets that run
// what they were given.
#pragma once

#include "we.h"

struct fuzz_subject {
	struct we_engine *engine;
	struct we_store *store;
	const uint8_t *data; // where arguments come from, [len]
	size_t len;
	size_t at;
	unsigned int n_deadlines; // calls that were ended
};

// Borrows: data until fini. Aborts when there is no memory.
void fuzz_subject_init(struct fuzz_subject *subject, const uint8_t *data, size_t len);
void fuzz_subject_fini(struct fuzz_subject *subject);

// Something of the host that satisfies the type. Returns 1 when there is none.
int fuzz_subject_supply(struct fuzz_subject *subject, const struct we_externtype *type,
	struct we_extern *ret_extern);

// Call every exported function of an instance, look at everything else that it exports.
void fuzz_subject_use(struct fuzz_subject *subject, const struct we_module *module,
	const struct we_instance *inst);

// Is this an answer that instantiation or a call may give? Aborts when not.
void fuzz_subject_check(int rc, const struct we_error *err);
