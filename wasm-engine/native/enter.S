// SPDX-License-Identifier: BSD-3-Clause
// Ways into native code and out of it, x86-64: see enter.h.
//
// Module path 3/6. Each function keeps a frame pointer. Nothing here unwinds: leaving puts back the stack pointer and the
// registers that the entry saved, and all frames below are gone.
#include "offsets.h"

	.text

// A row of we_native_windows: from that label to the one with _end behind it.
.macro WE_WINDOW name
	.pushsection .data.rel.ro.we_native_windows, "aw", @progbits
	.quad	\name, \name\()_end
	.popsection
\name:
.endm

	.pushsection .data.rel.ro.we_native_windows, "aw", @progbits
	.p2align 3
	.globl	we_native_windows
	.hidden	we_native_windows
we_native_windows:
	.popsection

.macro WE_FRAME
	pushq	%rbp
	.cfi_def_cfa_offset 16
	.cfi_offset %rbp, -16
	movq	%rsp, %rbp
	.cfi_def_cfa_register %rbp
.endm

// A frame that keeps what we_native_leave puts back, and below that an activation. The function is in rdi, where the thread has
// we_thread in r9; outer: the activation around it.
.macro WE_BEGIN store, outer
	WE_FRAME
	pushq	%rbx
	.cfi_offset %rbx, -24
	pushq	%r12
	.cfi_offset %r12, -32
	pushq	%r13
	pushq	%r14
	pushq	%r15
	subq	$WE_ACT_BYTES, %rsp
	movq	\store, %rbx
	movq	%rdi, WE_ACT_FUNC(%rsp)
	movq	\outer, WE_ACT_OUTER(%rsp)
.endm

// For code that goes on in such a frame from elsewhere.
.macro WE_IN_FRAME
	.cfi_def_cfa %rbp, 16
	.cfi_offset %rbp, -16
	.cfi_offset %rbx, -24
	.cfi_offset %r12, -32
.endm

// entry: its number. A signal up to \window is seen by the look that comes; from there to its end the handler takes us to the
// landing. A call follows, which keeps the registers that we have kept.
.macro WE_LOOK window, entry
	movq	%rsp, %fs:WE_THREAD_ACTIVATION(%r9)
	WE_WINDOW \window
	movq	WE_STORE_INTERRUPT(%rbx), %rcx
	cmpq	\entry, %rcx
	je	we_native_over
.endm

.macro WE_END
	movq	-8(%rbp), %rbx
	leave
	.cfi_def_cfa %rsp, 8
.endm

// int we_native_enter(const struct we_func *, uint64_t *slots)
	.globl	we_native_enter
	.hidden	we_native_enter
	.type	we_native_enter, @function
	.p2align 6
we_native_enter:
	.cfi_startproc
	movq	we_thread@gottpoff(%rip), %r9
	movq	%fs:WE_THREAD_ACTIVATION(%r9), %rax
	WE_BEGIN WE_FUNC_STORE(%rdi), %rax
	WE_LOOK we_native_enter_window, WE_STORE_ENTRY(%rbx)
	call	*WE_FUNC_ENTER(%rdi)
we_native_enter_window_end:
	movq	we_thread@gottpoff(%rip), %r9
	movq	WE_ACT_OUTER(%rsp), %rcx
	movq	%rcx, %fs:WE_THREAD_ACTIVATION(%r9)
	xorl	%eax, %eax
	WE_END
	ret
	.cfi_endproc
	.size	we_native_enter, . - we_native_enter

// The frame and the look of a call from the host; rax: the number of its entry.
.macro WE_FIRST_BEGIN window
	.cfi_remember_state
	movq	%rdx, WE_STORE_ERR(%r8)
	movq	%rax, WE_STORE_N_ENTRIES(%r8)
	movq	%rax, WE_STORE_ENTRY(%r8)
	WE_BEGIN %r8, $0
	WE_LOOK \window, %rax
.endm

.macro WE_FIRST_BACK
	movq	we_thread@gottpoff(%rip), %r9
	movq	$0, %fs:WE_THREAD_ACTIVATION(%r9)
	cmpq	$0, WE_STORE_EXCEPTION(%rbx)
	jne	we_native_first_uncaught
	movq	$0, WE_STORE_ENTRY(%rbx)
.endm

.macro WE_FIRST_END
	xorl	%eax, %eax
	WE_END
	ret
	.cfi_restore_state
.endm

// int we_func_call(struct we_func *, uint64_t *slots, struct we_error *)
// Filters are called by it. What it costs is above all pairs of call and return, then loads and stores, three in a cycle at most:
// integers go into the registers here and not in a wrapper, one look at first_sp stands for all that only slow calls change,
// and only every eighth entry asks for native code of other functions.
	.globl	we_func_call
	.type	we_func_call, @function
	.p2align 6
we_func_call:
	.cfi_startproc
	movq	WE_FUNC_STORE(%rdi), %r8
	movq	we_thread@gottpoff(%rip), %r9
	cmpq	$0, %fs:WE_THREAD_ACTIVATION(%r9)
	jne	we_func_call_slow
	movl	%fs:WE_THREAD_TID(%r9), %ecx
	cmpl	WE_STORE_TID(%r8), %ecx
	jne	we_func_call_slow
	testq	%rdx, %rdx
	je	we_func_call_slow
	cmpq	WE_STORE_FIRST_SP(%r8), %rsp
	jne	3f
1:	movq	WE_STORE_N_ENTRIES(%r8), %rax
	incq	%rax
	testb	$7, %al
	je	6f
7:	movl	%esi, %ecx
	andl	$WE_HOST_PAGE_BYTES - 1, %ecx
	movl	WE_FUNC_DIRECT_END(%rdi), %r10d
	cmpw	%r10w, %cx
	jae	4f
	WE_FIRST_BEGIN we_native_direct_window
	leaq	WE_ACT_PC(%rsp), %r12
	testl	$1 << (8 * (WE_FUNC_DIRECT_RESULT - WE_FUNC_DIRECT_END)), %r10d
	cmovneq	%rsi, %r12
	testl	$1 << (8 * (WE_FUNC_DIRECT_MORE - WE_FUNC_DIRECT_END)), %r10d
	jne	we_native_more_window
5:	movq	8(%rsi), %rdx
	movq	(%rsi), %rsi
	call	*WE_FUNC_ENTRY(%rdi)
	.globl	we_native_direct_window_end // for tests
	.hidden	we_native_direct_window_end
we_native_direct_window_end:
	WE_FIRST_BACK
	movq	%rax, (%r12)
	movq	-16(%rbp), %r12
	WE_FIRST_END
	WE_WINDOW we_native_more_window
	.cfi_remember_state
	WE_IN_FRAME
	movq	32(%rsi), %r9
	movq	24(%rsi), %r8
	movq	16(%rsi), %rcx
	jmp	5b
we_native_more_window_end:
	.cfi_restore_state
4:	cmpq	$0, WE_FUNC_ENTER(%rdi)
	je	we_func_call_slow
	WE_FIRST_BEGIN we_native_first_window
	call	*WE_FUNC_ENTER(%rdi)
we_native_first_window_end:
	WE_FIRST_BACK
	WE_FIRST_END
6:	movq	WE_STORE_ENGINE(%r8), %rcx
	movq	WE_ENGINE_GENERATION(%rcx), %rcx
	cmpq	WE_STORE_GENERATION(%r8), %rcx
	je	7b
	jmp	we_func_call_slow
3:	// Not from where the last call came: guests stay above the end of this stack, or of what the store allows.
	movl	WE_STORE_N_FRAMES(%r8), %ecx
	orq	WE_STORE_EXCEPTION(%r8), %rcx
	orq	WE_STORE_ENTRY(%r8), %rcx
	jne	we_func_call_slow
	cmpb	$0, WE_STORE_HAS_HEAP_BUDGET(%r8)
	jne	we_func_call_slow
	movq	%rsp, %rax
	subq	%fs:WE_THREAD_STACK_LIMIT(%r9), %rax
	jb	we_func_call_slow
	cmpq	%fs:WE_THREAD_STACK_HIGH(%r9), %rsp
	jae	we_func_call_slow
	movl	WE_STORE_STACK_BYTES(%r8), %ecx
	movq	%rsp, %r10
	subq	%rcx, %r10
	cmpq	%rcx, %rax
	cmovbeq	%fs:WE_THREAD_STACK_LIMIT(%r9), %r10
	movq	%r10, WE_STORE_STACK_LIMIT(%r8)
	movq	%rsp, WE_STORE_FIRST_SP(%r8)
	jmp	1b
	.cfi_endproc
	.size	we_func_call, . - we_func_call

// Nobody has caught it.
	.type	we_native_first_uncaught, @function
we_native_first_uncaught:
	.cfi_startproc
	WE_IN_FRAME
	movq	WE_ACT_FUNC(%rsp), %rdi
	movq	-16(%rbp), %r12
	WE_END
	jmp	we_native_first_threw
	.cfi_endproc
	.size	we_native_first_uncaught, . - we_native_first_uncaught

// The entry is over before it began; then the landing.
	.type	we_native_over, @function
we_native_over:
	.cfi_startproc
	WE_IN_FRAME
	movl	$WE_TRAP_DEADLINE_NUMBER, WE_ACT_TRAP(%rsp)
	movq	$0, WE_ACT_PC(%rsp)
	movq	%rbp, WE_ACT_FP(%rsp)
	.globl	we_native_landing
	.hidden	we_native_landing
we_native_landing:
	cld
	call	we_native_landed
	ud2
	.cfi_endproc
	.size	we_native_over, . - we_native_over

// void we_native_leave(const struct we_activation *, int rc)
	.globl	we_native_leave
	.hidden	we_native_leave
	.type	we_native_leave, @function
we_native_leave:
	.cfi_startproc
	movq	we_thread@gottpoff(%rip), %r9
	movq	WE_ACT_OUTER(%rdi), %rcx
	movq	%rcx, %fs:WE_THREAD_ACTIVATION(%r9)
	movl	%esi, %eax
	leaq	WE_ACT_TO_FRAME(%rdi), %rbp
	movq	-40(%rbp), %r15
	movq	-32(%rbp), %r14
	movq	-24(%rbp), %r13
	movq	-16(%rbp), %r12
	movq	-8(%rbp), %rbx
	leave
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
	WE_FRAME
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
	WE_WINDOW we_native_generic_window
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
	call	we_native_overdue
	ud2
	.cfi_endproc
	.size	we_native_generic, . - we_native_generic

// void we_native_due(struct we_instance *)
	.globl	we_native_due
	.hidden	we_native_due
	.type	we_native_due, @function
	.p2align 4
we_native_due:
	.cfi_startproc
	WE_FRAME
	call	we_native_due_call
	movq	%rax, %rdi
	WE_WINDOW we_native_due_window
	movq	WE_STORE_INTERRUPT(%rdi), %rcx
	cmpq	WE_STORE_ENTRY(%rdi), %rcx
	je	1f
	popq	%rbp
	.cfi_remember_state
	.cfi_def_cfa %rsp, 8
	ret
we_native_due_window_end:
1:
	.cfi_restore_state
	call	we_native_overdue
	ud2
	.cfi_endproc
	.size	we_native_due, . - we_native_due

	.section .data.rel.ro.we_native_windows, "aw", @progbits
	.globl	we_native_windows_end
	.hidden	we_native_windows_end
we_native_windows_end:

	.section .note.GNU-stack, "", @progbits
