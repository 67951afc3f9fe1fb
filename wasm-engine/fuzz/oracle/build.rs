// SPDX-License-Identifier: BSD-3-Clause
// Links the engine's static libraries out of the meson build directory WEIR_BUILD (build/oracle).
use std::{env, fs, path::Path, process::Command};

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

/// -L and -l of the LLVM that native code comes from.
fn llvm() -> [String; 2] {
    for program in ["llvm-config-22", "llvm-config"] {
        let ask = |what| Command::new(program).arg(what).output();
        if let (Ok(dir), Ok(libs)) = (ask("--libdir"), ask("--libs")) {
            let word = |out: Vec<u8>| String::from_utf8(out).unwrap().trim().to_string();
            return [format!("-L{}", word(dir.stdout)), word(libs.stdout)];
        }
    }
    panic!("no llvm-config");
}

fn main() {
    let root = fs::canonicalize("../../..").unwrap();
    let build = env::var("WEIR_BUILD").unwrap_or_else(|_| "build/oracle".into());
    let build = root.join(build);
    let mut libs = Vec::new();

    let mut shim = cc::Build::new();
    for folder in ["include", "base", "core", "native", "jit", "fuzz"] {
        shim.include(root.join("wasm-engine").join(folder));
    }
    shim.define("_GNU_SOURCE", None)
        .flag("-std=gnu17")
        .flag("-march=x86-64-v2")
        .file("shim.c")
        .file("../native_draw.c")
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
    for arg in llvm() {
        println!("cargo:rustc-link-arg={arg}");
    }
    for file in ["shim.c", "../native_draw.c", "../native_draw.h", "../../include/we.h"] {
        println!("cargo:rerun-if-changed={file}");
    }
    println!("cargo:rerun-if-env-changed=WEIR_BUILD");
}
