// SPDX-License-Identifier: BSD-3-Clause
// we_feature: the proposals that make up WebAssembly 3.0, and which of them this build has.
//
// One line per feature below, one row in feature.def. What is not built is decoded, named, and
// refused.
#pragma once

#include <stdbool.h>
#include <stdint.h>

// 1: built. 0: refused by name.
#define WE_BUILT_MVP            1
#define WE_BUILT_SIGN_EXT       1
#define WE_BUILT_SAT_FLOAT      1
#define WE_BUILT_MULTI_VALUE    1
#define WE_BUILT_BULK_MEMORY    1
#define WE_BUILT_REF_TYPES      1
#define WE_BUILT_SIMD           1
#define WE_BUILT_RELAXED_SIMD   1
#define WE_BUILT_TAIL_CALL      1
#define WE_BUILT_MULTI_MEMORY   1
#define WE_BUILT_EXTENDED_CONST 1
#define WE_BUILT_MEMORY64       0
#define WE_BUILT_FUNC_REFS      0
#define WE_BUILT_EXCEPTIONS     0
#define WE_BUILT_GC             0

// WE_IF_BUILT(feature, tokens): tokens when the feature is built, else nothing. For users of
// opcode.def that need a body for every row they see.
#define WE_IF_BUILT(feature, ...)      WE_IF_BUILT_EXPAND(WE_BUILT_##feature, __VA_ARGS__)
#define WE_IF_BUILT_EXPAND(built, ...) WE_IF_BUILT_SELECT(built, __VA_ARGS__)
#define WE_IF_BUILT_SELECT(built, ...) WE_IF_BUILT_##built(__VA_ARGS__)
#define WE_IF_BUILT_0(...)
#define WE_IF_BUILT_1(...) __VA_ARGS__

enum we_feature {
#define WE_FEATURE(NAME, text) WE_FEATURE_##NAME,
#include "feature.def"
#undef WE_FEATURE
	WE_FEATURE_N
};

bool we_feature_is_built(enum we_feature feature);
