# SPDX-License-Identifier: BSD-3-Clause
"""Filters made by the ordinary Rust toolchain, through `weir replay`.

    rust_filters_test.py WEIR TTL.wasm EXAMPLES-FOLDER

ttl (filters/rust/ttl) rewrites packets, names a drop reason and reads its configuration; the example beside the
project was not shaped for weir and must let every packet pass unchanged.
"""
import os
import subprocess
import sys
import tempfile

import pcapfile
import tap

WEIR, TTL, EXAMPLES = sys.argv[1:4]
HERE = os.path.dirname(os.path.abspath(__file__))
DEMO = os.path.join(HERE, "..", "conf", "demo.pcap")


def replay(component, folder, *config):
    kept, dropped = os.path.join(folder, "kept.pcap"), os.path.join(folder, "dropped.pcap")
    command = [WEIR, "replay", "--filter", component, *config, DEMO, kept, "--drops", dropped]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    return done, kept, dropped


def words(header):
    return sum(int.from_bytes(header[at:at + 2], "big") for at in range(0, len(header), 2))


def hop(data, least):
    """What a router makes of a packet: None when it has no hop to spare."""
    packet = bytearray(data)
    if len(data) >= 34 and data[12:14] == b"\x08\x00" and data[14] >> 4 == 4:
        at, header = 22, slice(14, 14 + (data[14] & 15) * 4)
    elif len(data) >= 54 and data[12:14] == b"\x86\xdd" and data[14] >> 4 == 6:
        at, header = 21, None
    else:
        return bytes(packet)
    if packet[at] <= least:
        return None
    packet[at] -= 1
    if header:
        packet[24:26] = b"\0\0"
        total = words(packet[header])
        while total > 0xFFFF:
            total = (total & 0xFFFF) + (total >> 16)
        packet[24:26] = (~total & 0xFFFF).to_bytes(2, "big")
    return bytes(packet)


def ttl_takes_a_hop_off_every_ip_packet():
    for least in (1, 63, 255):
        with tempfile.TemporaryDirectory() as folder:
            done, kept, dropped = replay(TTL, folder, "--config", f"least={least}")
            assert done.returncode == 0, done.stderr
            records = pcapfile.read(DEMO)[2]
            want = [rec._replace(data=hop(rec.data, least)) for rec in records if hop(rec.data, least) is not None]
            assert pcapfile.read(kept)[2] == want, f"least {least}: other packets than a router makes"
            lost = [rec for rec in records if hop(rec.data, least) is None]
            assert pcapfile.read(dropped)[2] == lost, f"least {least}: other packets dropped"
            assert not lost or "expired" in done.stdout, done.stdout


def ttl_with_a_bad_number_ends_at_its_start():
    with tempfile.TemporaryDirectory() as folder:
        done, _, _ = replay(TTL, folder, "--config", "least=many")
        assert done.returncode == 1, done.stdout
        assert 'least: found "many", expected 0 to 255' in done.stderr, done.stderr


def a_filter_not_made_for_weir_lets_every_packet_pass():
    example = os.path.join(EXAMPLES, "rust-filter", "filter.component.wasm")
    if not os.path.exists(example):
        raise tap.Skip(f"{example} is not here")
    with tempfile.TemporaryDirectory() as folder:
        done, kept, _ = replay(example, folder)
        assert done.returncode == 0, done.stderr
        assert pcapfile.read(kept)[2] == pcapfile.read(DEMO)[2], "the packets are not the same"


tap.run([
    ttl_takes_a_hop_off_every_ip_packet,
    ttl_with_a_bad_number_ends_at_its_start,
    a_filter_not_made_for_weir_lets_every_packet_pass,
])
