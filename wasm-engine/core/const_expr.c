// SPDX-License-Identifier: BSD-3-Clause
// we_const_eval: see const_expr.h.
//
// Module path 4/6.
#include "const_expr.h"

#include <assert.h>
#include <string.h>

#include "instr.h"

static uint64_t apply(enum we_op op, uint64_t a, uint64_t b)
{
	switch (op) {
	case WE_OP_I32_ADD:
		return (uint32_t)(a + b);
	case WE_OP_I32_SUB:
		return (uint32_t)(a - b);
	case WE_OP_I32_MUL:
		return (uint32_t)(a * b);
	case WE_OP_I64_ADD:
		return a + b;
	case WE_OP_I64_SUB:
		return a - b;
	default:
		assert(op == WE_OP_I64_MUL);
		return a * b;
	}
}

// What an instruction without operands gives.
static struct we_cell value_of(const struct we_instance *inst, const struct we_instr *in)
{
	struct we_cell cell = {{0, 0}};

	switch (in->op) {
	case WE_OP_I32_CONST:
		cell.slot[0] = (uint32_t)in->of.i32;
		break;
	case WE_OP_I64_CONST:
		cell.slot[0] = (uint64_t)in->of.i64;
		break;
	case WE_OP_F32_CONST:
		cell.slot[0] = in->of.f32;
		break;
	case WE_OP_F64_CONST:
		cell.slot[0] = in->of.f64;
		break;
	case WE_OP_V128_CONST:
		memcpy(cell.slot, in->of.v128, sizeof(cell.slot));
		break;
	case WE_OP_GLOBAL_GET:
		memcpy(cell.slot, inst->globals[in->of.idx]->cell, sizeof(cell.slot));
		break;
	case WE_OP_REF_FUNC:
		cell.slot[0] = (uintptr_t)inst->funcs[in->of.idx];
		break;
	default:
		assert(in->op == WE_OP_REF_NULL);
		break;
	}
	return cell;
}

int we_const_eval(const struct we_instance *inst, const struct we_const_expr *expr,
	struct we_vec *stack, struct we_cell *ret, struct we_error *err)
{
	struct we_instr in;
	struct we_reader r;
	int rc;

	we_module_reader(inst->module, expr->body, &r, err);
	stack->len = 0;
	for (;;) {
		struct we_cell *top;

		rc = we_instr_read(&r, &in);
		if (rc < 0)
			return rc;
		if (in.op == WE_OP_END)
			break;
		if (we_op_info[in.op].params[0] != '\0' && we_op_info[in.op].params[0] != '*') {
			assert(stack->len >= 2);
			top = (struct we_cell *)stack->data + --stack->len;
			top[-1].slot[0] = apply(in.op, top[-1].slot[0], top[0].slot[0]);
			continue;
		}
		top = we_vec_add(stack, sizeof(*top));
		if (top == NULL)
			return we_error_set(err, WE_E_NOMEM, 0, "no memory for a constant");
		*top = value_of(inst, &in);
	}
	assert(stack->len == 1);
	*ret = *(struct we_cell *)stack->data;
	return 0;
}
