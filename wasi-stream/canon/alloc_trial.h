// SPDX-License-Identifier: BSD-3-Clause
// alloc_trial: for tests: counts the allocations of everything linked into the program, and fails those one asks for.
//
// The program is linked with alloc_trial.c and the --wrap arguments of meson's alloc_trial_dep.
#pragma once

#include <stdbool.h>

struct alloc_trial {
	unsigned long n;       // allocations since the test set it to 0
	unsigned long fail_at; // the allocation that fails, 1: the first; 0: none
	bool fails_on;         // all later ones fail too
};

extern struct alloc_trial alloc_trial;
