// SPDX-License-Identifier: BSD-3-Clause
// setup: configure, and the shape that comes of it.
#include "setup.h"

#include "../packet/slot.h"

#include <stdlib.h>

static void set_shape(struct ws_setup *setup, uint32_t room, uint32_t view)
{
	if (setup->operator_view != 0)
		view = setup->operator_view;
	if (view >= WS_VIEW_MAX)
		view = setup->view_full;
	setup->shape.view = view;
	setup->shape.room = room;
	setup->shape.stride = slot_layout(room, view).stride;
}

void ws_setup_init(
	struct ws_setup *setup, uint32_t operator_view, uint32_t view_full, uint32_t burst)
{
	assert(view_full <= WS_VIEW_MAX);
	*setup = (struct ws_setup){
		.operator_view = operator_view,
		.view_full = view_full,
		.shape = {.burst = burst},
	};
	set_shape(setup, 0, WS_VIEW_DEFAULT);
}

void ws_setup_fini(struct ws_setup *setup)
{
	free(setup->reasons);
	setup->reasons = NULL;
	setup->n_reasons = 0;
}

static int refuse(struct we_error *err, const char *what, uint32_t found, uint32_t most)
{
	return we_error_trap(err, WE_TRAP_HOST, 0, WE_NO_FUNC,
		"configure: %s %u, expected at most %u", what, found, most);
}

static bool has_control(const char *text, uint32_t len)
{
	for (uint32_t i = 0; i < len; i++)
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			return true;
	return false;
}

// The names go into counters and messages: short, not empty, one line.
static int keep_reasons(struct ws_setup *setup, const struct cm_val *list, struct we_error *err)
{
	for (uint32_t i = 0; i < list->n; i++) {
		const struct cm_val *name = &list->of.elems[i];

		if (name->n == 0 || name->n > WS_REASON_BYTES)
			return we_error_trap(err, WE_TRAP_HOST, 0, WE_NO_FUNC,
				"configure: reason %u is %u bytes, expected 1 to %u", i + 1,
				name->n, WS_REASON_BYTES);
		if (has_control(name->of.string, name->n))
			return we_error_trap(err, WE_TRAP_HOST, 0, WE_NO_FUNC,
				"configure: reason %u has a control character", i + 1);
	}
	if (list->n == 0)
		return 0;
	setup->reasons = calloc(list->n, sizeof(*setup->reasons));
	if (setup->reasons == NULL)
		return we_error_set(err, WE_E_NOMEM, 0, "no memory for %u reasons", list->n);
	for (uint32_t i = 0; i < list->n; i++)
		memcpy(setup->reasons[i], list->of.elems[i].of.string, list->of.elems[i].n);
	setup->n_reasons = list->n;
	return 0;
}

int ws_setup_configure(void *env, struct cm_call *call, const struct cm_val *args, uint32_t n_args,
	struct cm_val *result, struct we_error *err)
{
	static const char *const why[] = {
		[WS_SETUP_EARLY] = "called outside process",
		[WS_SETUP_DONE] = "called twice",
		[WS_SETUP_LATE] = "called after the first read or write",
	};
	struct ws_setup *setup = env;

	(void)call;
	(void)n_args;
	if (setup->phase != WS_SETUP_OPEN)
		return we_error_trap(err, WE_TRAP_HOST, 0, WE_NO_FUNC,
			"configure: %s, expected "
			"once inside process, before the first read",
			why[setup->phase]);
	const uint32_t view = (uint32_t)args[0].of.bits;
	const uint32_t room = (uint32_t)args[1].of.bits;

	if (room > WS_ROOM_MAX)
		return refuse(err, "room", room, WS_ROOM_MAX);
	if (args[2].n > WS_REASONS_MAX)
		return refuse(err, "reasons", args[2].n, WS_REASONS_MAX);
	const int rc = keep_reasons(setup, &args[2], err);

	if (rc < 0)
		return rc;
	set_shape(setup, room, view);
	setup->phase = WS_SETUP_DONE;
	const uint32_t shape[4] = {
		setup->shape.stride, setup->shape.view, setup->shape.room, setup->shape.burst};

	for (uint32_t i = 0; i < 4; i++)
		setup->fields[i] = (struct cm_val){.kind = CM_U32, .of.bits = shape[i]};
	*result = (struct cm_val){.kind = CM_RECORD, .n = 4, .of.elems = setup->fields};
	return 0;
}
