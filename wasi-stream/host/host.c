// SPDX-License-Identifier: BSD-3-Clause
// host: host.def as tables: the linker of all filters, the states of one.
#include "host.h"

#include <stdio.h> // snprintf
#include <string.h>

enum host_id {
#define WS_INTERFACE(ID, name, wit) WS_HOST_##ID,
#define WS_FUNCTION(ID, name, handler)
#include "host.def"
#undef WS_INTERFACE
#undef WS_FUNCTION
	WS_HOST_N
};

static const struct {
	const char *name;
	const char *wit;
} interfaces[WS_HOST_N] = {
#define WS_INTERFACE(ID, name, wit) {name, wit},
#define WS_FUNCTION(ID, name, handler)
#include "host.def"
#undef WS_INTERFACE
#undef WS_FUNCTION
};

static const struct {
	enum host_id id;
	struct cm_host_func func;
} functions[] = {
#define WS_INTERFACE(ID, name, wit)
#define WS_FUNCTION(ID, name, handler) {WS_HOST_##ID, {name, handler}},
#include "host.def"
#undef WS_INTERFACE
#undef WS_FUNCTION
};

enum {
	N_FUNCTIONS = sizeof(functions) / sizeof(functions[0])
};

static enum host_id host_find(const char *name)
{
	uint32_t i = 0;

	while (i < WS_HOST_N && strcmp(interfaces[i].name, name) != 0)
		i++;
	return i;
}

int ws_hosts_init(struct ws_hosts *hosts, const struct ws_filter_config *config,
	const struct ws_limits *limits, struct ws_owner *owner, struct we_error *err)
{
	ws_setup_init(&hosts->setup, config->view, config->view_full, config->burst);
	ws_random_init(&hosts->random, config->random_seed);
	ws_logging_init(&hosts->logging, owner, limits->log_per_s);
	const int rc = ws_clock_init(&hosts->clock, owner, limits->timers, err);

	if (rc < 0)
		return rc;
	return ws_config_store_init(&hosts->config_store, config->entries, config->n_entries, err);
}

void ws_hosts_fini(struct ws_hosts *hosts)
{
	ws_config_store_fini(&hosts->config_store);
	ws_clock_fini(&hosts->clock);
	ws_setup_fini(&hosts->setup);
}

int ws_hosts_linker(struct we_engine *engine, struct cm_linker **ret_linker, struct we_error *err)
{
	struct cm_linker *linker;
	int rc = cm_linker_create(engine, &linker, err);

	if (rc < 0)
		return rc;
	for (uint32_t id = 0; id < WS_HOST_N; id++) {
		struct cm_host_func funcs[N_FUNCTIONS];
		uint32_t n = 0;

		for (uint32_t i = 0; i < N_FUNCTIONS; i++)
			if (functions[i].id == id)
				funcs[n++] = functions[i].func;
		rc = cm_linker_define(
			linker, interfaces[id].name, interfaces[id].wit, funcs, n, err);
		if (rc < 0) {
			cm_linker_destroy(linker);
			return rc;
		}
	}
	*ret_linker = linker;
	return 0;
}

void *ws_hosts_env(void *ctx, const char *interface_name)
{
	struct ws_hosts *hosts = ctx;

	switch (host_find(interface_name)) {
	case WS_HOST_SETUP:
		return &hosts->setup;
	case WS_HOST_CONFIG_STORE:
		return &hosts->config_store;
	case WS_HOST_CLOCK:
		return &hosts->clock;
	case WS_HOST_RANDOM:
		return &hosts->random;
	case WS_HOST_LOGGING:
		return &hosts->logging;
	case WS_HOST_CLOCK_TYPES:
	case WS_HOST_N:
		break;
	}
	return NULL;
}

bool ws_hosts_offer(const char *interface_name)
{
	return host_find(interface_name) != WS_HOST_N;
}

const char *ws_offered_interface(uint32_t i)
{
	return i < WS_HOST_N ? interfaces[i].name : NULL;
}

int ws_hosts_refuse(const char *import_name, struct we_error *err)
{
	const size_t base = strcspn(import_name, "@");
	char offered[sizeof(err->msg)] = "";
	size_t used = 0;

	// The same interface in another version is what the reader wants to know first.
	for (uint32_t i = 0; i < WS_HOST_N; i++)
		if (strncmp(interfaces[i].name, import_name, base) == 0 &&
			interfaces[i].name[base] == '@')
			return we_error_set(err, WE_E_UNLINKABLE, 0, "imports %s, offered is %s",
				import_name, interfaces[i].name);
	for (uint32_t i = 0; i < WS_HOST_N && used < sizeof(offered); i++)
		used += (size_t)snprintf(offered + used, sizeof(offered) - used, "%s%s",
			i == 0 ? "" : ", ", interfaces[i].name);
	return we_error_set(
		err, WE_E_UNLINKABLE, 0, "imports %.36s, offered are %s", import_name, offered);
}
