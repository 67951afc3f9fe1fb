// SPDX-License-Identifier: BSD-3-Clause
// we_icode: what a body is translated to, and how its words lie.
//
// Module path 3/6. An operation is a handler's address and its operands: 16-bit slots of the frame, a 32-bit
// constant, 64-bit words.
//
// A frame on the value stack, in slots of 8 bytes; fp points at the header, operands count from
// fp - WE_FRAME_BIAS so that they are never negative:
//
//	fp - room .. fp      parameters, later the results; room = max(parameters, results)
//	fp .. fp + 4         header: WE_FRAME_*
//	fp + 4 ..            locals, constants, operand stack
//
// The arguments of a call lie on top of the caller's operand stack, which is where the callee's frame begins:
// a call copies nothing.
// Owns:   a we_code owns its words, constants and offsets.
// Thread: immutable once translated.
#pragma once

#include "limits.h"
#include "module.h"

enum we_icode {
#define I_NAME(NAME, FORM) WE_I_##NAME,
#include "icode.def"
#undef I_NAME
	WE_I_N
};

// Which of the four 16-bit operands are slots (bits 0 to 3), and how many words the operation takes (bits 4 to 6).
// Letters: a, b, c, d are slots; L a small constant in the place of a slot; I or J the 32-bit constant or
// jump distance in words, in the place of c and d; X a word more; Y one whose low 16 bits are a slot (bit 8).
enum we_form {
	WE_FORM_NONE = 0x00 | 1 << 4,
	WE_FORM_A = 0x01 | 2 << 4,
	WE_FORM_AB = 0x03 | 2 << 4,
	WE_FORM_ABC = 0x07 | 2 << 4,
	WE_FORM_ABCD = 0x0f | 2 << 4,
	WE_FORM_ABCL = 0x07 | 2 << 4,
	WE_FORM_ABLL = 0x03 | 2 << 4,
	WE_FORM_I = 0x00 | 2 << 4,
	WE_FORM_J = 0x00 | 2 << 4,
	WE_FORM_AI = 0x01 | 2 << 4,
	WE_FORM_AJ = 0x01 | 2 << 4,
	WE_FORM_ALI = 0x01 | 2 << 4,
	WE_FORM_ALCL = 0x05 | 2 << 4,
	WE_FORM_ALCLX = 0x05 | 3 << 4,
	WE_FORM_ALCLY = 0x05 | 3 << 4 | 1 << 8,
	WE_FORM_ABI = 0x03 | 2 << 4,
	WE_FORM_ABJ = 0x03 | 2 << 4,
	WE_FORM_AJX = 0x01 | 3 << 4,
	WE_FORM_ABJX = 0x03 | 3 << 4,
	WE_FORM_ABJY = 0x03 | 3 << 4 | 1 << 8,
	WE_FORM_ABCDX = 0x0f | 3 << 4,
	WE_FORM_ABCDY = 0x0f | 3 << 4 | 1 << 8,
	WE_FORM_AX = 0x01 | 3 << 4,
	WE_FORM_ABLX = 0x03 | 3 << 4,
	WE_FORM_ABCX = 0x07 | 3 << 4,
	WE_FORM_ABCLX = 0x07 | 3 << 4,
	WE_FORM_ABIX = 0x03 | 3 << 4,
	WE_FORM_AXX = 0x01 | 4 << 4,
	WE_FORM_ABCXX = 0x07 | 4 << 4,
	WE_FORM_ABCLXX = 0x07 | 4 << 4,
	WE_FORM_ABLXX = 0x03 | 4 << 4,
	WE_FORM_ENTER = 0x00 | 3 << 4,
	WE_FORM_TABLE = 0x01 | 2 << 4 | 1 << 7, // and n + 1 distances, two a word
};

#define WE_FORM_SLOTS(form) ((form) & 15u)
#define WE_FORM_WORDS(form) ((form) >> 4 & 7u)
#define WE_FORM_IS_Y(form)  ((form) >> 8 & 1u)

// One operation as it lies in the code.
struct we_iop {
	const void *handler;
	union {
		struct {
			uint16_t a;
			uint16_t b;
			union {
				struct {
					uint16_t c;
					uint16_t d;
				};
				uint32_t imm;
				int32_t simm;
			};
		};
		uint16_t slots[4];
	};
	uint64_t x[];
};

#define WE_FRAME_BIAS      2048u                                 // slots; more than any room
#define WE_FRAME_MAX_SLOTS (WE_FRAME_BIAS + WE_LIMIT_CODE_SLOTS) // of a frame, from fp - bias on
#define WE_FRAME_POOL_MAX  4000u                                 // constants of a frame, slots

enum {                         // header, slots from fp
	WE_FRAME_RETURN = 0,   // operation to go on with
	WE_FRAME_CALLER = 1,   // its frame
	WE_FRAME_INSTANCE = 2, // and instance
	WE_FRAME_CODE = 3,     // that runs in this frame
	WE_FRAME_HEADER = 4,
};

// Where the operations of an instruction begin; an entry covers all words up to the next one.
struct we_code_offset {
	uint32_t word;
	uint32_t at; // of the instruction, bytes from the start of the module
};

// A slot that holds a reference, and how.
#define WE_REF(slot, trace) ((uint32_t)(slot) | (uint32_t)(trace) << 16)
#define WE_REF_SLOT(ref)    ((ref) & 0xffffu)
#define WE_REF_TRACE(ref)   ((ref) >> 16)

// The operands that hold references while a call or an allocation at the word is under way.
struct we_code_map {
	uint32_t word;
	uint32_t first; // in refs
	uint32_t n;
};

// A clause of a try_table: what is thrown by operations in [begin, end) goes on at target, its values from slot on.
struct we_code_catch {
	uint32_t begin;  // word
	uint32_t end;    // word
	uint32_t target; // word
	uint32_t slot;
	we_tagidx tag; // when has_tag
	uint16_t has_tag;
	uint16_t has_ref;
};

struct we_code {
	const struct we_iop *exit; // back to the host
	uint32_t n_frame; // slots that a call needs from fp on, callees' arguments included
	uint32_t room;    // slots before fp
	uint32_t n_param_slots;
	uint32_t n_offsets;
	uint32_t n_calls;
	uint32_t n_maps;
	uint32_t n_catches;
	uint32_t n_ref_locals;
	we_funcidx func;
	const struct we_module *module; // borrowed; outlives its code
	struct we_code_offset *offsets; // [n_offsets], ascending
	uint32_t *calls;                // [n_calls] words of calls of this module's functions
	struct we_code_map *maps;       // [n_maps], ascending
	struct we_code_catch *catches;  // [n_catches], those of inner blocks first
	uint32_t *refs;                 // WE_REF: [n_ref_locals] of the locals, then of the maps
	uint64_t words[];               // then the constants
};

// Slots before the header of a frame of this type.
static inline uint32_t we_functype_room(const struct we_functype *type)
{
	return type->n_param_slots > type->n_result_slots ? type->n_param_slots
							  : type->n_result_slots;
}

// The address of each operation's handler, [WE_I_N].
const void *const *we_loop_handlers(void);
// enum we_form of each operation, [WE_I_N].
extern const uint16_t we_icode_forms[WE_I_N];
