// SPDX-License-Identifier: BSD-3-Clause
// we_native_raise and its like: see backtrace.h.
//
// Module path 3/6.
#include "backtrace.h"

#include <stddef.h>

#include "instr.h"

#include "enter.h"
#include "offsets.h"
#include "space.h"

enum {
	MAX_SCAN_BYTES = 65536, // of a body, for one trap
};

// A frame of C or of native code, as the frame pointer has it.
struct frame {
	uintptr_t caller; // frame pointer
	uintptr_t back;   // return address
};

// The function of the module whose body the instruction is in, or WE_NO_FUNC. Bodies lie in the order of functions.
static we_funcidx func_of(const struct we_module *module, uint32_t at)
{
	we_funcidx lo = module->is.n_imported_funcs;
	we_funcidx hi = module->is.n_funcs;

	while (lo < hi) { // the first that ends beyond it
		const we_funcidx mid = lo + (hi - lo) / 2;

		if (module->is.funcs[mid].body.end <= at)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < module->is.n_funcs && module->is.funcs[lo].body.at <= at ? lo : WE_NO_FUNC;
}

// Note the frame that stands at the instruction of native code, and before it the one that was inlined there.
// at: of the wasm instruction when it is known, else 0. Returns: false when it is no code of a function.
static bool note(struct we_store *store, uintptr_t pc, uint32_t at)
{
	const struct we_image *image = we_space_find(pc);
	const struct we_module *module;
	uint32_t offset;
	we_funcidx func;
	we_funcidx inner;

	if (image == NULL)
		return false;
	module = image->module;
	offset = (uint32_t)(pc - (uintptr_t)image->code);
	func = we_image_func_at(image, offset);
	if (func == WE_NO_FUNC)
		return false;
	if (at == 0)
		at = we_image_at(image, offset);
	inner = at == 0 ? WE_NO_FUNC : func_of(module, at);
	if (inner == WE_NO_FUNC)
		at = module->is.funcs[func].body.at;
	if (inner != WE_NO_FUNC && inner != func) {
		we_store_add_frame(store, module, inner, at);
		at = module->is.funcs[func].body.at;
	}
	we_store_add_frame(store, module, func, at);
	return true;
}

// Note frames from that frame pointer on outwards, the first of them at the wasm instruction if it is known, at most n.
static void walk(struct we_store *store, uintptr_t fp, uint32_t at, uint32_t n)
{
	// Frames lie between the caller's and the entry's. Nothing else is read, whatever the register holds.
	const uintptr_t low = (uintptr_t)__builtin_frame_address(0);
	const uintptr_t end = (uintptr_t)we_thread.activation + WE_ACT_TO_FRAME;

	while (n > 0 && fp >= low && fp < end && fp % sizeof(uintptr_t) == 0) {
		const struct frame *frame = (const struct frame *)fp;

		if (note(store, frame->back - 1, at)) { // inside the call
			at = 0;
			n--;
		}
		if (frame->caller <= fp)
			break;
		fp = frame->caller;
	}
}

static noreturn void leave(const struct we_activation *activation, int rc)
{
	const struct we_func *func = activation->func;

	if (func->store->calls.outer == NULL) // by we_func_call itself
		rc = we_native_first_failed(func, rc);
	we_native_leave(activation, rc);
}

static noreturn void leave_by(const struct we_activation *activation, enum we_trap trap)
{
	struct we_store *store = activation->func->store;
	const struct we_trap_frame *frame = &store->frames[0];

	if (store->n_frames == 0) { // it has not come to a function
		const struct we_func *func = activation->func;
		const struct we_module *module = func->instance->module;

		we_store_add_frame(store, module, func->idx, module->is.funcs[func->idx].body.at);
	}
	leave(activation, we_error_trap(store->calls.err, trap,
				  frame->module->file_offset + frame->at, frame->func, NULL));
}

noreturn void we_native_raise(struct we_store *store, enum we_trap trap, uint32_t at)
{
	store->n_frames = 0;
	walk(store, (uintptr_t)__builtin_frame_address(0), at, WE_BACKTRACE_FRAMES);
	leave_by(we_thread.activation, trap);
}

noreturn void we_native_fail(struct we_store *store, int rc)
{
	walk(store, (uintptr_t)__builtin_frame_address(0), 0, WE_BACKTRACE_FRAMES);
	leave(we_thread.activation, rc);
}

// The last access to memory at or before the instruction, in the body that it stands in, or the instruction itself.
static uint32_t last_access(const struct we_module *module, struct we_span body, uint32_t at)
{
	const bool is_far = at - body.at > MAX_SCAN_BYTES;
	uint32_t last = at;
	struct we_instr in;
	struct we_reader r;

	if (is_far) // look at that one alone
		body.at = at;
	we_module_reader(module, body, &r, NULL);
	while (we_reader_pos(&r) <= at && we_instr_read(&r, &in) >= 0)
		if (we_op_is_access(in.op))
			last = in.at;
	return last;
}

// The instruction of a fault. Where LLVM made one of a load and of what uses its value, that one's place is told: then it is the
// last access before it. Returns: 0 when it is not known.
static uint32_t access_at(uintptr_t pc)
{
	const struct we_image *image = we_space_find(pc);
	const uint32_t at = we_image_at(image, (uint32_t)(pc - (uintptr_t)image->code));
	const we_funcidx func = at == 0 ? WE_NO_FUNC : func_of(image->module, at);

	return func == WE_NO_FUNC
		       ? 0
		       : last_access(image->module, image->module->is.funcs[func].body, at);
}

noreturn void we_native_raise_interrupted(struct we_activation *activation)
{
	struct we_store *store = activation->func->store;
	uint32_t at = 0;

	store->n_frames = 0;
	if (activation->trap == WE_TRAP_MEMORY_OUT_OF_BOUNDS)
		at = access_at(activation->pc);
	(void)note(store, activation->pc, at);
	walk(store, activation->fp, 0, WE_BACKTRACE_FRAMES);
	leave_by(activation, (enum we_trap)activation->trap);
}

void we_native_note_place(struct we_store *store)
{
	store->n_frames = 0;
	walk(store, (uintptr_t)__builtin_frame_address(0), 0, 1);
}
