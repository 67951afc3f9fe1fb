// SPDX-License-Identifier: BSD-3-Clause
//! A packet filter component in Wasmtime: what one burst costs from the host through the guest and back.
//!
//!     wasmtime-burst [--slots N,N..] [--stride N,N..] [--bursts N] [--rounds N] [--config K=V|K=@FILE].. [--log] FILTER.wasm..
//!
//! For each filter and shape it prints one line: `wasmtime FILE slots=N stride=N ns=MEDIAN min=NS forward=N drop=N`,
//! the median over the rounds of nanoseconds a burst, and the verdicts of one burst. Each round has a process of
//! its own. It offers weir:packet/setup, wasi:config/store, wasi:logging and wasi:clocks/monotonic-clock.now.

use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Instant;
use wasmtime::component::{
    Component, ComponentType, Destination, FutureConsumer, FutureReader, Lift, Linker, Lower, Source, StreamConsumer,
    StreamProducer, StreamReader, StreamResult, VecBuffer,
};
use wasmtime::{Config, Engine, Result, Store, StoreContextMut};

const DESCRIPTOR: usize = 64; // bytes

#[derive(ComponentType, Lift, Lower, Clone, Debug)]
#[component(variant)]
enum FilterError {
    #[component(name = "malformed")]
    Malformed,
    #[component(name = "internal")]
    Internal(String),
}

#[derive(ComponentType, Lift, Lower, Clone, Debug)]
#[component(variant)]
enum ConfigError {
    #[component(name = "upstream")]
    Upstream(String),
    #[component(name = "io")]
    Io(String),
}

#[derive(ComponentType, Lift, Lower, Clone, Copy)]
#[component(record)]
struct Shape {
    stride: u32,
    view: u32,
    room: u32,
    burst: u32,
}

#[derive(ComponentType, Lift, Lower, Clone, Copy, Debug)]
#[component(enum)]
#[repr(u8)]
#[allow(dead_code)] // the guest makes them
enum Level {
    #[component(name = "trace")]
    Trace,
    #[component(name = "debug")]
    Debug,
    #[component(name = "info")]
    Info,
    #[component(name = "warn")]
    Warn,
    #[component(name = "error")]
    Error,
    #[component(name = "critical")]
    Critical,
}

struct Host {
    shape: Shape,
    config: Vec<(String, String)>,
    log: bool,
}

/// Feeds the same burst until `left` is used up; the guest's reads decide when, and how much of it at a time.
struct Producer {
    burst: Vec<u8>,
    at: usize,
    left: u64,
}

impl StreamProducer<Host> for Producer {
    type Item = u8;
    type Buffer = VecBuffer<u8>;

    fn poll_produce<'a>(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        store: StoreContextMut<'a, Host>,
        to: Destination<'a, u8, VecBuffer<u8>>,
        _finish: bool,
    ) -> Poll<Result<StreamResult>> {
        if self.left == 0 {
            return Poll::Ready(Ok(StreamResult::Dropped));
        }
        let rest = &self.burst[self.at..];
        let mut direct = to.as_direct(store, rest.len());
        let room = direct.remaining();
        let n = room.len().min(rest.len());
        room[..n].copy_from_slice(&rest[..n]);
        direct.mark_written(n);
        self.at += n;
        if self.at == self.burst.len() {
            self.at = 0;
            self.left -= 1;
        }
        Poll::Ready(Ok(StreamResult::Completed))
    }
}

struct Consumer {
    last: Arc<Mutex<Vec<u8>>>,
    bytes: Arc<AtomicU64>,
}

impl StreamConsumer<Host> for Consumer {
    type Item = u8;

    fn poll_consume(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        store: StoreContextMut<Host>,
        from: Source<'_, u8>,
        _finish: bool,
    ) -> Poll<Result<StreamResult>> {
        let mut direct = from.as_direct(store);
        let mut data = direct.remaining();
        let n = data.len();
        let mut last = self.last.lock().unwrap();
        let mut at = self.bytes.load(Relaxed) as usize % last.len();
        while !data.is_empty() {
            let m = data.len().min(last.len() - at);
            last[at..at + m].copy_from_slice(&data[..m]);
            data = &data[m..];
            at = (at + m) % last.len();
        }
        direct.mark_read(n);
        self.bytes.fetch_add(n as u64, Relaxed);
        Poll::Ready(Ok(StreamResult::Completed))
    }
}

type Status = std::result::Result<(), FilterError>;

struct StatusConsumer(Arc<Mutex<Option<Status>>>);

impl FutureConsumer<Host> for StatusConsumer {
    type Item = Status;

    fn poll_consume(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        mut store: StoreContextMut<Host>,
        mut from: Source<'_, Status>,
        _finish: bool,
    ) -> Poll<Result<()>> {
        let mut value = None;
        from.read(&mut store, &mut value)?;
        *self.0.lock().unwrap() = value;
        Poll::Ready(Ok(()))
    }
}

/// A burst of 60-byte UDP packets behind their descriptors.
fn make_burst(slots: usize, stride: usize) -> Vec<u8> {
    let mut burst = vec![0; slots * stride];
    for (i, slot) in burst.chunks_exact_mut(stride).enumerate() {
        let len = (stride - DESCRIPTOR).min(60);
        slot[4..8].copy_from_slice(&60u32.to_le_bytes());
        slot[8..10].copy_from_slice(&(len as u16).to_le_bytes());
        slot[20..22].copy_from_slice(&(DESCRIPTOR as u16).to_le_bytes());
        slot[40..44].copy_from_slice(&(i as u32).to_le_bytes());
        let packet = &mut slot[DESCRIPTOR..];
        packet[..12].copy_from_slice(&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2]);
        packet[12..14].copy_from_slice(&[8, 0]);
        packet[14..24].copy_from_slice(&[0x45, 0, 0, 46, 0, 0, 0, 0, 64, 17]);
        packet[26..34].copy_from_slice(&[192, 0, 2, 1, 198, 51, 100, 1]);
        packet[34..38].copy_from_slice(&[0x30, 0x39, 0, 53]);
    }
    burst
}

fn linker(engine: &Engine) -> Result<Linker<Host>> {
    let mut linker = Linker::new(engine);
    linker.instance("weir:packet/setup@0.1.0")?.func_wrap(
        "configure",
        |store: StoreContextMut<Host>, (_view, _room, _reasons): (u32, u32, Vec<String>)| Ok((store.data().shape,)),
    )?;
    let mut config = linker.instance("wasi:config/store@0.2.0-rc.1")?;
    config.func_wrap("get", |store: StoreContextMut<Host>, (key,): (String,)| {
        let value = store.data().config.iter().find(|(k, _)| *k == key).map(|(_, v)| v.clone());
        Ok((Ok::<_, ConfigError>(value),))
    })?;
    config.func_wrap("get-all", |store: StoreContextMut<Host>, (): ()| {
        Ok((Ok::<_, ConfigError>(store.data().config.clone()),))
    })?;
    linker.instance("wasi:logging/logging@0.1.0-draft")?.func_wrap(
        "log",
        |store: StoreContextMut<Host>, (level, context, message): (Level, String, String)| {
            if store.data().log {
                eprintln!("{level:?} {context}: {message}");
            }
            Ok(())
        },
    )?;
    let start = Instant::now();
    linker
        .instance("wasi:clocks/monotonic-clock@0.3.0")?
        .func_wrap("now", move |_: StoreContextMut<Host>, (): ()| Ok((start.elapsed().as_nanos() as u64,)))?;
    Ok(linker)
}

struct Round {
    ns: f64,
    last: Vec<u8>,
    status: Option<Status>,
}

/// One process from its first read to its status; the time runs until the last byte has come out.
async fn round(engine: &Engine, linker: &Linker<Host>, component: &Component, args: &Args, slots: usize, stride: usize) -> Result<Round> {
    let shape = Shape { stride: stride as u32, view: (stride - DESCRIPTOR) as u32, room: 0, burst: slots as u32 };
    let mut store = Store::new(engine, Host { shape, config: args.config.clone(), log: args.log });
    let instance = linker.instantiate_async(&mut store, component).await?;
    let interface = instance
        .get_export_index(&mut store, None, "weir:packet/filter@0.1.0")
        .ok_or_else(|| wasmtime::Error::msg("no export weir:packet/filter@0.1.0"))?;
    let process = instance.get_export_index(&mut store, Some(&interface), "process").unwrap();
    let process = instance
        .get_typed_func::<(StreamReader<u8>,), ((StreamReader<u8>, FutureReader<Status>),)>(&mut store, &process)?;
    let bytes = Arc::new(AtomicU64::new(0));
    let last = Arc::new(Mutex::new(vec![0; slots * stride]));
    let status = Arc::new(Mutex::new(None));
    let want = args.bursts * (slots * stride) as u64;
    let rx = StreamReader::new(&mut store, Producer { burst: make_burst(slots, stride), at: 0, left: args.bursts })?;
    let consumer = Consumer { last: last.clone(), bytes: bytes.clone() };
    let status_consumer = StatusConsumer(status.clone());
    let start = Instant::now();
    let counted = bytes.clone();
    let seen = status.clone();
    let ns = store
        .run_concurrent(async move |access| {
            let ((tx, done),) = process.call_concurrent(access, (rx,)).await?;
            access.with(|mut store| -> Result<()> {
                done.pipe(&mut store, status_consumer)?;
                tx.pipe(&mut store, consumer)
            })?;
            while counted.load(Relaxed) < want && seen.lock().unwrap().is_none() {
                yield_once().await;
            }
            let ns = start.elapsed().as_nanos() as f64;
            while seen.lock().unwrap().is_none() {
                yield_once().await;
            }
            Ok::<_, wasmtime::Error>(ns)
        })
        .await??;
    let last = last.lock().unwrap().clone();
    let status = status.lock().unwrap().clone();
    Ok(Round { ns: ns / args.bursts as f64, last, status })
}

async fn yield_once() {
    let mut polled = false;
    std::future::poll_fn(|cx| {
        if polled {
            return Poll::Ready(());
        }
        polled = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await
}

struct Args {
    slots: Vec<usize>,
    strides: Vec<usize>,
    bursts: u64,
    rounds: usize,
    config: Vec<(String, String)>,
    log: bool,
    files: Vec<String>,
}

fn usage(what: &str) -> ! {
    eprintln!("wasmtime-burst: {what}");
    std::process::exit(2)
}

fn parse_args() -> Args {
    let mut args = Args {
        slots: vec![1, 8, 32, 128],
        strides: vec![128, 256],
        bursts: 100_000,
        rounds: 5,
        config: vec![],
        log: false,
        files: vec![],
    };
    let mut it = std::env::args().skip(1);
    let list = |text: String| -> Vec<usize> {
        text.split(',').map(|n| n.parse().unwrap_or_else(|_| usage("numbers wanted"))).collect()
    };
    while let Some(arg) = it.next() {
        let mut value = || it.next().unwrap_or_else(|| usage("a value is missing"));
        match arg.as_str() {
            "--slots" => args.slots = list(value()),
            "--stride" => args.strides = list(value()),
            "--bursts" => args.bursts = list(value())[0] as u64,
            "--rounds" => args.rounds = list(value())[0],
            "--log" => args.log = true,
            "--config" => {
                let text = value();
                let (key, value) = text.split_once('=').unwrap_or_else(|| usage("--config K=V"));
                let value = match value.strip_prefix('@') {
                    Some(file) => std::fs::read_to_string(file).unwrap_or_else(|e| usage(&format!("{file}: {e}"))),
                    None => value.to_string(),
                };
                args.config.push((key.to_string(), value));
            }
            _ if arg.starts_with('-') => usage(&format!("unknown flag {arg}")),
            _ => args.files.push(arg),
        }
    }
    if args.files.is_empty() {
        usage("a filter is missing");
    }
    args
}

fn main() -> Result<()> {
    let args = parse_args();
    let mut config = Config::new();
    config.wasm_component_model(true).wasm_component_model_async(true);
    let engine = Engine::new(&config)?;
    let linker = linker(&engine)?;
    for file in &args.files {
        let component = Component::from_file(&engine, file)?;
        for &stride in &args.strides {
            for &slots in &args.slots {
                let mut ns = vec![];
                let mut end = None;
                for _ in 0..args.rounds {
                    let round = futures::executor::block_on(round(&engine, &linker, &component, &args, slots, stride))?;
                    ns.push(round.ns);
                    end = Some(round);
                }
                let end = end.unwrap();
                if let Some(Err(error)) = end.status {
                    return Err(wasmtime::Error::msg(format!("{file}: status {error:?}")));
                }
                ns.sort_by(f64::total_cmp);
                let verdicts = |code: u8| end.last.chunks_exact(stride).filter(|slot| slot[30] & 15 == code).count();
                println!(
                    "wasmtime {file} slots={slots} stride={stride} ns={:.0} min={:.0} forward={} drop={}",
                    ns[ns.len() / 2],
                    ns[0],
                    verdicts(0) + verdicts(1),
                    verdicts(2)
                );
            }
        }
    }
    Ok(())
}
