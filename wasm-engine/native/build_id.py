#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# What native code was made by and for, in one number: the sources of the engine.
#
#   build_id.py OUT DEPFILE PROGRAM-DIR LLVM-VERSION ENGINE-DIR
import hashlib
import os
import sys

out, depfile, program_dir, llvm, engine_dir = sys.argv[1:]
folders = [os.path.join(engine_dir, name) for name in ("include", "base", "core", "native", "jit")]
sources = sorted(
    os.path.join(folder, name)
    for folder in folders
    for name in os.listdir(folder)
    if name.endswith((".c", ".h", ".def", ".S")) and not name.endswith("_test.c")
)
digest = hashlib.sha256()
for source in sources:
    with open(source, "rb") as file:
        text = file.read()
    digest.update(f"{os.path.basename(source)} {len(text)}\n".encode() + text)
with open(out, "w") as file:
    file.write(
        "// SPDX-License-Identifier: BSD-3-Clause\n"
        "// Made by native/build_id.py.\n"
        "#pragma once\n\n"
        f'#define WE_JIT_BUILD "{digest.hexdigest()}"\n'
        f'#define WE_JIT_LLVM "{llvm}" // empty: built without\n'
        f'#define WE_JIT_DIR "{program_dir}"\n'
    )
with open(depfile, "w") as file:
    file.write(f"{out}: {' '.join(s.replace(' ', chr(92) + ' ') for s in sources)}\n")
