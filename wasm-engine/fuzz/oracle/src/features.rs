// SPDX-License-Identifier: BSD-3-Clause
//! WebAssembly 3.0, said to each crate in its own words. The one place that does.
use wasmparser::WasmFeatures;

/// What this run is about: all of 3.0, or without what the engine has not built yet.
#[derive(Clone, Copy, PartialEq)]
pub struct Features {
    pub memory64: bool,
    pub func_refs: bool,
    pub exceptions: bool,
    pub gc: bool,
}

pub const ALL: Features = Features {
    memory64: true,
    func_refs: true,
    exceptions: true,
    gc: true,
};

impl Features {
    pub fn parse(list: &str) -> Features {
        if list == "all" {
            return ALL;
        }
        let has = |name: &str| list.split(',').any(|word| word == name);
        Features {
            memory64: has("memory64"),
            func_refs: has("func-refs") || has("gc"),
            exceptions: has("exceptions"),
            gc: has("gc"),
        }
    }

    /// wasmparser's WASM3 counts threads in; 3.0 does not.
    pub fn wasmparser() -> WasmFeatures {
        WasmFeatures::WASM3.difference(WasmFeatures::THREADS)
    }

    /// Without what this run is not about.
    pub fn seeds(self) -> WasmFeatures {
        let mut features = Features::wasmparser();
        features.set(WasmFeatures::MEMORY64, self.memory64);
        features.set(WasmFeatures::FUNCTION_REFERENCES, self.func_refs);
        features.set(WasmFeatures::EXCEPTIONS, self.exceptions);
        features.set(WasmFeatures::GC, self.gc);
        features
    }

    pub fn smith(self) -> wasm_smith::Config {
        wasm_smith::Config {
            memory64_enabled: self.memory64,
            exceptions_enabled: self.exceptions,
            gc_enabled: self.gc,
            // Proposals beyond 3.0.
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

    pub fn wasmtime(self, config: &mut wasmtime::Config) {
        config
            .wasm_memory64(self.memory64)
            .wasm_exceptions(self.exceptions)
            .wasm_function_references(self.func_refs)
            .wasm_gc(self.gc)
            .wasm_tail_call(true)
            .wasm_multi_memory(true)
            .wasm_extended_const(true)
            .wasm_relaxed_simd(true)
            .relaxed_simd_deterministic(true)
            .wasm_wide_arithmetic(false);
    }
}
