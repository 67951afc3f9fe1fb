// SPDX-License-Identifier: BSD-3-Clause
// fuzz_native: see native_draw.h.
#include "native_draw.h"

#include "jit.h"
#include "publish.h"

#include <pthread.h>
#include <stdlib.h>

struct fuzz_native fuzz_native_draw(uint64_t number)
{
	static const char *const cpus[] = {"native", "v3", "v2", "native"};

	return (struct fuzz_native){.cpu = cpus[number % 4],
		.explicit_checks = number / 4 % 2 != 0,
		.deterministic = number / 8 % 8 != 0,
		.images = number / 64 % 16 == 0   ? FUZZ_NATIVE_HALF
			  : number / 64 % 16 == 1 ? FUZZ_NATIVE_PARTS
						  : FUZZ_NATIVE_WHOLE};
}

static int publish(struct we_module *module, const struct we_jit_options *opt, struct we_error *err)
{
	struct we_image *image = NULL;
	void *bytes = NULL;
	size_t n = 0;
	int rc = we_jit_compile(module, opt, &bytes, &n, err);

	if (rc == 0)
		rc = we_image_map(bytes, n, &image, err);
	if (rc == 0) {
		rc = we_native_publish(module, image, err);
		if (rc < 0)
			we_image_release(image);
	}
	free(bytes);
	return rc;
}

int fuzz_native_publish(
	struct we_module *module, const struct fuzz_native *how, struct we_error *err)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	const uint32_t n = module->is.n_funcs - module->is.n_imported_funcs;
	struct we_jit_options opt = {.explicit_checks = how->explicit_checks,
		.deterministic = how->deterministic,
		.first_func = module->is.n_imported_funcs,
		.n_funcs = how->images == FUZZ_NATIVE_WHOLE ? n : (n + 1) / 2,
		.verify = true};
	struct we_cpu here;
	int rc;

	pthread_once(&once, we_jit_init);
	we_cpu_detect(&here);
	if (!we_cpu_by_name(how->cpu, &opt.cpu) || !we_cpu_covers(&here, &opt.cpu))
		opt.cpu = here;
	if (n == 0)
		return 1;
	rc = publish(module, &opt, err);
	if (how->images != FUZZ_NATIVE_PARTS || (rc < 0 && rc != WE_E_UNSUPPORTED))
		return rc;
	opt.first_func += opt.n_funcs;
	opt.n_funcs = n - opt.n_funcs;
	return opt.n_funcs > 0 ? publish(module, &opt, err) : rc;
}
