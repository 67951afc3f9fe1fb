// SPDX-License-Identifier: BSD-3-Clause
// What a guest leaves behind when it traps, natively as in the interpreter: memories, globals, tables, structures, and
// where it was.
//
// Each shape is what some pass of LLVM would break without pins (func_pin) or with a wrong proof (prove); random
// programs look for what nobody thought of. Of a fault, the function is exact; of other traps the instruction, too.
// WEIR_SEED: another seed for the random programs, WEIR_ROUNDS: how many modules.
#include "test_native.h"

#include "instr.h"

#include <stdio.h>

enum {
	PAGE = 65536,
	N_GLOBALS = 4, // i32, i64, v128, structure
	N_ELEMENTS = 4,
};

// Of type i32 i32 -> i32, with locals 2 and 3 of i32, 4 of i64, 5 of v128.
struct shape {
	const char *name;
	const char *code;
};

static const char shape_locals[] = "i32 i32 i64 v128";

static const struct shape shapes[] = {
	// ---- loads ----
	{"a load that nobody uses", "local.get 0 i32.load 0 drop i32.const 7"},
	{"a vector load that nobody uses", "local.get 0 v128.load 0 drop i32.const 7"},
	{"a load whose use folds", "local.get 0 i32.load 0 i32.const 0 i32.mul"},
	{"a load and itself", "local.get 0 i32.load 0 local.tee 2 local.get 2 i32.xor"},
	{"a load and zero", "local.get 0 i32.load8_u 0 i32.const 0xff00 i32.and"},
	{"a load used in a branch only",
		"local.get 0 i32.load 0 local.set 2 local.get 1 i32.const 65530 i32.gt_u "
		"if i32 local.get 2 else i32.const 5 end"},
	{"a load sunk below a global", "local.get 0 i32.load 0 i32.const 9 global.set 0"},
	{"a global before a load", "i32.const 9 global.set 0 local.get 0 i32.load 0"},
	{"a global twice around a load",
		"i32.const 9 global.set 0 local.get 0 i32.load 0 i32.const 8 global.set 0"},
	{"a load narrowed", "local.get 0 i64.load 0 i32.wrap_i64 i32.const 255 i32.and"},
	{"a load narrowed by a store",
		"i32.const 16 local.get 0 i64.load 0 i64.store8 0 i32.const 1"},
	{"lanes of a load", "local.get 0 v128.load 0 i32x4.extract_lane 0"},
	{"loads of a half extended", "local.get 0 v128.load8x8_u 0 i32x4.extract_lane 3"},
	{"a splat of which one lane is used",
		"local.get 0 v128.load32_splat 0 i32x4.extract_lane 1"},
	{"a lane that is overwritten",
		"local.get 0 local.get 5 v128.load32_lane 0 1 i32.const 3 i32x4.replace_lane 1 "
		"i32x4.extract_lane 1"},
	{"zeros of load64_zero", "local.get 0 v128.load64_zero 0 i32x4.extract_lane 3"},
	{"four bytes that make a word",
		"local.get 0 i32.load8_u 0 local.get 0 i32.load8_u 1 i32.const 8 i32.shl i32.or "
		"local.get 0 i32.load8_u 2 i32.const 16 i32.shl i32.or local.get 0 i32.load8_u 3 "
		"i32.const 24 i32.shl i32.or"},
	{"a select between loads", "local.get 0 i32.load 0 local.get 1 i32.load 0 local.get 0 "
				   "i32.const 1 i32.and select"},
	{"a load in both branches", "local.get 0 i32.const 4 i32.and if i32 i32.const 1 global.set "
				    "0 local.get 1 i32.load 0 "
				    "else i32.const 2 global.set 0 local.get 1 i32.load 0 end"},
	{"a load of which one half is extended",
		"local.get 0 v128.load 0 local.tee 5 i64x2.extend_high_i32x4_s i64x2.extract_lane "
		"0 i32.wrap_i64 local.get 5 i32x4.extract_lane 0 i32.add"},
	{"a load and a half of it splat",
		"local.get 0 v128.load 0 i64x2.extend_high_i32x4_s f64x2.floor i64x2.extract_lane "
		"1 i32.wrap_i64"},
	// ---- stores ----
	{"a store before a trapping load",
		"i32.const 32 local.get 0 i32.store 0 local.get 1 i32.load 0"},
	{"a store after a trapping load",
		"local.get 1 i32.load 0 i32.const 32 local.get 0 i32.store 0"},
	{"load and store back", "local.get 0 local.get 0 i32.load 0 i32.store 0 i32.const 0"},
	{"two stores around a trapping store", "i32.const 64 i32.const 1 i32.store 0 local.get 0 "
					       "i32.const 2 i32.store 0 i32.const 64 "
					       "i32.const 3 i32.store 0 i32.const 0"},
	{"two stores around a trapping load",
		"i32.const 64 i32.const 1 i32.store 0 local.get 0 i32.load 0 i32.const 64 "
		"i32.const 3 i32.store 0"},
	{"two stores to one place", "local.get 0 i32.const 1 i32.store 0 local.get 1 i32.const 2 "
				    "i32.store 0 local.get 0 i32.const 3 i32.store 0 i32.const 0"},
	{"adjacent stores upwards",
		"local.get 0 i32.const 0x11111111 i32.store 0 local.get 0 i32.const 0x22222222 "
		"i32.store 4 local.get 0 i32.const 0x33333333 i32.store 8 local.get 0 "
		"i32.const 0x44444444 i32.store 12 i32.const 0"},
	{"adjacent stores downwards",
		"local.get 0 i32.const 0x44444444 i32.store 12 local.get 0 i32.const 0x33333333 "
		"i32.store 8 local.get 0 i32.const 0x22222222 i32.store 4 local.get 0 "
		"i32.const 0x11111111 i32.store 0 i32.const 0"},
	{"adjacent bytes",
		"local.get 0 i32.const 1 i32.store8 0 local.get 0 i32.const 2 i32.store8 1 "
		"local.get 0 "
		"i32.const 3 i32.store8 2 local.get 0 i32.const 4 i32.store8 3 i32.const 0"},
	{"a word in bytes", "local.get 0 local.get 1 i32.store8 0 local.get 0 local.get 1 "
			    "i32.const 8 i32.shr_u "
			    "i32.store8 1 local.get 0 local.get 1 i32.const 16 i32.shr_u "
			    "i32.store8 2 local.get 0 "
			    "local.get 1 i32.const 24 i32.shr_u i32.store8 3 i32.const 0"},
	{"a wide store after a narrow one", "local.get 0 i32.const 1 i32.store8 0 local.get 0 "
					    "i64.const -1 i64.store 0 i32.const 0"},
	{"a narrow store after a wide one", "local.get 0 i64.const -1 i64.store 0 local.get 0 "
					    "i32.const 1 i32.store8 3 i32.const 0"},
	{"a vector over words",
		"local.get 0 i32.const 1 i32.store 0 local.get 0 v128.const 5 6 v128.store 0 "
		"local.get 0 i32.const 2 i32.store 12 i32.const 0"},
	{"a store forwarded to a load", "local.get 0 i32.const 77 i32.store 0 local.get 1 "
					"i32.const 5 i32.store 0 local.get 0 "
					"i32.load 0"},
	{"a store forwarded across a fault", "i32.const 128 local.get 1 i32.store 0 local.get 0 "
					     "i32.load 0 i32.const 128 i32.load 0 "
					     "i32.add"},
	{"a store in a branch",
		"local.get 1 i32.const 1 i32.and if void i32.const 40 i32.const 1 i32.store 0 "
		"end local.get 0 i32.load 0"},
	{"stores in both branches",
		"local.get 1 i32.const 1 i32.and if void i32.const 40 i32.const 1 i32.store 0 else "
		"i32.const 40 i32.const 2 i32.store 0 end local.get 0 i32.load 0"},
	{"a store made conditional", "local.get 0 i32.const 6 i32.store 0 local.get 1 i32.const 1 "
				     "i32.and if void local.get 0 "
				     "i32.const 7 i32.store 0 end local.get 1 i32.load 0"},
	{"lanes stored",
		"local.get 0 v128.const 5 6 v128.store32_lane 0 2 local.get 0 v128.const 5 6 "
		"v128.store32_lane 4 0 i32.const 0"},
	// ---- loops ----
	{"a loop of bytes to one value",
		"loop void local.get 0 i32.const 0x5a i32.store8 0 local.get 0 i32.const 1 i32.add "
		"local.set 0 local.get 2 i32.const 1 i32.add local.tee 2 i32.const 40 i32.lt_u "
		"br_if 0 "
		"end local.get 2"},
	{"a loop of bytes copied",
		"loop void local.get 0 local.get 1 i32.load8_u 0 i32.store8 0 local.get 0 "
		"i32.const 1 "
		"i32.add local.set 0 local.get 1 i32.const 1 i32.add local.set 1 local.get 2 "
		"i32.const 1 "
		"i32.add local.tee 2 i32.const 40 i32.lt_u br_if 0 end local.get 2"},
	{"a loop of words",
		"loop void local.get 0 local.get 2 i32.store 0 local.get 0 i32.const 4 i32.add "
		"local.set 0 local.get 2 i32.const 1 i32.add local.tee 2 i32.const 9 i32.lt_u "
		"br_if 0 end local.get 2"},
	{"a loop of zeros downwards",
		"loop void local.get 0 i32.const 0 i32.store 0 local.get 0 i32.const 4 i32.sub "
		"local.set 0 local.get 2 i32.const 1 i32.add local.tee 2 i32.const 9 i32.lt_u "
		"br_if 0 "
		"end local.get 2"},
	{"a global in a loop with a trapping load",
		"loop void global.get 0 i32.const 1 i32.add global.set 0 local.get 0 i32.load 0 "
		"local.set 3 local.get 0 i32.const 4 i32.add local.set 0 local.get 2 i32.const 1 "
		"i32.add "
		"local.tee 2 i32.const 9 i32.lt_u br_if 0 end local.get 3"},
	{"a memory cell in a loop with a trapping load",
		"loop void i32.const 256 i32.const 256 i32.load 0 i32.const 1 i32.add i32.store 0 "
		"local.get 0 i32.load 0 local.set 3 local.get 0 i32.const 4 i32.add local.set 0 "
		"local.get 2 i32.const 1 i32.add local.tee 2 i32.const 9 i32.lt_u br_if 0 end "
		"local.get 3"},
	{"an invariant load in a loop",
		"loop void global.get 0 i32.const 1 i32.add global.set 0 local.get 0 i32.load 0 "
		"local.get 3 i32.add local.set 3 local.get 2 i32.const 1 i32.add local.tee 2 "
		"i32.const 5 "
		"i32.lt_u br_if 0 end local.get 3"},
	{"an invariant store in a loop", "loop void local.get 0 local.get 2 i32.store 0 local.get "
					 "1 i32.load 0 drop local.get 1 "
					 "i32.const 4 i32.add local.set 1 local.get 2 i32.const 1 "
					 "i32.add local.tee 2 i32.const 5 "
					 "i32.lt_u br_if 0 end local.get 3"},
	{"a loop that runs once",
		"loop void local.get 0 i32.load 0 local.set 3 i32.const 1 global.set 0 end "
		"local.get 3"},
	{"an invariant load in a branch of a loop",
		"loop void local.get 2 i32.const 3 i32.eq if void local.get 0 i32.load 0 local.set "
		"3 end "
		"global.get 0 i32.const 1 i32.add global.set 0 local.get 2 i32.const 1 i32.add "
		"local.tee 2 i32.const 5 i32.lt_u br_if 0 end local.get 3"},
	{"a sum that nobody wants", "loop void local.get 0 i32.load 0 local.get 3 i32.add "
				    "local.set 3 local.get 0 i32.const 4 "
				    "i32.add local.set 0 local.get 2 i32.const 1 i32.add local.tee "
				    "2 i32.const 5 i32.lt_u "
				    "br_if 0 end i32.const 4"},
	// ---- places ----
	{"a load of which an index is made with a mask",
		"local.get 0 i32.const 131064 i32.and i32.load 0 i32.const 65535 i32.and "
		"i32.load8_u 1"},
	{"another behind an access that does not fault",
		"i32.const 16 i32.load 0 local.get 0 i32.const 131064 i32.and i32.load 0 i32.const "
		"65535 i32.and i32.load8_u 1 i32.add"},
	{"a vector of a word of which one lane is used",
		"i32.const 16 i32.load 0 local.get 0 v128.load32_zero 0 i16x8.extract_lane_u 0 "
		"i32.add"},
	{"an invariant load at the head of a loop", "local.get 0 i32.const 8 i32.add local.set 3 "
						    "i32.const 5 local.set 2 loop void local.get 0 "
						    "i32.load 0 local.get 3 i32.add local.set 3 "
						    "local.get 2 i32.const 1 i32.sub local.tee 2 "
						    "br_if 0 end local.get 3"},
	{"an invariant load at the head of a loop, and another behind its exit",
		"block void loop void local.get 0 i32.load 0 local.set 3 local.get 1 i32.const 3 "
		"i32.mul i32.const 7 i32.add i32.const 5 i32.rotl local.set 1 local.get 1 "
		"i32.const 5 i32.mul i32.const 8 i32.add i32.const 6 i32.rotl local.set 1 "
		"local.get 1 i32.const 7 i32.mul i32.const 9 i32.add i32.const 7 i32.rotl "
		"local.set 1 local.get 1 i32.const 9 i32.mul i32.const 10 i32.add i32.const 8 "
		"i32.rotl local.set 1 local.get 1 i32.const 11 i32.mul i32.const 11 i32.add "
		"i32.const 9 i32.rotl local.set 1 local.get 1 i32.const 13 i32.mul i32.const 12 "
		"i32.add i32.const 10 i32.rotl local.set 1 local.get 1 i32.const 15 i32.mul "
		"i32.const 13 i32.add i32.const 11 i32.rotl local.set 1 local.get 1 i32.const 17 "
		"i32.mul i32.const 14 i32.add i32.const 12 i32.rotl local.set 1 local.get 1 "
		"i32.const 77 i32.eq br_if 1 local.get 2 i32.load 16 local.get 3 i32.xor local.set "
		"3 local.get 2 i32.const 4 i32.add local.tee 2 i32.const 20 i32.lt_u br_if 0 end "
		"end local.get 3"},
	// ---- proofs ----
	{"a narrower load after a wider one",
		"local.get 0 i64.load 0 drop local.get 0 i32.load 4 drop i32.const 1"},
	{"a wider load after a narrower one",
		"local.get 0 i32.load8_u 0 local.get 0 i32.load 0 i32.add"},
	{"a load at a larger offset", "local.get 0 i32.load 0 local.get 0 i32.load 1 i32.add"},
	{"overlapping offsets and widths", "local.get 0 i32.load16_u 6 local.get 0 i64.load 0 "
					   "i32.wrap_i64 i32.add local.get 0 "
					   "i32.load 5 i32.add local.get 0 i32.load 4 i32.add"},
	{"a proof from one branch", "local.get 1 i32.const 1 i32.and if void local.get 0 i64.load "
				    "8 drop end i32.const 3 "
				    "global.set 0 local.get 0 i32.load 4 drop i32.const 1"},
	{"a proof from the other branch",
		"local.get 1 i32.const 1 i32.and if void i32.const 4 global.set 0 else local.get 0 "
		"i64.load 8 "
		"drop end i32.const 3 global.set 0 local.get 0 i32.load 4 drop i32.const 1"},
	{"a proof from the then to the else",
		"local.get 1 i32.const 1 i32.and if i32 local.get 0 i64.load 8 i32.wrap_i64 else "
		"local.get 0 i32.load 4 end drop i32.const 1"},
	{"a proof behind a br_if", "block void local.get 1 i32.const 1 i32.and br_if 0 local.get 0 "
				   "i64.load 8 drop end "
				   "local.get 0 i32.load 4 drop i32.const 1"},
	{"a proof before a br_if",
		"block void local.get 0 i64.load 8 drop local.get 1 i32.const 1 i32.and br_if 0 "
		"i32.const 2 global.set 0 end local.get 0 i32.load 4 drop i32.const 1"},
	{"a proof from a loop's first round",
		"loop void local.get 0 i32.load 0 drop local.get 0 i32.load 0 drop local.get 0 "
		"i32.const 4 i32.add local.set 0 local.get 0 i32.load 0 drop local.get 2 i32.const "
		"1 "
		"i32.add local.tee 2 i32.const 5 i32.lt_u br_if 0 end local.get 3"},
	{"a proof of the value before the loop",
		"local.get 0 i32.load 4 drop loop void local.get 0 i32.load 0 drop i32.const 3 "
		"global.set 0 local.get 0 i32.const 3 i32.add local.set 0 local.get 2 i32.const 1 "
		"i32.add "
		"local.tee 2 i32.const 5 i32.lt_u br_if 0 end local.get 3"},
	{"a proof of a loop's parameter", "local.get 0 loop 1 local.tee 3 i32.load 0 drop "
					  "local.get 3 i32.load 0 drop local.get 3 "
					  "i32.const 4 i32.add local.get 2 i32.const 1 i32.add "
					  "local.tee 2 i32.const 5 i32.lt_u "
					  "br_if 0 end"},
	{"a proof of an operand from a block",
		"local.get 0 block void local.get 1 i32.const 1 "
		"i32.and br_if 0 local.get 0 i64.load 8 drop "
		"end i32.const 3 global.set 0 i32.load 4 drop i32.const 1"},
	{"a proof of an operand from a then",
		"local.get 0 local.get 0 local.get 1 i32.const 1 "
		"i32.and if 6 i64.load 8 drop else drop end "
		"i32.const 3 global.set 0 i32.load 4 drop i32.const 1"},
	{"a proof of an operand from an else",
		"local.get 0 local.get 0 local.get 1 i32.const 1 "
		"i32.and if 6 drop else i64.load 8 drop end "
		"i32.const 3 global.set 0 i32.load 4 drop i32.const 1"},
	{"a proof of an operand from then to else",
		"local.get 0 local.get 1 i32.const 1 i32.and if 1 i64.load 8 drop i32.const 4 else "
		"i32.const 3 global.set 0 i32.load 4 end drop i32.const 1"},
	{"a proof of an operand from a try_table",
		"local.get 0 block void try_table void 1 catch_all 0 local.get 1 i32.const 1 "
		"i32.and if void "
		"throw 0 end local.get 0 i64.load 8 drop end end i32.const 3 global.set 0 i32.load "
		"4"},
	{"a proof of an operand from a try_table that is left",
		"local.get 0 block void try_table void 1 catch_all 0 i32.const 65529 local.get 1 "
		"i32.add "
		"call 4 i32.const 9 global.set 0 local.get 0 i64.load 8 drop end end i32.const 3 "
		"global.set 0 i32.load 4 drop i32.const 1"},
	{"a proof of an operand from a loop",
		"local.get 0 block void loop void local.get 2 local.get 1 i32.const 3 i32.and "
		"i32.eq br_if 1 "
		"local.get 0 i64.load 8 drop local.get 2 i32.const 1 i32.add local.tee 2 i32.const "
		"2 "
		"i32.lt_u br_if 0 end end i32.const 3 global.set 0 i32.load 4 drop i32.const 1"},
	{"a proof of a constant from a block",
		"block void local.get 1 i32.const 1 i32.and br_if 0 i32.const 65529 i32.load 3 "
		"drop end "
		"i32.const 3 global.set 0 i32.const 65529 i32.load 3 drop i32.const 1"},
	{"a proof of a constant from then to else",
		"local.get 1 i32.const 1 i32.and if i32 i32.const 65529 i32.load 4 else i32.const "
		"3 global.set 0 "
		"i32.const 65529 i32.load 4 end drop i32.const 1"},
	{"a proof of a constant from one memory to another",
		"i32.const 65529 i32.load 2 drop i32.const 1 memory.grow 1 drop i32.const 65529 "
		"i32.load 4@1 "
		"drop i32.const 3 global.set 0 i32.const 65529 i32.load 4 drop i32.const 1"},
	{"a proof in a try_table", "try_table void 0 local.get 0 i64.load 8 drop end local.get 0 "
				   "i32.load 4 drop i32.const 1"},
	{"a proof of a catch", "block void try_table void 1 catch_all 0 local.get 1 i32.const 1 "
			       "i32.and if void throw 0 end "
			       "local.get 0 i64.load 8 drop end end i32.const 6 global.set 0 "
			       "local.get 0 i32.load 4 drop i32.const 1"},
	{"a proof of a switch", "block void block void block void local.get 1 i32.const 3 i32.and "
				"br_table 2 0 1 2 end "
				"local.get 0 i64.load 0 drop end local.get 0 i32.load 4 drop end "
				"i32.const 8 global.set 0 "
				"local.get 0 i32.load 4 drop i32.const 1"},
	{"a proof in one memory is none in another",
		"local.get 0 i32.load 0 drop i32.const 3 global.set 0 local.get 0 i32.load 0@1 "
		"drop i32.const 1"},
	{"a proof of a sum", "local.get 0 i32.load 8 drop local.get 0 i32.const 8 i32.add i32.load "
			     "0 drop i32.const 1"},
	{"a local that was set in between", "local.get 0 i32.load 0 drop local.get 1 local.set 0 "
					    "i32.const 3 global.set 0 local.get 0 "
					    "i32.load 0 drop i32.const 1"},
	{"a local that a branch has set",
		"local.get 0 i32.load 0 drop local.get 1 i32.const 1 "
		"i32.and if void local.get 1 local.set 0 end "
		"i32.const 3 global.set 0 local.get 0 i32.load 0 drop i32.const 1"},
	{"a local that a loop has set", "local.get 0 i32.load 0 drop loop void local.get 0 "
					"i32.load 0 drop local.get 1 local.set 0 "
					"local.get 2 i32.const 1 i32.add local.tee 2 i32.const 3 "
					"i32.lt_u br_if 0 end i32.const 0"},
	{"a memory that grows",
		"i32.const 1 memory.grow 1 drop local.get 0 i32.const 5 i32.store 0@1 "
		"local.get 0 i32.load 0@1 local.get 1 i32.const 6 i32.store 4@1"},
	{"a load before and after growth",
		"block void local.get 1 i32.const 1 i32.and br_if 0 i32.const 1 memory.grow 1 drop "
		"local.get 0 i32.load 0@1 drop end local.get 0 i32.load 0@1 drop i32.const 1"},
	{"a constant at the end",
		"i32.const 65532 i32.const 9 i32.store 0 i32.const 65532 i32.load 0"},
	{"a constant across the end",
		"i32.const 65533 i32.const 9 i32.store 0 i32.const 65533 i32.load 0"},
	{"a constant and an offset across the end",
		"i32.const 5 global.set 0 i32.const 65000 i32.load8_u 535 i32.const 6 global.set 0 "
		"i32.const 65000 i32.load16_u 535 i32.const 7 global.set 0 i32.add"},
	{"a constant that is negative", "i32.const -4 i32.load 0"},
	{"a constant that wraps with its offset", "i32.const -4 i32.load 8"},
	{"a mask that stays inside", "local.get 0 i32.const 0xfffc i32.and i32.load 0"},
	{"a mask that is one too wide", "local.get 0 i32.const 0xffff i32.and i32.load 0"},
	// ---- borders ----
	{"an offset of 2^31", "local.get 0 i32.load 0x80000000"},
	{"an offset of 2^31 - 1", "local.get 0 i32.load8_u 0x7fffffff"},
	{"the largest offset", "local.get 0 i32.load8_u 0xffffffff"},
	{"the largest offset of a vector", "local.get 0 v128.load 0xffffffff drop i32.const 1"},
	{"a store at the largest offset",
		"local.get 0 v128.const 1 2 v128.store 0xffffffff i32.const 0"},
	{"an offset up to the end", "local.get 0 i32.const 0x5a5a5a5a i32.store 65500 i32.const 0"},
	{"a sum of addresses that wraps", "local.get 0 local.get 1 i32.add i32.load8_u 0 local.get "
					  "0 i32.const 0x10000 i32.sub "
					  "i32.load8_u 0 i32.add"},
	{"a scaled index", "local.get 0 i32.const 2 i32.shl i32.load 0"},
	{"an index that was extended by sign",
		"local.get 0 i64.extend_i32_s i64.const 2 i64.add i32.wrap_i64 i32.load8_u 0"},
	// ---- 64-bit addresses ----
	{"a load of memory64 that nobody uses",
		"local.get 0 i64.extend_i32_u i64.load 0@2 drop i32.const 1"},
	{"stores of memory64 around a trap",
		"i64.const 8 i32.const 1 i32.store 0@2 local.get 0 i64.extend_i32_u i32.const 2 "
		"i32.store 0@2 i64.const 8 i32.const 3 i32.store 0@2 i32.const 0"},
	{"a large address",
		"local.get 0 i64.extend_i32_u i64.const 32 i64.shl local.tee 4 i32.load 0@2"},
	{"a negative address", "local.get 0 i64.extend_i32_s i32.load 0@2"},
	{"an address that wraps with its offset",
		"local.get 0 i64.extend_i32_s i32.load8_u 0xffffffffffffffff@2"},
	{"an offset that wraps with its width",
		"i32.const 1 global.set 0 local.get 0 i64.extend_i32_u i64.load "
		"0xfffffffffffffffc@2 drop "
		"i32.const 2"},
	{"a large offset", "local.get 0 i64.extend_i32_s i32.load8_u 0x7fffffffffffffff@2"},
	{"proofs of memory64",
		"local.get 0 i64.extend_i32_u local.tee 4 i32.load 4@2 i32.const 3 global.set 0 "
		"local.get 4 i64.load 0@2 drop local.get 4 i64.load 1@2 drop"},
	{"proofs of memory64 across a branch",
		"local.get 0 i64.extend_i32_u local.set 4 local.get 1 i32.const 1 i32.and if void "
		"local.get 4 "
		"i64.load 8@2 drop end i32.const 3 global.set 0 local.get 4 i32.load 4@2"},
	// ---- other traps ----
	{"a store before a division",
		"i32.const 16 local.get 1 i32.store 0 local.get 0 local.get 1 i32.const 2 "
		"i32.shr_u i32.const 3 i32.and i32.div_u"},
	{"a store after a division",
		"local.get 0 local.get 1 i32.const 3 i32.and i32.div_s i32.const 16 local.get 1 "
		"i32.store 0"},
	{"a division that nobody uses", "i32.const 1 global.set 0 local.get 0 local.get 1 "
					"i32.const 3 i32.and i32.rem_u drop "
					"i32.const 2 global.set 0 i32.const 0"},
	{"the smallest number by -1",
		"i32.const 1 global.set 0 local.get 0 local.get 1 i32.div_s drop i32.const 2 "
		"global.set 0 "
		"i32.const 0x80000000 local.get 0 i32.const 65535 i32.sub i32.div_s"},
	{"a division between two stores", "i32.const 16 i32.const 1 i32.store 0 i32.const 100 "
					  "local.get 0 i32.const 1 i32.and "
					  "i32.div_u i32.const 16 i32.const 2 i32.store 0"},
	{"a division in a loop",
		"loop void i32.const 16 i32.const 16 i32.load 0 i32.const 1 i32.add i32.store 0 "
		"i32.const 90 "
		"local.get 1 i32.const 7 i32.and local.get 2 i32.sub i32.div_u drop local.get 2 "
		"i32.const 1 "
		"i32.add local.tee 2 i32.const 6 i32.lt_u br_if 0 end local.get 2"},
	{"a truncation between stores", "i32.const 16 i32.const 1 i32.store 0 local.get 0 "
					"f32.convert_i32_s f32.const 40000 f32.mul "
					"i32.trunc_f32_s i32.const 16 i32.const 2 i32.store 0"},
	{"a truncation that nobody uses", "i32.const 1 global.set 0 local.get 0 "
					  "f32.reinterpret_i32 i32.trunc_f32_u drop i32.const 2 "
					  "global.set 0 i32.const 0"},
	{"an end that is not reached", "i32.const 16 i32.const 1 i32.store 0 local.get 0 i32.const "
				       "1 i32.and if void unreachable end "
				       "i32.const 16 i32.const 2 i32.store 0 i32.const 0"},
	{"a fault before a division", "local.get 0 i32.load 0 drop local.get 0 local.get 1 "
				      "i32.const 1 i32.and i32.div_u"},
	{"a division before a fault", "local.get 0 local.get 1 i32.const 1 i32.and i32.div_u drop "
				      "local.get 0 i32.load 0"},
	{"a fault before the end", "local.get 0 i32.load 0 drop unreachable"},
	{"a fault of an operand of a store that faults",
		"local.get 1 local.get 0 i32.load 0 i32.store 0 i32.const 1"},
	// ---- signalling NaNs, which come out quiet ----
	{"a product with what turns out to be one",
		"i32.const 0x3f800000 local.set 2 block void local.get 0 br_if 0 i32.const 1 "
		"global.set 0 end local.get 1 i32.const 0x7fa00000 i32.or f32.reinterpret_i32 "
		"local.get 2 f32.reinterpret_i32 f32.mul i32.reinterpret_f32"},
	{"a difference with what turns out to be zero",
		"block void local.get 0 br_if 0 i32.const 1 global.set 0 end local.get 1 i32.const "
		"0x7fa00000 i32.or f32.reinterpret_i32 local.get 2 f32.reinterpret_i32 f32.sub "
		"i32.reinterpret_f32"},
	{"a maximum with what turns out to be zero",
		"i32.const 0x80000000 local.set 2 block void local.get 0 br_if 0 i32.const 1 "
		"global.set 0 end local.get 1 i32.const 0x7fa00000 i32.or f32.reinterpret_i32 "
		"local.get 2 f32.reinterpret_i32 f32.max i32.reinterpret_f32"},
	{"a quotient of vectors by what turns out to be one",
		"v128.const 0x3f8000003f800000 0x3f8000003f800000 local.set 5 block void local.get "
		"0 br_if 0 i32.const 1 global.set 0 end local.get 1 i32.const 0x7fa00000 i32.or "
		"i32x4.splat local.get 5 f32x4.div i32x4.extract_lane 2"},
	{"a fused product with what turns out to be one",
		"v128.const 0x3f8000003f800000 0x3f8000003f800000 local.set 5 block void local.get "
		"0 br_if 0 i32.const 1 global.set 0 end local.get 1 i32.const 0x7fa00000 i32.or "
		"i32x4.splat local.get 5 v128.const 0x8000000080000000 0x8000000080000000 "
		"f32x4.relaxed_madd i32x4.extract_lane 2"},
	{"a sum of zero and what has no sign",
		"local.get 1 i32.const 0x7fa00000 i32.or f32.reinterpret_i32 f32.abs f32.const 0 "
		"f32.add i32.reinterpret_f32"},
	{"a difference of what has no sign and zero",
		"local.get 1 i32.const 0x7fa00000 i32.or i32x4.splat f32x4.abs v128.const "
		"0x8000000080000000 0x8000000080000000 f32x4.sub i32x4.extract_lane 1"},
	{"what was promoted and is demoted",
		"local.get 1 i32.const 0x7fa00000 i32.or f32.reinterpret_i32 f64.promote_f32 "
		"f32.demote_f64 i32.reinterpret_f32"},
	// ---- roots of what is less than zero: a NaN with a sign, where the guest chooses one without ----
	{"a root, unless it is of less than zero",
		"i32.const 0x7fc00000 f32.reinterpret_i32 local.get 1 i32.const 0xbf800000 i32.or "
		"local.tee 2 f32.reinterpret_i32 f32.sqrt local.get 2 f32.reinterpret_i32 "
		"f32.const 0 f32.lt select i32.reinterpret_f32"},
	{"roots, unless they are NaNs",
		"local.get 1 i32.const 0xbf800000 i32.or i32x4.splat f64x2.sqrt local.tee 5 "
		"v128.const 0x7ff8000000000000 0x7ff8000000000000 local.get 5 local.get 5 f64x2.eq "
		"v128.bitselect i64x2.bitmask"},
	// ---- globals, tables, structures ----
	{"globals of all kinds", "i32.const 5 global.set 0 i64.const 6 global.set 1 v128.const 7 8 "
				 "global.set 2 local.get 0 "
				 "i32.load 0 i64.const 9 global.set 1 v128.const 7 9 global.set 2"},
	{"a table around a trapping load", "i32.const 0 ref.func 0 table.set 0 local.get 0 "
					   "i32.load 0 i32.const 0 ref.null func "
					   "table.set 0"},
	{"a table's element out of bounds",
		"i32.const 1 ref.func 0 table.set 0 local.get 0 i32.const 65534 i32.sub ref.func 1 "
		"table.set 0 i32.const 1 ref.func 1 table.set 0 i32.const 3"},
	{"an element that nobody uses", "i32.const 1 global.set 0 local.get 0 i32.const 65534 "
					"i32.sub table.get 0 drop i32.const 2 "
					"global.set 0 i32.const 1"},
	{"a structure around a trapping load", "global.get 3 i32.const 5 struct.set 2 0 local.get "
					       "0 i32.load 0 global.get 3 i32.const 6 "
					       "struct.set 2 0"},
	{"a structure that is null", "i32.const 5 global.set 0 local.get 0 i32.const 1 i32.and if "
				     "void ref.null 2 global.set 3 end "
				     "global.get 3 struct.get 2 0 i32.const 6 global.set 0"},
	{"a field that nobody uses",
		"local.get 0 i32.const 1 i32.and if void ref.null 2 global.set 3 end i32.const 4 "
		"global.set 0 "
		"global.get 3 struct.get 2 0 drop i32.const 6 global.set 0 i32.const 6"},
	{"a structure in a loop with a trapping load",
		"loop void global.get 3 global.get 3 struct.get 2 0 i32.const 1 i32.add struct.set "
		"2 0 "
		"local.get 0 i32.load 0 drop local.get 0 i32.const 4 i32.add local.set 0 local.get "
		"2 "
		"i32.const 1 i32.add local.tee 2 i32.const 6 i32.lt_u br_if 0 end i32.const 0"},
	{"an array out of bounds",
		"global.get 3 i32.const 7 struct.set 2 0 i32.const 1 i32.const 3 array.new 3 "
		"local.get 0 "
		"i32.const 65533 i32.sub array.get 3 global.get 3 i32.const 8 struct.set 2 0"},
	{"a cast that fails",
		"i32.const 7 global.set 0 local.get 0 i32.const 1 i32.and if anyref i32.const 3 "
		"ref.i31 "
		"else global.get 3 end ref.cast 2 struct.get 2 0 i32.const 8 global.set 0"},
	// ---- calls ----
	{"a trap in what was called",
		"i32.const 1 global.set 0 local.get 0 call 2 i32.const 2 global.set 0"},
	{"a store that what was called does",
		"i32.const 16 i32.const 1 i32.store 0 local.get 0 i32.const 9 call 3 i32.const 16 "
		"i32.const 2 i32.store 0 i32.const 0"},
	{"a store beside one that what was called does",
		"local.get 0 i32.const 9 call 3 local.get 0 i32.const 5 i32.store 4 i32.const 0"},
	{"a store before one that what was called does",
		"local.get 0 i32.const 5 i32.store 4 local.get 0 i32.const 9 call 3 i32.const 0"},
	{"stores that two calls do",
		"local.get 0 i32.const 9 call 3 local.get 0 i32.const 4 i32.add i32.const 8 call 3 "
		"i32.const 0"},
	{"a load twice by what was called",
		"local.get 0 call 2 drop i32.const 3 global.set 0 local.get 1 call 2"},
	{"a trap in a loop of calls", "loop void i32.const 16 local.get 2 i32.store 0 local.get 0 "
				      "local.get 2 call 3 local.get 0 "
				      "i32.const 2 i32.add local.set 0 local.get 2 i32.const 1 "
				      "i32.add local.tee 2 i32.const 5 "
				      "i32.lt_u br_if 0 end local.get 2"},
	{"a call of nothing",
		"i32.const 16 i32.const 1 i32.store 0 local.get 0 local.get 1 i32.const 65535 "
		"i32.sub call_indirect 1 0 i32.const 16 i32.const 2 i32.store 0"},
	{"a function that calls itself last", "local.get 0 local.get 1 call 7"},
	{"a function that calls itself", "local.get 0 local.get 1 call 8"},
	{"a function that calls itself and ends below the memory's end",
		"i32.const 65488 local.get 0 i32.sub local.get 1 call 8"},
	{"a function that calls itself, and stores in the last call",
		"local.get 0 local.get 1 call 10"},
	{"a function that calls itself, and another that stores in the last call",
		"local.get 0 local.get 1 call 11"},
	{"an exception through calls of one function", "local.get 0 local.get 1 call 9"},
	{"an exception that what was called throws", "i32.const 16 i32.const 1 i32.store 0 block "
						     "void try_table void 1 catch 0 0 local.get 0 "
						     "call 4 end end i32.const 16 i32.load 0"},
	{"an exception that nobody catches", "i32.const 16 i32.const 1 i32.store 0 i32.const 5 "
					     "global.set 0 local.get 0 call 4 i32.const 16 "
					     "i32.const 2 i32.store 0 i32.const 5"},
	// ---- bulk ----
	{"a fill across the end", "i32.const 16 i32.const 1 i32.store 0 local.get 0 i32.const 0x77 "
				  "i32.const 8 memory.fill 0 "
				  "i32.const 16 i32.const 2 i32.store 0 i32.const 0"},
	{"a copy across the end", "local.get 0 i32.const 5 i32.store8 0 local.get 0 local.get 1 "
				  "i32.const 6 memory.copy 0 0 "
				  "local.get 0 i32.const 6 i32.store8 0 i32.const 0"},
	{"a copy between memories",
		"local.get 0 local.get 1 i32.const 6 memory.copy 1 0 i32.const 0"},
	{"an init across the end", "local.get 0 i32.const 1 local.get 1 i32.const 7 i32.and "
				   "memory.init 0 0 i32.const 0"},
	{"a store and a fill of the same", "i32.const 16 i32.const 1 i32.store 0 i32.const 16 "
					   "i32.const 2 i32.const 4 memory.fill 0 "
					   "i32.const 16 i32.load 0"},
	{"several memories", "local.get 0 i32.const 1 i32.store 0 local.get 0 i32.const 2 "
			     "i32.store 0@1 local.get 1 "
			     "i32.const 3 i32.store 2 local.get 1 i32.load 0@1"},
};

static const uint32_t addresses[] = {0, 1, 16, 64, 40, 65496, 65511, 65520, 65524, 65528, 65531,
	65532, 65533, 65534, 65535, 65536, 65540, 0x7fffffff, 0x80000000, 0xffff0000, 0xfffffff8,
	0xfffffffc, 0xffffffff};

// ---- state ---------------------------------------------------------------------------------------

struct subject {
	struct pair pair;
	struct twins twins;
	bool explicit_checks;
};

// The same state on both sides.
static void set_state(struct subject *s)
{
	static uint8_t pattern[PAGE];
	struct outcome got;

	if (pattern[1] == 0)
		for (uint32_t i = 0; i < PAGE; i++)
			pattern[i] = (uint8_t)(i * 7 + (i >> 8) + 1);
	for (unsigned side = 0; side < SIDES; side++) {
		struct we_instance *inst = s->twins.of[side];
		uint64_t slots[4] = {0};

		for (uint32_t i = 0; i < inst->module->is.n_mems; i++)
			memcpy(inst->mems[i]->base, pattern, PAGE);
		for (uint32_t i = 0; i < 3; i++)
			memset(inst->globals[i]->cell, 0, sizeof(inst->globals[i]->cell));
		for (uint32_t i = 0; i < N_ELEMENTS; i++)
			inst->tables[0]->elems[i] = NULL;
		call_side(&s->twins, (enum side)side, "reset", slots, &got);
		assert_int_equal(got.rc, 0);
	}
}

static void same_memory(const struct subject *s, const char *what, uint32_t i)
{
	const struct we_memory *x = s->twins.of[INTERP]->mems[i];
	const struct we_memory *y = s->twins.of[NATIVE]->mems[i];

	if (x->size_bytes != y->size_bytes)
		fail_msg("%s: memory %u has another size", what, i);
	if (memcmp(x->base, y->base, PAGE) == 0)
		return;
	for (uint32_t k = 0; k < PAGE; k++)
		if (x->base[k] != y->base[k])
			fail_msg("%s: memory %u at %u: %02x, not %02x", what, i, k, y->base[k],
				x->base[k]);
}

static uint64_t peek(const struct subject *s, enum side side)
{
	uint64_t slots[4] = {0};
	struct outcome got;

	call_side(&s->twins, side, "peek", slots, &got);
	return got.rc == 0 ? slots[0] & UINT32_MAX : UINT64_MAX;
}

static void same_state(const struct subject *s, const char *what)
{
	const struct we_instance *x = s->twins.of[INTERP];
	const struct we_instance *y = s->twins.of[NATIVE];

	for (uint32_t i = 0; i < x->module->is.n_mems; i++)
		same_memory(s, what, i);
	for (uint32_t i = 0; i < 3; i++)
		if (memcmp(x->globals[i]->cell, y->globals[i]->cell, i == 0 ? 4 : i == 1 ? 8 : 16))
			fail_msg("%s: global %u is %llx, not %llx", what, i,
				(unsigned long long)y->globals[i]->cell[0],
				(unsigned long long)x->globals[i]->cell[0]);
	for (uint32_t i = 0; i < N_ELEMENTS; i++) {
		const struct we_func *f = x->tables[0]->elems[i];
		const struct we_func *g = y->tables[0]->elems[i];

		if ((f == NULL) != (g == NULL) || (f != NULL && f->idx != g->idx))
			fail_msg("%s: element %u is another", what, i);
	}
	if (peek(s, INTERP) != peek(s, NATIVE))
		fail_msg("%s: the structure is another", what);
}

// A fault is told as an access to memory, if not always the one that the interpreter comes to first.
static bool is_access(const struct subject *s, uint64_t offset)
{
	const struct we_module *module = s->twins.of[NATIVE]->module;
	const struct we_span span = {(uint32_t)offset, (uint32_t)module->bytes.len};
	struct we_reader r;
	struct we_instr in;

	we_module_reader(module, span, &r, NULL);
	return we_instr_read(&r, &in) == 0 && we_op_is_access(in.op);
}

static void same_end(
	const struct subject *s, const char *what, const struct outcome *x, const struct outcome *y)
{
	const bool is_fault = !s->explicit_checks && x->err.trap == WE_TRAP_MEMORY_OUT_OF_BOUNDS;

	if (x->rc != y->rc || (x->rc < 0 && x->err.trap != y->err.trap))
		fail_msg("%s: ends as %d (%s), not %d (%s)", what, y->rc, y->err.msg, x->rc,
			x->err.msg);
	if (x->rc == 0)
		return;
	if (x->err.func != y->err.func)
		fail_msg("%s: in function %u, not %u", what, y->err.func, x->err.func);
	if (is_fault && !is_access(s, y->err.offset))
		fail_msg("%s: at 0x%llx, which is no access", what,
			(unsigned long long)y->err.offset);
	if (!is_fault && x->err.offset != y->err.offset)
		fail_msg("%s: at 0x%llx, not 0x%llx", what, (unsigned long long)y->err.offset,
			(unsigned long long)x->err.offset);
}

static void compare(struct subject *s, const char *func, const char *what, uint32_t a, uint32_t b)
{
	struct outcome got[SIDES];
	uint64_t slots[SIDES][4];
	char text[200];

	snprintf(text, sizeof(text), "%s%s (%u, %u)", s->explicit_checks ? "checked, " : "", what,
		a, b);
	set_state(s);
	for (unsigned side = 0; side < SIDES; side++) {
		slots[side][0] = a;
		slots[side][1] = b;
		call_side(&s->twins, (enum side)side, func, slots[side], &got[side]);
	}
	same_end(s, text, &got[INTERP], &got[NATIVE]);
	if (got[INTERP].rc == 0 && (uint32_t)slots[INTERP][0] != (uint32_t)slots[NATIVE][0])
		fail_msg("%s: %x, not %x", text, (uint32_t)slots[NATIVE][0],
			(uint32_t)slots[INTERP][0]);
	same_state(s, text);
}

// ---- modules -------------------------------------------------------------------------------------

// Types: 0 i32 i32 -> i32, 1 i32 -> i32, 2 a structure, 3 an array, 4 i32 i32, 5 nothing. Functions 0 and 1 are for
// references, 2 loads, 3 stores, 4 loads, and throws what is odd, 7 to 11 call themselves.
static void begin_subject(struct draft *d)
{
	uint32_t none;

	draft_begin(d);
	draft_type(d, "func i32 i32 -> i32");
	draft_type(d, "func i32 -> i32");
	draft_type(d, "struct mut:i32");
	draft_type(d, "array mut:i32");
	draft_type(d, "func i32 i32 ->");
	none = draft_type(d, "func ->");
	draft_memory(d, 1);
	draft_memory(d, 1);
	draft_memory64(d, 1);
	draft_table(d, "funcref", N_ELEMENTS);
	draft_tag(d, none);
	draft_global(d, "mut:i32", "i32.const 0");
	draft_global(d, "mut:i64", "i64.const 0");
	draft_global(d, "mut:v128", "v128.const 0 0");
	draft_global(d, "mut:ref?:2", "ref.null 2");
	draft_func(d, 1, "", "local.get 0", NULL);
	draft_func(d, 1, "", "local.get 0 i32.const 1 i32.add", NULL);
	draft_func(d, 1, "", "local.get 0 i32.load 0", NULL);
	draft_func(d, 4, "", "local.get 0 local.get 1 i32.store 0", NULL);
	draft_func(d, draft_type(d, "func i32 ->"), "",
		"local.get 0 i32.load8_u 0 i32.const 1 i32.and if void throw 0 end", NULL);
	draft_func(d, none, "", "i32.const 42 struct.new 2 global.set 3", "reset");
	draft_func(d, draft_type(d, "func -> i32"), "", "global.get 3 struct.get 2 0", "peek");
	// Stores up to seven times, in another place each time; its locals begin anew.
	draft_func(d, 0, "i32",
		"local.get 2 if void unreachable end i32.const 5 local.set 2 "
		"local.get 1 i32.const 7 i32.and i32.eqz if void local.get 0 return end "
		"local.get 0 local.get 1 i32.store 0 local.get 1 global.set 0 "
		"local.get 0 i32.const 9 i32.add local.get 1 i32.const 7 i32.and i32.const 1 "
		"i32.sub return_call 7",
		NULL);
	// Stores on the way down and on the way up.
	draft_func(d, 0, "",
		"local.get 1 i32.const 7 i32.and i32.eqz if void local.get 0 return end "
		"local.get 0 local.get 1 i32.store 0 local.get 1 global.set 0 "
		"local.get 0 i32.const 9 i32.add local.get 1 i32.const 7 i32.and i32.const 1 "
		"i32.sub call 8 local.get 0 i32.const 2 i32.sub local.get 1 i32.store 0",
		"down");
	// What is thrown below is caught at the fourth call from below.
	draft_func(d, 0, "",
		"local.get 1 i32.const 7 i32.and i32.eqz if void local.get 0 call 4 i32.const 1 "
		"return end local.get 1 i32.const 7 i32.and i32.const 4 i32.eq if void block void "
		"try_table void 1 catch_all 0 local.get 0 local.get 1 i32.const 1 i32.sub call 9 "
		"return end end i32.const 16 local.get 1 i32.store 0 i32.const 99 return end "
		"local.get 0 local.get 1 i32.const 1 i32.sub call 9 i32.const 1 i32.add",
		"throws");
	draft_func(d, 0, "",
		"local.get 1 i32.const 7 i32.and local.tee 1 if void local.get 0 local.get 1 "
		"i32.const 1 "
		"i32.sub call 10 return end local.get 0 i32.const 7 i32.store 0 i32.const 3",
		NULL);
	draft_func(d, 0, "",
		"local.get 1 i32.const 7 i32.and local.tee 1 if void local.get 0 local.get 1 "
		"i32.const 1 "
		"i32.sub call 11 return end local.get 0 i32.const 7 call 3 i32.const 3",
		NULL);
	draft_elem_funcs(d, false, 0, 2);
	draft_data(d, "a few bytes");
}

static void open_subject(struct subject *s, const struct draft *d, bool explicit_checks)
{
	static struct bytes b;
	struct we_jit_options opt = test_options();

	opt.explicit_checks = explicit_checks;
	s->explicit_checks = explicit_checks;
	draft_end(d, &b);
	pair_open(&s->pair, NULL, NULL);
	s->twins = pair_instance(&s->pair, &b, &opt);
}

static void compare_shapes(size_t first, size_t n, bool explicit_checks)
{
	static struct draft d;
	const size_t n_addresses = sizeof(addresses) / sizeof(addresses[0]);
	struct subject s;
	char name[16];

	begin_subject(&d);
	for (size_t i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "s%zu", i);
		draft_func(&d, 0, shape_locals, shapes[first + i].code, name);
	}
	open_subject(&s, &d, explicit_checks);
	for (size_t i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "s%zu", i);
		assert_true(is_native(&s.twins, name));
		for (size_t a = 0; a < n_addresses; a++)
			for (size_t b = 0; b < 4; b++)
				compare(&s, name, shapes[first + i].name, addresses[a],
					addresses[(a * 3 + b * 7) % n_addresses]);
	}
	pair_close(&s.pair);
}

static void compare_all_shapes(bool explicit_checks)
{
	const size_t n = sizeof(shapes) / sizeof(shapes[0]);
	const size_t some = 40;

	for (size_t i = 0; i < n; i += some)
		compare_shapes(i, n - i < some ? n - i : some, explicit_checks);
}

static void state_after_a_fault_is_the_interpreters(void **state)
{
	(void)state;
	compare_all_shapes(false);
}

static void state_after_a_checked_access_is_the_interpreters(void **state)
{
	(void)state;
	compare_all_shapes(true);
}

// A function that stores at once, or needs all registers: LLVM gives it a frame only there.
static void put_late_frame(struct writer *w)
{
	enum {
		N = 18
	};

	w->len = 0;
	put_text(w, "local.get 0 if void local.get 1 i32.const 5 i32.store 0 return end ");
	for (uint32_t i = 0; i < N; i++)
		put_text(w, "i32.const 0 i64.load %u ", 8 * i);
	for (uint32_t i = 0; i < N; i++)
		put_text(w, "global.set 1 i32.const 0 global.get 1 i64.store %u ", 2000 + 8 * i);
}

// Many parameters take all registers of the wrapper that calls it.
static void fault_before_a_frame_is_told_whatever_registers_hold(void **state)
{
	static struct draft d;
	enum {
		MAX = 24
	};
	struct subject s;
	struct writer w;

	(void)state;
	begin_subject(&d);
	for (uint32_t n = 2; n <= MAX; n++) {
		char name[16];
		uint32_t type;

		w.len = 0;
		put_text(&w, "func");
		for (uint32_t i = 0; i < n; i++)
			put_text(&w, " i32");
		put_text(&w, " ->");
		snprintf(name, sizeof(name), "p%u", n);
		type = draft_type(&d, w.text);
		put_late_frame(&w);
		draft_func(&d, type, "", w.text, name);
	}
	open_subject(&s, &d, false);
	for (uint32_t n = 2; n <= MAX; n++) {
		struct outcome got[SIDES];
		char name[16];

		snprintf(name, sizeof(name), "p%u", n);
		assert_true(is_native(&s.twins, name));
		for (unsigned side = 0; side < SIDES; side++) {
			uint64_t slots[MAX];

			for (uint32_t i = 0; i < n; i++)
				slots[i] = 0x1230; // no address of ours
			slots[1] = PAGE;
			call_side(&s.twins, (enum side)side, name, slots, &got[side]);
		}
		same_end(&s, name, &got[INTERP], &got[NATIVE]);
		assert_int_equal(got[NATIVE].err.trap, WE_TRAP_MEMORY_OUT_OF_BOUNDS);
		assert_int_equal(got[NATIVE].n_frames, got[INTERP].n_frames);
	}
	pair_close(&s.pair);
}

// The specification's deterministic profile: both operands of a relaxed dot product are signed.
static void deterministic_dot_products_are_of_signed_bytes(void **state)
{
	const struct we_engine_config config = {.deterministic = true};
	static struct draft d;
	static struct bytes b;
	struct we_jit_options opt = test_options();
	struct subject s = {.explicit_checks = false};

	(void)state;
	opt.deterministic = true;
	begin_subject(&d);
	draft_func(&d, 0, "",
		"local.get 0 i8x16.splat local.get 1 i8x16.splat i16x8.relaxed_dot_i8x16_i7x16_s "
		"i16x8.extract_lane_s 3",
		"dot");
	draft_func(&d, 0, "",
		"local.get 0 i8x16.splat local.get 1 i8x16.splat v128.const 0 0 "
		"i32x4.relaxed_dot_i8x16_i7x16_add_s i32x4.extract_lane 3",
		"sum");
	draft_end(&d, &b);
	pair_open(&s.pair, &config, NULL);
	s.twins = pair_instance(&s.pair, &b, &opt);
	for (unsigned side = 0; side < SIDES; side++) {
		uint64_t slots[2][4] = {{1, 0x80}, {1, 0x80}};
		struct outcome got;

		call_side(&s.twins, (enum side)side, "dot", slots[0], &got);
		assert_int_equal((int32_t)slots[0][0], 2 * -128);
		call_side(&s.twins, (enum side)side, "sum", slots[1], &got);
		assert_int_equal((int32_t)slots[1][0], 4 * -128);
	}
	pair_close(&s.pair);
}

// What is accessible ahead of growth is no memory yet, though no access to it faults.
static void pages_ahead_of_growth_are_out_of_bounds(void **state)
{
	static const uint32_t at[] = {PAGE, PAGE + 4, 4 * PAGE - 4, 4 * PAGE};
	const struct we_store_limits limits = {.memory_pages_precommit = 4};
	static struct draft d;
	static struct bytes b;
	struct we_jit_options opt = test_options();
	struct subject s;

	(void)state;
	begin_subject(&d);
	draft_func(&d, 0, "", "local.get 0 local.get 1 i32.store 0 local.get 0 i32.load 0", "f");
	draft_end(&d, &b);
	for (int checks = 0; checks < 2; checks++) {
		s.explicit_checks = opt.explicit_checks = checks != 0;
		pair_open(&s.pair, NULL, &limits);
		s.twins = pair_instance(&s.pair, &b, &opt);
		assert_int_equal(is_native(&s.twins, "f"), checks);
		for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
			compare(&s, "f", "a page ahead", at[i], 77);
			compare(&s, "f", "the last word", PAGE - 4, 77);
		}
		pair_close(&s.pair);
	}
}

// ---- random programs -----------------------------------------------------------------------------

struct program {
	struct writer w;
	int depth;
	int budget; // statements
};

// An address: of locals 0 and 1 mostly, so that accesses meet.
static void put_address(struct writer *w)
{
	static const char *const other[] = {"local.get 3", "i32.const 65528", "i32.const 48",
		"local.get 0 i32.const 2 i32.add", "local.get 1 i32.const 8 i32.sub"};

	if (any(w, 5) == 0)
		put_text(w, "%s ", other[any(w, 5)]);
	else
		put_text(w, "local.get %u ", any(w, 2));
}

static const char *suffix(struct writer *w)
{
	return any(w, 8) == 0 ? "@1" : "";
}

static void put_load(struct writer *w)
{
	static const char *const loads[] = {"i32.load8_u %u%s", "i32.load16_s %u%s",
		"i32.load %u%s", "i32.load %u%s", "i64.load %u%s i32.wrap_i64",
		"f32.load %u%s i32.reinterpret_f32", "v128.load %u%s i32x4.extract_lane 2",
		"v128.load32_zero %u%s i32x4.extract_lane 0",
		"v128.load8x8_s %u%s i32x4.extract_lane 1"};
	const uint32_t i = any(w, 9);
	const uint32_t offset = any(w, 14);
	const char *mem = suffix(w);
	char text[80];

	put_address(w);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	snprintf(text, sizeof(text), loads[i], offset, mem);
#pragma GCC diagnostic pop
	put_text(w, "%s ", text);
}

static void put_value(struct writer *w)
{
	switch (any(w, 5)) {
	case 0:
		put_text(w, "i32.const %u ", any(w, 300));
		break;
	case 1:
		put_text(w, "local.get %u ", any(w, 4));
		break;
	case 2:
		put_text(w, "global.get 0 ");
		break;
	default:
		put_load(w);
		break;
	}
}

static void put_store(struct writer *w)
{
	static const char *const stores[] = {"i32.store8", "i32.store16", "i32.store", "i32.store",
		"i64.extend_i32_u i64.store", "f32.reinterpret_i32 f32.store",
		"i32x4.splat v128.store"};
	const uint32_t i = any(w, 7);

	put_address(w);
	put_value(w);
	put_text(w, "%s %u%s ", stores[i], any(w, 14), suffix(w));
}

static void put_statements(struct program *p, uint32_t n);

static void put_block(struct program *p)
{
	struct writer *w = &p->w;

	p->depth++;
	switch (any(w, 5)) {
	case 0:
		put_value(w);
		put_text(w, "i32.const 1 i32.and if void ");
		put_statements(p, 1 + any(w, 3));
		put_text(w, "end ");
		break;
	case 1:
		put_value(w);
		put_text(w, "i32.const 2 i32.and if void ");
		put_statements(p, 1 + any(w, 3));
		put_text(w, "else ");
		put_statements(p, 1 + any(w, 3));
		put_text(w, "end ");
		break;
	case 2:
		put_text(w, "block void ");
		put_statements(p, 1 + any(w, 2));
		put_value(w);
		put_text(w, "i32.const 4 i32.and br_if 0 ");
		put_statements(p, 1 + any(w, 2));
		put_text(w, "end ");
		break;
	case 3:
		put_text(w, "try_table void 0 ");
		put_statements(p, 1 + any(w, 3));
		put_text(w, "end ");
		break;
	default:
		put_text(w, "i32.const 0 local.set 2 loop void ");
		put_statements(p, 1 + any(w, 4));
		put_text(w, "local.get 2 i32.const 1 i32.add local.tee 2 i32.const 4 i32.lt_u "
			    "br_if 0 end ");
		break;
	}
	p->depth--;
}

static void put_statement(struct program *p)
{
	struct writer *w = &p->w;

	p->budget--;
	switch (any(w, p->depth < 3 ? 14 : 9)) {
	case 0:
	case 1:
	case 2:
		put_store(w);
		break;
	case 3:
		put_load(w);
		put_text(w, "drop ");
		break;
	case 4:
		put_load(w);
		put_text(w, "local.set 3 ");
		break;
	case 5:
		put_value(w);
		put_text(w, "global.set 0 ");
		break;
	case 6:
		put_text(w, "local.get %u i32.const %d i32.add local.set %u ", any(w, 2),
			(int)any(w, 9) - 2, any(w, 2));
		break;
	case 7:
		put_text(w, "i32.const 90 ");
		put_value(w);
		put_text(w, "i32.const 15 i32.and i32.div_u global.set 0 ");
		break;
	case 8:
		put_address(w);
		put_value(w);
		put_text(w, "call 3 ");
		break;
	case 9:
	case 10: // an operand below a block is what accesses in it have proved
		put_text(w, "local.get %u ", any(w, 2));
		put_block(p);
		put_text(w, "i32.load %u drop ", any(w, 14));
		break;
	default:
		put_block(p);
		break;
	}
}

static void put_statements(struct program *p, uint32_t n)
{
	for (; n > 0 && p->budget > 0; n--)
		put_statement(p);
}

static void compare_random(uint64_t seed, bool explicit_checks)
{
	enum {
		N = 24
	};
	static struct draft d;
	static struct program programs[N];
	struct subject s;
	char what[64], name[16];

	begin_subject(&d);
	for (uint32_t i = 0; i < N; i++) {
		struct program *p = &programs[i];

		*p = (struct program){
			.w = {.random = (seed + 1) * 0x9e3779b97f4a7c15 + i}, .budget = 16};
		put_statements(p, 16);
		put_text(&p->w, "local.get 3");
		snprintf(name, sizeof(name), "r%u", i);
		draft_func(&d, 0, shape_locals, p->w.text, name);
	}
	open_subject(&s, &d, explicit_checks);
	for (uint32_t i = 0; i < N; i++) {
		snprintf(name, sizeof(name), "r%u", i);
		snprintf(what, sizeof(what), "seed %llu, function %u", (unsigned long long)seed, i);
		for (uint32_t k = 0; k < 24; k++)
			compare(&s, name, what, PAGE - any(&programs[i].w, 24),
				any(&programs[i].w, 3) == 0 ? any(&programs[i].w, 90)
							    : PAGE - any(&programs[i].w, 40));
	}
	pair_close(&s.pair);
}

static void random_programs_leave_what_the_interpreter_leaves(void **state)
{
	const uint64_t seed = asked("WEIR_SEED", 1);
	const uint64_t rounds = asked("WEIR_ROUNDS", 3);

	(void)state;
	for (uint64_t i = 0; i < rounds; i++) {
		compare_random(seed + i, false);
		compare_random(seed + i, true);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(state_after_a_fault_is_the_interpreters),
		cmocka_unit_test(state_after_a_checked_access_is_the_interpreters),
		cmocka_unit_test(fault_before_a_frame_is_told_whatever_registers_hold),
		cmocka_unit_test(deterministic_dot_products_are_of_signed_bytes),
		cmocka_unit_test(pages_ahead_of_growth_are_out_of_bounds),
		cmocka_unit_test(random_programs_leave_what_the_interpreter_leaves),
	};

	return cmocka_run_group_tests_name("jit_trap_state", tests, NULL, NULL);
}
