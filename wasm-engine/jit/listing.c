// SPDX-License-Identifier: BSD-3-Clause
// A function's machine code beside its wasm: see listing.h.
//
// Module path 3/6.
#include "listing.h"

#include <inttypes.h>
#include <llvm-c/Disassembler.h>
#include <string.h>

#include "instr.h"
#include "target.h"

enum {
	WIDTH = 46, // of the wasm column
};

struct listing {
	const struct we_module *module;
	const struct we_image_header *header;
	const struct we_image_range *ranges;
	const struct we_image_place *places;
	const uint8_t *code;
	LLVMDisasmContextRef disassembler;
	FILE *to;
};

// ---- wasm ---------------------------------------------------------------------------------------

static void print_immediates(const struct we_instr *in, char *buf, size_t cap)
{
	switch ((enum we_imm)we_op_info[in->op].imm) {
	case WE_IMM_NONE:
	case WE_IMM_BLOCK:
	case WE_IMM_SELECT:
	case WE_IMM_TRY_TABLE:
	case WE_IMM_V128:
	case WE_IMM_SHUFFLE:
	case WE_IMM_HEAPTYPE:
		buf[0] = '\0';
		return;
	case WE_IMM_I32:
		snprintf(buf, cap, " %" PRId32, in->of.i32);
		return;
	case WE_IMM_I64:
		snprintf(buf, cap, " %" PRId64, in->of.i64);
		return;
	case WE_IMM_F32:
		snprintf(buf, cap, " bits 0x%" PRIx32, in->of.f32);
		return;
	case WE_IMM_F64:
		snprintf(buf, cap, " bits 0x%" PRIx64, in->of.f64);
		return;
	case WE_IMM_LABELS:
		snprintf(buf, cap, " of %u", in->of.labels.n);
		return;
	case WE_IMM_LANE:
		snprintf(buf, cap, " %u", in->of.lane);
		return;
	case WE_IMM_MEMARG:
	case WE_IMM_MEMARG_LANE:
		snprintf(buf, cap,
			in->of.mem.arg.mem != 0 ? " offset=%" PRIu64 " memory=%u"
						: " offset=%" PRIu64,
			in->of.mem.arg.offset, in->of.mem.arg.mem);
		return;
	case WE_IMM_CAST:
		snprintf(buf, cap, " %u", in->of.cast.label);
		return;
	case WE_IMM_TYPE_TABLE:
	case WE_IMM_DATA_MEM:
	case WE_IMM_ELEM_TABLE:
	case WE_IMM_MEM_MEM:
	case WE_IMM_TABLE_TABLE:
	case WE_IMM_TYPE_FIELD:
	case WE_IMM_TYPE_N:
	case WE_IMM_TYPE_DATA:
	case WE_IMM_TYPE_ELEM:
	case WE_IMM_TYPE_TYPE:
		snprintf(buf, cap, " %u %u", in->of.pair.a, in->of.pair.b);
		return;
	default:
		snprintf(buf, cap, " %u", in->of.idx);
		return;
	}
}

// The wasm instruction at a byte of the module, which is in a body.
static void print_wasm(const struct listing *l, uint32_t at, char *buf, size_t cap)
{
	const struct we_span span = {.at = at, .end = (uint32_t)l->module->bytes.len};
	char immediates[48];
	struct we_reader r;
	struct we_instr in;

	buf[0] = '\0';
	if (at == 0)
		return;
	we_module_reader(l->module, span, &r, NULL);
	if (we_instr_read(&r, &in) < 0)
		return;
	print_immediates(&in, immediates, sizeof(immediates));
	snprintf(buf, cap, "0x%06" PRIx64 " %s%s", l->module->file_offset + at,
		we_op_info[in.op].mnemonic, immediates);
}

// ---- machine code -------------------------------------------------------------------------------

static void print_range(const struct listing *l, const struct we_image_range *range)
{
	uint32_t last = UINT32_MAX;

	for (uint32_t pc = range->begin; pc < range->end;) {
		const uint32_t at = we_image_place_at(l->places, l->header->n_places, pc);
		char wasm[96] = "";
		char text[128];
		const size_t n =
			LLVMDisasmInstruction(l->disassembler, (uint8_t *)(uintptr_t)(l->code + pc),
				range->end - pc, pc, text, sizeof(text));

		if (n == 0)
			return;
		if (at != last)
			print_wasm(l, at, wasm, sizeof(wasm));
		last = at;
		for (char *tab = text; (tab = strchr(tab, '\t')) != NULL;)
			*tab = ' ';
		fprintf(l->to, "%-*s %5" PRIx32 " %s\n", WIDTH, wasm, pc, text);
		pc += (uint32_t)n;
	}
}

int listing_print(const struct we_module *module, const struct we_cpu *cpu, const void *image,
	we_funcidx func, FILE *to, struct we_error *err)
{
	const struct we_image_header *h = image;
	const uint8_t *at = (const uint8_t *)image + sizeof(*h);
	char features[TARGET_FEATURES_BYTES];
	struct listing l = {.module = module, .header = h, .to = to};
	bool is_there = false;

	at += h->n_funcs * sizeof(struct we_image_func);
	l.ranges = (const struct we_image_range *)(const void *)at;
	at += h->n_ranges * sizeof(struct we_image_range);
	l.places = (const struct we_image_place *)(const void *)at;
	l.code = (const uint8_t *)image + h->code_at;
	target_features(cpu, features);
	l.disassembler = LLVMCreateDisasmCPUFeatures(
		TARGET_TRIPLE, target_cpu(cpu), features, NULL, 0, NULL, NULL);
	if (l.disassembler == NULL)
		return we_error_set(err, WE_E_HOST, 0, "LLVM has no disassembler");
	for (uint32_t i = 0; i < h->n_ranges; i++) {
		if (l.ranges[i].func == func) {
			print_range(&l, &l.ranges[i]);
			is_there = true;
		}
	}
	LLVMDisasmDispose(l.disassembler);
	if (!is_there)
		return we_error_set(err, WE_E_INVALID, 0,
			"no machine code of its own: it is inlined, called by nobody, or left to "
			"the interpreter");
	return 0;
}
