// SPDX-License-Identifier: BSD-3-Clause
// Lowering: from valid bodies to LLVM's form.
//
// Module path 3/6. One LLVM module for a batch of functions (unit). A body is read once, instruction by instruction: the operand
// stack is SSA values, labels have phis, locals are allocas that the first pass promotes.
//
// LLVM types: i32, i64, float, double; v128 is <2 x i64>; references: func ptr, extern i64, any and exn i32.
//
// What may trap must not move across what can be seen after a trap. LLVM knows nothing of faults; so a load that
// may fault is followed by an empty asm that uses its value and, as far as LLVM knows, may unwind, touching no memory
// that anybody sees (func_pin). Unwinding is what a trap is: stores before it must have happened, those after
// it must not, and neither may be dropped; but loads may still be merged across it. It emits no instruction.
// Owns:   the LLVM things of the unit.
// Thread: one.
#pragma once

#include <llvm-c/Core.h>
#include <llvm-c/DebugInfo.h>

#include "instr.h"
#include "jit.h"
#include "runtime.h"
#include "vec.h"

enum {
	JIT_MAX_BODY_BYTES = 256 * 1024, // larger functions stay in the interpreter
	JIT_MAX_NESTING = 500,           // the optimizer is quadratic in nested blocks
	JIT_MAX_RT = 64,
	JIT_PROOFS_LOOK = 48,  // newest proofs that are looked through
	JIT_INLINE_FILL = 256, // bytes of a memory.fill that needs no call
	JIT_INLINE_COPY = 128, // the same of memory.copy
	JIT_MAX_TURNS = 3,     // calls of a function by itself that are inlined in each other
	// Of a body with those in it: bytes, and slots of its signature and of what it calls.
	JIT_MAX_TURNS_WEIGHT = 320,
};

// Which accesses may be the same place, for LLVM's type-based alias analysis.
enum place {
	PLACE_MEMORY,  // linear memories
	PLACE_GLOBAL,  // cells of globals
	PLACE_TABLE,   // elements and sizes of tables
	PLACE_HEAP,    // objects
	PLACE_RUNTIME, // structures of the runtime
	PLACE_CELLS,   // shadow stack, argument slots
	PLACE_N,
};

// A signature in the convention of native_abi.h.
struct sig {
	const struct we_functype *type;
	LLVMValueRef enter; // its wrapper for callers in C, "w" and its index
	uint32_t at;        // where that is in the code, known from the object
};

// What may be in a table: nothing but these and null, unless it is open, that is imported, exported, written by an
// instruction, or begun with what only an instance knows.
struct elements {
	struct we_vec funcs; // we_funcidx, ascending
	bool is_open;
};

// The types and declarations of one LLVM module.
struct unit {
	LLVMContextRef cx;
	LLVMModuleRef m;
	LLVMBuilderRef b; // at the end of the block being filled
	const struct we_module *module;
	const struct we_jit_options *opt;
	LLVMTypeRef t_void;
	LLVMTypeRef t_i1;
	LLVMTypeRef t_i8;
	LLVMTypeRef t_i16;
	LLVMTypeRef t_i32;
	LLVMTypeRef t_i64;
	LLVMTypeRef t_f32;
	LLVMTypeRef t_f64;
	LLVMTypeRef t_ptr;
	LLVMTypeRef t_v128; // <2 x i64>
	LLVMTypeRef t_i8x16;
	LLVMTypeRef t_i16x8;
	LLVMTypeRef t_i32x4;
	LLVMTypeRef t_i64x2;
	LLVMTypeRef t_f32x4;
	LLVMTypeRef t_f64x2;
	LLVMTypeRef t_ret;  // of every wasm function
	LLVMTypeRef t_wasm; // every wasm function, as body and as entry
	LLVMTypeRef t_enter;
	LLVMTypeRef t_rt[JIT_MAX_RT];
	LLVMAttributeRef a_pin;
	LLVMAttributeRef a_cold;
	LLVMAttributeRef a_noreturn;
	LLVMAttributeRef a_noinline;
	LLVMAttributeRef a_alwaysinline;
	LLVMAttributeRef a_instance; // of a body's first parameter, and the next one
	LLVMAttributeRef a_aligned;
	LLVMValueRef pin_none;
	unsigned md_tbaa;
	unsigned md_invariant;
	unsigned md_dereferenceable;
	unsigned md_align;
	unsigned md_prof;
	LLVMValueRef tbaa[PLACE_N];
	LLVMValueRef invariant;
	LLVMValueRef align_8;
	LLVMValueRef unlikely; // branch weights: true is cold
	LLVMDIBuilderRef di;
	LLVMMetadataRef di_file;
	LLVMMetadataRef di_subroutine;
	LLVMValueRef *bodies; // [n_funcs of the module] declared bodies of the batch, or NULL
	LLVMValueRef (*turns)[JIT_MAX_TURNS]; // [n_funcs of the module] more bodies: see unit_turn
	uint32_t *n_turns;       // [n_funcs of the module] of these, 0 to JIT_MAX_TURNS
	bool *is_called_outside; // [n_funcs of the module] by a function that is not of the batch
	bool *may_throw; // [n_funcs of the module, then its n_tables: a call by that table, unit_table_node]
	struct elements *elements; // [n_tables of the module]
	bool *uses_cells; // [n_funcs of the module] has references that the collector moves
	bool *is_skipped; // [n_funcs of the module] not compiled
	struct sig *sigs; // [n_sigs]
	uint32_t n_sigs;
};

// An operand. A reference that lies below a block is one value on every way through it, wherever a collection moves it: it
// has a home then, an alloca, and v is not it.
struct value {
	LLVMValueRef v;
	enum we_kind kind;
	LLVMValueRef home;
};

// A label.
struct label {
	enum we_op op;           // BLOCK LOOP IF ELSE TRY_TABLE; NONE: the body
	LLVMBasicBlockRef to;    // where branches go
	LLVMBasicBlockRef end;   // what follows `end`; the same unless a LOOP
	LLVMBasicBlockRef other; // IF without its else yet
	uint32_t height;         // operands below its parameters
	uint32_t n_params;
	uint32_t n_results;
	const we_valtype *params;
	const we_valtype *results;
	LLVMValueRef *phis;      // of `end` [n_results]
	LLVMValueRef *to_phis;   // of `to`: a LOOP's [n_params], or phis
	LLVMValueRef *if_params; // IF: its parameters again for the else [n_params]
	uint32_t n_proofs;       // when it began
	bool is_reached;         // `end` has a branch
	// TRY_TABLE: where exceptions thrown inside go, made when one may be.
	LLVMBasicBlockRef dispatch;
	const struct we_catch *catches;
	uint32_t n_catches;
};

// In memory mem, bytes [base value, base value + end) are inside.
struct proof {
	LLVMValueRef base;
	we_memidx mem;
	uint64_t end;
};

// A function being lowered.
struct func {
	struct unit *u;
	const struct we_func_def *def;
	we_funcidx idx;
	uint32_t turn; // 0 to n_turns
	LLVMValueRef fn;
	LLVMBasicBlockRef prologue; // loads that all may use; ends with a branch to start
	LLVMBasicBlockRef start;
	LLVMMetadataRef scope;
	uint32_t at; // of the instruction being lowered
	LLVMValueRef inst;
	// In the prologue, made when first needed.
	LLVMValueRef store;
	LLVMValueRef heap;
	LLVMValueRef heap_base;
	LLVMValueRef cells; // the first of this function's shadow stack
	LLVMValueRef slots; // argument slots for the runtime [n_slots]
	LLVMValueRef mems;
	LLVMValueRef *mem_bases;   // [n_mems]
	LLVMValueRef *mem_structs; // [n_mems]
	uint32_t n_slots;
	uint32_t n_cells;
	struct we_vec values;  // struct value
	struct we_vec labels;  // struct label
	struct we_vec proofs;  // struct proof
	struct we_arena arena; // of labels
	struct local {
		LLVMValueRef at;    // alloca
		LLVMValueRef known; // its value, if generation is the function's
		uint32_t generation;
		enum we_kind kind;
	} *locals;
	uint32_t n_locals;
	uint32_t n_host_calls;   // in line
	uint32_t n_direct_calls; // of those by a table
	uint32_t generation;     // of what is known of locals
	uint32_t dead;           // nested blocks entered since the code became unreachable
	bool is_dead;            // unreachable
	bool is_dirty;           // a store since the last pin
	bool has_faulting;       // one that may fault
	bool uses_cells;         // references may be needed after something that collects
};

// ---- unit ---------------------------------------------------------------------------------------

void unit_init_types(struct unit *u); // of u->cx; unit_init does it
void unit_init(struct unit *u, const struct we_module *module, const struct we_jit_options *opt);
void unit_fini(struct unit *u);
LLVMTypeRef unit_type(struct unit *u, enum we_kind kind);
// An intrinsic of LLVM, called: "llvm.ctpop" with types {i32}. n_types 0 for those that are not overloaded.
LLVMValueRef unit_intrinsic(struct unit *u, const char *name, LLVMTypeRef *types, unsigned n_types,
	LLVMValueRef *args, unsigned n_args);
static inline void unit_mark(LLVMValueRef call, LLVMAttributeRef attribute)
{
	LLVMAddCallSiteAttribute(call, (LLVMAttributeIndex)LLVMAttributeFunctionIndex, attribute);
}
LLVMValueRef unit_i32(struct unit *u, uint32_t x);
LLVMValueRef unit_i64(struct unit *u, uint64_t x);
// A load or store of the runtime's structures: base + offset bytes.
LLVMValueRef unit_at(struct unit *u, LLVMValueRef base, uint64_t offset);
LLVMValueRef unit_load(struct unit *u, LLVMTypeRef type, LLVMValueRef at, enum place place);
LLVMValueRef unit_load_invariant(
	struct unit *u, LLVMTypeRef type, LLVMValueRef base, uint64_t offset);
// The same of a pointer to at least so many bytes, a multiple of 8 that never goes: what is loaded from there without a
// condition leaves loops.
LLVMValueRef unit_load_pointer(
	struct unit *u, LLVMValueRef base, uint64_t offset, uint64_t points_to);
void unit_store(struct unit *u, LLVMValueRef v, LLVMValueRef at, enum place place);
// A value in an argument slot or cell.
void unit_put_slot(struct unit *u, LLVMValueRef v, enum we_kind kind, LLVMValueRef at);
LLVMValueRef unit_get_slot(struct unit *u, enum we_kind kind, LLVMValueRef at);
// The entry by which others call a function stands right before its body: it puts the instance in the place of the
// struct we_func.
enum {
	UNIT_ENTRY_BYTES = 4
};
extern const uint8_t unit_entry_code[UNIT_ENTRY_BYTES];
bool unit_has_entry(const struct unit *u, we_funcidx idx); // may others call it?
void unit_entry(struct unit *u, LLVMValueRef body);
// The wrapper of a signature for callers in C.
struct sig *unit_sig(struct unit *u, const struct we_functype *type);
void unit_wrappers(struct unit *u); // bodies of those
// LLVM inlines no function in itself. So one that calls itself has more bodies, its turns: 0 is the one that others call;
// a call of itself in turn n is of turn n + 1, which is inlined there, and in turn n_turns of the function.
LLVMValueRef unit_turn(const struct unit *u, we_funcidx idx, uint32_t turn);
// After the functions, what a call by a table may come to.
static inline uint32_t unit_table_node(const struct unit *u, we_tableidx table)
{
	return u->module->is.n_funcs + table;
}
// The names of bodies: "f7", and of turns: "f7.1".
enum {
	UNIT_NAME_BYTES = 32
};
void unit_name(char name[UNIT_NAME_BYTES], we_funcidx idx, uint32_t turn);
// Returns: the end of such a name, or NULL when it is none. *ret_turn: 0 of a body.
const char *unit_name_read(const char *name, we_funcidx *ret_idx, uint32_t *ret_turn);

// ---- function -----------------------------------------------------------------------------------

void lower_func(struct unit *u, we_funcidx idx, uint32_t turn);

void func_push(struct func *f, LLVMValueRef v, enum we_kind kind);
LLVMValueRef func_pop(struct func *f);
struct value func_pop_value(struct func *f);
struct value *func_top(
	struct func *f, uint32_t n); // the n-th operand from the top, 0: the top; v is it
void func_settle(
	struct func *f, uint32_t height); // a block begins: references below that height get homes
uint32_t func_height(const struct func *f);
enum we_kind func_kind(const struct func *f, we_valtype type);

LLVMBasicBlockRef func_block(struct func *f);
void func_go_on(struct func *f, LLVMBasicBlockRef block); // fill that block from here on
// Branch to a new block, cold, if the i1 holds; the builder is in the cold block then. Returns: the one to go on with.
LLVMBasicBlockRef func_cold_if(struct func *f, LLVMValueRef cond);
// Trap if the i1 holds. Goes on in a new block.
void func_trap_if(struct func *f, LLVMValueRef cond, enum we_trap trap);
void func_trap(struct func *f, enum we_trap trap); // ends the block
// The code from here on is unreachable.
void func_end_block(struct func *f);

// A store to what can be seen after a trap comes.
void func_before_store(struct func *f, bool may_fault);
void func_pin(struct func *f, LLVMValueRef v); // NULL: only the order
void func_before_fault(struct func *f);
void func_forget(struct func *f); // the state of pins and locals is unknown: a join

LLVMValueRef func_store(struct func *f); // struct we_store *
LLVMValueRef func_cells(struct func *f);
LLVMValueRef func_heap(struct func *f);
LLVMValueRef func_heap_base(struct func *f);
LLVMValueRef func_mem(struct func *f, we_memidx mem);
LLVMValueRef func_mem_base(struct func *f, we_memidx mem);
// One of an array of pointers in the instance: at the offset there, each to so many bytes.
LLVMValueRef func_part(struct func *f, uint64_t offset, uint32_t i, uint64_t points_to);
LLVMValueRef func_funcref(struct func *f, we_funcidx idx);
LLVMValueRef func_tag(struct func *f, we_tagidx tag);
LLVMValueRef func_table(struct func *f, we_tableidx table);
LLVMValueRef func_def(struct func *f, we_typeidx type); // struct we_deftype *
LLVMValueRef func_slots(struct func *f, uint32_t n);    // room for n slots

enum rt {
#define WE_RT(name, ret, ...) RT_##name,
#include "native_rt.def"
#undef WE_RT
	RT_N
};
// Call a function of the runtime: args after the instance. Looks at the interrupt word after it.
LLVMValueRef func_rt(struct func *f, enum rt fn, LLVMValueRef *args, unsigned n_args);

// Look at the interrupt word: something outside native code has returned.
void func_check_due(struct func *f);
LLVMValueRef func_exception_at(struct func *f); // address of store->exception

// Values as they lie in slots and cells.
LLVMValueRef func_to_slot(struct func *f, struct value v); // i64; not v128

// Around what may collect: references among operands and locals go to cells, and come back moved.
void func_spill(struct func *f);
void func_reload(struct func *f);
// Between them: where the reference that is the n-th operand from below lies.
LLVMValueRef func_cell_of(struct func *f, uint32_t n);
// Before a return or a tail call.
void func_leave(struct func *f);
// The function from its start on, with other arguments: [n_params].
void func_begin_again(struct func *f, LLVMValueRef *args);

LLVMValueRef func_local_get(struct func *f, we_localidx i);
void func_local_set(struct func *f, we_localidx i, LLVMValueRef v);
void func_set_place(struct func *f); // what is made from here on belongs to f->at
// One more element of a vec, zeroed.
void *func_add(struct we_vec *vec, size_t elem_bytes);

// ---- by subject: each handles its instructions, operands on the stack ------------------------------

void lower_instr(struct func *f, const struct we_instr *in); // anything
bool lower_control(struct func *f, const struct we_instr *in);
bool lower_call(struct func *f, const struct we_instr *in);
bool lower_memory(struct func *f, const struct we_instr *in);
bool lower_ref(struct func *f, const struct we_instr *in);

// Blocks and phis of a label whose op and types are set.
void lower_make_label(struct func *f, struct label *label);
// A branch to the n-th label with the top operands; the operands stay.
void lower_branch(struct func *f, uint32_t n);
void lower_branch_if(struct func *f, LLVMValueRef cond, uint32_t n);
// An exception is under way in store->exception: go where it is caught, or return. Ends the block.
void lower_exception(struct func *f);
LLVMValueRef lower_has_exception(struct func *f); // i1: is one?
void lower_check_exception(struct func *f);

// lower_num.c: scalar instructions with params and results in letters that touch no memory (opcode.def): v are
// the operands in order. Returns the result. Conversions and divisions trap by func_trap_if.
LLVMValueRef lower_num(struct unit *u, struct func *f, const struct we_instr *in, LLVMValueRef *v);
// lower_simd.c: the same for vectors; also splat, lanes, shuffle, const (in->of.v128, in->of.lane).
LLVMValueRef lower_simd(struct unit *u, struct func *f, const struct we_instr *in, LLVMValueRef *v);
