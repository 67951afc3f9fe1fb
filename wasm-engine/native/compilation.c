// SPDX-License-Identifier: BSD-3-Clause
// See compilation.h.
//
// Module path 3/6. Owns: nothing. Thread: the caller's.
#include "compilation.h"

#include "engine.h"
#include "image.h"
#include "jit_build.h"
#include "publish.h"

#include <stdio.h> // snprintf
#include <string.h>

void compilation_count(struct compilation *c, const struct we_jit_stats *more)
{
	we_jit_count(c->jit, c->of_module, more);
}

void range_describe_failure(const struct compilation *c, const struct range *range,
	enum we_jit_failure failure, const char *text, struct we_jit_stats *ret)
{
	const uint32_t first = c->module->is.n_imported_funcs + range->first;
	const char *word = we_jit_failure_word(failure);

	if (range->n == 1)
		snprintf(ret->last_failure, sizeof(ret->last_failure), "function %u: %s: %s", first,
			word, text);
	else
		snprintf(ret->last_failure, sizeof(ret->last_failure), "functions %u to %u: %s: %s",
			first, first + range->n - 1, word, text);
}

void range_failed(struct compilation *c, const struct range *range, enum we_jit_failure failure,
	const char *text)
{
	struct we_jit_stats more = {0};

	c->n_failures++;
	more.n_failures[failure] = 1;
	range_describe_failure(c, range, failure, text, &more);
	compilation_count(c, &more);
}

void range_give_up(struct compilation *c, const struct range *range)
{
	memset(c->of_module->states + range->first, WE_JIT_STATE_GIVEN_UP, range->n);
	compilation_count(c, &(struct we_jit_stats){.n_funcs_given_up = range->n});
}

uint32_t compilation_flags(const struct compilation *c)
{
	const struct we_engine_config *config = &c->module->engine->config;

	return (config->deterministic ? WE_REQUEST_DETERMINISTIC : 0) |
	       (config->explicit_checks ? WE_REQUEST_EXPLICIT_CHECKS : 0);
}

static uint32_t cpu_bits(const struct we_cpu *cpu)
{
	return (uint32_t)cpu->level | (uint32_t)cpu->has_fma << 8 | (uint32_t)cpu->has_avx << 9 |
	       (uint32_t)cpu->has_avx2 << 10 | (uint32_t)cpu->has_avx512 << 11 |
	       (uint32_t)cpu->has_avx_vnni << 12 | (uint32_t)cpu->has_avx512_vnni << 13;
}

void range_key(
	const struct compilation *c, const struct range *range, uint8_t ret_key[WE_SHA256_BYTES])
{
	const uint32_t numbers[] = {
		range->first, range->n, cpu_bits(&c->cpu), compilation_flags(c)};
	struct we_sha256 sha;

	we_sha256_init(&sha);
	we_sha256_add(&sha, WE_IMAGE_MAGIC WE_JIT_BUILD, sizeof(WE_IMAGE_MAGIC WE_JIT_BUILD));
	we_sha256_add(&sha, c->of_module->digest, sizeof(c->of_module->digest));
	we_sha256_add(&sha, numbers, sizeof(numbers));
	we_sha256_end(&sha, ret_key);
}

uint64_t range_bytes(const struct we_module *module, const struct range *range)
{
	const struct we_func_def *funcs =
		module->is.funcs + module->is.n_imported_funcs + range->first;
	uint64_t n = 0;

	for (uint32_t i = 0; i < range->n; i++)
		n += funcs[i].body.end - funcs[i].body.at;
	return n;
}

int range_map(const struct compilation *c, const struct range *range,
	const uint8_t key[WE_SHA256_BYTES], const void *bytes, uint64_t n,
	struct we_image **ret_image, struct we_error *err)
{
	struct we_image_header header;

	if (bytes == NULL || n < sizeof(header))
		return we_error_set(err, WE_E_INVALID, 0, "the image is shorter than was said");
	memcpy(&header, bytes, sizeof(header));
	if (memcmp(header.magic, WE_IMAGE_MAGIC, sizeof(header.magic)) != 0)
		return we_error_set(err, WE_E_INVALID, 0, "the image is none");
	if (memcmp(header.key, key, sizeof(header.key)) != 0)
		return we_error_set(err, WE_E_INVALID, 0, "the image is of another key");
	if (header.first_func != c->module->is.n_imported_funcs + range->first ||
		header.n_funcs != range->n)
		return we_error_set(err, WE_E_INVALID, 0, "the image is of other functions");
	return we_image_map(bytes, n, ret_image, err);
}

int range_publish(struct compilation *c, const struct range *range, struct we_image *image,
	bool is_cached, struct we_error *err)
{
	struct we_jit_stats more = {.code_bytes = image->header.code_bytes};
	uint8_t *states = c->of_module->states + range->first;
	struct range refused = {.n = 1};
	int rc;

	for (uint32_t i = 0; i < range->n; i++) {
		const bool has_code = image->funcs[i].body != 0;

		states[i] = has_code ? WE_JIT_STATE_NATIVE : WE_JIT_STATE_GIVEN_UP;
		more.n_funcs_native += has_code;
		if (!has_code)
			refused.first = range->first + i;
	}
	more.n_funcs_given_up = range->n - more.n_funcs_native;
	more.n_failures[WE_JIT_REFUSED] = more.n_funcs_given_up;
	if (more.n_funcs_given_up > 0)
		range_describe_failure(c, &refused, WE_JIT_REFUSED,
			"its body, its nesting or its frame is too large", &more);
	more.n_funcs_cached = is_cached ? more.n_funcs_native : 0;
	rc = we_native_publish(c->module, image, err);
	if (rc < 0) {
		memset(states, WE_JIT_STATE_PENDING, range->n);
		we_image_release(image);
		return rc;
	}
	compilation_count(c, &more);
	return 0;
}
