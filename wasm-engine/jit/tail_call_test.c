// SPDX-License-Identifier: BSD-3-Clause
// Random programs of tail calls: functions of random signatures in three modules call each other, directly, by a table and by
// references, 20,000 deep on a small stack. Each returns what the interpreter does.
//
// LLVM drops arguments that a tail call passes on the stack, and its own convention for tail calls pops what nobody has
// pushed: the registers and the buffer of native_abi.h are all there is.
// WEIR_SEED, WEIR_ROUNDS: other programs, more of them.
#include "test_native.h"

enum {
	N_MODULES = 3,
	PER_MODULE = 4,
	N_FUNCS = N_MODULES * PER_MODULE,
	MAX_PARAMS = 20, // and the counter
	MAX_RESULTS = 10,
	DEPTH = 20000,
	STACK_BYTES = 384 * 1024,
};

static const char *const kind_names[] = {
	"i32", "i64", "f32", "f64", "v128", "funcref", "externref", "anyref"};

enum {
	N_KINDS = 8
};

struct signature {
	uint32_t n;
	uint32_t counter; // which parameter counts down
	enum we_kind kinds[MAX_PARAMS + 1];
};

struct program {
	struct pair pair;
	struct twins table;
	struct twins modules[N_MODULES];
	struct signature params[N_FUNCS];
	uint32_t n_results;
	enum we_kind results[MAX_RESULTS];
	struct writer w; // of the function that is being written
};

// ---- writing -------------------------------------------------------------------------------------

static enum we_kind any_kind(struct writer *w)
{
	return (enum we_kind)any(w, N_KINDS);
}

static void choose_signatures(struct program *p)
{
	for (uint32_t i = 0; i < N_FUNCS; i++) {
		struct signature *s = &p->params[i];
		// Most have a few parameters, as registers take; some have many.
		const uint32_t most = any(&p->w, 3) == 0 ? MAX_PARAMS : 6;

		s->n = 1 + any(&p->w, most + 1);
		s->counter = any(&p->w, s->n);
		for (uint32_t k = 0; k < s->n; k++)
			s->kinds[k] = k == s->counter ? WE_I32 : any_kind(&p->w);
	}
	p->n_results = any(&p->w, any(&p->w, 2) == 0 ? 4 : MAX_RESULTS + 1);
	for (uint32_t i = 0; i < p->n_results; i++)
		p->results[i] = any_kind(&p->w);
}

static void put_constant(struct writer *w, enum we_kind kind)
{
	switch (kind) {
	case WE_I32:
	case WE_I64:
	case WE_F32:
	case WE_F64:
		put_text(w, "%s.const %u ", kind_names[kind], any(w, 1000));
		break;
	case WE_V128:
		put_text(w, "v128.const %u %u ", any(w, 1000), any(w, 1000));
		break;
	case WE_FUNCREF:
		if (any(w, 2) == 0)
			put_text(w, "ref.func %u ", any(w, PER_MODULE));
		else
			put_text(w, "ref.null func ");
		break;
	case WE_EXTERNREF:
		put_text(w, "ref.null extern ");
		break;
	default:
		put_text(w, "i32.const %u ref.i31 ", any(w, 1000));
		break;
	}
}

// One of the function's own parameters of the kind, changed a little, or a constant.
static void put_value(struct writer *w, const struct signature *own, enum we_kind kind)
{
	static const char *const changes[] = {"i32.const 3 i32.add ", "i64.const -5 i64.add ",
		"f32.const 1.5 f32.add ", "f64.const 0.25 f64.add ", "v128.const 7 9 i64x2.add ",
		"", "", ""};
	const uint32_t from = any(w, own->n);

	for (uint32_t i = 0; i < own->n; i++) {
		const uint32_t k = (from + i) % own->n;

		if (own->kinds[k] != kind || k == own->counter)
			continue;
		put_text(w, "local.get %u %s", k, any(w, 3) == 0 ? changes[kind] : "");
		return;
	}
	put_constant(w, kind);
}

// The counter that the callee gets is computed by `counter` from that of the function.
static void put_call(
	struct program *p, uint32_t from, uint32_t to, const char *counter, bool is_tail)
{
	struct writer *w = &p->w;
	const struct signature *own = &p->params[from];
	const struct signature *its = &p->params[to];
	const char *tail = is_tail ? "return_" : "";
	const uint32_t how = any(w, 3);

	for (uint32_t i = 0; i < its->n; i++) {
		if (i == its->counter)
			put_text(w, "local.get %u %s ", own->counter, counter);
		else
			put_value(w, own, its->kinds[i]);
	}
	if (how == 0 && from / PER_MODULE == to / PER_MODULE)
		put_text(w, "%scall %u ", tail, to % PER_MODULE);
	else if (how < 2)
		put_text(w, "i32.const %u %scall_indirect %u 0 ", to, tail, to);
	else
		put_text(
			w, "i32.const %u table.get 0 ref.cast %u %scall_ref %u ", to, to, tail, to);
}

// Counts down to results of its parameters; on the way, calls that return now and then.
static void put_func(struct program *p, uint32_t idx)
{
	struct writer *w = &p->w;
	const struct signature *own = &p->params[idx];

	w->len = 0;
	put_text(w, "local.get %u i32.eqz if void ", own->counter);
	for (uint32_t i = 0; i < p->n_results; i++)
		put_value(w, own, p->results[i]);
	put_text(w, "return end local.get %u i32.const 255 i32.and i32.const 5 i32.eq if void ",
		own->counter);
	put_call(p, idx, any(w, N_FUNCS), "i32.const 3 i32.shr_u", false);
	for (uint32_t i = 0; i < p->n_results; i++)
		put_text(w, "drop ");
	put_text(w, "end local.get %u i32.const 1 i32.and if void ", own->counter);
	put_call(p, idx, any(w, N_FUNCS), "i32.const 1 i32.sub", true);
	put_text(w, "else ");
	put_call(p, idx, any(w, N_FUNCS), "i32.const 1 i32.sub", true);
	put_text(w, "end unreachable");
}

static void put_types(const struct program *p, struct draft *d)
{
	for (uint32_t i = 0; i < N_FUNCS; i++) {
		const struct signature *s = &p->params[i];
		char text[400] = "func";

		for (uint32_t k = 0; k < s->n; k++) {
			strcat(text, " ");
			strcat(text, kind_names[s->kinds[k]]);
		}
		strcat(text, " ->");
		for (uint32_t k = 0; k < p->n_results; k++) {
			strcat(text, " ");
			strcat(text, kind_names[p->results[k]]);
		}
		draft_type(d, text);
	}
}

static void make_table(struct program *p)
{
	static struct draft d;
	static struct bytes b;

	draft_begin(&d);
	draft_table(&d, "funcref", N_FUNCS);
	draft_export(&d, "t", WE_EXTERN_TABLE, 0);
	draft_end(&d, &b);
	p->table = pair_instance(&p->pair, &b, NULL);
}

static void make_module(struct program *p, uint32_t m, const struct we_jit_options *opt)
{
	static struct draft d;
	static struct bytes b;
	const uint8_t table[] = {0x70, 0, N_FUNCS};
	const struct we_extern of[] = {
		twin_export(&p->table, INTERP, "t"), twin_export(&p->table, NATIVE, "t")};
	const struct we_extern *const imports[] = {&of[INTERP], &of[NATIVE]};
	char name[16];

	draft_begin(&d);
	put_types(p, &d);
	draft_import(&d, WE_EXTERN_TABLE, table, sizeof(table));
	for (uint32_t i = 0; i < PER_MODULE; i++) {
		const uint32_t idx = m * PER_MODULE + i;

		put_func(p, idx);
		snprintf(name, sizeof(name), "f%u", idx);
		draft_func(&d, idx, "", p->w.text, name);
	}
	draft_elem_funcs(&d, false, 0, PER_MODULE);
	draft_end(&d, &b);
	p->modules[m] = pair_link(&p->pair, &b, opt, imports, 1);
	for (unsigned side = 0; side < SIDES; side++)
		for (uint32_t i = 0; i < PER_MODULE; i++)
			p->table.of[side]->tables[0]->elems[m * PER_MODULE + i] =
				p->modules[m].of[side]->funcs[i];
}

// ---- running -------------------------------------------------------------------------------------

struct run {
	struct program *p;
	uint32_t func;
	uint32_t depth;
	uint64_t slots[SIDES][2 * (MAX_PARAMS + 1)];
	struct outcome ends[SIDES];
};

static void put_arguments(struct run *r, enum side side)
{
	const struct signature *s = &r->p->params[r->func];
	uint64_t *slot = r->slots[side];
	uint64_t random = r->func + 99;

	for (uint32_t i = 0; i < s->n; i++) {
		const uint64_t x = next_random(&random) >> 40;
		const double d = (double)x;
		const float f = (float)x;

		memset(slot, 0, 16);
		if (i == s->counter)
			*slot = r->depth;
		else if (s->kinds[i] == WE_F32)
			memcpy(slot, &f, sizeof(f));
		else if (s->kinds[i] == WE_F64)
			memcpy(slot, &d, sizeof(d));
		else if (s->kinds[i] == WE_FUNCREF)
			*slot = (uintptr_t)r->p->table.of[side]->tables[0]->elems[x % N_FUNCS];
		else if (s->kinds[i] != WE_ANYREF) // null
			*slot = x;
		if (s->kinds[i] == WE_V128)
			slot[1] = ~x;
		slot += s->kinds[i] == WE_V128 ? 2 : 1;
	}
}

static void *run_both(void *env)
{
	struct run *r = env;
	char name[16];

	snprintf(name, sizeof(name), "f%u", r->func);
	for (unsigned side = 0; side < SIDES; side++) {
		put_arguments(r, (enum side)side);
		call_side(&r->p->modules[r->func / PER_MODULE], (enum side)side, name,
			r->slots[side], &r->ends[side]);
	}
	return NULL;
}

static bool same_value(enum we_kind kind, const uint64_t *x, const uint64_t *y)
{
	const struct we_func *f = (const struct we_func *)(uintptr_t)*x;
	const struct we_func *g = (const struct we_func *)(uintptr_t)*y;

	if (kind == WE_FUNCREF)
		return f == NULL || g == NULL
			       ? f == g
			       : f->idx == g->idx && f->instance->module == g->instance->module;
	return memcmp(x, y, kind == WE_V128 ? 16 : kind == WE_I32 || kind == WE_F32 ? 4 : 8) == 0;
}

static void compare(struct program *p, uint64_t seed, uint32_t func, uint32_t depth)
{
	struct run r = {.p = p, .func = func, .depth = depth};
	uint32_t slot = 0;

	run_on_stack(STACK_BYTES, run_both, &r);
	for (unsigned side = 0; side < SIDES; side++)
		if (r.ends[side].rc != 0)
			fail_msg("seed %llu, function %u, depth %u: %s", (unsigned long long)seed,
				func, depth, r.ends[side].err.msg);
	for (uint32_t i = 0; i < p->n_results; i++) {
		const uint64_t *x = &r.slots[INTERP][slot];
		const uint64_t *y = &r.slots[NATIVE][slot];

		if (!same_value(p->results[i], x, y))
			fail_msg("seed %llu, function %u, depth %u: result %u (%s) is %llx, not "
				 "%llx",
				(unsigned long long)seed, func, depth, i, kind_names[p->results[i]],
				(unsigned long long)*y, (unsigned long long)*x);
		slot += p->results[i] == WE_V128 ? 2 : 1;
	}
}

static void compare_program(uint64_t seed, bool has_interpreted)
{
	static struct program p;
	const struct we_jit_options opt = test_options();

	memset(&p, 0, sizeof(p));
	p.w.random = (seed + 1) * 0x9e3779b97f4a7c15;
	pair_open(&p.pair, NULL, NULL);
	choose_signatures(&p);
	make_table(&p);
	for (uint32_t m = 0; m < N_MODULES; m++)
		make_module(&p, m, has_interpreted && m == 2 ? NULL : &opt);
	for (uint32_t i = 0; i < N_FUNCS; i++)
		for (uint32_t depth = 0; depth < 24; depth += 1 + depth / 4)
			compare(&p, seed, i, depth);
	compare(&p, seed, (uint32_t)(seed % N_FUNCS), DEPTH);
	pair_close(&p.pair);
}

static void compare_programs(bool has_interpreted)
{
	const uint64_t seed = asked("WEIR_SEED", 1);
	const uint64_t rounds = asked("WEIR_ROUNDS", 6);

	for (uint64_t i = 0; i < rounds; i++)
		compare_program(seed + i, has_interpreted);
}

static void tail_calls_of_any_signature_pass_what_the_interpreter_passes(void **state)
{
	(void)state;
	compare_programs(false);
}

static void tail_calls_into_the_interpreter_and_back_lose_nothing(void **state)
{
	(void)state;
	compare_programs(true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tail_calls_of_any_signature_pass_what_the_interpreter_passes),
		cmocka_unit_test(tail_calls_into_the_interpreter_and_back_lose_nothing),
	};

	return cmocka_run_group_tests_name("jit_tail_call", tests, NULL, NULL);
}
