// SPDX-License-Identifier: BSD-3-Clause
// Addresses of 32 and 64 bits at their bounds: every load and store in every form that the translation gives it,
// bulk operations, and tables with 64-bit indices.
#include "opcode.h"
#include "test_guest.h"

#define N(a)  (sizeof(a) / sizeof((a)[0]))
#define PAGE  UINT64_C(65536)
#define GIB2  (UINT64_C(1) << 31)
#define GIB4  (UINT64_C(1) << 32)
#define TOP64 (UINT64_C(1) << 63)

__extension__ typedef unsigned __int128 u128;

// ---- loads and stores ----------------------------------------------------------------------------

static const struct {
	uint8_t prefix;
	uint32_t code;
} codes[WE_OP_N] = {
#define WE_OP(feature, prefix, code, NAME, mnemonic, imm, params, results, flags)                  \
	[WE_OP_##NAME] = {prefix, code},
#include "opcode.def"
#undef WE_OP
};

// What a memory is, and which of the module's two it is.
struct shape {
	const char *name;
	bool is_64;
	uint32_t mem;
	uint64_t size; // bytes
};

static const struct shape shapes[] = {
	{"i32 memory 0", false, 0, GIB4},
	{"i32 memory 1", false, 1, GIB4},
	{"i64 memory 0", true, 0, GIB4 + PAGE},
	{"i64 memory 1", true, 1, GIB4 + PAGE},
};

// Where an access goes: the address and the offset together, which may be more than 64 bits. From where on: 0 itself, the
// end of the memory, less the width.
static const struct target {
	enum {
		AT,
		END,
		LAST
	} from;
	u128 plus;
} targets[] = {
	{AT, 0},
	{AT, GIB2 - 1},
	{AT, GIB2},
	{AT, GIB4 - 16},
	{AT, GIB4 - 1}, // crosses 4 GiB
	{AT, GIB4},
	{AT, GIB4 + 16}, // inside, if 32 bits were kept
	{LAST, 0},
	{LAST, 1},
	{END, 0},
	{END, 1},
	{END, GIB4},
	{AT, TOP64},
	{AT, UINT64_MAX - 15},
	{AT, UINT64_MAX},
	{AT, (u128)1 << 64}, // wraps to 0
	{AT, ((u128)1 << 64) + 4096},
	{AT, ((u128)1 << 64) + GIB4 - 1},
	{AT, ((u128)2 << 64) - 2},
};

static const uint64_t offsets[] = {0, 24, GIB2, GIB4 - 1, GIB4, TOP64, UINT64_MAX};

// How the address is made.
enum form {
	FORM_LOCAL,     // x
	FORM_ADD_K,     // x + 16
	FORM_ADD,       // x + y
	FORM_ADD_ADD_K, // x + y + 16
	FORM_SHL,       // x << 4
	FORM_SHL_ADD,   // (x << 4) + y
	FORM_POINTER,   // what lies at x, in memory 0 if it has such addresses
	FORM_CONST,
	N_FORMS
};

enum {
	POINTER_AT = 4096,
	SPLIT = 4660, // y
	N_FUNCS_MAX = 200,
};

// A module under construction for one instruction, memory and offset.
struct forms {
	enum we_op op;
	const struct shape *shape;
	uint64_t offset;
	struct bytes code;
	uint32_t n;
};

static bool is_store(enum we_op op)
{
	return we_op_info[op].results[0] == '\0';
}

static char value_letter(enum we_op op)
{
	return we_op_info[op].params[1];
}

static uint8_t type_byte(char letter)
{
	return (uint8_t)(0x7f - (strchr("ilfdv", letter) - "ilfdv"));
}

static uint8_t address_byte(const struct shape *shape)
{
	return shape->is_64 ? 0x7e : 0x7f;
}

static void put_op(struct bytes *b, const struct forms *f)
{
	if (codes[f->op].prefix != 0)
		put_byte(b, codes[f->op].prefix);
	put_u(b, codes[f->op].code);
	if (f->shape->mem != 0)
		put_bytes(b, "\x40\1", 2);
	else
		put_byte(b, 0);
	put_u(b, f->offset);
	if (we_op_info[f->op].imm == WE_IMM_MEMARG_LANE)
		put_byte(b, 1 & (16 / we_op_width(f->op) - 1));
}

static void put_address_constant(struct bytes *b, const struct shape *shape, uint64_t x)
{
	put_byte(b, shape->is_64 ? 0x42 : 0x41);
	put_s(b, shape->is_64 ? (int64_t)x : (int32_t)(uint32_t)x);
}

static uint8_t add_byte(const struct shape *shape)
{
	return shape->is_64 ? 0x7c : 0x6a;
}

static uint8_t shl_byte(const struct shape *shape)
{
	return shape->is_64 ? 0x86 : 0x74;
}

// Locals: 0 x, 1 y, 2 the value.
static void put_address(
	struct bytes *b, const struct shape *shape, enum form form, uint64_t address)
{
	switch (form) {
	case FORM_LOCAL:
		put_bytes(b, "\x20\0", 2);
		break;
	case FORM_ADD_K:
		put_bytes(b, "\x20\0", 2);
		put_address_constant(b, shape, 16);
		put_byte(b, add_byte(shape));
		break;
	case FORM_ADD:
	case FORM_ADD_ADD_K:
		put_bytes(b, "\x20\0\x20\1", 4);
		put_byte(b, add_byte(shape));
		if (form == FORM_ADD)
			break;
		put_address_constant(b, shape, 16);
		put_byte(b, add_byte(shape));
		break;
	case FORM_SHL:
	case FORM_SHL_ADD:
		put_bytes(b, "\x20\0", 2);
		put_address_constant(b, shape, 4);
		put_byte(b, shl_byte(shape));
		if (form == FORM_SHL)
			break;
		put_bytes(b, "\x20\1", 2);
		put_byte(b, add_byte(shape));
		break;
	case FORM_POINTER:
		put_bytes(b, "\x20\0", 2);
		put_byte(b, shape->is_64 ? 0x29 : 0x28);
		put_bytes(b, "\0\0", 2);
		break;
	case FORM_CONST:
		put_address_constant(b, shape, address);
		break;
	case N_FORMS:
		break;
	}
}

// A store of the constant -7, which has forms of its own, is made where there is no other value.
static void put_func(
	struct forms *f, enum form form, uint64_t address, bool is_loop, bool is_constant)
{
	const struct we_op_info *info = &we_op_info[f->op];
	struct bytes body = {.len = 0};

	put_byte(&body, 0);
	if (is_loop) {
		put_byte(&body, 0x03);
		put_byte(&body, is_store(f->op) ? 0x40 : type_byte(info->results[0]));
	}
	put_address(&body, f->shape, form, address);
	if (is_constant)
		put_bytes(&body, value_letter(f->op) == 'i' ? "\x41\x79" : "\x42\x79", 2);
	else if (value_letter(f->op) != '\0')
		put_bytes(&body, "\x20\2", 2);
	put_op(&body, f);
	if (is_loop)
		put_byte(&body, 0x0b);
	put_byte(&body, 0x0b);
	put_body(&f->code, &body);
	f->n++;
}

// The places on the way there: false when no address leads there.
static bool find_address(const struct forms *f, const struct target *target, u128 *ret_at)
{
	const u128 limit = f->shape->is_64 ? (u128)1 << 64 : (u128)1 << 32;
	const u128 base = target->from == AT    ? 0
			  : target->from == END ? f->shape->size
						: f->shape->size - we_op_width(f->op);

	*ret_at = base + target->plus;
	return *ret_at >= f->offset && *ret_at - f->offset < limit;
}

static bool has_constant_value(enum we_op op)
{
	return is_store(op) && strchr("il", value_letter(op)) != NULL && value_letter(op) != '\0';
}

// Every form in and out of a loop, and with a constant value.
static uint32_t n_ways(enum we_op op)
{
	return has_constant_value(op) ? 4 : 2;
}

static void put_all(struct forms *f)
{
	for (enum form form = 0; form < N_FORMS; form++) {
		for (uint32_t way = 0; way < n_ways(f->op); way++) {
			if (form != FORM_CONST) {
				put_func(f, form, 0, way & 1, way & 2);
				continue;
			}
			for (size_t i = 0; i < N(targets); i++) {
				u128 at;

				(void)find_address(f, &targets[i], &at);
				put_func(f, form, (uint64_t)(at - f->offset), way & 1, way & 2);
			}
		}
	}
}

static uint32_t func_of(const struct forms *f, enum form form, uint32_t way, size_t target)
{
	if (form == FORM_CONST)
		return FORM_CONST * n_ways(f->op) + way * (uint32_t)N(targets) + (uint32_t)target;
	return form * n_ways(f->op) + way;
}

static void put_types_and_imports(struct bytes *b, const struct forms *f)
{
	const uint8_t address = address_byte(f->shape);
	const char value = value_letter(f->op);
	struct bytes items = {.len = 0};

	put_byte(&items, 0x60);
	put_u(&items, value == '\0' ? 2 : 3);
	put_bytes(&items, (uint8_t[]){address, address}, 2);
	if (value != '\0')
		put_byte(&items, type_byte(value));
	put_u(&items, is_store(f->op) ? 0 : 1);
	if (!is_store(f->op))
		put_byte(&items, type_byte(we_op_info[f->op].results[0]));
	put_section(b, 1, 1, &items);
	items.len = 0;
	put_bytes(&items, "\0\0\2", 3);
	put_bytes(&items, f->shape->is_64 ? "\4\0" : "\0\0", 2);
	put_bytes(&items, "\0\0\2", 3);
	put_bytes(&items, f->shape->is_64 ? "\4\0" : "\0\0", 2);
	put_section(b, 2, 2, &items);
}

static void put_table_of_funcs(struct bytes *b, uint32_t n)
{
	struct bytes items = {.len = 0};

	put_bytes(&items, "\x70\0", 2);
	put_u(&items, n);
	put_section(b, 4, 1, &items);
	PUT_SECTION(b, 7, 1, "\1t\1\0");
	items.len = 0;
	put_bytes(&items, "\0\x41\0\x0b", 4);
	put_u(&items, n);
	for (uint32_t i = 0; i < n; i++)
		put_u(&items, i);
	put_section(b, 9, 1, &items);
}

struct memories {
	struct guest guest;
	struct we_memory *of[2][2]; // [is_64][memory]
	uint64_t results[2][2]; // of the first access of the instruction: [constant value][half]
	bool has_result[2];
};

static uint8_t *bytes_at(const struct memories *m, const struct shape *shape, uint64_t at)
{
	const uint64_t size = shape->size;
	uint8_t *span;

	assert_int_equal(we_memory_span(m->of[shape->is_64][shape->mem], at,
				 size - at < 16 ? size - at : 16, &span),
		0);
	return span;
}

static const uint64_t pattern[2] = {0x8f7e6d5c4b3a2918u, 0x81929394a5b6c7d8u};

// What x and y are so that the form makes the address. Returns: false when it cannot.
static bool split(enum form form, const struct shape *shape, uint64_t address, uint64_t *x)
{
	uint64_t y = x[1] = SPLIT;

	switch (form) {
	case FORM_ADD_K:
		x[0] = address - 16;
		break;
	case FORM_ADD:
		x[0] = address - y;
		break;
	case FORM_ADD_ADD_K:
		x[0] = address - 16 - y;
		break;
	case FORM_SHL:
		x[0] = address >> 4;
		if (address % 16 != 0)
			return false;
		break;
	case FORM_SHL_ADD:
		x[1] = y = address % 16;
		x[0] = (address - y) >> 4;
		break;
	case FORM_POINTER:
		x[0] = POINTER_AT;
		break;
	default:
		x[0] = address;
		break;
	}
	if (!shape->is_64)
		x[0] |= UINT64_C(0xdead) << 48; // the upper half of an i32 is undefined
	return true;
}

// The answer of an access that is inside: the loaded value, or the bytes stored. Puts back what was there.
static void read_answer(const struct memories *m, const struct forms *f, uint64_t at,
	const uint64_t *slots, uint64_t ret[2])
{
	const char result = we_op_info[f->op].results[0];
	uint8_t *bytes = bytes_at(m, f->shape, at);

	ret[0] = ret[1] = 0;
	if (is_store(f->op)) {
		memcpy(ret, bytes, we_op_width(f->op));
	} else {
		ret[0] = strchr("if", result) != NULL ? (uint32_t)slots[0] : slots[0];
		ret[1] = result == 'v' ? slots[1] : 0;
	}
	memset(bytes, 0, we_op_width(f->op));
}

static void check_access(struct memories *m, const struct forms *f, struct we_func *func,
	enum form form, uint32_t way, u128 at)
{
	const uint32_t width = we_op_width(f->op);
	const bool is_inside = at + width <= f->shape->size;
	uint64_t slots[6] = {0};
	uint64_t address = (uint64_t)(at - f->offset);
	uint64_t got[2];
	uint64_t *wanted = m->results[way >> 1];
	uint8_t *pointer;
	int rc;

	if (!split(form, f->shape, address, slots))
		return;
	assert_int_equal(we_memory_span(m->of[f->shape->is_64][0], POINTER_AT, 8, &pointer), 0);
	memcpy(pointer, &address, f->shape->is_64 ? 8 : 4);
	memcpy(slots + 2, pattern, sizeof(pattern));
	if (is_inside && !is_store(f->op))
		memcpy(bytes_at(m, f->shape, (uint64_t)at), pattern, width);
	m->guest.err.trap = WE_TRAP_NONE;
	rc = we_func_call(func, slots, &m->guest.err);
	if ((rc == 0) != is_inside ||
		(rc != 0 && m->guest.err.trap != WE_TRAP_MEMORY_OUT_OF_BOUNDS))
		fail_msg("%s, %s, offset 0x%llx, form %d.%u, at 0x%llx%016llx: %d %s",
			we_op_info[f->op].mnemonic, f->shape->name, (unsigned long long)f->offset,
			(int)form, way, (unsigned long long)(at >> 64), (unsigned long long)at, rc,
			rc != 0 ? m->guest.err.msg : "");
	if (!is_inside)
		return;
	read_answer(m, f, (uint64_t)at, slots, got);
	if (!m->has_result[way >> 1]) {
		memcpy(wanted, got, sizeof(got));
		m->has_result[way >> 1] = true;
	}
	if (memcmp(got, wanted, sizeof(got)) != 0)
		fail_msg("%s, %s, offset 0x%llx, form %d.%u, at 0x%llx: 0x%llx, not 0x%llx",
			we_op_info[f->op].mnemonic, f->shape->name, (unsigned long long)f->offset,
			(int)form, way, (unsigned long long)at, (unsigned long long)got[0],
			(unsigned long long)wanted[0]);
}

static void check_forms(struct memories *m, struct forms *f)
{
	static struct bytes b;
	struct we_extern imports[2];
	struct bytes funcs = {.len = 0};
	struct we_extern table;
	struct we_instance *inst;

	for (uint32_t i = 0; i < 2; i++)
		imports[i] =
			(struct we_extern){WE_EXTERN_MEMORY, {.memory = m->of[f->shape->is_64][i]}};
	put_all(f);
	assert_in_range(f->n, 1, N_FUNCS_MAX);
	for (uint32_t i = 0; i < f->n; i++)
		put_byte(&funcs, 0);
	begin_module(&b);
	put_types_and_imports(&b, f);
	put_section(&b, 3, f->n, &funcs);
	put_table_of_funcs(&b, f->n);
	put_section(&b, 10, f->n, &f->code);
	inst = guest_link(&m->guest, &b, imports, 2);
	table = guest_export(inst, "t");
	for (enum form form = 0; form < N_FORMS; form++) {
		for (uint32_t way = 0; way < n_ways(f->op); way++) {
			for (size_t i = 0; i < N(targets); i++) {
				void *func;
				u128 at;

				if (!find_address(f, &targets[i], &at))
					continue;
				assert_int_equal(we_table_get(table.of.table,
							 func_of(f, form, way, i), &func),
					0);
				check_access(m, f, func, form, way, at);
			}
		}
	}
}

static void open_memories(struct memories *m)
{
	const struct we_store_limits limits = {.total_memory_pages = 1 << 19};

	guest_open(&m->guest, NULL, &limits);
	for (uint32_t i = 0; i < 2; i++) {
		assert_int_equal(we_memory_create(m->guest.store, WE_I32, GIB4 / PAGE, UINT64_MAX,
					 &m->of[0][i], &m->guest.err),
			0);
		assert_int_equal(we_memory_create(m->guest.store, WE_I64, GIB4 / PAGE + 1,
					 UINT64_MAX, &m->of[1][i], &m->guest.err),
			0);
	}
}

static void check_op(enum we_op op)
{
	static struct memories m;

	memset(&m, 0, sizeof(m));
	open_memories(&m);
	for (size_t s = 0; s < N(shapes); s++) {
		for (size_t i = 0; i < N(offsets); i++) {
			static struct forms f;

			if (offsets[i] > UINT32_MAX && !shapes[s].is_64)
				continue;
			f.op = op;
			f.shape = &shapes[s];
			f.offset = offsets[i];
			f.code.len = 0;
			f.n = 0;
			check_forms(&m, &f);
		}
	}
	guest_close(&m.guest);
}

static void accesses_at_every_bound_are_exact(void **state)
{
	uint32_t n = 0;

	(void)state;
	for (enum we_op op = 1; op < WE_OP_N; op++) {
		if (we_op_info[op].imm != WE_IMM_MEMARG && we_op_info[op].imm != WE_IMM_MEMARG_LANE)
			continue;
		check_op(op);
		n++;
	}
	assert_int_equal(n, 45);
}

// ---- bulk operations -----------------------------------------------------------------------------

// Call with up to four arguments. Returns: the trap; *ret, when not NULL, is the first result.
static enum we_trap call_4(struct guest *g, const struct we_instance *inst, const char *name,
	const uint64_t *arguments, uint64_t *ret)
{
	uint64_t slots[8];

	memcpy(slots, arguments, 4 * sizeof(*slots));
	if (guest_call(g, inst, name, slots) != 0)
		return (enum we_trap)g->err.trap;
	if (ret != NULL)
		*ret = slots[0];
	return WE_TRAP_NONE;
}

// Memory 0 has 32-bit addresses and 4 GiB, memory 1 has 64-bit ones and a page more.
static struct we_instance *make_bulk(struct memories *m)
{
	struct we_extern imports[2] = {{WE_EXTERN_MEMORY, {.memory = m->of[0][0]}},
		{WE_EXTERN_MEMORY, {.memory = m->of[1][0]}}};
	struct bytes b, items = {.len = 0};

	begin_module(&b);
	PUT_SECTION(&b, 1, 6,
		"\x60\3\x7f\x7f\x7f\0"
		"\x60\3\x7e\x7f\x7e\0"
		"\x60\3\x7e\x7e\x7e\0"
		"\x60\3\x7f\x7e\x7f\0"
		"\x60\3\x7e\x7f\x7f\0"
		"\x60\1\x7e\1\x7e");
	PUT_SECTION(&b, 2, 2, "\0\0\2\0\0\0\0\2\4\0");
	PUT_SECTION(&b, 3, 10, "\0\1\0\2\3\4\0\4\5\5");
	PUT_SECTION(&b, 7, 10,
		"\5fill0\0\0\5fill1\0\1\6copy00\0\2\6copy11\0\3\6copy01\0\4\6copy10\0\5"
		"\5init0\0\6\5init1\0\7\4grow\0\x8\4size\0\x9");
	PUT_SECTION(&b, 12, 1, "");
	PUT_BODY(&items, "\0\x20\0\x20\1\x20\2\xfc\x0b\0\x0b");
	PUT_BODY(&items, "\0\x20\0\x20\1\x20\2\xfc\x0b\1\x0b");
	PUT_BODY(&items, "\0\x20\0\x20\1\x20\2\xfc\x0a\0\0\x0b");
	PUT_BODY(&items, "\0\x20\0\x20\1\x20\2\xfc\x0a\1\1\x0b");
	PUT_BODY(&items, "\0\x20\0\x20\1\x20\2\xfc\x0a\0\1\x0b");
	PUT_BODY(&items, "\0\x20\0\x20\1\x20\2\xfc\x0a\1\0\x0b");
	PUT_BODY(&items, "\0\x20\0\x20\1\x20\2\xfc\x08\0\0\x0b");
	PUT_BODY(&items, "\0\x20\0\x20\1\x20\2\xfc\x08\0\1\x0b");
	PUT_BODY(&items, "\0\x20\0\x40\1\x0b");
	PUT_BODY(&items, "\0\x3f\1\x0b");
	put_section(&b, 10, 10, &items);
	PUT_SECTION(&b, 11, 1,
		"\1\x10"
		"0123456789abcdef");
	return guest_link(&m->guest, &b, imports, 2);
}

// mem and at: where what the operation writes is looked for, len bytes and 8 zeros on either side. Fills are of 'x';
// initialization is from "0123456789abcdef". Copies are of what an initialization at their source has put there.
static const struct bulk {
	const char *name;
	uint64_t arguments[4];
	const char *text; // NULL: it traps
} bulks[] = {
	{"fill0", {0, 'x', 3}, "xxx"},
	{"fill0", {UINT32_MAX, 'x', 1}, "x"},
	{"fill0", {UINT32_MAX, 'x', 2}, NULL},
	{"fill0", {0xfffffffffull << 32, 'x', 3}, "xxx"}, // the upper half of an i32
	{"fill0", {8, 'x', UINT32_MAX}, NULL},
	{"fill0", {UINT32_MAX, 'x', 0}, ""},
	{"fill1", {GIB4 - 3, 'x', 6}, "xxxxxx"},
	{"fill1", {GIB4, 'x', 4}, "xxxx"},
	{"fill1", {GIB4 + PAGE - 4, 'x', 4}, "xxxx"},
	{"fill1", {GIB4 + PAGE - 4, 'x', 5}, NULL},
	{"fill1", {GIB4 + PAGE, 'x', 0}, ""},
	{"fill1", {GIB4 + PAGE + 1, 'x', 0}, NULL},
	{"fill1", {TOP64, 'x', 1}, NULL},
	{"fill1", {UINT64_MAX, 'x', 2}, NULL},
	{"fill1", {16, 'x', UINT64_MAX - 14}, NULL},
	{"fill1", {PAGE + 1, 'x', GIB4}, NULL}, // no bytes, if 32 bits were kept
	{"fill1", {GIB4, 'x', GIB4 + 1}, NULL},
	{"init0", {UINT32_MAX - 3, 2, 4}, "2345"},
	{"init0", {UINT32_MAX - 3, 2, 5}, NULL},
	{"init0", {100, 12, 5}, NULL},
	{"init0", {100, UINT32_MAX, 2}, NULL},
	{"init1", {GIB4 - 2, 10, 4}, "abcd"},
	{"init1", {GIB4 + PAGE - 3, 13, 3}, "def"},
	{"init1", {GIB4 + PAGE - 3, 12, 4}, NULL},
	{"init1", {UINT64_MAX - 1, 0, 4}, NULL},
	{"init1", {TOP64 + 8, 0, 4}, NULL},
	{"copy00", {UINT32_MAX - 15, GIB2, 16}, "0123456789abcdef"},
	{"copy00", {UINT32_MAX - 14, GIB2, 16}, NULL},
	{"copy00", {GIB2, UINT32_MAX - 14, 16}, NULL},
	{"copy11", {GIB4 + PAGE - 16, GIB2, 16}, "0123456789abcdef"},
	{"copy11", {GIB2 - 8, GIB4 - 8, 16}, "0123456789abcdef"},
	{"copy11", {GIB4 + PAGE - 15, GIB2, 16}, NULL},
	{"copy11", {GIB2, GIB4 + PAGE - 15, 16}, NULL},
	{"copy11", {8, GIB4, UINT64_MAX - 15}, NULL},
	{"copy11", {8, 16, GIB4 << 1}, NULL},
	{"copy11", {GIB4 + PAGE, GIB4 + PAGE, 0}, ""},
	{"copy11", {GIB4 + PAGE + 1, 0, 0}, NULL},
	{"copy11", {0, GIB4 + PAGE + 1, 0}, NULL},
	{"copy01", {UINT32_MAX - 15, GIB4, 16}, "0123456789abcdef"},
	{"copy01", {4096, GIB4 + PAGE - 16, 16}, "0123456789abcdef"},
	{"copy01", {4096, GIB4 + PAGE - 15, 16}, NULL},
	{"copy01", {4096, TOP64, 1}, NULL},
	{"copy10", {GIB4 - 4, UINT32_MAX - 15, 16}, "0123456789abcdef"},
	{"copy10", {GIB4 + PAGE - 15, 4096, 16}, NULL},
	{"copy10", {4096, UINT32_MAX - 14, 16}, NULL},
};

// The bytes around what was written, and zeros in their place.
static void take_bytes(const struct we_memory *memory, uint64_t at, size_t len, uint8_t *ret)
{
	for (uint64_t i = 0; i < len; i++) {
		uint8_t *span;

		if (we_memory_span(memory, at + i, 1, &span) != 0) {
			ret[i] = 0;
			continue;
		}
		ret[i] = *span;
		*span = 0;
	}
}

static void check_bulk(struct memories *m, const struct we_instance *inst, const struct bulk *bulk)
{
	const bool is_copy = memcmp(bulk->name, "copy", 4) == 0;
	const bool to_64 = bulk->name[4] == '1';
	const size_t len = bulk->text != NULL ? strlen(bulk->text) : 0;
	const uint64_t at = to_64 ? bulk->arguments[0] : (uint32_t)bulk->arguments[0];
	const uint64_t seed[4] = {bulk->arguments[1], 0, 16};
	uint8_t wanted[64] = {0};
	uint8_t got[64] = {0};
	enum we_trap trap;

	if (is_copy && len > 0)
		assert_int_equal(call_4(&m->guest, inst, bulk->name[5] == '1' ? "init1" : "init0",
					 seed, NULL),
			WE_TRAP_NONE);
	trap = call_4(&m->guest, inst, bulk->name, bulk->arguments, NULL);
	if (trap != (bulk->text != NULL ? WE_TRAP_NONE : WE_TRAP_MEMORY_OUT_OF_BOUNDS))
		fail_msg("row %d, %s: %s", (int)(bulk - bulks), bulk->name, we_trap_text(trap));
	if (bulk->text == NULL)
		return;
	memcpy(wanted + 8, bulk->text, len);
	take_bytes(m->of[to_64][0], at - 8, len + 16, got);
	if (memcmp(got, wanted, sizeof(got)) != 0)
		fail_msg("row %d, %s: not what was to be written", (int)(bulk - bulks), bulk->name);
	if (is_copy)
		take_bytes(m->of[bulk->name[5] == '1'][0], seed[0], 16, got);
}

static void bulk_operations_at_every_bound_are_exact(void **state)
{
	static struct memories m;
	struct we_instance *inst;

	(void)state;
	memset(&m, 0, sizeof(m));
	open_memories(&m);
	inst = make_bulk(&m);
	for (size_t i = 0; i < N(bulks); i++)
		check_bulk(&m, inst, &bulks[i]);
	guest_close(&m.guest);
}

static void copies_that_overlap_across_4_gib_move_as_one(void **state)
{
	static struct memories m;
	const uint64_t up[4] = {GIB4 - 4, GIB4 - 8, 16};
	const uint64_t down[4] = {GIB4 - 8, GIB4 - 4, 16};
	const uint64_t seed_up[4] = {GIB4 - 8, 0, 16};
	const uint64_t seed_down[4] = {GIB4 - 4, 0, 16};
	struct we_instance *inst;
	uint8_t got[20];

	(void)state;
	memset(&m, 0, sizeof(m));
	open_memories(&m);
	inst = make_bulk(&m);
	assert_int_equal(call_4(&m.guest, inst, "init1", seed_up, NULL), WE_TRAP_NONE);
	assert_int_equal(call_4(&m.guest, inst, "copy11", up, NULL), WE_TRAP_NONE);
	take_bytes(m.of[1][0], GIB4 - 8, 20, got);
	assert_memory_equal(got, "01230123456789abcdef", 20);
	assert_int_equal(call_4(&m.guest, inst, "init1", seed_down, NULL), WE_TRAP_NONE);
	assert_int_equal(call_4(&m.guest, inst, "copy11", down, NULL), WE_TRAP_NONE);
	take_bytes(m.of[1][0], GIB4 - 8, 20, got);
	assert_memory_equal(got, "0123456789abcdefcdef", 20);
	guest_close(&m.guest);
}

// ---- sizes ---------------------------------------------------------------------------------------

static void memory_64_grows_past_4_gib_or_answers_minus_1(void **state)
{
	static struct memories m;
	struct we_instance *inst;

	(void)state;
	memset(&m, 0, sizeof(m));
	open_memories(&m);
	inst = make_bulk(&m);
	assert_int_equal(guest_ask(&m.guest, inst, "size", 0), 65537);
	assert_int_equal(guest_ask(&m.guest, inst, "grow", 3), 65537);
	assert_int_equal(guest_ask(&m.guest, inst, "size", 0), 65540);
	assert_int_equal(guest_ask(&m.guest, inst, "grow", 0), 65540);
	assert_int_equal(guest_ask(&m.guest, inst, "grow", UINT64_MAX), UINT64_MAX);
	assert_int_equal(guest_ask(&m.guest, inst, "grow", UINT64_C(1) << 48), UINT64_MAX);
	assert_int_equal(guest_ask(&m.guest, inst, "grow", GIB4),
		UINT64_MAX); // no page, if 32 bits were kept
	assert_int_equal(guest_ask(&m.guest, inst, "size", 0), 65540);
	guest_close(&m.guest);
}

// A module of one memory or table whose limits are given. Returns: what decoding and validating, else instantiating
// answers.
static int try_limits(struct guest *g, uint8_t section, uint8_t flags, uint64_t min, uint64_t max)
{
	struct bytes b, items = {.len = 0};
	struct we_module *module;
	struct we_instance *inst;
	int rc;

	if (section == 4)
		put_byte(&items, 0x70);
	put_byte(&items, flags);
	put_u(&items, min);
	if (flags & 1)
		put_u(&items, max);
	begin_module(&b);
	put_section(&b, section, 1, &items);
	rc = we_module_create(g->engine, (struct we_bytes){b.data, b.len}, 0, &module, &g->err);
	if (rc != 0)
		return rc;
	rc = we_instance_create(g->store, module, NULL, 0, &inst, &g->err);
	we_module_unref(module);
	return rc;
}

static void limits_of_the_specification_are_valid_and_fail_at_instantiation(void **state)
{
	static const struct {
		uint8_t section;
		uint8_t flags;
		uint64_t min;
		uint64_t max;
		int rc;
	} limits[] = {
		{5, 4, 1, 0, 0},
		{5, 5, 1, UINT64_C(1) << 48, 0},
		{5, 5, 1, (UINT64_C(1) << 48) + 1, WE_E_INVALID},
		{5, 4, UINT64_C(1) << 48, 0, WE_E_EXHAUSTED},
		{5, 4, (UINT64_C(1) << 48) + 1, 0, WE_E_INVALID},
		{5, 4, UINT64_MAX, 0, WE_E_INVALID},
		{5, 5, 2, 1, WE_E_INVALID},
		{5, 1, 1, 65536, 0},
		{5, 1, 1, 65537, WE_E_INVALID},
		{5, 0, 65537, 0, WE_E_INVALID},
		{4, 4, 1, 0, 0},
		{4, 5, 1, UINT64_MAX, 0},
		{4, 4, UINT64_MAX, 0, WE_E_EXHAUSTED},
		{4, 5, GIB4, UINT64_MAX, WE_E_EXHAUSTED},
		{4, 5, UINT64_MAX, UINT64_MAX - 1, WE_E_INVALID},
		{4, 1, 1, UINT32_MAX, 0},
		{4, 0, UINT32_MAX, 0, WE_E_EXHAUSTED},
	};
	struct guest g;

	(void)state;
	guest_open(&g, NULL, NULL);
	for (size_t i = 0; i < N(limits); i++) {
		const int rc = try_limits(
			&g, limits[i].section, limits[i].flags, limits[i].min, limits[i].max);

		if (rc != limits[i].rc)
			fail_msg("row %zu: %d %s", i, rc, rc < 0 ? g.err.msg : "");
	}
	guest_close(&g);
}

// Sizes and indices of tables are 32-bit numbers with a sign in an operation.
static void table_of_2_to_the_31_elements_is_beyond_every_limit(void **state)
{
	const struct we_store_limits limits = {.table_elements = UINT64_MAX};
	struct guest g;

	(void)state;
	guest_open(&g, NULL, &limits);
	assert_int_equal(try_limits(&g, 4, 4, GIB2, 0), WE_E_EXHAUSTED);
	assert_string_equal(g.err.msg, "table of 2147483648 elements: the limit is 2147483647");
	guest_close(&g);
}

// ---- tables with 64-bit indices ------------------------------------------------------------------

// Table 0 has 64-bit indices, table 1 has 32-bit ones; both 20 functions, element i being function i % 4, which
// returns i % 4. Segment 0 is passive: functions 0 to 3.
static struct we_instance *make_tables(struct guest *g)
{
	struct bytes b, items = {.len = 0};

	begin_module(&b);
	PUT_SECTION(&b, 1, 11,
		"\x60\0\1\x7f"
		"\x60\1\x7e\1\x7f"     // 1: call by a 64-bit index
		"\x60\1\x7e\1\x70"     // 2: get
		"\x60\2\x7e\x7f\0"     // 3: set: the function of that number
		"\x60\3\x7e\x7f\x7e\0" // 4: fill with the function of that number
		"\x60\3\x7e\x7e\x7e\0" // 5: copy 0 0
		"\x60\3\x7e\x7f\x7f\0" // 6: copy 0 1, init 0
		"\x60\3\x7f\x7e\x7f\0" // 7: copy 1 0
		"\x60\2\x7f\x7e\1\x7e" // 8: grow: by that number of that function
		"\x60\1\x7e\1\x7e"     // 9: size
		"\x60\1\x7f\1\x7f");   // 10: call by a 32-bit index
	PUT_SECTION(&b, 3, 15, "\0\0\0\0\1\1\2\3\4\5\6\7\6\x8\x9");
	PUT_SECTION(&b, 4, 2, "\x70\5\x14\x80\x08\x70\0\x14");
	PUT_SECTION(&b, 7, 12,
		"\4call\0\4\x4tail\0\5\3get\0\6\3set\0\7\4fill\0\x8\6"
		"copy00\0\x9\6"
		"copy01\0\x0a"
		"\6"
		"copy10\0\x0b\4init\0\x0c\4grow\0\x0d\4size\0\x0e\1t\1\0");
	PUT_SECTION(&b, 9, 3,
		"\0\x42\0\x0b\x14\0\1\2\3\0\1\2\3\0\1\2\3\0\1\2\3\0\1\2\3"
		"\2\1\x41\0\x0b\0\x14\0\1\2\3\0\1\2\3\0\1\2\3\0\1\2\3\0\1\2\3"
		"\1\0\4\0\1\2\3");
	PUT_BODY(&items, "\0\x41\0\x0b");
	PUT_BODY(&items, "\0\x41\1\x0b");
	PUT_BODY(&items, "\0\x41\2\x0b");
	PUT_BODY(&items, "\0\x41\3\x0b");
	PUT_BODY(&items, "\0\x20\0\x11\0\0\x0b");
	PUT_BODY(&items, "\0\x20\0\x13\0\0\x0b");
	PUT_BODY(&items, "\0\x20\0\x25\0\x0b");
	PUT_BODY(&items, "\0\x20\0\x20\1\x25\1\x26\0\x0b");
	PUT_BODY(&items, "\0\x20\0\x20\1\x25\1\x20\2\xfc\x11\0\x0b");
	PUT_BODY(&items, "\0\x20\0\x20\1\x20\2\xfc\x0e\0\0\x0b");
	PUT_BODY(&items, "\0\x20\0\x20\1\x20\2\xfc\x0e\0\1\x0b");
	PUT_BODY(&items, "\0\x20\0\x20\1\x20\2\xfc\x0e\1\0\x0b");
	PUT_BODY(&items, "\0\x20\0\x20\1\x20\2\xfc\x0c\2\0\x0b");
	PUT_BODY(&items, "\0\x20\0\x25\1\x20\1\xfc\x0f\0\x0b");
	PUT_BODY(&items, "\0\xfc\x10\0\x0b");
	put_section(&b, 10, 15, &items);
	return guest_instance(g, &b);
}

// Rows in order, each on what those before it have left.
static const struct step {
	const char *name;
	uint64_t arguments[4];
	enum we_trap trap;
	uint64_t result; // of call, tail, grow, size
} steps[] = {
	{"call", {3}, WE_TRAP_NONE, 3},
	{"tail", {19}, WE_TRAP_NONE, 3},
	{"call", {20}, WE_TRAP_UNDEFINED_ELEMENT, 0},
	{"call", {GIB4 + 3}, WE_TRAP_UNDEFINED_ELEMENT, 0},
	{"tail", {GIB4 + 3}, WE_TRAP_UNDEFINED_ELEMENT, 0},
	{"call", {UINT32_MAX}, WE_TRAP_UNDEFINED_ELEMENT, 0},
	{"tail", {UINT64_MAX}, WE_TRAP_UNDEFINED_ELEMENT, 0},
	{"call", {TOP64 + 3}, WE_TRAP_UNDEFINED_ELEMENT, 0},
	{"get", {GIB4}, WE_TRAP_TABLE_OUT_OF_BOUNDS, 0},
	{"get", {20}, WE_TRAP_TABLE_OUT_OF_BOUNDS, 0},
	{"get", {19}, WE_TRAP_NONE, 0},
	{"set", {GIB4 + 1, 2}, WE_TRAP_TABLE_OUT_OF_BOUNDS, 0},
	{"set", {UINT64_MAX, 2}, WE_TRAP_TABLE_OUT_OF_BOUNDS, 0},
	{"call", {1}, WE_TRAP_NONE, 1},
	{"set", {1, 2}, WE_TRAP_NONE, 0},
	{"call", {1}, WE_TRAP_NONE, 2},
	{"fill", {4, 3, GIB4 + 2}, WE_TRAP_TABLE_OUT_OF_BOUNDS, 0},
	{"fill", {GIB4 + 4, 3, 2}, WE_TRAP_TABLE_OUT_OF_BOUNDS, 0},
	{"fill", {4, 3, UINT64_MAX - 3}, WE_TRAP_TABLE_OUT_OF_BOUNDS, 0},
	{"fill", {21, 3, 0}, WE_TRAP_TABLE_OUT_OF_BOUNDS, 0},
	{"fill", {20, 3, 0}, WE_TRAP_NONE, 0},
	{"call", {4}, WE_TRAP_NONE, 0},
	{"fill", {4, 3, 2}, WE_TRAP_NONE, 0},
	{"call", {4}, WE_TRAP_NONE, 3},
	{"call", {6}, WE_TRAP_NONE, 2},
	{"copy00", {8, 3, GIB4 + 1}, WE_TRAP_TABLE_OUT_OF_BOUNDS, 0},
	{"copy00", {GIB4 + 8, 3, 1}, WE_TRAP_TABLE_OUT_OF_BOUNDS, 0},
	{"copy00", {8, GIB4 + 3, 1}, WE_TRAP_TABLE_OUT_OF_BOUNDS, 0},
	{"call", {8}, WE_TRAP_NONE, 0},
	{"copy00", {8, 3, 12}, WE_TRAP_NONE, 0},
	{"call", {8}, WE_TRAP_NONE, 3},
	{"call", {19}, WE_TRAP_NONE, 2},
	{"copy01", {GIB4, 1, 1}, WE_TRAP_TABLE_OUT_OF_BOUNDS, 0},
	{"copy01", {0, 1, 1}, WE_TRAP_NONE, 0},
	{"call", {0}, WE_TRAP_NONE, 1},
	{"copy10", {0, GIB4, 1}, WE_TRAP_TABLE_OUT_OF_BOUNDS, 0},
	{"copy10", {0, 5, 1}, WE_TRAP_NONE, 0},
	{"init", {GIB4 + 9, 1, 1}, WE_TRAP_TABLE_OUT_OF_BOUNDS, 0},
	{"init", {UINT64_MAX, 0, 2}, WE_TRAP_TABLE_OUT_OF_BOUNDS, 0},
	{"init", {18, 0, 3}, WE_TRAP_TABLE_OUT_OF_BOUNDS, 0},
	{"init", {18, 0, 2}, WE_TRAP_NONE, 0},
	{"call", {19}, WE_TRAP_NONE, 1},
	{"size", {0}, WE_TRAP_NONE, 20},
	{"grow", {2, GIB4}, WE_TRAP_NONE, UINT64_MAX},
	{"grow", {2, GIB4 + 1}, WE_TRAP_NONE, UINT64_MAX},
	{"grow", {2, UINT64_MAX}, WE_TRAP_NONE, UINT64_MAX},
	{"grow", {2, 1005}, WE_TRAP_NONE, UINT64_MAX}, // the type's maximum is 1024
	{"size", {0}, WE_TRAP_NONE, 20},
	{"grow", {2, 1004}, WE_TRAP_NONE, 20},
	{"size", {0}, WE_TRAP_NONE, 1024},
	{"call", {1023}, WE_TRAP_NONE, 2},
};

static void table_64_indices_are_whole(void **state)
{
	struct guest g;
	struct we_instance *inst;

	(void)state;
	guest_open(&g, NULL, NULL);
	inst = make_tables(&g);
	for (size_t i = 0; i < N(steps); i++) {
		const bool is_wide = steps[i].name[0] == 'g' || steps[i].name[0] == 's';
		uint64_t result = 0;
		const enum we_trap trap =
			call_4(&g, inst, steps[i].name, steps[i].arguments, &result);

		if (!is_wide)
			result = (uint32_t)result;
		if (trap != steps[i].trap)
			fail_msg("row %zu, %s: %s", i, steps[i].name, we_trap_text(trap));
		if (strchr("cg", steps[i].name[0]) != NULL && strlen(steps[i].name) == 4 &&
			trap == WE_TRAP_NONE && result != steps[i].result)
			fail_msg("row %zu, %s: 0x%llx", i, steps[i].name,
				(unsigned long long)result);
	}
	guest_close(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accesses_at_every_bound_are_exact),
		cmocka_unit_test(bulk_operations_at_every_bound_are_exact),
		cmocka_unit_test(copies_that_overlap_across_4_gib_move_as_one),
		cmocka_unit_test(memory_64_grows_past_4_gib_or_answers_minus_1),
		cmocka_unit_test(limits_of_the_specification_are_valid_and_fail_at_instantiation),
		cmocka_unit_test(table_of_2_to_the_31_elements_is_beyond_every_limit),
		cmocka_unit_test(table_64_indices_are_whole),
	};

	return cmocka_run_group_tests_name("we_memory64", tests, NULL, NULL);
}
