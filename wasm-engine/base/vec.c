// SPDX-License-Identifier: BSD-3-Clause
// we_vec: see vec.h.
#include "vec.h"

#include <stdint.h>
#include <stdlib.h>

void we_vec_fini(struct we_vec *vec)
{
	free(vec->data);
	*vec = (struct we_vec){0};
}

int we_vec_reserve(struct we_vec *vec, size_t n, size_t elem_bytes)
{
	size_t cap = vec->cap < 8 ? 8 : vec->cap;
	size_t need;
	size_t len;
	void *data;

	if (__builtin_add_overflow(vec->len, n, &need))
		return WE_E_NOMEM;
	if (need <= vec->cap)
		return 0;
	while (cap < need) {
		if (cap > SIZE_MAX / 2)
			return WE_E_NOMEM;
		cap *= 2;
	}
	if (__builtin_mul_overflow(cap, elem_bytes, &len))
		return WE_E_NOMEM;
	data = realloc(vec->data, len);
	if (data == NULL)
		return WE_E_NOMEM;
	vec->data = data;
	vec->cap = cap;
	return 0;
}
