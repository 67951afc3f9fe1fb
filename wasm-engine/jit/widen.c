// SPDX-License-Identifier: BSD-3-Clause
// An i32 that goes around a loop and is an address in it is zero-extended at every use: the code generator does not know across
// blocks that the upper half of its register is zero, and emits a move. Here such phis become i64, zero-extended where their values are
// made, which costs nothing there: every 32-bit instruction clears the upper half.
//
// Module path 3/6. LLVM's own passes go the other way (instcombine narrows phis), so this comes last.
#include "widen.h"

#include <stdlib.h>

struct wide {
	LLVMValueRef narrow; // i32, phi
	LLVMValueRef wide;   // i64, phi
	LLVMValueRef again;  // i32, the wide one cut
};

// An i32 and its zero-extension, for those that are no phis.
struct extension {
	LLVMValueRef from;
	LLVMValueRef to;
};

struct widening {
	struct unit *u;
	LLVMValueRef fn;
	struct we_vec wides;      // struct wide
	struct we_vec extensions; // struct extension
};

enum {
	MAX_WIDE = 4000, // a search is linear: functions with more are left as they are
};

static bool is_zext(struct unit *u, LLVMValueRef v)
{
	return LLVMIsAZExtInst(v) != NULL && LLVMTypeOf(v) == u->t_i64 &&
	       LLVMTypeOf(LLVMGetOperand(v, 0)) == u->t_i32;
}

static bool is_narrow_phi(struct unit *u, LLVMValueRef v)
{
	return LLVMIsAPHINode(v) != NULL && LLVMTypeOf(v) == u->t_i32;
}

static struct wide *find(struct widening *w, LLVMValueRef narrow)
{
	struct wide *wides = w->wides.data;

	for (size_t i = 0; i < w->wides.len; i++) {
		if (wides[i].narrow == narrow)
			return &wides[i];
	}
	return NULL;
}

static bool has_zext_user(struct unit *u, LLVMValueRef v)
{
	for (LLVMUseRef use = LLVMGetFirstUse(v); use != NULL; use = LLVMGetNextUse(use)) {
		if (is_zext(u, LLVMGetUser(use)))
			return true;
	}
	return false;
}

static void add(struct widening *w, LLVMValueRef phi)
{
	if (find(w, phi) == NULL && w->wides.len < MAX_WIDE)
		((struct wide *)func_add(&w->wides, sizeof(struct wide)))->narrow = phi;
}

// Phis that are addresses, and those that feed them.
static void collect(struct widening *w)
{
	for (LLVMBasicBlockRef bb = LLVMGetFirstBasicBlock(w->fn); bb != NULL;
		bb = LLVMGetNextBasicBlock(bb)) {
		for (LLVMValueRef in = LLVMGetFirstInstruction(bb);
			in != NULL && LLVMIsAPHINode(in) != NULL; in = LLVMGetNextInstruction(in)) {
			if (is_narrow_phi(w->u, in) && has_zext_user(w->u, in))
				add(w, in);
		}
	}
	for (size_t i = 0; i < w->wides.len; i++) { // it grows
		LLVMValueRef phi = ((struct wide *)w->wides.data)[i].narrow;

		for (unsigned k = 0; k < LLVMCountIncoming(phi); k++) {
			LLVMValueRef from = LLVMGetIncomingValue(phi, k);

			if (is_narrow_phi(w->u, from))
				add(w, from);
		}
	}
}

static LLVMValueRef first_of_no_phi(LLVMBasicBlockRef bb)
{
	LLVMValueRef in = LLVMGetFirstInstruction(bb);

	while (LLVMIsAPHINode(in) != NULL)
		in = LLVMGetNextInstruction(in);
	return in;
}

static void make_phis(struct widening *w)
{
	struct unit *u = w->u;
	struct wide *wides = w->wides.data;

	for (size_t i = 0; i < w->wides.len; i++) {
		LLVMPositionBuilderBefore(u->b, wides[i].narrow);
		wides[i].wide = LLVMBuildPhi(u->b, u->t_i64, "");
		LLVMPositionBuilderBefore(
			u->b, first_of_no_phi(LLVMGetInstructionParent(wides[i].narrow)));
		wides[i].again = LLVMBuildTrunc(u->b, wides[i].wide, u->t_i32, "");
	}
}

// The zero-extension of what is no phi, made where it is made.
static LLVMValueRef extend(struct widening *w, LLVMValueRef v)
{
	struct unit *u = w->u;
	struct extension *e = w->extensions.data;

	if (LLVMIsAConstantInt(v) != NULL)
		return unit_i64(u, LLVMConstIntGetZExtValue(v));
	for (size_t i = 0; i < w->extensions.len; i++) {
		if (e[i].from == v)
			return e[i].to;
	}
	if (LLVMIsAInstruction(v) == NULL)
		LLVMPositionBuilderBefore(u->b, first_of_no_phi(LLVMGetEntryBasicBlock(w->fn)));
	else if (LLVMIsAPHINode(v) != NULL)
		LLVMPositionBuilderBefore(u->b, first_of_no_phi(LLVMGetInstructionParent(v)));
	else
		LLVMPositionBuilderBefore(u->b, LLVMGetNextInstruction(v));
	e = func_add(&w->extensions, sizeof(*e));
	e->from = v;
	e->to = LLVMBuildZExt(u->b, v, u->t_i64, "");
	return e->to;
}

static void feed_phis(struct widening *w)
{
	for (size_t i = 0; i < w->wides.len; i++) {
		struct wide *wide = &((struct wide *)w->wides.data)[i];

		for (unsigned k = 0; k < LLVMCountIncoming(wide->narrow); k++) {
			LLVMValueRef from = LLVMGetIncomingValue(wide->narrow, k);
			LLVMBasicBlockRef block = LLVMGetIncomingBlock(wide->narrow, k);
			struct wide *other = find(w, from);
			LLVMValueRef v = other != NULL ? other->wide : extend(w, from);

			LLVMAddIncoming(wide->wide, &v, &block, 1);
		}
	}
}

static void replace(struct widening *w)
{
	struct wide *wides = w->wides.data;

	for (size_t i = 0; i < w->wides.len; i++) {
		LLVMReplaceAllUsesWith(wides[i].narrow, wides[i].again);
		for (LLVMUseRef use = LLVMGetFirstUse(wides[i].again); use != NULL;) {
			LLVMValueRef user = LLVMGetUser(use);

			use = LLVMGetNextUse(use);
			if (is_zext(w->u, user)) {
				LLVMReplaceAllUsesWith(user, wides[i].wide);
				LLVMInstructionEraseFromParent(user);
			}
		}
	}
	for (size_t i = 0; i < w->wides.len; i++)
		LLVMInstructionEraseFromParent(wides[i].narrow);
}

void widen_addresses(struct unit *u, LLVMValueRef fn)
{
	struct widening w = {.u = u, .fn = fn};

	LLVMSetCurrentDebugLocation2(u->b, NULL);
	collect(&w);
	if (w.wides.len < MAX_WIDE) {
		make_phis(&w);
		feed_phis(&w);
		replace(&w);
	}
	we_vec_fini(&w.wides);
	we_vec_fini(&w.extensions);
}
