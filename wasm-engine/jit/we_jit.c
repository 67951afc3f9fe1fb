// SPDX-License-Identifier: BSD-3-Clause
// we-jit: the program that makes native code. weir starts it; people ask it for its version.
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

static const char usage[] = "usage: we-jit --version\n"
			    "       we-jit                started by weir: makes native code\n";

static int list(const struct we_protocol_request *request, const struct we_module *module,
	const void *image, void **ret_text, size_t *ret_bytes, struct we_error *err)
{
	char *text;
	FILE *to = open_memstream(&text, ret_bytes);
	int rc;

	if (to == NULL)
		return we_error_set(err, WE_E_NOMEM, 0, "no memory for a listing");
	rc = listing_print(module, &request->cpu, image,
		module->is.n_imported_funcs + request->list_func, to, err);
	if (fclose(to) != 0)
		return we_error_set(err, WE_E_NOMEM, 0, "no memory for a listing");
	*ret_text = text;
	return rc;
}

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
	if ((request->flags & WE_REQUEST_LISTING) != 0)
		return list(request, module, *ret_image, ret_image, ret_bytes, err);
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

int main(int argc, char **argv)
{
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
	if (argc != 1 || getsockopt(WE_PROTOCOL_FD, SOL_SOCKET, SO_TYPE, &type, &len) < 0 ||
		type != SOCK_SEQPACKET) {
		fputs(usage, stderr);
		return 2;
	}
	wake_llvm();
	return we_server_run(WE_PROTOCOL_FD, llvm, compile);
}
