// SPDX-License-Identifier: BSD-3-Clause
// Native code by hand, for tests: bodies, entries and wrappers as the compiler makes them, and the tables of an image.
//
// The module that it belongs to is in test_code.h; its functions come in the same order.
#include "test_offsets.h"

	.section .rodata.test_code, "a", @progbits
	.p2align 12
	.globl	test_code
	.hidden	test_code
test_code:
	ud2 // no body is at 0

// A function of the module: what is up to END is its body.
.macro BODY name
	.p2align 4, 0xcc
\name:
	pushq	%rbp
	movq	%rsp, %rbp
.endm

.macro RETURN
	leave
	ret
.endm

// Calls keep rsp a multiple of 16 plus 8 outside them.
.macro CALL_WASM target:vararg
	subq	$8, %rsp
	call	\target
	addq	$8, %rsp
.endm

.macro CALL_RT offset
	movq	INST_STORE(%rbx), %rax
	movq	STORE_RT(%rax), %rax
	movq	%rbx, %rdi
	subq	$8, %rsp
	call	*\offset(%rax)
	addq	$8, %rsp
.endm

// After what may have taken long.
.macro LOOK
	movq	INST_STORE(%rbx), %rcx
	cmpq	$-1, WE_STORE_INTERRUPT(%rcx)
	je	9f
	CALL_RT RT_DUE
9:
.endm

// twice(i32) -> i32
BODY twice
	leal	(%rsi, %rsi), %eax
	RETURN
twice_end:

// many(i32 i64 i64 i64 i64 i64 f32 f64 v128 f64 f64 f64 f64 f64 v128) -> (i64 f64 i64 v128 i32 i64 f32)
// Gives back the 2nd, 8th, 6th, 15th, 1st, 5th and 7th: buf is [6th at 5] and [15th at 15].
BODY many
	movq	INST_STORE(%rdi), %r10
	movq	STORE_BUF + 8*5(%r10), %r11
	movups	STORE_BUF + 8*15(%r10), %xmm2
	movq	%r9, STORE_BUF + 8*6(%r10)
	movss	%xmm0, STORE_BUF + 8*7(%r10)
	movq	%rdx, %rax
	movaps	%xmm1, %xmm0
	movq	%r11, %rdx
	movaps	%xmm2, %xmm1
	movl	%esi, %ecx
	RETURN
many_end:

// load(i32) -> i32: of memory 0
BODY load
	movq	INST_MEM0_BASE(%rdi), %rax
	movl	%esi, %ecx
load_at:
	movl	(%rax, %rcx), %eax
load_done:
	RETURN
load_end:

// outer(i32) -> i32: memory[0] = 7, load(x) + 1
BODY outer
	subq	$8, %rsp
	movq	INST_MEM0_BASE(%rdi), %rax
	movl	$7, (%rax)
outer_at:
	CALL_WASM load
outer_back:
	incl	%eax
	RETURN
outer_end:

// inlined(i32) -> i32: memory[x], by the body of load that was inlined here
BODY inlined
	movq	INST_MEM0_BASE(%rdi), %rax
	movl	%esi, %ecx
inlined_at:
	movl	(%rax, %rcx), %eax
inlined_done:
	RETURN
inlined_end:

// trap()
BODY trap
	pushq	%rbx
	movq	%rdi, %rbx
	movl	$1, %esi // unreachable
	movl	test_trap_at(%rip), %edx
	CALL_RT	RT_TRAP
trap_end:

// recurse(i32) -> i32: x + 1 levels, then 5
BODY recurse
	pushq	%rbx
	movq	%rdi, %rbx
	movq	INST_STORE(%rdi), %rax
	cmpq	STORE_STACK_LIMIT(%rax), %rbp
	jb	1f
	movl	$5, %eax
	testl	%esi, %esi
	je	2f
	decl	%esi
	movq	%rbx, %rdi
	CALL_WASM recurse
2:	movq	-8(%rbp), %rbx
	RETURN
1:	movl	$20, %esi // stack overflow
	movl	test_recurse_at(%rip), %edx
	CALL_RT	RT_TRAP
recurse_end:

// host(i64) -> i64: the import of number 0, called as one; 77 when it has thrown
BODY host
	pushq	%rbx
	subq	$24, %rsp
	movq	%rdi, %rbx
	movq	%rsi, (%rsp)
	movq	INST_FUNCS(%rbx), %rax
	movq	(%rax), %rax
	movq	FUNC_ENV(%rax), %rdi
	movq	%rsp, %rsi
	movq	INST_STORE(%rbx), %rdx
	movq	STORE_CALLS_ERR(%rdx), %rdx
host_at:
	call	*FUNC_HOST(%rax)
	testl	%eax, %eax
	jns	1f
	movl	%eax, %esi
	movq	%rbx, %rdi
	movq	INST_STORE(%rbx), %rax
	movq	STORE_RT(%rax), %rax
	call	*RT_HOST_FAILED(%rax)
host_back:
	movq	INST_STORE(%rbx), %rax
	movq	$0, STORE_EXCEPTION(%rax)
	movl	$0, WE_STORE_N_FRAMES(%rax)
	movl	$77, %eax
	movq	-8(%rbp), %rbx
	RETURN
1:	movq	INST_STORE(%rbx), %rax
	movq	$0, STORE_EXCEPTION(%rax)
	LOOK
	movq	(%rsp), %rax
	movq	-8(%rbp), %rbx
	RETURN
host_end:

// byref(i64) -> i64: the same through its entry; lets exceptions go on
BODY byref
	subq	$8, %rsp
	movq	INST_FUNCS(%rdi), %rax
	movq	(%rax), %rdi
byref_at:
	CALL_WASM *WE_FUNC_ENTRY(%rdi)
byref_back:
	RETURN
byref_end:

// spin()
BODY spin
1:	incq	%rax
	jmp	1b
spin_end:

// spin_host(i64) -> i64: host(x) for ever
BODY spin_host
	pushq	%rbx
	subq	$16, %rsp
	movq	%rdi, %rbx
	movq	%rsi, (%rsp)
1:	movq	%rbx, %rdi
	movq	(%rsp), %rsi
	CALL_WASM host
	jmp	1b
spin_host_end:

// spin_byref(i64) -> i64: byref(x) for ever
BODY spin_byref
	pushq	%rbx
	subq	$16, %rsp
	movq	%rdi, %rbx
	movq	%rsi, (%rsp)
1:	movq	%rbx, %rdi
	movq	(%rsp), %rsi
	CALL_WASM byref
	jmp	1b
spin_byref_end:

// shadow(externref) -> externref: the parameter, after the import of number 0 has run
BODY shadow
	pushq	%rbx
	movq	%rdi, %rbx
	movq	INST_STORE(%rbx), %rax
	movq	STORE_CALLS_SP(%rax), %rcx
	movq	%rsi, (%rcx)
	addq	$8, %rcx
	movq	%rcx, STORE_CALLS_SP(%rax)
	xorl	%esi, %esi
	CALL_WASM host
	movq	INST_STORE(%rbx), %rcx
	subq	$8, STORE_CALLS_SP(%rcx)
	movq	STORE_CALLS_SP(%rcx), %rax
	movq	(%rax), %rax
	movq	-8(%rbp), %rbx
	RETURN
shadow_end:

// throw(i64) -> i64: the exception that the parameter is, as if a host function had thrown it
BODY throw
	pushq	%rbx
	subq	$16, %rsp
	movq	%rdi, %rbx
	movq	INST_STORE(%rbx), %rcx
	movq	%rsi, STORE_EXCEPTION(%rcx)
	movq	STORE_CALLS_ERR(%rcx), %rcx
	movl	$18, ERROR_TRAP(%rcx) // uncaught exception
	movl	$-4, %esi             // trap
throw_at:
	CALL_RT	RT_HOST_FAILED
throw_back:
	movq	-8(%rbp), %rbx
	RETURN
throw_end:

// catch(i64) -> i64: what throw(x) threw, 1 when it has
BODY catch
	pushq	%rbx
	movq	%rdi, %rbx
	CALL_WASM throw
	movq	INST_STORE(%rbx), %rcx
	xorl	%eax, %eax
	cmpq	$0, STORE_EXCEPTION(%rcx)
	setne	%al
	movq	$0, STORE_EXCEPTION(%rcx)
	movl	$0, WE_STORE_N_FRAMES(%rcx)
	movq	-8(%rbp), %rbx
	RETURN
catch_end:

// call_plain(i64) -> i64: the function after this one, which has no native code, plus 100
BODY call_plain
	subq	$8, %rsp
	movq	INST_FUNCS(%rdi), %rax
	movq	test_plain_idx(%rip), %rcx
	movq	(%rax, %rcx, 8), %rdi
call_plain_at:
	CALL_WASM *WE_FUNC_ENTRY(%rdi)
call_plain_back:
	addq	$100, %rax
	RETURN
call_plain_end:

	.p2align 3
	.globl	test_trap_at, test_recurse_at, test_plain_idx
	.hidden	test_trap_at, test_recurse_at, test_plain_idx
test_trap_at:
	.long 0
test_recurse_at:
	.long 0
test_plain_idx:
	.quad 0

// Entries: the context becomes the instance.
.macro ENTRY name
\name\()_entry:
	movq	FUNC_INSTANCE(%rdi), %rdi
	jmp	\name
.endm
	ENTRY twice
	ENTRY many
	ENTRY load
	ENTRY outer
	ENTRY inlined
	ENTRY trap
	ENTRY recurse
	ENTRY host
	ENTRY byref
	ENTRY spin
	ENTRY spin_host
	ENTRY spin_byref
	ENTRY shadow
	ENTRY throw
	ENTRY catch
	ENTRY call_plain

// Wrappers: void (struct we_func *func, uint64_t *slots)
enter_one: // one integer to one
	pushq	%rbx
	movq	%rsi, %rbx
	movq	(%rsi), %rsi
	call	*WE_FUNC_ENTRY(%rdi)
	movq	%rax, (%rbx)
	popq	%rbx
	ret

enter_none: // nothing to nothing
	CALL_WASM *WE_FUNC_ENTRY(%rdi)
	ret

enter_many:
	pushq	%rbx
	pushq	%r12
	movq	%rsi, %rbx
	movq	WE_FUNC_STORE(%rdi), %r12
	movq	(%rbx), %rsi
	movq	16(%rbx), %rcx
	movq	24(%rbx), %r8
	movq	32(%rbx), %r9
	movq	40(%rbx), %rdx
	movq	%rdx, STORE_BUF + 8*5(%r12)
	movq	8(%rbx), %rdx
	movss	48(%rbx), %xmm0
	movsd	56(%rbx), %xmm1
	movups	64(%rbx), %xmm2
	movsd	80(%rbx), %xmm3
	movsd	88(%rbx), %xmm4
	movsd	96(%rbx), %xmm5
	movsd	104(%rbx), %xmm6
	movsd	112(%rbx), %xmm7
	movups	120(%rbx), %xmm8
	movups	%xmm8, STORE_BUF + 8*15(%r12)
	CALL_WASM *WE_FUNC_ENTRY(%rdi)
	movq	%rax, (%rbx)
	movsd	%xmm0, 8(%rbx)
	movq	%rdx, 16(%rbx)
	movups	%xmm1, 24(%rbx)
	movl	%ecx, 40(%rbx)
	movq	STORE_BUF + 8*6(%r12), %rax
	movq	%rax, 48(%rbx)
	movl	STORE_BUF + 8*7(%r12), %eax
	movl	%eax, 56(%rbx)
	popq	%r12
	popq	%rbx
	ret
	.globl	test_code_end
	.hidden	test_code_end
test_code_end:

// ---- tables -------------------------------------------------------------------------------------

	.section .rodata.test_tables, "a", @progbits
	.p2align 3
// struct we_image_func
	.globl	test_funcs
	.hidden	test_funcs
test_funcs:
.macro HAS name, wrapper
	.long	\name - test_code, \name\()_entry - test_code, \wrapper - test_code
.endm
	HAS twice, enter_one
	HAS many, enter_many
	HAS load, enter_one
	HAS outer, enter_one
	HAS inlined, enter_one
	HAS trap, enter_none
	HAS recurse, enter_one
	HAS host, enter_one
	HAS byref, enter_one
	HAS spin, enter_none
	HAS spin_host, enter_one
	HAS spin_byref, enter_one
	HAS shadow, enter_one
	HAS throw, enter_one
	HAS catch, enter_one
	HAS call_plain, enter_one
	.long	0, 0, 0 // plain

// begin, end of each function
	.globl	test_ranges
	.hidden	test_ranges
test_ranges:
.macro RANGE name
	.long	\name - test_code, \name\()_end - test_code
.endm
	RANGE twice
	RANGE many
	RANGE load
	RANGE outer
	RANGE inlined
	RANGE trap
	RANGE recurse
	RANGE host
	RANGE byref
	RANGE spin
	RANGE spin_host
	RANGE spin_byref
	RANGE shadow
	RANGE throw
	RANGE catch
	RANGE call_plain

// Places: begin, end, function of the wasm instruction, its distance from the start of the body.
	.globl	test_places, test_places_end
	.hidden	test_places, test_places_end
test_places:
.macro PLACE from, to, func, at
	.long	\from - test_code, \to - test_code, \func, \at
.endm
	PLACE load_at, load_done, 2, 3
	PLACE outer_at, outer_back, 3, 5
	PLACE inlined_at, inlined_done, 2, 2
	PLACE host_at, host_back, 7, 4
	PLACE byref_at, byref_back, 8, 1
	PLACE throw_at, throw_back, 13, 6
	PLACE call_plain_at, call_plain_back, 15, 2
test_places_end:

// ---- calls of functions in the convention, from C -----------------------------------------------

	.text
// void test_jump(void *entry, struct we_func *func, struct we_native_regs *regs): with all registers from it and back to it; r12 to
// r15, rbx and rbp hold their own addresses in between, and a change of them shows in *regs as ints[0] = -1.
	.globl	test_jump
	.hidden	test_jump
test_jump:
	pushq	%rbp
	movq	%rsp, %rbp
	pushq	%rbx
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	pushq	%rdx
	movq	%rdx, %rbx
	leaq	1(%rdx), %r12
	leaq	2(%rdx), %r13
	leaq	3(%rdx), %r14
	leaq	4(%rdx), %r15
	movq	%rdi, %rax
	movq	%rsi, %rdi
	movq	WE_REGS_INTS + 8(%rbx), %rsi
	movq	WE_REGS_INTS + 16(%rbx), %rdx
	movq	WE_REGS_INTS + 24(%rbx), %rcx
	movq	WE_REGS_INTS + 32(%rbx), %r8
	movq	WE_REGS_INTS + 40(%rbx), %r9
	movups	WE_REGS_FLOATS + 0(%rbx), %xmm0
	movups	WE_REGS_FLOATS + 16(%rbx), %xmm1
	movups	WE_REGS_FLOATS + 32(%rbx), %xmm2
	movups	WE_REGS_FLOATS + 48(%rbx), %xmm3
	movups	WE_REGS_FLOATS + 64(%rbx), %xmm4
	movups	WE_REGS_FLOATS + 80(%rbx), %xmm5
	movups	WE_REGS_FLOATS + 96(%rbx), %xmm6
	movups	WE_REGS_FLOATS + 112(%rbx), %xmm7
	subq	$16, %rsp
	call	*%rax
	addq	$16, %rsp
	movq	(%rsp), %r8
	movq	%rax, WE_REGS_INTS + 0(%r8)
	movq	%rdx, WE_REGS_INTS + 8(%r8)
	movq	%rcx, WE_REGS_INTS + 16(%r8)
	movups	%xmm0, WE_REGS_FLOATS + 0(%r8)
	movups	%xmm1, WE_REGS_FLOATS + 16(%r8)
	subq	%r8, %rbx
	subq	%r8, %r12
	subq	%r8, %r13
	subq	%r8, %r14
	subq	%r8, %r15
	shlq	$8, %r12
	shlq	$16, %r13
	shlq	$24, %r14
	shlq	$32, %r15
	orq	%r12, %rbx
	orq	%r13, %rbx
	orq	%r14, %rbx
	orq	%r15, %rbx
	movabsq	$0x0403020100, %rax
	cmpq	%rax, %rbx
	je	1f
	movq	$-1, WE_REGS_INTS + 0(%r8)
1:	popq	%rdx
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbx
	popq	%rbp
	ret

	.section .note.GNU-stack, "", @progbits
