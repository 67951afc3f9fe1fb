// SPDX-License-Identifier: BSD-3-Clause
// program: loading a filter component, and refusing what it exports or imports wrongly.
#include "program.h"

#include "../host/host.h"

#include <stdlib.h>
#include <string.h>

#define SETUP_INTERFACE "weir:packet/setup@0.1.0"

// Spec: core "Modules" (binary format), the magic and version.
static bool is_core_module(struct we_bytes bytes)
{
	static const uint8_t head[8] = {0, 'a', 's', 'm', 1, 0, 0, 0};

	return bytes.len >= sizeof(head) && memcmp(bytes.data, head, sizeof(head)) == 0;
}

static int check_imports(struct ws_program *program, struct we_error *err)
{
	const char *name;

	for (uint32_t i = 0; (name = cm_component_import_name(program->component, i)) != NULL;
		i++) {
		if (!ws_hosts_offer(name))
			return ws_hosts_refuse(name, err);
		if (strcmp(name, SETUP_INTERFACE) == 0)
			program->has_setup = true;
	}
	return 0;
}

static int check_exports(const struct ws_program *program, struct we_error *err)
{
	static const char interface[] = WS_FILTER_INTERFACE;
	const size_t base = strcspn(interface, "@");
	const char *other = NULL;
	const char *name;

	for (uint32_t i = 0; (name = cm_component_export_name(program->component, i)) != NULL;
		i++) {
		if (strcmp(name, interface) == 0)
			return 0;
		if (strncmp(name, interface, base) == 0)
			other = name;
	}
	return we_error_set(err, WE_E_UNLINKABLE, 0, "exports %s, expected %s",
		other != NULL ? other : "no filter", interface);
}

int ws_program_create(struct we_engine *engine, const char *name, struct we_bytes bytes,
	struct ws_program **ret_program, struct we_error *err)
{
	struct ws_program *program;
	int rc;

	if (is_core_module(bytes))
		return we_error_set(err, WE_E_INVALID, 0,
			"a core module, expected a component: `weir wrap` makes one of it");
	program = calloc(1, sizeof(*program));
	if (program == NULL)
		return we_error_set(err, WE_E_NOMEM, 0, "no memory for a program");
	atomic_init(&program->n_refs, 1);
	program->engine = engine;
	program->name = strdup(name);
	if (program->name == NULL) {
		rc = we_error_set(err, WE_E_NOMEM, 0, "no memory for a name");
		goto fail;
	}
	rc = cm_component_create(engine, bytes, &program->component, err);
	if (rc < 0)
		goto fail;
	rc = check_exports(program, err);
	if (rc < 0)
		goto fail;
	rc = check_imports(program, err);
	if (rc < 0)
		goto fail;
	rc = ws_hosts_linker(engine, &program->linker, err);
	if (rc < 0)
		goto fail;
	*ret_program = program;
	return 0;
fail:
	ws_program_unref(program);
	return rc;
}

struct ws_program *ws_program_ref(struct ws_program *program)
{
	atomic_fetch_add_explicit(&program->n_refs, 1, memory_order_relaxed);
	return program;
}

void ws_program_unref(struct ws_program *program)
{
	if (program == NULL ||
		atomic_fetch_sub_explicit(&program->n_refs, 1, memory_order_acq_rel) != 1)
		return;
	cm_linker_destroy(program->linker);
	cm_component_unref(program->component);
	free(program->name);
	free(program);
}

const char *ws_program_name(const struct ws_program *program)
{
	return program->name;
}

const struct cm_component *ws_program_component(const struct ws_program *program)
{
	return program->component;
}

int ws_program_compile(struct ws_program *program, struct we_error *err)
{
	return cm_component_compile(program->component, err);
}

void ws_program_jit_stats(const struct ws_program *program, struct we_jit_stats *ret_stats)
{
	cm_component_jit_stats(program->component, ret_stats);
}

bool ws_program_has_setup(const struct ws_program *program)
{
	return program->has_setup;
}
