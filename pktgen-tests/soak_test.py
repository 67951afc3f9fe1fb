# SPDX-License-Identifier: BSD-3-Clause
"""Thousands of traps under load, without a pause before the restart: no packet buffer and no memory is lost.

    soak_test.py WEIR PASS.wasm HOSTILE-FOLDER [--traps N]

The issue's figure is `--traps 100000` with a release build; without the option, as many as a build with sanitizers can do in
a short time. Filters that fault in different places stand on ports of one worker, with every policy, before a `pass`.
"""
import argparse
import os

import rig
import tap

parser = argparse.ArgumentParser()
parser.add_argument("weir")
parser.add_argument("good")
parser.add_argument("folder")
parser.add_argument("--traps", type=int, default=2000)
ARGS = parser.parse_args()

# (filter, policy)
LANES = [("trap", "closed"), ("bounds_store", "open"), ("reuse_id", "bypass"), ("partial_slot", "closed"),
         ("originate_flood", "open"), ("exit_holding", "bypass"), ("timers", "closed"), ("drop_twice", "bypass")]
HEAD = """
eal: [--no-pci, --no-huge, --no-shconf, "-m", "256"]
workers: [{lcore: 0}]
"""
# Freed bytes that AddressSanitizer keeps, resident pages that come and go with instances, and a little more.
GROWTH_MAX_KIB = 32768
QUARANTINE_MIB = 8


def configuration():
    ports = ['  result: {device: "net_pcap0,tx_pcap=/dev/null"}', '  good: {device: "net_null0,size=60", chain: good, to: result}']
    chains = ["  good: [pass]"]
    filters = [f'  pass: {{file: "{os.path.abspath(ARGS.good)}", deadline_us: 60000000, limits: {{hold_ms: 600000}}}}']
    for number, (name, policy) in enumerate(LANES, 1):
        ports.append(f'  {name}: {{device: "net_null{number},size=60", chain: {name}, to: {name}}}')
        chains.append(f"  {name}: [{name}, pass]")
        filters.append(f'  {name}: {{file: "{os.path.abspath(os.path.join(ARGS.folder, name))}.wasm", on_fault: {policy}, '
                       "deadline_us: 5000000, restart: {min_ms: 0, max_ms: 0}, limits: {hold_ms: 600000}}")
    return HEAD + "\n".join(["ports:", *ports, "chains:", *chains, "filters:", *filters]) + "\n"


def traps(stats):
    return sum(chain["traps"] for chain in stats["filters"])


def resident_kib(weir):
    with open(f"/proc/{weir.process.pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS:"))


def wait_traps(weir, wanted):
    """Until so many: a rising count has all the time it needs."""
    seen = -1
    while True:
        def more(before=seen):
            count = traps(weir.stats())
            return count if count > before else None
        seen = rig.wait_until(more, f"a trap after {seen} of {wanted}")
        if seen >= wanted:
            return seen


def many_traps_under_load_lose_no_buffer_no_packet_and_no_memory():
    for name, _ in LANES:
        if not os.path.exists(os.path.join(ARGS.folder, name + ".wasm")):
            raise tap.Skip(f"{ARGS.folder} has no {name}.wasm: clang-22 or wasm-ld-22 is missing")
    os.environ["ASAN_OPTIONS"] = f"{os.environ.get('ASAN_OPTIONS', '')}:quarantine_size_mb={QUARANTINE_MIB}"
    with rig.folder() as folder:
        conf = os.path.join(folder, "conf.yaml")
        with open(conf, "w", encoding="utf-8") as file:
            file.write(configuration())
        weir = rig.Weir(ARGS.weir, conf, folder, f"soak{os.getpid()}")
        try:
            weir.wait_ready()
            wait_traps(weir, ARGS.traps // 4)  # by then all that grows to its size has grown
            before = resident_kib(weir)
            wait_traps(weir, ARGS.traps)
            after = resident_kib(weir)
            report = weir.finish()
        finally:
            weir.kill()
    law = report["conservation"]
    print(f"# {traps(report)} traps, {sum(chain['restarts'] for chain in report['filters'])} restarts, "
          f"{law['rx']} packets received, {law['originated']} originated, {law['tx']} sent, {law['drops']} dropped; "
          f"mbufs missing {report['mbufs_missing']}; resident {before} KiB after a quarter, {after} KiB at the end; "
          f"{report['elapsed_ns'] / 1e9:.1f} s")
    assert after - before < GROWTH_MAX_KIB, (before, after)
    for name, _ in LANES:
        chain = next(chain for chain in report["filters"] if chain["name"] == name + "/0")
        assert chain["traps"] > 0 and chain["restarts"] > 0, chain
    good = next(chain for chain in report["filters"] if chain["name"] == "good/0")
    port = next(port for port in report["ports"] if port["name"] == "good")
    assert good["preset"] == good["in_packets"] == port["rx_packets"], (good, port)


tap.run([many_traps_under_load_lose_no_buffer_no_packet_and_no_memory])
