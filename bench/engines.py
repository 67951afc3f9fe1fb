# SPDX-License-Identifier: BSD-3-Clause
"""Engines side by side: what bench/interp and bench/jit share.

An engine is a command that takes `run FILE ARGUMENT WARM CALLS` and prints lines of a key and words (bench/interp_weir.c). Engines are
asked in turn, each in a process of its own, so that what slows the machine slows all of them.
"""
import math
import os
import re
import shutil
import statistics
import subprocess
import sys
import time

TOP = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
PEERS = os.path.join(TOP, "bench", "peers")
PUBLIC = os.path.join(TOP, "..", "shared", "bench")
CARGO = {"wasmi": "wasmi-core", "wasmtime": "wasmtime-core"}
V8 = [os.path.join(PEERS, "v8-core", "node_modules", ".bin", "node"), os.path.join(PEERS, "v8-core", "v8-core.mjs")]
TITLES = {"weir": "weir", "wasmi": "wasmi", "v8": "V8", "wasmtime": "Wasmtime"}
LOAD = 0.3  # above this the machine is not idle
WARM = 1  # calls; V8 takes as many more as it needs

# name: argument, calls a round, what it is. No tuning looked at the last four.
KERNELS = {
    "coremark": ("-", 1, "public"),
    "fibonacci-rec": ("i64:30", 5, "public"),
    "fibonacci-tail": ("i64:1000000", 5, "public"),
    "fibonacci-iter": ("i64:2000000", 9, "public"),
    "counter-local": ("i32:1000000", 9, "public"),
    "counter-global": ("i32:1000000", 9, "public"),
    "counter-param": ("i32:1000000", 9, "public"),
    "bulk-ops": ("i64:5000", 5, "public"),
    "burst-acl": ("i64:5000", 5, "burst"),
    "burst-macswap": ("i64:40000", 5, "burst"),
    "hash": ("i64:800", 5, "untuned"),
    "parser": ("i64:1000", 5, "untuned"),
    "simd": ("i64:300", 5, "untuned"),
    "sort": ("i64:65536", 5, "untuned"),
}


def say(text):
    print(f"bench/{os.path.basename(sys.argv[0])}: {text}", file=sys.stderr)


def fail(text):
    raise SystemExit(f"bench/{os.path.basename(sys.argv[0])}: {text}")


def progress(text):
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def version_of(engine):
    """As its manifest or the program itself says."""
    if engine == "weir":
        said = subprocess.run(["git", "-C", TOP, "describe", "--always", "--dirty"], capture_output=True, text=True)
        return said.stdout.strip() or "?"
    if engine == "v8":
        return subprocess.run(V8 + ["version"], capture_output=True, text=True).stdout.strip()
    with open(os.path.join(PEERS, CARGO[engine], "Cargo.toml"), encoding="utf-8") as file:
        return re.search(engine + r' = \{ version = "=([^"]+)"', file.read()).group(1)


def program_of(options, name):
    path = os.path.join(options.build, "bench", name)
    if not os.path.exists(path):
        fail(f"no {path}: ninja -C {options.build}")
    return path


def find_engines(options, weir, peers):
    """{engine: command}, weir first, without those that are missing or not wanted."""
    engines = {"weir": weir}
    for engine in peers:
        if getattr(options, "no_" + engine):
            continue
        command = V8
        if engine in CARGO:
            command = [os.path.join(PEERS, CARGO[engine], "target", "release", CARGO[engine])]
        if all(os.path.exists(part) for part in command):
            engines[engine] = command
        else:
            say(f"no {command[0]}: {TITLES[engine]} is left out")
    return engines


def add_options(parser, rounds, peers):
    parser.add_argument("--rounds", type=int, default=rounds)
    for engine in peers:
        parser.add_argument("--no-" + engine, action="store_true")
    parser.add_argument("--json", action="store_true", help="print figures, those of each round too, as JSON")
    parser.add_argument("--build", default=os.path.join(TOP, "build", "release"))
    parser.add_argument("--modules", default=PUBLIC, help="the public kernels")


def chosen(parser, options, text, parts):
    """The parts that a comma-separated text names, in their own order; all when there is none."""
    wanted = text.split(",") if text else parts
    for name in wanted:
        if name not in parts:
            parser.error(f"no {name} among {', '.join(parts)}")
    if options.rounds < 1:
        parser.error("at least one round")
    return [name for name in parts if name in wanted]


def pinning():
    """The last of several cores, where fewer interrupts go."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2 or shutil.which("taskset") is None:
        return []
    return ["taskset", "-c", str(cores[-1])]


def machine(pin, engines):
    """What the figures depend on; warns when it is not idle."""
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
        model = re.search(r"model name\s*:\s*(.*)", file.read())
    about = {"cpu": model.group(1) if model else "?", "cores": os.cpu_count(), "load": os.getloadavg()[0],
             "pinned": pin[-1] if pin else None, "versions": {engine: version_of(engine) for engine in engines}}
    if about["load"] > LOAD:
        say(f"the load is {about['load']:.2f}: not idle, so the figures are no good")
    return about


def print_machine(about, rounds):
    versions = ", ".join(f"{TITLES[engine]} {version}" for engine, version in about["versions"].items())
    where = f"pinned to core {about['pinned']}" if about["pinned"] else "not pinned"
    print(f"{about['cpu']}, {about['cores']} cores, {where}; load {about['load']:.2f} at the start" + " (NOT IDLE)" * (about["load"] > LOAD))
    print(f"{versions}; median of {rounds} round{'s' * (rounds > 1)}\n")


def lines_of(command, timeout=600):
    """{key: [words]} of the lines that a command prints."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout)
    except subprocess.TimeoutExpired:
        fail(f"{' '.join(command)}: not done after {timeout} s")
    if done.returncode != 0:
        fail(f"{' '.join(command)}: exit {done.returncode}\n{done.stderr}")
    return {line.split()[0]: line.split()[1:] for line in done.stdout.splitlines() if line}


class Engines:
    def __init__(self, commands, pin):
        self.commands = commands
        self.pin = pin
        self.interpreted = set()  # modules of which the JIT left something to the interpreter

    def ask(self, engine, *words):
        said = lines_of(self.pin + self.commands[engine] + [str(word) for word in words])
        if "interpreted" in said:
            self.interpreted.add(os.path.basename(str(words[1])))
        return said

    def in_turn(self, turn, names=None):
        """The engines in the order of this round."""
        engines = [engine for engine in self.commands if names is None or engine in names]
        return engines[::-1] if turn % 2 else engines


class Quiet:
    """Of each key that weir measures, the figures of moments in which nobody shared its core: quiet.h says how it knows."""

    LEAST = 100  # figures of a key, before they count
    SECONDS = 20  # to come by them, at most

    def __init__(self, keys):
        self.figures = {key: [] for key in keys}

    def note(self, said):
        for key, figures in self.figures.items():
            figures.extend(float(figure) for figure in said[key + "-quiet"])

    def ask(self, ask):
        """Note what ask() says until there are enough."""
        end = time.monotonic() + self.SECONDS
        while min(map(len, self.figures.values())) < self.LEAST and time.monotonic() < end:
            self.note(ask())

    def median(self, key):
        """None when they are too few."""
        return statistics.median(self.figures[key]) if len(self.figures[key]) >= self.LEAST else None


def quiet_text(value, width):
    return f"{value:{width}.2f}" if value is not None else f"{'?':>{width}}"


QUIET_NOTE = ("core is ours: the median of the times before and after which the core made a turn of a loop in a tick of its base clock, so was\n"
              "not shared; it is what is compared. ?: too few of them, and all are")


def median_ns(words):
    return statistics.median(int(word) for word in words)


def geomean(ratios):
    return math.exp(statistics.fmean(math.log(ratio) for ratio in ratios))


def word(met):
    return "yes" if met else "NO"


def module_path(options, name):
    public = name in KERNELS and KERNELS[name][2] == "public"
    path = os.path.join(options.modules if public else os.path.join(options.build, "bench"), name + ".wasm")
    if not os.path.exists(path):
        why = "it is data beside the tree" if public else "install lld-22, then `meson setup --reconfigure` and ninja"
        fail(f"no {path}: {why}")
    return path


def measure_kernels(engines, names, options):
    """{kernel: {engine: [one figure a round]}}: nanoseconds, of CoreMark its score."""
    seen = {name: {engine: [] for engine in engines.commands} for name in names}
    results = {}
    for turn in range(options.rounds):
        for name in names:
            argument, calls = KERNELS[name][:2]
            for engine in engines.in_turn(turn):
                said = engines.ask(engine, "run", module_path(options, name), argument, 0 if calls == 1 else WARM, calls)
                result = said["result"][0]
                if name == "coremark":
                    if not float(result) > 0:
                        fail(f"{name}: {TITLES[engine]} did not pass its own check: {result}")
                    seen[name][engine].append(float(result))
                    continue
                if results.setdefault(name, (result, engine))[0] != result:
                    fail(f"{name}: {TITLES[engine]} gives {result}, {TITLES[results[name][1]]} gave {results[name][0]}")
                seen[name][engine].append(median_ns(said["call"]))
            progress(f"round {turn + 1} of {options.rounds}: {name}")
    return seen
