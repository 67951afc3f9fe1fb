// SPDX-License-Identifier: BSD-3-Clause
//! wasm-engine/include/we.h by hand, and owners for what it creates. Layouts are pinned by shim.c.
use std::ffi::{c_char, c_int, c_void, CStr};
use std::mem::{offset_of, size_of};
use std::ptr::null_mut;

#[repr(C)]
struct Bytes {
    data: *const u8,
    len: usize,
}

#[repr(C)]
pub struct WeError {
    pub rc: i32,
    pub trap: u32,
    offset: u64,
    func: u32,
    msg: [u8; 236],
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct Extern {
    pub kind: u32,
    pub of: *mut c_void,
}

pub type HostFn = extern "C" fn(*mut c_void, *mut u64, *mut WeError) -> c_int;

extern "C" {
    static oracle_pins: [usize; 8];
    fn we_error_trap(
        err: *mut WeError,
        trap: u32,
        offset: u64,
        func: u32,
        fmt: *const c_char,
        ...
    ) -> c_int;
    fn we_failure_word(rc: c_int) -> *const c_char;
    fn we_trap_text(trap: u32) -> *const c_char;
    fn oracle_engine_create(gc_stress: bool, ret: *mut *mut c_void, err: *mut WeError) -> c_int;
    fn we_engine_destroy(engine: *mut c_void);
    fn we_functype_create(
        engine: *mut c_void,
        params: *const u32,
        n_params: u32,
        results: *const u32,
        n_results: u32,
        ret: *mut *const c_void,
        err: *mut WeError,
    ) -> c_int;
    fn we_functype_n_slots(ty: *const c_void) -> u32;
    fn we_func_type(func: *const c_void) -> *const c_void;
    fn we_module_create(
        engine: *mut c_void,
        bytes: Bytes,
        file_offset: u64,
        ret: *mut *mut c_void,
        err: *mut WeError,
    ) -> c_int;
    fn we_module_unref(module: *mut c_void);
    fn oracle_is_deterministic(number: u64) -> bool;
    fn oracle_publish(module: *mut c_void, number: u64, err: *mut WeError) -> c_int;
    fn oracle_store_create(
        engine: *mut c_void,
        is_interp: bool,
        ret: *mut *mut c_void,
        err: *mut WeError,
    ) -> c_int;
    fn we_store_destroy(store: *mut c_void);
    fn we_store_entry(store: *const c_void) -> u64;
    fn we_store_interrupt(store: *mut c_void, entry: u64);
    fn we_instance_create(
        store: *mut c_void,
        module: *mut c_void,
        imports: *const Extern,
        n_imports: u32,
        ret: *mut *mut c_void,
        err: *mut WeError,
    ) -> c_int;
    fn we_instance_export(
        inst: *const c_void,
        name: *const u8,
        name_len: usize,
        ret: *mut Extern,
    ) -> c_int;
    fn we_func_create_host(
        store: *mut c_void,
        ty: *const c_void,
        f: HostFn,
        env: *mut c_void,
        ret: *mut *mut c_void,
        err: *mut WeError,
    ) -> c_int;
    fn we_func_call(func: *mut c_void, slots: *mut u64, err: *mut WeError) -> c_int;
    fn we_memory_size(memory: *const c_void) -> u64;
    fn we_memory_span(memory: *const c_void, at: u64, len: u64, ret: *mut *mut u8) -> c_int;
    fn we_memory_create(
        store: *mut c_void,
        address: u32,
        min: u64,
        max: u64,
        ret: *mut *mut c_void,
        err: *mut WeError,
    ) -> c_int;
    fn we_table_size(table: *const c_void) -> u64;
    fn we_table_get(table: *const c_void, i: u64, ret: *mut *mut c_void) -> c_int;
    fn we_table_create(
        store: *mut c_void,
        elem: u32,
        address: u32,
        min: u64,
        max: u64,
        ret: *mut *mut c_void,
        err: *mut WeError,
    ) -> c_int;
    fn we_global_get(global: *const c_void, slots: *mut u64);
    fn we_global_set(global: *mut c_void, slots: *const u64);
    fn we_global_create(
        store: *mut c_void,
        kind: u32,
        is_mut: bool,
        slots: *const u64,
        ret: *mut *mut c_void,
        err: *mut WeError,
    ) -> c_int;
    fn we_ref_kind(store: *const c_void, kind: u32, slot: u64) -> u32;
    fn we_ref_host(store: *const c_void, kind: u32, slot: u64) -> u64;
    fn we_ref_from_host(store: *mut c_void, host: u64, ret: *mut u64, err: *mut WeError) -> c_int;
    fn we_catch(store: *mut c_void) -> u64;
    fn we_exn_args(store: *const c_void, exn: u64, slots: *mut u64);
}

/// enum we_kind
pub const I32: u32 = 0;
pub const I64: u32 = 1;
pub const F32: u32 = 2;
pub const F64: u32 = 3;
pub const V128: u32 = 4;
pub const FUNCREF: u32 = 5;
pub const EXTERNREF: u32 = 6;
pub const ANYREF: u32 = 7;
pub const EXNREF: u32 = 8;

/// What a reference is: enum we_refkind, with a host's value or that of an i31.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Ref {
    Null,
    Func,
    Host(u64),
    I31(u32),
    Struct,
    Array,
    Exn,
}

/// enum we_externkind
pub const FUNC: u32 = 0;
pub const TABLE: u32 = 1;
pub const MEMORY: u32 = 2;
pub const GLOBAL: u32 = 3;

/// What a call of the engine failed with.
#[derive(Debug, Clone)]
pub struct Failure {
    /// failure.def: "malformed", "trap", ...
    pub word: &'static str,
    /// trap.def, for "trap" and "exhausted"
    pub trap: &'static str,
    pub text: String,
    /// Byte of the module and function that it is about.
    pub place: (u64, u32),
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "{}: {}", self.word, self.text)
    }
}

impl WeError {
    fn new() -> WeError {
        WeError {
            rc: 0,
            trap: 0,
            offset: 0,
            func: 0,
            msg: [0; 236],
        }
    }

    fn failure(&self, rc: c_int) -> Failure {
        let text = CStr::from_bytes_until_nul(&self.msg).map_or("".into(), |t| t.to_string_lossy());
        let word = unsafe { CStr::from_ptr(we_failure_word(rc)) };
        let word = word.to_str().unwrap();
        let has_trap = word == "trap" || word == "exhausted";
        Failure {
            word,
            trap: if has_trap { trap_text(self.trap) } else { "" },
            text: format!("{text} (at 0x{:x})", self.offset),
            place: (self.offset, self.func),
        }
    }
}

fn trap_text(trap: u32) -> &'static str {
    let text = unsafe { we_trap_text(trap) };
    if text.is_null() {
        return "";
    }
    unsafe { CStr::from_ptr(text) }.to_str().unwrap()
}

/// The trap "host function trapped", for host functions.
pub fn host_trap(err: *mut WeError) -> c_int {
    let trap = (1..64).find(|&t| trap_text(t) == "host function trapped");
    unsafe { we_error_trap(err, trap.unwrap(), 0, u32::MAX, std::ptr::null()) }
}

fn check(rc: c_int, err: &WeError) -> Result<(), Failure> {
    match rc {
        0 => Ok(()),
        _ => Err(err.failure(rc)),
    }
}

pub struct Engine(*mut c_void);

// An engine is thread-safe (we.h).
unsafe impl Send for Engine {}

impl Engine {
    /// Deterministic. gc_stress: collect at every allocation.
    pub fn new(gc_stress: bool) -> Engine {
        let mirror = [
            size_of::<Bytes>(),
            size_of::<WeError>(),
            offset_of!(WeError, msg),
            size_of::<Extern>(),
            offset_of!(Extern, of),
            EXNREF as usize,
            6, // Ref::Exn
            GLOBAL as usize,
        ];
        assert_eq!(mirror, unsafe { oracle_pins }, "we.h has changed");
        let (mut engine, mut err) = (null_mut(), WeError::new());
        let rc = unsafe { oracle_engine_create(gc_stress, &mut engine, &mut err) };
        check(rc, &err).unwrap();
        Engine(engine)
    }

    pub fn module(&self, bytes: &[u8]) -> Result<Module, Failure> {
        let (mut module, mut err) = (null_mut(), WeError::new());
        let bytes = Bytes {
            data: bytes.as_ptr(),
            len: bytes.len(),
        };
        let rc = unsafe { we_module_create(self.0, bytes, 0, &mut module, &mut err) };
        check(rc, &err).map(|()| Module(module))
    }

    /// is_interp: no native code runs in it.
    pub fn store(&self, is_interp: bool) -> Store {
        let (mut store, mut err) = (null_mut(), WeError::new());
        let rc = unsafe { oracle_store_create(self.0, is_interp, &mut store, &mut err) };
        check(rc, &err).unwrap();
        Store(store, self.0)
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        unsafe { we_engine_destroy(self.0) }
    }
}

/// Is the native code that the number chooses?
pub fn is_deterministic(number: u64) -> bool {
    unsafe { oracle_is_deterministic(number) }
}

pub struct Module(*mut c_void);

impl Module {
    /// Native code of this process, of a kind that the number chooses (native_draw.h). Returns false when there was nothing to
    /// compile.
    pub fn publish(&self, number: u64) -> Result<bool, Failure> {
        let mut err = WeError::new();
        match unsafe { oracle_publish(self.0, number, &mut err) } {
            1 => Ok(false),
            rc => check(rc, &err).map(|()| true),
        }
    }
}

impl Drop for Module {
    fn drop(&mut self) {
        unsafe { we_module_unref(self.0) }
    }
}

/// A store; the externs made from it live as long as it does.
pub struct Store(*mut c_void, *mut c_void);

impl Drop for Store {
    fn drop(&mut self) {
        unsafe { we_store_destroy(self.0) }
    }
}

/// Lets another thread end what a store runs.
#[derive(Clone, Copy)]
pub struct Interrupter(*mut c_void);

unsafe impl Send for Interrupter {}

impl Interrupter {
    /// The store must still live.
    pub unsafe fn entry(self) -> u64 {
        we_store_entry(self.0)
    }

    /// The store must still live.
    pub unsafe fn interrupt(self, entry: u64) {
        we_store_interrupt(self.0, entry)
    }
}

impl Store {
    pub fn interrupter(&self) -> Interrupter {
        Interrupter(self.0)
    }

    /// What is in a slot of that kind.
    pub fn reference(&self, kind: u32, slot: u64) -> Ref {
        match unsafe { we_ref_kind(self.0, kind, slot) } {
            0 => Ref::Null,
            1 => Ref::Func,
            2 => Ref::Host(unsafe { we_ref_host(self.0, kind, slot) }),
            3 => Ref::I31(slot as u32 >> 1), // as core/heap.h has it
            4 => Ref::Struct,
            5 => Ref::Array,
            6 => Ref::Exn,
            _ => unreachable!(),
        }
    }

    /// A host's value as an anyref. Makes references in slots stale.
    pub fn any_from_host(&self, host: u64) -> u64 {
        let (mut slot, mut err) = (0, WeError::new());
        let rc = unsafe { we_ref_from_host(self.0, host, &mut slot, &mut err) };
        check(rc, &err).unwrap();
        slot
    }

    /// Take the exception that is under way and its arguments, n slots.
    pub fn catch(&self, n: usize) -> Vec<u64> {
        let mut slots = vec![0; n];
        unsafe {
            let exn = we_catch(self.0);
            we_exn_args(self.0, exn, slots.as_mut_ptr());
        }
        slots
    }

    pub fn instance(&self, module: &Module, imports: &[Extern]) -> Result<Instance, Failure> {
        let (mut inst, mut err) = (null_mut(), WeError::new());
        let n = imports.len() as u32;
        let rc = unsafe {
            we_instance_create(self.0, module.0, imports.as_ptr(), n, &mut inst, &mut err)
        };
        check(rc, &err).map(|()| Instance(inst))
    }

    /// env must outlive the store.
    pub fn host_func(
        &self,
        params: &[u32],
        results: &[u32],
        f: HostFn,
        env: *mut c_void,
    ) -> Extern {
        let (mut ty, mut func, mut err) = (std::ptr::null(), null_mut(), WeError::new());
        let rc = unsafe {
            we_functype_create(
                self.1,
                params.as_ptr(),
                params.len() as u32,
                results.as_ptr(),
                results.len() as u32,
                &mut ty,
                &mut err,
            )
        };
        check(rc, &err).unwrap();
        let rc = unsafe { we_func_create_host(self.0, ty, f, env, &mut func, &mut err) };
        check(rc, &err).unwrap();
        Extern {
            kind: FUNC,
            of: func,
        }
    }

    pub fn memory(&self, min: u64, max: u64) -> Extern {
        let (mut of, mut err) = (null_mut(), WeError::new());
        let rc = unsafe { we_memory_create(self.0, I32, min, max, &mut of, &mut err) };
        check(rc, &err).unwrap();
        Extern { kind: MEMORY, of }
    }

    pub fn table(&self, elem: u32, min: u64, max: u64) -> Extern {
        let (mut of, mut err) = (null_mut(), WeError::new());
        let rc = unsafe { we_table_create(self.0, elem, I32, min, max, &mut of, &mut err) };
        check(rc, &err).unwrap();
        Extern { kind: TABLE, of }
    }

    pub fn global(&self, kind: u32, is_mut: bool, value: u64) -> Extern {
        let (mut of, mut err) = (null_mut(), WeError::new());
        let slots = [value, 0];
        let rc =
            unsafe { we_global_create(self.0, kind, is_mut, slots.as_ptr(), &mut of, &mut err) };
        check(rc, &err).unwrap();
        Extern { kind: GLOBAL, of }
    }
}

pub struct Instance(*mut c_void);

impl Instance {
    pub fn export(&self, name: &str) -> Option<Extern> {
        let mut ext = Extern {
            kind: 0,
            of: null_mut(),
        };
        match unsafe { we_instance_export(self.0, name.as_ptr(), name.len(), &mut ext) } {
            0 => Some(ext),
            _ => None,
        }
    }
}

impl Extern {
    /// Calls a function; slots is made as long as the type needs.
    pub fn call(&self, slots: &mut Vec<u64>) -> Result<(), Failure> {
        assert_eq!(self.kind, FUNC);
        let mut err = WeError::new();
        let n = unsafe { we_functype_n_slots(we_func_type(self.of)) };
        slots.resize(n as usize + 1, 0);
        let rc = unsafe { we_func_call(self.of, slots.as_mut_ptr(), &mut err) };
        check(rc, &err)
    }

    /// The bytes of a memory, until something runs.
    pub fn memory_bytes(&self) -> &[u8] {
        assert_eq!(self.kind, MEMORY);
        let mut at = null_mut();
        let len = unsafe { we_memory_size(self.of) };
        if len == 0 {
            return &[];
        }
        let rc = unsafe { we_memory_span(self.of, 0, len, &mut at) };
        assert_eq!(rc, 0);
        unsafe { std::slice::from_raw_parts(at, len as usize) }
    }

    pub fn table_size(&self) -> u64 {
        assert_eq!(self.kind, TABLE);
        unsafe { we_table_size(self.of) }
    }

    pub fn table_get(&self, i: u64) -> u64 {
        assert_eq!(self.kind, TABLE);
        let mut elem = null_mut();
        let rc = unsafe { we_table_get(self.of, i, &mut elem) };
        assert_eq!(rc, 0);
        elem as u64
    }

    pub fn global_get(&self) -> [u64; 2] {
        assert_eq!(self.kind, GLOBAL);
        let mut slots = [0; 2];
        unsafe { we_global_get(self.of, slots.as_mut_ptr()) };
        slots
    }

    pub fn global_set(&self, slots: [u64; 2]) {
        assert_eq!(self.kind, GLOBAL);
        unsafe { we_global_set(self.of, slots.as_ptr()) };
    }
}
