// SPDX-License-Identifier: BSD-3-Clause
// coremark.wasm as C by wasm2c, as a program with the command of an engine (bench/interp_weir.c): `run - - 0 1`.
//
// bench/jit names what wasm2c's versions name differently: MODULE_H, INSTANCE, ENV, CLOCK_MS, INIT, INSTANTIATE, RUN.
#include MODULE_H

#include <stdio.h>
#include <time.h>

struct ENV {
	u32 unused;
};

u32 CLOCK_MS(struct ENV *env)
{
	struct timespec ts;

	(void)env;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u32)((u64)ts.tv_sec * 1000u + (u64)ts.tv_nsec / 1000000u);
}

int main(void)
{
	static INSTANCE instance;
	static struct ENV env;

	wasm_rt_init();
	INIT();
	INSTANTIATE(&instance, &env);
	printf("result %.9g\n", (double)RUN(&instance));
	return 0;
}
