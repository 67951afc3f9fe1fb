// SPDX-License-Identifier: BSD-3-Clause
// How the canonical ABI traps, exhausts and refuses. Module path 6.
#include "trap.h"

#include <inttypes.h>

static const char *const texts[CM_TRAP_N] = {
#define CM_TRAP(NAME, text) text,
#include "trap.def"
#undef CM_TRAP
};

const char *cm_trap_text(enum cm_trap trap)
{
	return trap < CM_TRAP_N ? texts[trap] : "";
}

// To the engine every trap of a built-in is one of a host function; only the text says which.
static int trapped(struct we_error *err, int rc)
{
	if (err)
		err->trap = WE_TRAP_HOST;
	return rc;
}

int cm_trap(struct we_error *err, enum cm_trap trap)
{
	return trapped(err, we_error_set(err, WE_E_TRAP, 0, "%s", cm_trap_text(trap)));
}

int cm_trap_at(struct we_error *err, enum cm_trap trap, uint32_t number)
{
	return trapped(
		err, we_error_set(err, WE_E_TRAP, 0, "%s %" PRIu32, cm_trap_text(trap), number));
}

int cm_exhausted(struct we_error *err, const char *what, uint64_t limit)
{
	return we_error_set(
		err, WE_E_EXHAUSTED, 0, "%s: limit of %" PRIu64 " reached", what, limit);
}

int cm_unsupported(struct we_error *err, const char *what)
{
	return we_error_set(err, WE_E_UNSUPPORTED, 0, "%s", what);
}

int cm_nomem(struct we_error *err)
{
	return we_error_set(err, WE_E_NOMEM, 0, "out of memory");
}
