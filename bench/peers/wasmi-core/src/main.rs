// SPDX-License-Identifier: BSD-3-Clause
//! wasmi for bench/interp; bench/interp_weir.c says what the commands do and print.
//!
//!     wasmi-core run FILE ARGUMENT WARM CALLS
//!     wasmi-core compile FILE COUNT
//!     wasmi-core instantiate FILE COUNT

use std::hint::black_box;
use std::time::Instant;
use wasmi::{CompilationMode, Config, Engine, Error, Func, Instance, Linker, Module, Store, Val};

fn engine() -> Engine {
    let mut config = Config::default();
    config.compilation_mode(CompilationMode::Eager);
    Engine::new(&config)
}

fn linker(engine: &Engine) -> Result<Linker<()>, Error> {
    let start = Instant::now();
    let mut linker = Linker::new(engine);
    linker.func_wrap("env", "clock_ms", move || {
        start.elapsed().as_millis() as u32
    })?;
    Ok(linker)
}

fn export(store: &Store<()>, instance: &Instance, name: &str) -> Func {
    instance
        .get_func(store, name)
        .unwrap_or_else(|| usage(&format!("no export {name}")))
}

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
        Val::F32(x) => println!("result {}", f32::from(*x)),
        _ => usage("a result that no kernel has"),
    }
}

fn print_ns(name: &str, ns: &[u64]) {
    let words: Vec<String> = ns.iter().map(u64::to_string).collect();
    println!("{name} {}", words.join(" "));
}

fn run(wasm: &[u8], argument: &str, warm: u64, calls: u64) -> Result<(), Error> {
    let engine = engine();
    let module = Module::new(&engine, wasm)?;
    let mut store = Store::new(&engine, ());
    let instance = linker(&engine)?.instantiate_and_start(&mut store, &module)?;
    let func = export(&store, &instance, "run");
    let arguments = arguments(argument);
    let mut results = vec![Val::I32(0)];
    let mut ns = vec![];
    for i in 0..warm + calls {
        let begin = Instant::now();
        func.call(&mut store, &arguments, &mut results)?;
        if i >= warm {
            ns.push(begin.elapsed().as_nanos() as u64);
        }
    }
    print_result(&results[0]);
    print_ns("call", &ns);
    Ok(())
}

fn compile(wasm: &[u8], count: u64) -> Result<(), Error> {
    let mut ns = vec![];
    let begin = Instant::now();
    let engine = engine();
    print_ns("engine", &[begin.elapsed().as_nanos() as u64]);
    for _ in 0..count + 1 {
        let begin = Instant::now();
        let module = Module::new(&engine, wasm)?;
        ns.push(begin.elapsed().as_nanos() as u64);
        drop(black_box(module));
    }
    print_ns("first", &ns[..1]);
    print_ns("compile", &ns[1..]);
    Ok(())
}

/// Nanoseconds of making an instance and dropping it, and those that the guest took to write to its memory between.
fn instantiate_once(
    engine: &Engine,
    linker: &Linker<()>,
    module: &Module,
    touch: bool,
) -> Result<(u64, u64), Error> {
    let mut touch_ns = 0;
    let begin = Instant::now();
    let mut store = Store::new(engine, ());
    let instance = linker.instantiate_and_start(&mut store, module)?;
    let made_ns = begin.elapsed().as_nanos() as u64;
    if touch {
        let func = export(&store, &instance, "touch");
        let begin = Instant::now();
        func.call(&mut store, &[], &mut [])?;
        touch_ns = begin.elapsed().as_nanos() as u64;
    }
    let begin = Instant::now();
    drop(store);
    Ok((made_ns + begin.elapsed().as_nanos() as u64, touch_ns))
}

fn instantiate(wasm: &[u8], count: u64) -> Result<(), Error> {
    let engine = engine();
    let module = Module::new(&engine, wasm)?;
    let linker = linker(&engine)?;
    for (name, touch) in [("untouched", false), ("touched", true)] {
        let mut ns = vec![];
        let mut touch_ns = vec![];
        instantiate_once(&engine, &linker, &module, touch)?;
        for _ in 0..count {
            let (once_ns, once_touch_ns) = instantiate_once(&engine, &linker, &module, touch)?;
            ns.push(once_ns);
            touch_ns.push(once_touch_ns);
        }
        print_ns(name, &ns);
        if touch {
            print_ns("touch", &touch_ns);
        }
    }
    Ok(())
}

fn number(text: &str) -> u64 {
    text.parse().unwrap_or_else(|_| usage("a number is wanted"))
}

fn usage(what: &str) -> ! {
    eprintln!("wasmi-core: {what}");
    std::process::exit(2)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["run", file, argument, warm, calls] => {
            run(&std::fs::read(file)?, argument, number(warm), number(calls))?
        }
        ["compile", file, count] => compile(&std::fs::read(file)?, number(count))?,
        ["instantiate", file, count] => instantiate(&std::fs::read(file)?, number(count))?,
        _ => usage("run FILE ARGUMENT WARM CALLS | compile FILE COUNT | instantiate FILE COUNT"),
    }
    Ok(())
}
