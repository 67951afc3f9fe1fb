// SPDX-License-Identifier: BSD-3-Clause
// Not a kernel: a module to instantiate, as small as a filter is. Globals, a table with an active element segment, active data
// segments; its pages are the linker's to say.
#include "kernel.h"

enum {
	WASM_PAGE = 65536, // bytes
	HOST_PAGE = 4096,
};

typedef uint32_t step_fn(uint32_t value);

static uint32_t add(uint32_t value)
{
	return value + 1;
}

static uint32_t turn(uint32_t value)
{
	return value << 7 | value >> 25;
}

static uint32_t scale(uint32_t value)
{
	return value * 2654435761U;
}

static step_fn *volatile const steps[] = {add, turn, scale, add, scale, turn, add, add}; // table

static uint32_t weights[64] = {3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3}; // data segment

// Write to each page that the host gives.
KERNEL_EXPORT("touch") void touch(void)
{
	const uint32_t end = (uint32_t)__builtin_wasm_memory_size(0) * WASM_PAGE;

	for (uint32_t at = HOST_PAGE / 2; at < end; at += HOST_PAGE)
		*(volatile uint8_t *)(uintptr_t)at = 1;
}

KERNEL_EXPORT("run") int64_t run(int64_t n)
{
	uint32_t value = (uint32_t)n;

	for (uint32_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		value = steps[i](value);
		weights[value % 64] += value;
	}
	return (int64_t)weights[n & 63] << 32 | value;
}
