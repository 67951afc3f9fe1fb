# SPDX-License-Identifier: BSD-3-Clause
"""Thousands of faults under load, without a pause before the restart, on both tiers at once: no packet buffer and no memory is lost,
deadlines are kept, neighbours lose nothing.

    soak_test.py WEIR PASS.wasm HOSTILE-FOLDER [--traps N | --seconds N] [--engine both|auto|jit|interp]

One worker runs its filters natively, the other interprets the same (--engine both, the default where there is a compiler). Without --traps and
--seconds, as many traps as a build with sanitizers can do in a short time; --traps 100000 or --seconds 600 are for a release build. Filters
that fault in different places stand on ports of their own, with every policy, before a `pass`.
"""
import argparse
import json
import os
import time

import rig
import tap

parser = argparse.ArgumentParser()
parser.add_argument("weir")
parser.add_argument("good")
parser.add_argument("folder")
parser.add_argument("--traps", type=int, default=2000)
parser.add_argument("--seconds", type=float)
parser.add_argument("--engine", choices=["both", "auto", "jit", "interp"])
ARGS = parser.parse_args()

DEADLINE_US = 5000  # of the one that loops; the others' is for a busy machine and the sanitizers
# (filter, policy)
LANES = [("trap", "closed"), ("bounds_store", "open"), ("reuse_id", "bypass"), ("partial_slot", "closed"),
         ("originate_flood", "open"), ("exit_holding", "bypass"), ("timers", "closed"), ("drop_twice", "bypass"),
         ("recursion", "closed"), ("divide", "open"), ("loop", "bypass")]
HEAD = """
eal: [--no-pci, --no-huge, --no-shconf, "-m", "256"]
"""
# Freed bytes that AddressSanitizer keeps, resident pages that come and go with instances, and a little more.
GROWTH_MAX_KIB = 32768
QUARANTINE_MIB = 8


def engines():
    """The workers' engines."""
    has_jit = json.loads(rig.run(ARGS.weir, "version", "--json").stdout)["llvm"] is not None
    if ARGS.engine == "both" or (ARGS.engine is None and has_jit):
        return ["jit", "interp"]
    return [ARGS.engine or "interp"]


def lane(engine, name):
    return f"{name}-{engine}"


def configuration():
    ports, chains, filters, workers = [], ["  good: [pass]"], [], []
    filters.append(f'  pass: {{file: "{os.path.abspath(ARGS.good)}", deadline_us: 60000000, limits: {{hold_ms: 600000}}}}')
    for name, policy in LANES:
        deadline_us, min_ms = (DEADLINE_US, 50) if name == "loop" else (5000000, 0)
        chains.append(f"  {name}: [{name}, pass]")
        filters.append(f'  {name}: {{file: "{os.path.abspath(os.path.join(ARGS.folder, name))}.wasm", on_fault: {policy}, '
                       f"deadline_us: {deadline_us}, restart: {{min_ms: {min_ms}, max_ms: {min_ms}}}, limits: {{hold_ms: 600000}}}}")
    for engine in engines():
        number = len(ports)
        names = [lane(engine, name) for name in ["result", "good"] + [name for name, _ in LANES]]
        ports.append(f'  {names[0]}: {{device: "net_pcap{number},tx_pcap=/dev/null"}}')
        ports.append(f'  {names[1]}: {{device: "net_null{number},size=60", chain: good, to: {names[0]}}}')
        ports += [f'  {lane(engine, name)}: {{device: "net_null{number + i},size=60", chain: {name}, to: {lane(engine, name)}}}'
                  for i, (name, _) in enumerate(LANES, 1)]
        workers.append(f"  - {{lcore: any, engine: {engine}, queues: [{', '.join(names)}]}}")
    return HEAD + "\n".join(["ports:", *ports, "workers:", *workers, "chains:", *chains, "filters:", *filters]) + "\n"


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


def wait_long_enough(weir):
    """Returns the memory that it had after a quarter, by when all that grows to its size has grown, and at the end."""
    if ARGS.seconds is None:
        wait_traps(weir, ARGS.traps // 4)
        before = resident_kib(weir)
        wait_traps(weir, ARGS.traps)
    else:
        time.sleep(ARGS.seconds / 4)
        before = resident_kib(weir)
        time.sleep(ARGS.seconds * 3 / 4)
    return before, resident_kib(weir)


def check_neighbours(report):
    ports = [port for port in report["ports"] if port["name"].startswith("good-")]
    good = next(chain for chain in report["filters"] if chain["name"] == "good/0")
    received = sum(port["rx_packets"] for port in ports)
    assert len(ports) == len(engines()) and all(port["rx_packets"] > 0 for port in ports), ports
    assert good["preset"] == good["in_packets"] == received and good["traps"] == good["missed"] == 0, (good, received)
    assert not any(port[key] for port in ports for key in port if key.startswith("drop_")), ports


def many_faults_under_load_lose_no_buffer_no_packet_and_no_memory():
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
            before, after = wait_long_enough(weir)
            report = weir.finish()
        finally:
            weir.kill()
    law = report["conservation"]
    print(f"# {' and '.join(engines())}: {traps(report)} traps, {sum(chain['restarts'] for chain in report['filters'])} restarts, "
          f"{law['rx']} packets received, {law['originated']} originated, {law['tx']} sent, {law['drops']} dropped; "
          f"mbufs missing {report['mbufs_missing']}; resident {before} KiB after a quarter, {after} KiB at the end; "
          f"{report['elapsed_ns'] / 1e9:.1f} s")
    assert after - before < GROWTH_MAX_KIB, (before, after)
    for name, _ in LANES:
        chain = next(chain for chain in report["filters"] if chain["name"] == name + "/0")
        assert chain["traps"] > 0 and chain["restarts"] > 0, chain
        if len(engines()) == 2:
            assert (chain["tier"], chain["queues_native"], chain["queues_interp"]) == ("mixed", 1, 1), chain
        assert (chain["deadlines"] > 0) == (name == "loop") and chain["deadlines"] in (0, chain["traps"]), chain
        if name == "loop":
            print(f"# {chain['deadlines']} deadlines of {DEADLINE_US} us; a run took "
                  f"{chain['cycles'] / chain['runs'] / report['tsc_hz'] * 1e6:.0f} us in the mean")
    check_neighbours(report)


tap.run([many_faults_under_load_lose_no_buffer_no_packet_and_no_memory])
