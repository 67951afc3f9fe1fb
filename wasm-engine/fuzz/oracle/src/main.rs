// SPDX-License-Identifier: BSD-3-Clause
//! weir-oracle: the engine against independent ones, in one process (docs/TESTING.md).
mod campaign;
mod engine;
mod features;
mod generate;
mod limits;
mod made;
mod mutate;
mod pool;
mod rng;
mod run;
mod short;
mod validate;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

const USAGE: &str = "usage: weir-oracle validate | run | tiers | short [OPTION...]
       weir-oracle generate [OPTION...]
       weir-oracle replay FILE.wasm

validate   mutants against wasmparser
run        generated modules against wasmtime
tiers      smaller ones, as native code too
short      modules of short functions, one in four as native code too
generate   write what run would begin with to the state folder
replay     both on one file, aloud, unless it imports what no generated module does

  --seed N          1 without
  --minutes N       1 without; a fraction is fine
  --epochs N        at most so many, of 8192 mutants or 64 modules each
  --jobs N          threads; 1 without
  --state DIR       what is done, and what was found; goes on from there
  --conformance DIR the suites, for mutants: WEIR_CONFORMANCE or ../shared/conformance without";

struct Args {
    command: String,
    file: Option<PathBuf>,
    options: campaign::Options,
    conformance: PathBuf,
}

fn parse() -> Option<Args> {
    let mut words = std::env::args().skip(1);
    let default = std::env::var_os("WEIR_CONFORMANCE");
    let mut args = Args {
        command: words.next()?,
        file: None,
        options: campaign::Options {
            seed: 1,
            jobs: 1,
            time: Duration::from_secs(60),
            epochs: u64::MAX,
            dir: "build/soak".into(),
        },
        conformance: default.map_or("../shared/conformance".into(), PathBuf::from),
    };
    while let Some(word) = words.next() {
        match word.as_str() {
            "--seed" => args.options.seed = words.next()?.parse().ok()?,
            "--minutes" => {
                let minutes: f64 = words.next()?.parse().ok()?;
                args.options.time = Duration::try_from_secs_f64(minutes * 60.0).ok()?;
            }
            "--epochs" => args.options.epochs = words.next()?.parse().ok()?,
            "--jobs" => args.options.jobs = words.next()?.parse().ok()?,
            "--state" => args.options.dir = words.next()?.into(),
            "--conformance" => args.conformance = words.next()?.into(),
            _ if word.starts_with('-') => return None,
            _ => args.file = Some(word.into()),
        }
    }
    Some(args)
}

fn main() -> ExitCode {
    let Some(args) = parse() else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    // Panics of the generators and of the other engines are caught and counted.
    std::panic::set_hook(Box::new(|info| eprintln!("{info}")));
    let good = match (args.command.as_str(), args.file) {
        ("validate", None) => validate::run(&args.options, &args.conformance),
        ("run", None) => run::run(&args.options, run::Part::Run),
        ("tiers", None) => run::run(&args.options, run::Part::Tiers),
        ("short", None) => run::run(&args.options, run::Part::Short),
        ("generate", None) => {
            run::generate(&args.options);
            true
        }
        ("replay", Some(file)) => {
            let bytes = match std::fs::read(&file) {
                Ok(bytes) => bytes,
                Err(err) => {
                    eprintln!("weir-oracle: {}: {err}", file.display());
                    return ExitCode::from(2);
                }
            };
            let engine = engine::Engine::new(false);
            let (ours, theirs) = validate::verdicts(&engine, &bytes);
            println!("ours: {ours}\nwasmparser: {theirs}");
            let runs = ours == limits::ACCEPTS && theirs == limits::ACCEPTS;
            if runs {
                let replay = std::thread::Builder::new().stack_size(campaign::STACK_BYTES);
                let replay = replay.spawn(move || run::replay(&bytes)).unwrap();
                replay.join().unwrap()
            } else {
                (ours == limits::ACCEPTS) == (theirs == limits::ACCEPTS)
            }
        }
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
