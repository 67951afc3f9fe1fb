// SPDX-License-Identifier: BSD-3-Clause
// we_image: native code of functions of one module, as the compiler writes it and the cache keeps it.
//
// Module path 3/6. Position-independent: code and constants in one piece, all relocations resolved within it, no undefined symbol. Little-endian;
// header, then arrays in the order of the fields, then the code from code_at on, a multiple of 4096.
// Owns: nothing. Thread: immutable.
#pragma once

#include "we.h"

#define WE_IMAGE_MAGIC "weimage1"

struct we_image_header {
	char magic[8];
	uint8_t key[32];     // what it was made from and by: see we_image_key
	uint64_t checksum;   // of all that follows this field: we_image_sum
	uint64_t size_bytes; // of all
	uint32_t first_func; // index in the module
	uint32_t n_funcs;    // from there on: struct we_image_func [n_funcs]
	uint32_t n_ranges;   // struct we_image_range [n_ranges], ascending, not overlapping
	uint32_t n_places;   // struct we_image_place [n_places], ascending
	uint32_t code_at;    // bytes from the start of the image
	uint32_t code_bytes;
	uint32_t n_exec_bytes; // of the code: what is instructions; constants follow
	uint32_t needs_reach; // 32-bit memories need their whole reservation: no compares in the code
};

#define WE_IMAGE_INLINED 1u // body: it is where it is called and nowhere else

// Offsets in the code; 0: the function has no native code. The body is never at 0.
struct we_image_func {
	uint32_t body;
	uint32_t entry; // 0 when nobody else can call it
	uint32_t enter; // C: uint32 (*)(void *entry, struct we_func *func, uint64_t *slots); 0 when entry is
};

// Instructions [begin, end) belong to a function of the module.
struct we_image_range {
	uint32_t begin;
	uint32_t end;
	uint32_t func; // WE_NO_FUNC: thunks and wrappers
};

// Instructions from pc on belong to the wasm instruction at that byte of the module (0: none), also of an inlined function.
struct we_image_place {
	uint32_t pc;
	uint32_t at;
};

struct we_image; // mapped

// Is the whole of it sound? Every count and offset is checked. Fails: INVALID, naming the offset and what is wrong.
WE_MUST_USE int we_image_check(const void *image, uint64_t size_bytes, struct we_error *err);
uint64_t we_image_sum(const void *bytes, uint64_t n);
