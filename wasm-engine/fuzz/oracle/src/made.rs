// SPDX-License-Identifier: BSD-3-Clause
//! Instructions made up from their formats, with small random immediates: what the modules at hand hardly have.
use crate::mutate::leb;
use crate::rng::Rng;

/// Prefix (0: none), codes from..=to, and immediates in the letters of immediate().
const FORMATS: &[(u8, u8, u8, &str)] = &[
    (0, 0x00, 0x01, ""),
    (0, 0x02, 0x04, "B"),
    (0, 0x05, 0x05, ""),
    (0, 0x08, 0x08, "i"),
    (0, 0x0a, 0x0b, ""),
    (0, 0x0c, 0x0d, "l"),
    (0, 0x0c, 0x0d, "l"),
    (0, 0x0e, 0x0e, "V"),
    (0, 0x0e, 0x0e, "V"),
    (0, 0x0e, 0x0e, "V"),
    (0, 0x0f, 0x0f, ""),
    (0, 0x10, 0x10, "i"),
    (0, 0x11, 0x11, "it"),
    (0, 0x12, 0x12, "i"),
    (0, 0x13, 0x13, "it"),
    (0, 0x14, 0x15, "i"),
    (0, 0x1a, 0x1b, ""),
    (0, 0x1c, 0x1c, "S"),
    (0, 0x1f, 0x1f, "BC"),
    (0, 0x1f, 0x1f, "BC"),
    (0, 0x20, 0x24, "i"),
    (0, 0x25, 0x26, "t"),
    (0, 0x28, 0x3e, "m"),
    (0, 0x3f, 0x40, "t"),
    (0, 0xd0, 0xd0, "H"),
    (0, 0xd1, 0xd1, ""),
    (0, 0xd2, 0xd2, "i"),
    (0, 0xd3, 0xd4, ""),
    (0, 0xd5, 0xd6, "l"),
    (0, 0xd5, 0xd6, "l"),
    (0xfb, 0, 1, "i"),
    (0xfb, 2, 5, "it"),
    (0xfb, 6, 7, "i"),
    (0xfb, 8, 10, "it"),
    (0xfb, 11, 14, "i"),
    (0xfb, 15, 15, ""),
    (0xfb, 16, 16, "i"),
    (0xfb, 17, 17, "ii"),
    (0xfb, 18, 19, "it"),
    (0xfb, 20, 23, "H"),
    (0xfb, 20, 23, "H"),
    (0xfb, 24, 25, "blHH"),
    (0xfb, 24, 25, "blHH"),
    (0xfb, 24, 25, "blHH"),
    (0xfb, 26, 30, ""),
    (0xfc, 0, 7, ""),
    (0xfc, 8, 8, "tt"),
    (0xfc, 9, 9, "t"),
    (0xfc, 10, 10, "tt"),
    (0xfc, 11, 11, "t"),
    (0xfc, 12, 12, "tt"),
    (0xfc, 13, 13, "t"),
    (0xfc, 14, 14, "tt"),
    (0xfc, 15, 17, "t"),
    (0xfd, 0, 11, "m"),
    (0xfd, 21, 34, "b"),
    (0xfd, 84, 91, "mb"),
    (0xfd, 92, 93, "m"),
];

const HEAPS: [u8; 12] = [
    0x69, 0x6a, 0x6b, 0x6c, 0x6d, 0x6e, 0x6f, 0x70, 0x71, 0x72, 0x73, 0x74,
];

fn heap(rng: &mut Rng, out: &mut Vec<u8>) {
    if rng.chance(1, 2) {
        out.push(*rng.pick(&HEAPS));
    } else {
        out.extend(leb(rng.below(16) as u64));
    }
}

fn value_type(rng: &mut Rng, out: &mut Vec<u8>) {
    match rng.below(4) {
        0 => {
            out.push(*rng.pick(&[0x63, 0x64]));
            heap(rng, out);
        }
        1 => out.push(*rng.pick(&HEAPS)),
        _ => out.push(*rng.pick(&[0x7b, 0x7c, 0x7d, 0x7e, 0x7f])),
    }
}

fn immediate(rng: &mut Rng, letter: char, out: &mut Vec<u8>) {
    match letter {
        'l' => out.push(rng.below(5) as u8), // label
        'i' => out.push(rng.below(20) as u8),
        't' => out.push(rng.below(4) as u8),
        'b' => out.push(rng.below(5) as u8),
        'H' => heap(rng, out),
        'B' => match rng.below(3) {
            0 => out.push(0x40),
            1 => value_type(rng, out),
            _ => out.push(rng.below(16) as u8),
        },
        'V' => {
            let n = rng.below(4);
            out.push(n as u8);
            for _ in 0..=n {
                immediate(rng, 'l', out);
            }
        }
        'S' => {
            out.push(1);
            value_type(rng, out);
        }
        'C' => {
            let n = rng.below(3);
            out.push(n as u8);
            for _ in 0..n {
                let kind = rng.below(4) as u8;
                out.push(kind);
                if kind < 2 {
                    immediate(rng, 't', out);
                }
                immediate(rng, 'l', out);
            }
        }
        'm' => {
            let align = rng.below(5) as u8;
            if rng.chance(1, 4) {
                out.extend([align | 0x40, rng.below(3) as u8]);
            } else {
                out.push(align);
            }
            out.extend(leb(1 << rng.below(35)));
        }
        _ => unreachable!("no such immediate"),
    }
}

fn instruction(rng: &mut Rng, out: &mut Vec<u8>) {
    let &(prefix, from, to, letters) = rng.pick(FORMATS);
    let code = from + rng.below(usize::from(to - from) + 1) as u8;
    if prefix == 0 {
        out.push(code);
    } else {
        out.push(prefix);
        out.extend(leb(u64::from(code)));
    }
    for letter in letters.chars() {
        immediate(rng, letter, out);
    }
    if letters.starts_with('B') {
        if rng.chance(1, 2) {
            instruction(rng, out);
        }
        out.push(0x0b);
    }
}

/// A composite type in its parts: parameters and results, or fields.
#[derive(Clone)]
struct Made {
    form: u8,
    parts: Vec<(Vec<u8>, u8)>, // type and mutability
    n_params: usize,
}

fn part(rng: &mut Rng, form: u8, n_types: usize) -> (Vec<u8>, u8) {
    let mut ty = Vec::new();
    if form != 0x60 && rng.chance(1, 4) {
        ty.push(*rng.pick(&[0x77, 0x78]));
    } else if rng.chance(1, 2) {
        ty.push(*rng.pick(&[0x63, 0x64]));
        ty.extend(leb(rng.below(n_types) as u64));
    } else {
        value_type(rng, &mut ty);
    }
    (ty, rng.below(2) as u8)
}

fn composite(rng: &mut Rng, n_types: usize) -> Made {
    let form = *rng.pick(&[0x5e, 0x5f, 0x5f, 0x60]);
    let n = if form == 0x5e { 1 } else { rng.below(4) };
    Made {
        form,
        parts: (0..n).map(|_| part(rng, form, n_types)).collect(),
        n_params: rng.below(n + 1),
    }
}

impl Made {
    /// Nearly the same type: what a subtype may or may not be.
    fn near(&self, rng: &mut Rng, n_types: usize) -> Made {
        let mut made = self.clone();
        match rng.below(4) {
            0 if made.form == 0x5f => made.parts.push(part(rng, made.form, n_types)),
            1 if !made.parts.is_empty() => {
                let at = rng.below(made.parts.len());
                made.parts[at] = part(rng, made.form, n_types);
            }
            2 if !made.parts.is_empty() => {
                // Null or not, or the other mutability.
                let at = rng.below(made.parts.len());
                let (ty, mutability) = &mut made.parts[at];
                match ty[0] {
                    0x63 => ty[0] = 0x64,
                    0x64 => ty[0] = 0x63,
                    _ => *mutability ^= 1,
                }
            }
            _ => {}
        }
        made
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.push(self.form);
        if self.form == 0x60 {
            let (params, results) = self.parts.split_at(self.n_params);
            for list in [params, results] {
                out.push(list.len() as u8);
                list.iter().for_each(|(ty, _)| out.extend(ty));
            }
            return;
        }
        if self.form == 0x5f {
            out.push(self.parts.len() as u8);
        }
        for (ty, mutability) in &self.parts {
            out.extend(ty);
            out.push(*mutability);
        }
    }
}

/// A recursion group of up to four types behind the n_types that there are; later ones are near the ones before and
/// name them as their supertypes.
pub fn group(rng: &mut Rng, n_types: usize) -> Vec<u8> {
    let n = 1 + rng.below(4);
    let mut out = vec![0x4e, n as u8];
    let mut made: Vec<Made> = Vec::new();
    for i in 0..n {
        let mut super_type = None;
        if i > 0 && rng.chance(3, 4) {
            super_type = Some(rng.below(i));
        }
        made.push(match super_type {
            Some(of) => made[of].near(rng, n_types + n),
            None => composite(rng, n_types + n),
        });
        // A final type is no supertype: the open form is the common one.
        out.push(if rng.chance(1, 8) { 0x4f } else { 0x50 });
        match super_type {
            Some(of) => {
                out.push(1);
                out.extend(leb((n_types + of) as u64));
            }
            None if rng.chance(1, 16) => {
                out.push(1);
                out.extend(leb(rng.below(n_types + n) as u64));
            }
            None => out.push(0),
        }
        made[i].write(&mut out);
    }
    out
}

/// Something that pushes a value.
fn operand(rng: &mut Rng, out: &mut Vec<u8>) {
    match rng.below(7) {
        0 => out.extend([0x41, rng.below(8) as u8]),
        1 => out.extend([0x42, rng.below(8) as u8]),
        2 => out.extend([0x43, 0, 0, 0, 0]),
        3 => out.extend([0x44, 0, 0, 0, 0, 0, 0, 0, 0]),
        4 => out.extend([0x20, rng.below(8) as u8]),
        5 => {
            out.push(0xd0);
            heap(rng, out);
        }
        _ => out.extend([0xd2, rng.below(12) as u8]),
    }
}

/// Up to three instructions, bare, behind operands, or in a block of their own where the stack is polymorphic.
pub fn snippet(rng: &mut Rng) -> Vec<u8> {
    let mut out = Vec::new();
    match rng.below(4) {
        0 => instruction(rng, &mut out),
        1 => {
            for _ in 0..1 + rng.below(3) {
                operand(rng, &mut out);
            }
            instruction(rng, &mut out);
        }
        _ => {
            let dead = rng.chance(3, 4);
            out.push(0x02);
            immediate(rng, 'B', &mut out);
            if dead {
                out.push(0x00);
            }
            for _ in 0..rng.below(3) {
                operand(rng, &mut out);
            }
            for _ in 0..1 + rng.below(3) {
                instruction(rng, &mut out);
            }
            if rng.chance(3, 4) {
                out.push(0x00);
            }
            out.push(0x0b);
            if rng.chance(1, 2) {
                out.push(0x1a);
            }
        }
    }
    out
}
