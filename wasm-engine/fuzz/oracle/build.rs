// SPDX-License-Identifier: BSD-3-Clause
// Links the engine's static libraries out of the meson build directory WEIR_BUILD (build/oracle).
use std::{env, fs, path::Path};

fn archives(dir: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if path.is_dir() && !name.ends_with(".p") {
            archives(&path, found);
        } else if name.starts_with("libwe-")
            && !name.starts_with("libwe-fuzz")
            && name.ends_with(".a")
        {
            found.push(path.display().to_string());
        }
    }
}

fn main() {
    let root = fs::canonicalize("../../..").unwrap();
    let build = env::var("WEIR_BUILD").unwrap_or_else(|_| "build/oracle".into());
    let build = root.join(build);
    let mut libs = Vec::new();

    cc::Build::new()
        .file("shim.c")
        .include(root.join("wasm-engine/include"))
        .cargo_metadata(false)
        .compile("shim");
    archives(&build.join("wasm-engine"), &mut libs);
    assert!(!libs.is_empty(), "no engine in {}", build.display());
    libs.sort();
    println!("cargo:rustc-link-arg=-Wl,--start-group");
    println!(
        "cargo:rustc-link-arg={}/libshim.a",
        env::var("OUT_DIR").unwrap()
    );
    for lib in &libs {
        println!("cargo:rustc-link-arg={lib}");
        println!("cargo:rerun-if-changed={lib}");
    }
    println!("cargo:rustc-link-arg=-Wl,--end-group");
    println!("cargo:rustc-link-arg=-lm");
    // What a tier brings along, separated by spaces.
    for arg in env::var("WEIR_LIBS").unwrap_or_default().split_whitespace() {
        println!("cargo:rustc-link-arg={arg}");
    }
    println!("cargo:rerun-if-changed=shim.c");
    println!("cargo:rerun-if-changed=../../include/we.h");
    println!("cargo:rerun-if-env-changed=WEIR_BUILD");
    println!("cargo:rerun-if-env-changed=WEIR_LIBS");
}
