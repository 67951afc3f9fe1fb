// SPDX-License-Identifier: BSD-3-Clause
// dp_yaml: a YAML document as a tree in which every node knows its line and column.
//
// The scanner is libyaml's: it is small, fuzzed for years, in every distribution (Debian 12 has 0.2.5), and
// its events carry marks. libfyaml keeps marks too, but resolves anchors, merges and tags before one sees
// them; here they are refused by name, because a configuration that an operator greps must say what it means.
// What it does not do: types. A scalar is text until option.def says what it should be.
// Owns:    nothing: nodes and texts live in the caller's arena.
// Thread:  one at a time.
#pragma once

#include "arena.h"
#include "config.h"

#include <stdarg.h>

enum dp_yaml_kind {
	DP_YAML_SCALAR,
	DP_YAML_LIST,
	DP_YAML_MAP,
};

struct dp_yaml_node {
	enum dp_yaml_kind kind;
	struct dp_place place;
	const char *text;           // SCALAR: UTF-8 without NUL, terminated
	bool is_plain;              // SCALAR: neither quoted nor a block
	const char *key;            // this node is a value in a MAP: its key, terminated
	struct dp_place key_place;  //
	struct dp_yaml_node *first; // LIST, MAP
	struct dp_yaml_node *next;  // in the same LIST or MAP
	uint32_t n;                 // LIST, MAP: nodes in it
};

// Build the tree of a document. config: for the file's name in messages. Borrows: text for the call. A key twice in one mapping is an error here.
// Returns: 0; INVALID with a message, NOMEM.
WE_MUST_USE int dp_yaml_parse(struct we_arena *arena, const struct dp_config *config,
	char **ret_message, const char *text, size_t len, struct dp_yaml_node **ret_root);
