# SPDX-License-Identifier: BSD-3-Clause
"""Test functions named as sentences, reported as TAP."""
import sys
import traceback


class Skip(Exception):
    """Raised by a test that cannot run here; its text says why."""


def run(tests):
    """Runs (name, function) pairs or functions; exits 1 when one failed."""
    tests = [test if isinstance(test, tuple) else (test.__name__, test) for test in tests]
    print(f"1..{len(tests)}")
    failed = False
    for number, (name, function) in enumerate(tests, 1):
        try:
            function()
            print(f"ok {number} - {name}", flush=True)
        except Skip as why:
            print(f"ok {number} - {name} # SKIP {why}", flush=True)
        except Exception:  # a failed assertion or a broken tool: both are this test's failure
            failed = True
            for line in traceback.format_exc().splitlines():
                print("#", line)
            print(f"not ok {number} - {name}", flush=True)
    sys.exit(failed)
