// SPDX-License-Identifier: BSD-3-Clause
// CPUID -> struct we_cpu.
//
// Module path 3/6. Owns: nothing. Thread: any.
// Spec: x86-64 psABI "Micro-Architecture Levels".
#include "cpu.h"

#include "we.h"

#include <cpuid.h>
#include <stdint.h>
#include <string.h>

// The words of CPUID that matter.
struct cpuid {
	uint32_t ecx1;  // leaf 1
	uint32_t ebx7;  // leaf 7
	uint32_t ecx7;  // leaf 7
	uint32_t eax71; // leaf 7.1
	uint32_t ecx81; // leaf 0x80000001
	uint64_t xcr0;  // states that the operating system saves; 0 without XGETBV
};

enum {
	XCR0_AVX = 0x06,    // XMM, YMM
	XCR0_AVX512 = 0xe6, // and opmask, ZMM
};

enum {
	V2_ECX1 = bit_SSE3 | bit_SSSE3 | bit_CMPXCHG16B | bit_SSE4_1 | bit_SSE4_2 | bit_POPCNT,
	V2_ECX81 = bit_LAHF_LM,
	V3_ECX1 = bit_FMA | bit_MOVBE | bit_OSXSAVE | bit_AVX | bit_F16C,
	V3_EBX7 = bit_BMI | bit_AVX2 | bit_BMI2,
	V3_ECX81 = bit_ABM,
};

static const uint32_t v4_ebx7 =
	bit_AVX512F | bit_AVX512DQ | bit_AVX512CD | bit_AVX512BW | bit_AVX512VL;
static const uint32_t eax71_avx_vnni = 1u << 4; // gcc 12 has no name for it

static uint64_t xgetbv0(void)
{
	uint32_t lo, hi;

	__asm__("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
	return (uint64_t)hi << 32 | lo;
}

static void cpuid_read(struct cpuid *ret)
{
	uint32_t eax, ebx, ecx, edx;

	memset(ret, 0, sizeof(*ret));
	if (__get_cpuid(1, &eax, &ebx, &ecx, &edx))
		ret->ecx1 = ecx;
	if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx)) {
		ret->ebx7 = ebx;
		ret->ecx7 = ecx;
		if (eax >= 1 && __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx))
			ret->eax71 = eax;
	}
	if (__get_cpuid(0x80000001, &eax, &ebx, &ecx, &edx))
		ret->ecx81 = ecx;
	if (ret->ecx1 & bit_OSXSAVE)
		ret->xcr0 = xgetbv0();
}

static bool has_all(uint32_t word, uint32_t bits)
{
	return (word & bits) == bits;
}

static enum we_cpu_level level_of(const struct cpuid *id, bool has_avx, bool has_avx512)
{
	if (!has_all(id->ecx1, V2_ECX1) || !has_all(id->ecx81, V2_ECX81))
		return WE_CPU_V1;
	if (!has_avx || !has_all(id->ecx1, V3_ECX1) || !has_all(id->ebx7, V3_EBX7) ||
		!has_all(id->ecx81, V3_ECX81))
		return WE_CPU_V2;
	return has_avx512 ? WE_CPU_V4 : WE_CPU_V3;
}

void we_cpu_detect(struct we_cpu *ret_cpu)
{
	struct cpuid id;
	bool has_avx, has_avx512;

	cpuid_read(&id);
	has_avx = (id.ecx1 & bit_AVX) && (id.xcr0 & XCR0_AVX) == XCR0_AVX;
	has_avx512 = has_avx && (id.xcr0 & XCR0_AVX512) == XCR0_AVX512 && has_all(id.ebx7, v4_ebx7);
	*ret_cpu = (struct we_cpu){
		.level = level_of(&id, has_avx, has_avx512),
		.has_fma = has_avx && (id.ecx1 & bit_FMA),
		.has_avx = has_avx,
		.has_avx2 = has_avx && (id.ebx7 & bit_AVX2),
		.has_avx512 = has_avx512,
		.has_avx_vnni = has_avx && (id.ebx7 & bit_AVX2) && (id.eax71 & eax71_avx_vnni),
		.has_avx512_vnni = has_avx512 && (id.ecx7 & bit_AVX512VNNI),
	};
}

static const char *const level_names[] = {"v1", "v2", "v3", "v4"};

bool we_cpu_by_name(const char *name, struct we_cpu *ret_cpu)
{
	if (strcmp(name, "native") == 0) {
		we_cpu_detect(ret_cpu);
		return true;
	}
	for (int i = 0; i < 4; i++) {
		const enum we_cpu_level level = (enum we_cpu_level)(WE_CPU_V1 + i);

		if (strcmp(name, level_names[i]) != 0)
			continue;
		*ret_cpu = (struct we_cpu){
			.level = level,
			.has_fma = level >= WE_CPU_V3,
			.has_avx = level >= WE_CPU_V3,
			.has_avx2 = level >= WE_CPU_V3,
			.has_avx512 = level >= WE_CPU_V4,
		};
		return true;
	}
	return false;
}

bool we_cpu_covers(const struct we_cpu *machine, const struct we_cpu *wanted)
{
	return machine->level >= wanted->level && machine->has_fma >= wanted->has_fma &&
	       machine->has_avx >= wanted->has_avx && machine->has_avx2 >= wanted->has_avx2 &&
	       machine->has_avx512 >= wanted->has_avx512 &&
	       machine->has_avx_vnni >= wanted->has_avx_vnni &&
	       machine->has_avx512_vnni >= wanted->has_avx512_vnni;
}

bool we_cpu_is_known(const char *name)
{
	struct we_cpu cpu;

	return we_cpu_by_name(name, &cpu);
}

const char *we_machine_level(void)
{
	struct we_cpu machine;

	we_cpu_detect(&machine);
	return level_names[machine.level - WE_CPU_V1];
}

int we_cpu_choose(const char *wanted, struct we_cpu *ret_cpu, struct we_error *err)
{
	struct we_cpu machine;

	we_cpu_detect(&machine);
	if (wanted == NULL)
		wanted = "native";
	if (!we_cpu_by_name(wanted, ret_cpu))
		return we_error_set(err, WE_E_INVALID, 0, "no processor is called \"%s\"", wanted);
	if (machine.level < WE_CPU_V2)
		return we_error_set(err, WE_E_UNSUPPORTED, 0,
			"native code needs an x86-64-v2 processor, and this is none");
	if (ret_cpu->level < WE_CPU_V2)
		return we_error_set(err, WE_E_UNSUPPORTED, 0,
			"native code needs x86-64-v2, and %s was asked for", wanted);
	if (!we_cpu_covers(&machine, ret_cpu))
		return we_error_set(err, WE_E_UNSUPPORTED, 0,
			"x86-64-%s was asked for, and this processor is x86-64-v%u", wanted,
			(unsigned)machine.level);
	return 0;
}
