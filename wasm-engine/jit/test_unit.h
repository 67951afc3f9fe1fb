// SPDX-License-Identifier: BSD-3-Clause
// test_unit: one instruction, one function: for tests of lower_num.c and lower_simd.c without the rest of the compiler.
//
// Stands in for lower.c: func_trap_if returns the trap.
// Owns: the LLVM context, from test_unit_open to test_unit_close. Include it in one file of a program.
#pragma once

#include "lower.h"
#include "target.h"

#include <llvm-c/Analysis.h>
#include <llvm-c/Core.h>
#include <llvm-c/Target.h>
#include <llvm-c/TargetMachine.h>
#include <llvm-c/Transforms/PassBuilder.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <elf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct test_unit {
	struct unit u;
	struct we_jit_options opt;
	LLVMTargetMachineRef tm;
	char features[TARGET_FEATURES_BYTES];
};

// Machine code in memory.
struct test_code {
	uint8_t *bytes; // mmap
	size_t n_bytes;
	size_t n_exec_bytes; // those of .text, which are the first
	LLVMMemoryBufferRef object;
};

// ---- what lower.c does otherwise: a function returns enum we_trap ---------------------------------

void func_trap_if(struct func *f, LLVMValueRef cond, enum we_trap trap)
{
	struct unit *u = f->u;
	const LLVMBasicBlockRef out = LLVMAppendBasicBlockInContext(u->cx, f->fn, "");
	const LLVMBasicBlockRef next = LLVMAppendBasicBlockInContext(u->cx, f->fn, "");

	LLVMBuildCondBr(u->b, cond, out, next);
	LLVMPositionBuilderAtEnd(u->b, out);
	LLVMBuildRet(u->b, unit_i32(u, (uint32_t)trap));
	LLVMPositionBuilderAtEnd(u->b, next);
}

// ---- the unit ------------------------------------------------------------------------------------

static inline void test_unit_open(struct test_unit *t, const struct we_cpu *cpu, bool deterministic)
{
	struct unit *u = &t->u;
	LLVMTargetDataRef layout;
	LLVMTargetRef target;
	char *message;

	memset(t, 0, sizeof(*t));
	target_init();
	if (LLVMGetTargetFromTriple(TARGET_TRIPLE, &target, &message) != 0)
		fail_msg("%s", message);
	target_features(cpu, t->features);
	t->tm = LLVMCreateTargetMachine(target, TARGET_TRIPLE, target_cpu(cpu), t->features,
		LLVMCodeGenLevelDefault, LLVMRelocPIC, LLVMCodeModelSmall);
	t->opt = (struct we_jit_options){.cpu = *cpu, .deterministic = deterministic};
	u->opt = &t->opt;
	u->cx = LLVMContextCreate();
	u->m = LLVMModuleCreateWithNameInContext("test", u->cx);
	u->b = LLVMCreateBuilderInContext(u->cx);
	layout = LLVMCreateTargetDataLayout(t->tm);
	LLVMSetModuleDataLayout(u->m, layout);
	LLVMDisposeTargetData(layout);
	LLVMSetTarget(u->m, TARGET_TRIPLE);
	unit_init_types(u);
}

static inline void test_unit_close(struct test_unit *t)
{
	LLVMDisposeBuilder(t->u.b);
	LLVMDisposeModule(t->u.m);
	LLVMContextDispose(t->u.cx);
	LLVMDisposeTargetMachine(t->tm);
}

static inline LLVMTypeRef test_type(const struct unit *u, char letter)
{
	switch (letter) {
	case 'i':
		return u->t_i32;
	case 'l':
		return u->t_i64;
	case 'f':
		return u->t_f32;
	case 'd':
		return u->t_f64;
	default:
		assert_int_equal(letter, 'v');
		return u->t_v128;
	}
}

static inline uint32_t test_slots(char letter)
{
	return letter == 'v' ? 2 : 1;
}

// Does the instruction belong to lower_num or lower_simd?
static inline bool test_is_numeric(enum we_op op)
{
	const struct we_op_info *info = &we_op_info[op];

	return (info->flags & (WE_OP_FLAG_CTRL | WE_OP_FLAG_MEM | WE_OP_FLAG_CALL)) == 0 &&
	       strspn(info->params, "ilfdv") == strlen(info->params) &&
	       strspn(info->results, "ilfdv") == 1 && strlen(info->results) == 1 &&
	       info->imm != WE_IMM_MEMORY;
}

static inline LLVMValueRef test_lower(struct func *f, const struct we_instr *in, LLVMValueRef *v)
{
	const struct we_op_info *info = &we_op_info[in->op];
	const bool is_vector =
		strchr(info->params, 'v') != NULL || strchr(info->results, 'v') != NULL;

	return is_vector ? lower_simd(f->u, f, in, v) : lower_num(f->u, f, in, v);
}

static inline LLVMValueRef test_unit_slot(struct unit *u, LLVMValueRef slots, uint32_t slot)
{
	LLVMValueRef idx = unit_i32(u, slot);

	return LLVMBuildGEP2(u->b, u->t_i64, slots, &idx, 1, "");
}

// The operand in the slots at `at`, as a constant.
static inline LLVMValueRef test_unit_constant(struct unit *u, char letter, const uint64_t *at)
{
	LLVMValueRef halves[] = {unit_i64(u, at[0]), unit_i64(u, at[letter == 'v'])};

	if (letter == 'v')
		return LLVMConstVector(halves, 2);
	if (letter == 'i' || letter == 'f')
		return LLVMConstBitCast(unit_i32(u, (uint32_t)at[0]), test_type(u, letter));
	return LLVMConstBitCast(halves[0], test_type(u, letter));
}

// uint32_t name(const uint64_t *in, uint64_t *out): the instruction on operands from slots, as we_func_call has
// them; operands whose bit in `constant` is set are those of `slots`, at compile time. Returns: enum we_trap.
static inline void test_unit_add(struct test_unit *t, const char *name, const struct we_instr *in,
	unsigned constant, const uint64_t *slots)
{
	struct unit *u = &t->u;
	LLVMTypeRef params[] = {u->t_ptr, u->t_ptr};
	const char *letters = we_op_info[in->op].params;
	struct func f = {.u = u,
		.fn = LLVMAddFunction(u->m, name, LLVMFunctionType(u->t_i32, params, 2, false))};
	LLVMValueRef v[3], r;
	uint32_t slot = 0;

	LLVMPositionBuilderAtEnd(u->b, LLVMAppendBasicBlockInContext(u->cx, f.fn, ""));
	for (uint32_t i = 0; letters[i] != '\0'; i++) {
		if (constant & 1u << i) {
			v[i] = test_unit_constant(u, letters[i], slots + slot);
		} else {
			v[i] = LLVMBuildLoad2(u->b, test_type(u, letters[i]),
				test_unit_slot(u, LLVMGetParam(f.fn, 0), slot), "");
			LLVMSetAlignment(v[i], 8);
		}
		slot += test_slots(letters[i]);
	}
	r = test_lower(&f, in, v);
	if (LLVMTypeOf(r) != test_type(u, we_op_info[in->op].results[0]))
		fail_msg("%s: a result of another type", we_op_info[in->op].mnemonic);
	LLVMSetAlignment(LLVMBuildStore(u->b, r, LLVMGetParam(f.fn, 1)), 8);
	LLVMBuildRet(u->b, unit_i32(u, WE_TRAP_NONE));
}

// ---- code ----------------------------------------------------------------------------------------

// Verify, optimize, compile.
static inline LLVMMemoryBufferRef test_unit_object(struct test_unit *t)
{
	LLVMPassBuilderOptionsRef options = LLVMCreatePassBuilderOptions();
	LLVMMemoryBufferRef object;
	LLVMErrorRef error;
	char *message = NULL;

	if (LLVMVerifyModule(t->u.m, LLVMReturnStatusAction, &message) != 0)
		fail_msg("%s", message);
	LLVMDisposeMessage(message);
	error = LLVMRunPasses(t->u.m,
		"function(sroa,early-cse<memssa>,simplifycfg,instcombine<no-verify-fixpoint>,gvn,"
		"instcombine<no-verify-fixpoint>,simplifycfg,adce)",
		t->tm, options);
	if (error != NULL)
		fail_msg("%s", LLVMGetErrorMessage(error));
	LLVMDisposePassBuilderOptions(options);
	if (LLVMTargetMachineEmitToMemoryBuffer(t->tm, t->u.m, LLVMObjectFile, &message, &object) !=
		0)
		fail_msg("%s", message);
	return object;
}

static inline const Elf64_Shdr *test_sections(const uint8_t *elf)
{
	return (const Elf64_Shdr *)(const void *)(elf +
						  ((const Elf64_Ehdr *)(const void *)elf)->e_shoff);
}

// Where the section's bytes are in the code: those with SHF_ALLOC one after another, .text first. A sanitizer may look
// at what is before a function that it calls.
static inline size_t test_place(const uint8_t *elf, unsigned idx)
{
	const Elf64_Ehdr *head = (const Elf64_Ehdr *)(const void *)elf;
	const Elf64_Shdr *s = test_sections(elf);
	size_t at = 64;

	for (unsigned pass = 0; pass < 2; pass++)
		for (unsigned i = 0; i < head->e_shnum; i++) {
			if (!(s[i].sh_flags & SHF_ALLOC) ||
				(pass == 0) != !!(s[i].sh_flags & SHF_EXECINSTR))
				continue;
			at = (at + 63) & ~(size_t)63;
			if (i == idx)
				return at;
			at += s[i].sh_size;
		}
	return at; // of all, for an index that is none
}

static inline void test_relocate(const uint8_t *elf, const Elf64_Shdr *rel, struct test_code *code)
{
	const Elf64_Shdr *s = test_sections(elf);
	const Elf64_Rela *r = (const Elf64_Rela *)(const void *)(elf + rel->sh_offset);
	const Elf64_Sym *symbols =
		(const Elf64_Sym *)(const void *)(elf + s[rel->sh_link].sh_offset);

	if (!(s[rel->sh_info].sh_flags & SHF_EXECINSTR)) // .eh_frame is not used
		return;
	for (size_t i = 0; i < rel->sh_size / sizeof(*r); i++) {
		const Elf64_Sym *symbol = &symbols[ELF64_R_SYM(r[i].r_info)];
		const size_t at = test_place(elf, rel->sh_info) + r[i].r_offset;
		int32_t distance;

		if (symbol->st_shndx == SHN_UNDEF)
			fail_msg("the code calls %s", (const char *)elf +
							      s[s[rel->sh_link].sh_link].sh_offset +
							      symbol->st_name);
		assert_true(ELF64_R_TYPE(r[i].r_info) == R_X86_64_PC32 ||
			    ELF64_R_TYPE(r[i].r_info) == R_X86_64_PLT32);
		distance =
			(int32_t)((int64_t)(test_place(elf, symbol->st_shndx) + symbol->st_value) +
				  r[i].r_addend - (int64_t)at);
		memcpy(code->bytes + at, &distance, sizeof(distance));
	}
}

// Object code, placed and relocated. No symbol may be undefined: nothing calls a library.
static inline void test_code_open(struct test_code *code, LLVMMemoryBufferRef object)
{
	const uint8_t *elf = (const uint8_t *)LLVMGetBufferStart(object);
	const Elf64_Ehdr *head = (const Elf64_Ehdr *)(const void *)elf;
	const Elf64_Shdr *s = test_sections(elf);

	code->object = object;
	code->n_bytes = test_place(elf, UINT32_MAX);
	code->n_exec_bytes = 0;
	code->bytes = mmap(
		NULL, code->n_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(code->bytes != MAP_FAILED);
	for (unsigned i = 0; i < head->e_shnum; i++)
		if (s[i].sh_flags & SHF_ALLOC) {
			memcpy(code->bytes + test_place(elf, i), elf + s[i].sh_offset,
				s[i].sh_size);
			if (s[i].sh_flags & SHF_EXECINSTR)
				code->n_exec_bytes += s[i].sh_size;
		}
	for (unsigned i = 0; i < head->e_shnum; i++)
		if (s[i].sh_type == SHT_RELA)
			test_relocate(elf, &s[i], code);
	assert_int_equal(mprotect(code->bytes, code->n_bytes, PROT_READ | PROT_EXEC), 0);
}

static inline void test_code_close(struct test_code *code)
{
	munmap(code->bytes, code->n_bytes);
	LLVMDisposeMemoryBuffer(code->object);
}

// A function by its name. Returns: its first byte.
static inline uint8_t *test_code_find(
	const struct test_code *code, const char *name, size_t *ret_bytes)
{
	const uint8_t *elf = (const uint8_t *)LLVMGetBufferStart(code->object);
	const Elf64_Ehdr *head = (const Elf64_Ehdr *)(const void *)elf;
	const Elf64_Shdr *s = test_sections(elf);

	for (unsigned i = 0; i < head->e_shnum; i++) {
		const Elf64_Sym *symbols = (const Elf64_Sym *)(const void *)(elf + s[i].sh_offset);

		if (s[i].sh_type != SHT_SYMTAB)
			continue;
		for (size_t j = 0; j < s[i].sh_size / sizeof(*symbols); j++) {
			if (strcmp((const char *)elf + s[s[i].sh_link].sh_offset +
					    symbols[j].st_name,
				    name) != 0)
				continue;
			*ret_bytes = symbols[j].st_size;
			return code->bytes + test_place(elf, symbols[j].st_shndx) +
			       symbols[j].st_value;
		}
	}
	fail_msg("no function %s", name);
	return NULL;
}
