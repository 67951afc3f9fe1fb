// SPDX-License-Identifier: BSD-3-Clause
// we_module_compile: native code for the functions of a module, from the compiler's process.
//
// Module path 3/6. What comes back is checked and published. A batch that fails is tried again in halves, so that one
// function that the compiler cannot stand costs no other its native code.
// Owns:   nothing beyond the call.
// Thread: any control thread.
#include "compilation.h"
#include "engine.h"

#include <signal.h>
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

// What the compiler's answer counts as. Returns: false when it is an image.
static bool is_failure(const struct we_protocol_answer *answer, enum we_jit_failure *ret_failure,
	char *text, size_t cap)
{
	const char *says = *answer->text != '\0' ? answer->text : NULL;

	switch ((enum we_answer_kind)answer->kind) {
	case WE_ANSWER_OK:
		return false;
	case WE_ANSWER_UNABLE: // send() has told it
		break;
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

// A refusal as a failure of ours: the number is another process's.
static int refusal_of(const struct we_protocol_answer *answer)
{
	return answer->code == WE_E_INVALID || answer->code == WE_E_UNSUPPORTED ? answer->code
										: WE_E_HOST;
}

// Would it fail again? Time on the wall and SIGKILL may be due to what else the machine did.
static bool is_of_function(const struct we_protocol_answer *answer)
{
	return answer->kind != WE_ANSWER_WALL &&
	       !(answer->kind == WE_ANSWER_KILLED && answer->code == SIGKILL);
}

static struct we_protocol_request request_for(
	const struct compilation *c, const struct range *range)
{
	const struct we_module *module = c->module;
	const struct we_engine_config *config = &module->engine->config;
	const uint64_t n_bytes = range_bytes(module, range);
	const uint64_t cpu_ms = CPU_MS + n_bytes * CPU_MS_PER_KIB / 1024;

	return (struct we_protocol_request){.flags = compilation_flags(c),
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
}

// Returns: 0 and an answer; WE_COMPILER_LOST. Fails: HOST, UNSUPPORTED.
static int send(struct compilation *c, struct we_protocol_request *request,
	struct we_protocol_answer *ret_answer, void **ret_image, struct we_error *err)
{
	int rc;

	if (c->module_fd < 0)
		c->module_fd = we_compiler_share(c->module->bytes);
	if (c->module_fd < 0)
		return we_error_set(err, WE_E_HOST, 0, "no memfd for the compiler");
	rc = we_compiler_ask(&c->jit->compiler, c->module->engine->config.jit_program, request,
		c->module_fd, ret_answer, ret_image, err);
	if (rc == 0 && ret_answer->kind == WE_ANSWER_UNABLE)
		return we_error_set(err, WE_E_HOST, 0, "the compiler's process cannot compile: %s",
			ret_answer->text);
	return rc;
}

static int ask(struct compilation *c, const struct range *range, const uint8_t key[WE_SHA256_BYTES],
	struct we_protocol_answer *ret_answer, void **ret_image, struct we_error *err)
{
	struct we_protocol_request request = request_for(c, range);
	struct we_jit_stats more = {.n_requests = 1};
	int rc;

	memcpy(request.key, key, sizeof(request.key));
	rc = send(c, &request, ret_answer, ret_image, err);
	if (rc < 0)
		return rc;
	more.compile_ns = rc == 0 ? ret_answer->wall_us * 1000 : 0;
	compilation_count(c, &more);
	return rc;
}

static int try_range(struct compilation *c, const struct range *range,
	const uint8_t key[WE_SHA256_BYTES], struct we_error *err)
{
	struct we_protocol_answer answer;
	enum we_jit_failure failure;
	char text[WE_PROTOCOL_TEXT + 32];
	struct we_image *image;
	void *bytes = NULL;
	int rc = ask(c, range, key, &answer, &bytes, err);

	if (rc == WE_COMPILER_LOST && range->n == 1) { // it need not be this function's fault
		range_failed(c, range, WE_JIT_LOST, err->msg);
		rc = ask(c, range, key, &answer, &bytes, err);
	}
	if (rc == WE_COMPILER_LOST) {
		range_failed(c, range, WE_JIT_LOST, err->msg);
		return RANGE_FAILED;
	}
	if (rc < 0)
		return rc;
	if (is_failure(&answer, &failure, text, sizeof(text))) {
		// Then none of them can be compiled, alone or not.
		const bool is_final = failure == WE_JIT_REFUSED && answer.code == WE_E_UNSUPPORTED;

		range_failed(c, range, failure, text);
		if (is_of_function(&answer))
			cache_keep_failure(c, key, failure, is_final, text);
		if (!is_final)
			return RANGE_FAILED;
		range_give_up(c, range);
		return RANGE_DONE;
	}
	rc = range_map(c, range, key, bytes, answer.image_bytes, &image, err);
	if (rc == WE_E_INVALID) {
		range_failed(c, range, WE_JIT_DAMAGED, err->msg);
		cache_keep_failure(c, key, WE_JIT_DAMAGED, false, err->msg);
		rc = RANGE_FAILED;
	} else if (rc == 0) {
		rc = range_publish(c, range, image, false, err);
		if (rc == 0)
			cache_keep_image(c, key, bytes, answer.image_bytes);
	}
	free(bytes);
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
		uint8_t key[WE_SHA256_BYTES];
		int rc;

		range_key(c, &range, key);
		rc = cache_try(c, &range, key, err);
		if (rc == RANGE_UNKNOWN)
			rc = c->n_failures < MAX_FAILURES ? try_range(c, &range, key, err)
							  : RANGE_FAILED;
		if (rc < 0)
			return rc;
		if (rc == RANGE_DONE)
			continue;
		if (range.n == 1 || c->n_failures >= MAX_FAILURES) {
			range_give_up(c, &range);
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

// Pending functions in ranges of about BATCH_BYTES; states NULL: all are, hot NULL: none is. Returns: how many; ranges has room for one a
// function.
static uint32_t make_batches(const struct we_module *module, const uint8_t *states, uint32_t n_own,
	const uint8_t *hot, struct range *ranges)
{
	uint64_t n_bytes = 0; // of the last range
	uint32_t n = 0;

	for (uint32_t i = 0; i < n_own; i++) {
		const struct range one = {i, 1, false};
		const uint64_t body = range_bytes(module, &one);
		const bool is_hot = hot != NULL && hot[i] != 0;
		struct range *last = n > 0 ? &ranges[n - 1] : NULL;

		if (states != NULL && states[i] != WE_JIT_STATE_PENDING)
			continue;
		if (last != NULL && last->first + last->n == i && n_bytes + body <= BATCH_BYTES) {
			last->n++;
			last->is_hot |= is_hot;
			n_bytes += body;
		} else {
			ranges[n++] = (struct range){i, 1, is_hot};
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
	n_batches = make_batches(c->module, c->of_module->states, n_own, hot, batches);
	for (unsigned pass = 0; rc == 0 && pass < 2; pass++)
		for (uint32_t i = 0; rc == 0 && i < n_batches; i++)
			if (batches[i].is_hot == (pass == 0))
				rc = compile_range(c, &batches[i], err);
	free(batches);
	free(hot);
	return rc;
}

int we_module_compile(struct we_module *module, struct we_error *err)
{
	const uint32_t n_own = module->is.n_funcs - module->is.n_imported_funcs;
	struct we_error local; // for messages that go to the stats
	struct compilation c = {.module = module, .cache.dir = -1, .module_fd = -1};
	int rc;

	if (err == NULL)
		err = &local;
	if (n_own == 0)
		return 0;
	c.jit = we_jit_of_engine(module->engine);
	c.of_module = c.jit == NULL ? NULL : we_jit_of_module(module, c.jit, n_own);
	if (c.of_module == NULL)
		return we_error_set(err, WE_E_NOMEM, 0, "no memory to compile a module");
	rc = we_cpu_choose(module->engine->config.jit_cpu, &c.cpu, err);
	if (rc < 0)
		return rc;
	pthread_mutex_lock(&c.of_module->lock);
	cache_begin(&c);
	rc = compile_module(&c, n_own, err);
	cache_end(&c);
	if (rc == 0)
		rc = memchr(c.of_module->states, WE_JIT_STATE_GIVEN_UP, n_own) != NULL;
	pthread_mutex_unlock(&c.of_module->lock);
	if (c.module_fd >= 0)
		close(c.module_fd);
	return rc;
}

// ---- listings -----------------------------------------------------------------------------------

// The functions that it is compiled with.
static int batch_of(const struct we_module *module, uint32_t n_own, uint32_t own, struct range *ret,
	struct we_error *err)
{
	struct range *batches = calloc(n_own, sizeof(*batches));
	uint32_t i = 0;

	if (batches == NULL)
		return we_error_set(err, WE_E_NOMEM, 0, "no memory for a listing");
	make_batches(module, NULL, n_own, NULL, batches);
	while (own >= batches[i].first + batches[i].n)
		i++;
	*ret = batches[i];
	free(batches);
	return 0;
}

static int list_in(struct compilation *c, const struct range *range, uint32_t own, char **ret_text,
	struct we_error *err)
{
	struct we_protocol_request request = request_for(c, range);
	struct we_protocol_answer answer;
	enum we_jit_failure failure;
	char why[WE_PROTOCOL_TEXT + 32];
	void *bytes = NULL;
	char *text;
	int rc;

	request.flags |= WE_REQUEST_LISTING;
	request.list_func = own;
	rc = send(c, &request, &answer, &bytes, err);
	if (rc != 0)
		return rc == WE_COMPILER_LOST ? WE_E_HOST : rc;
	if (is_failure(&answer, &failure, why, sizeof(why))) {
		if (failure == WE_JIT_REFUSED)
			return we_error_set(err, refusal_of(&answer), 0, "%s", why);
		return we_error_set(err, WE_E_HOST, 0, "%s: %s", we_jit_failure_word(failure), why);
	}
	text = bytes == NULL ? NULL : realloc(bytes, answer.image_bytes + 1);
	if (text == NULL) {
		free(bytes);
		return we_error_set(err, WE_E_NOMEM, 0, "no memory for a listing");
	}
	text[answer.image_bytes] = '\0';
	*ret_text = text;
	return 0;
}

int we_module_listing(
	struct we_module *module, uint32_t func, char **ret_text, struct we_error *err)
{
	const uint32_t n_imported = module->is.n_imported_funcs;
	struct compilation c = {.module = module, .cache.dir = -1, .module_fd = -1};
	const struct range one = {func - n_imported, 1, false};
	struct range range;
	int rc;

	if (func < n_imported || func >= module->is.n_funcs)
		return we_error_set(
			err, WE_E_INVALID, 0, "function %u is none of the module's own", func);
	c.jit = we_jit_of_engine(module->engine);
	if (c.jit == NULL)
		return we_error_set(err, WE_E_NOMEM, 0, "no memory for a listing");
	rc = we_cpu_choose(module->engine->config.jit_cpu, &c.cpu, err);
	if (rc == 0)
		rc = batch_of(module, module->is.n_funcs - n_imported, one.first, &range, err);
	if (rc == 0)
		rc = list_in(&c, &range, one.first, ret_text, err);
	// As when it is compiled: what the batch fails by need not be this one.
	if (rc == WE_E_HOST && range.n > 1)
		rc = list_in(&c, &one, one.first, ret_text, err);
	if (c.module_fd >= 0)
		close(c.module_fd);
	return rc;
}
