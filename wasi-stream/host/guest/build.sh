#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Makes hosts.wasm (`weir wrap`) and hosts_new.wasm (`wasm-tools component new`) from hosts.c.
set -eu
cd "$(dirname "$0")"
root=../../..
core=$(mktemp)
trap 'rm -f "$core"' EXIT

# compile FLAG...: hosts.c -> $core
compile() {
	"${CLANG:-clang-22}" --target=wasm32 -std=gnu17 -O2 -nostdlib -ffreestanding -mbulk-memory \
		-Wall -Wextra -Werror -Wl,--no-entry -Wl,--stack-first -Wl,-z,stack-size=16384 \
		-Wl,--gc-sections -Wl,--strip-debug -I $root/filters/guest "$@" -o "$core" hosts.c
}

compile -Wl,--import-memory
"${WEIR:-$root/build/release/dataplane/weir}" wrap "$core" -o hosts.wasm
compile
wasm-tools component new "$core" -o hosts_new.wasm
