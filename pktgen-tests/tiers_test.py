# SPDX-License-Identifier: BSD-3-Clause
"""Native code for filters while packets flow: both tiers side by side, and a compiler that fails in every way.

    tiers_test.py WEIR FAKE-JIT PREBUILT-FOLDER CAPTURE|FOLDER...

FAKE-JIT is the compiler of the engine's own tests: a custom section of a module says how it fails. The other tests take the real one, and are
skipped in a build without LLVM.
"""
import contextlib
import glob
import json
import os
import signal
import sys
import time

import pcapfile
import rig
import tap
import wasm_edit

WEIR, FAKE_JIT, PREBUILT = (os.path.abspath(path) for path in sys.argv[1:4])
# Of a folder, the larger ones.
CAPTURES = [path for word in sys.argv[4:] for path in (
    sorted(glob.glob(os.path.join(word, "*.pcap")), key=os.path.getsize)[-8:] if os.path.isdir(word) else [word])]
PASS = os.path.join(PREBUILT, "pass.wasm")
FAILURES = ("refused", "aborted", "timed_out", "no_memory", "damaged", "lost")
ENOUGH = 2000  # packets that show that forwarding goes on

# Packets without end through one filter. Nothing here may fail for being slow.
CONF = """
eal: [--no-pci, --no-huge, --no-shconf, "-m", "256"]
mbufs: 8192
{more}
ports:
  load: {{device: "net_null0,size=60", chain: main, to: load}}
workers: [{{lcore: any, engine: {engine}}}]
chains: {{main: [hard]}}
filters:
  hard: {{file: "{file}", deadline_us: 60000000, limits: {{hold_ms: 600000}}}}
"""


def need_compiler():
    if json.loads(rig.run(WEIR, "version", "--json").stdout)["llvm"] is None:
        raise tap.Skip("this build has no LLVM")


def write(folder, name, data):
    path = os.path.join(folder, name)
    with open(path, "wb") as file:
        file.write(data)
    return path


def edited(folder, edit):
    """The filter `pass`, its core module edited."""
    with open(PASS, "rb") as file:
        return write(folder, "hard.wasm", wasm_edit.edit_largest(file.read(), edit))


def faulty(folder, fault):
    return edited(folder, lambda module: wasm_edit.add_custom(module, b"fault", fault.encode()))


def configure(folder, file, engine="auto", more=""):
    return write(folder, "conf.yaml", CONF.format(file=file, engine=engine, more=more).encode())


def named(things, name):
    return next(thing for thing in things if thing["name"] == name)


def code(stats):
    return named(stats["code"], "hard")


def seen(stats):
    return named(stats["filters"], "main/0")["in_packets"]


def wait_packets(weir, enough=ENOUGH):
    before = seen(weir.stats())
    rig.wait_until(lambda: seen(weir.stats()) > before + enough, "packets to go on")


def under_load(folder, conf, *options, meanwhile=None, wait_done=True):
    """Runs until the compilation has come to its end, and packets went on before, meanwhile and after. The report, the log."""
    weir = rig.Weir(WEIR, conf, folder, f"tiers{os.getpid()}", *options)
    try:
        weir.wait_ready()
        wait_packets(weir)
        if meanwhile:
            meanwhile(weir)
        if wait_done:
            rig.wait_until(lambda: code(weir.stats())["state"] == "done", "the compiler to be done with", patience=600)
        wait_packets(weir)
        report = weir.finish()
    finally:
        weir.kill()
    law = report["conservation"]
    assert law["rx"] == law["tx"] and law["drops"] == 0, law
    chain = named(report["filters"], "main/0")
    assert chain["traps"] == chain["ended"] == chain["missed"] == 0, chain
    return report, weir.text()


def say(what, report):
    row = code(report)
    failed = ", ".join(f"{key} {row[key]}" for key in FAILURES if row[key])
    print(f"# {what:24} {row['native']} of {row['functions']} functions native, {row['compile_ns'] // 1000000} ms; "
          f"{failed or 'no failure'}{': ' if row['message'] else ''}{row['message']}; "
          f"{report['conservation']['rx']} packets", flush=True)


# ---- both tiers in one process -------------------------------------------------------------------

TWICE = """
eal: [--no-pci, --no-huge, --no-shconf, "-m", "384"]
ports:
  a: {{device: "net_pcap0,rx_pcap={source},tx_pcap=/dev/null", chain: main, to: native}}
  b: {{device: "net_pcap1,rx_pcap={source},tx_pcap=/dev/null", chain: main, to: interp}}
  native: {{device: "net_pcap2,tx_pcap={folder}/native.pcap"}}
  interp: {{device: "net_pcap3,tx_pcap={folder}/interp.pcap"}}
workers:
  - {{lcore: any, engine: {engine}, queues: [a, native]}}
  - {{lcore: any, engine: interp, queues: [b, interp]}}
chains: {{main: [acl, macswap, count]}}
filters:
  acl:
    file: "{prebuilt}/acl.wasm"
    deadline_us: 60000000
    limits: {{hold_ms: 600000}}
    config: {{rules: "deny udp from any to any port 53\\nallow from any to any\\ndefault allow\\n"}}
  macswap: {{file: "{prebuilt}/macswap.wasm", deadline_us: 60000000, limits: {{hold_ms: 600000}}}}
  count: {{file: "{prebuilt}/count.wasm", deadline_us: 60000000, limits: {{hold_ms: 600000}}}}
"""


def both_tiers(folder, source, engine):
    conf = write(folder, "twice.yaml",
                 TWICE.format(source=source, folder=folder, prebuilt=PREBUILT, engine=engine).encode())
    done = rig.run(WEIR, "run", "--json", "--instance", f"tiers{os.getpid()}", "--until-idle", "0.5", conf, timeout=600)
    report = json.loads(done.stdout)
    rig.check_conservation(report)
    return report, *([record.data for record in pcapfile.read(os.path.join(folder, name))[2]]
                     for name in ("native.pcap", "interp.pcap"))


def a_chain_on_both_tiers_in_one_process_gives_the_same():
    need_compiler()
    total = 0
    for source in CAPTURES:
        with rig.folder() as folder:
            report, native, interp = both_tiers(folder, source, "jit")
        assert native == interp, (source, len(native), len(interp))
        total += len(native)
        for chain in report["filters"]:
            assert (chain["tier"], chain["queues_native"], chain["queues_interp"]) == ("mixed", 1, 1), chain
        ports = [named(report["ports"], name) for name in "ab"]
        assert all(ports[0][key] == ports[1][key] for key in ports[0] if key.startswith(("rx_", "drop_"))), ports
        print(f"# {os.path.basename(source)}: {ports[0]['rx_packets']} packets in, {len(native)} out on each tier, equal",
              flush=True)
    assert total > 0


def a_switch_in_the_middle_of_a_run_changes_nothing_that_comes_out():
    need_compiler()
    source = CAPTURES[0]
    with rig.folder() as folder:
        _, switched, interp = both_tiers(folder, source, "auto")
    assert switched == interp, (len(switched), len(interp))


# ---- nothing native ------------------------------------------------------------------------------

def below_the_floor_everything_is_interpreted_and_one_line_says_so():
    with rig.folder() as folder:
        report, said = under_load(folder, configure(folder, PASS), "--cpu", "v1")
    assert said.count("filters run in the interpreter: native code needs x86-64-v2, and v1 was asked for") == 1, said
    assert named(report["filters"], "main/0")["tier"] == "interp"


def engine_interp_asks_no_compiler():
    with rig.folder() as folder:
        report, _ = under_load(folder, configure(folder, PASS, more=f'jit_program: "{FAKE_JIT}"'), "--engine", "interp",
                               wait_done=False)
    assert (code(report)["state"], code(report)["requests"]) == ("off", 0), code(report)


def a_filter_that_cannot_be_native_is_refused_when_its_worker_insists():
    with rig.folder() as folder:
        conf = configure(folder, faulty(folder, "refuse"), "jit", f'jit_program: "{FAKE_JIT}"')
        done = rig.run(WEIR, "run", "--duration", "1", conf, check=False)
        assert done.returncode == 1, done
        assert "conf.yaml:10:3: filter hard: engine jit: " in done.stderr and "no register for a thing" in done.stderr, done.stderr


# ---- a compiler that fails -----------------------------------------------------------------------

LIMITS = "jit_limits: {cpu_ms: 200, wall_ms: 1000, memory_bytes: 67108864}"
# fault -> the counter that shows it
FAULTS = {"abort": "aborted", "exit": "aborted", "segv": "aborted", "loop": "timed_out", "stubborn": "timed_out",
          "sleep": "timed_out", "bomb": "no_memory", "refuse": "refused", "garbage": "damaged", "truncated": "damaged",
          "empty": "damaged", "key": "damaged", "large": "refused", "kill-server": "lost", "stop-server": "lost"}


def fault_test(fault, counter):
    def run():
        with rig.folder() as folder:
            conf = configure(folder, faulty(folder, fault), more=f'{LIMITS}\njit_program: "{FAKE_JIT}"')
            report, said = under_load(folder, conf)
        say(fault, report)
        row = code(report)
        assert row[counter] > 0 and not any(row[key] for key in FAILURES if key != counter), row
        assert row["message"] and row["interpreted"] > 0, row
        assert "stay in the interpreter" in said, said
    return f"packets_go_on_when_the_compiler_has_the_fault_{fault.replace('-', '_')}", run


def a_compiler_that_keeps_to_no_protocol_costs_native_code_and_nothing_else():
    for how in ("exit", "other-build", "short-answer", "other-id", "other-kind", "liar", "braggart"):
        with rig.folder() as folder:
            os.environ["FAKE_JIT"] = how
            try:
                report, _ = under_load(folder, configure(folder, PASS, more=f'{LIMITS}\njit_program: "{FAKE_JIT}"'))
            finally:
                del os.environ["FAKE_JIT"]
            say(how, report)
        assert code(report)["native"] == 0 and code(report)["message"], code(report)


def children(weir):
    found = []
    for path in glob.glob(f"/proc/{weir.process.pid}/task/*/children"):
        with contextlib.suppress(FileNotFoundError), open(path, encoding="ascii") as file:  # threads come and go
            found += [int(pid) for pid in file.read().split()]
    return found


def a_compiler_that_is_killed_is_started_again():
    need_compiler()

    def kill_some(weir):
        for _ in range(3):
            rig.wait_until(lambda: children(weir) or code(weir.stats())["state"] == "done", "a compiler")
            for pid in children(weir):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.2)

    with rig.folder() as folder:
        def many(module):
            for _ in range(8):
                module = wasm_edit.add_function(module, wasm_edit.huge(1 << 15))
            return module

        report, _ = under_load(folder, configure(folder, edited(folder, many)), meanwhile=kill_some)
    say("killed", report)
    row = code(report)
    assert row["native"] > 0 and row["native"] + row["interpreted"] == row["functions"], row


def a_run_ends_within_seconds_when_the_compiler_never_does():
    with rig.folder() as folder:
        conf = configure(folder, faulty(folder, "sleep"),
                         more=f'jit_limits: {{wall_ms: 3600000}}\njit_program: "{FAKE_JIT}"')
        report, _ = under_load(folder, conf, wait_done=False)
    assert code(report)["state"] == "compiling" and not any(code(report)[key] for key in FAILURES), code(report)


# ---- modules that are hard -----------------------------------------------------------------------

HARD = {
    "nested_blocks": lambda module: wasm_edit.add_function(module, wasm_edit.nested_blocks(10000)),
    "wide_table": lambda module: wasm_edit.add_function(module, wasm_edit.wide_table(100000)),
    "huge_function": lambda module: wasm_edit.add_function(module, wasm_edit.huge(1 << 20)),
}


def hard_test(name, edit):
    def run():
        need_compiler()
        with rig.folder() as folder:
            report, _ = under_load(folder, configure(folder, edited(folder, edit)))
        say(name, report)
        row = code(report)
        assert row["functions"] == row["native"] + row["interpreted"], row
        assert row["interpreted"] <= 1, row  # one function is hard, and may be left out; the others have native code
    return f"packets_go_on_while_{name}_is_compiled", run


# ---- the cache -----------------------------------------------------------------------------------

def the_cache_serves_the_next_run_and_damage_in_it_costs_nothing():
    need_compiler()
    with rig.folder() as folder:
        conf, cache = configure(folder, PASS), os.path.join(folder, "cache")
        first, _ = under_load(folder, conf, "--jit-cache", cache)
        second, _ = under_load(folder, conf, "--jit-cache", cache)
        assert code(first)["requests"] > 0 and code(first)["cached"] == 0, code(first)
        assert code(second)["requests"] == 0, code(second)
        assert code(second)["cached"] == code(second)["native"] == code(first)["native"] > 0, code(second)
        files = [path for path in glob.glob(os.path.join(cache, "**"), recursive=True) if os.path.isfile(path)]
        for path in files:
            with open(path, "r+b") as file:
                file.seek(os.path.getsize(path) // 2)
                file.write(b"\xa5" * 64)
        third, _ = under_load(folder, conf, "--jit-cache", cache)
    assert code(third)["native"] == code(first)["native"] and code(third)["cache_ignored"] > 0, code(third)


# ---- what a poll core does meanwhile -------------------------------------------------------------

SPIN = """
eal: [--no-pci, --no-huge, --no-shconf, "-m", "256"]
mbufs: 8192
ports: {{load: {{device: "net_null0,size=60", chain: main, to: load}}}}
workers: [{{lcore: any, idle: spin}}]
chains: {{main: [hard, acl]}}
filters:
  hard: {{file: "{file}", deadline_us: 60000000, limits: {{hold_ms: 600000}}}}
  acl: {{file: "{prebuilt}/acl.wasm", deadline_us: 60000000, limits: {{hold_ms: 600000}}, config: {{rules: "default allow\\n"}}}}
"""


def worker_thread(weir):
    for path in glob.glob(f"/proc/{weir.process.pid}/task/*/comm"):
        with open(path, encoding="ascii") as file:
            if "worker" in file.read():
                return int(path.split("/")[-2])
    raise AssertionError("no thread is called a worker")


def a_poll_core_makes_no_system_call_while_its_filters_are_compiled():
    rig.need_tool("strace")
    need_compiler()
    with rig.folder() as folder:
        file = edited(folder, lambda module: wasm_edit.add_function(module, wasm_edit.huge(1 << 16)))
        conf = write(folder, "spin.yaml", SPIN.format(file=file, prebuilt=PREBUILT).encode())
        weir = rig.Weir(WEIR, conf, folder, f"tiers{os.getpid()}")
        trace = os.path.join(folder, "trace")
        try:
            weir.wait_ready()
            tracer = rig.Process("strace", ["strace", "-q", "-o", trace, "-p", str(worker_thread(weir))], folder)
            try:
                time.sleep(0.5)
                if not tracer.alive():
                    raise tap.Skip(f"strace may not trace here: {tracer.text().strip()}")
                state = code(weir.stats())["state"]
                rig.wait_until(lambda: all(row["state"] == "done" for row in weir.stats()["code"]), "the compiler",
                               patience=600)
                wait_packets(weir)
                stats = weir.stats()
            finally:
                tracer.stop()
            weir.finish()
        finally:
            weir.kill()
        with open(trace, encoding="utf-8") as file:
            calls = [line for line in file.read().splitlines() if not line.startswith(("---", "+++", "strace:"))]
    assert calls == [], calls[:10]
    assert all(chain["tier"] == "native" for chain in stats["filters"]), stats["filters"]
    print(f"# traced from state {state} to native code: {seen(stats)} packets, no system call", flush=True)


tap.run([
    a_chain_on_both_tiers_in_one_process_gives_the_same,
    a_switch_in_the_middle_of_a_run_changes_nothing_that_comes_out,
    below_the_floor_everything_is_interpreted_and_one_line_says_so,
    engine_interp_asks_no_compiler,
    a_filter_that_cannot_be_native_is_refused_when_its_worker_insists,
    *[fault_test(*row) for row in FAULTS.items()],
    a_compiler_that_keeps_to_no_protocol_costs_native_code_and_nothing_else,
    a_compiler_that_is_killed_is_started_again,
    a_run_ends_within_seconds_when_the_compiler_never_does,
    *[hard_test(*row) for row in HARD.items()],
    the_cache_serves_the_next_run_and_damage_in_it_costs_nothing,
    a_poll_core_makes_no_system_call_while_its_filters_are_compiled,
])
