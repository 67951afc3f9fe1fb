// SPDX-License-Identifier: BSD-3-Clause
//! ttl: takes one hop off the TTL of IPv4 and the hop limit of IPv6 packets, as a router does. A packet with fewer hops
//! left than `config: least:` (default 1) is dropped as "expired"; what is not IP behind untagged Ethernet passes.

wit_bindgen::generate!({ world: "ttl", path: "../../wit", generate_all });

use exports::weir::packet::filter::{Error, Guest};
use wasi::config::store;
use weir::packet::setup;
use wit_bindgen::{FutureReader, StreamReader, StreamResult};

const VIEW: u32 = 64; // bytes: Ethernet and IP headers

// Offsets in the descriptor; docs/filters.md has all of them.
const LEN: usize = 8;
const DATA_OFF: usize = 20;
const VERDICT: usize = 30;
const REASON: usize = 31;

const DROP: u8 = 2;
const CHANGED: u8 = 0x80;
const REASON_EXPIRED: u8 = 1;

fn read_u16(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

enum Hops {
    Untouched,
    Expired,
    Taken,
}

/// Takes a hop off the packet that begins with Ethernet.
fn take_hop(packet: &mut [u8], least: u8) -> Hops {
    let is_v4 = packet.len() >= 34 && packet[12..14] == [0x08, 0x00] && packet[14] >> 4 == 4;
    let is_v6 = packet.len() >= 54 && packet[12..14] == [0x86, 0xdd] && packet[14] >> 4 == 6;
    if !is_v4 && !is_v6 {
        return Hops::Untouched;
    }
    let at = if is_v4 { 22 } else { 21 };
    if packet[at] <= least {
        return Hops::Expired;
    }
    packet[at] -= 1;
    if is_v4 {
        // RFC 1624: the 16-bit word with the TTL in its high byte has become 0x0100 less.
        let checksum = u16::from_be_bytes([packet[24], packet[25]]);
        let sum = u32::from(!checksum) + u32::from(!0x0100u16);
        let sum = (sum & 0xffff) + (sum >> 16);
        packet[24..26].copy_from_slice(&(!(sum as u16)).to_be_bytes());
    }
    Hops::Taken
}

fn visit(slot: &mut [u8], least: u8) {
    let off = usize::from(read_u16(slot, DATA_OFF));
    let end = off + usize::from(read_u16(slot, LEN));
    match take_hop(&mut slot[off..end], least) {
        Hops::Untouched => {}
        Hops::Expired => {
            slot[VERDICT] = DROP;
            slot[REASON] = REASON_EXPIRED;
        }
        Hops::Taken => slot[VERDICT] = CHANGED,
    }
}

/// The number under the key `least`, 1 without it.
fn least() -> Result<u8, Error> {
    match store::get("least") {
        Ok(None) => Ok(1),
        Ok(Some(text)) => text
            .trim()
            .parse()
            .map_err(|_| Error::Internal(format!("least: found \"{text}\", expected 0 to 255"))),
        Err(error) => Err(Error::Internal(format!("least: {error:?}"))),
    }
}

struct Ttl;

impl Guest for Ttl {
    async fn process(mut rx: StreamReader<u8>) -> (StreamReader<u8>, FutureReader<Result<(), Error>>) {
        let shape = setup::configure(VIEW, 0, &["expired".to_string()]);
        let stride = shape.stride as usize;
        let (mut tx, out) = wit_stream::new();
        let (done, status) = wit_future::new(|| Ok(()));
        let least = least();
        wit_bindgen::spawn_local(async move {
            let least = match least {
                Ok(least) => least,
                Err(error) => {
                    drop(tx);
                    let _ = done.write(Err(error)).await;
                    return;
                }
            };
            let mut buf = Vec::with_capacity(stride * shape.burst as usize);
            loop {
                let (result, mut slots) = rx.read(buf).await;
                if slots.len() % stride != 0 {
                    drop(tx);
                    let _ = done.write(Err(Error::Malformed)).await;
                    return;
                }
                if !slots.is_empty() {
                    slots.chunks_exact_mut(stride).for_each(|slot| visit(slot, least));
                    slots = tx.write_all(slots).await;
                }
                if let StreamResult::Dropped = result {
                    break;
                }
                slots.clear();
                buf = slots;
            }
            drop(tx);
            let _ = done.write(Ok(())).await;
        });
        (out, status)
    }
}

export!(Ttl);
