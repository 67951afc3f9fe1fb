// SPDX-License-Identifier: BSD-3-Clause
// Kernel: a JSON reader by recursive descent over an embedded document: numbers become doubles, strings lose their
// escapes, every value goes into a checksum.
//
// Spec: RFC 8259.
#include "kernel.h"

#include <stdbool.h>

enum {
	DEPTH_MAX = 32,
	TEXT_MAX = 256, // bytes of a string
};

static const char document[] =
	"{\n"
	"  \"version\": 3,\n"
	"  \"name\": \"edge router \\u2014 Z\\u00fcrich\",\n"
	"  \"generated\": \"2026-03-01T12:00:00Z\",\n"
	"  \"enabled\": true, \"draining\": false, \"parent\": null,\n"
	"  \"ports\": [\n"
	"    {\"id\": 0, \"device\": \"0000:03:00.0\", \"mtu\": 1500, \"queues\": [0, 1, 2, 3],\n"
	"     \"rate\": 9.953280e9, \"loss\": 1.25e-7, \"tags\": [\"uplink\", \"transit\"]},\n"
	"    {\"id\": 1, \"device\": \"0000:03:00.1\", \"mtu\": 9000, \"queues\": [4, 5],\n"
	"     \"rate\": 2.488320e10, \"loss\": 0.0, \"tags\": []},\n"
	"    {\"id\": 2, \"device\": \"net_memif0,role=server,socket=\\\"/run/memif.sock\\\"\",\n"
	"     \"mtu\": 2048, \"queues\": [6], \"rate\": -1, \"loss\": 3.5E-2, \"tags\": "
	"[\"local\"]}\n"
	"  ],\n"
	"  \"routes\": [\n"
	"    {\"prefix\": \"192.0.2.0/24\", \"via\": \"198.51.100.1\", \"port\": 0, \"metric\": "
	"10},\n"
	"    {\"prefix\": \"198.51.100.0/25\", \"via\": \"198.51.100.126\", \"port\": 1, "
	"\"metric\": 20},\n"
	"    {\"prefix\": \"203.0.113.64/26\", \"via\": \"192.0.2.254\", \"port\": 0, \"metric\": "
	"100},\n"
	"    {\"prefix\": \"2001:db8::/32\", \"via\": \"fe80::1\", \"port\": 1, \"metric\": 5},\n"
	"    {\"prefix\": \"2001:db8:ffff::/48\", \"via\": \"fe80::2\", \"port\": 2, \"metric\": "
	"65535}\n"
	"  ],\n"
	"  \"counters\": {\"rx\": 18446744073709, \"tx\": 18446744000000, \"drop\": {\"short\": "
	"12,\n"
	"    \"checksum\": 407, \"acl\": 99120, \"no route\": 3}, \"cpu\": [0.125, 0.5, 0.9375, "
	"1e0]},\n"
	"  \"note\": \"line one\\nline two\\ttabbed\\\\ and a \\ud83d\\udce6 of bytes \\/ "
	"words\",\n"
	"  \"matrix\": [[1, 0, 0.5], [-0.25, 2, 1e3], [[], {}, [[\"deep\"]]]]\n"
	"}\n";

struct parser {
	const char *at;
	const char *end;
	uint32_t depth;
	uint64_t sum; // of all that was read
	char text[TEXT_MAX];
	uint32_t text_len;
};

static void count(struct parser *p, uint64_t value)
{
	p->sum = (p->sum ^ value) * UINT64_C(0x100000001b3);
}

static void skip_space(struct parser *p)
{
	while (p->at < p->end &&
		(*p->at == ' ' || *p->at == '\n' || *p->at == '\t' || *p->at == '\r'))
		p->at++;
}

static bool take(struct parser *p, char expected)
{
	if (p->at == p->end || *p->at != expected)
		return false;
	p->at++;
	return true;
}

static bool take_word(struct parser *p, const char *word)
{
	for (; *word != '\0'; word++)
		if (!take(p, *word))
			return false;
	return true;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool take_digits(struct parser *p, double *value, int32_t *n)
{
	const char *begin = p->at;

	for (; p->at < p->end && is_digit(*p->at); p->at++) {
		*value = *value * 10 + (*p->at - '0');
		(*n)++;
	}
	return p->at > begin;
}

static bool parse_number(struct parser *p)
{
	const bool is_negative = take(p, '-');
	double value = 0;
	int32_t n_whole = 0;
	int32_t n_fraction = 0;
	int32_t exponent = 0;
	uint64_t bits;

	if (take(p, '0')) {
		if (p->at < p->end && is_digit(*p->at))
			return false;
	} else if (!take_digits(p, &value, &n_whole)) {
		return false;
	}
	if (take(p, '.') && !take_digits(p, &value, &n_fraction))
		return false;
	if (p->at < p->end && (*p->at == 'e' || *p->at == 'E')) {
		double power = 0;
		int32_t n_power = 0;
		bool is_small;

		p->at++;
		is_small = take(p, '-');
		if (!is_small)
			take(p, '+');
		if (!take_digits(p, &power, &n_power) || n_power > 3)
			return false;
		exponent = is_small ? -(int32_t)power : (int32_t)power;
	}
	for (exponent -= n_fraction; exponent > 0; exponent--)
		value *= 10;
	for (; exponent < 0; exponent++)
		value /= 10;
	if (is_negative)
		value = -value;
	__builtin_memcpy(&bits, &value, sizeof(bits));
	count(p, bits);
	return true;
}

static bool parse_hex4(struct parser *p, uint32_t *ret)
{
	uint32_t value = 0;

	for (int i = 0; i < 4; i++) {
		char c;

		if (p->at == p->end)
			return false;
		c = *p->at++;
		if (is_digit(c))
			value = value << 4 | (uint32_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			value = value << 4 | (uint32_t)(c - 'a' + 10);
		else if (c >= 'A' && c <= 'F')
			value = value << 4 | (uint32_t)(c - 'A' + 10);
		else
			return false;
	}
	*ret = value;
	return true;
}

static bool put(struct parser *p, uint32_t byte)
{
	if (p->text_len == TEXT_MAX)
		return false;
	p->text[p->text_len++] = (char)byte;
	return true;
}

static bool put_utf8(struct parser *p, uint32_t code)
{
	if (code < 0x80)
		return put(p, code);
	if (code < 0x800)
		return put(p, 0xc0 | code >> 6) && put(p, 0x80 | (code & 63));
	if (code < 0x10000)
		return put(p, 0xe0 | code >> 12) && put(p, 0x80 | (code >> 6 & 63)) &&
		       put(p, 0x80 | (code & 63));
	return put(p, 0xf0 | code >> 18) && put(p, 0x80 | (code >> 12 & 63)) &&
	       put(p, 0x80 | (code >> 6 & 63)) && put(p, 0x80 | (code & 63));
}

static bool parse_unicode(struct parser *p)
{
	uint32_t code, low;

	if (!parse_hex4(p, &code))
		return false;
	if (code >= 0xdc00 && code < 0xe000)
		return false;
	if (code >= 0xd800 && code < 0xdc00) {
		if (!take_word(p, "\\u") || !parse_hex4(p, &low))
			return false;
		if (low < 0xdc00 || low >= 0xe000)
			return false;
		code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
	}
	return put_utf8(p, code);
}

static bool parse_escape(struct parser *p)
{
	if (p->at == p->end)
		return false;
	switch (*p->at++) {
	case '"':
		return put(p, '"');
	case '\\':
		return put(p, '\\');
	case '/':
		return put(p, '/');
	case 'b':
		return put(p, '\b');
	case 'f':
		return put(p, '\f');
	case 'n':
		return put(p, '\n');
	case 'r':
		return put(p, '\r');
	case 't':
		return put(p, '\t');
	case 'u':
		return parse_unicode(p);
	default:
		return false;
	}
}

static bool parse_string(struct parser *p)
{
	p->text_len = 0;
	if (!take(p, '"'))
		return false;
	while (p->at < p->end && *p->at != '"') {
		const char c = *p->at++;

		if ((unsigned char)c < 0x20)
			return false;
		if (!(c == '\\' ? parse_escape(p) : put(p, (unsigned char)c)))
			return false;
	}
	for (uint32_t i = 0; i < p->text_len; i++)
		count(p, (unsigned char)p->text[i]);
	return take(p, '"');
}

static bool parse_value(struct parser *p);

static bool parse_array(struct parser *p)
{
	uint32_t n = 0;

	p->at++;
	skip_space(p);
	if (!take(p, ']')) {
		do {
			if (!parse_value(p))
				return false;
			n++;
		} while (take(p, ','));
		if (!take(p, ']'))
			return false;
	}
	count(p, n);
	return true;
}

static bool parse_object(struct parser *p)
{
	uint32_t n = 0;

	p->at++;
	skip_space(p);
	if (!take(p, '}')) {
		do {
			skip_space(p);
			if (!parse_string(p))
				return false;
			skip_space(p);
			if (!take(p, ':') || !parse_value(p))
				return false;
			n++;
		} while (take(p, ','));
		if (!take(p, '}'))
			return false;
	}
	count(p, n);
	return true;
}

static bool parse_any(struct parser *p)
{
	if (p->at == p->end)
		return false;
	switch (*p->at) {
	case '{':
		return parse_object(p);
	case '[':
		return parse_array(p);
	case '"':
		return parse_string(p);
	case 't':
		count(p, 1);
		return take_word(p, "true");
	case 'f':
		count(p, 2);
		return take_word(p, "false");
	case 'n':
		count(p, 3);
		return take_word(p, "null");
	default:
		return parse_number(p);
	}
}

static bool parse_value(struct parser *p)
{
	bool is_good;

	if (p->depth == DEPTH_MAX)
		return false;
	p->depth++;
	skip_space(p);
	is_good = parse_any(p);
	skip_space(p);
	p->depth--;
	return is_good;
}

KERNEL_EXPORT("run") int64_t run(int64_t n)
{
	static struct parser parser;

	parser.sum = 0;
	for (int64_t i = 0; i < n; i++) {
		parser.at = document;
		parser.end = document + sizeof(document) - 1;
		parser.depth = 0;
		if (!parse_value(&parser) || parser.at != parser.end)
			__builtin_trap();
	}
	return (int64_t)parser.sum;
}
