#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Makes ../../prebuilt/ttl.wasm. Needs rustc and cargo with a library for wasm32, or its sources (Debian: rustc-web,
# cargo-web, rust-web-src), and wasm-tools.
set -eu
cd "$(dirname "$0")"
# No panic message names a file of the machine that built it.
export RUSTFLAGS="-Zlocation-detail=none --remap-path-prefix=$HOME=/build"
CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=${WASM_LD:-wasm-ld-22} RUSTC_BOOTSTRAP=1 \
	RUSTC=${RUSTC:-/usr/bin/rustc} "${CARGO:-/usr/bin/cargo}" build --release \
	--target wasm32-unknown-unknown -Zbuild-std=std,panic_abort
wasm-tools component new target/wasm32-unknown-unknown/release/ttl.wasm -o ../../prebuilt/ttl.wasm
