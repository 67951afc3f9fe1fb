// SPDX-License-Identifier: BSD-3-Clause
//! The same module in this engine, as code of the interpreter and as native code, and in wasmtime: are results, traps,
//! calls of the host, globals, memories and tables the same after every call?
use crate::campaign::{self, Counts, Options, Slot};
use crate::engine::{self, Engine, Extern, Failure, Interrupter, Ref, WeError};
use crate::features;
use crate::generate::{self, Subject, FUEL};
use crate::limits::{
    are_accesses, has_loose_nans, has_relaxed, masked, FREE_RELAXED, LOOSE_NANS, MERGED, RUN,
};
use crate::rng::Rng;
use crate::short;
use std::ffi::{c_int, c_void};
use std::panic::{catch_unwind, resume_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Mutex;
use std::time::{Duration, Instant};
use wasmtime::{AnyRef, AsContextMut, ExternRef, HeapType, Rooted, Val, ValType};

const EPOCH: usize = 64; // modules
const ARGUMENTS: usize = 3; // sets of arguments of each function
const HANG: Duration = Duration::from_secs(300); // a call that lasts longer does not end, on any machine

/// What wasmtime's store holds: what the host was told.
type Log = Vec<u64>;

/// How a call ended, in words that both sides share.
enum End {
    Results(Vec<Value>),
    Exception(Vec<Value>),
    Trap(String),
    /// What makes no sense to compare, and never should happen.
    Other(String),
}

impl std::fmt::Display for End {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        match self {
            End::Results(values) => write!(f, "{values:x?}"),
            End::Exception(values) => write!(f, "uncaught exception {values:x?}"),
            End::Trap(text) | End::Other(text) => f.write_str(text),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Value {
    Bits(u64),
    V128(u128),
    Ref(Ref),
}

/// wasmtime's traps in the words of trap.def. It has one word where we have several; the first stands for all.
fn trap_word(trap: wasmtime::Trap) -> Option<&'static str> {
    use wasmtime::Trap::*;
    Some(match trap {
        UnreachableCodeReached => "unreachable",
        MemoryOutOfBounds => "out of bounds memory access",
        TableOutOfBounds => "out of bounds table access",
        IndirectCallToNull => "uninitialized element",
        BadSignature => "indirect call type mismatch",
        IntegerDivisionByZero => "integer divide by zero",
        IntegerOverflow => "integer overflow",
        BadConversionToInteger => "invalid conversion to integer",
        NullReference => "null reference",
        ArrayOutOfBounds => "out of bounds array access",
        CastFailure => "cast failure",
        StackOverflow => "call stack exhausted",
        AllocationTooLarge => "allocation size too large",
        _ => return None,
    })
}

/// Our traps in the same words.
fn our_trap_word(trap: &str) -> &str {
    match trap {
        "undefined element" => "out of bounds table access",
        _ if trap.starts_with("null ") => "null reference",
        _ => trap,
    }
}

fn our_end(failure: Failure) -> End {
    match failure.word {
        "trap" if failure.trap == UNCAUGHT => End::Exception(Vec::new()),
        "trap" | "exhausted" if failure.trap != "deadline exceeded" => {
            End::Trap(our_trap_word(failure.trap).into())
        }
        _ => End::Other(failure.to_string()),
    }
}

fn their_end(err: wasmtime::Error) -> End {
    if let Some(trap) = err.downcast_ref::<wasmtime::Trap>() {
        return match trap_word(*trap) {
            Some(word) => End::Trap(word.into()),
            None => End::Other(trap.to_string()),
        };
    }
    if err.is::<wasmtime::ThrownException>() {
        return End::Exception(Vec::new());
    }
    let text = format!("{err:#}");
    if text.contains(HOST_TRAP) {
        return End::Trap(HOST_TRAP.into());
    }
    End::Other(text)
}

// ---- the host -----------------------------------------------------------------------------------

const UNCAUGHT: &str = "uncaught exception";
const HOST_TRAP: &str = "host function trapped";

fn is_trap(name: &str, args: &[Value]) -> bool {
    name == "trap" && matches!(args, [Value::Bits(bits)] if bits & 3 == 0)
}

/// Notes the call and makes results of it, of bits that are no NaN.
fn host_results(
    log: &mut Log,
    which: usize,
    args: &[Value],
    results: &[wasm_encoder::ValType],
) -> Vec<Value> {
    let mut hash = which as u64;
    log.push(hash);
    for arg in args {
        let bits = match *arg {
            Value::Bits(bits) => bits,
            Value::V128(bits) => bits as u64 ^ (bits >> 64) as u64,
            Value::Ref(engine::Ref::Null) => 0,
            Value::Ref(engine::Ref::Host(bits)) => bits,
            Value::Ref(engine::Ref::I31(bits)) => u64::from(bits),
            Value::Ref(_) => 1,
        };
        log.push(bits);
        hash = (hash ^ bits).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 3;
    }
    use wasm_encoder::ValType::*;
    results
        .iter()
        .map(|ty| match ty {
            I32 => Value::Bits(hash & 0xffff_ffff),
            F32 => Value::Bits(u64::from(((hash & 0xffff) as f32).to_bits())),
            F64 => Value::Bits(((hash & 0xffff_ffff) as f64).to_bits()),
            V128 => Value::V128(u128::from(hash) << 17),
            Ref(_) => Value::Ref(engine::Ref::Null), // or the argument: echoes()
            _ => Value::Bits(hash),
        })
        .collect()
}

/// Does the function give back the reference that it takes?
fn echoes(params: &[wasm_encoder::ValType], results: &[wasm_encoder::ValType]) -> bool {
    matches!(params, [wasm_encoder::ValType::Ref(_)]) && params == results
}

/// env of our host functions.
struct HostFunc {
    which: usize,
    log: *mut Log,
    store: *const engine::Store,
}

extern "C" fn our_host(env: *mut c_void, slots: *mut u64, err: *mut WeError) -> c_int {
    let host = unsafe { &*env.cast::<HostFunc>() };
    let (name, params, results) = generate::HOST_FUNCS[host.which];
    let mut at = slots;
    let mut slot = || unsafe {
        at = at.add(1);
        *at.sub(1)
    };
    use wasm_encoder::ValType::*;
    let args: Vec<Value> = params
        .iter()
        .map(|ty| match ty {
            I32 | F32 => Value::Bits(slot() & 0xffff_ffff),
            V128 => Value::V128(u128::from(slot()) | u128::from(slot()) << 64),
            Ref(_) => Value::Ref(unsafe { &*host.store }.reference(kind(*ty), slot())),
            _ => Value::Bits(slot()),
        })
        .collect();
    let values = host_results(unsafe { &mut *host.log }, host.which, &args, results);
    if is_trap(name, &args) {
        return engine::host_trap(err);
    }
    if echoes(params, results) {
        return 0; // the slot holds it
    }
    let mut at = slots;
    for value in values {
        let (slots, n) = match value {
            Value::Bits(bits) => ([bits, 0], 1),
            Value::V128(bits) => ([bits as u64, (bits >> 64) as u64], 2),
            Value::Ref(_) => ([0, 0], 1),
        };
        for slot in &slots[..n] {
            unsafe {
                *at = *slot;
                at = at.add(1);
            }
        }
    }
    0
}

fn any_value(mut store: impl AsContextMut, any: Rooted<AnyRef>) -> Ref {
    if let Some(i31) = any.as_i31(&store).unwrap() {
        return Ref::I31(i31.get_u32());
    }
    if any.is_struct(&store).unwrap() {
        return Ref::Struct;
    }
    if any.is_array(&store).unwrap() {
        return Ref::Array;
    }
    let outside = ExternRef::convert_any(&mut store, any).unwrap();
    host_value(&store, outside).expect("what is neither is the host's")
}

fn host_value(store: &impl wasmtime::AsContext, outside: Rooted<ExternRef>) -> Option<Ref> {
    let data = outside.data(store).unwrap()?;
    Some(Ref::Host(*data.downcast_ref::<u64>().unwrap()))
}

fn their_value(mut store: impl AsContextMut, val: &Val) -> Value {
    match val {
        Val::I32(v) => Value::Bits(u64::from(*v as u32)),
        Val::I64(v) => Value::Bits(*v as u64),
        Val::F32(v) => Value::Bits(u64::from(*v)),
        Val::F64(v) => Value::Bits(*v),
        Val::V128(v) => Value::V128(v.as_u128()),
        Val::FuncRef(None) | Val::ExternRef(None) | Val::AnyRef(None) | Val::ExnRef(None) => {
            Value::Ref(Ref::Null)
        }
        Val::FuncRef(Some(_)) => Value::Ref(Ref::Func),
        Val::ExnRef(Some(_)) => Value::Ref(Ref::Exn),
        Val::AnyRef(Some(any)) => Value::Ref(any_value(store, *any)),
        Val::ExternRef(Some(outside)) => Value::Ref(match host_value(&store, *outside) {
            Some(host) => host,
            None => {
                let any = AnyRef::convert_extern(&mut store, *outside).unwrap();
                any_value(store, any)
            }
        }),
        Val::ContRef(_) => unreachable!("stack switching is off"),
    }
}

fn val(ty: &ValType, value: Value) -> Val {
    match (ty, value) {
        (ValType::I32, Value::Bits(bits)) => Val::I32(bits as i32),
        (ValType::I64, Value::Bits(bits)) => Val::I64(bits as i64),
        (ValType::F32, Value::Bits(bits)) => Val::F32(bits as u32),
        (ValType::F64, Value::Bits(bits)) => Val::F64(bits),
        (ValType::V128, Value::V128(bits)) => Val::V128(bits.into()),
        (ValType::Ref(ty), _) => Val::null_ref(ty.heap_type()),
        _ => unreachable!("a value of another type"),
    }
}

fn kind(ty: wasm_encoder::ValType) -> u32 {
    use wasm_encoder::ValType::{Ref, F32, F64, I32, I64, V128};
    const FUNCREF: wasm_encoder::ValType = wasm_encoder::ValType::FUNCREF;
    const EXTERNREF: wasm_encoder::ValType = wasm_encoder::ValType::EXTERNREF;
    const EXNREF: wasm_encoder::ValType = wasm_encoder::ValType::EXNREF;
    match ty {
        I32 => engine::I32,
        I64 => engine::I64,
        F32 => engine::F32,
        F64 => engine::F64,
        V128 => engine::V128,
        FUNCREF => engine::FUNCREF,
        EXTERNREF => engine::EXTERNREF,
        EXNREF => engine::EXNREF,
        Ref(_) => engine::ANYREF,
    }
}

fn their_type(ty: wasm_encoder::ValType) -> ValType {
    use wasm_encoder::ValType::{Ref, F32, F64, I32, I64, V128};
    const FUNCREF: wasm_encoder::ValType = wasm_encoder::ValType::FUNCREF;
    const EXTERNREF: wasm_encoder::ValType = wasm_encoder::ValType::EXTERNREF;
    const EXNREF: wasm_encoder::ValType = wasm_encoder::ValType::EXNREF;
    match ty {
        I32 => ValType::I32,
        I64 => ValType::I64,
        F32 => ValType::F32,
        F64 => ValType::F64,
        V128 => ValType::V128,
        FUNCREF => ValType::FUNCREF,
        EXTERNREF => ValType::EXTERNREF,
        EXNREF => ValType::EXNREF,
        Ref(_) => ValType::ANYREF,
    }
}

// ---- both sides of one module -------------------------------------------------------------------

/// The two engines, used for many modules.
pub struct Engines {
    theirs: wasmtime::Engine,
}

impl Engines {
    pub fn new() -> Engines {
        let mut config = wasmtime::Config::new();
        features::wasmtime(&mut config);
        config
            .cranelift_opt_level(wasmtime::OptLevel::None)
            .cranelift_regalloc_algorithm(wasmtime::RegallocAlgorithm::SinglePass)
            .max_wasm_stack(200 << 20)
            .async_stack_size(201 << 20)
            .memory_reservation(1 << 20)
            .memory_guard_size(0)
            .memory_init_cow(false)
            .gc_heap_reservation(1 << 20)
            .wasm_backtrace_max_frames(None);
        let theirs = wasmtime::Engine::new(&config).unwrap();
        Engines { theirs }
    }
}

#[derive(Clone, Copy)]
struct How {
    native: bool,
    verbose: bool,
}

/// Why a module was not compared to the end.
enum Stop {
    Masked(&'static str),
    Difference(String),
    /// By both: nothing to compare.
    Refused,
    /// It imports what the host of these runs has not: not a module made here.
    Foreign(String),
}

/// A module in a store of this engine.
struct Side {
    name: &'static str,
    instance: Option<engine::Instance>,
    store: Box<engine::Store>,
    log: Box<Log>,
    host_funcs: Vec<Box<HostFunc>>,
    /// Of the last failure: Failure::place.
    place: (u64, u32),
}

/// What a call is given.
enum Given {
    Slots(Vec<u64>),
    /// An anyref of the host.
    Any(u64),
    /// The function exported under that name.
    Func(String),
}

impl Side {
    fn new(name: &'static str, store: engine::Store) -> Side {
        Side {
            name,
            instance: None,
            store: Box::new(store),
            log: Box::default(),
            host_funcs: Vec::new(),
            place: (0, 0),
        }
    }

    fn host_func(&mut self, i: usize) -> Extern {
        let (_, params, results) = generate::HOST_FUNCS[i];
        let kinds = |types: &[wasm_encoder::ValType]| -> Vec<u32> {
            types.iter().map(|&ty| kind(ty)).collect()
        };
        self.host_funcs.push(Box::new(HostFunc {
            which: i,
            log: &mut *self.log,
            store: &*self.store,
        }));
        let env: *mut HostFunc = &mut **self.host_funcs.last_mut().unwrap();
        self.store
            .host_func(&kinds(params), &kinds(results), our_host, env.cast())
    }

    fn slots(&self, given: &Given) -> Vec<u64> {
        match given {
            Given::Slots(slots) => slots.clone(),
            Given::Any(host) => vec![self.store.any_from_host(*host)],
            Given::Func(name) => vec![self.export(name).of as u64],
        }
    }

    fn export(&self, name: &str) -> Extern {
        self.instance.as_ref().unwrap().export(name).unwrap()
    }

    fn failed(&mut self, failure: Failure) -> End {
        self.place = failure.place;
        our_end(failure)
    }

    fn call(
        &mut self,
        watch: &Watch,
        name: &str,
        given: &[Given],
        results: impl Iterator<Item = ValType>,
    ) -> End {
        let mut slots = given.iter().flat_map(|given| self.slots(given)).collect();
        if let Some(fuel) = self.instance.as_ref().unwrap().export("fuel") {
            fuel.global_set([u64::from(FUEL), 0]);
        }
        let func = self.export(name);
        match watch.over(&self.store, || func.call(&mut slots)) {
            Ok(()) => End::Results(our_values(&self.store, results, &slots)),
            Err(failure) => self.failed(failure),
        }
    }
}

/// One module in both engines.
struct Pair<'a> {
    bytes: &'a [u8],
    verbose: bool,
    watch: &'a Watch,
    store: wasmtime::Store<Log>,
    instance: Option<wasmtime::Instance>,
    sides: Vec<Side>,
    names: Vec<String>, // of exported functions
    counts: &'a mut Counts,
}

/// Do two ends agree? A stack that both exhaust is masked too: they need not do so at the same place.
fn compare_ends(what: &str, side: &str, ours: &End, theirs: &End) -> Result<(), Stop> {
    let same = match (ours, theirs) {
        (End::Results(a), End::Results(b)) => a == b,
        (End::Exception(a), End::Exception(b)) => a == b,
        (End::Trap(a), End::Trap(b)) => a == b && a != "call stack exhausted",
        _ => false,
    };
    if same {
        return Ok(());
    }
    match masked(RUN, &ours.to_string(), &theirs.to_string()) {
        Some(reason) => Err(Stop::Masked(reason)),
        None => Err(Stop::Difference(format!(
            "{what}\n{side}: {ours}\nwasmtime: {theirs}\n"
        ))),
    }
}

impl Pair<'_> {
    fn say(&self, text: impl FnOnce() -> String) {
        if self.verbose {
            println!("{}", text());
        }
    }

    /// For each side, and for wasmtime.
    fn imports(
        &mut self,
        module: &wasmtime::Module,
    ) -> Result<(Vec<Vec<Extern>>, Vec<wasmtime::Extern>), Stop> {
        let mut ours = vec![Vec::new(); self.sides.len()];
        let mut theirs = Vec::new();
        let (mut memory, mut table) = (None, None);
        let mut globals = vec![None; generate::HOST_GLOBALS.len()];
        let mut funcs = vec![None; generate::HOST_FUNCS.len()];
        for import in module.imports() {
            let name = import.name();
            let (our, their) = match name {
                "m" => memory.get_or_insert_with(|| self.host_memory()),
                "t" => table.get_or_insert_with(|| self.host_table()),
                _ => {
                    let global = generate::HOST_GLOBALS.iter().position(|row| row.0 == name);
                    let func = generate::HOST_FUNCS.iter().position(|row| row.0 == name);
                    match (global, func) {
                        (Some(i), _) => globals[i].get_or_insert_with(|| self.host_global(i)),
                        (_, Some(i)) => funcs[i].get_or_insert_with(|| self.host_func(i)),
                        _ => return Err(Stop::Foreign(format!("{}.{name}", import.module()))),
                    }
                }
            };
            for (ours, our) in ours.iter_mut().zip(our) {
                ours.push(*our);
            }
            theirs.push(*their);
        }
        Ok((ours, theirs.into_iter().map(Into::into).collect()))
    }

    fn host_memory(&mut self) -> (Vec<Extern>, Their) {
        let (min, max) = generate::HOST_MEMORY;
        let ty = wasmtime::MemoryType::new(min as u32, Some(max as u32));
        let theirs = wasmtime::Memory::new(&mut self.store, ty).unwrap();
        let ours = self.sides.iter().map(|side| side.store.memory(min, max));
        (ours.collect(), Their::Memory(theirs))
    }

    fn host_table(&mut self) -> (Vec<Extern>, Their) {
        let (min, max) = generate::HOST_TABLE;
        let ty = wasmtime::TableType::new(wasmtime::RefType::FUNCREF, min as u32, Some(max as u32));
        let theirs = wasmtime::Table::new(&mut self.store, ty, wasmtime::Ref::Func(None)).unwrap();
        let table = |side: &Side| side.store.table(engine::FUNCREF, min, max);
        (self.sides.iter().map(table).collect(), Their::Table(theirs))
    }

    fn host_global(&mut self, i: usize) -> (Vec<Extern>, Their) {
        let (_, ty, is_mut, bits) = generate::HOST_GLOBALS[i];
        let mutability = if is_mut {
            wasmtime::Mutability::Var
        } else {
            wasmtime::Mutability::Const
        };
        let value = val(&their_type(ty), Value::Bits(bits));
        let ty_theirs = wasmtime::GlobalType::new(their_type(ty), mutability);
        let theirs = wasmtime::Global::new(&mut self.store, ty_theirs, value).unwrap();
        let global = |side: &Side| side.store.global(kind(ty), is_mut, bits);
        (
            self.sides.iter().map(global).collect(),
            Their::Global(theirs),
        )
    }

    fn host_func(&mut self, i: usize) -> (Vec<Extern>, Their) {
        let (name, params, results) = generate::HOST_FUNCS[i];
        let ours = self.sides.iter_mut().map(|side| side.host_func(i)).collect();
        let ty = wasmtime::FuncType::new(
            self.store.engine(),
            params.iter().map(|&ty| their_type(ty)),
            results.iter().map(|&ty| their_type(ty)),
        );
        let theirs = wasmtime::Func::new(&mut self.store, ty, move |mut caller, args, rets| {
            let vals = args;
            let args: Vec<Value> = vals
                .iter()
                .map(|val| their_value(&mut caller, val))
                .collect();
            let values = host_results(caller.data_mut(), i, &args, results);
            if is_trap(name, &args) {
                return Err(wasmtime::Error::msg(HOST_TRAP));
            }
            if echoes(params, results) {
                rets[0] = vals[0];
                return Ok(());
            }
            for ((ret, ty), value) in rets.iter_mut().zip(results).zip(values) {
                *ret = val(&their_type(*ty), value);
            }
            Ok(())
        });
        (ours, Their::Func(theirs))
    }

    fn instantiate(
        &mut self,
        our_module: &engine::Module,
        module: &wasmtime::Module,
    ) -> Result<(), Stop> {
        let (our_imports, imports) = self.imports(module)?;
        let mut ours = Vec::new();
        for (side, imports) in self.sides.iter_mut().zip(&our_imports) {
            let instance = self
                .watch
                .over(&side.store, || side.store.instance(our_module, imports));
            ours.push(match instance {
                Ok(instance) => {
                    side.instance = Some(instance);
                    End::Results(Vec::new())
                }
                Err(failure) => side.failed(failure),
            });
        }
        let theirs = wasmtime::Instance::new(&mut self.store, module, &imports);
        let theirs = match theirs {
            Ok(instance) => {
                self.instance = Some(instance);
                End::Results(Vec::new())
            }
            Err(err) => their_end(err),
        };
        self.compare_all("instantiate", ours, theirs).map(|_| ())
    }

    /// How a call ended on each side. Returns it.
    fn compare_all(&mut self, what: &str, ours: Vec<End>, theirs: End) -> Result<End, Stop> {
        let (ours, theirs) = self.exceptions(ours, theirs);
        self.say(|| what.to_string());
        for (side, ours) in self.sides.iter().zip(&ours) {
            self.say(|| format!("    {}: {ours}", side.name));
        }
        self.say(|| format!("    wasmtime: {theirs}"));
        for (side, ours) in self.sides.iter().zip(&ours) {
            compare_ends(what, side.name, ours, &theirs)?;
        }
        if let [a, b, ..] = &self.sides[..] {
            if matches!(theirs, End::Trap(_) | End::Exception(_)) && a.place != b.place {
                if a.place.1 == b.place.1 && are_accesses(self.bytes, [a.place.0, b.place.0]) {
                    self.counts.add(MERGED, 1);
                    return Ok(theirs);
                }
                return Err(Stop::Difference(format!(
                    "{what}: {theirs}\n{}: at {:x?}\n{}: at {:x?}\n",
                    a.name, a.place, b.name, b.place
                )));
            }
        }
        Ok(theirs)
    }

    /// Take what is thrown on both sides, with its arguments.
    fn exceptions(&mut self, mut ours: Vec<End>, mut theirs: End) -> (Vec<End>, End) {
        let mut types: Vec<ValType> = Vec::new();
        if let End::Exception(values) = &mut theirs {
            let mut scope = wasmtime::RootScope::new(&mut self.store);
            let exn = scope.as_context_mut().take_pending_exception().unwrap();
            let ty = exn.tag(&mut scope).unwrap().ty(&scope);
            types = ty.ty().params().collect();
            for i in 0..types.len() {
                let val = exn.field(&mut scope, i).unwrap();
                values.push(their_value(&mut scope, &val));
            }
        }
        for (side, ours) in self.sides.iter().zip(&mut ours) {
            if let End::Exception(values) = ours {
                // Room for the arguments of any tag.
                let slots = side.store.catch(4000);
                *values = our_values(&side.store, types.iter().cloned(), &slots);
            }
        }
        (ours, theirs)
    }

    /// A value for both sides; None where there is none. An anyref of the host is made once: making another would
    /// move it.
    fn argument(
        &mut self,
        ty: &ValType,
        has_any: &mut bool,
        rng: &mut Rng,
    ) -> Option<(Val, Given)> {
        let ValType::Ref(wanted) = ty else {
            let value = number(ty, rng)?;
            let slots = match value {
                Value::Bits(bits) => vec![bits],
                Value::V128(bits) => vec![bits as u64, (bits >> 64) as u64],
                Value::Ref(_) => unreachable!(),
            };
            return Some((val(ty, value), Given::Slots(slots)));
        };
        if wanted.is_nullable() && rng.chance(1, 3) {
            return Some((Val::null_ref(wanted.heap_type()), Given::Slots(vec![0])));
        }
        let host = 1 + rng.below(1000) as u64;
        match wanted.heap_type() {
            HeapType::Extern => {
                let outside = ExternRef::new(&mut self.store, host).unwrap();
                return Some((outside.into(), Given::Slots(vec![host])));
            }
            HeapType::Any if !*has_any => {
                *has_any = true;
                let outside = ExternRef::new(&mut self.store, host).unwrap();
                let any = AnyRef::convert_extern(&mut self.store, outside).unwrap();
                return Some((any.into(), Given::Any(host)));
            }
            _ => {}
        }
        if let HeapType::Func = wanted.heap_type().top() {
            let func = self.names.iter().find_map(|name| {
                let func = self.instance.unwrap().get_func(&mut self.store, name)?;
                let val = Val::FuncRef(Some(func));
                val.matches_ty(&self.store, ty)
                    .unwrap()
                    .then(|| (val, name))
            });
            if let Some((val, name)) = func {
                return Some((val, Given::Func(name.clone())));
            }
        }
        let null = (Val::null_ref(wanted.heap_type()), Given::Slots(vec![0]));
        wanted.is_nullable().then_some(null)
    }

    fn call(&mut self, name: &str, rng: &mut Rng) -> Result<(), Stop> {
        let func = self
            .instance
            .unwrap()
            .get_func(&mut self.store, name)
            .unwrap();
        let ty = func.ty(&self.store);
        let (mut args, mut given, mut has_any) = (Vec::new(), Vec::new(), false);
        for ty in ty.params() {
            let Some((val, ours)) = self.argument(&ty, &mut has_any, rng) else {
                self.counts.add("functions without an argument to give", 1);
                return Ok(());
            };
            args.push(val);
            given.push(ours);
        }
        let fuel = self.instance.unwrap().get_global(&mut self.store, "fuel");
        if let Some(fuel) = fuel {
            let value = Val::I32(FUEL as i32);
            fuel.set(&mut self.store, value).unwrap();
        }
        let mut ours = Vec::new();
        for side in &mut self.sides {
            ours.push(side.call(self.watch, name, &given, ty.results()));
        }
        let mut results = vec![Val::I32(0); ty.results().len()];
        let theirs = func.call(&mut self.store, &args, &mut results);
        let theirs = match theirs {
            Ok(()) => End::Results(
                results
                    .iter()
                    .map(|val| their_value(&mut self.store, val))
                    .collect(),
            ),
            Err(err) => their_end(err),
        };
        let what = format!("call {name} {args:?}");
        let end = self.compare_all(&what, ours, theirs)?;
        self.counts.add(
            &match end {
                End::Results(_) => "calls that return alike".into(),
                End::Exception(_) => "calls that throw alike".into(),
                _ => format!("calls that trap alike: {end}"),
            },
            1,
        );
        self.compare_state(&what)
    }

    /// All that can be seen from outside.
    fn compare_state(&mut self, what: &str) -> Result<(), Stop> {
        for side in &mut self.sides {
            if *side.log != *self.store.data() {
                return Err(Stop::Difference(format!(
                    "calls of the host after {what}\n{}: {:x?}\nwasmtime: {:x?}\n",
                    side.name,
                    side.log,
                    self.store.data()
                )));
            }
            side.log.clear();
        }
        self.store.data_mut().clear();

        let instance = self.instance.unwrap();
        let exports: Vec<(String, wasmtime::Extern)> = instance
            .exports(&mut self.store)
            .map(|export| (export.name().to_string(), export.into_extern()))
            .collect();
        for (name, export) in exports {
            for side in &self.sides {
                compare_export(&mut self.store, side, &name, &export).map_err(
                    |(thing, ours, theirs)| {
                        Stop::Difference(format!(
                            "{thing} after {what}\n{}: {ours}\nwasmtime: {theirs}\n",
                            side.name
                        ))
                    },
                )?;
            }
        }
        Ok(())
    }
}

/// Fails with the thing that differs, and what it is on each side.
fn compare_export(
    store: &mut wasmtime::Store<Log>,
    side: &Side,
    name: &str,
    export: &wasmtime::Extern,
) -> Result<(), (String, String, String)> {
    let differ = |thing: String, a: String, b: String| Err((thing, a, b));
    let ours = side.export(name);
    match export {
        wasmtime::Extern::Global(global) => {
            let ty = global.ty(&*store);
            let types = std::iter::once(ty.content().clone());
            let a = our_values(&side.store, types, &ours.global_get());
            let mut scope = wasmtime::RootScope::new(store);
            let val = global.get(&mut scope);
            let b = their_value(&mut scope, &val);
            if a[0] != b {
                return differ(name.into(), format!("{:x?}", a[0]), format!("{b:x?}"));
            }
        }
        wasmtime::Extern::Memory(memory) => {
            let (a, b) = (ours.memory_bytes(), memory.data(&*store));
            if a.len() != b.len() {
                return differ(name.into(), a.len().to_string(), b.len().to_string());
            }
            if a != b {
                let at = a.iter().zip(b).position(|(a, b)| a != b).unwrap();
                return differ(
                    format!("{name} at 0x{at:x}"),
                    format!("{:x?}", &a[at..(at + 16).min(a.len())]),
                    format!("{:x?}", &b[at..(at + 16).min(b.len())]),
                );
            }
        }
        wasmtime::Extern::Table(table) => {
            let (a, b) = (ours.table_size(), table.size(&*store));
            if a != b {
                return differ(name.into(), a.to_string(), b.to_string());
            }
            let kind = ref_kind(table.ty(&*store).element());
            let mut scope = wasmtime::RootScope::new(store);
            for i in 0..a {
                let val = table.get(&mut scope, i).unwrap().into();
                let a = Value::Ref(side.store.reference(kind, ours.table_get(i)));
                let b = their_value(&mut scope, &val);
                if a != b {
                    let thing = format!("{name}[{i}]");
                    return differ(thing, format!("{a:x?}"), format!("{b:x?}"));
                }
            }
        }
        _ => {}
    }
    Ok(())
}

/// A host's thing in wasmtime, which can be copied.
#[derive(Clone, Copy)]
enum Their {
    Func(wasmtime::Func),
    Table(wasmtime::Table),
    Memory(wasmtime::Memory),
    Global(wasmtime::Global),
}

impl From<Their> for wasmtime::Extern {
    fn from(their: Their) -> wasmtime::Extern {
        match their {
            Their::Func(func) => func.into(),
            Their::Table(table) => table.into(),
            Their::Memory(memory) => memory.into(),
            Their::Global(global) => global.into(),
        }
    }
}

/// enum we_kind of a reference.
fn ref_kind(ty: &wasmtime::RefType) -> u32 {
    match ty.heap_type().top() {
        HeapType::Func => engine::FUNCREF,
        HeapType::Extern => engine::EXTERNREF,
        HeapType::Exn => engine::EXNREF,
        _ => engine::ANYREF,
    }
}

fn our_values(
    store: &engine::Store,
    types: impl Iterator<Item = ValType>,
    slots: &[u64],
) -> Vec<Value> {
    let mut slots = slots.iter().copied();
    let mut slot = || slots.next().unwrap();
    types
        .map(|ty| match ty {
            ValType::I32 | ValType::F32 => Value::Bits(slot() & 0xffff_ffff),
            ValType::I64 | ValType::F64 => Value::Bits(slot()),
            ValType::V128 => Value::V128(u128::from(slot()) | u128::from(slot()) << 64),
            ValType::Ref(ty) => Value::Ref(store.reference(ref_kind(&ty), slot())),
        })
        .collect()
}

/// An edge value or a random one; None for references.
fn number(ty: &ValType, rng: &mut Rng) -> Option<Value> {
    const EDGES: [u64; 12] = [
        0,
        1,
        2,
        0x7f,
        0xffff,
        0x7fff_ffff,
        0x8000_0000,
        0xffff_ffff,
        0x1_0000_0000,
        i64::MAX as u64,
        i64::MIN as u64,
        u64::MAX,
    ];
    const FLOATS: [f64; 10] = [
        0.0,
        -0.0,
        1.0,
        -1.5,
        f64::INFINITY,
        f64::NEG_INFINITY,
        4294967296.0,
        -2147483649.0,
        1e300,
        5e-324,
    ];
    let random = rng.chance(1, 3);
    Some(match ty {
        ValType::I32 if random => Value::Bits(rng.next() & 0xffff_ffff),
        ValType::I32 => Value::Bits(*rng.pick(&EDGES) & 0xffff_ffff),
        ValType::I64 if random => Value::Bits(rng.next()),
        ValType::I64 => Value::Bits(*rng.pick(&EDGES)),
        ValType::F32 => Value::Bits(u64::from((*rng.pick(&FLOATS) as f32).to_bits())),
        ValType::F64 => Value::Bits(rng.pick(&FLOATS).to_bits()),
        ValType::V128 => Value::V128(u128::from(rng.next()) << 64 | u128::from(rng.next())),
        ValType::Ref(_) => return None,
    })
}

/// Native code of a kind that follows from the number.
fn publish(
    module: &engine::Module,
    number: u64,
    bytes: &[u8],
    counts: &mut Counts,
) -> Result<(), Stop> {
    let start = Instant::now();
    let result = module.publish(number);
    counts.add("us of the compiler", start.elapsed().as_micros() as u64);
    match result {
        Ok(true) => counts.add("modules with native code", 1),
        Ok(false) => {}
        Err(failure) if failure.word == "unsupported" => {
            counts.add("modules beyond limits of the compiler", 1)
        }
        Err(failure) => return Err(Stop::Difference(format!("compiler: {failure}\n"))),
    }
    if !engine::is_deterministic(number) && has_relaxed(bytes) {
        return Err(Stop::Masked(FREE_RELAXED));
    }
    Ok(())
}

/// Compare one module, with arguments that follow from its bytes; what happened goes to counts.
fn compare(
    engines: &Engines,
    watch: &Watch,
    bytes: &[u8],
    how: How,
    counts: &mut Counts,
) -> Result<(), Stop> {
    let hash = bytes.iter().fold(0u64, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    });
    let mut rng = Rng::new(hash, 0);
    // A module's types live as long as the engine: a new one for each.
    let gc_stress = hash & 3 == 0;
    if gc_stress {
        counts.add("modules run with a collection at every allocation", 1);
    }
    let ours = Engine::new(gc_stress);
    let our_module = ours.module(bytes);
    let module = wasmtime::Module::new(&engines.theirs, bytes);
    let (our_module, module) = match (our_module, module) {
        (Ok(our_module), Ok(module)) => (our_module, module),
        (Err(failure), Ok(_)) => {
            let text = failure.to_string();
            return Err(match masked(RUN, &text, crate::limits::ACCEPTS) {
                Some(reason) => Stop::Masked(reason),
                None => Stop::Difference(format!("ours: {text}\nwasmtime: accepts\n")),
            });
        }
        (Ok(_), Err(err)) => {
            let text = format!("{err:#}");
            return Err(match masked(RUN, crate::limits::ACCEPTS, &text) {
                Some(reason) => Stop::Masked(reason),
                None => Stop::Difference(format!("ours: accepts\nwasmtime: {text}\n")),
            });
        }
        (Err(_), Err(_)) => return Err(Stop::Refused),
    };
    let mut sides = vec![Side::new("interpreter", ours.store(true))];
    if how.native {
        sides.push(Side::new("native", ours.store(false)));
        publish(&our_module, hash >> 8, bytes, counts)?;
    }
    let mut pair = Pair {
        bytes,
        verbose: how.verbose,
        watch,
        store: wasmtime::Store::new(&engines.theirs, Log::new()),
        instance: None,
        sides,
        names: module
            .exports()
            .filter(|export| export.ty().func().is_some())
            .map(|export| export.name().to_string())
            .collect(),
        counts,
    };
    pair.instantiate(&our_module, &module)?;
    if pair.instance.is_none() {
        pair.counts.add("instantiations that trap alike", 1);
        return Ok(());
    }
    pair.compare_state("instantiation")?;
    let names = pair.names.clone();
    for _ in 0..ARGUMENTS {
        for name in &names {
            pair.call(name, &mut rng)?;
        }
    }
    Ok(())
}

// ---- hangs --------------------------------------------------------------------------------------

/// Ends what this engine runs for too long: the module would have to end by its fuel.
#[derive(Default)]
struct Watch(Mutex<Option<(Instant, Interrupter)>>);

impl Watch {
    fn over<T>(&self, store: &engine::Store, f: impl FnOnce() -> T) -> T {
        *self.0.lock().unwrap() = Some((Instant::now(), store.interrupter()));
        let result = f();
        *self.0.lock().unwrap() = None;
        result
    }

    fn look(&self) {
        // The lock is held: the store lives.
        if let Some((since, store)) = *self.0.lock().unwrap() {
            if since.elapsed() > HANG {
                unsafe { store.interrupt(store.entry()) };
            }
        }
    }
}

fn with_watch(f: impl FnOnce(&Watch)) {
    let (watch, is_over) = (Watch::default(), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                watch.look();
                std::thread::park_timeout(Duration::from_secs(1));
            }
        });
        let done = catch_unwind(AssertUnwindSafe(|| f(&watch)));
        // Whatever became of it, or else the scope waits for ever.
        is_over.store(true, Ordering::Relaxed);
        watcher.thread().unpark();
        if let Err(panic) = done {
            resume_unwind(panic);
        }
    });
}

// ---- the part of a soak -------------------------------------------------------------------------

fn one(
    engines: &Engines,
    watch: &Watch,
    name: &str,
    subject: &Subject,
    native: bool,
    slot: &mut Slot,
) {
    let how = How {
        native,
        verbose: false,
    };
    slot.begin(&subject.bytes);
    let result = catch_unwind(AssertUnwindSafe(|| {
        compare(engines, watch, &subject.bytes, how, &mut slot.counts)
    }));
    slot.counts.add("modules", 1);
    slot.counts.add("module bytes", subject.bytes.len() as u64);
    slot.counts.add("body bytes", subject.body_bytes as u64);
    slot.counts.add("bodies", subject.n_bodies as u64);
    match result {
        Ok(Ok(())) => slot.counts.add("modules compared to the end", 1),
        Ok(Err(Stop::Masked(reason))) => slot.counts.add(&format!("masked: {reason}"), 1),
        Ok(Err(Stop::Refused)) => slot.counts.add("modules that both refuse", 1),
        Ok(Err(Stop::Difference(_))) if has_loose_nans(&subject.bytes) => {
            slot.counts.add(&format!("masked: {LOOSE_NANS}"), 1)
        }
        Ok(Err(Stop::Difference(text))) => slot.difference(name, &subject.bytes, &text),
        Ok(Err(Stop::Foreign(import))) => {
            slot.difference(name, &subject.bytes, &format!("imports {import}\n"))
        }
        Err(_) => slot.difference(name, &subject.bytes, "panic\n"),
    }
}

/// Which modules, and how they are run.
#[derive(Clone, Copy, PartialEq)]
pub enum Part {
    /// Large ones.
    Run,
    /// Most of them smaller: as native code, too.
    Tiers,
    /// Of short functions, one in four as native code, too: that takes most of the time.
    Short,
}

impl Part {
    fn name(self) -> &'static str {
        match self {
            Part::Run => "run",
            Part::Tiers => "tiers",
            Part::Short => "short",
        }
    }

    fn is_native(self, rng: &mut Rng) -> bool {
        match self {
            Part::Run => false,
            Part::Tiers => true,
            Part::Short => rng.chance(1, 4),
        }
    }

    fn subject(self, rng: &mut Rng) -> Option<Subject> {
        match self {
            Part::Run => generate::subject(rng, false),
            Part::Tiers => {
                let is_small = !rng.chance(1, 32);
                generate::subject(rng, is_small)
            }
            Part::Short => Some(short::subject(rng)),
        }
    }
}

pub fn run(options: &Options, part: Part) -> bool {
    let engines = Engines::new();
    campaign::run(part.name(), options, |number, slot| {
        with_watch(|watch| {
            let mut rng = Rng::new(options.seed, number);
            let mut n = 0;
            while n < EPOCH {
                match catch_unwind(AssertUnwindSafe(|| part.subject(&mut rng))) {
                    Ok(Some(subject)) => {
                        let name = format!("{}-{number}-{n}", options.seed);
                        let native = part.is_native(&mut rng);
                        one(&engines, watch, &name, &subject, native, slot);
                        n += 1;
                    }
                    Ok(None) => slot.counts.add("not generated", 1),
                    Err(_) => slot.counts.add("panics of the generator", 1),
                }
            }
        });
    })
}

/// Writes the modules of the first epoch.
pub fn generate(options: &Options) {
    let mut rng = Rng::new(options.seed, 0);
    let mut n = 0;
    while n < EPOCH {
        if let Ok(Some(subject)) = catch_unwind(AssertUnwindSafe(|| Part::Run.subject(&mut rng))) {
            let name = format!("run-{}-0-{n}.wasm", options.seed);
            std::fs::write(options.dir.join(name), subject.bytes).unwrap();
            n += 1;
        }
    }
}

/// Both engines on one module, aloud. Returns true when they agree.
pub fn replay(bytes: &[u8]) -> bool {
    let engines = Engines::new();
    let how = How {
        native: true,
        verbose: true,
    };
    let mut agree = false;
    with_watch(
        |watch| match compare(&engines, watch, bytes, how, &mut Counts::default()) {
            Ok(()) => {
                println!("no difference");
                agree = true;
            }
            Err(Stop::Masked(reason)) => println!("masked: {reason}"),
            Err(Stop::Refused) => println!("refused by both"),
            Err(Stop::Difference(text)) => println!("difference: {text}"),
            Err(Stop::Foreign(import)) => println!("not run: it imports {import}"),
        },
    );
    agree
}
