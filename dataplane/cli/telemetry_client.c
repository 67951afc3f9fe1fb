// SPDX-License-Identifier: BSD-3-Clause
// cli_telemetry: see telemetry_client.h.
#include "telemetry_client.h"

#include "stat.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum {
	ANSWER_MAX = 1 << 20, // bytes, whatever the greeting says
	PATIENCE_S = 5,       // for one answer
};

// Where DPDK keeps the socket of a file prefix.
static int socket_path(const char *instance, char *buf, size_t cap)
{
	const char *folder = "/var/run";

	if (geteuid() != 0) {
		folder = getenv("XDG_RUNTIME_DIR");
		if (folder == NULL)
			folder = "/tmp";
	}
	const int n = snprintf(buf, cap, "%s/dpdk/%s/dpdk_telemetry.v2", folder, instance);
	return n > 0 && (size_t)n < cap ? 0 : 1;
}

// One datagram as JSON. Returns owned: NULL with errno for what the socket said, or 0 for no JSON.
static json_t *receive(struct cli_telemetry *t)
{
	char *text = malloc(t->answer_max);
	json_t *answer = NULL;

	if (text == NULL) {
		errno = ENOMEM;
		return NULL;
	}
	const ssize_t n = recv(t->fd, text, t->answer_max, 0);
	if (n > 0) {
		// What the service ends with is a terminator, not part of the object.
		answer = json_loadb(text, strnlen(text, (size_t)n), 0, NULL);
		errno = 0;
	} else if (n == 0) {
		errno = ECONNRESET;
	}
	free(text);
	return answer;
}

enum cli_exit cli_telemetry_open(struct cli_telemetry *t, const char *instance)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	const struct timeval patience = {.tv_sec = PATIENCE_S};

	t->instance = instance;
	t->answer_max = 1024; // the greeting
	t->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (t->fd < 0 || socket_path(instance, to.sun_path, sizeof(to.sun_path)) != 0)
		return cli_fail(CLI_MACHINE, "%s: %s", instance,
			t->fd < 0 ? strerror(errno) : "the name is too long");
	setsockopt(t->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (connect(t->fd, (const struct sockaddr *)&to, sizeof(to)) != 0) {
		const bool is_absent = errno == ENOENT || errno == ECONNREFUSED;

		cli_fail(CLI_MACHINE,
			is_absent ? "no weir called %s runs here (%s: %s)" : "%s: %s: %s", instance,
			to.sun_path, strerror(errno));
		close(t->fd);
		return CLI_MACHINE;
	}
	json_t *greeting = receive(t);
	const json_int_t max = json_integer_value(json_object_get(greeting, "max_output_len"));
	json_decref(greeting);
	if (max <= 0 || max > ANSWER_MAX) {
		close(t->fd);
		return cli_fail(
			CLI_MACHINE, "%s: found no greeting of DPDK's telemetry", to.sun_path);
	}
	// Room for the command, which comes back as the key.
	t->answer_max = (size_t)max + 1024;
	return CLI_OK;
}

void cli_telemetry_close(struct cli_telemetry *t)
{
	close(t->fd);
}

// What "/weir/NAME" or "/weir/NAME,PARAM" answers. Returns owned; NULL: printed.
static json_t *ask(struct cli_telemetry *t, const char *name, const char *param)
{
	char command[256];

	snprintf(
		command, sizeof(command), "/weir/%s%s%s", name, param[0] != '\0' ? "," : "", param);
	if (send(t->fd, command, strlen(command), MSG_NOSIGNAL) < 0) {
		cli_fail(CLI_MACHINE, "%s: %s: %s", t->instance, command, strerror(errno));
		return NULL;
	}
	json_t *all = receive(t);
	if (all == NULL) {
		cli_fail(CLI_MACHINE, "%s: %s: %s", t->instance, command,
			errno != 0 ? strerror(errno) : "the answer is no JSON");
		return NULL;
	}
	// The key is the command, with or without its parameter.
	json_t *answer = json_object_iter_value(json_object_iter(all));
	if (answer == NULL || json_is_null(answer)) {
		cli_fail(CLI_MACHINE, "%s: %s: no answer; it may be starting or ending",
			t->instance, command);
		answer = NULL;
	}
	json_incref(answer);
	json_decref(all);
	return answer;
}

// A filter's own drop reasons, put together from as many portions as it takes.
static json_t *ask_reasons(struct cli_telemetry *t, const char *name)
{
	json_t *reasons = json_object();
	json_int_t from = 0;

	do {
		char param[DP_STAT_NAME_MAX + 16];

		snprintf(param, sizeof(param), "%s,%lld", name, (long long)from);
		json_t *portion = ask(t, "reasons", param);
		const json_t *counts = json_object_get(portion, "counts");
		const json_t *reason;
		size_t i;

		if (portion == NULL) {
			json_decref(reasons);
			return NULL;
		}
		json_array_foreach(json_object_get(portion, "names"), i, reason)
		{
			const char *key = json_string_value(reason);
			const json_t *before = json_object_get(reasons, key);

			json_object_set_new(reasons, key,
				json_integer(json_integer_value(before) +
					     json_integer_value(json_array_get(counts, i))));
		}
		const json_int_t next = json_integer_value(json_object_get(portion, "next"));
		json_decref(portion);
		from = next > from ? next : 0;
	} while (from != 0);
	return reasons;
}

static json_t *ask_scope(struct cli_telemetry *t, enum dp_stat_scope scope)
{
	json_t *names = ask(t, dp_stat_scope_name(scope), "");
	json_t *things = names != NULL ? json_array() : NULL;
	const json_t *name;
	size_t i;

	json_array_foreach(names, i, name)
	{
		json_t *thing = ask(t, dp_stat_scope_name(scope), json_string_value(name));
		json_t *reasons = thing != NULL && scope == DP_STAT_FILTER
					  ? ask_reasons(t, json_string_value(name))
					  : NULL;

		if (thing == NULL || (scope == DP_STAT_FILTER && reasons == NULL)) {
			json_decref(thing);
			json_decref(things);
			things = NULL;
			break;
		}
		if (reasons != NULL)
			json_object_set_new(thing, "reasons", reasons);
		json_array_append_new(things, thing);
	}
	json_decref(names);
	return things;
}

json_t *cli_telemetry_report(struct cli_telemetry *t)
{
	json_t *report = ask(t, "info", "");
	json_t *law = report != NULL ? ask(t, dp_stat_scope_name(DP_STAT_LAW), "") : NULL;

	if (law == NULL)
		goto fail;
	json_object_set_new(
		law, "holds", json_boolean(json_integer_value(json_object_get(law, "holds")) == 1));
	json_object_set_new(report, dp_stat_scope_name(DP_STAT_LAW), law);
	for (enum dp_stat_scope scope = DP_STAT_PORT; scope < DP_STAT_SCOPE_N; scope++) {
		json_t *things = ask_scope(t, scope);

		if (things == NULL)
			goto fail;
		json_object_set_new(report, dp_stat_scope_name(scope), things);
	}
	return report;
fail:
	json_decref(report);
	return NULL;
}
