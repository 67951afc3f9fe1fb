// SPDX-License-Identifier: BSD-3-Clause
// Kernel: introsort of records with 64-bit keys. Quicksort by the median of three, heapsort where that goes too deep,
// insertion for what is short.
#include "kernel.h"

#include <stdbool.h>

enum {
	RECORDS_MAX = 64 * 1024,
	SHORT = 16, // records that insertion sorts sooner
};

struct record {
	uint64_t key;
	uint32_t value;
	uint32_t order; // where it stood: makes the order total
};

static struct record records[RECORDS_MAX];

static bool is_before(const struct record *a, const struct record *b)
{
	if (a->key != b->key)
		return a->key < b->key;
	return a->order < b->order;
}

static void swap(struct record *a, struct record *b)
{
	const struct record kept = *a;

	*a = *b;
	*b = kept;
}

static void sort_by_insertion(struct record *at, uint32_t n)
{
	for (uint32_t i = 1; i < n; i++) {
		const struct record moved = at[i];
		uint32_t j = i;

		for (; j > 0 && is_before(&moved, &at[j - 1]); j--)
			at[j] = at[j - 1];
		at[j] = moved;
	}
}

static void sift_down(struct record *at, uint32_t root, uint32_t n)
{
	for (;;) {
		uint32_t child = 2 * root + 1;

		if (child >= n)
			return;
		if (child + 1 < n && is_before(&at[child], &at[child + 1]))
			child++;
		if (!is_before(&at[root], &at[child]))
			return;
		swap(&at[root], &at[child]);
		root = child;
	}
}

static void sort_by_heap(struct record *at, uint32_t n)
{
	for (uint32_t i = n / 2; i-- > 0;)
		sift_down(at, i, n);
	for (uint32_t i = n; i-- > 1;) {
		swap(&at[0], &at[i]);
		sift_down(at, 0, i);
	}
}

// Records before the pivot to the left of it. Returns its index.
static uint32_t split(struct record *at, uint32_t n)
{
	const uint32_t last = n - 1;
	const uint32_t middle = n / 2;
	uint32_t i = 0;
	uint32_t j = last - 1;

	if (is_before(&at[middle], &at[0]))
		swap(&at[middle], &at[0]);
	if (is_before(&at[last], &at[0]))
		swap(&at[last], &at[0]);
	if (is_before(&at[last], &at[middle]))
		swap(&at[last], &at[middle]);
	swap(&at[middle], &at[last - 1]);
	for (;;) {
		while (is_before(&at[++i], &at[last - 1]))
			;
		while (is_before(&at[last - 1], &at[--j]))
			;
		if (i >= j)
			break;
		swap(&at[i], &at[j]);
	}
	swap(&at[i], &at[last - 1]);
	return i;
}

static void sort(struct record *at, uint32_t n, uint32_t depth)
{
	while (n > SHORT) {
		uint32_t pivot;

		if (depth-- == 0) {
			sort_by_heap(at, n);
			return;
		}
		pivot = split(at, n);
		sort(at + pivot + 1, n - pivot - 1, depth);
		n = pivot;
	}
	sort_by_insertion(at, n);
}

// Random keys, some of them many times; then a saw, which is half sorted.
static void fill(uint32_t n, uint64_t *state)
{
	for (uint32_t i = 0; i < n; i++) {
		const uint64_t random = kernel_random(state);

		records[i] = (struct record){
			.key = (random & 7) == 0 ? random >> 58 : random,
			.value = (uint32_t)random,
			.order = i,
		};
	}
	for (uint32_t i = n / 2; i < n; i++)
		records[i].key = (uint64_t)(i % 1024) << 50;
}

KERNEL_EXPORT("run") int64_t run(int64_t n)
{
	const uint32_t count = n < RECORDS_MAX ? (uint32_t)n : RECORDS_MAX;
	uint64_t state = 2;
	uint64_t sum = 0;

	fill(count, &state);
	sort(records, count, 24);
	for (uint32_t i = 1; i < count; i++) {
		if (is_before(&records[i], &records[i - 1]))
			__builtin_trap();
		sum = sum * 31 + records[i].value;
	}
	sort_by_heap(records, count / 8); // quicksort seldom goes as deep as that
	for (uint32_t i = 1; i < count; i++)
		if (is_before(&records[i], &records[i - 1]))
			__builtin_trap();
	return (int64_t)sum;
}
