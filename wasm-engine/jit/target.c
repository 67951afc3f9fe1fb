// SPDX-License-Identifier: BSD-3-Clause
#include "target.h"

#include <llvm-c/Support.h>
#include <llvm-c/Target.h>
#include <llvm/Config/llvm-config.h>
#include <pthread.h>

#include <assert.h>
#include <stddef.h>
#include <string.h>

static void init(void)
{
	static const char *const options[] = {
		"we-jit",
		// Loops of a few instructions are unrolled: one branch taken in each turn is what they cost beside a busy sibling
		// core. Not larger ones, which take longer to compile (docs/jit.md).
		"-unroll-partial-threshold=24",
		// What has no place has a row that says so: fill_places.
		"-use-unknown-locations=Enable",
#if LLVM_VERSION_MAJOR >= 21
		// Two accesses made one have the place of one of them, not that of a function or call around both.
		"-pick-merged-source-locations",
#endif
	};

	LLVMInitializeX86TargetInfo();
	LLVMInitializeX86Target();
	LLVMInitializeX86TargetMC();
	LLVMInitializeX86AsmPrinter();
	LLVMInitializeX86Disassembler();
	LLVMParseCommandLineOptions(sizeof(options) / sizeof(options[0]), options, NULL);
}

void target_init(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, init);
}

const char *target_cpu(const struct we_cpu *cpu)
{
	static const char *const names[] = {
		[WE_CPU_V1] = "x86-64",
		[WE_CPU_V2] = "x86-64-v2",
		[WE_CPU_V3] = "x86-64-v3",
		[WE_CPU_V4] = "x86-64-v4",
	};

	return names[cpu->level];
}

static void add(char ret[TARGET_FEATURES_BYTES], const char *feature)
{
	if (ret[0] != '\0')
		strcat(ret, ",");
	assert(strlen(ret) + strlen(feature) < TARGET_FEATURES_BYTES);
	strcat(ret, feature);
}

void target_features(const struct we_cpu *cpu, char ret[TARGET_FEATURES_BYTES])
{
	const struct {
		bool has;
		const char *name;
	} beyond[] = {
		{cpu->has_avx && cpu->level < WE_CPU_V3, "+avx"},
		{cpu->has_avx2 && cpu->level < WE_CPU_V3, "+avx2"},
		{cpu->has_fma && cpu->level < WE_CPU_V3, "+fma"},
		{cpu->has_avx512 && cpu->level < WE_CPU_V4,
			"+avx512f,+avx512bw,+avx512cd,+avx512dq,+avx512vl"},
		{cpu->has_avx_vnni, "+avxvnni"},
		{cpu->has_avx512_vnni, "+avx512vnni"},
	};

	ret[0] = '\0';
	for (size_t i = 0; i < sizeof(beyond) / sizeof(beyond[0]); i++)
		if (beyond[i].has)
			add(ret, beyond[i].name);
}
