// SPDX-License-Identifier: BSD-3-Clause
// Reads acl's rules. See rules.h.

#include "rules.h"

#define STR(text) ((struct weir_str)WEIR_STR(text))

enum {
	SHOWN_MAX = 40
}; // bytes of a wrong word that a message shows

// A line under the cursor. Invariant: word is what was read last, inside the line; empty at its end.
struct line {
	const char *at;
	const char *end;
	uint32_t number; // from 1
	struct weir_str word;
	struct weir_text *error;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static void next_word(struct line *line)
{
	while (line->at < line->end && is_blank(*line->at))
		line->at++;
	line->word.ptr = line->at;
	while (line->at < line->end && !is_blank(*line->at))
		line->at++;
	line->word.len = (uint32_t)(line->at - line->word.ptr);
}

static bool word_is(const struct line *line, struct weir_str text)
{
	return weir_str_equal(line->word, text);
}

// The host takes the text as UTF-8: what is not plain ASCII is shown as '?'.
static void put_shown(struct weir_text *error, struct weir_str word)
{
	for (uint32_t i = 0; i < word.len && i < SHOWN_MAX; i++) {
		const char c = word.ptr[i] >= ' ' && word.ptr[i] <= '~' ? word.ptr[i] : '?';

		weir_text_put(error, (struct weir_str){&c, 1});
	}
	if (word.len > SHOWN_MAX)
		weir_text_put(error, STR("..."));
}

static int fail(struct line *line, struct weir_str expected)
{
	weir_text_put(line->error, STR("line "));
	weir_text_put_u64(line->error, line->number);
	if (line->word.len == 0) {
		weir_text_put(line->error, STR(": the line ends, expected "));
	} else {
		weir_text_put(line->error, STR(": found \""));
		put_shown(line->error, line->word);
		weir_text_put(line->error, STR("\", expected "));
	}
	weir_text_put(line->error, expected);
	return -1;
}

// A decimal number of at most max_digits in text from *at on. Returns: false when there is none, or above max.
static bool read_number(
	struct weir_str text, uint32_t *at, uint32_t max_digits, uint32_t max, uint32_t *ret_value)
{
	const uint32_t start = *at;
	uint32_t value = 0;

	while (*at < text.len && text.ptr[*at] >= '0' && text.ptr[*at] <= '9') {
		if (*at - start == max_digits)
			return false;
		value = value * 10 + (uint32_t)(text.ptr[*at] - '0');
		++*at;
	}
	if (*at == start || value > max)
		return false;
	*ret_value = value;
	return true;
}

// Four numbers of 0 to 255 with dots between, without leading zeros; nothing behind them is looked at.
static bool read_ip4(struct weir_str text, uint32_t *at, uint8_t addr[4])
{
	for (uint32_t i = 0; i < 4; i++) {
		uint32_t value, start;

		if (i > 0 && (*at == text.len || text.ptr[(*at)++] != '.'))
			return false;
		start = *at;
		if (!read_number(text, at, 3, 255, &value))
			return false;
		if (text.ptr[start] == '0' && *at - start > 1)
			return false;
		addr[i] = (uint8_t)value;
	}
	return true;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

// One to four hexadecimal digits.
static bool read_group(struct weir_str text, uint32_t *at, uint32_t *ret_value)
{
	uint32_t value = 0, digits = 0;

	while (*at < text.len && hex_value(text.ptr[*at]) >= 0) {
		if (digits++ == 4)
			return false;
		value = value << 4 | (uint32_t)hex_value(text.ptr[*at]);
		++*at;
	}
	*ret_value = value;
	return digits > 0;
}

// Does an IPv4 address begin at `at`: digits and then a dot?
static bool is_ip4_next(struct weir_str text, uint32_t at)
{
	while (at < text.len && text.ptr[at] >= '0' && text.ptr[at] <= '9')
		at++;
	return at < text.len && text.ptr[at] == '.';
}

// Spec: RFC 4291 section 2.2. All of text up to *ret_end, the end or a '/'.
static bool read_ip6(struct weir_str text, uint8_t addr[16], uint32_t *ret_end)
{
	uint32_t at = 0, len = 0, gap = UINT32_MAX; // len: bytes read; gap: bytes before "::"

	__builtin_memset(addr, 0, 16);
	if (text.len >= 2 && text.ptr[0] == ':' && text.ptr[1] == ':') {
		gap = 0;
		at = 2;
	}
	while (len < 16 && at < text.len && text.ptr[at] != '/') {
		uint32_t group;

		if (len <= 12 && is_ip4_next(text, at)) {
			if (!read_ip4(text, &at, addr + len))
				return false;
			len += 4;
			break;
		}
		if (!read_group(text, &at, &group))
			return false;
		addr[len++] = (uint8_t)(group >> 8);
		addr[len++] = (uint8_t)group;
		if (at == text.len || text.ptr[at] == '/' || len == 16)
			break;
		if (text.ptr[at++] != ':')
			return false;
		if (at < text.len && text.ptr[at] == ':') {
			if (gap != UINT32_MAX)
				return false;
			gap = len;
			at++;
		} else if (at == text.len || text.ptr[at] == '/') {
			return false; // one ':' at the end
		}
	}
	if (gap == UINT32_MAX ? len != 16 : len > 14)
		return false;
	if (gap != UINT32_MAX) { // what stands behind "::" goes to the end
		for (uint32_t i = 0; i < len - gap; i++) {
			addr[15 - i] = addr[len - 1 - i];
			addr[len - 1 - i] = 0;
		}
	}
	*ret_end = at;
	return true;
}

static void clear_host_bits(struct acl_net *net)
{
	for (uint32_t i = 0; i < 16; i++) {
		if (i * 8 >= net->bits)
			net->addr[i] = 0;
		else if (i * 8 + 8 > net->bits)
			net->addr[i] &= (uint8_t)(0xff00 >> (net->bits - i * 8));
	}
}

static bool read_net(struct weir_str word, struct acl_net *ret_net)
{
	uint32_t at = 0, bits;

	*ret_net = (struct acl_net){.version = 4, .bits = 32};
	if (!read_ip4(word, &at, ret_net->addr)) {
		*ret_net = (struct acl_net){.version = 6, .bits = 128};
		if (!read_ip6(word, ret_net->addr, &at))
			return false;
	}
	if (at < word.len) {
		if (word.ptr[at++] != '/' || !read_number(word, &at, 3, ret_net->bits, &bits) ||
			at != word.len)
			return false;
		ret_net->bits = (uint8_t)bits;
	}
	clear_host_bits(ret_net);
	return true;
}

// NET|any, which is the next word, and [port P[-Q]]. Leaves the word behind it.
static int parse_end(struct line *line, struct acl_net *net, struct acl_ports *ports)
{
	uint32_t at = 0, first = 0, last = 0;

	next_word(line);
	*net = (struct acl_net){0};
	*ports = (struct acl_ports){.is_any = true, .first = 0, .last = UINT16_MAX};
	if (!word_is(line, STR("any")) && !read_net(line->word, net))
		return fail(line, STR("an address, ADDRESS/LENGTH or \"any\""));
	next_word(line);
	if (!word_is(line, STR("port")))
		return 0;
	next_word(line);
	if (!read_number(line->word, &at, 5, UINT16_MAX, &first))
		return fail(line, STR("a port, 0 to 65535, or P-Q"));
	last = first;
	if (at < line->word.len && (line->word.ptr[at++] != '-' ||
					   !read_number(line->word, &at, 5, UINT16_MAX, &last) ||
					   at != line->word.len))
		return fail(line, STR("a port, 0 to 65535, or P-Q"));
	if (first > last)
		return fail(line, STR("P-Q with P not above Q"));
	*ports = (struct acl_ports){.first = (uint16_t)first, .last = (uint16_t)last};
	next_word(line);
	return 0;
}

// [tcp|udp|icmp|icmp6|ip|ip6|any]; leaves the word behind it.
static void parse_protocol(struct line *line, struct acl_rule *rule)
{
	static const struct {
		struct weir_str word;
		uint8_t version;
		uint8_t protocol;
	} words[] = {
		{WEIR_STR("tcp"), 0, ACL_TCP},
		{WEIR_STR("udp"), 0, ACL_UDP},
		{WEIR_STR("icmp"), 4, ACL_ICMP},
		{WEIR_STR("icmp6"), 6, ACL_ICMP},
		{WEIR_STR("ip"), 4, ACL_ANY},
		{WEIR_STR("ip6"), 6, ACL_ANY},
		{WEIR_STR("any"), 0, ACL_ANY},
	};

	for (uint32_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (word_is(line, words[i].word)) {
			rule->version = words[i].version;
			rule->protocol = words[i].protocol;
			next_word(line);
			return;
		}
	}
}

// What stands behind allow or deny.
static int parse_rule(struct line *line, struct acl_rule *rule)
{
	next_word(line);
	parse_protocol(line, rule);
	if (!word_is(line, STR("from")))
		return fail(line, STR("tcp, udp, icmp, icmp6, ip, ip6, any or \"from\""));
	if (parse_end(line, &rule->from, &rule->from_ports) != 0)
		return -1;
	if (!word_is(line, STR("to")))
		return fail(
			line, rule->from_ports.is_any ? STR("\"port\" or \"to\"") : STR("\"to\""));
	if (parse_end(line, &rule->to, &rule->to_ports) != 0)
		return -1;
	if (line->word.len > 0)
		return fail(line, rule->to_ports.is_any ? STR("\"port\" or the end of the line")
							: STR("the end of the line"));
	return 0;
}

// allow or deny, which is the word.
static bool read_action(const struct line *line, bool *ret_allow)
{
	*ret_allow = word_is(line, STR("allow"));
	return *ret_allow || word_is(line, STR("deny"));
}

// One line that is not empty.
static int parse_line(struct line *line, struct acl_rules *rules, bool *has_default)
{
	struct acl_rule rule = {0};

	if (*has_default)
		return fail(line, word_is(line, STR("default"))
					  ? STR("one \"default\" only")
					  : STR("nothing behind the line with \"default\""));
	if (word_is(line, STR("default"))) {
		*has_default = true;
		next_word(line);
		if (!read_action(line, &rules->default_allow))
			return fail(line, STR("\"allow\" or \"deny\""));
		next_word(line);
		return line->word.len == 0 ? 0 : fail(line, STR("the end of the line"));
	}
	if (!read_action(line, &rule.allow))
		return fail(line, STR("\"allow\", \"deny\" or \"default\""));
	if (parse_rule(line, &rule) != 0)
		return -1;
	if (rules->n == ACL_RULES_MAX)
		return fail(line, STR("at most 16384 rules"));
	rules->rule[rules->n++] = rule;
	return 0;
}

uint32_t acl_rules_count(struct weir_str text)
{
	uint32_t n = 1;

	for (uint32_t i = 0; i < text.len; i++)
		n += text.ptr[i] == '\n';
	return n;
}

int acl_rules_parse(struct weir_str text, struct acl_rules *rules, struct weir_text *error)
{
	const char *at = text.ptr;
	const char *end = text.ptr + text.len;
	struct line line = {.error = error};
	bool has_default = false;

	rules->n = 0;
	while (at < end) {
		line.at = at;
		line.number++;
		while (at < end && *at != '\n' && *at != '#')
			at++;
		line.end = at;
		while (at < end && *at != '\n') // a comment
			at++;
		at += at < end;
		next_word(&line);
		if (line.word.len > 0 && parse_line(&line, rules, &has_default) != 0)
			return -1;
	}
	line.word.len = 0;
	line.number += line.number == 0;
	return has_default ? 0
			   : fail(&line, STR("a last line \"default allow\" or \"default deny\""));
}
