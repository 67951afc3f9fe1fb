// SPDX-License-Identifier: BSD-3-Clause
// The linker of objects and the reader of line programs on damaged input, and on what position-independent code of ours never
// has: each is refused by name, and nothing is read that is not there.
#include "test_native.h"

#include "object.h"
#include "target.h"

#include <llvm-c/IRReader.h>
#include <llvm-c/Target.h>
#include <llvm-c/TargetMachine.h>

#include <elf.h>

enum {
	N_MUTATIONS = 4000,
};

struct rig {
	struct pair pair;
	struct we_module *module;
	struct we_jit_options opt;
	struct unit u;
};

// A module of one function, which objects here are of.
static int open_rig(void **state)
{
	static struct draft d;
	static struct bytes b;
	struct rig *rig = calloc(1, sizeof(*rig));

	assert_non_null(rig);
	draft_begin(&d);
	draft_type(&d, "func i32 -> i32");
	draft_func(&d, 0, "", "local.get 0", "a");
	draft_end(&d, &b);
	pair_open(&rig->pair, NULL, NULL);
	assert_int_equal(we_module_create(rig->pair.engine, (struct we_bytes){b.data, b.len}, 0,
				 &rig->module, NULL),
		0);
	rig->opt = test_options();
	rig->opt.first_func = 0;
	rig->opt.n_funcs = 1;
	target_init();
	unit_init(&rig->u, rig->module, &rig->opt);
	(void)unit_sig(&rig->u, rig->module->is.funcs[0].type);
	*state = rig;
	return 0;
}

static int close_rig(void **state)
{
	struct rig *rig = *state;

	unit_fini(&rig->u);
	we_module_unref(rig->module);
	pair_close(&rig->pair);
	free(rig);
	return 0;
}

// The object code of a module in LLVM's language.
static LLVMMemoryBufferRef compile(const char *text, LLVMRelocMode reloc)
{
	LLVMContextRef cx = LLVMContextCreate();
	LLVMMemoryBufferRef in = LLVMCreateMemoryBufferWithMemoryRangeCopy(text, strlen(text), "t");
	LLVMMemoryBufferRef object = NULL;
	LLVMModuleRef m = NULL;
	LLVMTargetRef target = NULL;
	LLVMTargetMachineRef tm;
	char *msg = NULL;

	if (LLVMParseIRInContext(cx, in, &m, &msg) ||
		LLVMGetTargetFromTriple(TARGET_TRIPLE, &target, &msg))
		fail_msg("%s", msg);
	tm = LLVMCreateTargetMachine(target, TARGET_TRIPLE, "x86-64-v2", "",
		LLVMCodeGenLevelDefault, reloc, LLVMCodeModelSmall);
	LLVMSetTarget(m, TARGET_TRIPLE);
	if (LLVMTargetMachineEmitToMemoryBuffer(tm, m, LLVMObjectFile, &msg, &object))
		fail_msg("%s", msg);
	LLVMDisposeTargetMachine(tm);
	LLVMDisposeModule(m);
	LLVMContextDispose(cx);
	return object;
}

static int link_bytes(struct rig *rig, const void *bytes, size_t n, struct we_error *err)
{
	void *image = NULL;
	size_t image_bytes = 0;
	const int rc = object_to_image(&rig->u, &rig->opt, bytes, n, &image, &image_bytes, err);

	if (rc == 0) {
		struct we_error checked;

		// What it makes, the runtime takes, or refuses by itself.
		(void)!we_image_check(image, image_bytes, &checked);
		free(image);
	}
	return rc;
}

static void expect_refused(struct rig *rig, const char *text, LLVMRelocMode reloc, const char *why)
{
	LLVMMemoryBufferRef object = compile(text, reloc);
	struct we_error err = {0};
	const int rc = link_bytes(rig, LLVMGetBufferStart(object), LLVMGetBufferSize(object), &err);

	LLVMDisposeMemoryBuffer(object);
	if (rc != WE_E_HOST || strstr(err.msg, why) == NULL)
		fail_msg("%s: %d %s", why, rc, err.msg);
}

// ---- refusals ------------------------------------------------------------------------------------

static const char plain[] =
	"define hidden i64 @f0(i64 %x) noinline prefix [4 x i8] c\"\\48\\8B\\7F\\18\" !dbg !4 {\n"
	"  %c = icmp eq i64 %x, 7, !dbg !5\n"
	"  br i1 %c, label %a, label %b, !dbg !5\n"
	"a:\n  ret i64 81985529216486895, !dbg !6\n"
	"b:\n  %f = uitofp i64 %x to double, !dbg !6\n"
	"  %g = fadd double %f, 0x3FF3C0CA428C59FB, !dbg !6\n"
	"  %h = fptoui double %g to i64, !dbg !7\n  ret i64 %h, !dbg !7\n}\n"
	"define hidden i32 @w0(ptr %e, ptr %f, ptr %s) {\n  ret i32 0\n}\n"
	"!llvm.dbg.cu = !{!0}\n!llvm.module.flags = !{!2, !3}\n"
	"!0 = distinct !DICompileUnit(language: DW_LANG_C, file: !1, emissionKind: "
	"LineTablesOnly)\n"
	"!1 = !DIFile(filename: \"wasm\", directory: \".\")\n"
	"!2 = !{i32 2, !\"Debug Info Version\", i32 3}\n!3 = !{i32 2, !\"Dwarf Version\", i32 4}\n"
	"!4 = distinct !DISubprogram(name: \"f\", file: !1, line: 30, type: !8, unit: !0, "
	"spFlags: DISPFlagDefinition)\n"
	"!5 = !DILocation(line: 31, scope: !4)\n!6 = !DILocation(line: 300, scope: !4)\n"
	"!7 = !DILocation(line: 70000, scope: !4)\n!8 = !DISubroutineType(types: !9)\n!9 = "
	"!{null}\n";

static void object_as_ours_becomes_an_image(void **state)
{
	struct rig *rig = *state;
	LLVMMemoryBufferRef object = compile(plain, LLVMRelocPIC);
	struct we_error err = {0};
	struct we_image *image = NULL;
	void *bytes = NULL;
	size_t n = 0;
	uint32_t last = 0;

	if (object_to_image(&rig->u, &rig->opt, LLVMGetBufferStart(object),
		    LLVMGetBufferSize(object), &bytes, &n, &err) != 0)
		fail_msg("%s", err.msg);
	LLVMDisposeMemoryBuffer(object);
	if (we_image_map(bytes, n, &image, &err) != 0)
		fail_msg("%s", err.msg);
	assert_int_not_equal(image->funcs[0].body, 0);
	assert_int_equal(image->funcs[0].entry, image->funcs[0].body - UNIT_ENTRY_BYTES);
	assert_memory_equal(image->code + image->funcs[0].entry, unit_entry_code, UNIT_ENTRY_BYTES);
	assert_int_equal(we_image_func_at(image, image->funcs[0].entry), WE_NO_FUNC);
	assert_int_not_equal(image->funcs[0].enter, 0);
	assert_int_equal(we_image_func_at(image, image->funcs[0].body), 0);
	assert_int_equal(we_image_at(image, image->funcs[0].body), 31);
	for (uint32_t i = 0; i < image->header.n_places; i++)
		last = image->places[i].at > last ? image->places[i].at : last;
	assert_int_equal(last, 70000);
	we_image_release(image);
	free(bytes);
}

static void body_without_its_entry_is_refused(void **state)
{
	expect_refused(*state, "define i64 @f0(i64 %x) {\n  ret i64 %x\n}\n", LLVMRelocPIC,
		"a function without its entry: f0");
}

static void undefined_symbol_is_refused_by_name(void **state)
{
	expect_refused(*state,
		"declare float @fmaf(float, float, float)\n"
		"define float @f0(float %x) {\n"
		"  %r = call float @fmaf(float %x, float %x, float %x)\n  ret float %r\n}\n",
		LLVMRelocPIC, "undefined symbol: fmaf");
	expect_refused(*state,
		"declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)\n"
		"define void @f0(ptr %p, i64 %n) {\n"
		"  call void @llvm.memset.p0.i64(ptr %p, i8 0, i64 %n, i1 false)\n  ret void\n}\n",
		LLVMRelocPIC, "undefined symbol: memset");
	expect_refused(*state,
		"declare double @llvm.sin.f64(double)\ndefine double @f0(double %x) {\n"
		"  %r = call double @llvm.sin.f64(double %x)\n  ret double %r\n}\n",
		LLVMRelocPIC, "undefined symbol: sin");
}

static void absolute_relocation_is_refused_by_number(void **state)
{
	expect_refused(*state,
		"@t = internal constant [2 x ptr] [ptr @f0, ptr @f1]\n"
		"define i64 @f0(i64 %i) {\n"
		"  %p = getelementptr [2 x ptr], ptr @t, i64 0, i64 %i\n"
		"  %f = load ptr, ptr %p\n  %r = call i64 %f(i64 %i)\n  ret i64 %r\n}\n"
		"define internal i64 @f1(i64 %x) {\n  ret i64 %x\n}\n",
		LLVMRelocStatic, "a relocation that position-independent code has not: type");
}

static void variables_are_refused(void **state)
{
	expect_refused(*state,
		"@v = internal global i64 5\ndefine i64 @f0() {\n  %r = load volatile i64, ptr @v\n"
		"  store volatile i64 6, ptr @v\n  ret i64 %r\n}\n",
		LLVMRelocPIC, "a writable section: .data");
	expect_refused(*state,
		"@v = internal global i64 0\ndefine i64 @f0() {\n  %r = load volatile i64, ptr @v\n"
		"  store volatile i64 6, ptr @v\n  ret i64 %r\n}\n",
		LLVMRelocPIC, "a section of variables: .bss");
}

// ---- damage --------------------------------------------------------------------------------------

static uint64_t any_of(uint64_t *random)
{
	static const uint64_t edges[] = {0, 1, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0x80000000,
		0xffffffff, UINT64_MAX, INT64_MAX, (uint64_t)INT64_MAX + 1, UINT64_MAX - 7, 64,
		4096};

	return next_random(random) & 1 ? edges[(next_random(random) >> 8) % 14]
				       : next_random(random) >> (next_random(random) % 64);
}

// A few fields of 1 to 8 bytes, mostly where headers, symbols and relocations are.
static void damage(uint8_t *bytes, size_t n, uint64_t *random)
{
	const Elf64_Ehdr *header = (const Elf64_Ehdr *)(const void *)bytes;
	const size_t sections = header->e_shoff;
	const uint16_t n_sections = header->e_shnum;

	for (uint64_t i = 1 + next_random(random) % 3; i > 0; i--) {
		const uint64_t x = any_of(random);
		const size_t width = (size_t)1 << next_random(random) % 4;
		size_t at = next_random(random) % n;

		if (next_random(random) % 3 == 0)
			at = sections +
			     (next_random(random) >> 9) % (n_sections * sizeof(Elf64_Shdr));
		else if (next_random(random) % 3 == 0)
			at = (next_random(random) >> 9) % sizeof(Elf64_Ehdr);
		at = at / width * width;
		if (at + width <= n)
			memcpy(bytes + at, &x, width);
	}
}

static void damaged_object_is_an_image_or_refused(void **state)
{
	struct rig *rig = *state;
	LLVMMemoryBufferRef object = compile(plain, LLVMRelocPIC);
	const size_t n = LLVMGetBufferSize(object);
	const uint64_t rounds = asked("WEIR_ROUNDS", N_MUTATIONS);
	uint64_t random = asked("WEIR_SEED", 1) * 0x9e3779b97f4a7c15 + 1;

	for (uint64_t i = 0; i < rounds; i++) {
		uint8_t *copy = malloc(n); // its own block: a sanitizer sees its ends
		size_t len = n;
		struct we_error err;
		int rc;

		assert_non_null(copy);
		memcpy(copy, LLVMGetBufferStart(object), n);
		damage(copy, n, &random);
		if (next_random(&random) % 8 == 0) {
			uint8_t *shorter;

			len = next_random(&random) % n;
			shorter = malloc(len + 1);
			assert_non_null(shorter);
			memcpy(shorter, copy, len);
			free(copy);
			copy = shorter;
		}
		rc = link_bytes(rig, copy, len, &err);
		free(copy);
		assert_true(rc == 0 || rc == WE_E_HOST || rc == WE_E_NOMEM);
	}
	LLVMDisposeMemoryBuffer(object);
}

static void count_line(void *env, uint64_t offset, uint32_t line, bool is_end)
{
	uint64_t *n = env;

	(void)offset;
	(void)line;
	(void)is_end;
	++*n;
}

// A line program of one unit: a header as LLVM's, then opcodes at random.
static void damaged_line_program_is_read_or_refused(void **state)
{
	static const uint8_t header[] = {0, 0, 0, 0, 4, 0, 18, 0, 0, 0, 1, 1, 1, 0xfb, 14, 13, 0, 1,
		1, 1, 1, 0, 0, 0, 1, 0, 0, 1};
	const uint64_t rounds = asked("WEIR_ROUNDS", N_MUTATIONS);
	uint64_t random = asked("WEIR_SEED", 1) * 0x9e3779b97f4a7c15 + 1;
	uint64_t n_read = 0;

	(void)state;
	for (uint64_t i = 0; i < rounds; i++) {
		const size_t n = sizeof(header) + next_random(&random) % 60;
		uint8_t *program = malloc(n);
		const uint32_t len = (uint32_t)n - 4;
		uint64_t n_rows = 0;

		assert_non_null(program);
		for (size_t k = 0; k < n; k++)
			program[k] = (uint8_t)((next_random(&random) >> 13) %
					       (next_random(&random) % 2 == 0 ? 14 : 255));
		memcpy(program, header, sizeof(header));
		memcpy(program, &len, 4);
		if (next_random(&random) % 4 == 0)
			program[next_random(&random) % sizeof(header)] =
				(uint8_t)next_random(&random);
		n_read += lines_read(program, n, count_line, &n_rows);
		assert_true(n_rows <= n);
		free(program);
	}
	assert_true(n_read > 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(object_as_ours_becomes_an_image),
		cmocka_unit_test(body_without_its_entry_is_refused),
		cmocka_unit_test(undefined_symbol_is_refused_by_name),
		cmocka_unit_test(absolute_relocation_is_refused_by_number),
		cmocka_unit_test(variables_are_refused),
		cmocka_unit_test(damaged_object_is_an_image_or_refused),
		cmocka_unit_test(damaged_line_program_is_read_or_refused),
	};

	return cmocka_run_group_tests_name("jit_object", tests, open_rig, close_rig);
}
