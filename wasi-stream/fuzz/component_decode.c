// SPDX-License-Identifier: BSD-3-Clause
// component_decode: any bytes as a component: decode, validate, print. For libFuzzer.
#include "cm.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void swallow(void *env, const char *piece, size_t len)
{
	volatile char last;

	(void)env;
	if (len > 0)
		last = piece[len - 1];
	(void)last;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct cm_component *component = NULL;
	struct we_engine *engine = NULL;
	struct we_error err;

	if (we_engine_create(NULL, &engine, &err) < 0)
		return 0;
	if (cm_component_create(engine, (struct we_bytes){data, len}, &component, &err) == 0) {
		cm_component_print_wit(component, swallow, NULL);
		cm_component_unref(component);
	}
	we_engine_destroy(engine);
	return 0;
}
