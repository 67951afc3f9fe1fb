# SPDX-License-Identifier: BSD-3-Clause
"""The host's own code that bench/jit compares with, built by clang-22 when a run needs it, into BUILD/bench/native."""
import os
import re
import shutil
import subprocess

from engines import TOP, fail, lines_of, say

CLANG = os.environ.get("CLANG", "clang-22")
KERNELS = os.path.join(TOP, "bench", "kernels")
COREMARK = os.path.join(TOP, "..", "shared", "coremark")  # a copy of EEMBC's repository
WASM2C = [("/usr/share/wabt/wasm2c", "/usr/include"), ("/usr/local/share/wabt/wasm2c", "/usr/local/include")]
KINDS = {"sse4.2": ["-O3", "-msse4.2"], "native": ["-O3", "-march=native"]}


def run(command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        fail(f"{' '.join(command)}: exit {done.returncode}\n{done.stderr}")


class Native:
    def __init__(self, options):
        self.folder = os.path.join(options.build, "bench", "native")
        self.modules = options.modules
        self.coremark_source = options.coremark_source
        os.makedirs(self.folder, exist_ok=True)
        if shutil.which(CLANG) is None:
            fail(f"no {CLANG}: it builds what runs without an engine")

    def build(self, name, flags, sources, libraries=()):
        """The program of sources; built again when one of them is younger."""
        program = os.path.join(self.folder, name)
        stamp = program + ".command"
        command = [CLANG, *flags, "-o", program, *sources, *libraries]
        text = " ".join(command)
        youngest = max(os.path.getmtime(path) for path in sources + [os.path.join(KERNELS, name) for name in ("kernel.h", "lanes.h")])
        if os.path.exists(program) and os.path.exists(stamp) and os.path.getmtime(program) > youngest:
            with open(stamp, encoding="utf-8") as file:
                if file.read() == text:
                    return program
        run(command)
        with open(stamp, "w", encoding="utf-8") as file:
            file.write(text)
        return program

    def kernel(self, name, kind):
        sources = [os.path.join(KERNELS, name + ".c"), os.path.join(KERNELS, "native.c")]
        return self.build(f"{name}-{kind}", ["-std=gnu17", *KINDS[kind]], sources)

    def coremark(self):
        """CoreMark of the host: a program that prints its report; None without the sources."""
        source = self.coremark_source
        if not os.path.exists(os.path.join(source, "core_main.c")):
            say(f"no CoreMark sources in {source}: native is left out (--coremark-source)")
            return None
        names = ["core_list_join.c", "core_main.c", "core_matrix.c", "core_state.c", "core_util.c", "posix/core_portme.c"]
        flags = ["-O3", f"-I{source}", f"-I{source}/posix", '-DFLAGS_STR="-O3"', "-DITERATIONS=0", "-DPERFORMANCE_RUN=1"]
        return self.build("coremark", flags, [os.path.join(source, name) for name in names])

    def wasm2c_source(self):
        """(C file, header, folder of wasm2c's runtime, of its headers) of coremark.wasm; None without wasm2c."""
        found = [pair for pair in WASM2C if os.path.exists(os.path.join(pair[0], "wasm-rt-impl.c"))]
        if shutil.which("wasm2c") is None or not found:
            say("no wasm2c (package wabt): what it takes part in is left out")
            return None
        source = os.path.join(self.folder, "coremark.c")
        module = os.path.join(self.modules, "coremark.wasm")
        if not os.path.exists(source) or os.path.getmtime(source) < os.path.getmtime(module):
            run(["wasm2c", module, "-n", "coremark", "-o", source])
        return (source, os.path.join(self.folder, "coremark.h"), *found[0])

    def coremark_by_wasm2c(self):
        made = self.wasm2c_source()
        if made is None:
            return None
        source, header, runtime, include = made
        with open(header, encoding="utf-8") as file:
            text = file.read()
        names = {
            "INSTANTIATE": r"void (\w+instantiate)\(",
            "INSTANCE": r"instantiate\((\w+)\*",
            "ENV": r"instantiate\(\w+\*, struct (\w+)\*",
            "CLOCK_MS": r"u32 (\w+clock_ms)\(",
            "RUN": r"f32 (\w+run)\(",
            "INIT": r"void (\w+init_module)\(void\)",
        }
        defines = []
        for name, pattern in names.items():
            word = re.search(pattern, text)
            if word is None:
                say(f"this wasm2c declares no {name}: wabt 1.0.32 is known to work")
                return None
            defines.append(f"-D{name}={word.group(1)}")
        sources = [os.path.join(KERNELS, "wasm2c.c"), source, os.path.join(runtime, "wasm-rt-impl.c")]
        flags = ["-O3", "-w", f"-I{self.folder}", f"-I{runtime}", f"-I{include}", '-DMODULE_H="coremark.h"', *defines]
        return self.build("coremark-wasm2c", flags, sources, ["-lm"])


def score_of(program, pin):
    """CoreMark's score as the host's program reports it; 0 when it refuses its own run."""
    done = subprocess.run(pin + [program], capture_output=True, text=True, timeout=120)
    score = re.search(r"Iterations/Sec\s*:\s*([0-9.]+)", done.stdout)
    if done.returncode != 0 or score is None:
        fail(f"{program}: exit {done.returncode}\n{done.stdout}")
    return float(score.group(1)) if "Correct operation validated" in done.stdout else 0.0


def score_by_wasm2c(program, pin):
    return float(lines_of(pin + [program, "run", "-", "-", "0", "1"])["result"][0])
