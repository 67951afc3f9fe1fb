// SPDX-License-Identifier: BSD-3-Clause
// A call of we_module_compile, and what becomes of a range of functions in it.
//
// Module path 3/6.
// Owns:   nothing beyond the call.
// Thread: the caller's.
#pragma once

#include "cache.h"
#include "cpu.h"
#include "image.h"
#include "state.h"

// Functions [first, first + n) of the module's own.
struct range {
	uint32_t first;
	uint32_t n;
	bool is_hot; // one can be called from outside
};

// A call of we_module_compile.
struct compilation {
	struct we_module *module;
	struct we_module_jit *of_module;
	struct we_jit *jit;
	struct we_cpu cpu;
	struct we_cache cache; // dir -1: none
	int module_fd;         // -1: not needed yet
	uint32_t n_failures;   // of requests
};

// Outcomes of trying a range.
enum {
	RANGE_DONE = 0,
	RANGE_FAILED = 1,  // perhaps its parts can be had
	RANGE_UNKNOWN = 2, // to the cache
};

uint32_t compilation_flags(const struct compilation *c); // WE_REQUEST_...
void compilation_count(struct compilation *c, const struct we_jit_stats *more);

// All that an image of the range depends on.
void range_key(
	const struct compilation *c, const struct range *range, uint8_t ret_key[WE_SHA256_BYTES]);
uint64_t range_bytes(const struct we_module *module, const struct range *range); // of bodies
// "function 5: timed out: text"
void range_describe_failure(const struct compilation *c, const struct range *range,
	enum we_jit_failure failure, const char *text, struct we_jit_stats *ret);
// Count a request that failed.
void range_failed(struct compilation *c, const struct range *range, enum we_jit_failure failure,
	const char *text);
// Its functions stay in the interpreter.
void range_give_up(struct compilation *c, const struct range *range);
// Map an image that is sound and the one of this key. bytes NULL: there is less than was said. Returns owned.
// Fails: INVALID: it is damaged; NOMEM, EXHAUSTED, HOST.
WE_MUST_USE int range_map(const struct compilation *c, const struct range *range,
	const uint8_t key[WE_SHA256_BYTES], const void *bytes, uint64_t n,
	struct we_image **ret_image, struct we_error *err);
// Give its functions to the runtime. Takes: image. Fails: HOST.
WE_MUST_USE int range_publish(struct compilation *c, const struct range *range,
	struct we_image *image, bool is_cached, struct we_error *err);

// cache_use.c: the cache in a compilation.
void cache_begin(struct compilation *c);
void cache_end(struct compilation *c);
// Returns: an outcome. Fails as range_map and range_publish, but not for what is damaged.
WE_MUST_USE int cache_try(struct compilation *c, const struct range *range,
	const uint8_t key[WE_SHA256_BYTES], struct we_error *err);
void cache_keep_image(
	struct compilation *c, const uint8_t key[WE_SHA256_BYTES], void *image, uint64_t n);
// is_final: nor can the range's parts be had.
void cache_keep_failure(struct compilation *c, const uint8_t key[WE_SHA256_BYTES],
	enum we_jit_failure failure, bool is_final, const char *text);
