// SPDX-License-Identifier: BSD-3-Clause
//! Modules of many short functions: a few operations on locals, constants, globals, memory and each other's results,
//! small loops, calls of themselves. Large functions drawn at random have hardly any of the sequences that a
//! compiler's code is full of, and that translation makes one operation of.
//!
//! Each ends by itself: loops count, a function calls those before it that call nobody, itself one less often each
//! time. Where a NaN of open payload could be seen it is made the canonical one.
use crate::generate::{Subject, HOST_FUNCS};
use crate::rng::Rng;
use std::ops::{Range, RangeInclusive};
use wasm_encoder::{
    CodeSection, ConstExpr, ElementSection, Elements, Encode, EntityType, ExportKind,
    ExportSection, Function, FunctionSection, GlobalSection, GlobalType, ImportSection,
    MemorySection, MemoryType, Module, RefType, TableSection, TableType, TypeSection, ValType,
};
use Immediate::{Lane, Memory, Shuffle};

const FUNCS: usize = 24;
/// Of the values; there is a mutable global of each, in this order.
const TYPES: [ValType; 5] = [
    ValType::I32,
    ValType::I64,
    ValType::F32,
    ValType::F64,
    ValType::V128,
];

/// What follows the code.
#[derive(Clone, Copy)]
enum Immediate {
    None,
    Memory,
    Shuffle,
    /// Below that.
    Lane(usize),
}

/// Operations. Operands and result in the letters of letter(), and a for an address.
struct Row {
    operands: &'static str,
    result: u8,
    prefix: u8,
    codes: &'static [RangeInclusive<u8>],
    immediate: Immediate,
    /// May the result be a NaN of open payload?
    nan: bool,
    /// Are the operands' bits seen?
    bits: bool,
}

const fn row(
    operands: &'static str,
    result: u8,
    prefix: u8,
    codes: &'static [RangeInclusive<u8>],
) -> Row {
    Row {
        operands,
        result,
        prefix,
        codes,
        immediate: Immediate::None,
        nan: false,
        bits: true,
    }
}

/// Arithmetic of floating-point numbers.
const fn float(operands: &'static str, result: u8, codes: &'static [RangeInclusive<u8>]) -> Row {
    Row {
        nan: true,
        bits: false,
        ..row(operands, result, 0, codes)
    }
}

/// Comparisons and conversions of them: no payload comes through.
const fn of_float(
    operands: &'static str,
    result: u8,
    prefix: u8,
    codes: &'static [RangeInclusive<u8>],
) -> Row {
    Row {
        bits: false,
        ..row(operands, result, prefix, codes)
    }
}

const fn with(
    immediate: Immediate,
    operands: &'static str,
    result: u8,
    prefix: u8,
    codes: &'static [RangeInclusive<u8>],
) -> Row {
    Row {
        immediate,
        ..row(operands, result, prefix, codes)
    }
}

/// One that stands here twice comes twice as often.
const ROWS: &[Row] = &[
    row("i", b'i', 0, &[0x45..=0x45, 0x67..=0x69, 0xc0..=0xc1]),
    row("ii", b'i', 0, &[0x46..=0x4f, 0x6a..=0x6c, 0x71..=0x78]),
    row("ii", b'i', 0, &[0x46..=0x4f, 0x6a..=0x6c, 0x71..=0x78]),
    row("ii", b'i', 0, &[0x6a..=0x6c, 0x71..=0x76]),
    row("ii", b'i', 0, &[0x6a..=0x6b]),
    row("ii", b'i', 0, &[0x6a..=0x6b]),
    row("I", b'i', 0, &[0xa7..=0xa7]),
    row("I", b'i', 0, &[0xa7..=0xa7]),
    row("II", b'I', 0, &[0x7c..=0x7d]),
    row("i", b'I', 0, &[0xac..=0xad]),
    row("ii", b'i', 0, &[0x6d..=0x70]),
    row("I", b'i', 0, &[0x50..=0x50, 0xa7..=0xa7]),
    row("II", b'i', 0, &[0x51..=0x5a]),
    of_float("ff", b'i', 0, &[0x5b..=0x60]),
    of_float("FF", b'i', 0, &[0x61..=0x66]),
    of_float("f", b'i', 0, &[0xa8..=0xa9]),
    of_float("F", b'i', 0, &[0xaa..=0xab]),
    of_float("f", b'i', 0xfc, &[0..=1]),
    of_float("F", b'i', 0xfc, &[2..=3]),
    row("f", b'i', 0, &[0xbc..=0xbc]),
    with(Memory, "a", b'i', 0, &[0x28..=0x28, 0x2c..=0x2f]),
    with(Memory, "a", b'i', 0, &[0x28..=0x28, 0x2c..=0x2f]),
    row(
        "v",
        b'i',
        0xfd,
        &[
            0x53..=0x53,
            0x63..=0x64,
            0x83..=0x84,
            0xa3..=0xa4,
            0xc3..=0xc4,
        ],
    ),
    with(Lane(16), "v", b'i', 0xfd, &[0x15..=0x16]),
    with(Lane(8), "v", b'i', 0xfd, &[0x18..=0x19]),
    with(Lane(4), "v", b'i', 0xfd, &[0x1b..=0x1b]),
    row("I", b'I', 0, &[0x79..=0x7b, 0xc2..=0xc4]),
    row("II", b'I', 0, &[0x7c..=0x7e, 0x83..=0x8a]),
    row("II", b'I', 0, &[0x7c..=0x7e, 0x83..=0x8a]),
    row("II", b'I', 0, &[0x7f..=0x82]),
    row("i", b'I', 0, &[0xac..=0xad]),
    of_float("f", b'I', 0, &[0xae..=0xaf]),
    of_float("F", b'I', 0, &[0xb0..=0xb1]),
    of_float("f", b'I', 0xfc, &[4..=5]),
    of_float("F", b'I', 0xfc, &[6..=7]),
    row("F", b'I', 0, &[0xbd..=0xbd]),
    with(Memory, "a", b'I', 0, &[0x29..=0x29, 0x30..=0x35]),
    with(Lane(2), "v", b'I', 0xfd, &[0x1d..=0x1d]),
    row("f", b'f', 0, &[0x8b..=0x8c]),
    row("ff", b'f', 0, &[0x98..=0x98]),
    float("f", b'f', &[0x8d..=0x91]),
    float("ff", b'f', &[0x92..=0x97]),
    row("i", b'f', 0, &[0xb2..=0xb3, 0xbe..=0xbe]),
    row("I", b'f', 0, &[0xb4..=0xb5]),
    float("F", b'f', &[0xb6..=0xb6]),
    with(Memory, "a", b'f', 0, &[0x2a..=0x2a]),
    with(Lane(4), "v", b'f', 0xfd, &[0x1f..=0x1f]),
    row("F", b'F', 0, &[0x99..=0x9a]),
    row("FF", b'F', 0, &[0xa6..=0xa6]),
    float("F", b'F', &[0x9b..=0x9f]),
    float("FF", b'F', &[0xa0..=0xa5]),
    row("i", b'F', 0, &[0xb7..=0xb8]),
    row("I", b'F', 0, &[0xb9..=0xba, 0xbf..=0xbf]),
    float("f", b'F', &[0xbb..=0xbb]),
    with(Memory, "a", b'F', 0, &[0x2b..=0x2b]),
    with(Lane(2), "v", b'F', 0xfd, &[0x21..=0x21]),
    row("i", b'v', 0xfd, &[0x0f..=0x11]),
    row("I", b'v', 0xfd, &[0x12..=0x12]),
    row("f", b'v', 0xfd, &[0x13..=0x13]),
    row("F", b'v', 0xfd, &[0x14..=0x14]),
    row(
        "v",
        b'v',
        0xfd,
        &[
            0x4d..=0x4d,
            0x60..=0x62,
            0x7c..=0x81,
            0x87..=0x8a,
            0xa0..=0xa1,
            0xa7..=0xaa,
        ],
    ),
    row(
        "v",
        b'v',
        0xfd,
        &[0xc0..=0xc1, 0xc7..=0xca, 0xf8..=0xf9, 0xfc..=0xfd],
    ),
    row(
        "vv",
        b'v',
        0xfd,
        &[
            0x0e..=0x0e,
            0x23..=0x4c,
            0x4e..=0x51,
            0x65..=0x66,
            0x6e..=0x73,
            0x76..=0x79,
        ],
    ),
    row(
        "vv",
        b'v',
        0xfd,
        &[
            0x7b..=0x7b,
            0x82..=0x82,
            0x85..=0x86,
            0x8e..=0x93,
            0x95..=0x99,
            0x9b..=0x9f,
        ],
    ),
    row(
        "vv",
        b'v',
        0xfd,
        &[
            0xae..=0xae,
            0xb1..=0xb1,
            0xb5..=0xba,
            0xbc..=0xbf,
            0xce..=0xce,
            0xd1..=0xd1,
        ],
    ),
    row("vv", b'v', 0xfd, &[0xd5..=0xdf]),
    row("vvv", b'v', 0xfd, &[0x52..=0x52]),
    row(
        "vi",
        b'v',
        0xfd,
        &[0x6b..=0x6d, 0x8b..=0x8d, 0xab..=0xad, 0xcb..=0xcd],
    ),
    with(Lane(16), "vi", b'v', 0xfd, &[0x17..=0x17]),
    with(Lane(8), "vi", b'v', 0xfd, &[0x1a..=0x1a]),
    with(Lane(4), "vi", b'v', 0xfd, &[0x1c..=0x1c]),
    with(Lane(2), "vI", b'v', 0xfd, &[0x1e..=0x1e]),
    with(Lane(4), "vf", b'v', 0xfd, &[0x20..=0x20]),
    with(Lane(2), "vF", b'v', 0xfd, &[0x22..=0x22]),
    with(Shuffle, "vv", b'v', 0xfd, &[0x0d..=0x0d]),
    with(Memory, "a", b'v', 0xfd, &[0..=10, 0x5c..=0x5d]),
];

/// Stores: what is stored behind the address.
const STORES: &[Row] = &[
    with(Memory, "ai", b'-', 0, &[0x36..=0x36, 0x3a..=0x3b]),
    with(Memory, "aI", b'-', 0, &[0x37..=0x37, 0x3c..=0x3e]),
    with(Memory, "af", b'-', 0, &[0x38..=0x38]),
    with(Memory, "aF", b'-', 0, &[0x39..=0x39]),
    with(Memory, "av", b'-', 0xfd, &[0x0b..=0x0b]),
];

fn letter(letter: u8) -> ValType {
    match letter {
        b'i' => ValType::I32,
        b'I' => ValType::I64,
        b'f' => ValType::F32,
        b'F' => ValType::F64,
        _ => ValType::V128,
    }
}

fn letter_of(ty: ValType) -> u8 {
    b"iIfFv"[number_of(ty)]
}

fn number_of(ty: ValType) -> usize {
    TYPES.iter().position(|&of| of == ty).unwrap()
}

/// Mostly integers.
fn any_type(rng: &mut Rng) -> ValType {
    TYPES[*rng.pick(&[0, 0, 0, 0, 0, 0, 1, 1, 1, 2, 3, 4])]
}

/// With one of the row's codes.
type Op = (&'static Row, u8);

fn op_of(rng: &mut Rng, rows: &'static [Row]) -> Op {
    let row = rng.pick(rows);
    let codes = rng.pick(row.codes);
    (row, codes.start() + rng.below(codes.clone().count()) as u8)
}

fn any_op(rng: &mut Rng, result: ValType) -> Op {
    loop {
        let op = op_of(rng, ROWS);
        if op.0.result == letter_of(result) {
            return op;
        }
    }
}

struct Signature {
    params: Vec<ValType>,
    results: Vec<ValType>,
    /// Calls nobody: another may call it as often as it likes.
    is_leaf: bool,
}

/// The functions' numbers: the host's come first.
struct Funcs {
    n_imports: usize,
    imports: Vec<usize>, // of HOST_FUNCS
    made: Vec<Signature>,
}

/// One function in the making.
struct Body<'a> {
    rng: &'a mut Rng,
    funcs: &'a Funcs,
    me: Signature,
    locals: Vec<ValType>, // parameters first
    free: Range<usize>, // locals that anything may write to: the others count, or hold for a moment
    /// Operations for each of TYPES. A function that has few of them has many sequences of these.
    palette: [Vec<Op>; TYPES.len()],
    /// Those that may hold a NaN of open payload.
    hidden: Vec<usize>,
    out: Vec<u8>,
}

impl Body<'_> {
    fn op(&mut self, code: u8) {
        self.out.push(code);
    }

    fn index(&mut self, code: u8, index: usize) {
        self.op(code);
        (index as u32).encode(&mut self.out);
    }

    fn i32(&mut self, value: i32) {
        self.op(0x41);
        value.encode(&mut self.out);
    }

    /// A local of its own.
    fn fresh(&mut self, ty: ValType) -> usize {
        self.locals.push(ty);
        self.locals.len() - 1
    }

    fn block_type(&mut self, ty: Option<ValType>) {
        self.op(ty.map_or(0x40, encoded));
    }

    fn constant(&mut self, ty: ValType) {
        const EDGES: [i64; 14] = [
            0,
            1,
            -1,
            2,
            4,
            8,
            31,
            63,
            64,
            255,
            65535,
            i32::MAX as i64,
            i32::MIN as i64,
            65536,
        ];
        let mut value = *self.rng.pick(&EDGES);
        if self.rng.chance(1, 4) {
            value = self.rng.next() as i64 >> self.rng.below(64);
        }
        match ty {
            ValType::I32 => self.i32(value as i32),
            ValType::I64 => {
                self.op(0x42);
                value.encode(&mut self.out);
            }
            ValType::F32 => {
                self.op(0x43);
                self.out.extend((value as f32 / 2.0).to_le_bytes());
            }
            ValType::F64 => {
                self.op(0x44);
                self.out.extend((value as f64 / 2.0).to_le_bytes());
            }
            _ => {
                self.out.extend([0xfd, 0x0c]);
                let lanes = [value, self.rng.next() as i64];
                self.out
                    .extend(lanes.iter().flat_map(|lane| lane.to_le_bytes()));
            }
        }
    }

    /// Something on the value stack with no operation on it, or hardly one.
    fn leaf(&mut self, ty: ValType) {
        let local = self.local_of(ty);
        match (local, self.rng.below(10)) {
            (_, 0..=2) => self.constant(ty),
            (_, 3) => self.index(0x23, number_of(ty)),
            (Some(local), _) => self.index(0x20, local),
            (None, _) => self.constant(ty),
        }
    }

    fn local_of(&mut self, ty: ValType) -> Option<usize> {
        let is_fit = |i: &usize| self.locals[*i] == ty && !self.hidden.contains(i);
        let of: Vec<usize> = (0..self.locals.len()).filter(is_fit).collect();
        (!of.is_empty()).then(|| *self.rng.pick(&of))
    }

    fn free_local_of(&mut self, ty: ValType) -> Option<usize> {
        let of: Vec<usize> = self
            .free
            .clone()
            .filter(|&i| self.locals[i] == ty)
            .collect();
        (!of.is_empty()).then(|| *self.rng.pick(&of))
    }

    /// An address of memory 0 or 1 and what is to be added to it by the instruction: most often inside.
    fn address(&mut self, memory: usize, depth: usize) {
        if memory == 0 {
            self.expr(ValType::I32, depth, false);
            if self.rng.chance(3, 4) {
                let mask = *self.rng.pick(&[0xff, 0xffff, 0x7ff8]);
                self.i32(mask);
                self.op(0x71);
            }
        } else {
            self.expr(ValType::I64, depth, false);
            if self.rng.chance(3, 4) {
                self.op(0x42);
                0xffff_i64.encode(&mut self.out);
                self.op(0x83);
            }
        }
    }

    fn immediate(&mut self, which: Immediate, memory: usize, prefix: u8, code: u8) {
        match which {
            Immediate::None => {}
            Shuffle => {
                for _ in 0..16 {
                    let lane = self.rng.below(32);
                    self.op(lane as u8);
                }
            }
            Memory => {
                let align = self.rng.below(natural(prefix, code) + 1) as u8;
                if memory == 0 {
                    self.op(align);
                } else {
                    self.out.extend([align | 0x40, memory as u8]);
                }
                let offset: u32 = *self
                    .rng
                    .pick(&[0, 0, 0, 1, 4, 8, 12, 0xfff8, 0xffff, 0x10000]);
                offset.encode(&mut self.out);
            }
            Lane(n) => {
                let lane = self.rng.below(n);
                self.op(lane as u8);
            }
        }
    }

    fn apply(&mut self, (row, code): Op, depth: usize) {
        let memory = usize::from(self.rng.chance(1, 8));
        for (i, operand) in row.operands.bytes().enumerate() {
            match operand {
                b'a' => self.address(memory, depth),
                b'i' | b'I' if i > 0 && self.rng.chance(1, 2) => self.constant(letter(operand)),
                _ => self.expr(letter(operand), depth, row.bits),
            }
        }
        if row.prefix == 0 {
            self.op(code);
        } else {
            self.op(row.prefix);
            u32::from(code).encode(&mut self.out);
        }
        self.immediate(row.immediate, memory, row.prefix, code);
    }

    /// What addresses are made of: a local, perhaps of another type, and constants.
    fn sum(&mut self, ty: ValType) {
        const OTHERS: [&[(ValType, u8)]; 2] = [
            &[(ValType::I64, 0xa7), (ValType::F32, 0xbc)],
            &[
                (ValType::I32, 0xac),
                (ValType::I32, 0xad),
                (ValType::F64, 0xbd),
            ],
        ];
        let is_i64 = ty == ValType::I64;
        if self.rng.chance(1, 2) {
            let &(from, code) = self.rng.pick(OTHERS[usize::from(is_i64)]);
            self.leaf(from);
            self.op(code);
        } else {
            self.leaf(ty);
        }
        for _ in 0..1 + self.rng.below(2) {
            self.constant(ty);
            let is_sub = self.rng.chance(1, 4);
            self.op(if is_i64 { 0x7c } else { 0x6a } + u8::from(is_sub));
        }
    }

    /// Zero or not.
    fn condition(&mut self, depth: usize) {
        match self.rng.below(3) {
            0 => {
                self.expr(ValType::I32, depth, false);
                self.op(0x45);
            }
            1 => {
                const COMPARISONS: &[Row] = &[
                    row("ii", b'i', 0, &[0x46..=0x4f]),
                    row("ii", b'i', 0, &[0x46..=0x4f]),
                    row("II", b'i', 0, &[0x51..=0x5a]),
                    row("I", b'i', 0, &[0x50..=0x50]),
                    of_float("ff", b'i', 0, &[0x5b..=0x60]),
                    of_float("FF", b'i', 0, &[0x61..=0x66]),
                ];
                let op = op_of(self.rng, COMPARISONS);
                self.apply(op, depth);
            }
            _ => self.expr(ValType::I32, depth, false),
        }
    }

    /// A canonical NaN for any.
    fn canonical(&mut self, ty: ValType) {
        let local = self.fresh(ty);
        self.hidden.push(local);
        self.index(0x22, local);
        match ty {
            ValType::F32 => {
                self.op(0x43);
                self.out.extend(0x7fc0_0000u32.to_le_bytes());
            }
            _ => {
                self.op(0x44);
                self.out.extend(0x7ff8_0000_0000_0000u64.to_le_bytes());
            }
        }
        self.index(0x20, local);
        self.index(0x20, local);
        self.op(if ty == ValType::F32 { 0x5b } else { 0x61 });
        self.op(0x1b);
    }

    /// A value whose bits may be seen or not.
    fn expr(&mut self, ty: ValType, depth: usize, bits: bool) {
        if depth == 0 || self.rng.chance(1, 6) {
            return self.leaf(ty);
        }
        let depth = depth - 1;
        match self.rng.below(30) {
            0 => {
                self.expr(ty, depth, true);
                self.expr(ty, depth, true);
                self.condition(depth);
                if self.rng.chance(1, 2) {
                    self.op(0x1b);
                } else {
                    self.out.extend([0x1c, 1, encoded(ty)]);
                }
            }
            1 | 2 => {
                self.expr(ty, depth, true);
                if let Some(local) = self.free_local_of(ty) {
                    self.index(0x22, local);
                }
            }
            3 => {
                self.condition(depth);
                self.op(0x04);
                self.block_type(Some(ty));
                self.sequence(depth);
                self.expr(ty, depth, true);
                self.op(0x05);
                self.sequence(depth);
                self.expr(ty, depth, true);
                self.end();
            }
            4 => {
                self.op(0x02);
                self.block_type(Some(ty));
                self.expr(ty, depth, true);
                self.condition(depth);
                self.index(0x0d, 0);
                if self.rng.chance(1, 2) {
                    self.op(0x1a);
                    self.sequence(depth);
                    self.expr(ty, depth, true);
                }
                self.end();
            }
            5 | 6 => self.call(Some(ty), depth),
            7 => self.loop_of_value(ty, depth),
            8..=11 if ty == ValType::I32 => self.condition(depth),
            12..=14 if ty == ValType::I32 || ty == ValType::I64 => self.sum(ty),
            _ => {
                let op = match self.rng.chance(1, 6) {
                    true => any_op(self.rng, ty),
                    false => *self.rng.pick(&self.palette[number_of(ty)]),
                };
                self.apply(op, depth);
                if op.0.nan && bits {
                    self.canonical(ty);
                }
            }
        }
    }

    fn end(&mut self) {
        self.op(0x0b);
    }

    /// Of a function that gives this, or anything that is dropped; an expression without where there is none.
    fn call(&mut self, wanted: Option<ValType>, depth: usize) {
        let gives = |results: &[ValType]| wanted.is_none_or(|ty| results == [ty]);
        let funcs = self.funcs;
        let mut fits: Vec<usize> = (0..funcs.made.len())
            .filter(|&i| funcs.made[i].is_leaf && gives(&funcs.made[i].results))
            .map(|i| funcs.n_imports + i)
            .collect();
        fits.extend((0..funcs.n_imports).filter(|&i| gives(HOST_FUNCS[funcs.imports[i]].2)));
        if self.me.is_leaf || fits.is_empty() {
            if let Some(ty) = wanted {
                self.leaf(ty);
            }
            return;
        }
        let func = *self.rng.pick(&fits);
        let (params, results) = match func.checked_sub(funcs.n_imports) {
            Some(i) => (&funcs.made[i].params[..], &funcs.made[i].results[..]),
            None => (
                HOST_FUNCS[funcs.imports[func]].1,
                HOST_FUNCS[funcs.imports[func]].2,
            ),
        };
        for &param in params {
            self.expr(param, depth, true);
        }
        match func.checked_sub(funcs.n_imports) {
            Some(i) if self.rng.chance(1, 3) => {
                // The table holds the leaves, each at its number; so is its type numbered.
                self.i32(i as i32);
                if self.rng.chance(1, 4) {
                    self.expr(ValType::I32, depth, false);
                    self.out.extend([0x41, 1, 0x71, 0x6a]);
                }
                self.index(0x11, func);
                self.op(0);
            }
            _ => self.index(0x10, func),
        }
        if wanted.is_none() {
            self.out.extend(results.iter().map(|_| 0x1a));
        }
    }

    /// A loop that takes its counter from the value stack, and leaves there what it came to.
    fn loop_of_value(&mut self, ty: ValType, depth: usize) {
        let turns = 1 + self.rng.below(6) as i32;
        let counter = self.fresh(ValType::I32);
        let accumulator = self.fresh(ty);
        self.expr(ty, depth, true);
        self.index(0x21, accumulator);
        self.i32(turns);
        // The types of loops stand behind those of the functions: (i32) -> (ty).
        self.op(0x03);
        let types = self.funcs.n_imports + FUNCS;
        let at = types + number_of(ty);
        (at as i64).encode(&mut self.out);
        self.index(0x21, counter);
        self.expr(ty, depth, true);
        self.index(0x21, accumulator);
        self.index(0x20, counter);
        self.i32(-1);
        self.op(0x6a);
        if self.rng.chance(1, 2) {
            self.index(0x22, counter);
            self.index(0x20, counter);
            self.index(0x0d, 0);
            self.op(0x1a);
        } else {
            self.index(0x21, counter);
            self.index(0x20, counter);
            self.op(0x04);
            self.op(0x40);
            self.index(0x20, counter);
            self.index(0x0c, 1);
            self.op(0x0b);
        }
        self.index(0x20, accumulator);
        self.end();
    }

    fn loop_of_statements(&mut self, depth: usize) {
        let counter = self.fresh(ValType::I32);
        let bound = 1 + self.rng.below(6) as i32;
        let is_down = self.rng.chance(1, 2);
        self.i32(if is_down { bound } else { 0 });
        self.index(0x21, counter);
        self.op(0x03);
        self.block_type(None);
        self.sequence(depth);
        self.index(0x20, counter);
        if is_down {
            match self.rng.below(2) {
                0 => {
                    self.i32(-1);
                    self.op(0x6a);
                }
                _ => {
                    self.i32(1);
                    self.op(0x6b);
                }
            }
        } else {
            self.i32(1);
            self.op(0x6a);
        }
        self.index(0x22, counter);
        if !is_down {
            self.i32(bound);
            // ne, lt_s, lt_u, or !(ge_s)
            let compare = *self.rng.pick(&[0x47, 0x48, 0x49, 0x4e]);
            self.op(compare);
            if compare == 0x4e {
                self.op(0x45);
            }
        }
        self.index(0x0d, 0);
        self.end();
    }

    /// A block that is left in the middle.
    fn leave(&mut self, depth: usize) {
        self.op(0x02);
        self.block_type(None);
        self.sequence(depth);
        if self.rng.chance(4, 5) {
            self.condition(depth);
            self.index(0x0d, 0);
        } else {
            self.index(0x0c, 0);
        }
        self.sequence(depth);
        self.end();
    }

    /// Which of a few blocks?
    fn switch(&mut self, depth: usize) {
        let n = 2 + self.rng.below(3);
        for _ in 0..=n {
            self.op(0x02);
            self.block_type(None);
        }
        self.expr(ValType::I32, depth, false);
        self.op(0x0e);
        self.op(n as u8);
        for _ in 0..=n {
            let label = self.rng.below(n + 1);
            self.op(label as u8);
        }
        self.end();
        for i in 0..n {
            self.sequence(depth);
            if self.rng.chance(1, 2) {
                let label = self.rng.below(n - i);
                self.index(0x0c, label);
            }
            self.end();
        }
    }

    fn sequence(&mut self, depth: usize) {
        for _ in 0..self.rng.below(3) {
            self.statement(depth);
        }
    }

    fn statement(&mut self, depth: usize) {
        if depth == 0 {
            return;
        }
        let ty = any_type(self.rng);
        match self.rng.below(16) {
            0..=4 => {
                self.expr(ty, depth, true);
                match self.free_local_of(ty) {
                    Some(local) => self.index(0x21, local),
                    None => self.op(0x1a),
                }
            }
            5 | 6 => {
                let op = op_of(self.rng, STORES);
                self.apply(op, depth - 1);
            }
            7 => {
                self.expr(ty, depth, true);
                self.index(0x24, number_of(ty));
            }
            8 => {
                // Read, change, write: of a local, of memory.
                let Some(local) = self.free_local_of(ValType::I32) else {
                    return;
                };
                self.index(0x20, local);
                self.expr(ValType::I32, depth - 1, false);
                let code = *self.rng.pick(&[0x6a, 0x6b, 0x6c, 0x71, 0x72, 0x73, 0x74]);
                self.op(code);
                self.index(0x21, local);
            }
            9 => {
                let Some(local) = self.local_of(ValType::I32) else {
                    return;
                };
                for _ in 0..2 {
                    self.index(0x20, local);
                    self.i32(0xfff0);
                    self.op(0x71);
                }
                self.out.extend([0x28, 2, 4]);
                self.expr(ValType::I32, depth - 1, false);
                let code = *self.rng.pick(&[0x6a, 0x6b, 0x71, 0x72, 0x73]);
                self.op(code);
                self.out.extend([0x36, 2, 4]);
            }
            10 => {
                self.condition(depth);
                self.op(0x04);
                self.block_type(None);
                self.sequence(depth - 1);
                if self.rng.chance(1, 3) {
                    self.op(0x05);
                    self.sequence(depth - 1);
                }
                self.end();
            }
            11 => self.loop_of_statements(depth - 1),
            12 => self.leave(depth - 1),
            13 => self.switch(depth - 1),
            14 => {
                // Out of the function.
                self.condition(depth - 1);
                self.op(0x04);
                self.op(0x40);
                self.results(depth - 1);
                self.op(0x0f);
                self.op(0x0b);
            }
            _ => self.call(None, depth - 1),
        }
    }

    fn results(&mut self, depth: usize) {
        for i in 0..self.me.results.len() {
            self.expr(self.me.results[i], depth, true);
        }
    }

    /// Again, up to seven times: the first parameter counts.
    fn again(&mut self, depth: usize, is_tail: bool) {
        let me = self.funcs.n_imports + self.funcs.made.len();
        self.index(0x20, 0);
        self.out.extend([0x41, 7, 0x71]);
        self.index(0x22, 0);
        self.op(0x04);
        self.op(0x40);
        self.index(0x20, 0);
        self.out.extend([0x41, 1, 0x6b]);
        for i in 1..self.me.params.len() {
            self.expr(self.me.params[i], depth, true);
        }
        if is_tail {
            self.index(0x12, me);
        } else {
            self.index(0x10, me);
            // What it gave, most often with something done to it.
            let results = self.me.results.clone();
            if results == [ValType::I32] || results == [ValType::I64] {
                let (ty, add) = if results[0] == ValType::I32 {
                    (ValType::I32, 0x6a)
                } else {
                    (ValType::I64, 0x7c)
                };
                self.expr(ty, depth, true);
                let code = add + self.rng.below(3) as u8;
                self.op(code);
            }
            self.op(0x0f);
        }
        self.op(0x0b);
    }

    /// own: it calls itself.
    fn finish(mut self, own: bool, is_tail: bool, depth: usize) -> (Signature, Function) {
        if own {
            self.again(depth, is_tail);
        }
        for _ in 0..1 + self.rng.below(3) {
            self.statement(depth);
        }
        self.results(depth);
        self.op(0x0b);
        let declared = self.locals[self.me.params.len()..]
            .iter()
            .map(|&ty| (1, ty));
        let mut function = Function::new(declared);
        function.raw(self.out.iter().copied());
        (self.me, function)
    }
}

fn encoded(ty: ValType) -> u8 {
    0x7f - number_of(ty) as u8
}

/// The exponent of the natural alignment of a load or a store.
fn natural(prefix: u8, code: u8) -> usize {
    match (prefix, code) {
        (0, 0x2c | 0x2d | 0x30 | 0x31 | 0x3a | 0x3c) => 0,
        (0, 0x2e | 0x2f | 0x32 | 0x33 | 0x3b | 0x3d) => 1,
        (0, 0x28 | 0x2a | 0x34 | 0x35 | 0x36 | 0x38 | 0x3e) => 2,
        (0, _) => 3,
        (_, 0 | 11) => 4,
        (_, 1..=6 | 10 | 0x5d) => 3,
        (_, 7) => 0,
        (_, 8) => 1,
        _ => 2,
    }
}

fn function(rng: &mut Rng, funcs: &Funcs) -> (Signature, Function) {
    let own = rng.chance(1, 5);
    let mut params: Vec<ValType> = (0..rng.below(5)).map(|_| any_type(rng)).collect();
    if own {
        params.insert(0, ValType::I32);
    }
    let mut results: Vec<ValType> = (0..*rng.pick(&[0, 1, 1, 1, 1, 1, 2, 3]))
        .map(|_| any_type(rng))
        .collect();
    let mut is_leaf = !own && rng.chance(1, 2);
    // So that a call by the table may be of one of several.
    let leaves: Vec<_> = funcs.made.iter().filter(|other| other.is_leaf).collect();
    if !own && !leaves.is_empty() && rng.chance(1, 3) {
        let other = rng.pick(&leaves);
        (params, results) = (other.params.clone(), other.results.clone());
        is_leaf = true;
    }
    let me = Signature {
        params: params.clone(),
        results,
        is_leaf,
    };
    let mut locals = params;
    locals.extend((0..rng.below(4)).map(|_| any_type(rng)));
    let free = usize::from(own)..locals.len(); // 0 counts the calls
    let is_tail = rng.chance(2, 3);
    let depth = 1 + rng.below(4);
    let palette = TYPES.map(|ty| (0..1 + rng.below(6)).map(|_| any_op(rng, ty)).collect());
    let body = Body {
        rng,
        funcs,
        me,
        locals,
        free,
        palette,
        hidden: Vec::new(),
        out: Vec::new(),
    };
    body.finish(own, is_tail, depth)
}

/// Types: of each function, imports first; then of the loops that take a counter.
fn types(funcs: &Funcs) -> TypeSection {
    let mut types = TypeSection::new();
    for &i in &funcs.imports {
        let (_, params, results) = HOST_FUNCS[i];
        types
            .ty()
            .function(params.iter().copied(), results.iter().copied());
    }
    for made in &funcs.made {
        types
            .ty()
            .function(made.params.iter().copied(), made.results.iter().copied());
    }
    for ty in TYPES {
        types.ty().function([ValType::I32], [ty]);
    }
    types
}

fn memory(minimum: u64, memory64: bool) -> MemoryType {
    MemoryType {
        minimum,
        maximum: Some(minimum),
        memory64,
        shared: false,
        page_size_log2: None,
    }
}

pub fn subject(rng: &mut Rng) -> Subject {
    let imports: Vec<usize> = (0..HOST_FUNCS.len())
        .filter(|&i| {
            let (_, params, results) = HOST_FUNCS[i];
            let is_number = |ty| TYPES.contains(ty);
            params.iter().all(is_number) && results.iter().all(is_number) && rng.chance(1, 2)
        })
        .collect();
    let mut funcs = Funcs {
        n_imports: imports.len(),
        imports,
        made: Vec::new(),
    };
    let mut import_section = ImportSection::new();
    for (at, &i) in funcs.imports.iter().enumerate() {
        import_section.import("h", HOST_FUNCS[i].0, EntityType::Function(at as u32));
    }
    let (mut code, mut functions) = (CodeSection::new(), FunctionSection::new());
    let mut exports = ExportSection::new();
    let mut body_bytes = 0;
    for i in 0..FUNCS {
        let (signature, function) = function(rng, &funcs);
        let number = (funcs.n_imports + i) as u32;
        funcs.made.push(signature);
        functions.function(number);
        exports.export(&format!("f{i}"), ExportKind::Func, number);
        body_bytes += function.byte_len();
        code.function(&function);
    }
    let mut memories = MemorySection::new();
    memories.memory(memory(1, false)).memory(memory(1, true));
    let mut tables = TableSection::new();
    tables.table(TableType {
        element_type: RefType::FUNCREF,
        minimum: FUNCS as u64,
        maximum: None,
        table64: false,
        shared: false,
    });
    let leaves: Vec<ConstExpr> = (0..FUNCS)
        .map(|i| match funcs.made[i].is_leaf {
            true => ConstExpr::ref_func((funcs.n_imports + i) as u32),
            false => ConstExpr::ref_null(wasm_encoder::HeapType::FUNC),
        })
        .collect();
    let mut elements = ElementSection::new();
    let offset = ConstExpr::i32_const(0);
    elements.active(
        None,
        &offset,
        Elements::Expressions(RefType::FUNCREF, leaves.into()),
    );
    let mut globals = GlobalSection::new();
    for (i, val_type) in TYPES.into_iter().enumerate() {
        let value = match val_type {
            ValType::I32 => ConstExpr::i32_const(rng.below(100) as i32),
            ValType::I64 => ConstExpr::i64_const(rng.next() as i64),
            ValType::F32 => ConstExpr::f32_const(1.5f32.into()),
            ValType::F64 => ConstExpr::f64_const((-0.0f64).into()),
            _ => ConstExpr::v128_const(i128::from(rng.next())),
        };
        let ty = GlobalType {
            val_type,
            mutable: true,
            shared: false,
        };
        globals.global(ty, &value);
        exports.export(&format!("g{i}"), ExportKind::Global, i as u32);
    }
    exports.export("m0", ExportKind::Memory, 0);
    exports.export("m1", ExportKind::Memory, 1);
    if rng.chance(1, 2) {
        exports.export("t0", ExportKind::Table, 0); // else a compiler may know its elements
    }
    let mut module = Module::new();
    module
        .section(&types(&funcs))
        .section(&import_section)
        .section(&functions)
        .section(&tables)
        .section(&memories)
        .section(&globals)
        .section(&exports)
        .section(&elements)
        .section(&code);
    Subject {
        bytes: module.finish(),
        body_bytes,
        n_bodies: FUNCS,
    }
}
