// SPDX-License-Identifier: BSD-3-Clause
// A kernel as a program of the host, with the commands of an engine (bench/interp_weir.c):
//
//	KERNEL run - i64:N WARM CALLS
#include "kernel.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

int main(int argc, char **argv)
{
	int64_t result = 0;
	uint64_t *ns;
	int64_t n;
	int calls;

	if (argc != 6 || strcmp(argv[1], "run") != 0 || strncmp(argv[3], "i64:", 4) != 0) {
		fputs("usage: KERNEL run - i64:N WARM CALLS\n", stderr);
		return 2;
	}
	n = strtoll(argv[3] + 4, NULL, 10);
	for (int i = atoi(argv[4]); i > 0; i--)
		result = run(n);
	calls = atoi(argv[5]);
	ns = calloc((size_t)calls, sizeof(*ns));
	if (ns == NULL)
		return 3;
	for (int i = 0; i < calls; i++) {
		const uint64_t begin_ns = now_ns();

		result = run(n);
		ns[i] = now_ns() - begin_ns;
	}
	printf("result %" PRIu64 "\ncall", (uint64_t)result);
	for (int i = 0; i < calls; i++)
		printf(" %" PRIu64, ns[i]);
	putchar('\n');
	free(ns);
	return 0;
}
