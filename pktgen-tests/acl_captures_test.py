# SPDX-License-Identifier: BSD-3-Clause
"""`weir replay --view full` with acl against an independent reader, and against tcpdump where its language can say it.

    acl_captures_test.py WEIR ACL.wasm CAPTURES-FOLDER
"""
import glob
import os
import random
import subprocess
import sys
import tempfile

import acl_reader
import pcapfile
import tap

WEIR, ACL, CAPTURES = sys.argv[1:4]
HERE = os.path.dirname(os.path.abspath(__file__))
RULE_FILES = sorted(glob.glob(os.path.join(HERE, "acl-rules", "*.rules")))
DEMO = os.path.join(HERE, "..", "conf", "demo.pcap")

# Rule sets that tcpdump can say over packets without VLAN tags, extension headers and cut headers.
TCPDUMP = {
    "01-web-only": "tcp port 80 or tcp port 443",
    "02-no-dns": "not port 53",
    "03-ipv4-only": "ip or (vlan and ip) or (vlan and ip)",
    "05-pings": "icmp or icmp6 or (ip6[6] = 0 and ip6[40] = 58) or (vlan and icmp) or (vlan and icmp)",
}


def replay(rules_file, source, target, drops=None):
    command = [WEIR, "replay", "--view", "full", "--filter", ACL, "--config", f"rules=@{rules_file}"]
    if drops:
        command += ["--drops", drops]
    done = subprocess.run(command + [source, target], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, f"{source}: exit {done.returncode}: {done.stderr}"
    return done.stdout


def differences(want, got):
    if want == got:
        return None
    for number, (a, b) in enumerate(zip(want, got)):
        if a != b:
            return (f"packet {number} of the output: wanted time {a.ts_ns} length {a.orig_len} captured {len(a.data)} "
                    f"{a.data[:48].hex()}, found time {b.ts_ns} length {b.orig_len} captured {len(b.data)} {b.data[:48].hex()}")
    return f"wanted {len(want)} packets, found {len(got)}"


def check(rules_file, source, folder):
    """Both halves: what passes and what is dropped are exactly what the reader says, in order."""
    with open(rules_file, encoding="utf-8") as file:
        rules, default = acl_reader.read_rules(file.read())
    nano, _, records = pcapfile.read(source)
    kept, dropped = os.path.join(folder, "kept.pcap"), os.path.join(folder, "dropped.pcap")
    replay(rules_file, source, kept, dropped)
    for path, wanted in ((kept, True), (dropped, False)):
        want = [rec for rec in records if acl_reader.allows(rules, default, rec.data) == wanted]
        got_nano, link, got = pcapfile.read(path)
        assert (got_nano, link) == (nano, 1), f"{path}: nanoseconds {got_nano}, link type {link}"
        problem = differences(want, got)
        assert problem is None, f"{source} with {os.path.basename(rules_file)}, {os.path.basename(path)}: {problem}"


def captures():
    files = sorted(glob.glob(os.path.join(CAPTURES, "*.pcap")))
    if not files:
        raise tap.Skip(f"no captures in {CAPTURES}")
    return files


def every_rule_set_selects_what_the_reader_selects_from_all_captures_in_one_file():
    merged = []
    for path in captures():
        merged += pcapfile.read(path)[2]
    with tempfile.TemporaryDirectory() as folder:
        source = os.path.join(folder, "all.pcap")
        pcapfile.write(source, merged)
        for rules_file in RULE_FILES:
            check(rules_file, source, folder)


def each_capture_alone_keeps_what_the_reader_keeps():
    # one rule set a file, all of them in turn: each start of weir costs a fifth of a second
    with tempfile.TemporaryDirectory() as folder:
        for number, path in enumerate(captures()):
            check(RULE_FILES[number % len(RULE_FILES)], path, folder)


def every_rule_set_selects_what_the_reader_selects_from_the_demonstration_capture():
    with tempfile.TemporaryDirectory() as folder:
        for rules_file in RULE_FILES:
            check(rules_file, DEMO, folder)


def random_rules(rng, records):
    """Rules about addresses and ports that occur in the records, so that they match something."""
    seen = []
    for rec in records:
        try:
            seen.append(acl_reader.parse(rec.data))
        except acl_reader.Cut:
            pass
    lines = []
    for _ in range(rng.randrange(1, 40)):
        packet = rng.choice(seen)
        sides = []
        for address, port in ((packet[2], packet[4]), (packet[3], packet[5])):
            net = "any" if rng.random() < 0.4 else f"{address}/{rng.randrange(0, address.max_prefixlen + 1)}"
            if port is not None and rng.random() < 0.5:
                low = max(0, port - rng.choice((0, 0, 5, 500)))
                net += f" port {low}" if low == port else f" port {low}-{min(65535, port + rng.choice((0, 7, 999)))}"
            sides.append(net)
        proto = rng.choice(("", "tcp", "udp", "icmp", "icmp6", "ip", "ip6", "any"))
        lines.append(f"{rng.choice(('allow', 'deny'))} {proto} from {sides[0]} to {sides[1]}")
    return "\n".join(lines + [f"default {rng.choice(('allow', 'deny'))}", ""])


def random_rule_sets_select_what_the_reader_selects():
    rng = random.Random(20261120)
    records = pcapfile.read(DEMO)[2]
    for path in sorted(glob.glob(os.path.join(CAPTURES, "*.pcap"))):
        records += pcapfile.read(path)[2]
    with tempfile.TemporaryDirectory() as folder:
        source, rules_file = os.path.join(folder, "all.pcap"), os.path.join(folder, "random.rules")
        pcapfile.write(source, records)
        for _ in range(12):
            with open(rules_file, "w", encoding="utf-8") as file:
                file.write(random_rules(rng, records))
            check(rules_file, source, folder)


def tcpdump_selects_the_same_packets_where_its_language_can_say_it():
    with tempfile.TemporaryDirectory() as folder:
        for rules_file in RULE_FILES:
            expression = TCPDUMP.get(os.path.basename(rules_file).removesuffix(".rules"))
            if expression is None:
                continue
            kept, wanted = os.path.join(folder, "kept.pcap"), os.path.join(folder, "wanted.pcap")
            replay(rules_file, DEMO, kept)
            try:
                subprocess.run(["tcpdump", "-r", DEMO, "-w", wanted, expression], check=True,
                               capture_output=True, timeout=60)
            except FileNotFoundError:
                raise tap.Skip("tcpdump is not installed") from None
            problem = differences(pcapfile.read(wanted)[2], pcapfile.read(kept)[2])
            assert problem is None, f"{expression}: {problem}"


tap.run([
    every_rule_set_selects_what_the_reader_selects_from_the_demonstration_capture,
    tcpdump_selects_the_same_packets_where_its_language_can_say_it,
    every_rule_set_selects_what_the_reader_selects_from_all_captures_in_one_file,
    random_rule_sets_select_what_the_reader_selects,
    each_capture_alone_keeps_what_the_reader_keeps,
])
