#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Make oracle_test.txt: random uses of the stream, future and waitable-set built-ins and what the executable
specification answers.

    oracle_make.py definitions.py SEED N_SCRIPTS > oracle_test.txt

definitions.py is the Component Model's design/mvp/canonical-abi/definitions.py. A script is one instance with one page of
memory whose first 64 bytes are 5 * i + 1. Each line is "built-in element a b c > result", a poll's result with both
words of its event, "ok" without one; "T" is a trap, after which the script is over; "M" is the first 48 bytes of memory at the end. The specification
leaves open which event of a set comes first: here it is the oldest.
"""
import importlib.util
import random
import sys

N_OPS = 46
EVENT = 64  # where polled events are written
MEMORY = 65536


def load_specification(path):
    spec = importlib.util.spec_from_file_location("definitions", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["definitions"] = module
    spec.loader.exec_module(module)
    return module


D = load_specification(sys.argv[1])
rnd = random.Random(int(sys.argv[2]))
clock = 0


def ticking(method):
    """Events get a time when they come into a set, so that the oldest can be taken."""

    def wrapped(self, *args):
        global clock
        had_event = self.has_pending_event()
        method(self, *args)
        if method.__name__ == "join" or not had_event:
            clock += 1
            self.time = clock

    return wrapped


def oldest_event(self):
    ready = [w for w in self.elems if w.has_pending_event()]
    return min(ready, key=lambda w: w.time).get_pending_event()


def drop_future(self):
    """Without the assertion of the original, which names the wrong class."""
    if not self.dropped:
        self.dropped = True
        if self.pending_buffer:
            self.reset_and_notify_pending(D.CopyResult.DROPPED)


class Stub:
    pass


thread = Stub()
thread.task = Stub()
thread.task.deliver_pending_cancel = lambda cancellable: False
D.Waitable.set_pending_event = ticking(D.Waitable.set_pending_event)
D.Waitable.join = ticking(D.Waitable.join)
D.WaitableSet.get_pending_event = oldest_event
D.SharedFutureImpl.drop = drop_future
D.current_thread = lambda: thread
D.current_task = lambda: thread.task
D.current_instance = lambda: thread.task.inst

ELEMENTS = [D.U8Type(), D.U16Type(), None]
ENDS = {
    D.ReadableStreamEnd: ("stream", "read", "readable"),
    D.WritableStreamEnd: ("stream", "write", "writable"),
    D.ReadableFutureEnd: ("future", "read", "readable"),
    D.WritableFutureEnd: ("future", "write", "writable"),
}


class Script:
    def __init__(self):
        self.inst = D.ComponentInstance(D.Store())
        self.memory = D.MemInst(bytearray(MEMORY), "i32")
        for i in range(64):
            self.memory.bytes[i] = (i * 5 + 1) & 255
        self.opts = D.CanonicalOptions(memory=self.memory, async_=True)
        self.malice = rnd.random() * 0.08
        thread.task.inst = self.inst

    def handles(self, kind):
        return [(i, h) for i, h in enumerate(self.inst.handles.array) if isinstance(h, kind)]

    def on_end(self, verb, is_good):
        """A use of an end for which it is allowed, or None."""
        good = [(i, e) for i, e in self.handles(D.CopyEnd) if is_good(e)]
        if not good:
            return None
        i, end = rnd.choice(good)
        kind, copy, name = ENDS[type(end)]
        return [f"{kind}.{verb.format(copy=copy, name=name)}", ELEMENTS.index(end.shared.t), i, 0, 0]

    def good_choice(self):
        ends, sets = self.handles(D.CopyEnd), self.handles(D.WaitableSet)
        r = rnd.random()
        if not ends or r < 0.08:
            return [rnd.choice(["stream.new", "stream.new", "future.new"]), rnd.choice([0, 0, 1, 2]), 0, 0, 0]
        if not sets or r < 0.1:
            return ["waitable-set.new", 0, 0, 0, 0]
        if r < 0.55:
            use = self.on_end("{copy}", lambda e: e.state == D.CopyState.IDLE)
            return use and use[:3] + [rnd.randint(0, 20) * 2, rnd.choice([0, 0, 1, 2, 3, 4, 8])]
        if r < 0.65:
            return self.on_end("cancel-{copy}", lambda e: e.state == D.CopyState.COPYING)
        if r < 0.72:
            unwritten = lambda e: isinstance(e, D.WritableFutureEnd) and e.state != D.CopyState.DONE
            return self.on_end("drop-{name}", lambda e: not e.copying() and not unwritten(e))
        if r < 0.82:
            return ["waitable.join", 0, rnd.choice(ends)[0], rnd.choice(sets)[0] if rnd.random() < 0.85 else 0, 0]
        if r < 0.98:
            return ["waitable-set.poll", 0, rnd.choice(sets)[0], EVENT, 0]
        empty = [i for i, s in sets if not s.elems]
        return ["waitable-set.drop", 0, rnd.choice(empty), 0, 0] if empty else None

    def spoil(self, use):
        """Change a good use so that it most often traps."""
        known = [i for i, h in enumerate(self.inst.handles.array) if h is not None] or [0]
        how = rnd.randint(0, 4)
        if how == 0:
            use[2] = rnd.choice(known)
        elif how == 1:
            use[2] = rnd.choice([0, 99, 2**32 - 1])
        elif how == 2:
            use[3] = rnd.choice([1, 65535, 65536, 65532, 2**32 - 1])
        elif how == 3:
            use[4] = rnd.choice([70000, 2**28, 2**32 - 1])
        else:
            ops = ["stream.read", "stream.write", "future.read", "future.write", "stream.drop-readable"]
            ops += ["future.drop-writable", "stream.cancel-read", "waitable.join", "waitable-set.drop"]
            use[:3] = [rnd.choice(ops), rnd.randint(0, 2), rnd.choice(known)]

    def run(self, op, element, a, b, c):
        kind, verb = op.split(".")
        if op == "waitable-set.poll":
            [code] = D.canon_waitable_set_poll(False, self.memory, a, b)
            words = [int.from_bytes(self.memory.bytes[b + i : b + i + 4], "little") for i in (0, 4)]
            return [int(code)] + words
        if op == "waitable.join":
            return D.canon_waitable_join(a, b)
        if kind == "waitable-set":
            return D.canon_waitable_set_new() if verb == "new" else D.canon_waitable_set_drop(a)
        fn = getattr(D, "canon_" + op.replace(".", "_").replace("-", "_"))
        t = (D.StreamType if kind == "stream" else D.FutureType)(ELEMENTS[element])
        if verb == "new":
            return fn(t)
        if verb in ("read", "write"):
            return fn(t, self.opts, a, b, c) if kind == "stream" else fn(t, self.opts, a, b)
        return fn(t, True, a) if verb.startswith("cancel") else fn(t, a)

    def write(self):
        print("S")
        for _ in range(N_OPS):
            use = self.good_choice()
            if not use:
                continue
            if rnd.random() < self.malice:
                self.spoil(use)
            print(*use, end=" > ")
            try:
                print(*([int(x) for x in self.run(*use)] or ["ok"]))
            except D.Trap:
                print("T")
                return
            except AssertionError:  # the specification's answer to a bad pointer of poll
                assert use[0] == "waitable-set.poll"
                print("T")
                return
        print("M", self.memory.bytes[:48].hex())


for _ in range(int(sys.argv[3])):
    Script().write()
