// SPDX-License-Identifier: BSD-3-Clause
// A load that LLVM moves out of a loop loses its place (its debug location): a debugger should not jump back to it. A fault there would
// be told at another access. But each load that may fault has a pin (func_pin), which uses its value and never moves, with the place of
// the wasm instruction. A load with several pins is of several instructions: any will do.
//
// Module path 3/6.
#include "places.h"

enum {
	MAX_STEPS = 3, // from a load to its pin: an extension, another type
};

static LLVMMetadataRef place_of_pin(LLVMValueRef v, unsigned n_steps)
{
	for (LLVMUseRef use = LLVMGetFirstUse(v); use != NULL; use = LLVMGetNextUse(use)) {
		LLVMValueRef user = LLVMGetUser(use);
		LLVMMetadataRef place = NULL;

		if (LLVMIsACallInst(user) != NULL &&
			LLVMIsAInlineAsm(LLVMGetCalledValue(user)) != NULL)
			place = LLVMInstructionGetDebugLoc(user);
		else if (n_steps > 0 && LLVMIsACastInst(user) != NULL)
			place = place_of_pin(user, n_steps - 1);
		if (place != NULL)
			return place;
	}
	return NULL;
}

void restore_places(LLVMValueRef fn)
{
	for (LLVMBasicBlockRef bb = LLVMGetFirstBasicBlock(fn); bb != NULL;
		bb = LLVMGetNextBasicBlock(bb)) {
		for (LLVMValueRef in = LLVMGetFirstInstruction(bb); in != NULL;
			in = LLVMGetNextInstruction(in)) {
			LLVMMetadataRef place;

			if (LLVMIsALoadInst(in) == NULL || LLVMInstructionGetDebugLoc(in) != NULL)
				continue;
			place = place_of_pin(in, MAX_STEPS);
			if (place != NULL)
				LLVMInstructionSetDebugLoc(in, place);
		}
	}
}
