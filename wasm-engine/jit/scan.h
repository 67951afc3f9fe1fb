// SPDX-License-Identifier: BSD-3-Clause
// What a batch must know of all bodies before one is lowered: see scan.c.
//
// Module path 3/6.
#pragma once

#include "lower.h"

// Fill elements, may_throw, uses_cells, n_turns, is_called_outside, is_skipped of the unit for all functions of the module.
void unit_scan(struct unit *u);
