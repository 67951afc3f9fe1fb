# SPDX-License-Identifier: BSD-3-Clause
"""The README's first filter, from its text to a packet.

    readme_test.py WEIR SOURCE-ROOT
"""
import os
import re
import subprocess
import sys

import pcapfile
import rig
import tap

WEIR, ROOT = (os.path.abspath(path) for path in sys.argv[1:3])


def the_first_filter_of_the_readme_drops_what_it_says():
    rig.need_tool("clang-22", "wasm-ld-22")
    with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as file:
        text = file.read()
    source = re.search(r"```c\n(.*?)```", text, re.S).group(1)
    commands = re.search(r"```sh\n(.*?)```", text, re.S).group(1)
    with rig.folder() as folder:
        with open(os.path.join(folder, "short.c"), "w", encoding="utf-8") as file:
            file.write(source)
        for name in ("filters", "conf"):
            os.symlink(os.path.join(ROOT, name), os.path.join(folder, name))
        done = subprocess.run(["sh", "-euc", commands.replace("build/release/dataplane/weir", WEIR)], cwd=folder,
                              capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr
        demo = [rec for rec in pcapfile.read(os.path.join(ROOT, "conf", "demo.pcap"))[2]]
        for name, wanted in (("long-enough", False), ("short", True)):
            got = pcapfile.read(os.path.join(folder, name + ".pcap"))[2]
            assert got == [rec for rec in demo if (len(rec.data) < 60) == wanted], name


tap.run([the_first_filter_of_the_readme_drops_what_it_says])
