// SPDX-License-Identifier: BSD-3-Clause
// we-jit: the program that makes native code. weir starts it; people ask it for its version, or to show code.
//
// Module path 3/6. LLVM is loaded and made ready once, in the process that forks; each request then meets it untouched.
// Owns:   the process.
// Thread: one.
#include <llvm-c/Core.h>
#include <llvm-c/TargetMachine.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "jit.h"
#include "jit_build.h"
#include "listing.h"
#include "server.h"
#include "target.h"

static const char usage[] =
	"usage: we-jit --version\n"
	"       we-jit --asm FUNCTION [--cpu v2|v3|v4|native] [--explicit-checks] FILE.wasm\n"
	"       we-jit                started by weir: makes native code\n"
	"FUNCTION: an index, or a name of the name section.\n";

static int compile(const struct we_protocol_request *request, struct we_bytes bytes,
	void **ret_image, size_t *ret_bytes, struct we_error *err)
{
	const struct we_engine_config config = {
		.deterministic = (request->flags & WE_REQUEST_DETERMINISTIC) != 0,
		.max_func_bytes = request->max_func_bytes};
	struct we_jit_options options = {.cpu = request->cpu,
		.explicit_checks = (request->flags & WE_REQUEST_EXPLICIT_CHECKS) != 0,
		.deterministic = config.deterministic,
		.first_func = request->first_func,
		.n_funcs = request->n_funcs,
		.verify = (request->flags & WE_REQUEST_VERIFY) != 0};
	struct we_engine *engine;
	struct we_module *module;
	struct we_image_header *header;
	int rc;

	rc = we_engine_create(&config, &engine, err);
	if (rc == 0)
		rc = we_module_create(engine, bytes, request->file_offset, &module, err);
	if (rc < 0)
		return rc;
	options.first_func += module->is.n_imported_funcs;
	rc = we_jit_compile(module, &options, ret_image, ret_bytes, err);
	if (rc != 0)
		return rc;
	header = *ret_image;
	memcpy(header->key, request->key, sizeof(header->key)); // no part of the checksum
	return 0; // the process ends: nothing is freed
}

// LLVM's tables, and the first use of what is made lazily.
static void wake_llvm(void)
{
	target_init();
	LLVMContextDispose(LLVMContextCreate());
}

// ---- showing code --------------------------------------------------------------------------------

struct show {
	const char *func;
	const char *file;
	struct we_jit_options options;
};

// Returns: false on wrong use.
static bool parse_show(struct show *show, int argc, char **argv)
{
	we_cpu_detect(&show->options.cpu);
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--explicit-checks") == 0) {
			show->options.explicit_checks = true;
		} else if (strcmp(argv[i], "--asm") == 0 && i + 1 < argc) {
			show->func = argv[++i];
		} else if (strcmp(argv[i], "--cpu") == 0 && i + 1 < argc) {
			if (!we_cpu_by_name(argv[++i], &show->options.cpu) ||
				show->options.cpu.level < WE_CPU_V2)
				return false;
		} else if (argv[i][0] != '-' && show->file == NULL) {
			show->file = argv[i];
		} else {
			return false;
		}
	}
	return show->func != NULL && show->file != NULL;
}

static int fail(const char *file, const struct we_error *err)
{
	char text[WE_ERROR_TEXT];

	we_error_print(err, text, sizeof(text));
	fprintf(stderr, "we-jit: %s:%s%s\n", file, text[0] == '0' ? "" : " ", text);
	return 1;
}

static bool read_all(const char *path, struct we_bytes *ret)
{
	FILE *file = fopen(path, "rb");
	uint8_t *data = NULL;
	size_t n = 0;
	size_t cap = 0;

	if (file == NULL)
		return false;
	do {
		if (n == cap) {
			uint8_t *more = realloc(data, cap = cap * 2 + 65536);

			if (more == NULL)
				abort();
			data = more;
		}
		n += fread(data + n, 1, cap - n, file);
	} while (!feof(file) && !ferror(file));
	fclose(file);
	*ret = (struct we_bytes){data, n};
	return true;
}

// Returns: false when there is no such function.
static bool find_func(const struct we_module *module, const char *text, we_funcidx *ret)
{
	char *end;
	const unsigned long i = strtoul(text, &end, 10);

	if (end != text && *end == '\0') {
		*ret = (we_funcidx)i;
		return i >= module->is.n_imported_funcs && i < module->is.n_funcs;
	}
	for (we_funcidx k = module->is.n_imported_funcs; k < module->is.n_funcs; k++) {
		const struct we_bytes name = module->is.funcs[k].name;

		if (name.len == strlen(text) && memcmp(name.data, text, name.len) == 0) {
			*ret = k;
			return true;
		}
	}
	for (uint32_t k = 0; k < module->n_exports; k++) {
		const struct we_export_def *export = &module->exports[k];

		if (export->kind == WE_EXTERN_FUNC && export->idx >= module->is.n_imported_funcs &&
			export->name.len == strlen(text) &&
			memcmp(export->name.data, text, export->name.len) == 0) {
			*ret = export->idx;
			return true;
		}
	}
	return false;
}

static int show(struct show *show)
{
	struct we_engine *engine;
	struct we_module *module;
	struct we_bytes bytes;
	struct we_error err;
	void *image;
	size_t n;
	we_funcidx func;

	if (!read_all(show->file, &bytes)) {
		fprintf(stderr, "we-jit: %s: cannot be read\n", show->file);
		return 1;
	}
	if (we_engine_create(NULL, &engine, &err) < 0 ||
		we_module_create(engine, bytes, 0, &module, &err) < 0)
		return fail(show->file, &err);
	if (!find_func(module, show->func, &func)) {
		fprintf(stderr, "we-jit: %s: has no function %s of its own\n", show->file,
			show->func);
		return 1;
	}
	show->options.first_func = module->is.n_imported_funcs;
	show->options.n_funcs = module->is.n_funcs - module->is.n_imported_funcs;
	wake_llvm();
	if (we_jit_compile(module, &show->options, &image, &n, &err) < 0 ||
		listing_print(module, &show->options.cpu, image, func, stdout, &err) < 0)
		return fail(show->file, &err);
	return 0;
}

int main(int argc, char **argv)
{
	struct show shown = {0};
	unsigned major;
	unsigned minor;
	unsigned patch;
	char llvm[24];
	int type;
	socklen_t len = sizeof(type);

	LLVMGetVersion(&major, &minor, &patch);
	snprintf(llvm, sizeof(llvm), "%u.%u.%u", major, minor, patch);
	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		printf("we-jit %s, LLVM %s\n", WE_JIT_BUILD, llvm);
		return 0;
	}
	if (argc > 1 && parse_show(&shown, argc, argv))
		return show(&shown);
	if (argc != 1 || getsockopt(WE_PROTOCOL_FD, SOL_SOCKET, SO_TYPE, &type, &len) < 0 ||
		type != SOCK_SEQPACKET) {
		fputs(usage, stderr);
		return 2;
	}
	wake_llvm();
	return we_server_run(WE_PROTOCOL_FD, llvm, compile);
}
