# SPDX-License-Identifier: BSD-3-Clause
"""Broken command lines, captures, components and configurations: each with its exit code and its exact message, none with
a crash.

    broken_inputs_test.py WEIR PREBUILT-FOLDER [--show]

Broken files are made here out of whole ones. In a message, DIR is the test's folder, PREBUILT that of the filters, RUN that of DPDK's sockets, CPUS this machine's.
--show prints what weir says instead of comparing.
"""
import os
import re
import struct
import subprocess
import sys

import rig
import tap

WEIR, PREBUILT = (os.path.abspath(path) for path in sys.argv[1:3])
SHOW = "--show" in sys.argv[3:]
FAULT, USAGE, MACHINE = 1, 2, 3
CONF = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "conf")


def whole(path):
    with open(path, "rb") as file:
        return file.read()


PASS, DEMO = whole(os.path.join(PREBUILT, "pass.wasm")), whole(os.path.join(CONF, "demo.pcap"))


# ---- components -----------------------------------------------------------------------------------

def put(at, data, of=PASS):
    """The bytes at `at` are others."""
    return of[:at] + data + of[at + len(data):]


def named(old, new):
    assert len(old) == len(new) and old in PASS, old
    return PASS.replace(old, new)


def section(number, body):
    assert len(body) < 0x80
    return bytes([number, len(body)]) + body


CORE_HEAD, COMPONENT_HEAD = b"\0asm\1\0\0\0", PASS[:8]
CORE = CORE_HEAD + section(1, b"\1\x60\0\0")  # one function type
FIRST_SIZE = 9  # where the size of pass.wasm's first section stands; it takes one byte
assert PASS[8] == 7 and PASS[FIRST_SIZE] < 0x80

COMPONENTS = {
    "empty": b"",
    "of_three_bytes": PASS[:3],
    "cut_after_its_magic": PASS[:4],
    "cut_in_its_first_section": PASS[:20],
    "cut_in_a_core_module": PASS[:1000],
    "cut_before_its_last_byte": PASS[:-1],
    "followed_by_a_byte": PASS + b"\0",
    "that_is_an_elf_file": put(0, b"\x7fELF"),
    "that_is_text": b"(component)\n",
    "of_another_binary_version": put(4, b"\x0e"),
    "of_another_layer": put(6, b"\2"),
    "with_a_section_that_is_too_long_for_the_file": put(FIRST_SIZE, b"\xff\xff\xff\x7f"),
    "with_a_section_that_is_longer_than_its_contents": PASS[:FIRST_SIZE] + b"\x80\1" + PASS[FIRST_SIZE + 1:],
    "with_a_section_that_is_shorter_than_its_contents": put(FIRST_SIZE, b"\x50"),
    "with_a_number_that_is_too_large": PASS[:FIRST_SIZE] + b"\xff\xff\xff\xff\x7f" + PASS[FIRST_SIZE + 1:],
    "with_a_number_that_is_too_long": PASS[:FIRST_SIZE] + b"\xd7\x80\x80\x80\x80\0" + PASS[FIRST_SIZE + 1:],
    "with_an_unknown_section": PASS + section(0x20, b""),
    "with_a_name_that_is_not_utf8": named(b"stride", b"str\xffde"),
    "with_a_name_that_is_longer_than_the_section": named(b"\x06stride", b"\x7fstride"),
    "with_a_type_index_that_does_not_exist": COMPONENT_HEAD + section(7, b"\1\x70\x05"),
    "with_a_core_module_that_is_cut": COMPONENT_HEAD + section(1, CORE[:-1]),
    "with_a_core_module_that_is_invalid": COMPONENT_HEAD + section(1, CORE_HEAD + section(3, b"\1\0")),
    "with_a_core_module_with_a_shared_memory": COMPONENT_HEAD + section(1, CORE_HEAD + section(5, b"\1\3\1\1")),
    "with_a_core_module_with_a_page_size": COMPONENT_HEAD + section(1, CORE_HEAD + section(5, b"\1\x08\1\0")),
}
NO_FILTERS = {
    "core_module": CORE,
    "empty_component": COMPONENT_HEAD,
    "import_of_an_unknown_interface": named(b"weir:packet/setup", b"evil:packet/setup"),
    "import_of_another_version": named(b"weir:packet/setup@0.1.0", b"weir:packet/setup@0.9.0"),
    "import_of_an_unknown_function": named(b"\x09configure", b"\x09konfigure"),
    "export_of_another_version": named(b"weir:packet/filter@0.1.0", b"weir:packet/filter@0.2.0"),
    "export_of_another_interface": named(b"weir:packet/filter", b"evil:packet/filter"),
}


# ---- captures -------------------------------------------------------------------------------------

def block(kind, body, length=None, trailer=None):
    """A pcapng block; length and trailer lie when they are given."""
    size = 12 + len(body)
    return struct.pack("<II", kind, size if length is None else length) + body + struct.pack(
        "<I", size if trailer is None else trailer)


def interface(link=1, options=b""):
    return block(1, struct.pack("<HHI", link, 0, 65535) + options)


def packet(number=0, captured=4, data=bytes(4)):
    return block(6, struct.pack("<IIIII", number, 0, 0, captured, captured) + data)


SECTION = block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
CAPTURES = {
    "empty": b"",
    "cut_in_its_header": DEMO[:10],
    "cut_in_a_record_header": DEMO[:30],
    "cut_in_a_record": DEMO[:60],
    "with_an_unknown_magic_number": put(0, b"\xde\xad\xbe\xef", DEMO),
    "of_another_version": put(4, b"\x09\0\x09\0", DEMO),
    "of_another_link_type": put(20, b"\x71\0\0\0", DEMO),
    "of_an_unknown_link_type": put(20, b"\xff\xfe\0\0", DEMO),
    "with_a_record_of_2_gb": put(32, struct.pack("<II", 0x7FFFFFFF, 0x7FFFFFFF), DEMO),
    "that_is_text": b"1 0.000000 10.0.0.1 10.0.0.2 DNS\n",
    "ng_cut_in_its_section": SECTION[:20],
    "ng_with_an_unknown_byte_order": put(8, b"\1\2\3\4", SECTION) + interface(),
    "ng_of_another_version": put(12, b"\7", SECTION) + interface(),
    "ng_with_a_packet_before_any_interface": SECTION + packet(),
    "ng_with_a_block_of_7_bytes": SECTION + struct.pack("<II", 1, 7),
    "ng_with_two_lengths_of_a_block": SECTION + block(1, struct.pack("<HHI", 1, 0, 65535), trailer=24),
    "ng_with_a_block_of_2_gb": SECTION + interface() + struct.pack("<II", 6, 0x7FFFFFF0),
    "ng_with_a_packet_of_an_unknown_interface": SECTION + interface() + packet(number=9),
    "ng_with_a_packet_longer_than_its_block": SECTION + interface() + packet(captured=500),
    "ng_with_an_impossible_time_unit": SECTION + interface(options=struct.pack("<HHB3x", 9, 1, 0xFF)),
    "ng_of_another_link_type": SECTION + interface(link=101),
    "ng_with_a_second_interface_of_another_link_type": SECTION + interface() + interface(link=113) + packet(number=1),
}


# ---- configurations -------------------------------------------------------------------------------

FLAGS = 'eal: [--no-pci, --no-huge, --no-shconf, "-m", "256"]\n'
PORT = FLAGS + "ports: {a: {device: net_null0, chain: c, to: a}}\nworkers: [{lcore: 0}]\nchains: {c: [f]}\n"
ACL = "filters: {f: {file: PREBUILT/acl.wasm%s}}\n"
FINE = ACL % ', config: {rules: "default deny"}'
CONFIGURATIONS = {
    "that_is_empty": "",
    "that_is_a_component": None,
    "with_an_open_bracket": "ports: {a: {device: net_null0}\n",
    "with_an_unknown_key": "brust: 32\nports: {a: {device: net_null0}}\nworkers: [{lcore: 0}]\n",
    "with_a_key_twice": "burst: 32\nburst: 64\n",
    "with_a_number_that_is_none": "burst: 32abc\nports: {a: {device: net_null0}}\nworkers: [{lcore: 0}]\n",
    "with_a_second_document": "ports: {a: {device: net_null0}}\nworkers: [{lcore: 0}]\n---\n{}\n",
    "with_a_chain_of_an_unknown_filter": PORT + "filters: {g: {file: PREBUILT/pass.wasm}}\n",
    "with_a_missing_component": PORT + "filters: {f: {file: none.wasm}}\n",
    "with_a_broken_component": PORT + "filters: {f: {file: cut.wasm}}\n",
    "with_a_rule_that_is_wrong": PORT + ACL % ', config: {rules: "allow any from any to any\\ndefalt deny\\n"}',
    "with_no_rules": PORT + ACL % "",
    "with_too_little_memory_for_a_filter": PORT + ACL % ', config: {rules: "default deny"}, limits: {memory_pages: 1}',
    "with_too_few_instances_for_a_filter": PORT + ACL % ', config: {rules: "default deny"}, limits: {instances: 1}',
    "with_too_little_memory_for_packets": PORT.replace("256", "64") + FINE,
    "with_an_unknown_device": PORT.replace("net_null0", "net_nul0") + FINE,
    "with_a_device_argument_that_is_wrong": PORT.replace("net_null0", '"net_null0,size=many"') +
                                            FINE,
    "with_a_capture_that_is_missing": PORT.replace("net_null0", '"net_pcap0,rx_pcap=none.pcap"') +
                                      FINE,
    "with_a_core_that_is_missing": PORT.replace("lcore: 0", "lcore: 1023") + FINE,
    "with_an_eal_argument_that_is_wrong": PORT.replace("--no-pci", "--no-such-thing") +
                                          FINE,
}


# ---- command lines --------------------------------------------------------------------------------

GOOD = os.path.join(CONF, "demo.pcap")
REPLAY = ["replay", "--filter", "PREBUILT/pass.wasm"]
COMMANDS = {
    "an_unknown_command": ["rnu"],
    "no_configuration": ["run"],
    "a_second_configuration": ["run", "a.yaml", "b.yaml"],
    "a_configuration_that_is_missing": ["run", "DIR/none.yaml"],
    "a_folder_for_a_configuration": ["run", "DIR"],
    "an_unknown_option": ["run", "--chek", "a.yaml"],
    "an_option_without_its_value": ["run", "--duration"],
    "a_value_for_an_option_without": ["run", "--json=yes", "a.yaml"],
    "a_duration_that_is_none": ["run", "--duration", "nan", "a.yaml"],
    "a_name_that_is_none": ["run", "--instance", "9", "a.yaml"],
    "a_log_level_that_is_none": ["run", "--log-level", "loud", "a.yaml"],
    "one_capture_only": ["replay", "a.pcap"],
    "a_capture_onto_itself": ["replay", "DIR/whole.pcap", "DIR/whole.pcap"],
    "a_capture_that_is_missing": ["replay", "DIR/none.pcap", "DIR/out.pcap"],
    "a_result_in_no_folder": ["replay", "DIR/whole.pcap", "DIR/no/out.pcap"],
    "a_view_of_nothing": [*REPLAY, "--view", "0", "DIR/whole.pcap", "DIR/out.pcap"],
    "an_entry_before_any_filter": ["replay", "--config", "a=b", "DIR/whole.pcap", "DIR/out.pcap"],
    "an_entry_twice": [*REPLAY, "--config", "a=b", "--config", "a=c", "DIR/whole.pcap", "DIR/out.pcap"],
    "an_entry_of_a_missing_file": [*REPLAY, "--config", "a=@DIR/none", "DIR/whole.pcap", "DIR/out.pcap"],
    "seventeen_filters": ["replay", *["--filter", "PREBUILT/pass.wasm"] * 17, "DIR/whole.pcap", "DIR/out.pcap"],
    "a_capture_for_a_filter": ["replay", "--filter", "DIR/whole.pcap", "DIR/whole.pcap", "DIR/out.pcap"],
    "nothing_to_validate": ["validate"],
    "nowhere_to_wrap_to": ["wrap", "DIR/core.wasm"],
    "a_component_to_wrap": ["wrap", "PREBUILT/pass.wasm", "-o", "DIR/out.wasm"],
    "a_module_without_memory_to_wrap": ["wrap", "DIR/core.wasm", "-o", "DIR/out.wasm"],
    "two_files_to_inspect": ["inspect", "a.wasm", "b.wasm"],
    "a_weir_that_does_not_run": ["stats", "--instance", "nobody"],
    "help_about_nothing": ["help", "bogus"],
}

# test: (exit code, message)
EXPECTED = {
    "component_empty": (FAULT, "weir: DIR/f.wasm:0x0: malformed: unexpected end: no magic header"),
    "component_of_three_bytes": (FAULT, "weir: DIR/f.wasm:0x0: malformed: unexpected end: no magic header"),
    "component_cut_after_its_magic": (FAULT, "weir: DIR/f.wasm:0x4: malformed: unexpected end: no version"),
    "component_cut_in_its_first_section": (FAULT,
        "weir: DIR/f.wasm:0xa: malformed: length out of bounds: 87 bytes, 10 are left"),
    "component_cut_in_a_core_module": (FAULT,
        "weir: DIR/f.wasm:0x1cc: malformed: length out of bounds: 3840 bytes, 540 are left"),
    "component_cut_before_its_last_byte": (FAULT,
        "weir: DIR/f.wasm:0x1426: malformed: length out of bounds: 30 bytes, 29 are left"),
    "component_followed_by_a_byte": (FAULT, "weir: DIR/f.wasm:0x1445: malformed: unexpected end"),
    "component_that_is_an_elf_file": (FAULT,
        "weir: DIR/f.wasm:0x0: malformed: magic header not detected: found 7f 45 4c 46, expected 00 61 73 6d"),
    "component_that_is_text": (FAULT,
        "weir: DIR/f.wasm:0x0: malformed: magic header not detected: found 28 63 6f 6d, expected 00 61 73 6d"),
    "component_of_another_binary_version": (FAULT,
        "weir: DIR/f.wasm:0x4: malformed: unknown binary version 0e 00 01 00, expected 01 00 00 00"),
    "component_of_another_layer": (FAULT,
        "weir: DIR/f.wasm:0x4: malformed: unknown binary version 0d 00 02 00, expected 01 00 00 00"),
    "component_with_a_section_that_is_too_long_for_the_file": (FAULT,
        "weir: DIR/f.wasm:0xd: malformed: length out of bounds: 268435455 bytes, 5175 are left"),
    "component_with_a_section_that_is_longer_than_its_contents": (FAULT,
        "weir: DIR/f.wasm:0x62: malformed: section size mismatch: 41 bytes left at the end of section 7"),
    "component_with_a_section_that_is_shorter_than_its_contents": (FAULT,
        "weir: DIR/f.wasm:0x56: malformed: length out of bounds: 9 bytes, 4 are left"),
    "component_with_a_number_that_is_too_large": (FAULT, "weir: DIR/f.wasm:0xd: malformed: integer too large"),
    "component_with_a_number_that_is_too_long": (FAULT,
        "weir: DIR/f.wasm:0xd: malformed: integer representation too long"),
    "component_with_an_unknown_section": (FAULT, "weir: DIR/f.wasm:0x1444: malformed: malformed section id: 32"),
    "component_with_a_name_that_is_not_utf8": (FAULT, "weir: DIR/f.wasm:0x11: malformed: malformed UTF-8 encoding"),
    "component_with_a_name_that_is_longer_than_the_section": (FAULT,
        "weir: DIR/f.wasm:0x11: malformed: length out of bounds: 127 bytes, 80 are left"),
    "component_with_a_type_index_that_does_not_exist": (FAULT,
        "weir: DIR/f.wasm:0xb: invalid: unknown type 5: type index out of bounds, there are 0"),
    "component_with_a_core_module_that_is_cut": (FAULT,
        "weir: DIR/f.wasm:0x14: malformed: length out of bounds: 4 bytes, 3 are left"),
    "component_with_a_core_module_that_is_invalid": (FAULT,
        "weir: DIR/f.wasm:0x16: malformed: function and code section have inconsistent lengths: 1 and 0"),
    "component_with_a_core_module_with_a_shared_memory": (FAULT,
        "weir: DIR/f.wasm:0x15: malformed: malformed limits flags 0x03, in the memory section"),
    "component_with_a_core_module_with_a_page_size": (FAULT,
        "weir: DIR/f.wasm:0x15: malformed: malformed limits flags 0x08, in the memory section"),
    "no_filter_core_module": (FAULT,
        "weir: DIR/f.wasm:0x0: invalid: a core module, expected a component: `weir wrap` makes one of it"),
    "no_filter_empty_component": (FAULT,
        "weir: DIR/f.wasm:0x0: unlinkable: exports no filter, expected weir:packet/filter@0.1.0"),
    "no_filter_import_of_an_unknown_interface": (FAULT,
        "weir: DIR/f.wasm:0x0: unlinkable: imports evil:packet/setup@0.1.0, offered are weir:packet/setup@0.1.0, "
        "wasi:config/store@0.2.0-rc.1, wasi:clocks/types@0.3.0, wasi:clocks/monotonic-clock@0.3.0, "
        "wasi:random/random@0.3.0, wasi:logging/logging@0.1.0-draft"),
    "no_filter_import_of_another_version": (FAULT,
        "weir: DIR/f.wasm:0x0: unlinkable: imports weir:packet/setup@0.9.0, offered is weir:packet/setup@0.1.0"),
    "no_filter_import_of_an_unknown_function": (FAULT,
        "weir: filter f: unlinkable: import weir:packet/setup@0.1.0: missing expected export konfigure"),
    "no_filter_export_of_another_version": (FAULT,
        "weir: DIR/f.wasm:0x0: unlinkable: exports weir:packet/filter@0.2.0, expected weir:packet/filter@0.1.0"),
    "no_filter_export_of_another_interface": (FAULT,
        "weir: DIR/f.wasm:0x0: unlinkable: exports no filter, expected weir:packet/filter@0.1.0"),
    "capture_empty": (FAULT,
        "weir: DIR/f.pcap: malformed: truncated dump file; tried to read 4 file header bytes, only got 0"),
    "capture_cut_in_its_header": (FAULT,
        "weir: DIR/f.pcap: malformed: truncated dump file; tried to read 24 file header bytes, only got 6"),
    "capture_cut_in_a_record_header": (FAULT,
        "weir: DIR/f.pcap: packet 1: malformed: truncated dump file; tried to read 16 header bytes, only got 6"),
    "capture_cut_in_a_record": (FAULT,
        "weir: DIR/f.pcap: packet 1: malformed: truncated dump file; tried to read 110 captured bytes, only got 20"),
    "capture_with_an_unknown_magic_number": (FAULT, "weir: DIR/f.pcap: malformed: unknown file format"),
    "capture_of_another_version": (FAULT, "weir: DIR/f.pcap: malformed: unsupported pcap savefile version 9.9"),
    "capture_of_another_link_type": (FAULT,
        "weir: DIR/f.pcap: unsupported: found packets of link type LINUX_SLL (113), expected Ethernet, EN10MB"),
    "capture_of_an_unknown_link_type": (FAULT,
        "weir: DIR/f.pcap: unsupported: found packets of link type unknown (65279), expected Ethernet, EN10MB"),
    "capture_with_a_record_of_2_gb": (FAULT,
        "weir: DIR/f.pcap: packet 1: malformed: invalid packet capture length 2147483647, bigger than snaplen of "
        "262144"),
    "capture_that_is_text": (FAULT, "weir: DIR/f.pcap: malformed: unknown file format"),
    "capture_ng_cut_in_its_section": (FAULT,
        "weir: DIR/f.pcap: malformed: truncated pcapng dump file; tried to read 16 bytes, only got 8"),
    "capture_ng_with_an_unknown_byte_order": (FAULT, "weir: DIR/f.pcap: malformed: unknown file format"),
    "capture_ng_of_another_version": (FAULT, "weir: DIR/f.pcap: malformed: unsupported pcapng savefile version 7.0"),
    "capture_ng_with_a_packet_before_any_interface": (FAULT,
        "weir: DIR/f.pcap: malformed: the capture file has a packet block before any Interface Description Blocks"),
    "capture_ng_with_a_block_of_7_bytes": (FAULT,
        "weir: DIR/f.pcap: malformed: block in pcapng dump file has a length of 7 < 12"),
    "capture_ng_with_two_lengths_of_a_block": (FAULT,
        "weir: DIR/f.pcap: malformed: block total length in header and trailer don't match"),
    "capture_ng_with_a_block_of_2_gb": (FAULT,
        "weir: DIR/f.pcap: packet 1: malformed: pcapng block size 2147483632 > maximum 16777216"),
    "capture_ng_with_a_packet_of_an_unknown_interface": (FAULT,
        "weir: DIR/f.pcap: packet 1: malformed: a packet arrived on interface 9, but there's no Interface "
        "Description Block for that interface"),
    "capture_ng_with_a_packet_longer_than_its_block": (FAULT,
        "weir: DIR/f.pcap: packet 1: malformed: block of type 6 in pcapng dump file is too short"),
    "capture_ng_with_an_impossible_time_unit": (FAULT,
        "weir: DIR/f.pcap: malformed: Interface Description Block if_tsresol option resolution 2^-127 is too high"),
    "capture_ng_of_another_link_type": (FAULT,
        "weir: DIR/f.pcap: unsupported: found packets of link type RAW (12), expected Ethernet, EN10MB"),
    "capture_ng_with_a_second_interface_of_another_link_type": (FAULT,
        "weir: DIR/f.pcap: packet 1: malformed: an interface has a type 113 different from the type of the first "
        "interface"),
    "configuration_that_is_empty": (FAULT,
        'weir: DIR/c.yaml:1:1: found nothing in the file, expected a mapping with "ports" and "workers"'),
    "configuration_that_is_a_component": (FAULT, "weir: DIR/c.yaml:2:31: found the byte 0xad, expected UTF-8"),
    "configuration_with_an_open_bracket": (FAULT,
        "weir: DIR/c.yaml:2:1: not YAML: did not find expected ',' or '}' (while parsing a flow mapping that began "
        "at 1:8)"),
    "configuration_with_an_unknown_key": (FAULT,
        'weir: DIR/c.yaml:1:1: found the unknown key "brust", did you mean "burst"?'),
    "configuration_with_a_key_twice": (FAULT,
        'weir: DIR/c.yaml:2:1: found the key "burst" again, expected it once (first in line 1)'),
    "configuration_with_a_number_that_is_none": (FAULT,
        'weir: DIR/c.yaml:1:8: burst: found "32abc", expected a number from 1 to 64'),
    "configuration_with_a_second_document": (FAULT,
        "weir: DIR/c.yaml:3:1: found a second document, expected the end of the file"),
    "configuration_with_a_chain_of_an_unknown_filter": (FAULT,
        'weir: DIR/c.yaml:4:14: chains.c: found the unknown filter "f", expected one of the 1 under filters'),
    "configuration_with_a_missing_component": (FAULT,
        "weir: DIR/c.yaml:5:21: filters.f.file: cannot read DIR/none.wasm: No such file or directory"),
    "configuration_with_a_broken_component": (FAULT,
        "weir: DIR/cut.wasm:0x1cc: malformed: length out of bounds: 3840 bytes, 540 are left"),
    "configuration_with_a_rule_that_is_wrong": (FAULT,
        'weir: DIR/c.yaml:5:11: filter f: invalid: it ended at its start: internal: rules: line 2: found "defalt", '
        'expected "allow", "deny" or "default"'),
    "configuration_with_no_rules": (FAULT,
        'weir: DIR/c.yaml:5:11: filter f: invalid: it ended at its start: internal: no rules: expected the key '
        '"rules" in config'),
    "configuration_with_too_little_memory_for_a_filter": (FAULT,
        "weir: DIR/c.yaml:5:11: filter f: exhausted: memory of 2 pages: the limit is 1"),
    "configuration_with_too_few_instances_for_a_filter": (FAULT,
        "weir: DIR/c.yaml:5:11: filter f: exhausted: more than 1 instances in a store"),
    "configuration_with_too_little_memory_for_packets": (MACHINE,
        "weir: a pool of 16384 buffers of 2048 bytes: Cannot allocate memory (mbufs, and -m under eal)"),
    "configuration_with_an_unknown_device": (MACHINE,
        'weir: DIR/c.yaml:2:9: port a: net_nul0: Bad address: EAL: failed to parse device "net_nul0"'),
    "configuration_with_a_device_argument_that_is_wrong": (MACHINE,
        "weir: DIR/c.yaml:2:9: port a: receive queue: Cannot allocate memory"),
    "configuration_with_a_capture_that_is_missing": (MACHINE,
        "weir: DIR/c.yaml:2:9: port a: net_pcap0,rx_pcap=none.pcap: Operation not permitted: "
        "open_single_rx_pcap(): Couldn't open none.pcap: none.pcap: No such file or directory"),
    "configuration_with_a_core_that_is_missing": (MACHINE,
        "weir: DIR/c.yaml:3:11: lcore 1023: this process may not use that processor, only (CPUS)"),
    "configuration_with_an_eal_argument_that_is_wrong": (FAULT,
        "weir: DIR/c.yaml:1:6: eal: DPDK does not take these arguments: weir: unrecognized option '--no-such-thing'"),
    "command_line_with_an_unknown_command": (USAGE, 'weir: unknown command "rnu", did you mean "run"? (see weir help)'),
    "command_line_with_no_configuration": (USAGE,
        "weir: run: found no configuration, expected CONF.yaml (see weir help run)"),
    "command_line_with_a_second_configuration": (USAGE,
        'weir: run: found a second configuration, "b.yaml", expected one (see weir help run)'),
    "command_line_with_a_configuration_that_is_missing": (FAULT,
        "weir: DIR/none.yaml: cannot read it: No such file or directory"),
    "command_line_with_a_folder_for_a_configuration": (FAULT, "weir: DIR: cannot read it: Is a directory"),
    "command_line_with_an_unknown_option": (USAGE,
        "weir: run: unknown option --chek, did you mean --check? (see weir help run)"),
    "command_line_with_an_option_without_its_value": (USAGE,
        "weir: run: --duration needs a value: SECONDS (see weir help run)"),
    "command_line_with_a_value_for_an_option_without": (USAGE, "weir: run: --json takes no value (see weir help run)"),
    "command_line_with_a_duration_that_is_none": (USAGE,
        'weir: run: --duration: found "nan", expected a number of seconds (see weir help run)'),
    "command_line_with_a_name_that_is_none": (USAGE,
        'weir: run: --instance: found "9", expected a name of at most 31 letters, digits, \'.\', \'_\' and \'-\' '
        'that begins with a letter (see weir help run)'),
    "command_line_with_a_log_level_that_is_none": (USAGE,
        'weir: run: --log-level: found "loud", expected one of error|warn|info|debug|trace (see weir help run)'),
    "command_line_with_one_capture_only": (USAGE,
        "weir: replay: found one capture, expected IN.pcap OUT.pcap (see weir help replay)"),
    "command_line_with_a_capture_onto_itself": (USAGE,
        "weir: replay: DIR/whole.pcap and DIR/whole.pcap are the same file (see weir help replay)"),
    "command_line_with_a_capture_that_is_missing": (FAULT,
        "weir: DIR/none.pcap: cannot read it: No such file or directory"),
    "command_line_with_a_result_in_no_folder": (MACHINE,
        "weir: DIR/no/out.pcap: cannot write it: No such file or directory"),
    "command_line_with_a_view_of_nothing": (USAGE,
        'weir: replay: --view: found "0", expected a number from 1 to 65408, or full (see weir help replay)'),
    "command_line_with_an_entry_before_any_filter": (USAGE,
        "weir: replay: --config a=b: found no --filter before it (see weir help replay)"),
    "command_line_with_an_entry_twice": (USAGE,
        'weir: replay: --config: found the key "a" again, expected it once a filter (see weir help replay)'),
    "command_line_with_an_entry_of_a_missing_file": (FAULT, "weir: DIR/none: cannot read it: No such file or directory"),
    "command_line_with_seventeen_filters": (USAGE,
        "weir: replay: --filter: found more than 16 filters (see weir help replay)"),
    "command_line_with_a_capture_for_a_filter": (FAULT,
        "weir: DIR/whole.pcap:0x0: malformed: magic header not detected: found d4 c3 b2 a1, expected 00 61 73 6d"),
    "command_line_with_nothing_to_validate": (USAGE,
        "weir: validate: found no file, expected FILE... (see weir help validate)"),
    "command_line_with_nowhere_to_wrap_to": (USAGE,
        "weir: wrap: --output is missing: where should the component go? (see weir help wrap)"),
    "command_line_with_a_component_to_wrap": (FAULT,
        "weir: PREBUILT/pass.wasm:0x0: invalid: a component, expected a core module"),
    "command_line_with_a_module_without_memory_to_wrap": (FAULT,
        'weir: DIR/core.wasm:0x0: unlinkable: no import "env" "memory", expected it (link with -Wl,--import-memory)'),
    "command_line_with_two_files_to_inspect": (USAGE,
        'weir: inspect: found a second file, "b.wasm", expected one (see weir help inspect)'),
    "command_line_with_a_weir_that_does_not_run": (MACHINE,
        "weir: no weir called nobody runs here (RUN/dpdk/nobody/dpdk_telemetry.v2: No such file or directory)"),
    "command_line_with_help_about_nothing": (USAGE, 'weir: help: unknown command "bogus" (see weir help help)'),
}


# ---- the tests ------------------------------------------------------------------------------------

def cases():
    """(test, command, {file: bytes})."""
    for name, data in COMPONENTS.items():
        yield f"component_{name}", ["validate", "DIR/f.wasm"], {"f.wasm": data}
    for name, data in NO_FILTERS.items():
        yield f"no_filter_{name}", ["replay", "--filter", "DIR/f.wasm", "DIR/whole.pcap", "DIR/out.pcap"], {"f.wasm": data}
    for name, data in CAPTURES.items():
        yield f"capture_{name}", ["replay", "DIR/f.pcap", "DIR/out.pcap"], {"f.pcap": data}
    for name, text in CONFIGURATIONS.items():
        data = PASS if text is None else text.replace("PREBUILT", PREBUILT).encode()
        yield f"configuration_{name}", ["run", "--duration", "0", "DIR/c.yaml"], {"c.yaml": data, "cut.wasm": PASS[:1000]}
    for name, command in COMMANDS.items():
        yield f"command_line_with_{name}", command, {"core.wasm": CORE}


def ask(command, files):
    """Returns (exit code, weir's first message)."""
    with rig.folder() as folder:
        for name, data in {"whole.pcap": DEMO, **files}.items():
            with open(os.path.join(folder, name), "wb") as file:
                file.write(data)
        words = [word.replace("DIR", folder).replace("PREBUILT", PREBUILT) for word in command]
        done = subprocess.run([WEIR, *words], stdin=subprocess.DEVNULL, capture_output=True, timeout=rig.PATIENCE_S)
        said = done.stderr.decode(errors="backslashreplace")
        assert done.returncode >= 0, f"signal {-done.returncode}\n{said}"
        for sign in ("Sanitizer", "runtime error"):
            assert sign not in said, said
        first = next((line for line in said.splitlines() if line.startswith("weir: ")), said)
        first = first.replace(folder, "DIR").replace(PREBUILT, "PREBUILT")
        first = re.sub(r"only \([0-9,]+\)", "only (CPUS)", first)  # what is this machine's own
        return done.returncode, re.sub(r"\(/\S*/dpdk/", "(RUN/dpdk/", first)


def test_of(name, command, files):
    def run():
        code, message = ask(command, files)
        if SHOW:
            print(f'    "{name}": ({["OK", "FAULT", "USAGE", "MACHINE"][code]},\n        {message!r}),')
        else:
            assert (code, message) == EXPECTED[name], (code, message, EXPECTED[name])
    return name, run


tap.run([test_of(*case) for case in cases()])
