# SPDX-License-Identifier: BSD-3-Clause
"""testpmd A txonly -> memif -> weir (macswap) -> memif -> testpmd B rxonly: all counters agree to the packet.

    testpmd_memif_test.py WEIR MACSWAP.wasm
"""
import os
import shutil
import sys
import time

import rig
import tap

WEIR, MACSWAP = sys.argv[1:3]

CONF = """
eal: [--no-pci{huge}]
ports:
  a: {{device: "net_memif0,role=server,id=0,socket={folder}/a.sock,socket-abstract=no", chain: swap, to: b}}
  b: {{device: "net_memif1,role=server,id=0,socket={folder}/b.sock,socket-abstract=no", chain: swap, to: a}}
workers: [{{lcore: 0, idle: sleep}}]
chains: {{swap: [macswap]}}
filters: {{macswap: {{file: "{filter}"}}}}
"""


class Testpmd(rig.Process):
    """An interactive testpmd on the client end of a memif."""

    def __init__(self, name, folder, lcores, eal, forward):
        self.prefix = f"{name}{os.getpid()}"
        read_end, self.write_end = os.pipe()
        super().__init__(name, [
            "stdbuf", "-oL", "dpdk-testpmd", "-l", lcores, "--no-pci", "--file-prefix", self.prefix, *eal,
            "--vdev", f"net_memif0,role=client,id=0,socket={folder}/{name}.sock,socket-abstract=no",
            "--", "-i", f"--forward-mode={forward}", "--total-num-mbufs=8192", "--no-mlockall"],
            folder, stdin=os.fdopen(read_end, "rb"))

    def say(self, line):
        os.write(self.write_end, line.encode() + b"\n")

    def packets(self):
        """(rx, tx) as it counts them now."""
        seen = self.out().count("NIC statistics")
        self.say("show port stats 0")
        rig.wait_until(lambda: self.out().count("NIC statistics") > seen and self.out().rstrip().endswith("testpmd>"),
                       f"{self.name}'s statistics")
        return rig.testpmd_stats(self.out(), 0)

    def quit(self):
        self.say("quit")
        os.close(self.write_end)
        self.process.wait(rig.PATIENCE_S)

    def kill(self):
        super().kill()
        shutil.rmtree(f"/var/run/dpdk/{self.prefix}", ignore_errors=True)  # it leaves its folder behind


def carry(eal, huge):
    rig.need_tool("dpdk-testpmd")
    with rig.folder() as folder:
        conf = os.path.join(folder, "memif.yaml")
        with open(conf, "w", encoding="utf-8") as file:
            file.write(CONF.format(folder=folder, filter=os.path.abspath(MACSWAP), huge=huge))
        weir = rig.Weir(WEIR, conf, folder, f"memif{os.getpid()}")
        a = b = None
        try:
            weir.wait_ready()
            b = Testpmd("b", folder, "0,1", eal, "rxonly")
            a = Testpmd("a", folder, "0,1", eal, "txonly")
            for pmd in (a, b):
                rig.wait_until(lambda pmd=pmd: "testpmd>" in pmd.out(), f"testpmd {pmd.name}'s prompt")
                pmd.say("start")
            rig.wait_until(lambda: b.packets()[0] > 10000, "packets at B")
            a.say("stop")
            rig.wait_until(lambda: "Done." in a.out(), "testpmd A to stop")
            sent = a.packets()[1]

            def drained():
                before = b.packets()[0]
                time.sleep(0.5)
                return b.packets()[0] == before
            rig.wait_until(drained, "the path to drain")
            received = b.packets()[0]
            counters = {port["name"]: port for port in weir.stats()["ports"]}
            got, gave = counters["a"]["rx_packets"], counters["b"]["tx_packets"]
            b.say("stop")
            # counters are read before a peer leaves: a memif forgets them then
            a.quit()
            b.quit()
            report = weir.finish()
            law = report["conservation"]
            assert got == sent, f"testpmd A sent {sent}, weir received {got}"
            assert gave == received, f"weir sent {gave}, testpmd B received {received}"
            assert law["rx"] - law["tx"] == law["drops"], law
        finally:
            for process in (a, b, weir):
                if process is not None:
                    process.kill()


def counters_agree_to_the_packet_without_hugepages():
    carry(["--no-huge", "-m", "256"], "")


def counters_agree_to_the_packet_with_hugepages():
    with rig.hugepages(400):
        carry(["--single-file-segments", "-m", "128"], ", --single-file-segments")


def a_peer_that_is_killed_under_load_again_and_again_leaves_weir_running():
    rig.need_tool("dpdk-testpmd")
    with rig.folder() as folder:
        conf = os.path.join(folder, "memif.yaml")
        with open(conf, "w", encoding="utf-8") as file:
            file.write(CONF.format(folder=folder, filter=os.path.abspath(MACSWAP), huge=""))
        weir = rig.Weir(WEIR, conf, folder, f"killed{os.getpid()}")
        peer = None
        try:
            weir.wait_ready()
            for _ in range(4):
                before = weir.stats()["conservation"]["rx"]
                peer = Testpmd("a", folder, "0,1", ["--no-huge", "-m", "256"], "txonly")
                rig.wait_until(lambda: "testpmd>" in peer.out(), "testpmd's prompt")
                peer.say("start")
                rig.wait_until(lambda before=before: weir.stats()["conservation"]["rx"] > before + 1000, "packets")
                peer.kill()
            weir.finish()
        finally:
            for process in (peer, weir):
                if process is not None:
                    process.kill()


tap.run([
    a_peer_that_is_killed_under_load_again_and_again_leaves_weir_running,
    counters_agree_to_the_packet_without_hugepages,
    counters_agree_to_the_packet_with_hugepages,
])
