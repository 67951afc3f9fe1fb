// SPDX-License-Identifier: BSD-3-Clause
// Headers found in hand-made packets, checksums against a byte-by-byte sum, text.

#include "weir_checksum.h"
#include "weir_packet.h"
#include "weir_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum {
	ROOM = 256
};

struct frame {
	_Alignas(64) struct weir_slot slot;
	uint8_t data[ROOM + 16]; // a load of 16 bytes may begin in the last byte
};

// A frame from text such as "45 00 ..": two hexadecimal digits a byte, blanks between.
static void frame_init(struct frame *f, const char *hex)
{
	memset(f, 0xee, sizeof(*f));
	f->slot = (struct weir_slot){.data_off = sizeof(struct weir_slot)};
	for (const char *at = hex; *at != '\0'; at++) {
		unsigned value = 0;

		if (*at == ' ')
			continue;
		for (int i = 0; i < 2; i++, at++) {
			assert_non_null(strchr("0123456789abcdef", *at));
			value = value * 16 + (unsigned)(*at <= '9' ? *at - '0' : *at - 'a' + 10);
		}
		at--;
		f->data[f->slot.len++] = (uint8_t)value;
	}
	f->slot.total_len = f->slot.len;
}

#define MACS           "020000000001 020000000002 "
#define IP4_UDP(total) "4500 " total " 0000 0000 4011 0000 c0000201 c6336401 "
#define UDP8           "3039 0035 0008 0000 "
#define IP6(payload, next)                                                                         \
	"60000000 " payload " " next                                                               \
	" 40 20010db8000000000000000000000001 20010db8000000000000000000000002 "

// clang-format off
static const struct {
	const char *name;
	const char *hex;
	uint32_t rx_flags;
	enum weir_parsed want;
	uint32_t l3, l4, end;
	uint8_t version, protocol;
	bool is_later_fragment;
} cases[] = {
	{"plain", MACS "0800 " IP4_UDP("001c") UDP8, 0, WEIR_IP, 14, 34, 42, 4, 17, false},
	{"plain, padded", MACS "0800 " IP4_UDP("001c") UDP8 "0000", 0, WEIR_IP, 14, 34, 42, 4, 17, false},
	{"IP length 0 is to the end", MACS "0800 " IP4_UDP("0000") UDP8 "00", 0, WEIR_IP, 14, 34, 43, 4, 17, false},
	{"IP length beyond what is shown", MACS "0800 " IP4_UDP("0400") UDP8, 0, WEIR_IP, 14, 34, 42, 4, 17, false},
	{"IP length inside the header", MACS "0800 " IP4_UDP("0013") UDP8, 0, WEIR_CUT, 0, 0, 0, 0, 0, false},
	{"header only", MACS "0800 " IP4_UDP("0014"), 0, WEIR_IP, 14, 34, 34, 4, 17, false},
	{"header cut", MACS "0800 4500 001c 0000 0000 4011 0000 c0000201 c63364", 0, WEIR_CUT, 0, 0, 0, 0, 0, false},
	{"type only", MACS "0800", 0, WEIR_CUT, 0, 0, 0, 0, 0, false},
	{"half a type", MACS "08", 0, WEIR_NOT_IP, 0, 0, 0, 0, 0, false},
	{"empty", "", 0, WEIR_NOT_IP, 0, 0, 0, 0, 0, false},
	{"ARP", MACS "0806 0001", 0, WEIR_NOT_IP, 0, 0, 0, 0, 0, false},
	{"802.3 length", MACS "0026 4242", 0, WEIR_NOT_IP, 0, 0, 0, 0, 0, false},
	{"one tag", MACS "8100 0064 0800 " IP4_UDP("001c") UDP8, 0, WEIR_IP, 18, 38, 46, 4, 17, false},
	{"two tags", MACS "88a8 0064 8100 0065 0800 " IP4_UDP("001c") UDP8, 0, WEIR_IP, 22, 42, 50, 4, 17, false},
	{"old outer tag", MACS "9100 0064 8100 0065 86dd " IP6("0008", "11") UDP8, 0, WEIR_IP, 22, 62, 70, 6, 17, false},
	{"three tags", MACS "8100 0064 8100 0065 8100 0066 0800 " IP4_UDP("001c") UDP8, 0, WEIR_NOT_IP, 0, 0, 0, 0, 0, false},
	{"a stripped tag and two", MACS "8100 0064 8100 0065 0800 " IP4_UDP("001c") UDP8, WEIR_RX_VLAN_STRIPPED, WEIR_NOT_IP, 0, 0, 0, 0, 0, false},
	{"two stripped tags", MACS "0800 " IP4_UDP("001c") UDP8, WEIR_RX_VLAN_STRIPPED | WEIR_RX_QINQ_STRIPPED, WEIR_IP, 14, 34, 42, 4, 17, false},
	{"tag cut", MACS "8100 00", 0, WEIR_NOT_IP, 0, 0, 0, 0, 0, false},
	{"IPv4 type, version 6", MACS "0800 65 00 001c 0000 0000 4011 0000 c0000201 c6336401 " UDP8, 0, WEIR_CUT, 0, 0, 0, 0, 0, false},
	{"IPv6 type, version 4", MACS "86dd 40000000 0008 11 40 20010db8000000000000000000000001 " "20010db8000000000000000000000002 " UDP8, 0, WEIR_CUT, 0, 0, 0, 0, 0, false},
	{"IHL 4", MACS "0800 4400 001c 0000 0000 4011 0000 c0000201 c6336401 " UDP8, 0, WEIR_CUT, 0, 0, 0, 0, 0, false},
	{"options", MACS "0800 4600 0020 0000 0000 4006 0000 c0000201 c6336401 01010101 " UDP8, 0, WEIR_IP, 14, 38, 46, 4, 6, false},
	{"options beyond the IP length", MACS "0800 4f00 001c 0000 0000 4006 0000 c0000201 c6336401 " UDP8, 0, WEIR_CUT, 0, 0, 0, 0, 0, false},
	{"first fragment", MACS "0800 4500 001c 0000 2000 4011 0000 c0000201 c6336401 " UDP8, 0, WEIR_IP, 14, 34, 42, 4, 17, false},
	{"later fragment", MACS "0800 4500 001c 0000 2001 4011 0000 c0000201 c6336401 " UDP8, 0, WEIR_IP, 14, 34, 42, 4, 17, true},
	{"last fragment", MACS "0800 4500 001c 0000 1fff 4011 0000 c0000201 c6336401 " UDP8, 0, WEIR_IP, 14, 34, 42, 4, 17, true},
	{"IPv6", MACS "86dd " IP6("0008", "11") UDP8, 0, WEIR_IP, 14, 54, 62, 6, 17, false},
	{"IPv6 length 0 is to the end", MACS "86dd " IP6("0000", "11") UDP8, 0, WEIR_IP, 14, 54, 62, 6, 17, false},
	{"IPv6 cut", MACS "86dd 60000000 0008 11 40 20010db8", 0, WEIR_CUT, 0, 0, 0, 0, 0, false},
	{"hop by hop, routing, options", MACS "86dd " IP6( "0020", "00") "2b00010400000000 3c00010400000000 1100010400000000 " UDP8, 0, WEIR_IP, 14, 78, 86, 6, 17, false},
	{"mobility, HIP, shim6", MACS "86dd " IP6( "0020", "87") "8b00010400000000 8c00010400000000 0600010400000000 " UDP8, 0, WEIR_IP, 14, 78, 86, 6, 6, false},
	{"authentication", MACS "86dd " IP6("0014", "33") "1101010400000000 00000000 " UDP8, 0, WEIR_IP, 14, 66, 74, 6, 17, false},
	{"extension beyond the IP length", MACS "86dd " IP6("0008", "3c") "1101010400000000 0000000000000000 " UDP8, 0, WEIR_CUT, 0, 0, 0, 0, 0, false},
	{"extension beyond what is shown", MACS "86dd " IP6("0100", "3c") "11ff010400000000", 0, WEIR_CUT, 0, 0, 0, 0, 0, false},
	{"extension of which only four bytes are there", MACS "86dd " IP6("0004", "3c") "11000104", 0, WEIR_CUT, 0, 0, 0, 0, 0, false},
	{"IPv6 first fragment", MACS "86dd " IP6("0010", "2c") "1100000100000000 " UDP8, 0, WEIR_IP, 14, 62, 70, 6, 17, false},
	{"IPv6 later fragment keeps the next header", MACS "86dd " IP6("0010", "2c") "3c00000800000000 " UDP8, 0, WEIR_IP, 14, 62, 70, 6, 60, true},
	{"no next header", MACS "86dd " IP6("0008", "3b") UDP8, 0, WEIR_IP, 14, 54, 62, 6, 59, false},
	{"ESP is not stepped over", MACS "86dd " IP6("0008", "32") UDP8, 0, WEIR_IP, 14, 54, 62, 6, 50, false},
};
// clang-format on

static void parse_finds_headers(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct weir_headers h = {0};
		struct frame f;
		enum weir_parsed got;

		frame_init(&f, cases[i].hex);
		f.slot.rx_flags = cases[i].rx_flags;
		got = weir_parse(&f.slot, &h);
		if (got != cases[i].want)
			fail_msg("%s: %d, expected %d", cases[i].name, got, cases[i].want);
		if (got != WEIR_IP)
			continue;
		if (h.l3 != cases[i].l3 || h.l4 != cases[i].l4 || h.end != cases[i].end ||
			h.version != cases[i].version || h.protocol != cases[i].protocol ||
			h.is_later_fragment != cases[i].is_later_fragment)
			fail_msg("%s: l3 %u l4 %u end %u version %u protocol %u later %d",
				cases[i].name, h.l3, h.l4, h.end, h.version, h.protocol,
				h.is_later_fragment);
	}
}

// Any cut of any case is answered, and never with headers beyond its end.
static void parse_of_a_cut_packet_stays_inside(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct frame f;

		frame_init(&f, cases[i].hex);
		for (uint16_t len = f.slot.len; len > 0; len--) {
			struct weir_headers h;

			f.slot.len = (uint16_t)(len - 1);
			if (weir_parse(&f.slot, &h) != WEIR_IP)
				continue;
			assert_true(h.l3 <= h.l4 && h.l4 <= h.end && h.end <= f.slot.len);
		}
	}
}

// RFC 1071 as it is written, one 16-bit word after the other.
static uint16_t slow_checksum(const uint8_t *data, size_t len)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < len; i += 2) {
		sum += (uint32_t)data[i] << 8;
		if (i + 1 < len)
			sum += data[i + 1];
		sum = (sum & 0xffff) + (sum >> 16);
	}
	sum = ~sum & 0xffff;
	return (uint16_t)(sum >> 8 | sum << 8); // as it lies in the packet
}

static uint32_t next_random(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 8;
}

static void checksum_of_bytes_is_that_of_rfc_1071(void **state)
{
	uint8_t data[200];
	uint32_t seed = 7;

	(void)state;
	for (uint32_t round = 0; round < 2000; round++) {
		const uint32_t len = next_random(&seed) % sizeof(data);

		for (uint32_t i = 0; i < len; i++)
			data[i] = round % 3 == 0 ? 0xff : (uint8_t)next_random(&seed);
		assert_int_equal(weir_checksum(weir_sum(data, len)), slow_checksum(data, len));
	}
}

static void checksum_update_is_the_whole_checksum_again(void **state)
{
	uint8_t data[64], old[64];
	uint32_t seed = 11;

	(void)state;
	for (uint32_t round = 0; round < 5000; round++) {
		const uint32_t at = next_random(&seed) % 12 * 4;
		uint16_t checksum, by16, by32;
		uint16_t old16[2], new16[2];
		uint32_t old32, new32;

		for (uint32_t i = 0; i < sizeof(data); i++)
			data[i] = (uint8_t)next_random(&seed);
		memcpy(old, data, sizeof(old));
		checksum = slow_checksum(data, sizeof(data));
		for (uint32_t i = 0; i < 4; i++) // the edges of RFC 1624: 0 and 0xffff
			data[at + i] = round % 4 == 0   ? 0
				       : round % 4 == 1 ? 0xff
							: (uint8_t)next_random(&seed);
		memcpy(&old32, old + at, 4);
		memcpy(&new32, data + at, 4);
		memcpy(old16, old + at, 4);
		memcpy(new16, data + at, 4);
		by16 = weir_checksum_update16(checksum, old16[0], new16[0]);
		by16 = weir_checksum_update16(by16, old16[1], new16[1]);
		by32 = weir_checksum_update32(checksum, old32, new32);
		assert_int_equal(by16, slow_checksum(data, sizeof(data)));
		assert_int_equal(by32, slow_checksum(data, sizeof(data)));
		assert_int_equal(weir_checksum_update(checksum, old + at, data + at, 16),
			slow_checksum(data, sizeof(data)));
	}
}

static void checksum_of_the_driver_is_not_trusted_after_a_change(void **state)
{
	struct weir_slot slot = {.rx_flags = WEIR_RX_L4_GOOD | WEIR_RX_IP_BAD};

	(void)state;
	assert_int_equal(weir_l4_state(&slot), WEIR_CHECKSUM_GOOD);
	assert_int_equal(weir_ip_state(&slot), WEIR_CHECKSUM_BAD);
	weir_changed(&slot);
	assert_int_equal(weir_l4_state(&slot), WEIR_CHECKSUM_UNKNOWN);
	assert_int_equal(weir_ip_state(&slot), WEIR_CHECKSUM_UNKNOWN);
	slot = (struct weir_slot){.rx_flags = WEIR_RX_L4_GOOD | WEIR_RX_L4_BAD};
	assert_int_equal(weir_l4_state(&slot), WEIR_CHECKSUM_NONE);
	assert_int_equal(weir_ip_state(&slot), WEIR_CHECKSUM_UNKNOWN);
}

static void checksum_of_a_transport_packet_is_made_whole(void **state)
{
	struct weir_headers h;
	struct frame f;
	uint8_t pseudo[64];
	uint32_t len;

	(void)state;
	frame_init(&f, MACS "0800 " IP4_UDP("001f") "3039 0035 000b 1234 616263");
	f.slot.rx_flags = WEIR_RX_L4_GOOD | WEIR_RX_L4_BAD; // only the pseudo header is summed
	assert_int_equal(weir_parse(&f.slot, &h), WEIR_IP);
	assert_true(weir_l4_fill(&f.slot, &h));
	memcpy(pseudo, f.data + 26, 8);
	memcpy(pseudo + 8, "\0\x11\0\x0b", 4);
	memcpy(pseudo + 12, f.data + 34, 11);
	len = 12 + 11;
	assert_int_equal(slow_checksum(pseudo, len), 0); // with its checksum, the sum is right
	assert_int_equal(f.slot.verdict, WEIR_CHANGED);
	assert_true(weir_ip4_fill(&f.slot, &h));
	assert_int_equal(slow_checksum(f.data + 14, 20), 0);
	f.slot.len--; // not all of it is shown
	assert_int_equal(weir_parse(&f.slot, &h), WEIR_IP);
	assert_false(weir_l4_fill(&f.slot, &h));
}

static void checksum_of_ipv6_tcp_and_icmp6_is_made_whole(void **state)
{
	static const struct {
		const char *hex;
		uint8_t protocol;
		uint8_t len;
	} packets[] = {
		{MACS "86dd " IP6("0014", "06") "0001 0002 00000000 00000000 5002 ffff 0000 0000",
			6, 20},
		{MACS "86dd " IP6("0008", "3a") "8000 0000 0001 0001", 58, 8},
	};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct weir_headers h;
		struct frame f;
		uint8_t pseudo[80] = {0};

		frame_init(&f, packets[i].hex);
		assert_int_equal(weir_parse(&f.slot, &h), WEIR_IP);
		assert_true(weir_l4_fill(&f.slot, &h));
		memcpy(pseudo, f.data + 22, 32);
		pseudo[35] = packets[i].len;
		pseudo[39] = packets[i].protocol;
		memcpy(pseudo + 40, f.data + 54, packets[i].len);
		assert_int_equal(slow_checksum(pseudo, 40U + packets[i].len), 0);
	}
}

static void checksum_of_a_fragment_is_refused(void **state)
{
	struct weir_headers h;
	struct frame f;

	(void)state;
	frame_init(&f, MACS "0800 4500 001c 0000 2000 4011 0000 c0000201 c6336401 " UDP8);
	assert_int_equal(weir_parse(&f.slot, &h), WEIR_IP);
	assert_false(weir_l4_fill(&f.slot, &h)); // the first: its checksum is over all of them
}

static void text_is_cut_at_its_end(void **state)
{
	char buf[8];
	struct weir_text text = {buf, sizeof(buf), 0};

	(void)state;
	weir_text_put(&text, (struct weir_str)WEIR_STR("a="));
	weir_text_put_u64(&text, 0);
	weir_text_put_u64(&text, UINT64_MAX);
	assert_int_equal(text.len, 8);
	assert_memory_equal(buf, "a=018446", 8);
	assert_false(weir_str_equal(weir_text_str(&text), (struct weir_str)WEIR_STR("a=018447")));
	assert_true(weir_str_equal(weir_text_str(&text), (struct weir_str)WEIR_STR("a=018446")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parse_finds_headers),
		cmocka_unit_test(parse_of_a_cut_packet_stays_inside),
		cmocka_unit_test(checksum_of_bytes_is_that_of_rfc_1071),
		cmocka_unit_test(checksum_update_is_the_whole_checksum_again),
		cmocka_unit_test(checksum_of_the_driver_is_not_trusted_after_a_change),
		cmocka_unit_test(checksum_of_a_transport_packet_is_made_whole),
		cmocka_unit_test(checksum_of_ipv6_tcp_and_icmp6_is_made_whole),
		cmocka_unit_test(checksum_of_a_fragment_is_refused),
		cmocka_unit_test(text_is_cut_at_its_end),
	};

	return cmocka_run_group_tests_name("guest_packet", tests, NULL, NULL);
}
