# SPDX-License-Identifier: BSD-3-Clause
"""Classic pcap files, read and written without libpcap: the tests' own eyes."""
import struct
from collections import namedtuple

# ts_ns: Unix time in nanoseconds; orig_len: bytes on the wire; data: captured bytes, cut to the snap length
Record = namedtuple("Record", "ts_ns orig_len data")

MAGIC_US, MAGIC_NS = 0xA1B2C3D4, 0xA1B23C4D


def read(path):
    """Returns (nanosecond file?, link type, [Record]). A cut last record is an error, as for libpcap."""
    with open(path, "rb") as file:
        raw = file.read()
    for order in "<>":
        magic = struct.unpack_from(order + "I", raw)[0]
        if magic in (MAGIC_US, MAGIC_NS):
            break
    else:
        raise ValueError(f"{path}: not a classic pcap file")
    _, _, _, _, _, snaplen, link = struct.unpack_from(order + "IHHiIII", raw)
    scale = 1 if magic == MAGIC_NS else 1000
    records, pos = [], 24
    while pos < len(raw):
        sec, frac, cap, orig = struct.unpack_from(order + "IIII", raw, pos)
        data = raw[pos + 16:pos + 16 + cap]
        if len(data) != cap:
            raise ValueError(f"{path}: record at {pos} is cut")
        records.append(Record(sec * 10**9 + frac * scale, orig, data[:snaplen or None]))
        pos += 16 + cap
    return magic == MAGIC_NS, link & 0xFFFF, records


def write(path, records, nano=True, link=1, snaplen=262144):
    with open(path, "wb") as file:
        file.write(struct.pack("<IHHiIII", MAGIC_NS if nano else MAGIC_US, 2, 4, 0, 0, snaplen, link))
        for rec in records:
            frac = rec.ts_ns % 10**9
            file.write(struct.pack("<IIII", rec.ts_ns // 10**9, frac if nano else frac // 1000,
                                   len(rec.data), rec.orig_len))
            file.write(rec.data)
