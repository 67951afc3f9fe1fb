// SPDX-License-Identifier: BSD-3-Clause
// The cache in a compilation: what may be used of it, and what is kept. See compilation.h.
//
// Module path 3/6. Owns: nothing. Thread: the caller's.
#include "compilation.h"
#include "engine.h"
#include "jit_build.h"

#include <stdio.h> // snprintf
#include <stdlib.h>
#include <string.h>

enum {
	FAILURE_KEPT_S = 24 * 3600
};

static void note(struct compilation *c, const char *text)
{
	struct we_jit_stats more = {.n_cache_ignored = 1};

	snprintf(more.last_failure, sizeof(more.last_failure), "%s", text);
	compilation_count(c, &more);
}

// Without one, or with one that cannot be used, everything is compiled.
void cache_begin(struct compilation *c)
{
	const struct we_engine_config *config = &c->module->engine->config;
	struct we_error err;

	if (config->jit_cache != NULL && *config->jit_cache != '\0' &&
		we_cache_open(&c->cache, config->jit_cache, config->jit_cache_bytes, &err) < 0)
		note(c, err.msg);
}

void cache_end(struct compilation *c)
{
	we_cache_close(&c->cache);
}

// ---- keeping ------------------------------------------------------------------------------------------

static void keep(
	struct compilation *c, const uint8_t key[WE_SHA256_BYTES], struct we_cache_entry *entry)
{
	const struct we_engine_config *config = &c->module->engine->config;
	struct we_error err;

	if (c->cache.dir < 0 ||
		we_compiler_llvm(&c->jit->compiler, config->jit_program, entry->llvm, &err) < 0)
		return;
	if (we_cache_store(&c->cache, key, entry, &err) < 0) {
		note(c, err.msg);
		we_cache_close(&c->cache); // once is enough: the disk may be full
	}
}

void cache_keep_image(
	struct compilation *c, const uint8_t key[WE_SHA256_BYTES], void *image, uint64_t n)
{
	struct we_cache_entry entry = {.image = image, .image_bytes = n};

	keep(c, key, &entry);
}

void cache_keep_failure(struct compilation *c, const uint8_t key[WE_SHA256_BYTES],
	enum we_jit_failure failure, bool is_final, const char *text)
{
	const struct we_engine_config *config = &c->module->engine->config;
	struct we_cache_entry entry = {.failure = failure,
		.is_final = is_final,
		.cpu_ms = config->jit_cpu_ms,
		.wall_ms = config->jit_wall_ms,
		.memory_bytes = config->jit_memory_bytes};

	snprintf(entry.note, sizeof(entry.note), "%s", text);
	keep(c, key, &entry);
}

// ---- using --------------------------------------------------------------------------------------------

// Did another LLVM make it than the one that would make it now? A build without LLVM takes what there is, and so does one
// whose compiler cannot be asked.
static bool is_of_other_llvm(struct compilation *c, const struct we_cache_entry *entry)
{
	char llvm[WE_CACHE_VERSION_TEXT];

	return *WE_JIT_LLVM != '\0' && strcmp(entry->llvm, WE_JIT_LLVM) != 0 &&
	       we_compiler_llvm(
		       &c->jit->compiler, c->module->engine->config.jit_program, llvm, NULL) == 0 &&
	       strcmp(entry->llvm, llvm) != 0;
}

// That it failed once is believed for a day, and while it would get no more than it had.
static bool is_stale(const struct compilation *c, const struct we_cache_entry *entry)
{
	const struct we_engine_config *config = &c->module->engine->config;

	return entry->age_s < 0 || entry->age_s > FAILURE_KEPT_S ||
	       entry->cpu_ms < config->jit_cpu_ms || entry->wall_ms < config->jit_wall_ms ||
	       entry->memory_bytes < config->jit_memory_bytes || entry->failure >= WE_JIT_FAILURES;
}

static int use_failure(
	struct compilation *c, const struct range *range, const struct we_cache_entry *entry)
{
	struct we_jit_stats more = {0};

	if (is_stale(c, entry))
		return RANGE_UNKNOWN;
	range_describe_failure(c, range, (enum we_jit_failure)entry->failure, entry->note, &more);
	compilation_count(c, &more);
	if (!entry->is_final)
		return RANGE_FAILED;
	range_give_up(c, range);
	return RANGE_DONE;
}

static int use(struct compilation *c, const struct range *range, const uint8_t key[WE_SHA256_BYTES],
	const struct we_cache_entry *entry, struct we_error *err)
{
	struct we_image *image;
	int rc;

	if (is_of_other_llvm(c, entry))
		return RANGE_UNKNOWN;
	if (entry->image == NULL)
		return use_failure(c, range, entry);
	rc = range_map(c, range, key, entry->image, entry->image_bytes, &image, err);
	if (rc == WE_E_INVALID) {
		char text[200];

		snprintf(text, sizeof(text), "cached code %02x%02x%02x%02x...: %.160s", key[0],
			key[1], key[2], key[3], err->msg);
		note(c, text);
		return RANGE_UNKNOWN;
	}
	return rc < 0 ? rc : range_publish(c, range, image, true, err);
}

int cache_try(struct compilation *c, const struct range *range, const uint8_t key[WE_SHA256_BYTES],
	struct we_error *err)
{
	struct we_cache_entry entry;
	int rc;

	if (c->cache.dir < 0)
		return RANGE_UNKNOWN;
	rc = we_cache_load(&c->cache, key, &entry, err);
	if (rc == WE_CACHE_IGNORED)
		note(c, err->msg);
	if (rc != 0)
		return RANGE_UNKNOWN;
	rc = use(c, range, key, &entry, err);
	free(entry.image);
	return rc;
}
