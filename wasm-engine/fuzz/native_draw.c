// SPDX-License-Identifier: BSD-3-Clause
// fuzz_native: see native_draw.h.
#include "native_draw.h"

#include "in_process.h"

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

int fuzz_native_publish(
	struct we_module *module, const struct fuzz_native *how, struct we_error *err)
{
	const uint32_t n = module->is.n_funcs - module->is.n_imported_funcs;
	struct we_jit_options opt = {.explicit_checks = how->explicit_checks,
		.deterministic = how->deterministic,
		.first_func = module->is.n_imported_funcs,
		.n_funcs = how->images == FUZZ_NATIVE_WHOLE ? n : (n + 1) / 2,
		.verify = true};
	struct we_cpu here;
	int rc;

	we_cpu_detect(&here);
	if (!we_cpu_by_name(how->cpu, &opt.cpu) || !we_cpu_covers(&here, &opt.cpu))
		opt.cpu = here;
	if (n == 0)
		return 1;
	rc = we_jit_publish_range(module, &opt, err);
	if (how->images != FUZZ_NATIVE_PARTS || (rc < 0 && rc != WE_E_UNSUPPORTED))
		return rc;
	opt.first_func += opt.n_funcs;
	opt.n_funcs = n - opt.n_funcs;
	return opt.n_funcs > 0 ? we_jit_publish_range(module, &opt, err) : rc;
}
