// SPDX-License-Identifier: BSD-3-Clause
// we_jit_compile: lowering, passes, code generation, image.
//
// Module path 3/6.
#include <llvm-c/Analysis.h>
#include <llvm-c/Target.h>
#include <llvm-c/TargetMachine.h>
#include <llvm-c/Transforms/PassBuilder.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi.h"
#include "object.h"
#include "places.h"
#include "scan.h"
#include "target.h"
#include "widen.h"

// Short on purpose: two thirds of the time is code generation, and default<O2> gains little over it (docs/jit.md).
static const char passes[] =
	"function(sroa,early-cse<memssa>,simplifycfg,instcombine<no-verify-fixpoint>),"
	"cgscc(inline),"
	"function(sroa,early-cse<memssa>,jump-threading,simplifycfg,instcombine<no-verify-fixpoint>"
	","
	"loop-mssa(loop-rotate,licm),simplifycfg,loop(indvars,loop-unroll-full),loop-unroll<O1;"
	"runtime;partial;no-peeling>,"
	"gvn,bdce,dse,adce,dfa-jump-threading,simplifycfg,instcombine<no-verify-fixpoint>),"
	"globaldce";

struct target {
	const char *cpu;
	char features[TARGET_FEATURES_BYTES];
	char max_frame[16]; // WE_ABI_MAX_FRAME
};

// A body may be interrupted before it has a frame, so rbp is a frame pointer in wrappers, too.
static void set_attributes(LLVMValueRef fn, const struct target *target)
{
	LLVMAddTargetDependentFunctionAttr(fn, "frame-pointer", "all");
	LLVMAddTargetDependentFunctionAttr(fn, "no-builtins", "true");
	LLVMAddTargetDependentFunctionAttr(fn, "target-cpu", target->cpu);
	LLVMAddTargetDependentFunctionAttr(fn, "target-features", target->features);
	LLVMAddTargetDependentFunctionAttr(fn, "warn-stack-size", target->max_frame);
}

static LLVMValueRef declare_body(struct unit *u, const struct target *target, const char *name)
{
	LLVMValueRef body = LLVMAddFunction(u->m, name, u->t_wasm);

	LLVMSetLinkage(body, LLVMInternalLinkage);
	set_attributes(body, target);
	LLVMAddAttributeAtIndex(body, 1, u->a_instance);
	LLVMAddAttributeAtIndex(body, 1, u->a_aligned);
	return body;
}

// Which functions of the module have a body here: the whole range, or less when it is of several batches.
static void declare(struct unit *u, const struct we_jit_options *opt, const struct target *target)
{
	const uint32_t n_imported = u->module->is.n_imported_funcs;

	for (we_funcidx i = opt->first_func; i < opt->first_func + opt->n_funcs; i++) {
		char name[UNIT_NAME_BYTES];

		if (i < n_imported || u->is_skipped[i])
			continue;
		unit_name(name, i, 0);
		u->bodies[i] = declare_body(u, target, name);
		if (unit_has_entry(u, i))
			unit_entry(u, u->bodies[i]);
		for (uint32_t turn = 1; turn <= u->n_turns[i]; turn++) {
			LLVMValueRef body;

			unit_name(name, i, turn);
			body = declare_body(u, target, name);
			LLVMAddAttributeAtIndex(body,
				(LLVMAttributeIndex)LLVMAttributeFunctionIndex, u->a_alwaysinline);
			u->turns[i][turn - 1] = body;
		}
	}
}

static void define(struct unit *u, const struct we_jit_options *opt, const struct target *target)
{
	for (we_funcidx i = opt->first_func; i < opt->first_func + opt->n_funcs; i++) {
		if (u->bodies[i] == NULL)
			continue;
		for (uint32_t turn = 0; turn <= u->n_turns[i]; turn++)
			lower_func(u, i, turn);
	}
	for (we_funcidx i = opt->first_func; i < opt->first_func + opt->n_funcs; i++)
		if (u->bodies[i] != NULL && unit_has_entry(u, i))
			(void)unit_sig(u, u->module->is.funcs[i].type);
	for (size_t i = 0; i < u->n_sigs; i++) {
		LLVMSetVisibility(u->sigs[i].enter, LLVMHiddenVisibility);
		set_attributes(u->sigs[i].enter, target);
	}
	unit_wrappers(u);
}

// ---- the stack ----------------------------------------------------------------------------------

static bool is_intrinsic_or_asm(LLVMValueRef call)
{
	LLVMValueRef callee = LLVMGetCalledValue(call);

	return LLVMIsAInlineAsm(callee) != NULL ||
	       (LLVMIsAFunction(callee) != NULL && LLVMGetIntrinsicID(callee) != 0);
}

static bool is_noreturn(LLVMValueRef call)
{
	const unsigned kind = LLVMGetEnumAttributeKindForName("noreturn", 8);

	return LLVMGetCallSiteEnumAttribute(
		       call, (LLVMAttributeIndex)LLVMAttributeFunctionIndex, kind) != NULL;
}

// Does the function call what may come back to it? A jump to a tail callee counts: that checks by itself.
static bool has_calls(LLVMValueRef fn)
{
	for (LLVMBasicBlockRef bb = LLVMGetFirstBasicBlock(fn); bb != NULL;
		bb = LLVMGetNextBasicBlock(bb)) {
		for (LLVMValueRef in = LLVMGetFirstInstruction(bb); in != NULL;
			in = LLVMGetNextInstruction(in)) {
			if (LLVMIsACallInst(in) == NULL || is_intrinsic_or_asm(in) ||
				is_noreturn(in) ||
				LLVMGetTailCallKind(in) == LLVMTailCallKindMustTail)
				continue;
			return true;
		}
	}
	return false;
}

// Look at the stack before anything else. After inlining, so that what became one function looks once.
static void guard_stack(struct unit *u, LLVMValueRef fn, uint32_t at)
{
	LLVMBasicBlockRef old = LLVMGetEntryBasicBlock(fn);
	LLVMBasicBlockRef first = LLVMInsertBasicBlockInContext(u->cx, old, "");
	LLVMBasicBlockRef cold = LLVMAppendBasicBlockInContext(u->cx, fn, "");
	LLVMValueRef inst = LLVMGetParam(fn, 0);
	LLVMValueRef next;
	LLVMValueRef store;
	LLVMValueRef limit;
	LLVMValueRef zero = unit_i32(u, 0);
	LLVMValueRef here;
	LLVMValueRef br;
	LLVMValueRef args[3];
	LLVMValueRef call;

	LLVMPositionBuilderAtEnd(u->b, first);
	// What is allocated must be in the first block.
	for (LLVMValueRef in = LLVMGetFirstInstruction(old); in != NULL; in = next) {
		next = LLVMGetNextInstruction(in);
		if (LLVMIsAAllocaInst(in) != NULL) {
			LLVMInstructionRemoveFromParent(in);
			LLVMInsertIntoBuilder(u->b, in);
		}
	}
	LLVMSetCurrentDebugLocation2(
		u->b, LLVMDIBuilderCreateDebugLocation(u->cx, at, 0, LLVMGetSubprogram(fn), NULL));
	store = unit_load_invariant(u, u->t_ptr, inst, offsetof(struct we_instance, store));
	limit = unit_load(u, u->t_i64,
		unit_at(u, store, offsetof(struct we_store, native.stack_limit)), PLACE_RUNTIME);
	here = LLVMBuildPtrToInt(
		u->b, unit_intrinsic(u, "llvm.frameaddress", &u->t_ptr, 1, &zero, 1), u->t_i64, "");
	br = LLVMBuildCondBr(u->b, LLVMBuildICmp(u->b, LLVMIntULT, here, limit, ""), cold, old);
	LLVMSetMetadata(br, u->md_prof, u->unlikely);
	LLVMPositionBuilderAtEnd(u->b, cold);
	args[0] = inst;
	args[1] = unit_i32(u, WE_TRAP_STACK_OVERFLOW);
	args[2] = unit_i32(u, at);
	call = LLVMBuildCall2(u->b, u->t_rt[RT_trap],
		unit_load_invariant(u, u->t_ptr,
			unit_load_invariant(
				u, u->t_ptr, store, offsetof(struct we_store, native.rt)),
			RT_trap * sizeof(void *)),
		args, 3, "");
	unit_mark(call, u->a_noreturn);
	LLVMBuildUnreachable(u->b);
	LLVMSetCurrentDebugLocation2(u->b, NULL);
}

// What no pass of LLVM does.
static void finish_functions(struct unit *u)
{
	for (LLVMValueRef fn = LLVMGetFirstFunction(u->m); fn != NULL;
		fn = LLVMGetNextFunction(fn)) {
		size_t len;
		we_funcidx idx;
		uint32_t turn;

		if (LLVMIsDeclaration(fn) ||
			unit_name_read(LLVMGetValueName2(fn, &len), &idx, &turn) == NULL)
			continue;
		restore_places(fn);
		widen_addresses(u, fn);
		if (has_calls(fn))
			guard_stack(u, fn, u->module->is.funcs[idx].body.at);
	}
}

// ---- what LLVM says ------------------------------------------------------------------------------

// Functions whose frame is too large are told by warnings, one each.
struct complaints {
	bool *is_too_large; // [n_funcs of the module]
	uint32_t n_funcs;
	bool is_again;    // a function was found
	char message[96]; // of an error, or empty
};

static void note_complaint(LLVMDiagnosticInfoRef info, void *env)
{
	static const char before_name[] = "in function '";
	struct complaints *c = env;
	char *text = LLVMGetDiagInfoDescription(info);
	const char *name = strstr(text, before_name);
	const bool is_size = strstr(text, "stack frame size") != NULL;
	uint32_t turn;
	we_funcidx idx;

	if (is_size && name != NULL &&
		unit_name_read(name + sizeof(before_name) - 1, &idx, &turn) != NULL &&
		idx < c->n_funcs) {
		c->is_too_large[idx] = true;
		c->is_again = true;
	} else if (is_size || LLVMGetDiagInfoSeverity(info) == LLVMDSError) {
		snprintf(c->message, sizeof(c->message), "%s", text);
	}
	LLVMDisposeMessage(text);
}

// ---- passes and code ----------------------------------------------------------------------------

static int llvm_error(struct we_error *err, LLVMErrorRef e)
{
	char *msg = LLVMGetErrorMessage(e);
	const int rc = we_error_set(err, WE_E_HOST, 0, "LLVM: %s", msg);

	LLVMDisposeErrorMessage(msg);
	return rc;
}

static int run_passes(struct unit *u, LLVMTargetMachineRef tm, struct we_error *err)
{
	LLVMPassBuilderOptionsRef options = LLVMCreatePassBuilderOptions();
	LLVMErrorRef e;

	LLVMPassBuilderOptionsSetInlinerThreshold(options, 100);
	e = LLVMRunPasses(u->m, passes, tm, options);
	LLVMDisposePassBuilderOptions(options);
	return e != NULL ? llvm_error(err, e) : 0;
}

static int verify(struct unit *u, struct we_error *err)
{
	char *msg = NULL;
	int rc = 0;

	if (LLVMVerifyModule(u->m, LLVMReturnStatusAction, &msg))
		rc = we_error_set(err, WE_E_HOST, 0, "LLVM's verifier: %.150s", msg);
	LLVMDisposeMessage(msg);
	return rc;
}

// Makes no image when there is a complaint.
static int emit(struct unit *u, LLVMTargetMachineRef tm, const struct we_jit_options *opt,
	const struct complaints *complaints, void **ret_image, size_t *ret_bytes,
	struct we_error *err)
{
	LLVMMemoryBufferRef object;
	char *msg = NULL;
	int rc;

	if (LLVMTargetMachineEmitToMemoryBuffer(tm, u->m, LLVMObjectFile, &msg, &object)) {
		rc = we_error_set(err, WE_E_HOST, 0, "LLVM: %.150s", msg);
		LLVMDisposeMessage(msg);
		return rc;
	}
	if (complaints->message[0] != '\0')
		rc = we_error_set(err, WE_E_HOST, 0, "LLVM: %s", complaints->message);
	else if (complaints->is_again)
		rc = 0;
	else
		rc = object_to_image(u, opt, LLVMGetBufferStart(object), LLVMGetBufferSize(object),
			ret_image, ret_bytes, err);
	LLVMDisposeMemoryBuffer(object);
	return rc;
}

static LLVMTargetMachineRef make_machine(const struct target *text)
{
	LLVMTargetRef target;
	char *msg = NULL;

	if (LLVMGetTargetFromTriple(TARGET_TRIPLE, &target, &msg))
		return NULL;
	return LLVMCreateTargetMachine(target, TARGET_TRIPLE, text->cpu, text->features,
		LLVMCodeGenLevelDefault, LLVMRelocPIC, LLVMCodeModelSmall);
}

static int compile(const struct we_module *module, const struct we_jit_options *opt,
	const struct target *text, LLVMTargetMachineRef tm, struct complaints *complaints,
	void **ret_image, size_t *ret_bytes, struct we_error *err)
{
	struct unit u;
	LLVMTargetDataRef layout;
	int rc;

	unit_init(&u, module, opt);
	LLVMContextSetDiagnosticHandler(u.cx, note_complaint, complaints);
	LLVMSetTarget(u.m, TARGET_TRIPLE);
	layout = LLVMCreateTargetDataLayout(tm);
	LLVMSetModuleDataLayout(u.m, layout);
	LLVMDisposeTargetData(layout);
	unit_scan(&u);
	for (we_funcidx i = 0; i < complaints->n_funcs; i++)
		u.is_skipped[i] = u.is_skipped[i] || complaints->is_too_large[i];
	declare(&u, opt, text);
	define(&u, opt, text);
	LLVMDIBuilderFinalize(u.di);
	rc = opt->verify ? verify(&u, err) : 0;
	if (rc == 0)
		rc = run_passes(&u, tm, err);
	if (rc == 0)
		finish_functions(&u);
	if (rc == 0 && opt->verify)
		rc = verify(&u, err);
	if (rc == 0)
		rc = emit(&u, tm, opt, complaints, ret_image, ret_bytes, err);
	unit_fini(&u);
	return rc;
}

int we_jit_compile(const struct we_module *module, const struct we_jit_options *opt,
	void **ret_image, size_t *ret_bytes, struct we_error *err)
{
	struct target text = {.cpu = target_cpu(&opt->cpu)};
	struct complaints complaints = {.n_funcs = module->is.n_funcs};
	LLVMTargetMachineRef tm;
	int rc;

	target_features(&opt->cpu, text.features);
	snprintf(text.max_frame, sizeof(text.max_frame), "%d", WE_ABI_MAX_FRAME);
	tm = make_machine(&text);
	if (tm == NULL)
		return we_error_set(err, WE_E_HOST, 0, "LLVM has no x86-64");
	complaints.is_too_large = calloc((size_t)complaints.n_funcs + 1, sizeof(bool));
	if (complaints.is_too_large == NULL)
		abort(); // the process is for this alone
	// Only the code says how large frames are. Each round leaves out one function at least.
	do {
		complaints.is_again = false;
		rc = compile(module, opt, &text, tm, &complaints, ret_image, ret_bytes, err);
	} while (rc == 0 && complaints.is_again);
	free(complaints.is_too_large);
	LLVMDisposeTargetMachine(tm);
	return rc;
}
