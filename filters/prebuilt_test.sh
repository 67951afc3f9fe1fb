#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Are the committed filters what their sources make, and does `wasm-tools component new` make filters of the same core
# modules that do the same? Speaks TAP. Usage: prebuilt_test.sh WEIR CAPTURE.pcap
#
# Bytes are compared with the very versions of clang and wasm-ld that made the committed ones; other versions are
# skipped, and so is what needs wasm-tools where there is none.
set -u
weir=$1
capture=$2
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
filters="pass drop macswap count acl"
version=22.1.8
n=0

result() { # 0|1 SENTENCE
	n=$((n + 1))
	if [ "$1" = 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; fi
}

skip() { # SENTENCE WHY
	n=$((n + 1))
	echo "ok $n - $1 # SKIP $2"
}

echo 1..11
clang=$(clang-22 --version 2>/dev/null | sed -n 's/.*clang version \([0-9.]*\).*/\1/p')
lld=$(wasm-ld-22 --version 2>/dev/null | sed -n 's/.*LLD \([0-9.]*\).*/\1/p')
why="clang ${clang:-none} and wasm-ld ${lld:-none} here, the committed bytes are of $version"
if [ "$clang" = $version ] && [ "$lld" = $version ]; then
	WEIR=$weir "$here/build.sh" prebuilt "$work" >"$work/log" 2>&1 || sed 's/^/# /' "$work/log"
fi
for filter in $filters; do
	if [ "$clang" = $version ] && [ "$lld" = $version ]; then
		cmp "$here/prebuilt/$filter.wasm" "$work/$filter.wasm" >"$work/log" 2>&1
		result $? "$filter.wasm is what its source makes"
	else
		skip "$filter.wasm is what its source makes" "$why"
	fi
done

printf 'deny udp from any to any port 53\ndeny ip6 from any to any\ndefault allow\n' >"$work/rules"
replay() { # FILTER OUT
	"$weir" replay --filter "$1" --config "rules=@$work/rules" "$capture" "$2" >"$work/log" 2>&1
}
has_tools=false
if command -v wasm-tools >/dev/null && [ -n "$clang" ] && [ -n "$lld" ]; then
	has_tools=true
	"$here/build.sh" core "$work/core" >"$work/log" 2>&1 || sed 's/^/# /' "$work/log"
fi
for filter in $filters; do
	sentence="$filter made by wasm-tools component new does what $filter.wasm does"
	if $has_tools; then
		wasm-tools component new "$work/core/$filter.wasm" -o "$work/new.wasm" &&
			replay "$here/prebuilt/$filter.wasm" "$work/a.pcap" &&
			replay "$work/new.wasm" "$work/b.pcap" &&
			cmp "$work/a.pcap" "$work/b.pcap"
		result $? "$sentence"
	else
		skip "$sentence" "wasm-tools or clang-22 is not here"
	fi
done

if $has_tools && [ "$(wasm-tools --version | sed 's/[^0-9.]//g')" = 1.263.0 ]; then
	"$here/wit/embed.sh" "$work/world.h" && cmp "$here/guest/weir_world.h" "$work/world.h"
	result $? "guest/weir_world.h is what wasm-tools makes of wit/"
else
	skip "guest/weir_world.h is what wasm-tools makes of wit/" "wasm-tools 1.263.0 is not here"
fi
