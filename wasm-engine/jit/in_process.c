// SPDX-License-Identifier: BSD-3-Clause
// Compiling in this very process: see in_process.h.
//
// Module path 3/6.
#include "in_process.h"

#include <stdlib.h>

#include "publish.h"
#include "target.h"

int we_jit_publish_range(
	struct we_module *module, const struct we_jit_options *opt, struct we_error *err)
{
	struct we_image *image = NULL;
	void *bytes = NULL;
	size_t n = 0;
	int rc;

	target_init();
	rc = we_jit_compile(module, opt, &bytes, &n, err);
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

int we_jit_publish_here(
	struct we_module *module, const struct we_jit_options *opt, struct we_error *err)
{
	struct we_jit_options mine = *opt;

	mine.first_func = module->is.n_imported_funcs;
	mine.n_funcs = module->is.n_funcs - module->is.n_imported_funcs;
	return mine.n_funcs == 0 ? 1 : we_jit_publish_range(module, &mine, err);
}
