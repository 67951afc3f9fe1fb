// SPDX-License-Identifier: BSD-3-Clause
// Every instruction that computes, in every form that the translation gives it: operands in locals, constants, in a
// loop, its result in a local, in a branch. All forms must answer what the plain one does, value or trap.
#include "opcode.h"
#include "test_module.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

static const struct row {
	uint8_t prefix;
	uint32_t code;
	const char *name;
	const char *params;
	const char *results;
	enum we_imm imm;
	enum we_feature feature;
} rows[] = {
#define WE_OP(feature, prefix, code, NAME, mnemonic, imm, params, results, flags)                  \
	{prefix, code, mnemonic, params, results, WE_IMM_##imm, WE_FEATURE_##feature},
#include "opcode.def"
#undef WE_OP
};

static const uint32_t values_32[] = {
	0, 1, UINT32_MAX, 0x80000000u, 0x7fffffffu, 33, 0x12345678u, 0xffff8000u, 65535};
static const uint64_t values_64[] = {0, 1, UINT64_MAX, 1ull << 63, (1ull << 63) - 1, 65,
	0x123456789abcdef0u, 0xffffffff80000000u, 4294967296u};
static const float values_f32[] = {
	0.0f, -0.0f, 1.5f, -2.5f, 4294967296.0f, 1e-40f, 0.3f, -3e9f, 16777217.0f};
static const double values_f64[] = {
	0.0, -0.0, 1.5, -2.5, 18446744073709551616.0, 5e-324, 0.3, -3e9, 9007199254740993.0};

#define N_VALUES 9u

struct forms {
	struct bytes types;
	struct bytes funcs;
	struct bytes exports;
	struct bytes code;
	uint32_t n;
};

static uint8_t type_byte(char letter)
{
	static const char letters[] = "ilfdv";

	return (uint8_t)(0x7f - (strchr(letters, letter) - letters));
}

static void put_op(struct bytes *b, const struct row *row)
{
	if (row->prefix == 0) {
		put_byte(b, (uint8_t)row->code);
		return;
	}
	put_byte(b, row->prefix);
	put_u(b, row->code);
}

// The k-th value of a type as it lies in slots.
static void value_of(char letter, uint32_t k, uint64_t slots[2])
{
	uint32_t bits = 0;

	slots[0] = 0;
	slots[1] = 0;
	switch (letter) {
	case 'i':
		slots[0] = values_32[k % N_VALUES];
		break;
	case 'l':
		slots[0] = values_64[k % N_VALUES];
		break;
	case 'f':
		memcpy(&bits, &values_f32[k % N_VALUES], 4);
		slots[0] = bits;
		break;
	case 'd':
		memcpy(slots, &values_f64[k % N_VALUES], 8);
		break;
	default:
		slots[0] = values_64[k % N_VALUES] * 0x0101010101010101u;
		slots[1] = values_64[(k + 4) % N_VALUES] ^ 0x80ff7f0180ff7f01u;
		break;
	}
}

static void put_constant(struct bytes *b, char letter, uint32_t k)
{
	uint64_t slots[2];

	value_of(letter, k, slots);
	switch (letter) {
	case 'i':
		put_byte(b, 0x41);
		put_s(b, (int32_t)slots[0]);
		break;
	case 'l':
		put_byte(b, 0x42);
		put_s(b, (int64_t)slots[0]);
		break;
	case 'f':
		put_byte(b, 0x43);
		put_bytes(b, slots, 4);
		break;
	case 'd':
		put_byte(b, 0x44);
		put_bytes(b, slots, 8);
		break;
	default:
		put_bytes(b, "\xfd\x0c", 2);
		put_bytes(b, slots, 16);
		break;
	}
}

// Operand i of a call with the values from k on: a local, or a constant where the mask says so.
static void put_operands(struct bytes *b, const struct row *row, uint32_t mask, uint32_t k)
{
	for (uint32_t i = 0; row->params[i] != '\0'; i++) {
		if (mask >> i & 1) {
			put_constant(b, row->params[i], k + i * (k % 3 + 1));
		} else {
			put_byte(b, 0x20);
			put_u(b, i);
		}
	}
	put_op(b, row);
}

enum form {
	FORM_PLAIN,
	FORM_SET,    // through a local of its own
	FORM_LOOP,   // in a loop, where constants live in the frame
	FORM_BRANCH, // i32 results: br_if, not, if, backwards
	FORM_BRANCH_NOT,
	FORM_IF,
	FORM_BACK,
	FORM_BACK_NOT,
	N_FORMS
};

static void put_form(
	struct forms *f, const struct row *row, enum form form, uint32_t mask, uint32_t k)
{
	const uint8_t result = type_byte(row->results[0]);
	const uint32_t n_params = (uint32_t)strlen(row->params);
	struct bytes body = {.len = 0};

	put_bytes(&body, (uint8_t[]){1, 1, result}, 3);
	switch (form) {
	case FORM_PLAIN:
		put_operands(&body, row, mask, k);
		break;
	case FORM_SET:
		put_operands(&body, row, mask, k);
		put_bytes(&body, (uint8_t[]){0x21, (uint8_t)n_params, 0x20, (uint8_t)n_params}, 4);
		break;
	case FORM_LOOP:
		put_bytes(&body, (uint8_t[]){0x03, result}, 2);
		put_operands(&body, row, mask, k);
		put_byte(&body, 0x0b);
		break;
	case FORM_BRANCH: // block: op, br_if 0; return 0; end; 1, as op != 0 != 0
		put_bytes(&body, "\x02\x40", 2);
		put_operands(&body, row, mask, k);
		put_bytes(&body, "\x0d\0\x41\0\x0f\x0b\x41\1", 8);
		break;
	case FORM_BRANCH_NOT:
		put_bytes(&body, "\x02\x40", 2);
		put_operands(&body, row, mask, k);
		put_bytes(&body, "\x45\x0d\0\x41\1\x0f\x0b\x41\0", 9);
		break;
	case FORM_IF:
		put_operands(&body, row, mask, k);
		put_bytes(&body, "\x04\x7f\x41\1\x05\x41\0\x0b", 8);
		break;
	case FORM_BACK:     // loop: if the local is set return 1; set it; op, br_if 0; end; 0
	case FORM_BACK_NOT: // if it is set return 0; set it; op, eqz, br_if 0; end; 1
		put_bytes(&body, "\x03\x40\x20", 3);
		put_u(&body, n_params);
		put_bytes(&body, "\x04\x40\x41", 3);
		put_byte(&body, form == FORM_BACK);
		put_bytes(&body, "\x0f\x0b\x41\1\x21", 5);
		put_u(&body, n_params);
		put_operands(&body, row, mask, k);
		if (form == FORM_BACK_NOT)
			put_byte(&body, 0x45);
		put_bytes(&body, "\x0d\0\x0b\x41", 4);
		put_byte(&body, form == FORM_BACK_NOT);
		break;
	case N_FORMS:
		break;
	}
	put_byte(&body, 0x0b);
	put_body(&f->code, &body);
	put_byte(&f->funcs, 0);
	f->n++;
}

struct answer {
	int rc;
	uint32_t trap;
	uint64_t slots[2];
};

static struct answer ask(
	const struct we_instance *inst, const struct row *row, uint32_t idx, uint32_t k)
{
	struct answer answer = {0};
	struct we_error err = {0};
	struct we_extern table;
	uint64_t slots[6] = {0};
	uint64_t *at = slots;
	void *func;

	for (uint32_t i = 0; row->params[i] != '\0'; i++) {
		value_of(row->params[i], k + i * (k % 3 + 1), at);
		at += row->params[i] == 'v' ? 2 : 1;
	}
	assert_int_equal(we_instance_export(inst, "t", 1, &table), 0);
	assert_int_equal(we_table_get(table.of.table, idx, &func), 0);
	answer.rc = we_func_call(func, slots, &err);
	answer.trap = answer.rc == 0 ? 0 : err.trap;
	if (answer.rc != 0)
		return answer;
	answer.slots[0] = strchr("if", row->results[0]) != NULL ? (uint32_t)slots[0] : slots[0];
	answer.slots[1] = row->results[0] == 'v' ? slots[1] : 0;
	return answer;
}

// All forms of one instruction in one module; its functions lie in a table in the order in which they are made.
static void check_row(struct we_engine *engine, const struct row *row)
{
	static struct forms f;
	static struct bytes b;
	const uint32_t n_params = (uint32_t)strlen(row->params);
	const bool is_condition = row->results[0] == 'i';
	struct bytes elems = {.len = 0};
	struct we_module *module;
	struct we_store *store;
	struct we_instance *inst;
	struct we_error err;
	uint32_t idx;

	memset(&f, 0, sizeof(f));
	put_byte(&f.types, 0x60);
	put_u(&f.types, n_params);
	for (uint32_t i = 0; i < n_params; i++)
		put_byte(&f.types, type_byte(row->params[i]));
	put_bytes(&f.types, (uint8_t[]){1, type_byte(row->results[0])}, 2);
	for (uint32_t k = 0; k < N_VALUES; k++)
		for (uint32_t mask = 0; mask < 1u << n_params; mask++)
			for (enum form form = 0; form < (is_condition ? N_FORMS : FORM_BRANCH);
				form++)
				put_form(&f, row, form, mask, k);
	begin_module(&b);
	put_section(&b, 1, 1, &f.types);
	put_section(&b, 3, f.n, &f.funcs);
	put_bytes(&elems, "\x70\0", 2);
	put_u(&elems, f.n);
	put_section(&b, 4, 1, &elems);
	PUT_SECTION(&b, 7, 1, "\1t\1\0");
	elems.len = 0;
	put_bytes(&elems, "\0\x41\0\x0b", 4);
	put_u(&elems, f.n);
	for (uint32_t i = 0; i < f.n; i++)
		put_u(&elems, i);
	put_section(&b, 9, 1, &elems);
	put_section(&b, 10, f.n, &f.code);

	if (we_module_create(engine, (struct we_bytes){b.data, b.len}, 0, &module, &err) != 0)
		fail_msg("%s: %s", row->name, err.msg);
	assert_int_equal(we_store_create(engine, NULL, &store, &err), 0);
	assert_int_equal(we_instance_create(store, module, NULL, 0, &inst, &err), 0);
	idx = 0;
	for (uint32_t k = 0; k < N_VALUES; k++) {
		struct answer plain = {0};

		for (uint32_t mask = 0; mask < 1u << n_params; mask++) {
			for (enum form form = 0; form < (is_condition ? N_FORMS : FORM_BRANCH);
				form++) {
				struct answer a = ask(inst, row, idx++, k);
				struct answer wanted = plain;

				if (mask == 0 && form == FORM_PLAIN)
					plain = wanted = a;
				if (form >= FORM_BRANCH && wanted.rc == 0)
					wanted.slots[0] = wanted.slots[0] != 0;
				if (memcmp(&a, &wanted, sizeof(a)) != 0)
					fail_msg("%s, values %u, constants %u, form %d: "
						 "%d trap %u 0x%llx, plain %d trap %u 0x%llx",
						row->name, k, mask, (int)form, a.rc, a.trap,
						(unsigned long long)a.slots[0], wanted.rc,
						wanted.trap, (unsigned long long)wanted.slots[0]);
			}
		}
	}
	we_store_destroy(store);
	we_module_unref(module);
}

static void every_form_of_an_instruction_answers_the_same(void **state)
{
	struct we_engine *engine;
	struct we_error err;
	uint32_t n = 0;

	(void)state;
	assert_int_equal(we_engine_create(NULL, &engine, &err), 0);
	for (size_t i = 0; i < N(rows); i++) {
		if (rows[i].imm != WE_IMM_NONE ||
			strspn(rows[i].params, "ilfdv") != strlen(rows[i].params) ||
			strlen(rows[i].results) != 1 || rows[i].results[0] == '*')
			continue;
		check_row(engine, &rows[i]);
		n++;
	}
	assert_in_range(n, 300, N(rows)); // all that compute
	we_engine_destroy(engine);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_form_of_an_instruction_answers_the_same),
	};

	return cmocka_run_group_tests_name("we_forms", tests, NULL, NULL);
}
