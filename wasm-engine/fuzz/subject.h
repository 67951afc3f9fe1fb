// SPDX-License-Identifier: BSD-3-Clause
// fuzz_subject: a store with small limits, imports made to measure, calls with a deadline. For the targets that run
// what they were given.
#pragma once

#include "we.h"

enum {
	FUZZ_SLOTS = 4096 // of parameters or results, at most
};

struct fuzz_subject {
	struct we_engine *engine;
	struct we_store *store;
	const uint8_t *data; // where arguments come from, [len]
	size_t len;
	size_t at;
	unsigned int n_deadlines; // calls that were ended
	bool is_beside;           // the engine is another's
};

// Borrows: data until fini. Aborts when there is no memory.
void fuzz_subject_init(struct fuzz_subject *subject, const uint8_t *data, size_t len);
// Another store in the engine of a subject, which goes after this; it sees the same arguments.
void fuzz_subject_init_beside(struct fuzz_subject *subject, const struct fuzz_subject *other);
void fuzz_subject_fini(struct fuzz_subject *subject);

// Something of the host that satisfies the type. Returns 1 when there is none.
int fuzz_subject_supply(struct fuzz_subject *subject, const struct we_externtype *type,
	struct we_extern *ret_extern);

// Call every exported function of an instance, look at everything else that it exports.
void fuzz_subject_use(struct fuzz_subject *subject, const struct we_module *module,
	const struct we_instance *inst);

// Is this an answer that instantiation or a call may give? Aborts when not.
void fuzz_subject_check(int rc, const struct we_error *err);

// Where there are several: calls in the store of this one have the deadline now. It is the last one made at first.
void fuzz_subject_watch(const struct fuzz_subject *subject);
// Call a function with the next arguments. slots: room for FUZZ_SLOTS; results.
// Returns: as we_func_call, checked; 1 when there are no arguments to give.
int fuzz_subject_call(
	struct fuzz_subject *subject, struct we_func *func, uint64_t *slots, struct we_error *err);
// Take the exception that is under way. slots: its arguments, when there are not more than FUZZ_SLOTS.
uint64_t fuzz_subject_catch(struct fuzz_subject *subject, uint64_t *slots);
