// SPDX-License-Identifier: BSD-3-Clause
// we_cache: images in a directory, by key.
//
// Module path 3/6. What is in a cache becomes machine code of this process, so it is believed only where nobody else can write: the
// directory and each file belong to this user, the modes are 0700 and 0600, and nothing in it is followed that is a link.
// A file is written under another name and renamed: there is never half of one. Several processes may share the directory.
// Owns:   the directory's descriptor.
// Thread: any; no lock.
#pragma once

#include "sha256.h"
#include "we.h"

enum {
	WE_CACHE_VERSION_TEXT = 24, // bytes of LLVM's version with its terminator
	WE_CACHE_NOTE_TEXT = 160,
};

// Invariant: dir >= 0 when it can be used.
struct we_cache {
	int dir;
	uint64_t max_bytes; // of all files
};

// What is known of a key: an image, or that there is none to be had.
struct we_cache_entry {
	void *image; // owned: free; NULL: these functions could not be compiled, or not together
	uint64_t image_bytes;
	char llvm[WE_CACHE_VERSION_TEXT]; // what made it
	// Without an image:
	uint32_t failure; // enum we_jit_failure
	bool is_final;    // nor can their parts
	uint32_t cpu_ms;  // the limits under which it failed
	uint32_t wall_ms;
	uint64_t memory_bytes;
	int64_t age_s;                 // since it failed
	char note[WE_CACHE_NOTE_TEXT]; // in words
};

// Open the directory, made if it is not there. Fails: HOST, when it cannot be had or is not private.
WE_MUST_USE int we_cache_open(
	struct we_cache *cache, const char *path, uint64_t max_bytes, struct we_error *err);
void we_cache_close(struct we_cache *cache);

// Outcomes of a search.
enum {
	WE_CACHE_NONE = 1,   // there is none
	WE_CACHE_IGNORED = 2 // there is one that is not to be used; *err says why
};

// Returns: 0 and an entry, of which the image has still to be checked (we_image_check); or an outcome.
WE_MUST_USE int we_cache_load(const struct we_cache *cache, const uint8_t key[WE_SHA256_BYTES],
	struct we_cache_entry *ret_entry, struct we_error *err);
// Keep an entry, in place of an older one, and let the oldest go when there is too much. Fails: HOST.
WE_MUST_USE int we_cache_store(const struct we_cache *cache, const uint8_t key[WE_SHA256_BYTES],
	const struct we_cache_entry *entry, struct we_error *err);
