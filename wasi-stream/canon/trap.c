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
static void set_trap(struct we_error *err)
{
	if (err)
		err->trap = WE_TRAP_HOST;
}

void cm_trap_set(struct we_error *err, enum cm_trap trap)
{
	(void)we_error_set(err, WE_E_TRAP, 0, "%s", cm_trap_text(trap));
	set_trap(err);
}

void cm_trap_set_at(struct we_error *err, enum cm_trap trap, uint32_t number)
{
	(void)we_error_set(err, WE_E_TRAP, 0, "%s %" PRIu32, cm_trap_text(trap), number);
	set_trap(err);
}

void cm_exhausted_set(struct we_error *err, const char *what, uint64_t limit)
{
	(void)we_error_set(err, WE_E_EXHAUSTED, 0, "%s: limit of %" PRIu64 " reached", what, limit);
}

void cm_unsupported_set(struct we_error *err, const char *what)
{
	(void)we_error_set(err, WE_E_UNSUPPORTED, 0, "%s", what);
}

void cm_nomem_set(struct we_error *err)
{
	(void)we_error_set(err, WE_E_NOMEM, 0, "out of memory");
}
