// SPDX-License-Identifier: BSD-3-Clause
// logging: lines from a guest, bounded, on their way to the owner.
#include "logging.h"

#include <stdio.h> // snprintf
#include <string.h>

#define SECOND_NS UINT64_C(1000000000)

void ws_logging_init(struct ws_logging *logging, struct ws_owner *owner, uint32_t per_s)
{
	*logging = (struct ws_logging){.owner = owner, .per_s = per_s};
}

// The most bytes <= max of a UTF-8 string that end between characters.
static size_t cut(const struct cm_val *text, size_t max)
{
	size_t len = text->n;

	if (len <= max)
		return len;
	len = max;
	while (len > 0 && ((unsigned char)text->of.string[len] & 0xc0) == 0x80)
		len--;
	return len;
}

void ws_logging_flush(struct ws_logging *logging)
{
	static const char context[] = "weir";
	const struct ws_owner *owner = logging->owner;
	char message[64];

	if (logging->suppressed == 0 || owner->ops.log == NULL)
		return;
	snprintf(message, sizeof(message), "%u log lines suppressed", logging->suppressed);
	logging->suppressed = 0;
	owner->ops.log(owner->env, WS_LOG_WARN, context, strlen(context), message, strlen(message));
}

int ws_logging_log(void *env, struct cm_call *call, const struct cm_val *args, uint32_t n_args,
	struct cm_val *result, struct we_error *err)
{
	struct ws_logging *logging = env;
	const struct ws_owner *owner = logging->owner;

	(void)call;
	(void)n_args;
	(void)result;
	(void)err;
	if (owner->ops.log == NULL)
		return 0;
	const uint64_t now_ns = ws_owner_now(logging->owner);

	if (now_ns - logging->since_ns >= SECOND_NS) {
		logging->since_ns = now_ns;
		logging->n = 0;
	}
	if (logging->n == logging->per_s) {
		if (logging->suppressed < UINT32_MAX)
			logging->suppressed++;
		return 0;
	}
	logging->n++;
	ws_logging_flush(logging);
	owner->ops.log(owner->env, (enum ws_log_level)args[0].n, args[1].of.string,
		cut(&args[1], WS_LOG_CONTEXT_BYTES), args[2].of.string,
		cut(&args[2], WS_LOG_MESSAGE_BYTES));
	return 0;
}
