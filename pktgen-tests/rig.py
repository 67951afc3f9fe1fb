# SPDX-License-Identifier: BSD-3-Clause
"""What the end-to-end tests are built from: weir and testpmd processes, namespaces, hugepages; all gone afterwards."""
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time

import tap

# A filter runs 12 to 25 times slower under the sanitizers; no test depends on how long anything takes.
PATIENCE_S = 60


def need_root():
    if os.geteuid() != 0:
        raise tap.Skip("needs root")


def need_tool(*names):
    for name in names:
        if shutil.which(name) is None:
            raise tap.Skip(f"{name} is not installed")


def run(*command, timeout=PATIENCE_S, check=True, **options):
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, **options)
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(command)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def wait_until(condition, what, patience=PATIENCE_S):
    end = time.monotonic() + patience
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError(f"waited {patience} s for {what}")


class Process:
    """A program of ours with its output in a file; stop() is SIGINT, as an operator would."""

    def __init__(self, name, command, folder, stdin=None):
        self.name = name
        self.log_path = os.path.join(folder, name + ".log")
        self.err_path = os.path.join(folder, name + ".err")
        with open(self.log_path, "wb") as out, open(self.err_path, "wb") as err:
            self.process = subprocess.Popen(command, stdin=stdin or subprocess.DEVNULL, stdout=out, stderr=err)

    def text(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as out, \
                open(self.err_path, encoding="utf-8", errors="replace") as err:
            return out.read() + err.read()

    def out(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as out:
            return out.read()

    def alive(self):
        return self.process.poll() is None

    def stop(self, signum=signal.SIGINT, patience=PATIENCE_S):
        if self.alive():
            self.process.send_signal(signum)
        try:
            return self.process.wait(patience)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"{self.name} did not end within {patience} s\n{self.text()}") from None

    def kill(self):
        if self.alive():
            self.process.kill()
        self.process.wait()


class Weir(Process):
    """weir run; ready when its telemetry answers."""

    def __init__(self, weir, conf, folder, instance, *options):
        self.weir, self.instance = weir, instance
        super().__init__(f"weir-{instance}",
                         [weir, "run", "--instance", instance, "--json", *options, conf], folder)

    def stats(self):
        done = run(self.weir, "stats", "--json", "--instance", self.instance, check=False)
        return json.loads(done.stdout) if done.returncode == 0 else None

    def wait_ready(self):
        def ready():
            if not self.alive():
                raise AssertionError(f"weir ended with {self.process.returncode}\n{self.text()}")
            return self.stats()
        return wait_until(ready, "weir to answer `weir stats`")

    def finish(self):
        """SIGINT; returns the final report. The conservation law and full pools are part of every run."""
        code = self.stop()
        assert code == 0, f"weir: exit {code}\n{self.text()}"
        report = json.loads(self.out())
        check_conservation(report)
        return report


def drops_by_reason(report):
    """{reason: packets} of weir's own drop reasons that occurred; `filter` stands for the filters' reasons."""
    return {key[len("drop_"):]: count for key, count in report["conservation"].items()
            if key.startswith("drop_") and count}


def check_conservation(report):
    law = report["conservation"]
    assert law["rx"] + law["originated"] == law["tx"] + law["drops"] + law["held"], law
    assert law["drops"] == sum(drops_by_reason(report).values()), law
    assert law["held"] == 0, law
    assert report["mbufs_missing"] == 0, report["mbufs_missing"]


@contextlib.contextmanager
def folder():
    with tempfile.TemporaryDirectory(prefix="weir-test-") as path:
        yield path


@contextlib.contextmanager
def namespaces(*names):
    """Network namespaces of this test's own, removed with all that is in them."""
    need_root()
    need_tool("ip")
    made = []
    try:
        for name in names:
            if run("ip", "netns", "add", name, check=False).returncode != 0:
                raise tap.Skip("network namespaces are not to be had here")
            made.append(name)
            if run("ip", "-n", name, "link", "set", "lo", "up", check=False).returncode != 0:
                raise tap.Skip("network namespaces are not to be had here")  # in a chroot, say
        yield
    finally:
        for name in made:
            for pid in run("ip", "netns", "pids", name, check=False).stdout.split():
                os.kill(int(pid), signal.SIGKILL)
            run("ip", "netns", "del", name, check=False)


@contextlib.contextmanager
def hugepages(pages):
    """At least `pages` free 2 MB pages for the time of the test; what was reserved for it is given back."""
    need_root()
    path = "/sys/kernel/mm/hugepages/hugepages-2048kB/"

    def read(name):
        with open(path + name, encoding="ascii") as file:
            return int(file.read())

    def write(count):
        with open(path + "nr_hugepages", "w", encoding="ascii") as file:
            file.write(str(count))

    try:
        before, free = read("nr_hugepages"), read("free_hugepages")
        if free < pages:
            write(before + pages - free)
        if read("free_hugepages") < pages:
            write(before)
            raise tap.Skip("hugepages are not to be had here")
    except OSError:
        raise tap.Skip("hugepages are not to be had here") from None
    mount = None
    if not re.search(r" hugetlbfs ", open("/proc/mounts", encoding="ascii").read()):
        mount = tempfile.mkdtemp(prefix="weir-huge-")
        run("mount", "-t", "hugetlbfs", "none", mount)
    try:
        yield
    finally:
        if mount:
            run("umount", mount)
            os.rmdir(mount)
        write(before)


def testpmd_stats(text, port):
    """(rx packets, tx packets) of a port in testpmd's last statistics block."""
    blocks = re.findall(rf"NIC statistics for port {port} .*?RX-packets: (\d+).*?TX-packets: (\d+)", text, re.S)
    if not blocks:
        raise AssertionError(f"no statistics of port {port} in\n{text}")
    return tuple(int(number) for number in blocks[-1])
