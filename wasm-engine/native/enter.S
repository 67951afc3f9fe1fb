// SPDX-License-Identifier: BSD-3-Clause
// Ways into native code and out of it, x86-64: see enter.h.
//
// Module path 3/6. Each function keeps a frame pointer. Nothing here unwinds: leaving puts back the stack pointer and the
// registers that we_native_enter saved, and all frames below are gone.
#include "offsets.h"

	.text

// int32_t we_native_enter(struct we_activation *, const struct we_func *, uint64_t *slots)
	.globl	we_native_enter
	.hidden	we_native_enter
	.type	we_native_enter, @function
	.p2align 6
we_native_enter:
	.cfi_startproc
	pushq	%rbp
	.cfi_def_cfa_offset 16
	.cfi_offset %rbp, -16
	movq	%rsp, %rbp
	.cfi_def_cfa_register %rbp
	pushq	%rbx
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	subq	$8, %rsp
	movq	%rsp, WE_ACT_EXIT_SP(%rdi)
	movq	WE_FUNC_STORE(%rsi), %rax
	movq	%rdi, %r8
	movq	WE_FUNC_ENTRY(%rsi), %rdi
// A signal up to here is seen by the look that comes; from here on the handler takes us to the landing.
we_native_enter_window:
	movq	WE_STORE_INTERRUPT(%rax), %rcx
	cmpq	WE_STORE_ENTRY(%rax), %rcx
	je	1f
	call	*WE_FUNC_ENTER(%rsi)
we_native_enter_window_end:
	xorl	%eax, %eax
	addq	$WE_EXIT_TO_FRAME, %rsp // the wrapper has kept what we_native_leave would put back
	popq	%rbp
	.cfi_remember_state
	.cfi_def_cfa %rsp, 8
	ret
1:	// The entry is over before it began.
	.cfi_restore_state
	movl	$WE_TRAP_DEADLINE_NUMBER, WE_ACT_TRAP(%r8)
	movq	$0, WE_ACT_PC(%r8)
	movq	%rbp, WE_ACT_FP(%r8)
	.globl	we_native_landing
	.hidden	we_native_landing
we_native_landing:
	cld
	call	we_native_landed
	ud2
	.cfi_endproc
	.size	we_native_enter, . - we_native_enter

	.globl	we_native_enter_window, we_native_enter_window_end
	.hidden	we_native_enter_window, we_native_enter_window_end

// void we_native_leave(const struct we_activation *)
	.globl	we_native_leave
	.hidden	we_native_leave
	.type	we_native_leave, @function
we_native_leave:
	.cfi_startproc
	movq	WE_ACT_EXIT_SP(%rdi), %rsp
	movl	WE_ACT_RC(%rdi), %eax
	addq	$8, %rsp
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbx
	popq	%rbp
	ret
	.cfi_endproc
	.size	we_native_leave, . - we_native_leave

// The entry of every function without native code, in the convention of wasm functions: the context is a struct we_func.
	.globl	we_native_generic
	.hidden	we_native_generic
	.type	we_native_generic, @function
	.p2align 4
we_native_generic:
	.cfi_startproc
	pushq	%rbp
	.cfi_def_cfa_offset 16
	.cfi_offset %rbp, -16
	movq	%rsp, %rbp
	.cfi_def_cfa_register %rbp
	subq	$WE_REGS_BYTES, %rsp
	movq	%rdi, WE_REGS_INTS + 0(%rsp)
	movq	%rsi, WE_REGS_INTS + 8(%rsp)
	movq	%rdx, WE_REGS_INTS + 16(%rsp)
	movq	%rcx, WE_REGS_INTS + 24(%rsp)
	movq	%r8, WE_REGS_INTS + 32(%rsp)
	movq	%r9, WE_REGS_INTS + 40(%rsp)
	movaps	%xmm0, WE_REGS_FLOATS + 0(%rsp)
	movaps	%xmm1, WE_REGS_FLOATS + 16(%rsp)
	movaps	%xmm2, WE_REGS_FLOATS + 32(%rsp)
	movaps	%xmm3, WE_REGS_FLOATS + 48(%rsp)
	movaps	%xmm4, WE_REGS_FLOATS + 64(%rsp)
	movaps	%xmm5, WE_REGS_FLOATS + 80(%rsp)
	movaps	%xmm6, WE_REGS_FLOATS + 96(%rsp)
	movaps	%xmm7, WE_REGS_FLOATS + 112(%rsp)
	movq	%rsp, %rsi
	call	we_native_generic_call
	movq	%rax, %rdi
we_native_generic_window:
	movq	WE_STORE_INTERRUPT(%rdi), %rcx
	cmpq	WE_STORE_ENTRY(%rdi), %rcx
	je	1f
	movq	WE_REGS_INTS + 0(%rsp), %rax
	movq	WE_REGS_INTS + 8(%rsp), %rdx
	movq	WE_REGS_INTS + 16(%rsp), %rcx
	movaps	WE_REGS_FLOATS + 0(%rsp), %xmm0
	movaps	WE_REGS_FLOATS + 16(%rsp), %xmm1
	leave
	.cfi_remember_state
	.cfi_def_cfa %rsp, 8
	ret
we_native_generic_window_end:
1:
	.cfi_restore_state
	call	we_native_generic_due
	ud2
	.cfi_endproc
	.size	we_native_generic, . - we_native_generic

	.globl	we_native_generic_window, we_native_generic_window_end
	.hidden	we_native_generic_window, we_native_generic_window_end

	.section .note.GNU-stack, "", @progbits
