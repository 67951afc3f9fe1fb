#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Builds the modules that bench/interp and bench/jit run and nobody else gives: bench/kernels/build.sh DIR. CLANG names another clang-22.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=$1
filters=$here/../../filters
clang=${CLANG:-clang-22}
mkdir -p "$out"

# compile NAME ARGUMENT...
compile() {
	name=$1
	shift
	"$clang" --target=wasm32 -std=gnu17 -O2 -nostdlib -ffreestanding \
		-Wall -Wextra -Werror -Wconversion -Wshadow -Wno-unused-function \
		-Wl,--no-entry -Wl,--stack-first -Wl,-z,stack-size=16384 \
		-Wl,--gc-sections -Wl,--strip-debug \
		-o "$out/$name.wasm" "$@"
}

# burst NAME SOURCE...: a filter, with the flags of filters/build.sh
burst() {
	name=$1
	shift
	compile "burst-$name" -msimd128 -mrelaxed-simd -mbulk-memory -fno-unroll-loops \
		-I "$filters/guest" "$here/burst.c" "$@"
}

# packets NAME: what a filter does to packets; bench/jit builds the same source for the host. Vectors where the source says so:
# clang takes i64x2.mul for cheap, which no x86 below AVX-512 has.
packets() {
	compile "$1" -O3 -msimd128 -mrelaxed-simd -fno-vectorize -fno-slp-vectorize "$here/$1.c"
}

packets chacha
packets checksum
packets crc32c
packets flowhash
packets headers
compile hash "$here/hash.c"
compile parser "$here/parser.c"
compile simd -msimd128 "$here/simd.c"
compile sort "$here/sort.c"
burst acl "$filters/acl/acl.c" "$filters/acl/rules.c" "$filters/acl/table.c"
burst macswap "$filters/macswap/macswap.c"
for pages in 2 17; do
	compile "instance-$pages" -Wl,--initial-memory=$((pages * 65536)) \
		-Wl,--export=__data_end -Wl,--export=__heap_base -Wl,--export=__global_base \
		"$here/instance.c"
done
