// SPDX-License-Identifier: BSD-3-Clause
//! The same module in this engine and in wasmtime: are results, traps, calls of the host, globals, memories and tables
//! the same after every call?
use crate::campaign::{self, Counts, Options, Slot};
use crate::engine::{self, Engine, Extern, Failure, Interrupter, Ref, WeError};
use crate::features;
use crate::generate::{self, Subject, FUEL};
use crate::limits::{has_loose_nans, masked, LOOSE_NANS, RUN};
use crate::rng::Rng;
use std::ffi::{c_int, c_void};
use std::panic::{catch_unwind, AssertUnwindSafe};
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

/// Why a module was not compared to the end.
enum Stop {
    Masked(&'static str),
    Difference(String),
    /// By both: nothing to compare.
    Refused,
}

/// One module in both engines.
struct Pair<'a> {
    verbose: bool,
    watch: &'a Watch,
    store: wasmtime::Store<Log>,
    instance: Option<wasmtime::Instance>,
    ours: Option<engine::Instance>,
    our_store: Box<engine::Store>,
    our_log: Box<Log>,
    host_funcs: Vec<Box<HostFunc>>,
    names: Vec<String>, // of exported functions
    counts: &'a mut Counts,
}

/// Do two ends agree? A stack that both exhaust is masked too: they need not do so at the same place.
fn compare_ends(what: &str, ours: &End, theirs: &End) -> Result<(), Stop> {
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
            "{what}\nours: {ours}\nwasmtime: {theirs}\n"
        ))),
    }
}

impl Pair<'_> {
    fn say(&self, text: impl FnOnce() -> String) {
        if self.verbose {
            println!("{}", text());
        }
    }

    fn imports(&mut self, module: &wasmtime::Module) -> (Vec<Extern>, Vec<wasmtime::Extern>) {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        let (mut memory, mut table) = (None, None);
        let mut globals = vec![None; generate::HOST_GLOBALS.len()];
        let mut funcs = vec![None; generate::HOST_FUNCS.len()];
        for import in module.imports() {
            let name = import.name();
            let (our, their) = match name {
                "m" => *memory.get_or_insert_with(|| self.host_memory()),
                "t" => *table.get_or_insert_with(|| self.host_table()),
                _ => {
                    let global = generate::HOST_GLOBALS.iter().position(|row| row.0 == name);
                    let func = generate::HOST_FUNCS.iter().position(|row| row.0 == name);
                    match (global, func) {
                        (Some(i), _) => *globals[i].get_or_insert_with(|| self.host_global(i)),
                        (_, Some(i)) => *funcs[i].get_or_insert_with(|| self.host_func(i)),
                        _ => unreachable!("wasm-smith imports what there is"),
                    }
                }
            };
            ours.push(our);
            theirs.push(their);
        }
        (ours, theirs.into_iter().map(Into::into).collect())
    }

    fn host_memory(&mut self) -> (Extern, Their) {
        let (min, max) = generate::HOST_MEMORY;
        let ty = wasmtime::MemoryType::new(min as u32, Some(max as u32));
        let theirs = wasmtime::Memory::new(&mut self.store, ty).unwrap();
        (self.our_store.memory(min, max), Their::Memory(theirs))
    }

    fn host_table(&mut self) -> (Extern, Their) {
        let (min, max) = generate::HOST_TABLE;
        let ty = wasmtime::TableType::new(wasmtime::RefType::FUNCREF, min as u32, Some(max as u32));
        let theirs = wasmtime::Table::new(&mut self.store, ty, wasmtime::Ref::Func(None)).unwrap();
        (
            self.our_store.table(engine::FUNCREF, min, max),
            Their::Table(theirs),
        )
    }

    fn host_global(&mut self, i: usize) -> (Extern, Their) {
        let (_, ty, is_mut, bits) = generate::HOST_GLOBALS[i];
        let mutability = if is_mut {
            wasmtime::Mutability::Var
        } else {
            wasmtime::Mutability::Const
        };
        let value = val(&their_type(ty), Value::Bits(bits));
        let ty_theirs = wasmtime::GlobalType::new(their_type(ty), mutability);
        let theirs = wasmtime::Global::new(&mut self.store, ty_theirs, value).unwrap();
        (
            self.our_store.global(kind(ty), is_mut, bits),
            Their::Global(theirs),
        )
    }

    fn host_func(&mut self, i: usize) -> (Extern, Their) {
        let (name, params, results) = generate::HOST_FUNCS[i];
        let kinds = |types: &[wasm_encoder::ValType]| -> Vec<u32> {
            types.iter().map(|&ty| kind(ty)).collect()
        };
        self.host_funcs.push(Box::new(HostFunc {
            which: i,
            log: &mut *self.our_log,
            store: &*self.our_store,
        }));
        let env: *mut HostFunc = &mut **self.host_funcs.last_mut().unwrap();
        let ours = self
            .our_store
            .host_func(&kinds(params), &kinds(results), our_host, env.cast());
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
        let (our_imports, imports) = self.imports(module);
        let ours = self.watch.over(&self.our_store, || {
            self.our_store.instance(our_module, &our_imports)
        });
        let theirs = wasmtime::Instance::new(&mut self.store, module, &imports);
        let ours = match ours {
            Ok(instance) => {
                self.ours = Some(instance);
                End::Results(Vec::new())
            }
            Err(failure) => our_end(failure),
        };
        let theirs = match theirs {
            Ok(instance) => {
                self.instance = Some(instance);
                End::Results(Vec::new())
            }
            Err(err) => their_end(err),
        };
        let (ours, theirs) = self.exceptions(ours, theirs);
        self.say(|| format!("instantiate\n    ours: {ours}\n    wasmtime: {theirs}"));
        compare_ends("instantiate", &ours, &theirs)
    }

    /// Take what is thrown on both sides, with its arguments.
    fn exceptions(&mut self, mut ours: End, mut theirs: End) -> (End, End) {
        let mut types = Vec::new();
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
        if let End::Exception(values) = &mut ours {
            // Room for the arguments of any tag.
            let slots = self.our_store.catch(4000);
            *values = our_values(&self.our_store, types.into_iter(), &slots);
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
    ) -> Option<(Val, Vec<u64>)> {
        let ValType::Ref(wanted) = ty else {
            let value = number(ty, rng)?;
            let slots = match value {
                Value::Bits(bits) => vec![bits],
                Value::V128(bits) => vec![bits as u64, (bits >> 64) as u64],
                Value::Ref(_) => unreachable!(),
            };
            return Some((val(ty, value), slots));
        };
        if wanted.is_nullable() && rng.chance(1, 3) {
            return Some((Val::null_ref(wanted.heap_type()), vec![0]));
        }
        let host = 1 + rng.below(1000) as u64;
        match wanted.heap_type() {
            HeapType::Extern => {
                let outside = ExternRef::new(&mut self.store, host).unwrap();
                return Some((outside.into(), vec![host]));
            }
            HeapType::Any if !*has_any => {
                *has_any = true;
                let outside = ExternRef::new(&mut self.store, host).unwrap();
                let any = AnyRef::convert_extern(&mut self.store, outside).unwrap();
                return Some((any.into(), vec![self.our_store.any_from_host(host)]));
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
                let ours = self.ours.as_ref().unwrap().export(name).unwrap();
                return Some((val, vec![ours.of as u64]));
            }
        }
        let null = (Val::null_ref(wanted.heap_type()), vec![0]);
        wanted.is_nullable().then_some(null)
    }

    fn call(&mut self, name: &str, rng: &mut Rng) -> Result<(), Stop> {
        let func = self
            .instance
            .unwrap()
            .get_func(&mut self.store, name)
            .unwrap();
        let ty = func.ty(&self.store);
        let (mut args, mut slots, mut has_any) = (Vec::new(), Vec::new(), false);
        for ty in ty.params() {
            let Some((val, slot)) = self.argument(&ty, &mut has_any, rng) else {
                self.counts.add("functions without an argument to give", 1);
                return Ok(());
            };
            args.push(val);
            slots.extend(slot);
        }
        let ours = self.ours.as_ref().unwrap();
        if let Some(fuel) = ours.export("fuel") {
            fuel.global_set([u64::from(FUEL), 0]);
            let fuel = self.instance.unwrap().get_global(&mut self.store, "fuel");
            let value = Val::I32(FUEL as i32);
            fuel.unwrap().set(&mut self.store, value).unwrap();
        }
        let our_func = ours.export(name).unwrap();
        let ours = self
            .watch
            .over(&self.our_store, || our_func.call(&mut slots));
        let mut results = vec![Val::I32(0); ty.results().len()];
        let theirs = func.call(&mut self.store, &args, &mut results);

        let ours = match ours {
            Ok(()) => End::Results(our_values(&self.our_store, ty.results(), &slots)),
            Err(failure) => our_end(failure),
        };
        let theirs = match theirs {
            Ok(()) => End::Results(
                results
                    .iter()
                    .map(|val| their_value(&mut self.store, val))
                    .collect(),
            ),
            Err(err) => their_end(err),
        };
        let (ours, theirs) = self.exceptions(ours, theirs);
        let what = format!("call {name} {args:?}");
        self.say(|| format!("{what}\n    ours: {ours}\n    wasmtime: {theirs}"));
        compare_ends(&what, &ours, &theirs)?;
        self.counts.add(
            &match ours {
                End::Results(_) => "calls that return alike".into(),
                End::Exception(_) => "calls that throw alike".into(),
                _ => format!("calls that trap alike: {ours}"),
            },
            1,
        );
        self.compare_state(&what)
    }

    /// All that can be seen from outside.
    fn compare_state(&mut self, what: &str) -> Result<(), Stop> {
        let ours = self.ours.as_ref().unwrap();
        let differ = |thing: &str, a: String, b: String| {
            Err(Stop::Difference(format!(
                "{thing} after {what}\nours: {a}\nwasmtime: {b}\n"
            )))
        };
        if *self.our_log != *self.store.data() {
            return differ(
                "calls of the host",
                format!("{:x?}", self.our_log),
                format!("{:x?}", self.store.data()),
            );
        }
        self.our_log.clear();
        self.store.data_mut().clear();

        let instance = self.instance.unwrap();
        let exports: Vec<(String, wasmtime::Extern)> = instance
            .exports(&mut self.store)
            .map(|export| (export.name().to_string(), export.into_extern()))
            .collect();
        for (name, export) in exports {
            let ours = ours.export(&name).unwrap();
            match export {
                wasmtime::Extern::Global(global) => {
                    let ty = global.ty(&self.store);
                    let types = std::iter::once(ty.content().clone());
                    let a = our_values(&self.our_store, types, &ours.global_get());
                    let mut scope = wasmtime::RootScope::new(&mut self.store);
                    let val = global.get(&mut scope);
                    let b = their_value(&mut scope, &val);
                    if a[0] != b {
                        return differ(&name, format!("{:x?}", a[0]), format!("{b:x?}"));
                    }
                }
                wasmtime::Extern::Memory(memory) => {
                    let (a, b) = (ours.memory_bytes(), memory.data(&self.store));
                    if a.len() != b.len() {
                        return differ(&name, a.len().to_string(), b.len().to_string());
                    }
                    if a != b {
                        let at = a.iter().zip(b).position(|(a, b)| a != b).unwrap();
                        return differ(
                            &format!("{name} at 0x{at:x}"),
                            format!("{:x?}", &a[at..(at + 16).min(a.len())]),
                            format!("{:x?}", &b[at..(at + 16).min(b.len())]),
                        );
                    }
                }
                wasmtime::Extern::Table(table) => {
                    let (a, b) = (ours.table_size(), table.size(&self.store));
                    if a != b {
                        return differ(&name, a.to_string(), b.to_string());
                    }
                    let kind = ref_kind(table.ty(&self.store).element());
                    let mut scope = wasmtime::RootScope::new(&mut self.store);
                    for i in 0..a {
                        let val = table.get(&mut scope, i).unwrap().into();
                        let a = Value::Ref(self.our_store.reference(kind, ours.table_get(i)));
                        let b = their_value(&mut scope, &val);
                        if a != b {
                            let what = format!("{name}[{i}]");
                            return differ(&what, format!("{a:x?}"), format!("{b:x?}"));
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }
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

/// Compare one module, with arguments that follow from its bytes; what happened goes to counts.
fn compare(
    engines: &Engines,
    watch: &Watch,
    bytes: &[u8],
    verbose: bool,
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
    let mut pair = Pair {
        verbose,
        watch,
        store: wasmtime::Store::new(&engines.theirs, Log::new()),
        instance: None,
        ours: None,
        our_store: Box::new(ours.store()),
        our_log: Box::default(),
        host_funcs: Vec::new(),
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
        f(&watch);
        is_over.store(true, Ordering::Relaxed);
        watcher.thread().unpark();
    });
}

// ---- the part of a soak -------------------------------------------------------------------------

fn one(engines: &Engines, watch: &Watch, name: &str, subject: &Subject, slot: &mut Slot) {
    slot.begin(&subject.bytes);
    let result = catch_unwind(AssertUnwindSafe(|| {
        compare(engines, watch, &subject.bytes, false, &mut slot.counts)
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
        Err(_) => slot.difference(name, &subject.bytes, "panic\n"),
    }
}

pub fn run(options: &Options) -> bool {
    let engines = Engines::new();
    campaign::run("run", options, |number, slot| {
        with_watch(|watch| {
            let mut rng = Rng::new(options.seed, number);
            let mut n = 0;
            while n < EPOCH {
                let generated = catch_unwind(AssertUnwindSafe(|| generate::subject(&mut rng)));
                match generated {
                    Ok(Some(subject)) => {
                        let name = format!("{}-{number}-{n}", options.seed);
                        one(&engines, watch, &name, &subject, slot);
                        n += 1;
                    }
                    Ok(None) => slot.counts.add("not generated", 1),
                    Err(_) => slot.counts.add("panics of wasm-smith", 1),
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
        let generated = catch_unwind(AssertUnwindSafe(|| generate::subject(&mut rng)));
        if let Ok(Some(subject)) = generated {
            let name = format!("run-{}-0-{n}.wasm", options.seed);
            std::fs::write(options.dir.join(name), subject.bytes).unwrap();
            n += 1;
        }
    }
}

/// Both engines on one module, aloud. Returns true when they agree.
pub fn replay(bytes: &[u8]) -> bool {
    let engines = Engines::new();
    let mut agree = false;
    with_watch(
        |watch| match compare(&engines, watch, bytes, true, &mut Counts::default()) {
            Ok(()) => {
                println!("no difference");
                agree = true;
            }
            Err(Stop::Masked(reason)) => println!("masked: {reason}"),
            Err(Stop::Refused) => println!("refused by both"),
            Err(Stop::Difference(text)) => println!("difference: {text}"),
        },
    );
    agree
}
