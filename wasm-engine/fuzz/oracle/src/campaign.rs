// SPDX-License-Identifier: BSD-3-Clause
//! A part of a soak: numbered epochs, each a function of the seed and its number alone, worked off by threads. What is
//! done stands in a file of the state folder, so that the next run goes on from there.
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Of a thread: guest code of the other engine runs on it.
pub const STACK_BYTES: usize = 256 << 20;

pub struct Options {
    pub seed: u64,
    pub jobs: usize,
    pub time: Duration,
    pub epochs: u64, // of this run, at most
    pub dir: PathBuf,
}

/// What one epoch, or all of them, came to.
#[derive(Default)]
pub struct Counts(pub BTreeMap<String, u64>);

impl Counts {
    pub fn add(&mut self, key: &str, n: u64) {
        match self.0.get_mut(key) {
            Some(count) => *count += n,
            None => {
                self.0.insert(key.into(), n);
            }
        }
    }
}

/// A thread's place: the module in hand, for the post-mortem of a crash, and what it found.
pub struct Slot {
    part: &'static str,
    dir: PathBuf,
    current: fs::File,
    pub counts: Counts,
}

impl Slot {
    /// From here on a crash is this module's.
    pub fn begin(&self, module: &[u8]) {
        let _ = self.current.write_all_at(module, 8);
        let _ = self
            .current
            .write_all_at(&(module.len() as u64).to_le_bytes(), 0);
    }

    pub fn difference(&mut self, name: &str, module: &[u8], text: &str) {
        let path = self.dir.join(format!("{}-{name}", self.part));
        println!("difference: {}.wasm\n{text}", path.display());
        fs::write(path.with_extension("wasm"), module).unwrap();
        fs::write(path.with_extension("txt"), text).unwrap();
        self.counts.add("differences", 1);
    }
}

#[derive(Default)]
struct State {
    next: u64,           // epochs below have been handed out
    done: BTreeSet<u64>, // beyond first
    first: u64,          // epochs below are done
    seconds: f64,
    counts: Counts,
}

impl State {
    fn load(path: &Path, settings: &str) -> State {
        let mut state = State::default();
        let Ok(text) = fs::read_to_string(path) else {
            return state;
        };
        for line in text.lines() {
            let (key, value) = line.split_once('\t').unwrap();
            match key {
                "settings" => assert_eq!(value, settings, "{}: another run's", path.display()),
                "first" => state.first = value.parse().unwrap(),
                "done" => {
                    state.done.insert(value.parse().unwrap());
                }
                "seconds" => state.seconds = value.parse().unwrap(),
                _ => state.counts.add(key, value.parse().unwrap()),
            }
        }
        state.next = state.first;
        state
    }

    fn save(&self, path: &Path, settings: &str, seconds: f64) {
        let mut text = format!(
            "settings\t{settings}\nfirst\t{}\nseconds\t{:.1}\n",
            self.first,
            self.seconds + seconds
        );
        for epoch in &self.done {
            writeln!(text, "done\t{epoch}").unwrap();
        }
        for (key, count) in &self.counts.0 {
            writeln!(text, "{key}\t{count}").unwrap();
        }
        let draft = path.with_extension("draft");
        fs::write(&draft, text).unwrap();
        fs::rename(&draft, path).unwrap();
    }

    fn hand_out(&mut self) -> u64 {
        while self.done.contains(&self.next) {
            self.next += 1;
        }
        self.next += 1;
        self.next - 1
    }

    fn finish(&mut self, epoch: u64, counts: Counts) {
        self.done.insert(epoch);
        while self.done.remove(&self.first) {
            self.first += 1;
        }
        for (key, n) in counts.0 {
            self.counts.add(&key, n);
        }
    }
}

/// Runs epochs until the time is over or 50 differences are there. Returns true when there is none.
pub fn run(part: &'static str, options: &Options, epoch: impl Fn(u64, &mut Slot) + Sync) -> bool {
    fs::create_dir_all(&options.dir).unwrap();
    let path = options.dir.join(format!("{part}.state"));
    let settings = format!("seed {}", options.seed);
    let state = Mutex::new(State::load(&path, &settings));
    let start = Instant::now();
    let last = state.lock().unwrap().first.saturating_add(options.epochs);

    let work = |job: usize| {
        let current = options.dir.join(format!("{part}.current.{job}"));
        loop {
            let number = {
                let mut state = state.lock().unwrap();
                let found = state.counts.0.get("differences").copied().unwrap_or(0);
                if start.elapsed() >= options.time || state.next >= last || found >= 50 {
                    break;
                }
                state.hand_out()
            };
            let mut slot = Slot {
                part,
                dir: options.dir.clone(),
                current: fs::File::create(&current).unwrap(),
                counts: Counts::default(),
            };
            epoch(number, &mut slot);
            let mut state = state.lock().unwrap();
            state.finish(number, slot.counts);
            state.save(&path, &settings, start.elapsed().as_secs_f64());
        }
        let _ = fs::remove_file(&current);
    };
    std::thread::scope(|scope| {
        for job in 0..options.jobs {
            std::thread::Builder::new()
                .stack_size(STACK_BYTES)
                .spawn_scoped(scope, move || work(job))
                .unwrap();
        }
    });

    let state = state.into_inner().unwrap();
    let seconds = start.elapsed().as_secs_f64();
    state.save(&path, &settings, seconds);
    println!(
        "{part}: {settings}, {:.0} s in all",
        state.seconds + seconds
    );
    for (key, count) in &state.counts.0 {
        println!("{part}: {key}: {count}");
    }
    !state.counts.0.contains_key("differences")
}
