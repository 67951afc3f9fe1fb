# SPDX-License-Identifier: BSD-3-Clause
"""What `acl` must answer, written from docs/filters.md alone: slow, one packet and one rule at a time."""
import ipaddress

TAGS = (0x8100, 0x88A8, 0x9100)
EXTENSIONS = (0, 43, 44, 51, 60, 135, 139, 140)
PROTOCOLS = {"tcp": (None, 6), "udp": (None, 17), "icmp": (4, 1), "icmp6": (6, 58),
             "ip": (4, None), "ip6": (6, None), "any": (None, None)}


class Cut(Exception):
    """The packet is not IP, or not wholly there: it takes the default."""


def need(data, start, length, end):
    if start + length > min(len(data), end):
        raise Cut
    return data[start:start + length]


def parse(data):
    """Returns (family, protocol, source, destination, source port, destination port); ports None where there are none."""
    need(data, 0, 14, len(data))
    pos, tags = 12, 0
    ethertype = int.from_bytes(data[12:14], "big")
    while ethertype in TAGS and tags < 2:
        need(data, pos, 6, len(data))
        pos, tags = pos + 4, tags + 1
        ethertype = int.from_bytes(data[pos:pos + 2], "big")
    pos += 2
    fragment = False
    if ethertype == 0x0800:
        head = need(data, pos, 20, len(data))
        length = int.from_bytes(head[2:4], "big")
        end = pos + length if length else len(data)
        size = (head[0] & 15) * 4
        if head[0] >> 4 != 4 or size < 20:
            raise Cut
        need(data, pos, size, end)
        family, protocol = 4, head[9]
        fragment = int.from_bytes(head[6:8], "big") & 0x1FFF != 0
        source, destination = head[12:16], head[16:20]
        pos += size
    elif ethertype == 0x86DD:
        head = need(data, pos, 40, len(data))
        if head[0] >> 4 != 6:
            raise Cut
        length = int.from_bytes(head[4:6], "big")
        end = pos + 40 + length if length else len(data)
        family, protocol = 6, head[6]
        source, destination = head[8:24], head[24:40]
        pos += 40
        while protocol in EXTENSIONS and not fragment:
            first = need(data, pos, 8, end)
            if protocol == 44:
                size = 8
                fragment = int.from_bytes(first[2:4], "big") >> 3 != 0
            elif protocol == 51:
                size = (first[1] + 2) * 4
            else:
                size = (first[1] + 1) * 8
            need(data, pos, size, end)
            protocol, pos = first[0], pos + size
    else:
        raise Cut
    ports = (None, None)
    if protocol in (6, 17) and not fragment:
        head = need(data, pos, 4, end)
        ports = int.from_bytes(head[:2], "big"), int.from_bytes(head[2:], "big")
    return (family, protocol, ipaddress.ip_address(source), ipaddress.ip_address(destination)) + ports


def read_rules(text):
    """Returns ([rule], default) of a rule text that is known to be right."""
    rules, default = [], None
    for line in text.splitlines():
        words = line.split("#")[0].split()
        if not words:
            continue
        if words[0] == "default":
            default = words[1]
            continue
        action, words = words[0], words[1:]
        proto = words.pop(0) if words[0] in PROTOCOLS else "any"
        sides = []
        for keyword in ("from", "to"):
            assert words.pop(0) == keyword, line
            net = words.pop(0)
            port = None
            if words and words[0] == "port":
                words.pop(0)
                low, _, high = words.pop(0).partition("-")
                port = int(low), int(high or low)
            sides.append((None if net == "any" else ipaddress.ip_network(net, strict=False), port))
        assert not words, line
        rules.append((action, proto, sides))
    return rules, default


def matches(rule, packet):
    _, proto, sides = rule
    family, protocol, source, destination, source_port, destination_port = packet
    want_family, want_protocol = PROTOCOLS[proto]
    if want_family not in (None, family) or want_protocol not in (None, protocol):
        return False
    for (net, port), address, number in ((sides[0], source, source_port),
                                         (sides[1], destination, destination_port)):
        if net is not None and (net.version != family or address not in net):
            return False
        if port is not None and (number is None or not port[0] <= number <= port[1]):
            return False
    return True


def allows(rules, default, data):
    try:
        packet = parse(data)
    except Cut:
        return default == "allow"
    for rule in rules:
        if matches(rule, packet):
            return rule[0] == "allow"
    return default == "allow"
