// SPDX-License-Identifier: BSD-3-Clause
//! WebAssembly 3.0, said to each crate in its own words. The one place that does.
use wasmparser::WasmFeatures;

/// wasmparser's WASM3 counts threads in; 3.0 does not.
pub fn wasmparser() -> WasmFeatures {
    WasmFeatures::WASM3.difference(WasmFeatures::THREADS)
}

/// All of 3.0, nothing beyond.
pub fn smith() -> wasm_smith::Config {
    wasm_smith::Config {
        threads_enabled: false,
        shared_everything_threads_enabled: false,
        compact_imports_enabled: false,
        custom_descriptors_enabled: false,
        custom_page_sizes_enabled: false,
        wide_arithmetic_enabled: false,
        acquire_release_atomics_enabled: false,
        multibyte_array_access_enabled: false,
        ..Default::default()
    }
}

pub fn wasmtime(config: &mut wasmtime::Config) {
    config
        .wasm_memory64(true)
        .wasm_exceptions(true)
        .wasm_function_references(true)
        .wasm_gc(true)
        .wasm_tail_call(true)
        .wasm_multi_memory(true)
        .wasm_extended_const(true)
        .wasm_relaxed_simd(true)
        .relaxed_simd_deterministic(true)
        .wasm_wide_arithmetic(false);
}
