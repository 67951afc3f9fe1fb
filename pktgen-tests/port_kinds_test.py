# SPDX-License-Identifier: BSD-3-Clause
"""Every kind of port but memif (testpmd_memif_test.py) carries packets through a filter, in one process and without hugepages.

    port_kinds_test.py WEIR PASS.wasm

The capture goes in at a net_pcap port, through the kind under test, and out at a net_pcap port: what comes out is what went in.
"""
import os
import sys

import pcapfile
import rig
import tap

WEIR, PASS = sys.argv[1:3]
DEMO = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "conf", "demo.pcap")

# `near` sends what it gets from the capture; `far` receives it from its peer and hands it to the result.
CONF = """
eal: [--no-pci, --no-huge, --no-shconf, "-m", "256"]
ports:
  capture: {{device: "net_pcap0,rx_pcap={source},tx_pcap=/dev/null", chain: through, to: near}}
{ports}
  result: {{device: "net_pcap1,rx_pcap={empty},tx_pcap={result}", promiscuous: true}}
workers: [{{lcore: 0, idle: sleep}}]
chains: {{through: [pass]}}
filters: {{pass: {{file: "{filter}"}}}}
"""
PAIR = """  far: {{device: "{far}", chain: through, to: result}}
  near: {{device: "{near}"}}"""
LOOP = """  near: {{device: "{near}", chain: through, to: result}}"""


def frames(path):
    return [rec.data for rec in pcapfile.read(path)[2]]


def carry(ports, **options):
    """Runs the configuration until the result has what is kept of the capture; returns the final report. A pair may need
    a moment to find each other; what is sent before drops by name, and then the capture goes once more."""
    for _ in range(20):
        report = carry_once(ports, **options)
        if not rig.drops_by_reason(report).get("tx_full"):
            return report
    raise AssertionError("the link never came up in time")


def carry_once(ports, before=None, arrived=None, keep=lambda frame: True, **names):
    is_compared = arrived is None
    with rig.folder() as folder:
        empty, result, conf = (os.path.join(folder, name) for name in ("empty.pcap", "result.pcap", "conf.yaml"))
        source = os.path.join(folder, "source.pcap")
        pcapfile.write(empty, [])
        pcapfile.write(source, [rec for rec in pcapfile.read(DEMO)[2] if keep(rec.data)])
        devices = {name: device.format(folder=folder) for name, device in names.items()}
        with open(conf, "w", encoding="utf-8") as file:
            file.write(CONF.format(ports=ports.format(**devices), source=source, empty=empty, result=result,
                                   filter=os.path.abspath(PASS)))
        weir = rig.Weir(WEIR, conf, folder, f"kind{os.getpid()}")
        try:
            weir.wait_ready()
            if before:
                before()
            wanted = len(frames(source))
            arrived = arrived or (lambda stats: port(stats, "result")["tx_packets"])

            def all_arrived():
                stats = weir.stats()
                return arrived(stats) >= wanted or stats["conservation"]["drop_tx_full"] > 0
            rig.wait_until(all_arrived, f"{wanted} packets to arrive")
            report = weir.finish()
        finally:
            weir.kill()
        if is_compared and not rig.drops_by_reason(report).get("tx_full"):
            came, went = frames(result), frames(source)
            strange = [frame.hex() for frame in came if frame not in went]
            assert came == went, f"{len(went)} frames went in, {len(came)} came out, {len(strange)} of them others: {strange[:3]}"
        return report


def port(stats, name):
    return next(port for port in stats["ports"] if port["name"] == name)


def net_null_takes_what_is_sent_and_brings_packets_of_its_own():
    report = carry(LOOP, near="net_null0,size=60",
                   arrived=lambda stats: min(port(stats, "near")["tx_packets"], port(stats, "near")["rx_packets"]))
    assert port(report, "near")["rx_packets"] >= 32


def net_ring_carries_the_capture():
    carry(LOOP, near="net_ring0")


def net_pcap_carries_the_capture():
    report = carry(LOOP, near="net_pcap2,rx_pcap=" + DEMO + ",tx_pcap=/dev/null",
                   arrived=lambda stats: min(port(stats, "near")["tx_packets"], port(stats, "result")["tx_packets"]))
    assert port(report, "near")["rx_packets"] == len(frames(DEMO))


def net_virtio_user_and_net_vhost_carry_the_capture():
    carry(PAIR, far="net_vhost0,iface={folder}/v.sock", near="net_virtio_user0,path={folder}/v.sock")


def survives_a_packet_socket(frame):
    """The kernel's packet sockets, as net_af_packet opens them, put fragments together and do not say which tag they took."""
    return frame[12:14] != b"\x88\xa8" and not (frame[12:14] == b"\x08\x00" and
                                               int.from_bytes(frame[20:22], "big") & 0x3FFF)


def net_af_packet_carries_the_capture_over_a_veth_pair():
    rig.need_root()
    rig.need_tool("ip")
    near, far = f"wn{os.getpid()}", f"wf{os.getpid()}"
    rig.run("ip", "link", "add", near, "type", "veth", "peer", "name", far)
    try:
        for name in (near, far):
            # no address, no neighbour discovery, no answer: only the capture's packets are on the wire
            for key, value in (("ipv6/conf/{}/disable_ipv6", "1"), ("ipv4/conf/{}/arp_ignore", "8")):
                with open("/proc/sys/net/" + key.format(name), "w", encoding="ascii") as file:
                    file.write(value)
            rig.run("ip", "link", "set", name, "up")
        carry(PAIR, far="net_af_packet0,iface=" + far, near="net_af_packet1,iface=" + near,
              keep=survives_a_packet_socket)
    finally:
        rig.run("ip", "link", "del", near, check=False)


def net_tap_sends_the_capture_to_the_kernel_and_brings_what_the_kernel_sends():
    rig.need_root()
    rig.need_tool("ip")
    name = f"wt{os.getpid()}"

    def wake_kernel():
        rig.run("ip", "addr", "add", "198.18.77.1/30", "dev", name)
        rig.run("ip", "link", "set", name, "up")
        rig.run("ping", "-c", "1", "-W", "1", "198.18.77.2", check=False)
    report = carry(LOOP, near="net_tap0,iface=" + name, before=wake_kernel,
                   arrived=lambda stats: port(stats, "near")["tx_packets"])
    assert port(report, "near")["rx_packets"] > 0, "the kernel sent nothing"


tap.run([
    net_null_takes_what_is_sent_and_brings_packets_of_its_own,
    net_ring_carries_the_capture,
    net_pcap_carries_the_capture,
    net_virtio_user_and_net_vhost_carry_the_capture,
    net_af_packet_carries_the_capture_over_a_veth_pair,
    net_tap_sends_the_capture_to_the_kernel_and_brings_what_the_kernel_sends,
])
