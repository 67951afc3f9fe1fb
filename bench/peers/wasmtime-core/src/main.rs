// SPDX-License-Identifier: BSD-3-Clause
//! Wasmtime for bench/interp and bench/jit; bench/interp_weir.c and bench/jit_weir.c say what the commands do and print.
//!
//!     wasmtime-core run FILE ARGUMENT WARM CALLS
//!     wasmtime-core calls FILE COUNT                 of the module that `jit_weir module FILE` writes

use std::time::Instant;
use wasmtime::{Engine, Linker, Module, Result, Store, Val};

const SLICES: u32 = 21; // that a figure is measured in: some of them undisturbed

/// `i32:N`, `i64:N` or `-` for none.
fn arguments(text: &str) -> Vec<Val> {
    match text.split_once(':') {
        None => vec![],
        Some(("i32", n)) => vec![Val::I32(number(n) as i32)],
        Some(("i64", n)) => vec![Val::I64(number(n) as i64)],
        Some(_) => usage("an argument is i32:N, i64:N or -"),
    }
}

fn print_result(result: &Val) {
    match result {
        Val::I32(n) => println!("result {}", *n as u32),
        Val::I64(n) => println!("result {}", *n as u64),
        Val::F32(bits) => println!("result {}", f32::from_bits(*bits)),
        _ => usage("a result that no kernel has"),
    }
}

fn run(file: &str, argument: &str, warm: u64, calls: u64) -> Result<()> {
    let engine = Engine::default();
    let module = Module::from_file(&engine, file)?;
    let start = Instant::now();
    let mut linker = Linker::new(&engine);
    linker.func_wrap("env", "clock_ms", move || {
        start.elapsed().as_millis() as u32
    })?;
    let mut store = Store::new(&engine, ());
    let instance = linker.instantiate(&mut store, &module)?;
    let func = instance
        .get_func(&mut store, "run")
        .unwrap_or_else(|| usage("no export run"));
    let arguments = arguments(argument);
    let mut results = vec![Val::I32(0)];
    let mut ns = vec![];
    for i in 0..warm + calls {
        let begin = Instant::now();
        func.call(&mut store, &arguments, &mut results)?;
        if i >= warm {
            ns.push(begin.elapsed().as_nanos().to_string());
        }
    }
    print_result(&results[0]);
    println!("call {}", ns.join(" "));
    Ok(())
}

fn calls(file: &str, count: u32) -> Result<()> {
    let engine = Engine::default();
    let module = Module::from_file(&engine, file)?;
    let mut linker = Linker::new(&engine);
    linker.func_wrap("", "", |x: u32| x.wrapping_add(1))?;
    let mut store = Store::new(&engine, ());
    let instance = linker.instantiate(&mut store, &module)?;
    let add = instance.get_typed_func::<(u32, u32), u32>(&mut store, "add")?;
    let import = instance.get_typed_func::<u32, u32>(&mut store, "import")?;
    let indirect = instance.get_typed_func::<(u32, u32, u32), u32>(&mut store, "indirect")?;
    let open = instance.get_typed_func::<(u32, u32, u32), u32>(&mut store, "open")?;
    let print = |key: &str, once: &mut dyn FnMut() -> Result<()>| -> Result<()> {
        let mut ns = vec![];
        for _ in 0..SLICES {
            let begin = Instant::now();
            once()?;
            ns.push(format!(
                "{:.3}",
                begin.elapsed().as_nanos() as f64 / f64::from(count)
            ));
        }
        println!("{key} {}", ns.join(" "));
        Ok(())
    };

    print("enter", &mut || {
        let mut sum = 0;
        for _ in 0..count {
            sum = add.call(&mut store, (sum, 1))?;
        }
        assert_eq!(sum, count);
        Ok(())
    })?;
    print("import", &mut || import.call(&mut store, count).map(drop))?;
    for (prefix, func) in [("", &indirect), ("open-", &open)] {
        for (key, second) in [("same", 0), ("turns", 1)] {
            print(&format!("{prefix}{key}"), &mut || {
                func.call(&mut store, (count, 0, second)).map(drop)
            })?;
        }
    }
    Ok(())
}

fn number(text: &str) -> u64 {
    text.parse().unwrap_or_else(|_| usage("a number is wanted"))
}

fn usage(what: &str) -> ! {
    eprintln!("wasmtime-core: {what}");
    std::process::exit(2)
}

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["run", file, argument, warm, calls] => run(file, argument, number(warm), number(calls)),
        ["calls", file, count] => calls(file, number(count) as u32),
        _ => usage("run FILE ARGUMENT WARM CALLS | calls FILE COUNT"),
    }
}
