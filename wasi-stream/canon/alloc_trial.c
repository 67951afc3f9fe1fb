// SPDX-License-Identifier: BSD-3-Clause
// alloc_trial: see alloc_trial.h.
#include "alloc_trial.h"

#include <stddef.h>

struct alloc_trial alloc_trial;

void *__real_malloc(size_t len);
void *__real_calloc(size_t n, size_t len);
void *__real_realloc(void *old, size_t len);
void *__real_aligned_alloc(size_t align, size_t len);
void *__wrap_malloc(size_t len);
void *__wrap_calloc(size_t n, size_t len);
void *__wrap_realloc(void *old, size_t len);
void *__wrap_aligned_alloc(size_t align, size_t len);

static bool is_failing(void)
{
	const unsigned long n = ++alloc_trial.n;

	if (alloc_trial.fail_at == 0)
		return false;
	return n == alloc_trial.fail_at || (alloc_trial.fails_on && n > alloc_trial.fail_at);
}

void *__wrap_malloc(size_t len)
{
	return is_failing() ? NULL : __real_malloc(len);
}

void *__wrap_calloc(size_t n, size_t len)
{
	return is_failing() ? NULL : __real_calloc(n, len);
}

void *__wrap_realloc(void *old, size_t len)
{
	return is_failing() ? NULL : __real_realloc(old, len);
}

void *__wrap_aligned_alloc(size_t align, size_t len)
{
	return is_failing() ? NULL : __real_aligned_alloc(align, len);
}
