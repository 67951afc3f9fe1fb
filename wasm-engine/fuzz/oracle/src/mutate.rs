// SPDX-License-Identifier: BSD-3-Clause
//! Mutants of a module. Lengths of sections and bodies are kept right in nearly all of them, so that what is wrong lies
//! deep inside.
use crate::made;
use crate::rng::Rng;
use wasmparser::{Parser, Payload};

const TYPE: u8 = 1;
const CODE: u8 = 10;

/// A function body and where its instructions start.
#[derive(Clone)]
struct Body {
    bytes: Vec<u8>,
    ops: Vec<u32>, // offsets in bytes; the first one ends the local declarations
}

#[derive(Clone)]
struct Section {
    id: u8,
    count: Vec<u8>, // the LEB of CODE, kept apart
    bytes: Vec<u8>, // not of CODE
    bodies: Vec<Body>,
}

/// A module in pieces.
#[derive(Clone)]
pub struct Pieces(Vec<Section>, usize); // and the number of types

pub fn leb(mut value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    loop {
        let byte = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            out.push(byte);
            return out;
        }
        out.push(byte | 0x80);
    }
}

pub fn read_leb(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut value = 0;
    for (i, byte) in bytes.iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7f).checked_shl(7 * i as u32)?;
        if byte & 0x80 == 0 {
            return Some((value, i + 1));
        }
    }
    None
}

impl Pieces {
    /// module is valid.
    pub fn new(module: &[u8]) -> Pieces {
        let mut sections = Vec::new();
        let mut at = 8;
        while at < module.len() {
            let id = module[at];
            let (len, n) = read_leb(&module[at + 1..]).unwrap();
            let start = at + 1 + n;
            let end = start + len as usize;
            let mut section = Section {
                id,
                count: Vec::new(),
                bytes: module[start..end].to_vec(),
                bodies: Vec::new(),
            };
            if id == CODE {
                let (count, _) = read_leb(&section.bytes).unwrap();
                section.count = leb(count);
                section.bytes.clear();
            }
            sections.push(section);
            at = end;
        }
        let code = sections.iter().position(|section| section.id == CODE);
        let mut n_types = 0;
        for payload in Parser::new(0).parse_all(module) {
            let payload = payload.unwrap();
            if let Payload::TypeSection(groups) = payload {
                n_types = groups
                    .into_iter()
                    .map(|group| group.unwrap().types().len())
                    .sum();
            } else if let Payload::CodeSectionEntry(body) = payload {
                let start = body.range().start as usize;
                let mut ops = Vec::new();
                for op in body
                    .get_operators_reader()
                    .unwrap()
                    .into_iter_with_offsets()
                {
                    ops.push(op.unwrap().1 as u32 - start as u32);
                }
                sections[code.unwrap()].bodies.push(Body {
                    bytes: body.as_bytes().to_vec(),
                    ops,
                });
            }
        }
        Pieces(sections, n_types)
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut out = b"\0asm\x01\0\0\0".to_vec();
        for section in &self.0 {
            out.push(section.id);
            if section.id != CODE {
                out.extend(leb(section.bytes.len() as u64));
                out.extend_from_slice(&section.bytes);
                continue;
            }
            let mut code = section.count.clone();
            for body in &section.bodies {
                code.extend(leb(body.bytes.len() as u64));
                code.extend_from_slice(&body.bytes);
            }
            out.extend(leb(code.len() as u64));
            out.extend(code);
        }
        out
    }

    fn code(&mut self) -> Option<&mut Section> {
        self.0
            .iter_mut()
            .find(|section| section.id == CODE && !section.bodies.is_empty())
    }
}

/// Byte values at which decisions change.
const EDGES: [u8; 24] = [
    0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x0b, 0x3f, 0x40, 0x41, 0x5e, 0x5f, 0x60, 0x63, 0x64, 0x69,
    0x6e, 0x6f, 0x70, 0x7b, 0x7f, 0x80, 0xc0, 0xff,
];

/// LEBs at the bounds of the integer types, and ones that are too long.
const LEBS: [&[u8]; 14] = [
    &[0xff, 0xff, 0xff, 0xff, 0x0f],
    &[0xff, 0xff, 0xff, 0xff, 0x07],
    &[0x80, 0x80, 0x80, 0x80, 0x08],
    &[0x80, 0x80, 0x80, 0x80, 0x78],
    &[0x80, 0x80, 0x80, 0x80, 0x10],
    &[0x80, 0x80, 0x80, 0x80, 0x80, 0x00],
    &[0x80, 0x80, 0x80, 0x80, 0x80, 0x01],
    &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
    &[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x7f],
    &[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x02],
    &[0x80, 0x80, 0x04],
    &[0x81, 0x80, 0x80, 0x00],
    &[0xff, 0x00],
    &[0x80, 0x7f],
];

/// One-byte forms of value, storage and block types.
const TYPES: [u8; 22] = [
    0x7f, 0x7e, 0x7d, 0x7c, 0x7b, 0x78, 0x77, 0x74, 0x73, 0x72, 0x71, 0x70, 0x6f, 0x6e, 0x6d, 0x6c,
    0x6b, 0x6a, 0x69, 0x64, 0x63, 0x40,
];

fn edit_bytes(rng: &mut Rng, bytes: &mut Vec<u8>, from: usize) {
    if bytes.len() <= from {
        bytes.push(rng.byte());
        return;
    }
    let at = from + rng.below(bytes.len() - from);
    // The next byte that looks like a type, or like an index.
    let find = |from, to| {
        let near = bytes[at..].iter().take(12);
        at + near
            .clone()
            .position(|byte| (from..=to).contains(byte))
            .unwrap_or(0)
    };
    let (type_at, index_at) = (find(0x63, 0x7f), find(0x00, 0x3f));
    match rng.below(16) {
        0 => bytes[at] ^= 1 << rng.below(8),
        1 => bytes[at] = rng.byte(),
        2 => bytes[at] = *rng.pick(&EDGES),
        3 | 10 | 11 => bytes[type_at] = *rng.pick(&TYPES),
        4 | 12 => bytes[index_at] = bytes[index_at].wrapping_add(1),
        5 | 13 => bytes[index_at] = bytes[index_at].wrapping_sub(1),
        14 | 15 => bytes[index_at] = rng.below(12) as u8,
        6 => bytes.insert(at, *rng.pick(&EDGES)),
        7 => {
            bytes.remove(at);
        }
        8 => {
            let end = at + read_leb(&bytes[at..]).map_or(1, |(_, n)| n);
            bytes.splice(at..end, rng.pick(&LEBS).iter().copied());
        }
        _ => {
            let n = (1 + rng.below(4)).min(bytes.len() - at);
            let copy = bytes[at..at + n].to_vec();
            let to = from + rng.below(bytes.len() - from);
            bytes.splice(to..to, copy);
        }
    }
}

/// An instruction of a code between two offsets of Body::ops.
fn op_range(rng: &mut Rng, body: &Body) -> (usize, usize) {
    let i = rng.below(body.ops.len());
    let end = body
        .ops
        .get(i + 1)
        .map_or(body.bytes.len(), |&at| at as usize);
    (body.ops[i] as usize, end)
}

fn some_op(rng: &mut Rng, bank: &[Pieces]) -> Vec<u8> {
    for _ in 0..8 {
        let donor = rng.pick(bank);
        if let Some(code) = donor.0.iter().find(|section| !section.bodies.is_empty()) {
            let body = rng.pick(&code.bodies);
            let (start, end) = op_range(rng, body);
            return body.bytes[start..end].to_vec();
        }
    }
    vec![0x01]
}

/// Another opcode with the same immediates.
fn edit_opcode(rng: &mut Rng, bytes: &mut Vec<u8>, at: usize) {
    match bytes[at] {
        0xfb..=0xfd => {
            let end = at + 1 + read_leb(&bytes[at + 1..]).map_or(0, |(_, n)| n);
            let code = match bytes[at] {
                0xfb => rng.below(34),
                0xfc => rng.below(20),
                _ => rng.below(0x118),
            };
            bytes.splice(at + 1..end, leb(code as u64));
        }
        // Within one signature, or any.
        op @ 0x45..=0xc4 if rng.chance(2, 3) => {
            const CLASSES: [(u8, u8); 14] = [
                (0x46, 0x4f),
                (0x51, 0x5a),
                (0x5b, 0x60),
                (0x61, 0x66),
                (0x67, 0x69),
                (0x6a, 0x78),
                (0x79, 0x7b),
                (0x7c, 0x8a),
                (0x8b, 0x91),
                (0x92, 0x98),
                (0x99, 0x9f),
                (0xa0, 0xa6),
                (0xb2, 0xb3),
                (0xc2, 0xc4),
            ];
            let class = CLASSES
                .iter()
                .find(|class| (class.0..=class.1).contains(&op));
            if let Some(&(from, to)) = class {
                bytes[at] = from + rng.below(usize::from(to - from) + 1) as u8;
            }
        }
        0x28..=0x3e => bytes[at] = 0x28 + rng.below(0x17) as u8,
        0x45..=0xc4 => bytes[at] = 0x45 + rng.below(0x80) as u8,
        0x02..=0x04 => bytes[at] = 2 + rng.below(3) as u8,
        0x0c..=0x0d | 0xd5..=0xd6 => bytes[at] = *rng.pick(&[0x0c, 0x0d, 0xd5, 0xd6]),
        0x10 | 0x12 | 0x14 | 0x15 | 0x20..=0x24 | 0xd2 => {
            bytes[at] = *rng.pick(&[
                0x10, 0x12, 0x14, 0x15, 0x20, 0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x41, 0x08, 0xd2,
            ]);
        }
        _ => bytes[at] = rng.byte(),
    }
}

fn edit_body(rng: &mut Rng, body: &mut Body, bank: &[Pieces]) {
    let locals_end = body.ops[0] as usize;
    let (start, end) = op_range(rng, body);
    match rng.below(20) {
        16..=19 => {
            let snippet = made::snippet(rng);
            body.bytes.splice(start..start, snippet);
        }
        0 => {
            let (later, later_end) = op_range(rng, body);
            if end <= later {
                let op = body.bytes[start..end].to_vec();
                let other: Vec<u8> = body.bytes.splice(later..later_end, op).collect();
                body.bytes.splice(start..end, other);
            }
        }
        1 => {
            body.bytes.drain(start..end);
        }
        2 => {
            let op = body.bytes[start..end].to_vec();
            body.bytes.splice(start..start, op);
        }
        3 | 4 => {
            let op = some_op(rng, bank);
            body.bytes.splice(start..start, op);
        }
        5 | 6 => {
            let op = some_op(rng, bank);
            body.bytes.splice(start..end, op);
        }
        7 | 12 | 13 => edit_opcode(rng, &mut body.bytes, start),
        14 | 15 => {
            // Something that leaves the stack as it is; valid nearly everywhere.
            const CALM: [&[u8]; 8] = [
                &[0x01],
                &[0x41, 0x00, 0x1a],
                &[0x42, 0x7f, 0x1a],
                &[0x02, 0x40, 0x0b],
                &[0x03, 0x40, 0x0b],
                &[0xd0, 0x70, 0x1a],
                &[0x41, 0x01, 0x04, 0x40, 0x05, 0x0b],
                &[0x02, 0x40, 0x41, 0x00, 0x0d, 0x00, 0x0b],
            ];
            body.bytes
                .splice(start..start, rng.pick(&CALM).iter().copied());
        }
        8 | 9 => {
            // The immediates of one instruction, or its opcode when it has none.
            let at = if start + 1 < end { start + 1 } else { start };
            let mut imm = body.bytes[at..end].to_vec();
            edit_bytes(rng, &mut imm, 0);
            body.bytes.splice(at..end, imm);
        }
        10 => {
            let mut locals = body.bytes[..locals_end].to_vec();
            edit_bytes(rng, &mut locals, 0);
            body.bytes.splice(..locals_end, locals);
        }
        _ => edit_bytes(rng, &mut body.bytes, locals_end),
    }
}

/// One more recursion group, or another form of a type.
fn edit_types(rng: &mut Rng, bytes: &mut Vec<u8>, n_types: usize) {
    const FORMS: [u8; 6] = [0x4e, 0x4f, 0x50, 0x5e, 0x5f, 0x60];
    if rng.chance(1, 2) {
        let (count, n) = read_leb(bytes).unwrap_or((0, 0));
        bytes.splice(..n, leb(count + 1));
        bytes.extend(made::group(rng, n_types));
        return;
    }
    let forms: Vec<usize> = (0..bytes.len())
        .filter(|&at| FORMS.contains(&bytes[at]))
        .collect();
    if !forms.is_empty() {
        let at = *rng.pick(&forms);
        bytes[at] = match bytes[at] {
            0x4f if rng.chance(1, 2) => 0x50,
            0x50 if rng.chance(1, 2) => 0x4f,
            _ => *rng.pick(&FORMS),
        };
    }
}

fn edit_sections(rng: &mut Rng, pieces: &mut Pieces, bank: &[Pieces]) {
    let sections = &mut pieces.0;
    let at = rng.below(sections.len());
    match rng.below(6) {
        0 => {
            sections.remove(at);
        }
        1 => {
            let to = rng.below(sections.len());
            sections.swap(at, to);
        }
        2 => {
            let copy = sections[at].clone();
            sections.insert(at, copy);
        }
        3 => sections[at].id = rng.below(15) as u8,
        _ => {
            // The same section of another module, else one more.
            let donor = rng.pick(bank);
            if donor.0.is_empty() {
                return;
            }
            let section = rng.pick(&donor.0).clone();
            match sections.iter_mut().find(|old| old.id == section.id) {
                Some(old) => *old = section,
                None => sections.insert(at, section),
            }
        }
    }
}

fn edit(rng: &mut Rng, pieces: &mut Pieces, bank: &[Pieces]) {
    if pieces.0.is_empty() {
        return;
    }
    match rng.below(20) {
        0 => edit_sections(rng, pieces, bank),
        1 => {
            // Counts of the code section, and whole bodies.
            let kind = rng.below(4);
            let (a, b) = (rng.next() as usize, rng.next() as usize);
            if let Some(code) = pieces.code() {
                let n = code.bodies.len();
                match kind {
                    0 => code.bodies.swap(a % n, b % n),
                    1 => code.bodies[a % n] = code.bodies[b % n].clone(),
                    2 => {
                        code.bodies.remove(a % n);
                    }
                    _ => code.count = leb((n as u64).wrapping_add(b as u64 % 3) - 1),
                }
            }
        }
        2..=7 => {
            // Any section but code; types have the most rules.
            let types = pieces.0.iter().position(|section| section.id == TYPE);
            let at = match types {
                Some(at) if rng.chance(1, 3) => at,
                _ => rng.below(pieces.0.len()),
            };
            let n_types = pieces.1;
            let section = &mut pieces.0[at];
            if section.id == TYPE && rng.chance(1, 2) {
                edit_types(rng, &mut section.bytes, n_types);
            } else if section.id != CODE {
                edit_bytes(rng, &mut section.bytes, 0);
            }
        }
        _ => {
            let mut body_rng = Rng::new(rng.next(), 0);
            if let Some(code) = pieces.code() {
                let at = body_rng.below(code.bodies.len());
                let body = &mut code.bodies[at];
                // Offsets hold for the first edit of a body only.
                if !body.ops.is_empty() {
                    edit_body(&mut body_rng, body, bank);
                    body.ops.clear();
                }
            }
        }
    }
}

/// A mutant of bank[which].
pub fn mutant(rng: &mut Rng, bank: &[Pieces], which: usize) -> Vec<u8> {
    let mut pieces = bank[which].clone();
    for _ in 0..1 + rng.below(3) * rng.below(2) {
        edit(rng, &mut pieces, bank);
    }
    let mut bytes = pieces.bytes();
    // Now and then a blind edit, which may break a length.
    if rng.chance(1, 12) {
        edit_bytes(rng, &mut bytes, 0);
    }
    bytes
}
