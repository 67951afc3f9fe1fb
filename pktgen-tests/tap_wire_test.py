# SPDX-License-Identifier: BSD-3-Clause
"""conf/tap.yaml between two namespaces: ping, 100 MB of TCP, a rule that blocks it, a link that goes down and up.

    tap_wire_test.py WEIR ACL.wasm
"""
import contextlib
import json
import os
import shutil
import sys

import rig
import tap

WEIR, ACL = sys.argv[1:3]
CONF = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "conf")
LEFT, RIGHT = f"weir-l-{os.getpid()}", f"weir-r-{os.getpid()}"
SIDES = (("left", LEFT, "192.0.2.1", "2001:db8::1"), ("right", RIGHT, "192.0.2.2", "2001:db8::2"))


@contextlib.contextmanager
def wire(rules=None):
    """Both namespaces joined by weir with conf/tap.yaml, `rules` in the place of conf/tap.rules."""
    rig.need_tool("ip", "ping")
    with rig.folder() as folder, rig.namespaces(LEFT, RIGHT):
        with open(os.path.join(CONF, "tap.yaml"), encoding="utf-8") as file:
            text = file.read().replace("../filters/prebuilt/acl.wasm", os.path.abspath(ACL))
        conf = os.path.join(folder, "tap.yaml")
        with open(conf, "w", encoding="utf-8") as file:
            file.write(text)
        if rules is None:
            shutil.copy(os.path.join(CONF, "tap.rules"), folder)
        else:
            with open(os.path.join(folder, "tap.rules"), "w", encoding="utf-8") as file:
                file.write(rules)
        weir = rig.Weir(WEIR, conf, folder, f"tap{os.getpid()}")
        try:
            weir.wait_ready()
            for side, namespace, ipv4, ipv6 in SIDES:
                device = f"weir-{side}"
                rig.run("ip", "link", "set", device, "netns", namespace)
                rig.run("ip", "-n", namespace, "addr", "add", ipv4 + "/24", "dev", device)
                rig.run("ip", "-n", namespace, "-6", "addr", "add", ipv6 + "/64", "dev", device, "nodad")
                rig.run("ip", "-n", namespace, "link", "set", device, "up")
            yield weir
            weir.finish()
        finally:
            weir.kill()


def ping(target, *options, count=5, check=True):
    return rig.run("ip", "netns", "exec", LEFT, "ping", "-c", str(count), "-i", "0.05", "-W", "5", *options, target,
                   check=check)


def transfer(size, patience):
    """iperf3 from left to right; returns (its error or None, bytes received)."""
    rig.need_tool("iperf3")
    with rig.folder() as folder:
        server = rig.Process("iperf3-server", ["ip", "netns", "exec", RIGHT, "iperf3", "-s", "-1", "--forceflush"], folder)
        try:
            rig.wait_until(lambda: "listening" in server.text(), "iperf3 to listen")
            done = rig.run("ip", "netns", "exec", LEFT, "iperf3", "-c", "192.0.2.2", "-n", size, "-J",
                           "--connect-timeout", "3000", timeout=patience, check=False)
            report = json.loads(done.stdout)
            return report.get("error"), report.get("end", {}).get("sum_received", {}).get("bytes", 0)
        finally:
            server.kill()


def ping_and_100_mb_of_tcp_go_through_acl():
    with wire() as weir:
        assert " 0% packet loss" in ping("192.0.2.2").stdout
        assert " 0% packet loss" in ping("2001:db8::2", "-6").stdout
        error, received = transfer("110M", 300)  # what is still on its way at the end is not in the figure
        assert error is None and received >= 100 * 1024 * 1024, (error, received)
        assert weir.stats() is not None


def a_rule_change_and_a_restart_block_the_transfer_but_not_ping():
    with wire("deny tcp from any to any port 5201\ndefault allow\n"):
        assert " 0% packet loss" in ping("192.0.2.2").stdout
        error, received = transfer("1M", 60)
        assert error is not None and received == 0, (error, received)


def a_link_that_goes_down_and_up_again_goes_on():
    with wire():
        assert " 0% packet loss" in ping("192.0.2.2").stdout
        rig.run("ip", "-n", RIGHT, "link", "set", "weir-right", "down")
        assert ping("192.0.2.2", "-w", "2", count=2, check=False).returncode != 0
        rig.run("ip", "-n", RIGHT, "link", "set", "weir-right", "up")
        rig.wait_until(lambda: ping("192.0.2.2", count=1, check=False).returncode == 0, "ping after link up")


tap.run([
    ping_and_100_mb_of_tcp_go_through_acl,
    a_rule_change_and_a_restart_block_the_transfer_but_not_ping,
    a_link_that_goes_down_and_up_again_goes_on,
])
