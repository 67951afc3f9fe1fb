// SPDX-License-Identifier: BSD-3-Clause
// The parts of weir inspect. Thread: main.
#pragma once

#include "cli.h"

#include <jansson.h>

struct cm_component;
struct we_module;

// Print a function's machine code: "NAME", "5", or "1:NAME" for that of the second module. modules: ends with NULL.
enum cli_exit inspect_func(
	const char *path, struct we_module *const *modules, const char *text, bool is_json);
enum cli_exit inspect_func_of_component(
	const char *path, const struct cm_component *component, const char *text, bool is_json);

// Print the object. Takes: all; NULL: there was no memory for it.
enum cli_exit inspect_show_json(json_t *all);
