# SPDX-License-Identifier: BSD-3-Clause
"""Filters made hard to compile: functions and custom sections added to the core modules of a component."""

COMPONENT = b"\0asm\x0d\0\1\0"
MODULE = b"\0asm\1\0\0\0"
CORE_MODULE, TYPE, FUNCTION, CODE = 1, 1, 3, 10  # section numbers, of a component and of a module


def leb(number):
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes(out + bytes([number]))


def read_leb(data, at):
    """(number, where it ends)"""
    number = shift = 0
    while True:
        byte = data[at]
        at += 1
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return number, at


def sections(data):
    """[[number, contents]]"""
    at, found = 8, []
    while at < len(data):
        size, begin = read_leb(data, at + 1)
        found.append([data[at], data[begin:begin + size]])
        at = begin + size
    return found


def join(head, parts):
    return head + b"".join(bytes([number]) + leb(len(body)) + body for number, body in parts)


def add_custom(module, name, payload):
    return module + b"\0" + leb(len(leb(len(name)) + name + payload)) + leb(len(name)) + name + payload


def append_to(body, entry):
    """A vector section with one more entry; and the number of that."""
    count, begin = read_leb(body, 0)
    return leb(count + 1) + body[begin:] + entry, count


def add_function(module, code):
    """One more function, without parameters and results; code without its end."""
    parts = sections(module)
    by_number = {part[0]: part for part in parts}
    by_number[TYPE][1], kind = append_to(by_number[TYPE][1], b"\x60\0\0")
    by_number[FUNCTION][1], _ = append_to(by_number[FUNCTION][1], leb(kind))
    body = b"\1\1\x7f" + code + b"\x0b"  # a local i32
    by_number[CODE][1], _ = append_to(by_number[CODE][1], leb(len(body)) + body)
    return join(MODULE, parts)


def edit_largest(component, edit):
    """The component with its largest core module edited."""
    assert component.startswith(COMPONENT)
    parts = sections(component)
    largest = max((part for part in parts if part[0] == CORE_MODULE), key=lambda part: len(part[1]))
    largest[1] = edit(largest[1])
    return join(COMPONENT, parts)


def nested_blocks(depth):
    return b"\x02\x40" * depth + b"\x20\0\x0d\0" + b"\x0b" * depth


def wide_table(targets):
    """A br_table of so many targets in three blocks."""
    entries = b"".join(leb(i % 3) for i in range(targets))
    return b"\x02\x40\x02\x40\x02\x40\x20\0\x0e" + leb(targets) + entries + b"\0" + b"\x0b\x0b\x0b"


def huge(bytes_wanted):
    """Straight code of about so many bytes, none of which can be left out."""
    step = b"\x20\0\x41\x07\x6c\x41\x0d\x6a\x22\0\x1a" + b"\x41\0\x20\0\x36\x02\0"  # local = local * 7 + 13; store it
    return step * (bytes_wanted // len(step))
