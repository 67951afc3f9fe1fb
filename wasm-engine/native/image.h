// SPDX-License-Identifier: BSD-3-Clause
// we_image: native code of functions of one module, as the compiler writes it and the cache keeps it.
//
// Module path 3/6. Position-independent: code and constants in one piece, all relocations resolved within it, no undefined symbol. Little-endian;
// header, then arrays in the order of the fields, then the code from code_at on, a multiple of 4096.
// Owns: nothing. Thread: immutable, but for the link to the next.
#pragma once

#include "module.h"

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
	uint32_t
		needs_reach; // 32-bit memories need their whole reservation: no compares in the code
};

#define WE_IMAGE_INLINED 1u // body: it is where it is called and nowhere else

// Offsets in the code; 0: the function has no native code. The body is never at 0.
struct we_image_func {
	uint32_t body;
	uint32_t entry; // 0 when nobody else can call it
	uint32_t enter; // C: void (*)(struct we_func *func, uint64_t *slots); 0 when entry is
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

enum {
	WE_IMAGE_PAGE_BYTES = 4096,           // code begins at a multiple of it
	WE_IMAGE_MAX_CODE = 256 * 1024 * 1024 // bytes
};

// Is the whole of it sound? Every count and offset is checked. Fails: INVALID, naming the offset and what is wrong.
WE_MUST_USE int we_image_check(const void *image, uint64_t size_bytes, struct we_error *err);
uint64_t we_image_sum(const void *bytes, uint64_t n);

// An image whose code is mapped.
struct we_image {
	struct we_image_header header;
	const uint8_t *code;                 // [header.code_bytes] in the space for code
	const struct we_image_func *funcs;   // [header.n_funcs]
	const struct we_image_range *ranges; // [header.n_ranges]
	const struct we_image_place *places; // [header.n_places]
	const struct we_module *module;      // that it was published for, or NULL
	_Atomic(struct we_image *) next;     // published for the module after it
};

// Check an image and map its code: space.h. Returns owned: release it, or publish it (publish.h).
// Fails: INVALID; NOMEM; HOST when the machine refuses.
WE_MUST_USE int we_image_map(
	const void *image, uint64_t size_bytes, struct we_image **ret_image, struct we_error *err);
// Take it out of the process: no thread runs it. NULL is fine.
void we_image_release(struct we_image *image);

// The function of the module that the instruction at the offset in the code belongs to, or WE_NO_FUNC.
we_funcidx we_image_func_at(const struct we_image *image, uint32_t offset);
// The wasm instruction of a place in the code, bytes from the start of the module; 0: none.
static inline uint32_t we_image_place_at(
	const struct we_image_place *places, uint32_t n, uint32_t offset)
{
	uint32_t lo = 0;

	while (lo < n) { // the first place beyond it
		const uint32_t mid = lo + (n - lo) / 2;

		if (places[mid].pc <= offset)
			lo = mid + 1;
		else
			n = mid;
	}
	return lo == 0 ? 0 : places[lo - 1].at;
}
static inline uint32_t we_image_at(const struct we_image *image, uint32_t offset)
{
	return we_image_place_at(image->places, image->header.n_places, offset);
}
