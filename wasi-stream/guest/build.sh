#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Makes the components of this folder's tests: hosts.wasm and own.wasm (`weir wrap`), hosts_new.wasm (`wasm-tools
# component new`).
set -eu
cd "$(dirname "$0")"
root=../..
folder=$(mktemp -d)
core=$folder/core.wasm # a name of its own would stand in the bytes
trap 'rm -r "$folder"' EXIT

# compile SOURCE FLAG...: SOURCE -> $core
compile() {
	"${CLANG:-clang-22}" --target=wasm32 -std=gnu17 -O2 -nostdlib -ffreestanding -mbulk-memory \
		-Wall -Wextra -Werror -Wl,--no-entry -Wl,--stack-first -Wl,-z,stack-size=16384 \
		-Wl,--gc-sections -Wl,--strip-debug -I $root/filters/guest -o "$core" "$@"
}

for name in hosts own; do
	compile $name.c -Wl,--import-memory
	"${WEIR:-$root/build/release/dataplane/weir}" wrap "$core" -o $name.wasm
done
compile hosts.c
wasm-tools component new "$core" -o hosts_new.wasm
