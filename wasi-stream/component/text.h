// SPDX-License-Identifier: BSD-3-Clause
// text: types as WIT, given out piece by piece.
//
// Owns: nothing. Thread: one.
// Spec: WIT.md "Types", "Identifiers".
#pragma once

#include "cm.h"
#include "type.h"

// Where pieces of UTF-8 go. is_full may be set by emit: nothing more is wanted.
struct cm_text {
	cm_emit_fn emit;
	void *env;
	bool is_full;
};

void cm_text_put(struct cm_text *text, const char *piece);
// A name as it came: an import's, an export's.
void cm_text_put_name(struct cm_text *text, struct cm_name name);
// A label, with a % in front when it is a keyword of WIT.
void cm_text_put_id(struct cm_text *text, struct cm_name label);
// A type where it is used: by its name, or spelled out.
void cm_text_put_type(struct cm_text *text, const struct cm_type *type);
// A type spelled out, whatever its name is.
void cm_text_put_definition(struct cm_text *text, const struct cm_type *type);
