// SPDX-License-Identifier: BSD-3-Clause
// fake-jit: stands in for we-jit in tests: the same server, and a compiler that fails as it is told.
//
// A module says what is to happen in a custom section "fault": a word of the table below, then perhaps the index, among the
// module's own functions, of the one it happens to. What concerns the whole process is said by FAKE_JIT in the environment.
// Owns:   the process.
// Thread: one.
#include "image.h"
#include "jit_build.h"
#include "module.h"
#include "server.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	PAGE = 4096,
	CODE_PER_FUNC = 16, // bytes
};

// What a fault may change.
struct image {
	uint8_t *bytes;
	size_t n;
	struct we_image_header *header;
	struct we_image_func *funcs;
	const struct we_protocol_request *request;
	uint32_t at; // the function that the fault names, in the image
};

// ---- images ---------------------------------------------------------------------------------------

static void seal(struct image *image)
{
	const size_t from =
		offsetof(struct we_image_header, checksum) + sizeof(image->header->checksum);

	image->header->checksum = we_image_sum(image->bytes + from, image->n - from);
}

// Every function returns at once.
static void make_image(const struct we_module *module, const struct we_protocol_request *request,
	struct image *image)
{
	const uint32_t code_bytes = (request->n_funcs + 1) * CODE_PER_FUNC;
	const size_t tables =
		sizeof(struct we_image_header) +
		request->n_funcs * (sizeof(struct we_image_func) + sizeof(struct we_image_range));
	const size_t code_at = (tables + PAGE - 1) / PAGE * PAGE;
	struct we_image_range *ranges;

	image->request = request;
	image->n = code_at + code_bytes;
	image->bytes = calloc(1, image->n);
	if (image->bytes == NULL)
		exit(9);
	image->header = (void *)image->bytes;
	image->funcs = (void *)(image->bytes + sizeof(struct we_image_header));
	ranges = (void *)(image->funcs + request->n_funcs);
	*image->header = (struct we_image_header){.size_bytes = image->n,
		.first_func = module->is.n_imported_funcs + request->first_func,
		.n_funcs = request->n_funcs,
		.n_ranges = request->n_funcs,
		.code_at = (uint32_t)code_at,
		.code_bytes = code_bytes,
		.n_exec_bytes = code_bytes};
	memcpy(image->header->magic, WE_IMAGE_MAGIC, sizeof(image->header->magic));
	memcpy(image->header->key, request->key, sizeof(image->header->key));
	for (uint32_t i = 0; i < request->n_funcs; i++) {
		const uint32_t at = (i + 1) * CODE_PER_FUNC;

		image->funcs[i] = (struct we_image_func){.body = at};
		ranges[i] = (struct we_image_range){
			at, at + CODE_PER_FUNC, image->header->first_func + i};
	}
	memset(image->bytes + code_at, 0xc3, code_bytes); // ret
	seal(image);
}

// ---- faults ---------------------------------------------------------------------------------------

static void fault_abort(struct image *image, struct we_error *err)
{
	(void)image;
	(void)err;
	fputs("LLVM ERROR: Cannot select: a thing\n", stderr);
	abort();
}

static void fault_exit(struct image *image, struct we_error *err)
{
	(void)image;
	(void)err;
	_exit(3);
}

static void fault_kill(struct image *image, struct we_error *err)
{
	(void)image;
	(void)err;
	raise(SIGKILL);
}

static void fault_segv(struct image *image, struct we_error *err)
{
	(void)image;
	(void)err;
	signal(SIGSEGV, SIG_DFL);
	raise(SIGSEGV);
}

// depth: more than any stack has.
static int recurse(volatile char *outer, uint64_t depth)
{
	volatile char frame[4096];

	frame[0] = outer[0];
	return depth == 0 ? 0 : recurse(frame, depth - 1) + frame[0];
}

static void fault_stack(struct image *image, struct we_error *err)
{
	volatile char frame[1] = {0};

	(void)image;
	(void)err;
	signal(SIGSEGV, SIG_DFL);
	exit(recurse(frame, UINT64_MAX));
}

static void fault_loop(struct image *image, struct we_error *err)
{
	(void)image;
	(void)err;
	for (volatile uint64_t i = 0;; i++)
		;
}

static void fault_sleep(struct image *image, struct we_error *err)
{
	(void)image;
	(void)err;
	for (;;)
		pause();
}

static void fault_slow(struct image *image, struct we_error *err)
{
	(void)image;
	(void)err;
	nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
}

static void fault_bomb(struct image *image, struct we_error *err)
{
	static char *volatile last; // or a compiler sees that nobody wants it

	(void)image;
	(void)err;
	for (;;) {
		last = malloc(1 << 20);
		if (last == NULL) {
			fputs("LLVM ERROR: out of memory\n", stderr);
			abort();
		}
		memset(last, 1, 1 << 20);
	}
}

// Memory that runs out where it is noticed.
static void fault_nomem(struct image *image, struct we_error *err)
{
	(void)image;
	we_error_set(err, WE_E_NOMEM, 0, "no memory for a thing");
}

static void fault_flood(struct image *image, struct we_error *err)
{
	(void)err;
	fputs("remark: the same again\n", stderr);
	for (;;)
		(void)!write(STDERR_FILENO, image->bytes, PAGE);
}

static void fault_refuse(struct image *image, struct we_error *err)
{
	(void)image;
	we_error_set(err, WE_E_HOST, 0, "no register for a thing");
}

static void fault_unsupported(struct image *image, struct we_error *err)
{
	(void)image;
	we_error_set(err, WE_E_UNSUPPORTED, 0, "nothing could be compiled");
}

static void fault_garbage(struct image *image, struct we_error *err)
{
	(void)err;
	for (size_t i = 0; i < image->n; i++)
		image->bytes[i] = (uint8_t)(i * 37);
}

static void fault_truncated(struct image *image, struct we_error *err)
{
	(void)err;
	image->n -= 1;
}

static void fault_empty(struct image *image, struct we_error *err)
{
	(void)err;
	image->n = 0;
}

static void fault_checksum(struct image *image, struct we_error *err)
{
	(void)err;
	image->bytes[image->n - 1] ^= 1;
}

static void fault_key(struct image *image, struct we_error *err)
{
	(void)err;
	image->header->key[0] ^= 1;
}

static void fault_range(struct image *image, struct we_error *err)
{
	(void)err;
	image->header->first_func++;
	for (uint32_t i = 0; i < image->header->n_ranges; i++)
		((struct we_image_range *)(image->funcs + image->header->n_funcs))[i].func++;
	seal(image);
}

static void fault_large(struct image *image, struct we_error *err)
{
	(void)err;
	image->n = image->request->image_bytes + 1;
	image->bytes = calloc(1, image->n);
}

static void fault_left_out(struct image *image, struct we_error *err)
{
	(void)err;
	image->funcs[image->at].body = 0;
	seal(image);
}

static void fault_kill_server(struct image *image, struct we_error *err)
{
	(void)image;
	(void)err;
	kill(getppid(), SIGKILL);
	for (;;)
		pause();
}

static void fault_stop_server(struct image *image, struct we_error *err)
{
	(void)image;
	(void)err;
	kill(getppid(), SIGSTOP);
	for (;;)
		pause();
}

// As fault_loop, and deaf to whatever can be ignored.
static void fault_stubborn(struct image *image, struct we_error *err)
{
	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_IGN);
	fault_loop(image, err);
}

// Was anything inherited that should not have been? Refuses with what it found.
static void fault_inherit(struct image *image, struct we_error *err)
{
	sigset_t mask;

	(void)image;
	for (int fd = 3; fd < 4096; fd++) {
		char path[64];
		char target[128];
		ssize_t n;

		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		n = readlink(path, target, sizeof(target) - 1);
		if (n < 0)
			continue;
		target[n] = '\0';
		if (strstr(target, "we-jit-") == NULL) {
			we_error_set(err, WE_E_HOST, 0, "descriptor %d: %s", fd, target);
			return;
		}
	}
	sigprocmask(SIG_BLOCK, NULL, &mask);
	for (int sig = 1; sig < NSIG; sig++)
		if (sigismember(&mask, sig) == 1) {
			we_error_set(err, WE_E_HOST, 0, "signal %d is blocked", sig);
			return;
		}
	if (open_memstream(&(char *){NULL}, &(size_t){0}) == NULL || getpgrp() != getppid())
		we_error_set(err, WE_E_HOST, 0, "process group %d", (int)getpgrp());
}

static const struct {
	const char *word;
	void (*happen)(struct image *image, struct we_error *err);
} faults[] = {
	{"abort", fault_abort},
	{"exit", fault_exit},
	{"kill", fault_kill},
	{"segv", fault_segv},
	{"stack", fault_stack},
	{"loop", fault_loop},
	{"stubborn", fault_stubborn},
	{"sleep", fault_sleep},
	{"slow", fault_slow},
	{"bomb", fault_bomb},
	{"nomem", fault_nomem},
	{"flood", fault_flood},
	{"refuse", fault_refuse},
	{"unsupported", fault_unsupported},
	{"garbage", fault_garbage},
	{"truncated", fault_truncated},
	{"empty", fault_empty},
	{"checksum", fault_checksum},
	{"key", fault_key},
	{"range", fault_range},
	{"large", fault_large},
	{"left-out", fault_left_out},
	{"kill-server", fault_kill_server},
	{"stop-server", fault_stop_server},
	{"inherit", fault_inherit},
};

static int compile(const struct we_protocol_request *request, struct we_bytes bytes,
	void **ret_image, size_t *ret_bytes, struct we_error *err)
{
	const struct we_engine_config config = {.max_func_bytes = request->max_func_bytes};
	struct we_engine *engine;
	struct we_module *module;
	struct we_bytes fault;
	struct image image = {0};
	char word[32];
	unsigned func;
	int n_words;
	int rc = we_engine_create(&config, &engine, err);

	if (rc == 0)
		rc = we_module_create(engine, bytes, request->file_offset, &module, err);
	if (rc != 0)
		return rc;
	make_image(module, request, &image);
	if (we_module_custom(module, "fault", 0, &fault) == 0) {
		char text[64];

		snprintf(text, sizeof(text), "%.*s", (int)fault.len, (const char *)fault.data);
		n_words = sscanf(text, "%31s %u", word, &func);
		image.at = n_words == 2 ? func - request->first_func : 0;
		for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
			if (strcmp(word, faults[i].word) == 0 && image.at < request->n_funcs)
				faults[i].happen(&image, err);
	}
	if (err->rc < 0)
		return err->rc;
	if ((request->flags & WE_REQUEST_LISTING) != 0) {
		*ret_bytes = (size_t)asprintf((char **)ret_image, "function %u of %u from %u\n",
			request->list_func, request->n_funcs, request->first_func);
		return 0;
	}
	*ret_image = image.bytes;
	*ret_bytes = image.n;
	return 0;
}

// ---- the process ------------------------------------------------------------------------------------

// A server that keeps to no protocol: one answer, then silence.
static int answer_badly(const char *how)
{
	struct we_protocol_hello hello = {.version = WE_PROTOCOL_VERSION, .build = WE_JIT_BUILD};
	struct we_protocol_answer answer = {0};
	struct we_protocol_request request;
	size_t n = sizeof(answer);

	memcpy(hello.magic, WE_PROTOCOL_HELLO, sizeof(hello.magic));
	memcpy(answer.magic, WE_PROTOCOL_ANSWER, sizeof(answer.magic));
	if (strcmp(how, "other-build") == 0)
		hello.build[0] ^= 1;
	send(WE_PROTOCOL_FD, &hello, sizeof(hello), MSG_NOSIGNAL);
	while (recv(WE_PROTOCOL_FD, &request, sizeof(request), 0) > 0) {
		answer.id = request.id;
		if (strcmp(how, "short-answer") == 0)
			n = 16;
		if (strcmp(how, "other-id") == 0)
			answer.id++;
		if (strcmp(how, "other-kind") == 0)
			answer.kind = 77;
		if (strcmp(how, "liar") == 0)
			answer.image_bytes = 4096; // there are none
		if (strcmp(how, "braggart") == 0)
			answer.image_bytes = UINT64_MAX;
		if (strcmp(how, "no-code") == 0)
			answer.kind = WE_ANSWER_REFUSED;
		if (strcmp(how, "unable") == 0) {
			answer.kind = WE_ANSWER_UNABLE;
			strcpy(answer.text, "it cannot fork");
		}
		if (strcmp(how, "long-text") == 0) {
			answer.kind = WE_ANSWER_REFUSED;
			memset(answer.text, 'a', sizeof(answer.text));
		}
		send(WE_PROTOCOL_FD, &answer, n, MSG_NOSIGNAL);
		if (answer.kind == WE_ANSWER_UNABLE)
			break;
	}
	return 0;
}

int main(void)
{
	const char *how = getenv("FAKE_JIT");

	if (how == NULL)
		return we_server_run(WE_PROTOCOL_FD, "0.0.0", compile);
	if (strcmp(how, "exit") == 0) {
		fputs("libLLVM.so: cannot open shared object file\n", stderr);
		return 127;
	}
	return answer_badly(how);
}
