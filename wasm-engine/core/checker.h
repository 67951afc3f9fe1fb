// SPDX-License-Identifier: BSD-3-Clause
// we_checker: the state of the validation algorithm, for the files that hold its rules.
//
// Module path 2/6. validate_body.c has the stacks, control and what 2.0 had; validate_ref.c references, structures,
// arrays and exceptions.
// Owns:   nothing; the stacks are the caller's scratch.
// Thread: any; one validation touches only its own.
// Spec:   core "Validation Algorithm".
#pragma once

#include "instr.h"
#include "validate_body.h"

// A block that is open.
struct we_ctrl_frame {
	enum we_op op;             // NONE for the body itself
	struct we_blocktype block; // for the body: its function type, or the one type of a constant
	uint32_t height;           // of the value stack at its start
	size_t n_inits;            // locals set before it began
	bool is_unreachable;       // the rest of it is
};

struct we_checker {
	const struct we_module *module;
	const struct we_engine *engine;
	const struct we_module_spaces *is;
	struct we_body_scratch *scratch;
	we_valtype *vals;            // [max_vals], scratch->vals: the value stack
	struct we_vec *ctrls;        // scratch->ctrls
	struct we_ctrl_frame *frame; // the innermost of them; NULL: none
	const we_valtype *locals;    // [n_locals], scratch->locals
	bool *unset;                 // [n_locals], scratch->unset
	struct we_error *err;
	const struct we_instr *in; // at which we are
	void *translation;         // of the tier, or NULL
	uint64_t features;         // bits of enum we_feature, seen so far
	we_funcidx func;           // or WE_NO_FUNC
	uint32_t n_locals;
	uint32_t n_vals; // on the value stack now
	uint32_t max_vals;
};

// Returns: INVALID with "mnemonic: message" at the instruction.
int we_checker_invalid(const struct we_checker *c, const char *fmt, ...) WE_PRINTF(2, 3);
int we_checker_unknown(const struct we_checker *c, const char *what, uint32_t idx, uint32_t n);

WE_MUST_USE int we_checker_push(struct we_checker *c, we_valtype type);
WE_MUST_USE int we_checker_push_n(struct we_checker *c, const we_valtype *types, uint32_t n);
// Pop a value of type `expected`, or n of them, the last one on top.
WE_MUST_USE int we_checker_pop(struct we_checker *c, we_valtype expected);
WE_MUST_USE int we_checker_pop_n(struct we_checker *c, const we_valtype *types, uint32_t n);
// Pop whatever is there. expected is for the message.
WE_MUST_USE int we_checker_pop_any(struct we_checker *c, we_valtype expected, we_valtype *ret);
// What follows up to the end of the block cannot be reached.
void we_checker_set_unreachable(struct we_checker *c);
// The types that a branch to the label carries, lent; the label exists.
WE_MUST_USE int we_checker_label(const struct we_checker *c, we_labelidx label,
	const we_valtype **ret_types, uint32_t *ret_n);
// Returns: 0, or INVALID naming the index.
WE_MUST_USE int we_checker_functype(const struct we_checker *c, we_typeidx idx);
WE_MUST_USE int we_checker_data(const struct we_checker *c, we_dataidx idx);
WE_MUST_USE int we_checker_elem(const struct we_checker *c, we_elemidx idx);
// A call of a function of this type: its parameters become its results, or those of the caller.
WE_MUST_USE int we_checker_call(struct we_checker *c, const struct we_functype *type, bool is_tail);

// ---- validate_ref.c -----------------------------------------------------------------------------

// The rules of references, aggregates and exceptions.
// Returns: 0; INVALID; NOMEM.
WE_MUST_USE int we_checker_ref_rule(struct we_checker *c);
// The clauses of a try_table, whose labels are those around it.
WE_MUST_USE int we_checker_catches(struct we_checker *c);
