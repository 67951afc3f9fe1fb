// SPDX-License-Identifier: BSD-3-Clause
// we_feature: the proposals that make up WebAssembly 3.0; one row each in feature.def.
#pragma once

#include <stdint.h>

enum we_feature {
#define WE_FEATURE(NAME, text) WE_FEATURE_##NAME,
#include "feature.def"
#undef WE_FEATURE
	WE_FEATURE_N
};
