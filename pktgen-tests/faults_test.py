# SPDX-License-Identifier: BSD-3-Clause
"""What a fault costs: the policies by count and by packet, the pause before a restart, the deadline on a busy machine.

    faults_test.py WEIR PREBUILT-FOLDER HOSTILE-FOLDER
"""
import os
import subprocess
import sys

import pcapfile
import rig
import tap

WEIR, PREBUILT, HOSTILE = (os.path.abspath(path) for path in sys.argv[1:4])
BURST, COUNT = 32, 400

CONF = """
eal: [--no-pci, --no-huge, --no-shconf, "-m", "256"]
burst: {burst}
ports:
  capture: {{device: "{source}", chain: main, to: result}}
  result: {{device: "net_pcap1,tx_pcap={result}"}}
workers: [{{lcore: 0}}]
chains: {{main: [{chain}]}}
filters:
  faulty: {{file: "{faulty}", on_fault: {policy}, deadline_us: {deadline_us}, restart: {{min_ms: {min_ms}, max_ms: {max_ms}}}}}
  macswap: {{file: "{prebuilt}/macswap.wasm", deadline_us: {deadline_us}, limits: {{hold_ms: 600000}}}}
"""
NEVER_MS = 3600000
LOAD = "net_null0,size=60"  # packets without end


def frame(number, source=b"\x02\0\0\0\0\x01", target=b"\x02\0\0\0\0\x02"):
    return target + source + b"\x88\xb5" + number.to_bytes(4, "big") + bytes(42)


SENT = [frame(number) for number in range(COUNT)]
SWAPPED = [frame(number, b"\x02\0\0\0\0\x02", b"\x02\0\0\0\0\x01") for number in range(COUNT)]


def hostile(name):
    path = os.path.join(HOSTILE, name + ".wasm")
    if not os.path.exists(path):
        raise tap.Skip(f"{HOSTILE} has no {name}.wasm: clang-22 or wasm-ld-22 is missing")
    return path


def configure(folder, chain, faulty, policy, source=None, deadline_us=60000000, min_ms=NEVER_MS, max_ms=NEVER_MS):
    """Writes a configuration; returns its path and where the result goes."""
    conf, result, capture = (os.path.join(folder, name) for name in ("conf.yaml", "result.pcap", "source.pcap"))
    pcapfile.write(capture, [pcapfile.Record(0, len(data), data) for data in SENT])
    with open(conf, "w", encoding="utf-8") as file:
        file.write(CONF.format(burst=BURST, source=source or f"net_pcap0,rx_pcap={capture},tx_pcap=/dev/null",
                               result="/dev/null" if source else result, chain=chain, faulty=hostile(faulty), policy=policy,
                               prebuilt=PREBUILT, deadline_us=deadline_us, min_ms=min_ms, max_ms=max_ms))
    return conf, result


def once(chain, faulty, policy):
    """The capture, through a filter that is lost at its first burst and stays away: the frames that come out, the report."""
    with rig.folder() as folder:
        conf, result = configure(folder, chain, faulty, policy)
        weir = rig.Weir(WEIR, conf, folder, f"faults{os.getpid()}")
        try:
            weir.wait_ready()
            rig.wait_until(lambda: weir.stats()["ports"][0]["rx_packets"] == COUNT, f"{COUNT} packets to be received")
            report = weir.finish()
        finally:
            weir.kill()
        faulted = stage(report, chain.split(", ").index("faulty"))
        assert (faulted["traps"], faulted["restarts"], faulted["instances"]) == (1, 0, 0), faulted
        return [record.data for record in pcapfile.read(result)[2]], report


def stage(report, place):
    return next(chain for chain in report["filters"] if chain["name"] == f"main/{place}")


def closed_drops_what_it_had_and_what_comes_while_it_is_away():
    came, report = once("faulty, macswap", "trap", "closed")
    assert came == [], len(came)
    assert rig.drops_by_reason(report) == {"filter_fault": BURST, "no_instance": COUNT - BURST}, report["conservation"]
    assert stage(report, 1)["in_packets"] == 0


def open_forwards_all_unchanged_past_the_rest_of_the_chain():
    came, report = once("faulty, macswap", "trap", "open")
    assert came == SENT, len(came)
    assert rig.drops_by_reason(report) == {}, report["conservation"]
    assert (stage(report, 0)["faulted"], stage(report, 0)["missed"]) == (BURST, COUNT - BURST)
    assert stage(report, 1)["in_packets"] == 0


def bypass_gives_all_to_the_next_filter_in_order():
    came, report = once("faulty, macswap", "trap", "bypass")
    assert came == SWAPPED, len(came)
    assert rig.drops_by_reason(report) == {}, report["conservation"]
    assert stage(report, 1)["in_packets"] == COUNT


def bypass_of_the_last_filter_forwards_what_the_ones_before_it_made():
    came, report = once("macswap, faulty", "trap", "bypass")
    assert came == SWAPPED, len(came)
    assert rig.drops_by_reason(report) == {}, report["conservation"]


def what_was_given_back_before_the_fault_is_not_given_twice():
    # partial_slot writes its burst but for the last byte: all slots but the last were whole
    came, report = once("faulty", "partial_slot", "closed")
    assert came == SENT[:BURST - 1], len(came)
    assert rig.drops_by_reason(report) == {"filter_fault": 1, "no_instance": COUNT - BURST}, report["conservation"]
    came, report = once("faulty", "partial_slot", "bypass")
    assert came == SENT, len(came)


def a_replay_fails_when_a_filter_ends_by_itself():
    with rig.folder() as folder:
        capture, result = os.path.join(folder, "source.pcap"), os.path.join(folder, "result.pcap")
        pcapfile.write(capture, [pcapfile.Record(0, len(data), data) for data in SENT])
        done = rig.run(WEIR, "replay", "--filter", hostile("malformed"), capture, result, check=False)
        assert done.returncode == 1, done.returncode
        assert "filter malformed port capture queue 0: ended: malformed" in done.stderr, done.stderr
        assert "malformed.wasm: ended before its input: " in done.stderr, done.stderr


def restarts_possible(elapsed_ms, min_ms, max_ms):
    """The most restarts that fit when each pause is twice as long as the one before."""
    count, pause = 0, min_ms
    while elapsed_ms >= pause:
        elapsed_ms -= pause
        pause = min(2 * pause, max_ms)
        count += 1
    return count


def the_pause_before_a_restart_doubles():
    with rig.folder() as folder:
        conf, _ = configure(folder, "faulty", "trap", "closed", source=LOAD, min_ms=20, max_ms=80)
        weir = rig.Weir(WEIR, conf, folder, f"faults{os.getpid()}")
        try:
            weir.wait_ready()
            rig.wait_until(lambda: stage(weir.stats(), 0)["restarts"] >= 5, "5 restarts")
            report = weir.finish()
        finally:
            weir.kill()
    chain = stage(report, 0)
    most = restarts_possible(report["elapsed_ns"] / 1e6, 20, 80)
    assert chain["restarts"] <= most, (chain["restarts"], most)
    assert chain["traps"] - chain["restarts"] in (0, 1), chain
    assert chain["in_packets"] == chain["faulted"] == BURST * chain["traps"], chain
    assert chain["missed"] == report["ports"][0]["rx_packets"] - chain["in_packets"], chain


def a_deadline_counts_the_workers_own_cpu_time():
    # Programs that never pause take both the worker's core and the others; weir, last in line, has to wait for long
    # in the middle of bursts. Its filter does not pay for that; one that loops does.
    burners = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2 * os.cpu_count())]
    try:
        with rig.folder() as folder:
            conf, _ = configure(folder, "macswap", "loop", "closed", source=LOAD, deadline_us=10000)
            with open(conf, encoding="utf-8") as file:
                text = file.read()
            both = text.replace("workers:", "  looping: {device: \"net_null2,size=60\", chain: looping, to: result}\nworkers:"
                                ).replace("chains: {", "chains: {looping: [faulty], ")
            with open(conf, "w", encoding="utf-8") as file:
                file.write(both)
            weir = rig.Weir(WEIR, conf, folder, f"faults{os.getpid()}")
            try:
                weir.wait_ready()
                for thread in os.listdir(f"/proc/{weir.process.pid}/task"):
                    os.setpriority(os.PRIO_PROCESS, int(thread), 19)
                rig.wait_until(lambda: stage(weir.stats(), 0)["in_packets"] > 20000, "the filter to work", patience=300)
                report = weir.finish()
            finally:
                weir.kill()
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()
    chain, looping = stage(report, 0), next(chain for chain in report["filters"] if chain["name"] == "looping/0")
    assert chain["traps"] == chain["deadlines"] == chain["missed"] == 0, chain
    assert looping["deadlines"] == looping["traps"] == 1, looping


tap.run([
    closed_drops_what_it_had_and_what_comes_while_it_is_away,
    open_forwards_all_unchanged_past_the_rest_of_the_chain,
    bypass_gives_all_to_the_next_filter_in_order,
    bypass_of_the_last_filter_forwards_what_the_ones_before_it_made,
    what_was_given_back_before_the_fault_is_not_given_twice,
    a_replay_fails_when_a_filter_ends_by_itself,
    the_pause_before_a_restart_doubles,
    a_deadline_counts_the_workers_own_cpu_time,
])
