// SPDX-License-Identifier: BSD-3-Clause
// Implementation limits of components. Beyond them a binary is refused as invalid, naming the limit.
#pragma once

enum {
	CM_MAX_NESTING = 64,     // components and types inside each other, outermost included
	CM_MAX_ITEMS = 1 << 19,  // definitions, declarations, fields and arguments of one binary
	CM_MAX_TYPE_DEPTH = 100, // nodes from a type down to its deepest leaf
	CM_MAX_TYPE_WEIGHT = 1000000, // nodes of a type, written as a tree
	CM_MAX_TYPE_NODES = 1 << 20,  // nodes made by instantiations, of one binary
	CM_MAX_TYPE_STEPS = 1 << 26,  // nodes visited by comparisons, of one binary
	CM_MAX_FLAGS = 32,            // labels; Spec: Binary.md, defvaltype 0x6e
	CM_MAX_VALUE_BYTES =
		(1 << 28) -
		1, // elem_size with 64-bit addresses; Spec: Binary.md, note on defvaltype
	CM_MAX_CONTEXT_SLOTS = 2, // Spec: CanonicalABI.md "canon context.get"
};
