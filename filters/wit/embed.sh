#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Makes filters/guest/weir_world.h: world `sdk` of this folder, encoded by wasm-tools, as assembly that puts it
# into the custom section that `wasm-tools component new` reads. Usage: embed.sh [OUT.h]; nothing else needs wasm-tools.
set -eu
here=$(dirname "$0")
out=${1:-$here/../guest/weir_world.h}
world=$(mktemp)
trap 'rm -f "$world"' EXIT
wasm-tools component embed "$here" --world sdk --only-custom -o "$world"
{
	cat <<'EOF'
// SPDX-License-Identifier: BSD-3-Clause
// World weir:packet/sdk for `wasm-tools component new`; `weir wrap` leaves it out. Made by filters/wit/embed.sh.
#pragma once

// clang-format off
__asm__(
	".section \".custom_section.component-type\",\"\",@\n"
EOF
	od -An -v -tu1 -w32 "$world" | sed -E 's/^ +//; s/ +/,/g; s/(.*)/\t".byte \1\\n"/'
	cat <<'EOF'
	".text\n");
// clang-format on
EOF
} >"$out"
