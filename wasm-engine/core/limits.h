// SPDX-License-Identifier: BSD-3-Clause
// The implementation limits of the engine, each with its unit.
//
// Spec: core "Implementation Limitations". The numbers that the JavaScript embedding fixes are
// kept, so that what browsers load is loaded here. A module beyond one is INVALID, and the message
// says "implementation limit".
#pragma once

#define WE_LIMIT_MODULE_BYTES    (1u << 30)
#define WE_LIMIT_TYPES           1000000u
#define WE_LIMIT_FUNCS           1000000u // imported and defined
#define WE_LIMIT_IMPORTS         100000u
#define WE_LIMIT_EXPORTS         1000000u
#define WE_LIMIT_GLOBALS         1000000u
#define WE_LIMIT_TAGS            1000000u
#define WE_LIMIT_DATAS           100000u
#define WE_LIMIT_ELEMS           100000u   // segments
#define WE_LIMIT_ELEM_ITEMS      10000000u // items of one segment
#define WE_LIMIT_TABLES          100000u
#define WE_LIMIT_MEMORIES        100000u
#define WE_LIMIT_FUNC_BYTES      7654321u // of one body
#define WE_LIMIT_LOCALS          50000u   // of one function, parameters included
#define WE_LIMIT_PARAMS          1000u    // of one function type
#define WE_LIMIT_RESULTS         1000u
#define WE_LIMIT_BR_TABLE        (1u << 20) // labels of one br_table
#define WE_LIMIT_CONTROL_DEPTH   100000u    // nested blocks of one body
#define WE_LIMIT_OPERANDS        100000u    // on the operand stack of one body
#define WE_LIMIT_CODE_SLOTS      57952u // header, locals and operands of a frame of the interpreter
#define WE_LIMIT_RECURSION_GROUP 1000000u // types of one recursion group
#define WE_LIMIT_FIELDS          10000u   // of one structure type
#define WE_LIMIT_CATCHES         10000u   // clauses of one try_table
#define WE_LIMIT_ARRAY_FIXED     10000u   // operands of one array.new_fixed
#define WE_LIMIT_SUBTYPE_DEPTH   63u      // supertypes above a type
#define WE_LIMIT_ENGINE_TYPES                                                                      \
	(1u << 24) // distinct types of all modules of an engine, WE_T_INDEX_MASK

#define WE_PAGE_BYTES          65536u
#define WE_MEMORY32_MAX_PAGES  65536u        // the type's own bound
#define WE_MEMORY64_MAX_PAGES  (1ull << 48)  // the type's own bound
#define WE_MEMORY64_HOST_PAGES (1ull << 30)  // 64 TiB: what a host's address space may give
#define WE_TABLE32_MAX         0xffffffffull // elements, the type's own bound
#define WE_TABLE_HOST_MAX                                                                          \
	0x7fffffffull // elements: operations count in 32 bits, and -1 is a failure

// Defaults of struct we_store_limits.
#define WE_DEFAULT_MEMORY_PAGES (4u * 65536u) // what a 32-bit memory cannot use is for 64-bit ones
#define WE_DEFAULT_TOTAL_MEMORY_PAGES (4u * 65536u)
#define WE_DEFAULT_TABLE_ELEMENTS     10000000u
#define WE_DEFAULT_INSTANCES          10000u
#define WE_DEFAULT_STACK_BYTES        (1u << 20)
#define WE_DEFAULT_CALL_DEPTH         10000u
#define WE_DEFAULT_HEAP_BYTES         (UINT64_C(256) << 20)

#define WE_HEAP_MIN_BYTES (UINT64_C(64) << 10) // a smaller limit is taken for this
#define WE_HEAP_MAX_BYTES (UINT64_C(1) << 32)  // what 32-bit references reach

#define WE_LIMIT_ENTERED 200u // nested calls from the host, by host functions that call back

// A memory is zeroed to be used again: by hand up to this, a larger one by the kernel.
#define WE_MEMORY_ZERO_BYTES (UINT64_C(2) << 20)
// By hand, up to this without asking the kernel where it has pages.
#define WE_MEMORY_BLIND_BYTES  (UINT64_C(256) << 10)
#define WE_BULK_CHUNK_BYTES    65536u // bulk memory work between two looks at the interrupt word
#define WE_FILL_CHUNK_BYTES    1984u  // the same for fills: glibc's memset uses vectors below 2 KiB
#define WE_BULK_CHUNK_ELEMENTS 4096u  // the same for tables
#define WE_BACKTRACE_FRAMES    32u    // kept of a trap, innermost first

// Defaults of native code in struct we_engine_config.
#define WE_DEFAULT_JIT_CPU_MS  20000u
#define WE_DEFAULT_JIT_WALL_MS 60000u
#define WE_DEFAULT_JIT_MEMORY_BYTES                                                                \
	(UINT64_C(1) << 30) // beyond what the compiler has when it starts
#define WE_DEFAULT_JIT_CACHE_BYTES (UINT64_C(256) << 20)
