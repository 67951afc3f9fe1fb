// SPDX-License-Identifier: BSD-3-Clause
// Line number programs of DWARF 4, as LLVM writes them: see object.h.
//
// Module path 3/6. Spec: DWARF 4, 6.2 "Line Number Information".
#include <string.h>

#include "object.h"

enum {
	LNS_EXTENDED = 0,
	LNS_COPY = 1,
	LNS_ADVANCE_PC = 2,
	LNS_ADVANCE_LINE = 3,
	LNS_CONST_ADD_PC = 8,
	LNS_FIXED_ADVANCE_PC = 9,
	LNE_END_SEQUENCE = 1,
	LNE_SET_ADDRESS = 2,
};

struct cursor {
	const uint8_t *at;
	const uint8_t *end;
	bool bad;
};

static uint64_t take(struct cursor *c, unsigned n)
{
	uint64_t x = 0;

	if ((size_t)(c->end - c->at) < n) {
		c->bad = true;
		return 0;
	}
	memcpy(&x, c->at, n);
	c->at += n;
	return x;
}

static uint64_t take_leb(struct cursor *c, bool is_signed)
{
	uint64_t x = 0;
	unsigned shift = 0;
	uint8_t byte;

	do {
		byte = (uint8_t)take(c, 1);
		if (shift < 64)
			x |= (uint64_t)(byte & 0x7f) << shift;
		shift += 7;
	} while ((byte & 0x80) != 0 && !c->bad);
	if (is_signed && shift < 64 && (byte & 0x40) != 0)
		x |= UINT64_MAX << shift;
	return x;
}

struct state {
	uint64_t address;
	uint64_t line;
};

struct header {
	uint8_t line_range;
	uint8_t opcode_base;
	int8_t line_base;
	uint8_t lengths[256];
};

static bool extended(struct cursor *c, struct state *s, line_fn fn, void *env)
{
	const uint64_t len = take_leb(c, false);
	const uint8_t *next;
	uint8_t op;

	if (c->bad || len == 0 || len > (size_t)(c->end - c->at))
		return false;
	next = c->at + len;
	op = (uint8_t)take(c, 1);
	if (op == LNE_END_SEQUENCE) {
		fn(env, s->address, 0, true);
		*s = (struct state){.line = 1};
	} else if (op == LNE_SET_ADDRESS) {
		s->address = take(c, 8);
	}
	c->at = next;
	return !c->bad;
}

static bool step(struct cursor *c, const struct header *h, struct state *s, line_fn fn, void *env)
{
	const uint8_t op = (uint8_t)take(c, 1);

	if (op >= h->opcode_base) {
		const uint8_t adjusted = (uint8_t)(op - h->opcode_base);

		s->address += adjusted / h->line_range;
		s->line += (uint64_t)(int64_t)(h->line_base + adjusted % h->line_range);
		fn(env, s->address, (uint32_t)s->line, false);
		return true;
	}
	switch (op) {
	case LNS_EXTENDED:
		return extended(c, s, fn, env);
	case LNS_COPY:
		fn(env, s->address, (uint32_t)s->line, false);
		return true;
	case LNS_ADVANCE_PC:
		s->address += take_leb(c, false);
		return true;
	case LNS_ADVANCE_LINE:
		s->line += take_leb(c, true);
		return true;
	case LNS_CONST_ADD_PC:
		s->address += (uint64_t)(255 - h->opcode_base) / h->line_range;
		return true;
	case LNS_FIXED_ADVANCE_PC:
		s->address += take(c, 2);
		return true;
	default:
		for (unsigned i = 0; i < h->lengths[op]; i++)
			(void)take_leb(c, false);
		return true;
	}
}

static bool read_unit(struct cursor *c, line_fn fn, void *env)
{
	struct state state = {.line = 1};
	struct header h = {0};
	const uint64_t len = take(c, 4);
	struct cursor in;
	uint64_t header_len;
	const uint8_t *program;

	if (c->bad || len > (size_t)(c->end - c->at))
		return false;
	in = (struct cursor){.at = c->at, .end = c->at + len};
	c->at += len;
	if (take(&in, 2) != 4)
		return false;
	header_len = take(&in, 4);
	if (in.bad || header_len > (size_t)(in.end - in.at))
		return false;
	program = in.at + header_len;
	(void)take(&in, 3); // instruction length, operations, default_is_stmt
	h.line_base = (int8_t)take(&in, 1);
	h.line_range = (uint8_t)take(&in, 1);
	h.opcode_base = (uint8_t)take(&in, 1);
	for (unsigned i = 1; i < h.opcode_base; i++)
		h.lengths[i] = (uint8_t)take(&in, 1);
	if (in.bad || h.line_range == 0)
		return false;
	in.at = program;
	while (in.at < in.end) {
		if (!step(&in, &h, &state, fn, env) || in.bad)
			return false;
	}
	return true;
}

bool lines_read(const uint8_t *program, size_t n, line_fn fn, void *env)
{
	struct cursor c = {.at = program, .end = program + n};

	while (c.at < c.end) {
		if (!read_unit(&c, fn, env))
			return false;
	}
	return true;
}
