#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Builds filters from their sources: clang-22 and wasm-ld-22 make core modules, `weir wrap` makes components of them.
#   filters/build.sh                   the committed ones, into filters/prebuilt
#   filters/build.sh prebuilt DIR      the same, into DIR
#   filters/build.sh core DIR          their core modules, into DIR
#   filters/build.sh hostile DIR       the hostile ones, into DIR
# CLANG and WEIR name other programs. The committed bytes are what clang 22.1.8 makes (prebuilt_test.sh).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
what=${1:-prebuilt}
out=${2:-$here/prebuilt}
clang=${CLANG:-clang-22}
weir=${WEIR:-$here/../build/release/dataplane/weir}
mkdir -p "$out"

# compile OUT SOURCE...: SOURCE... -> core module OUT
compile() {
	core=$1
	shift
	"$clang" --target=wasm32 -std=gnu17 -O2 -nostdlib -ffreestanding \
		-msimd128 -mrelaxed-simd -mbulk-memory -fno-unroll-loops \
		-Wall -Wextra -Werror -Wconversion -Wshadow -Wno-unused-function \
		-Wl,--no-entry -Wl,--import-memory -Wl,--stack-first -Wl,-z,stack-size=16384 \
		-Wl,--gc-sections -Wl,--strip-debug \
		-I "$here/guest" -o "$core" "$@"
}

# component NAME SOURCE...: SOURCE... -> $out/NAME.wasm
component() {
	name=$1
	shift
	compile "$out/$name.core" "$@"
	"$weir" wrap "$out/$name.core" -o "$out/$name.wasm"
	rm "$out/$name.core"
}

# all MAKE PREFIX SUFFIX: every committed filter by function MAKE
all() {
	"$1" "$2pass$3" "$here/pass/pass.c"
	"$1" "$2drop$3" "$here/drop/drop.c"
	"$1" "$2macswap$3" "$here/macswap/macswap.c"
	"$1" "$2count$3" "$here/count/count.c"
	"$1" "$2acl$3" "$here/acl/acl.c" "$here/acl/rules.c" "$here/acl/table.c"
}

case $what in
prebuilt) all component "" "" ;;
core) all compile "$out/" ".wasm" ;;
hostile)
	for source in "$here"/hostile/*.c; do
		component "$(basename "$source" .c)" "$source"
	done
	;;
*)
	echo "build.sh: $what: expected prebuilt, core or hostile" >&2
	exit 2
	;;
esac
