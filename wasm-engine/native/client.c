// SPDX-License-Identifier: BSD-3-Clause
// we_module_compile: native code for the functions of a module, from the compiler's process.
//
// Module path 3/6. What comes back is checked and published. A batch that fails is tried again in halves, so that one
// function that the compiler cannot stand costs no other its native code.
// Owns:   nothing beyond the call.
// Thread: any control thread.
#include "cpu.h"
#include "engine.h"
#include "image.h"
#include "jit_build.h"
#include "limits.h"
#include "native.h"
#include "publish.h"
#include "state.h"

#include <stdio.h> // snprintf
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	BATCH_BYTES = 64 * 1024, // of bodies: enough for the optimizer, little enough to lose
	MAX_FAILURES = 64,       // of requests for one module: then the rest of it is given up
	// Processor time for a range is its own, so that halving a batch in which one function never ends costs twice the
	// batch's time and not the limit at each step.
	CPU_MS = 2000,
	CPU_MS_PER_KIB = 250, // 20 times what is usual
	IMAGE_BYTES = 4 << 20,
	IMAGE_BYTES_PER_BYTE = 64,
};

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
	int module_fd;       // -1: not needed yet
	uint32_t n_failures; // of requests
};

// ---- counting -------------------------------------------------------------------------------------

static void count(struct compilation *c, const struct we_jit_stats *more)
{
	we_jit_count(c->jit, c->of_module, more);
}

static void count_failure(struct compilation *c, const struct range *range,
	enum we_jit_failure failure, const char *text)
{
	struct we_jit_stats more = {0};
	const uint32_t first = c->module->is.n_imported_funcs + range->first;

	c->n_failures++;
	more.n_failures[failure] = 1;
	if (range->n == 1)
		snprintf(more.last_failure, sizeof(more.last_failure), "function %u: %s: %s", first,
			we_jit_failure_word(failure), text);
	else
		snprintf(more.last_failure, sizeof(more.last_failure), "functions %u to %u: %s: %s",
			first, first + range->n - 1, we_jit_failure_word(failure), text);
	count(c, &more);
}

static void give_up(struct compilation *c, const struct range *range)
{
	memset(c->of_module->states + range->first, WE_JIT_STATE_GIVEN_UP, range->n);
	count(c, &(struct we_jit_stats){.n_funcs_given_up = range->n});
}

// ---- one range of functions -------------------------------------------------------------------------

static uint32_t request_flags(const struct compilation *c)
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

// All that an image depends on.
static void make_key(
	const struct compilation *c, const struct range *range, uint8_t ret_key[WE_SHA256_BYTES])
{
	const uint32_t numbers[] = {range->first, range->n, cpu_bits(&c->cpu), request_flags(c)};
	struct we_sha256 sha;

	we_sha256_init(&sha);
	we_sha256_add(&sha, WE_IMAGE_MAGIC WE_JIT_BUILD, sizeof(WE_IMAGE_MAGIC WE_JIT_BUILD));
	we_sha256_add(&sha, c->of_module->digest, sizeof(c->of_module->digest));
	we_sha256_add(&sha, numbers, sizeof(numbers));
	we_sha256_end(&sha, ret_key);
}

static uint64_t body_bytes(const struct we_module *module, uint32_t own)
{
	const struct we_span body = module->is.funcs[module->is.n_imported_funcs + own].body;

	return body.end - body.at;
}

static uint64_t range_bytes(const struct we_module *module, const struct range *range)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < range->n; i++)
		n += body_bytes(module, range->first + i);
	return n;
}

// Is it sound, and what was asked for?
static int check_image(const struct compilation *c, const struct range *range,
	const uint8_t key[WE_SHA256_BYTES], const void *image, uint64_t n, struct we_error *err)
{
	const struct we_image_header *header = image;
	int rc;

	if (image == NULL)
		return we_error_set(err, WE_E_INVALID, 0, "the image is shorter than was said");
	rc = we_image_check(image, n, err);
	if (rc < 0)
		return rc;
	if (memcmp(header->key, key, sizeof(header->key)) != 0)
		return we_error_set(err, WE_E_INVALID, 0, "the image is of another key");
	if (header->first_func != c->module->is.n_imported_funcs + range->first ||
		header->n_funcs != range->n)
		return we_error_set(err, WE_E_INVALID, 0, "the image is of other functions");
	return 0;
}

// Give the functions of a checked image to the runtime.
static int publish(struct compilation *c, const struct range *range, const void *bytes, uint64_t n,
	bool is_cached, struct we_error *err)
{
	struct we_jit_stats more = {0};
	struct we_image *image;
	int rc = we_image_map(bytes, n, &image, err);

	if (rc < 0)
		return rc;
	more.code_bytes = image->header.code_bytes;
	for (uint32_t i = 0; i < range->n; i++)
		more.n_funcs_native += image->funcs[i].body != 0;
	more.n_funcs_given_up = range->n - more.n_funcs_native;
	more.n_funcs_cached = is_cached ? more.n_funcs_native : 0;
	for (uint32_t i = 0; i < range->n; i++)
		c->of_module->states[range->first + i] =
			image->funcs[i].body != 0 ? WE_JIT_STATE_NATIVE : WE_JIT_STATE_GIVEN_UP;
	rc = we_native_publish(c->module, image, err);
	if (rc < 0) {
		memset(c->of_module->states + range->first, WE_JIT_STATE_PENDING, range->n);
		we_image_release(image);
		return rc;
	}
	count(c, &more);
	return 0;
}

// What the compiler's answer counts as. Returns: false when it is an image.
static bool is_failure(const struct we_protocol_answer *answer, enum we_jit_failure *ret_failure,
	char *text, size_t cap)
{
	const char *says = *answer->text != '\0' ? answer->text : NULL;

	switch ((enum we_answer_kind)answer->kind) {
	case WE_ANSWER_OK:
		return false;
	case WE_ANSWER_REFUSED:
		*ret_failure = WE_JIT_REFUSED;
		snprintf(text, cap, "%s", says != NULL ? says : "without a reason");
		return true;
	case WE_ANSWER_EXITED:
		*ret_failure = WE_JIT_ABORTED;
		snprintf(
			text, cap, "exit %d%s%s", answer->code, says ? ": " : "", says ? says : "");
		return true;
	case WE_ANSWER_KILLED:
		*ret_failure = WE_JIT_ABORTED;
		snprintf(text, cap, "SIG%s%s%s",
			sigabbrev_np(answer->code) ? sigabbrev_np(answer->code) : "?",
			says ? ": " : "", says ? says : "");
		return true;
	case WE_ANSWER_CPU:
		*ret_failure = WE_JIT_TIMED_OUT;
		snprintf(text, cap, "%llu ms of processor time",
			(unsigned long long)answer->cpu_us / 1000);
		return true;
	case WE_ANSWER_WALL:
		*ret_failure = WE_JIT_TIMED_OUT;
		snprintf(text, cap, "%llu ms on the wall, %llu of processor time",
			(unsigned long long)answer->wall_us / 1000,
			(unsigned long long)answer->cpu_us / 1000);
		return true;
	case WE_ANSWER_MEMORY:
		*ret_failure = WE_JIT_NO_MEMORY;
		snprintf(text, cap, "%llu MiB resident",
			(unsigned long long)answer->resident_bytes >> 20);
		return true;
	}
	*ret_failure = WE_JIT_DAMAGED;
	snprintf(text, cap, "answer of kind %u", answer->kind);
	return true;
}

static int ask(struct compilation *c, const struct range *range, const uint8_t key[WE_SHA256_BYTES],
	struct we_protocol_answer *ret_answer, void **ret_image, struct we_error *err)
{
	const struct we_module *module = c->module;
	const struct we_engine_config *config = &module->engine->config;
	const uint64_t n_bytes = range_bytes(module, range);
	const uint64_t cpu_ms = CPU_MS + n_bytes * CPU_MS_PER_KIB / 1024;
	struct we_protocol_request request = {.flags = request_flags(c),
		.module_bytes = module->bytes.len,
		.file_offset = module->file_offset,
		.max_func_bytes = config->max_func_bytes,
		.memory_bytes = config->jit_memory_bytes,
		.image_bytes = IMAGE_BYTES + n_bytes * IMAGE_BYTES_PER_BYTE,
		.cpu_ms = cpu_ms < config->jit_cpu_ms ? (uint32_t)cpu_ms : config->jit_cpu_ms,
		.wall_ms = config->jit_wall_ms,
		.first_func = range->first,
		.n_funcs = range->n,
		.cpu = c->cpu};
	struct we_jit_stats more = {.n_requests = 1};
	int rc;

	memcpy(request.key, key, sizeof(request.key));
	if (c->module_fd < 0)
		c->module_fd = we_compiler_share(module->bytes);
	if (c->module_fd < 0)
		return we_error_set(err, WE_E_HOST, 0, "no memfd for the compiler");
	rc = we_compiler_ask(&c->jit->compiler, config->jit_program, &request, c->module_fd,
		ret_answer, ret_image, err);
	if (rc < 0)
		return rc;
	more.compile_ns = rc == 0 ? ret_answer->wall_us * 1000 : 0;
	count(c, &more);
	return rc;
}

// Outcomes of trying a range.
enum {
	RANGE_DONE = 0,
	RANGE_FAILED = 1, // perhaps its parts can be had
};

static int try_range(struct compilation *c, const struct range *range, struct we_error *err)
{
	struct we_protocol_answer answer;
	enum we_jit_failure failure;
	uint8_t key[WE_SHA256_BYTES];
	char text[WE_PROTOCOL_TEXT + 32];
	void *image = NULL;
	int rc;

	make_key(c, range, key);
	rc = ask(c, range, key, &answer, &image, err);
	if (rc == WE_COMPILER_LOST && range->n == 1) { // it need not be this function's fault
		count_failure(c, range, WE_JIT_LOST, err->msg);
		rc = ask(c, range, key, &answer, &image, err);
	}
	if (rc == WE_COMPILER_LOST) {
		count_failure(c, range, WE_JIT_LOST, err->msg);
		return RANGE_FAILED;
	}
	if (rc < 0)
		return rc;
	if (is_failure(&answer, &failure, text, sizeof(text))) {
		count_failure(c, range, failure, text);
		if (failure != WE_JIT_REFUSED || answer.code != WE_E_UNSUPPORTED)
			return RANGE_FAILED;
		give_up(c, range); // none of them can be compiled, alone or not
		return RANGE_DONE;
	}
	if (check_image(c, range, key, image, answer.image_bytes, err) < 0) {
		count_failure(c, range, WE_JIT_DAMAGED, err->msg);
		free(image);
		return RANGE_FAILED;
	}
	rc = publish(c, range, image, answer.image_bytes, false, err);
	free(image);
	return rc;
}

// ---- a module ---------------------------------------------------------------------------------------

// Native code for a range, whole or in parts.
static int compile_range(struct compilation *c, const struct range *whole, struct we_error *err)
{
	struct range
		todo[2 + 32]; // a stack: its depth is the number of times that a range is halved
	uint32_t n = 0;

	todo[n++] = *whole;
	while (n > 0) {
		const struct range range = todo[--n];
		const uint32_t half = range.n / 2;
		const int rc =
			c->n_failures < MAX_FAILURES ? try_range(c, &range, err) : RANGE_FAILED;

		if (rc < 0)
			return rc;
		if (rc == RANGE_DONE)
			continue;
		if (range.n == 1 || c->n_failures >= MAX_FAILURES) {
			give_up(c, &range);
			continue;
		}
		todo[n++] = (struct range){range.first + half, range.n - half, range.is_hot};
		todo[n++] = (struct range){range.first, half, range.is_hot};
	}
	return 0;
}

// Which of the module's own functions others can call by name.
static void mark_hot(const struct we_module *module, uint8_t *hot)
{
	const uint32_t n_imported = module->is.n_imported_funcs;

	for (uint32_t i = 0; i < module->n_exports; i++) {
		const struct we_export_def *export = &module->exports[i];

		if (export->kind == WE_EXTERN_FUNC && export->idx >= n_imported)
			hot[export->idx - n_imported] = 1;
	}
	if (module->has_start && module->start >= n_imported)
		hot[module->start - n_imported] = 1;
}

// Pending functions in ranges of about BATCH_BYTES. Returns: how many; ranges has room for one a function.
static uint32_t make_batches(
	const struct compilation *c, uint32_t n_own, const uint8_t *hot, struct range *ranges)
{
	uint64_t n_bytes = 0; // of the last range
	uint32_t n = 0;

	for (uint32_t i = 0; i < n_own; i++) {
		const uint64_t body = body_bytes(c->module, i);
		struct range *last = n > 0 ? &ranges[n - 1] : NULL;

		if (c->of_module->states[i] != WE_JIT_STATE_PENDING)
			continue;
		if (last != NULL && last->first + last->n == i && n_bytes + body <= BATCH_BYTES) {
			last->n++;
			last->is_hot |= hot[i] != 0;
			n_bytes += body;
		} else {
			ranges[n++] = (struct range){i, 1, hot[i] != 0};
			n_bytes = body;
		}
	}
	return n;
}

static int compile_module(struct compilation *c, uint32_t n_own, struct we_error *err)
{
	uint8_t *hot = calloc(n_own, 1);
	struct range *batches = calloc(n_own, sizeof(*batches));
	uint32_t n_batches;
	int rc = 0;

	if (hot == NULL || batches == NULL) {
		free(hot);
		free(batches);
		return we_error_set(err, WE_E_NOMEM, 0, "no memory to compile a module");
	}
	mark_hot(c->module, hot);
	n_batches = make_batches(c, n_own, hot, batches);
	for (unsigned pass = 0; rc == 0 && pass < 2; pass++)
		for (uint32_t i = 0; rc == 0 && i < n_batches; i++)
			if (batches[i].is_hot == (pass == 0))
				rc = compile_range(c, &batches[i], err);
	free(batches);
	free(hot);
	return rc;
}

// What native code may use of this machine.
static int choose_cpu(const char *wanted, struct we_cpu *ret_cpu, struct we_error *err)
{
	struct we_cpu machine;

	we_cpu_detect(&machine);
	if (wanted == NULL)
		wanted = "native";
	if (!we_cpu_by_name(wanted, ret_cpu))
		return we_error_set(err, WE_E_INVALID, 0, "no processor is called \"%s\"", wanted);
	if (machine.level < WE_CPU_V2)
		return we_error_set(err, WE_E_UNSUPPORTED, 0,
			"native code needs an x86-64-v2 processor, and this is none");
	if (ret_cpu->level < WE_CPU_V2)
		return we_error_set(err, WE_E_UNSUPPORTED, 0,
			"native code needs x86-64-v2, and %s was asked for", wanted);
	if (!we_cpu_covers(&machine, ret_cpu))
		return we_error_set(err, WE_E_UNSUPPORTED, 0,
			"x86-64-%s was asked for, and this processor is x86-64-v%u", wanted,
			(unsigned)machine.level);
	return 0;
}

int we_module_compile(struct we_module *module, struct we_error *err)
{
	const uint32_t n_own = module->is.n_funcs - module->is.n_imported_funcs;
	struct we_error local; // for messages that go to the stats
	struct compilation c = {.module = module, .module_fd = -1};
	int rc;

	if (err == NULL)
		err = &local;
	if (n_own == 0)
		return 0;
	c.jit = we_jit_of_engine(module->engine);
	c.of_module = c.jit == NULL ? NULL : we_jit_of_module(module, c.jit, n_own);
	if (c.of_module == NULL)
		return we_error_set(err, WE_E_NOMEM, 0, "no memory to compile a module");
	rc = choose_cpu(module->engine->config.jit_cpu, &c.cpu, err);
	if (rc < 0)
		return rc;
	pthread_mutex_lock(&c.of_module->lock);
	rc = compile_module(&c, n_own, err);
	if (rc == 0)
		rc = memchr(c.of_module->states, WE_JIT_STATE_GIVEN_UP, n_own) != NULL;
	pthread_mutex_unlock(&c.of_module->lock);
	if (c.module_fd >= 0)
		close(c.module_fd);
	return rc;
}
