# SPDX-License-Identifier: BSD-3-Clause
"""Every hostile filter in `weir run`, under load, beside a well-behaved filter on the same worker.

    hostile_test.py WEIR PASS.wasm HOSTILE-FOLDER HOSTILE.def [--engine ENGINE] [NAME...]

With --engine jit every filter runs natively before its first packet.

What weir must do about each is its row of hostile.def; whatever it is, weir lives and ends with 0, the neighbour loses no
packet, the conservation law holds and every packet buffer comes back. The table of what happened is on stdout.
"""
import argparse
import os
import re

import rig
import tap

parser = argparse.ArgumentParser()
parser.add_argument("weir")
parser.add_argument("good")
parser.add_argument("folder")
parser.add_argument("rows")
parser.add_argument("--engine", choices=["auto", "jit", "interp"], default="auto")
parser.add_argument("names", nargs="*", metavar="NAME")
ARGS = parser.parse_intermixed_args()
WEIR, PASS, FOLDER, ROWS, NAMES = ARGS.weir, ARGS.good, ARGS.folder, ARGS.rows, ARGS.names
TIER = {"jit": "native", "interp": "interp"}

# Both receive queues bring packets without end; burst and handles are those of which hostile.def speaks. The time limits
# are for a busy machine and for the sanitizers: only the filters that are to reach one get a short one.
CONF = """
eal: [--no-pci, --no-huge, --no-shconf, "-m", "256"]
burst: 16
ports:
  bad: {{device: "net_null0,size=60", chain: hostile, to: bad}}
  good: {{device: "net_null1,size=60", chain: good, to: result}}
  result: {{device: "net_pcap0,tx_pcap=/dev/null"}}
workers: [{{lcore: 0}}]
chains: {{hostile: [hostile], good: [pass]}}
filters:
  hostile:
    file: "{hostile}"
    deadline_us: {deadline_us}
    restart: {{min_ms: 1, max_ms: 10}}
    limits: {{hold_ms: {hold_ms}, handles: 1024}}
  pass: {{file: "{good}", deadline_us: 60000000, limits: {{hold_ms: 600000}}}}
"""
HOLD_MS, HOLD_LONG_MS = 50, 600000
DEADLINE_US, DEADLINE_LONG_US = 20000, 5000000
ENOUGH = 256  # packets that show that a filter goes on


def rows():
    """[(name, when, failure's word or None, text)] of hostile.def."""
    with open(ROWS, encoding="utf-8") as file:
        found = re.findall(r'^HOSTILE\("(\w+)",\s*(\w+),\s*(\w+),\s*"([^"]*)"', file.read(), re.M)
    assert len(found) > 60, f"{ROWS}: {len(found)} rows"
    return [(name, when, failure[len("WE_E_"):].lower() if failure != "0" else None, text)
            for name, when, failure, text in found]


def named(things, name):
    return next(thing for thing in things if thing["name"] == name)


def hostile(stats):
    return named(stats["filters"], "hostile/0")


def neighbour(stats):
    return named(stats["filters"], "good/0")


HAPPENED = {
    "RUN": lambda stats: hostile(stats)["traps"] > 1 and hostile(stats)["restarts"] > 0,
    "HELD": lambda stats: hostile(stats)["traps"] > 0 and hostile(stats)["restarts"] > 0,
    "STOP": lambda stats: hostile(stats)["in_packets"] > 0,
    "ENDS": lambda stats: hostile(stats)["ended"] > 1 and hostile(stats)["restarts"] > 0,
    "GOES_ON": lambda stats: hostile(stats)["in_packets"] > ENOUGH,
}


def check_neighbour(report):
    port, chain, result = (named(report["ports"], "good"), neighbour(report), named(report["ports"], "result"))
    assert port["rx_packets"] > 0
    assert chain["in_packets"] == chain["preset"] == port["rx_packets"], (port, chain)
    assert result["tx_packets"] == port["rx_packets"], (port, result)
    assert result["tx_bytes"] == port["rx_bytes"] == 60 * port["rx_packets"], (port, result)
    assert not any(port[key] for key in port if key.startswith("drop_")), port
    assert chain["traps"] == chain["ended"] == chain["faulted"] == chain["missed"] == 0, chain


def check_hostile(when, report):
    port, chain = named(report["ports"], "bad"), hostile(report)
    # It, too, got and gave every packet exactly once: what it has not judged followed the policy, closed.
    drops = {key[len("drop_"):]: port[key] for key in port if key.startswith("drop_") and port[key]}
    assert port["rx_packets"] == chain["in_packets"] + chain["missed"], (port, chain)
    assert drops.get("filter_fault", 0) == chain["faulted"], (drops, chain)
    assert drops.get("no_instance", 0) == chain["missed"], (drops, chain)
    assert (chain["traps"] > 0) == (when in ("RUN", "HELD", "STOP")), chain
    assert (chain["ended"] > 0) == (when == "ENDS"), chain
    return drops


def refused_at_start(weir, name, word, text):
    code = rig.wait_until(lambda: None if weir.alive() else (weir.process.returncode,), "weir to refuse the filter")[0]
    said = weir.text()
    assert code == 1 and f"filter hostile: {word}: " in said and text in said, (code, said)
    return f"refused, exit 1: {said.splitlines()[-1].split('filter hostile: ')[-1]}"


def runs(weir, when, word, text):
    weir.wait_ready()
    stats = rig.wait_until(lambda: (lambda stats: stats if HAPPENED[when](stats) else None)(weir.stats()),
                           f"what {when} means")
    passed = neighbour(stats)["in_packets"]
    rig.wait_until(lambda: neighbour(weir.stats())["in_packets"] > passed + ENOUGH, "the neighbour to go on")
    report = weir.finish()
    check_neighbour(report)
    assert ARGS.engine == "auto" or {chain["tier"] for chain in report["filters"]} == {TIER[ARGS.engine]}, report["filters"]
    drops = check_hostile(when, report)
    said = re.findall(r"filter hostile port bad queue 0: (lost: .*|ended: .*)", weir.text())
    if word is not None:
        assert any(line.startswith(f"lost: {word}: ") and text in line for line in said), said
    chain = hostile(report)
    what = next((line for line in said if line.startswith("lost: ")), said[0] if said else "goes on")
    counts = [f"{key} {chain[key]}" for key in ("traps", "deadlines", "ended", "restarts") if chain[key]]
    return f"{re.sub(r' .and [0-9]+ more before.$', '', what)}; {', '.join(counts + [f'{k} {v}' for k, v in drops.items()]) or '-'}"


def try_one(name, when, word, text):
    """Returns what happened, in a line."""
    with rig.folder() as folder:
        conf = os.path.join(folder, "conf.yaml")
        with open(conf, "w", encoding="utf-8") as file:
            file.write(CONF.format(hostile=os.path.abspath(os.path.join(FOLDER, name + ".wasm")),
                                   good=os.path.abspath(PASS),
                                   hold_ms=HOLD_MS if when == "HELD" else HOLD_LONG_MS,
                                   deadline_us=DEADLINE_US if "deadline" in text else DEADLINE_LONG_US))
        weir = rig.Weir(WEIR, conf, folder, f"hostile{os.getpid()}", "--engine", ARGS.engine)
        try:
            return refused_at_start(weir, name, word, text) if when == "START" else runs(weir, when, word, text)
        finally:
            weir.kill()


def test_of(name, when, word, text):
    def run():
        if not os.path.exists(os.path.join(FOLDER, name + ".wasm")):
            raise tap.Skip(f"{FOLDER} has no {name}.wasm: clang-22 or wasm-ld-22 is missing")
        print(f"# {name:18} {when:8} {try_one(name, when, word, text)}", flush=True)
    return f"{name}_hurts_nobody_but_itself", run


tap.run([test_of(*row) for row in rows() if not NAMES or row[0] in NAMES])
