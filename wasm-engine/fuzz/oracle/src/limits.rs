// SPDX-License-Identifier: BSD-3-Clause
//! The one table of differences that come from implementation limits, not from the specification. docs/TESTING.md
//! shows it to people.
use wasmparser::{Parser, Payload};

/// A difference that is counted, not reported. Texts are looked for in what each side said; "" fits every refusal,
/// ACCEPTS only an acceptance.
pub struct Mask {
    pub ours: &'static str,
    pub theirs: &'static str,
    pub reason: &'static str,
}

pub const ACCEPTS: &str = "accepts";

/// Of the validators.
pub const VALIDATE: &[Mask] = &[
    Mask {
        ours: "implementation limit",
        theirs: ACCEPTS,
        reason: "a limit of ours (limits.h)",
    },
    Mask {
        ours: ACCEPTS,
        theirs: "memories count exceeds limit",
        reason: "100 memories in wasmparser, 100,000 here",
    },
];

/// Of the engines: what one says when it ran out of something. The rest of that module is not compared.
pub const RUN: &[Mask] = &[
    Mask {
        ours: "call stack exhausted",
        theirs: "",
        reason: "stack: ours is exhausted",
    },
    Mask {
        ours: "",
        theirs: "call stack exhausted",
        reason: "stack: wasmtime's is exhausted",
    },
    Mask {
        ours: "heap exhausted",
        theirs: "",
        reason: "heap: ours is exhausted",
    },
    Mask {
        ours: "",
        theirs: "GC heap out of memory",
        reason: "heap: wasmtime's is exhausted",
    },
    Mask {
        ours: "",
        theirs: "allocation size too large",
        reason: "heap: an object too large for wasmtime",
    },
    Mask {
        ours: "implementation limit",
        theirs: "",
        reason: "a limit of ours (limits.h)",
    },
];

/// Why a module with these instructions may differ: the specification leaves the payload of a NaN open, and wasm-smith
/// makes it canonical behind every instruction but these.
pub const LOOSE_NANS: &str =
    "NaN payload: relaxed madd, nmadd, min and max, vector demote and promote";

/// Does the module perhaps have one of them? Their bytes may also be part of something else.
pub fn has_loose_nans(bytes: &[u8]) -> bool {
    bytes.windows(3).any(|b| {
        b[0] == 0xfd
            && (matches!(b[1], 0x5e | 0x5f)
                || (b[2] == 2 && matches!(b[1], 0x85..=0x88 | 0x8d..=0x90)))
    })
}

/// Native code that makes one access of several names one of them when it traps (docs/jit.md).
pub const MERGED: &str = "calls that trap alike at another of several merged accesses";

/// Are there loads or stores at these offsets in the module?
pub fn are_accesses(bytes: &[u8], offsets: [u64; 2]) -> bool {
    let mut n = 0;
    for payload in Parser::new(0).parse_all(bytes).flatten() {
        let Payload::CodeSectionEntry(body) = payload else {
            continue;
        };
        let Ok(operators) = body.get_operators_reader() else {
            return false;
        };
        n += operators
            .into_iter_with_offsets()
            .flatten()
            .filter(|(op, at)| {
                offsets.contains(&(*at as u64)) && format!("{op:?}").contains("memarg")
            })
            .count();
    }
    n == 2
}

/// Why a module with relaxed instructions may differ where native code need not be deterministic.
pub const FREE_RELAXED: &str = "relaxed: native code that chooses as the machine does";

/// Does the module perhaps have a relaxed instruction?
pub fn has_relaxed(bytes: &[u8]) -> bool {
    bytes
        .windows(3)
        .any(|b| b[0] == 0xfd && (0x80..=0x93).contains(&b[1]) && b[2] == 2)
}

fn fits(mask: &str, said: &str) -> bool {
    match mask {
        ACCEPTS => said == ACCEPTS,
        "" => true,
        text => said != ACCEPTS && said.contains(text),
    }
}

/// The reason why a difference between the two does not count.
pub fn masked(table: &[Mask], ours: &str, theirs: &str) -> Option<&'static str> {
    table
        .iter()
        .find(|mask| fits(mask.ours, ours) && fits(mask.theirs, theirs))
        .map(|mask| mask.reason)
}
