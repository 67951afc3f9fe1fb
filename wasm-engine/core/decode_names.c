// SPDX-License-Identifier: BSD-3-Clause
// The name section: names of the module and its functions, for messages and backtraces.
//
// Module path 1/6. A bad name section is no error of the module: what was read before the fault
// counts.
// Spec: core "Name Section".
#include <string.h>

#include "decode.h"
#include "reader.h"

enum {
	NAMES_MODULE = 0,
	NAMES_FUNCS = 1
};

static int read_func_names(struct we_module *module, struct we_reader *r)
{
	uint32_t n;
	int rc = we_reader_u32(r, &n);

	for (uint32_t i = 0; rc == 0 && i < n; i++) {
		struct we_bytes name;
		we_funcidx idx;

		rc = we_reader_u32(r, &idx);
		if (rc == 0)
			rc = we_reader_name(r, &name);
		if (rc == 0 && idx < module->is.n_funcs)
			module->is.funcs[idx].name = name;
	}
	return rc;
}

static void read_names(struct we_module *module, const struct we_custom_def *custom)
{
	const struct we_span span = {custom->at, custom->at + (uint32_t)custom->payload.len};
	struct we_error ignored;
	struct we_reader r;
	int rc = 0;

	we_module_reader(module, span, &r, &ignored);
	while (rc == 0 && !we_reader_at_end(&r)) {
		struct we_reader part;
		uint8_t id;
		uint32_t len = 0;

		rc = we_reader_u8(&r, &id);
		if (rc == 0)
			rc = we_reader_u32(&r, &len);
		if (rc == 0)
			rc = we_reader_sub(&r, len, &part);
		if (rc == 0 && id == NAMES_MODULE)
			rc = we_reader_name(&part, &module->name);
		else if (rc == 0 && id == NAMES_FUNCS)
			rc = read_func_names(module, &part);
	}
}

void we_module_decode_names(struct we_module *module)
{
	for (uint32_t i = 0; i < module->n_customs; i++) {
		const struct we_custom_def *custom = &module->customs[i];

		if (custom->name.len == 4 && memcmp(custom->name.data, "name", 4) == 0) {
			read_names(module, custom);
			return;
		}
	}
}
