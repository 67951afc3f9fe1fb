// SPDX-License-Identifier: BSD-3-Clause
// acl against a slow reader of its own: rules by libc, packets byte by byte, one rule after the other.

#include "classify.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

// ---- memory as the guest has it -----------------------------------------------------------------

enum {
	MEMORY_BYTES = 64 << 20
};

static uint8_t *memory_base;
static size_t memory_used, memory_cap;

static void *memory_alloc(size_t size, size_t align)
{
	const size_t at = (memory_used + align - 1) & ~(align - 1);

	if (at > memory_cap || size > memory_cap - at)
		return NULL;
	memory_used = at + size;
	return memory_base + at;
}

static void memory_trim(void *end)
{
	memory_used = (size_t)((uint8_t *)end - memory_base);
}

static const struct acl_memory memory = {memory_alloc, memory_trim};

static void memory_reset(size_t cap)
{
	memset(memory_base, 0, memory_used);
	memory_used = 0;
	memory_cap = cap;
}

static int memory_setup(void **state)
{
	(void)state;
	memory_base = aligned_alloc(64, MEMORY_BYTES);
	if (memory_base == NULL)
		return -1;
	memset(memory_base, 0, MEMORY_BYTES);
	memory_cap = MEMORY_BYTES;
	return 0;
}

static int memory_teardown(void **state)
{
	(void)state;
	free(memory_base);
	return 0;
}

// Rules and tables from text; fails the test when the text is wrong.
static void acl_init(struct acl *acl, const char *text)
{
	char buf[160];
	struct weir_text error = {buf, sizeof(buf), 0};
	const struct weir_str str = {text, (uint32_t)strlen(text)};

	memory_reset(MEMORY_BYTES);
	*acl = (struct acl){0};
	acl_classes_init(acl);
	acl->rules.rule = memory_alloc(acl_rules_count(str) * sizeof(struct acl_rule), 16);
	if (acl_rules_parse(str, &acl->rules, &error) != 0)
		fail_msg("%.*s", (int)error.len, buf);
	assert_int_equal(acl_table_build(&acl->tables[0], &acl->rules, 4, &memory), 0);
	assert_int_equal(acl_table_build(&acl->tables[1], &acl->rules, 6, &memory), 0);
}

// ---- packets ------------------------------------------------------------------------------------

struct frame {
	_Alignas(64) struct weir_slot slot;
	uint8_t data[256 + 16];
};

static void frame_put(struct frame *f, const void *data, uint16_t len)
{
	memcpy(f->data + f->slot.len, data, len);
	f->slot.len = (uint16_t)(f->slot.len + len);
}

static void frame_put16(struct frame *f, uint32_t value)
{
	const uint8_t bytes[2] = {(uint8_t)(value >> 8), (uint8_t)value};

	frame_put(f, bytes, 2);
}

static void frame_init(struct frame *f)
{
	memset(f, 0xee, sizeof(*f));
	f->slot = (struct weir_slot){.data_off = sizeof(struct weir_slot)};
	frame_put(f, "\2\0\0\0\0\1\2\0\0\0\0\2", 12);
}

// IPv4 or IPv6, by the text of the addresses, with 8 bytes behind the header that begin with the ports.
static void frame_ip(struct frame *f, const char *from, const char *to, uint8_t protocol,
	uint16_t from_port, uint16_t to_port)
{
	uint8_t addr[16];

	frame_init(f);
	if (inet_pton(AF_INET, from, addr) == 1) {
		frame_put(f, "\x08\0\x45\0\0\x1c\0\0\0\0\x40", 11);
		frame_put(f, &protocol, 1);
		frame_put(f, "\0\0", 2);
		frame_put(f, addr, 4);
		assert_int_equal(inet_pton(AF_INET, to, addr), 1);
		frame_put(f, addr, 4);
	} else {
		assert_int_equal(inet_pton(AF_INET6, from, addr), 1);
		frame_put(f, "\x86\xdd\x60\0\0\0\0\x08", 8);
		frame_put(f, &protocol, 1);
		frame_put(f, "\x40", 1);
		frame_put(f, addr, 16);
		assert_int_equal(inet_pton(AF_INET6, to, addr), 1);
		frame_put(f, addr, 16);
	}
	frame_put16(f, from_port);
	frame_put16(f, to_port);
	frame_put(f, "\0\x08\0\0", 4);
}

// ---- the slow reader ----------------------------------------------------------------------------

struct slow_packet {
	int version; // 0: no IP that is whole
	int protocol;
	int has_ports; // TCP or UDP, not a later fragment
	uint8_t from[16], to[16];
	unsigned from_port, to_port;
};

static unsigned byte_at(const struct frame *f, unsigned at)
{
	return f->data[at];
}

static struct slow_packet slow_read(const struct frame *f)
{
	struct slow_packet p = {0};
	unsigned len = f->slot.len, at = 12, tags = 0, l3, l4, end, type, later = 0;

	for (;;) {
		if (at + 2 > len)
			return p;
		type = byte_at(f, at) * 256 + byte_at(f, at + 1);
		at += 2;
		if (type != 0x8100 && type != 0x88a8 && type != 0x9100)
			break;
		if (++tags > 2)
			return p;
		at += 2;
	}
	l3 = at;
	if (type == 0x0800) {
		unsigned ihl, total;

		if (l3 + 20 > len || byte_at(f, l3) / 16 != 4)
			return p;
		ihl = byte_at(f, l3) % 16 * 4;
		total = byte_at(f, l3 + 2) * 256 + byte_at(f, l3 + 3);
		end = total != 0 && l3 + total < len ? l3 + total : len;
		if (ihl < 20 || l3 + ihl > end)
			return p;
		later = ((byte_at(f, l3 + 6) * 256 + byte_at(f, l3 + 7)) & 0x1fff) != 0;
		p.protocol = (int)byte_at(f, l3 + 9);
		memcpy(p.from, f->data + l3 + 12, 4);
		memcpy(p.to, f->data + l3 + 16, 4);
		l4 = l3 + ihl;
		p.version = 4;
	} else if (type == 0x86dd) {
		unsigned payload, next;

		if (l3 + 40 > len || byte_at(f, l3) / 16 != 6)
			return p;
		payload = byte_at(f, l3 + 4) * 256 + byte_at(f, l3 + 5);
		end = payload != 0 && l3 + 40 + payload < len ? l3 + 40 + payload : len;
		next = byte_at(f, l3 + 6);
		memcpy(p.from, f->data + l3 + 8, 16);
		memcpy(p.to, f->data + l3 + 24, 16);
		l4 = l3 + 40;
		while (!later && (next == 0 || next == 43 || next == 44 || next == 51 ||
					 next == 60 || next == 135 || next == 139 || next == 140)) {
			unsigned size;

			if (l4 + 8 > end)
				return p;
			size = next == 44   ? 8
			       : next == 51 ? (byte_at(f, l4 + 1) + 2) * 4
					    : (byte_at(f, l4 + 1) + 1) * 8;
			if (l4 + size > end)
				return p;
			if (next == 44)
				later = ((byte_at(f, l4 + 2) * 256 + byte_at(f, l4 + 3)) &
						0xfff8) != 0;
			next = byte_at(f, l4);
			l4 += size;
		}
		p.protocol = (int)next;
		p.version = 6;
	} else {
		return p;
	}
	if ((p.protocol == 6 || p.protocol == 17) && !later) {
		if (l4 + 4 > end) {
			p.version = 0;
			return p;
		}
		p.has_ports = 1;
		p.from_port = byte_at(f, l4) * 256 + byte_at(f, l4 + 1);
		p.to_port = byte_at(f, l4 + 2) * 256 + byte_at(f, l4 + 3);
	}
	return p;
}

static int slow_net_fits(const char *net, const uint8_t *addr, int version)
{
	char text[64];
	uint8_t want[16];
	char *slash;
	int bits;

	if (strcmp(net, "any") == 0)
		return 1;
	snprintf(text, sizeof(text), "%s", net);
	slash = strchr(text, '/');
	if (slash != NULL)
		*slash = '\0';
	if (inet_pton(version == 4 ? AF_INET : AF_INET6, text, want) != 1)
		return 0;
	bits = slash != NULL ? atoi(slash + 1) : version == 4 ? 32 : 128;
	for (int i = 0; i < bits; i++)
		if (((want[i / 8] ^ addr[i / 8]) >> (7 - i % 8) & 1) != 0)
			return 0;
	return 1;
}

static int slow_port_fits(const char *range, unsigned port)
{
	const char *dash = strchr(range, '-');
	const unsigned first = (unsigned)atoi(range);

	return port >= first && port <= (dash != NULL ? (unsigned)atoi(dash + 1) : first);
}

static int slow_line_fits(char *line, const struct slow_packet *p)
{
	char *word = strtok(NULL, " ");

	(void)line;
	if (strcmp(word, "from") != 0) {
		if ((strcmp(word, "tcp") == 0 && p->protocol != 6) ||
			(strcmp(word, "udp") == 0 && p->protocol != 17) ||
			(strcmp(word, "icmp") == 0 && !(p->version == 4 && p->protocol == 1)) ||
			(strcmp(word, "icmp6") == 0 && !(p->version == 6 && p->protocol == 58)) ||
			(strcmp(word, "ip") == 0 && p->version != 4) ||
			(strcmp(word, "ip6") == 0 && p->version != 6))
			return 0;
		word = strtok(NULL, " ");
	}
	for (int side = 0; side < 2; side++) {
		if (!slow_net_fits(strtok(NULL, " "), side == 0 ? p->from : p->to, p->version))
			return 0;
		word = strtok(NULL, " ");
		if (word != NULL && strcmp(word, "port") == 0) {
			if (!p->has_ports || !slow_port_fits(strtok(NULL, " "),
						     side == 0 ? p->from_port : p->to_port))
				return 0;
			word = strtok(NULL, " ");
		}
	}
	return 1;
}

static enum acl_answer slow_answer(const char *rules, const struct frame *f)
{
	const struct slow_packet p = slow_read(f);
	char line[128];

	for (const char *at = rules; *at != '\0';) {
		const char *end = strchr(at, '\n');
		const size_t len = end != NULL ? (size_t)(end - at) : strlen(at);
		const char *action;

		snprintf(line, sizeof(line), "%.*s", (int)len, at);
		at += len + (end != NULL);
		action = strtok(line, " ");
		if (strcmp(action, "default") == 0)
			return strcmp(strtok(NULL, " "), "allow") == 0 ? ACL_ALLOW
								       : ACL_DENY_DEFAULT;
		if (p.version != 0 && slow_line_fits(line, &p))
			return strcmp(action, "allow") == 0 ? ACL_ALLOW : ACL_DENY_RULE;
	}
	fail_msg("no default");
	return ACL_ALLOW;
}

// ---- rules --------------------------------------------------------------------------------------

static void rules_say_what_is_wrong_and_where(void **state)
{
	static const struct {
		const char *text;
		const char *want; // NULL: nothing is wrong
	} cases[] = {
		{"default allow", NULL},
		{"# only\n\n \t\ndefault deny # at last\n\n", NULL},
		{"allow from any to any\r\ndefault deny\r\n", NULL},
		{"deny tcp from 10.0.0.0/8 port 1-2 to ::/0 port 65535\ndefault deny", NULL},
		{"deny from ::ffff:1.2.3.4/128 to 1::\ndefault deny", NULL},
		{"deny icmp from any port 3 to any\ndefault deny", NULL},
		{"", "line 1: the line ends, expected a last line"},
		{"allow from any to any\n", "line 1: the line ends, expected a last line"},
		{"default", "line 1: the line ends, expected \"allow\" or \"deny\""},
		{"default maybe", "line 1: found \"maybe\", expected \"allow\" or \"deny\""},
		{"default allow it", "line 1: found \"it\", expected the end of the line"},
		{"\ndefault allow\ndefault deny",
			"line 3: found \"default\", expected one \"default\" only"},
		{"default allow\nallow from any to any",
			"line 2: found \"allow\", expected nothing behind"},
		{"pass from any to any",
			"line 1: found \"pass\", expected \"allow\", \"deny\" or \"default\""},
		{"allow sctp from any to any", "line 1: found \"sctp\", expected tcp, udp"},
		{"allow", "line 1: the line ends, expected tcp, udp"},
		{"allow tcp to any", "line 1: found \"to\", expected tcp, udp"},
		{"allow from", "line 1: the line ends, expected an address"},
		{"allow from any", "line 1: the line ends, expected \"port\" or \"to\""},
		{"allow from any port 1 from", "line 1: found \"from\", expected \"to\""},
		{"allow from any port", "line 1: the line ends, expected a port"},
		{"allow from any port 65536 to any", "line 1: found \"65536\", expected a port"},
		{"allow from any port 5-4 to any",
			"line 1: found \"5-4\", expected P-Q with P not above Q"},
		{"allow from any port 5- to any", "line 1: found \"5-\", expected a port"},
		{"allow from any port 5-6-7 to any", "line 1: found \"5-6-7\", expected a port"},
		{"allow from any port http to any", "line 1: found \"http\", expected a port"},
		{"allow from any port 000080 to any", "line 1: found \"000080\", expected a port"},
		{"allow from any to any port 1 2",
			"line 1: found \"2\", expected the end of the line"},
		{"allow from any to any 2",
			"line 1: found \"2\", expected \"port\" or the end of the line"},
		{"allow from 10.0.0.0/33 to any",
			"line 1: found \"10.0.0.0/33\", expected an address"},
		{"allow from 10.0.0/8 to any", "line 1: found \"10.0.0/8\", expected an address"},
		{"allow from 10.0.0.256 to any",
			"line 1: found \"10.0.0.256\", expected an address"},
		{"allow from 10.0.0.01 to any", "line 1: found \"10.0.0.01\", expected an address"},
		{"allow from 10.0.0.1/ to any", "line 1: found \"10.0.0.1/\", expected an address"},
		{"allow from 10.0.0.1/8x to any",
			"line 1: found \"10.0.0.1/8x\", expected an address"},
		{"allow from ::/129 to any", "line 1: found \"::/129\", expected an address"},
		{"allow from 1::2::3 to any", "line 1: found \"1::2::3\", expected an address"},
		{"allow from ALL to any", "line 1: found \"ALL\", expected an address"},
		{"Allow from any to any", "line 1: found \"Allow\", expected"},
		{"allow from any to any\n\nallow x\xc3\x28\n", "line 3: found \"x?(\", expected"},
		{"01234567890123456789012345678901234567890123456789",
			"line 1: found \"0123456789012345678901234567890123456789...\", expected"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct acl_rule room[8];
		struct acl_rules rules = {.rule = room};
		char buf[160];
		struct weir_text error = {buf, sizeof(buf), 0};
		const struct weir_str text = {cases[i].text, (uint32_t)strlen(cases[i].text)};
		const int rc = acl_rules_parse(text, &rules, &error);

		if (rc != (cases[i].want != NULL ? -1 : 0) ||
			(rc != 0 && strncmp(buf, cases[i].want, strlen(cases[i].want)) != 0))
			fail_msg("%s: %d %.*s", cases[i].text, rc, (int)error.len, buf);
	}
}

static void rules_addresses_are_read_as_libc_reads_them(void **state)
{
	static const char *const texts[] = {"::", "::1", "1::", "1:2:3:4:5:6:7:8",
		"1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1::8",
		"1:::8", ":1::8", "1::8:", ":", ":::", "fe80::1%eth0", "12345::", "::ffff:10.1.2.3",
		"::10.1.2.3", "1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:7:1.2.3.4", "::1.2.3",
		"::1.2.3.4.5", "::1.2.3.4:5", "1.2.3.4", "0.0.0.0", "255.255.255.255", "1.2.3",
		"1.2.3.4.5", "1..2.3", ".1.2.3.4", "00.1.2.3", "0.1.2.3", "1.2.3.4.",
		"aBcD:EF01::", "g::", "1:2:3:4:5:6:7:8::", "::1:2:3:4:5:6:7", "1:2:3::4:5:6:7",
		"1::2:3:4:5:6:7:8"};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct acl_rule room[2];
		struct acl_rules rules = {.rule = room};
		char text[128], buf[160];
		struct weir_text error = {buf, sizeof(buf), 0};
		uint8_t want[16] = {0};
		int version = 0;

		if (inet_pton(AF_INET, texts[i], want) == 1)
			version = 4;
		else if (inet_pton(AF_INET6, texts[i], want) == 1)
			version = 6;
		snprintf(text, sizeof(text), "allow from %s to any\ndefault deny", texts[i]);
		if (acl_rules_parse(
			    (struct weir_str){text, (uint32_t)strlen(text)}, &rules, &error) != 0) {
			if (version != 0)
				fail_msg("%s: %.*s", texts[i], (int)error.len, buf);
			continue;
		}
		if (room[0].from.version != version || memcmp(room[0].from.addr, want, 16) != 0)
			fail_msg("%s: read as version %d", texts[i], room[0].from.version);
	}
}

static uint32_t seed;

static uint32_t random_below(uint32_t n)
{
	seed = seed * 1664525 + 1013904223;
	return (uint32_t)(((uint64_t)seed * n) >> 32);
}

// Words of the language and noise in any order: read or refused with a line, never beyond the text or the room.
static void rules_of_any_text_are_answered(void **state)
{
	static const char *const words[] = {"allow", "deny", "default", "tcp", "udp", "icmp6",
		"any", "from", "to", "port", "1-2", "65536", "10.0.0.0/8", "::/0", "fe80::1",
		"1:2:3:4:5:6:7:8", ":", "/", "#", "\n", "\n", "\r", "\t", "\xff", "-", "0"};
	enum {
		WORDS = 24
	};

	(void)state;
	seed = 3;
	for (uint32_t round = 0; round < 20000; round++) {
		char text[WORDS * 20], buf[160];
		struct acl_rule room[WORDS + 1];
		struct acl_rules rules = {.rule = room};
		struct weir_text error = {buf, sizeof(buf), 0};
		uint32_t len = 0;
		char *exact;

		for (uint32_t i = random_below(WORDS); i > 0; i--)
			len += (uint32_t)snprintf(text + len, sizeof(text) - len, "%s%s",
				words[random_below(sizeof(words) / sizeof(words[0]))],
				random_below(8) == 0 ? "" : " ");
		exact = malloc(len > 0 ? len : 1); // so that a sanitizer sees a read beyond it
		assert_non_null(exact);
		memcpy(exact, text, len);
		if (acl_rules_parse((struct weir_str){exact, len}, &rules, &error) != 0)
			assert_memory_equal(buf, "line ", 5);
		assert_true(rules.n <= acl_rules_count((struct weir_str){exact, len}));
		free(exact);
	}
}

// ---- answers ------------------------------------------------------------------------------------

static void first_matching_rule_wins(void **state)
{
	static const char rules[] = "allow tcp from 10.0.0.0/8 to any port 80\n"
				    "deny ip from 10.1.0.0/16 to any\n"
				    "allow udp from 2001:db8::/32 port 1000-2000 to any\n"
				    "deny ip6 from any to 2001:db8::1\n"
				    "allow icmp from any to any\n"
				    "deny icmp6 from any to any\n"
				    "allow tcp from any to any\n"
				    "default deny";
	static const struct {
		const char *from, *to;
		uint8_t protocol;
		uint16_t from_port, to_port;
		enum acl_answer want;
	} cases[] = {
		{"10.1.2.3", "1.1.1.1", 6, 1, 80, ACL_ALLOW},
		{"10.1.2.3", "1.1.1.1", 6, 80, 81, ACL_DENY_RULE},
		{"10.1.2.3", "1.1.1.1", 17, 1, 80, ACL_DENY_RULE},
		{"10.2.2.3", "1.1.1.1", 17, 1, 80, ACL_DENY_DEFAULT},
		{"10.2.2.3", "1.1.1.1", 1, 0, 0, ACL_ALLOW},
		{"10.2.2.3", "1.1.1.1", 58, 0, 0, ACL_DENY_DEFAULT},
		{"2001:db8::5", "2001:db8::1", 17, 1000, 1, ACL_ALLOW},
		{"2001:db8::5", "2001:db8::1", 17, 999, 1, ACL_DENY_RULE},
		{"2001:db8::5", "2001:db8::1", 17, 2000, 1, ACL_ALLOW},
		{"2001:db8::5", "2001:db8::2", 17, 2001, 1, ACL_DENY_DEFAULT},
		{"2001:db9::5", "2001:db8::2", 58, 0, 0, ACL_DENY_RULE},
		{"2001:db9::5", "2001:db8::2", 1, 0, 0, ACL_DENY_DEFAULT},
		{"2001:db9::5", "2001:db8::2", 6, 5, 5, ACL_ALLOW},
	};
	struct acl acl;

	(void)state;
	acl_init(&acl, rules);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct frame f;

		frame_ip(&f, cases[i].from, cases[i].to, cases[i].protocol, cases[i].from_port,
			cases[i].to_port);
		assert_int_equal(acl_classify(&acl, &f.slot), cases[i].want);
		assert_int_equal(slow_answer(rules, &f), cases[i].want);
	}
}

static void what_is_not_whole_ip_takes_the_default(void **state)
{
	struct acl allow, deny;
	struct frame f;

	(void)state;
	acl_init(&allow, "deny from any to any\ndefault allow");
	frame_init(&f);
	frame_put(&f, "\x08\x06\0\1", 4); // ARP
	assert_int_equal(acl_classify(&allow, &f.slot), ACL_ALLOW);
	frame_ip(&f, "1.2.3.4", "5.6.7.8", 6, 1, 2);
	assert_int_equal(acl_classify(&allow, &f.slot), ACL_DENY_RULE);
	f.slot.len = 14 + 20 + 3; // ports cut short
	assert_int_equal(acl_classify(&allow, &f.slot), ACL_ALLOW);
	f.slot.len = 14 + 20 + 4;
	assert_int_equal(acl_classify(&allow, &f.slot), ACL_DENY_RULE);
	f.data[14 + 3] = 23; // by the IP length
	assert_int_equal(acl_classify(&allow, &f.slot), ACL_ALLOW);
	f.data[14 + 9] = 1; // ICMP has no ports
	assert_int_equal(acl_classify(&allow, &f.slot), ACL_DENY_RULE);
	acl_init(&deny, "allow from any to any\ndefault deny");
	f.data[14] = 0x44;
	assert_int_equal(acl_classify(&deny, &f.slot), ACL_DENY_DEFAULT);
}

static void later_fragments_match_rules_without_ports_only(void **state)
{
	struct acl acl;
	struct frame f;

	(void)state;
	acl_init(&acl, "deny tcp from any port 0-65535 to any\n"
		       "deny tcp from any to any port 0-65535\n"
		       "allow udp from any to any\n"
		       "allow tcp from 1.2.3.4 to any\n"
		       "default deny");
	frame_ip(&f, "1.2.3.4", "5.6.7.8", 6, 1, 2);
	assert_int_equal(acl_classify(&acl, &f.slot), ACL_DENY_RULE);
	f.data[14 + 6] = 0x20; // the first fragment has ports
	assert_int_equal(acl_classify(&acl, &f.slot), ACL_DENY_RULE);
	f.data[14 + 7] = 1;
	assert_int_equal(acl_classify(&acl, &f.slot), ACL_ALLOW);
	f.slot.len = 14 + 20; // and needs no transport bytes
	assert_int_equal(acl_classify(&acl, &f.slot), ACL_ALLOW);
}

// ---- random rules, random packets ---------------------------------------------------------------

// Few bits differ, so that rules and packets meet.
static void random_address(char *text, size_t cap, int version)
{
	uint8_t addr[16] = {10, 1, 128, 3, [8] = 7, [15] = 1};

	if (version == 6)
		addr[0] = 0x20;
	for (uint32_t i = random_below(3); i > 0; i--)
		addr[random_below(version == 4 ? 4 : 16)] ^= (uint8_t)(1U << random_below(8));
	inet_ntop(version == 4 ? AF_INET : AF_INET6, addr, text, (socklen_t)cap);
}

static uint32_t random_port(void)
{
	static const uint16_t ports[] = {0, 1, 53, 80, 443, 1024, 32768, 65534, 65535};

	return random_below(4) == 0 ? random_below(65536)
				    : ports[random_below(sizeof(ports) / sizeof(ports[0]))];
}

static int random_end(char *text, size_t cap, int version, int may_have_ports)
{
	char addr[INET6_ADDRSTRLEN];
	int len;

	random_address(addr, sizeof(addr), version);
	if (random_below(3) == 0)
		len = snprintf(text, cap, " any");
	else if (random_below(2) == 0)
		len = snprintf(text, cap, " %s", addr);
	else
		len = snprintf(text, cap, " %s/%u", addr, random_below(version == 4 ? 33 : 129));
	if (may_have_ports && random_below(3) == 0) {
		const uint32_t a = random_port(), b = random_port();

		if (random_below(2) == 0)
			len += snprintf(text + len, cap - (size_t)len, " port %u", a);
		else
			len += snprintf(text + len, cap - (size_t)len, " port %u-%u", a < b ? a : b,
				a < b ? b : a);
	}
	return len;
}

static void random_rules(char *text, size_t cap, uint32_t n)
{
	static const char *const protocols[] = {
		"", "", " tcp", " udp", " icmp", " icmp6", " ip", " ip6", " any"};
	size_t len = 0;

	for (uint32_t i = 0; i < n; i++) {
		const int from = random_below(3) == 0 ? 6 : 4;
		const int to = random_below(20) == 0 ? 10 - from : from;

		len += (size_t)snprintf(text + len, cap - len, "%s%s from",
			random_below(2) == 0 ? "allow" : "deny",
			protocols[random_below(sizeof(protocols) / sizeof(protocols[0]))]);
		len += (size_t)random_end(text + len, cap - len, from, 1);
		len += (size_t)snprintf(text + len, cap - len, " to");
		len += (size_t)random_end(text + len, cap - len, to, 1);
		len += (size_t)snprintf(text + len, cap - len, "\n");
	}
	snprintf(text + len, cap - len, "default %s", random_below(2) == 0 ? "allow" : "deny");
}

static void random_frame(struct frame *f)
{
	static const uint8_t protocols[] = {6, 6, 17, 17, 1, 58, 47, 0, 44, 51};
	const int version = random_below(3) == 0 ? 6 : 4;
	char from[INET6_ADDRSTRLEN], to[INET6_ADDRSTRLEN];

	random_address(from, sizeof(from), version);
	random_address(to, sizeof(to), version);
	frame_ip(f, from, to, protocols[random_below(sizeof(protocols))], (uint16_t)random_port(),
		(uint16_t)random_port());
	if (random_below(4) == 0) { // a tag
		memmove(f->data + 16, f->data + 12, f->slot.len - 12U);
		memcpy(f->data + 12, "\x81\0\0\5", 4);
		f->slot.len += 4;
	}
	if (random_below(8) == 0)
		f->data[14 + random_below(10)] = (uint8_t)random_below(256);
	if (random_below(8) == 0)
		f->slot.len = (uint16_t)random_below(f->slot.len + 1U);
}

static void compare(uint32_t n_rules, uint32_t n_frames)
{
	const size_t cap = (n_rules + 1) * 128;
	char *text = malloc(cap);
	struct acl acl;

	assert_non_null(text);
	random_rules(text, cap, n_rules);
	acl_init(&acl, text);
	for (uint32_t i = 0; i < n_frames; i++) {
		struct frame f;
		enum acl_answer want, got;

		random_frame(&f);
		want = slow_answer(text, &f);
		got = acl_classify(&acl, &f.slot);
		if (got != want)
			fail_msg("%u rules, frame %u: %d, expected %d", n_rules, i, got, want);
	}
	free(text);
}

static void answers_are_those_of_the_slow_reader(void **state)
{
	(void)state;
	seed = 1;
	for (uint32_t round = 0; round < 60; round++)
		compare(random_below(20), 500);
	for (uint32_t n = 126; n <= 130; n++) // one vector of rules, and the next
		compare(n, 500);
	compare(1000, 300);
	compare(4096, 100);
}

static void last_of_many_rules_is_found(void **state)
{
	const uint32_t n = 4096;
	char *text = malloc(n * 64);
	size_t len = 0;
	struct acl acl;
	struct frame f;

	(void)state;
	assert_non_null(text);
	for (uint32_t i = 0; i < n; i++)
		len += (size_t)sprintf(text + len, "%s from 10.%u.%u.0/24 to any\n",
			i == n - 1 ? "deny" : "allow", i / 256, i % 256);
	sprintf(text + len, "default allow");
	acl_init(&acl, text);
	frame_ip(&f, "10.15.255.9", "1.1.1.1", 17, 1, 2);
	assert_int_equal(acl_classify(&acl, &f.slot), ACL_DENY_RULE);
	frame_ip(&f, "10.15.254.9", "1.1.1.1", 17, 1, 2);
	assert_int_equal(acl_classify(&acl, &f.slot), ACL_ALLOW);
	free(text);
}

static void tables_without_memory_are_refused(void **state)
{
	static const char text[] = "allow tcp from 10.0.0.0/8 to any port 80\n"
				   "deny from 2001:db8::/40 port 5 to any\ndefault deny";
	char buf[160];
	struct acl_rule room[4];
	struct acl_rules rules = {.rule = room};
	struct weir_text error = {buf, sizeof(buf), 0};
	struct acl_table table;
	size_t cap = 0;
	int rc = -1;

	(void)state;
	assert_int_equal(
		acl_rules_parse((struct weir_str){text, sizeof(text) - 1}, &rules, &error), 0);
	for (; rc != 0; cap += 4096) {
		memory_reset(cap);
		rc = acl_table_build(&table, &rules, 6, &memory);
		assert_true(cap < MEMORY_BYTES);
	}
	assert_true(cap > 4 * 131072); // a table for each field that a rule looks at
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules_say_what_is_wrong_and_where),
		cmocka_unit_test(rules_addresses_are_read_as_libc_reads_them),
		cmocka_unit_test(rules_of_any_text_are_answered),
		cmocka_unit_test(first_matching_rule_wins),
		cmocka_unit_test(what_is_not_whole_ip_takes_the_default),
		cmocka_unit_test(later_fragments_match_rules_without_ports_only),
		cmocka_unit_test(answers_are_those_of_the_slow_reader),
		cmocka_unit_test(last_of_many_rules_is_found),
		cmocka_unit_test(tables_without_memory_are_refused),
	};

	return cmocka_run_group_tests_name("acl", tests, memory_setup, memory_teardown);
}
