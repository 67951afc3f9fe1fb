// SPDX-License-Identifier: BSD-3-Clause
//! Mutants against wasmparser: do both accept, or both refuse?
use crate::campaign::{self, Options, Slot};
use crate::engine::Engine;
use crate::features;
use crate::limits::{masked, ACCEPTS, VALIDATE};
use crate::mutate::{mutant, Pieces};
use crate::pool;
use crate::rng::Rng;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::path::Path;
use wasmparser::Validator;

const EPOCH: usize = 8192; // mutants
const POOL: usize = 96; // modules that they come from
const MIN_BYTES: usize = 1024;

/// What each validator says: ACCEPTS, or why not.
pub fn verdicts(engine: &Engine, module: &[u8]) -> (String, String) {
    let ours = match engine.module(module) {
        Ok(_) => ACCEPTS.into(),
        Err(failure) => failure.to_string(),
    };
    let mut validator = Validator::new_with_features(features::wasmparser());
    let theirs = match catch_unwind(AssertUnwindSafe(|| validator.validate_all(module).err())) {
        Ok(None) => ACCEPTS.into(),
        Ok(Some(err)) => err.to_string(),
        Err(_) => "panic".into(),
    };
    (ours, theirs)
}

fn epoch(seed: u64, number: u64, suite: &[Vec<u8>], slot: &mut Slot) {
    let mut rng = Rng::new(seed, number);
    let bank: Vec<Pieces> = pool::pool(&mut rng, POOL, suite)
        .iter()
        .map(|module| Pieces::new(module))
        .collect();
    // Types of an engine are kept until its end: mutants of an epoch meet those of the ones before.
    let engine = Engine::new(false);
    let (mut n, mut bytes, mut accepted) = (0, 0, 0);
    while n < EPOCH {
        let which = rng.below(bank.len());
        let module = mutant(&mut rng, &bank, which);
        if module.len() < MIN_BYTES {
            continue;
        }
        n += 1;
        bytes += module.len();
        slot.begin(&module);
        let (ours, theirs) = verdicts(&engine, &module);
        if ours == ACCEPTS && theirs == ACCEPTS {
            accepted += 1;
        }
        if (ours == ACCEPTS) == (theirs == ACCEPTS) && !ours.starts_with("unsupported") {
            continue;
        }
        match masked(VALIDATE, &ours, &theirs) {
            Some(reason) => slot.counts.add(&format!("masked: {reason}"), 1),
            None => slot.difference(
                &format!("{seed}-{number}-{n}"),
                &module,
                &format!("ours: {ours}\nwasmparser: {theirs}\n"),
            ),
        }
    }
    slot.counts.add("mutants", n as u64);
    slot.counts.add("bytes", bytes as u64);
    slot.counts.add("both accept", accepted);
}

pub fn run(options: &Options, conformance: &Path) -> bool {
    let suite = pool::suite(conformance);
    println!("validate: {} valid modules in the suites", suite.len());
    campaign::run("validate", options, |number, slot| {
        epoch(options.seed, number, &suite, slot)
    })
}
