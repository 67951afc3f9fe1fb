// SPDX-License-Identifier: BSD-3-Clause
// How one handler goes on to the next: OP, NEXT, JUMP, CONTINUE, SLOW, TRAP and STOP.
//
// Module path 3/6. Under clang >= 19 each operation is a function of its own that ends in a guaranteed tail call and
// keeps the seven words below in registers (preserve_none); under gcc all are labels of one function and a computed
// goto. A handler's body is the same text for both and uses only these macros and the seven names:
//
//	ip    the operation        fp     its frame        mem, mem_size   memory 0: base, bytes
//	inst  the instance         store  its store        depth           calls that may still be nested
//
// What is rare or long is a plain function of struct we_regs, called through SLOW, so that handlers save nothing.
// Thread: the store's worker.
#pragma once

#include "icode.h"
#include "runtime.h"

#include <string.h>

// The seven words, for slow paths.
struct we_regs {
	const struct we_iop *ip;
	uint64_t *fp;
	uint8_t *mem;
	uint64_t mem_size;
	struct we_instance *inst;
	struct we_store *store;
	uint64_t depth;
};

// A slow path. Returns: 0 to go on at regs->ip; otherwise the run ends with that (a failure, or a trap number).
typedef int (*we_slow_fn)(struct we_regs *regs);

#define LIKELY(x)   __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

// A slot of the frame as the type T. Frames hold values of any type: memcpy is how C reads them.
#define SLOT(i) (fp + (i) - WE_FRAME_BIAS)
#define GET(T, i)                                                                                  \
	__extension__({                                                                            \
		T got_;                                                                            \
		memcpy(&got_, SLOT(i), sizeof(got_));                                              \
		got_;                                                                              \
	})
#define PUT(T, i, value)                                                                           \
	do {                                                                                       \
		const T put_ = (value);                                                            \
		memcpy(SLOT(i), &put_, sizeof(put_));                                              \
	} while (0)

// The operation n words further on; n words of operands are stepped over.
#define AFTER(n) ((const struct we_iop *)(const void *)((const uint64_t *)(const void *)ip + (n)))
#define NEXT(n)  JUMP(AFTER(n))
#define IS_DUE()                                                                                   \
	UNLIKELY(atomic_load_explicit(&store->interrupt, memory_order_relaxed) != UINT64_MAX)
// Reload what the instance says of memory 0.
#define RELOAD()                                                                                   \
	do {                                                                                       \
		mem = inst->mem0->base;                                                            \
		mem_size = inst->mem0->size_bytes;                                                 \
	} while (0)
// The trap's number travels in the place of mem_size.
#define TRAP(trap)                                                                                 \
	do {                                                                                       \
		mem_size = (uint64_t)(trap);                                                       \
		SLOW(slow_trap);                                                                   \
	} while (0)

#if defined(__clang__) && __has_attribute(preserve_none) && __has_attribute(musttail)

#define WE_ARGS                                                                                    \
	__attribute__((unused)) const struct we_iop *ip, __attribute__((unused)) uint64_t *fp,     \
		__attribute__((unused)) uint8_t *mem, __attribute__((unused)) uint64_t mem_size,   \
		__attribute__((unused)) struct we_instance *inst,                                  \
		__attribute__((unused)) struct we_store *store,                                    \
		__attribute__((unused)) uint64_t depth

typedef __attribute__((preserve_none)) int (*we_handler_fn)(WE_ARGS);

#define OP(NAME) __attribute__((preserve_none)) static int op_##NAME(WE_ARGS)
#define JUMP(next)                                                                                 \
	do {                                                                                       \
		ip = (next);                                                                       \
		__attribute__((musttail)) return ((we_handler_fn)ip->handler)(                     \
			ip, fp, mem, mem_size, inst, store, depth);                                \
	} while (0)
#define SLOW(fn)                                                                                   \
	__attribute__((musttail)) return tail_##fn(ip, fp, mem, mem_size, inst, store, depth)
#define STOP() return 0

// Makes a slow path into something that a handler can tail-call.
#define SLOW_PATH(fn)                                                                              \
	__attribute__((preserve_none, noinline)) static int tail_##fn(WE_ARGS)                     \
	{                                                                                          \
		struct we_regs regs = {ip, fp, mem, mem_size, inst, store, depth};                 \
		const int rc = fn(&regs);                                                          \
                                                                                                   \
		if (UNLIKELY(rc != 0))                                                             \
			return rc;                                                                 \
		ip = regs.ip;                                                                      \
		fp = regs.fp;                                                                      \
		mem = regs.mem;                                                                    \
		mem_size = regs.mem_size;                                                          \
		inst = regs.inst;                                                                  \
		depth = regs.depth;                                                                \
		JUMP(ip);                                                                          \
	}

#define DECLARE(NAME) OP(NAME);
#define HANDLER(NAME) [WE_I_##NAME] = (const void *)op_##NAME,
#define HANDLERS_BEGIN
#define HANDLERS_FIRST
#define HANDLERS_END                                                                               \
	static int run(struct we_regs *regs)                                                       \
	{                                                                                          \
		return ((we_handler_fn)regs->ip->handler)(regs->ip, regs->fp, regs->mem,           \
			regs->mem_size, regs->inst, regs->store, regs->depth);                     \
	}                                                                                          \
                                                                                                   \
	const void *const *we_loop_handlers(void)                                                  \
	{                                                                                          \
		return handlers;                                                                   \
	}

#else

// Labels as values and statement expressions are GNU C.
#pragma GCC diagnostic ignored "-Wpedantic"

#define OP(NAME) L_##NAME:
#define JUMP(next)                                                                                 \
	do {                                                                                       \
		ip = (next);                                                                       \
		goto * ip->handler;                                                                \
	} while (0)
#define SLOW(fn)                                                                                   \
	do {                                                                                       \
		*regs = (struct we_regs){ip, fp, mem, mem_size, inst, store, depth};               \
		const int rc_ = fn(regs);                                                          \
                                                                                                   \
		if (UNLIKELY(rc_ != 0))                                                            \
			return rc_;                                                                \
		LOAD_REGS();                                                                       \
		goto * ip->handler;                                                                \
	} while (0)
#define STOP() return 0
#define LOAD_REGS()                                                                                \
	do {                                                                                       \
		ip = regs->ip;                                                                     \
		fp = regs->fp;                                                                     \
		mem = regs->mem;                                                                   \
		mem_size = regs->mem_size;                                                         \
		inst = regs->inst;                                                                 \
		depth = regs->depth;                                                               \
	} while (0)

#define SLOW_PATH(fn)
#define DECLARE(NAME)
#define HANDLER(NAME) [WE_I_##NAME] = &&L_##NAME,
#define HANDLERS_BEGIN                                                                             \
	static int loop(struct we_regs *regs, const void *const **ret_handlers)                    \
	{
#define HANDLERS_FIRST                                                                             \
	if (ret_handlers != NULL) {                                                                \
		*ret_handlers = handlers;                                                          \
		return 0;                                                                          \
	}                                                                                          \
	struct we_store *const store = regs->store;                                                \
	const struct we_iop *ip;                                                                   \
	uint64_t *fp;                                                                              \
	uint8_t *mem;                                                                              \
	uint64_t mem_size;                                                                         \
	struct we_instance *inst;                                                                  \
	uint64_t depth;                                                                            \
                                                                                                   \
	LOAD_REGS();                                                                               \
	goto * ip->handler;
#define HANDLERS_END                                                                               \
	}                                                                                          \
                                                                                                   \
	static int run(struct we_regs *regs)                                                       \
	{                                                                                          \
		return loop(regs, NULL);                                                           \
	}                                                                                          \
                                                                                                   \
	const void *const *we_loop_handlers(void)                                                  \
	{                                                                                          \
		const void *const *handlers = NULL;                                                \
                                                                                                   \
		(void)loop(NULL, &handlers);                                                       \
		return handlers;                                                                   \
	}

#endif
