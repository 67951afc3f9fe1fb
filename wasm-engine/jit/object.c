// SPDX-License-Identifier: BSD-3-Clause
// From LLVM's ELF object to an image: see object.h.
//
// Module path 3/6. Spec: System V ABI, "Object Files"; AMD64 supplement, "Relocation".
#include "object.h"

#include <elf.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// A section of the object on its way into the image.
struct piece {
	const Elf64_Shdr *header;
	const uint8_t *data;
	const char *name;
	bool is_placed;
	uint64_t at; // in the code
};

struct linking {
	const uint8_t *object;
	size_t n;
	const Elf64_Ehdr *header;
	const Elf64_Shdr *sections;
	struct piece *pieces; // [n_pieces], by section index
	uint32_t n_pieces;
	const Elf64_Sym *symbols;
	uint32_t n_symbols;
	const char *names; // of symbols
	uint8_t *code;
	uint64_t code_bytes;
	uint64_t exec_bytes;
	const struct we_jit_options *opt;
	struct we_vec ranges; // struct we_image_range
	struct we_vec places; // struct we_image_place
	struct we_image_func *funcs;
	struct unit *u;
	struct we_error *err;
};

static int refuse(struct linking *l, const char *what, const char *name)
{
	return we_error_set(l->err, WE_E_HOST, 0, "object of the compiler: %s%s%s", what,
		name != NULL ? ": " : "", name != NULL ? name : "");
}

static uint64_t round_up(uint64_t x, uint64_t to)
{
	return (x + to - 1) / to * to;
}

// ---- layout -------------------------------------------------------------------------------------

static bool is_code(const struct piece *p)
{
	return (p->header->sh_flags & SHF_EXECINSTR) != 0;
}

static bool is_wanted(const struct piece *p)
{
	return p->header->sh_type == SHT_PROGBITS && (p->header->sh_flags & SHF_ALLOC) != 0 &&
	       strcmp(p->name, ".eh_frame") != 0 && p->header->sh_size > 0;
}

static int place_pieces(struct linking *l, bool code)
{
	for (uint32_t i = 0; i < l->n_pieces; i++) {
		struct piece *p = &l->pieces[i];

		if (p->header->sh_type == SHT_NOBITS && (p->header->sh_flags & SHF_ALLOC) != 0 &&
			p->header->sh_size > 0)
			return refuse(l, "a section of variables", p->name);
		if (!is_wanted(p) || is_code(p) != code)
			continue;
		if ((p->header->sh_flags & SHF_WRITE) != 0)
			return refuse(l, "a writable section", p->name);
		p->at = round_up(
			l->code_bytes, p->header->sh_addralign > 0 ? p->header->sh_addralign : 1);
		p->is_placed = true;
		l->code_bytes = p->at + p->header->sh_size;
	}
	return 0;
}

static int lay_out(struct linking *l)
{
	int rc;

	l->code_bytes = 16; // no function is at 0
	rc = place_pieces(l, true);
	if (rc < 0)
		return rc;
	l->exec_bytes = round_up(l->code_bytes, 4096);
	l->code_bytes = l->exec_bytes;
	rc = place_pieces(l, false);
	if (rc < 0)
		return rc;
	l->code_bytes = round_up(l->code_bytes, 4096);
	l->code = calloc(1, l->code_bytes);
	if (l->code == NULL)
		return we_error_set(l->err, WE_E_NOMEM, 0, "no memory for an image");
	memset(l->code, 0xcc, l->exec_bytes); // int3 between functions
	for (uint32_t i = 0; i < l->n_pieces; i++) {
		const struct piece *p = &l->pieces[i];

		if (p->is_placed)
			memcpy(l->code + p->at, p->data, p->header->sh_size);
	}
	return 0;
}

static int open_object(struct linking *l)
{
	const char *names;

	l->header = (const Elf64_Ehdr *)(const void *)l->object;
	if (l->n < sizeof(*l->header) || memcmp(l->header->e_ident, ELFMAG, SELFMAG) != 0 ||
		l->header->e_machine != EM_X86_64 || l->header->e_type != ET_REL)
		return refuse(l, "no relocatable x86-64 ELF file", NULL);
	if (l->header->e_shoff + (uint64_t)l->header->e_shnum * sizeof(Elf64_Shdr) > l->n)
		return refuse(l, "section headers beyond its end", NULL);
	l->sections = (const Elf64_Shdr *)(const void *)(l->object + l->header->e_shoff);
	l->n_pieces = l->header->e_shnum;
	l->pieces = calloc((size_t)l->n_pieces + 1, sizeof(*l->pieces));
	if (l->pieces == NULL)
		return we_error_set(l->err, WE_E_NOMEM, 0, "no memory for an image");
	names = (const char *)(l->object + l->sections[l->header->e_shstrndx].sh_offset);
	for (uint32_t i = 0; i < l->n_pieces; i++) {
		const Elf64_Shdr *section = &l->sections[i];

		if (section->sh_type != SHT_NOBITS && section->sh_offset + section->sh_size > l->n)
			return refuse(l, "a section beyond its end", names + section->sh_name);
		l->pieces[i] = (struct piece){.header = section,
			.data = l->object + section->sh_offset,
			.name = names + section->sh_name};
		if (section->sh_type == SHT_SYMTAB) {
			l->symbols =
				(const Elf64_Sym *)(const void *)(l->object + section->sh_offset);
			l->n_symbols = (uint32_t)(section->sh_size / sizeof(Elf64_Sym));
			l->names =
				(const char *)(l->object + l->sections[section->sh_link].sh_offset);
		}
	}
	return 0;
}

// ---- relocations --------------------------------------------------------------------------------

// Where a symbol is in the code.
static int symbol_at(struct linking *l, uint64_t i, uint64_t *ret)
{
	const Elf64_Sym *symbol = &l->symbols[i];

	if (symbol->st_shndx == SHN_UNDEF)
		return refuse(l, "undefined symbol", l->names + symbol->st_name);
	if (symbol->st_shndx >= l->n_pieces || !l->pieces[symbol->st_shndx].is_placed)
		return refuse(
			l, "symbol in a section that is left out", l->names + symbol->st_name);
	*ret = l->pieces[symbol->st_shndx].at + symbol->st_value;
	return 0;
}

static int relocate_one(struct linking *l, const struct piece *p, const Elf64_Rela *r)
{
	const uint64_t at = p->at + r->r_offset;
	uint64_t symbol;
	int64_t value;
	char number[32];
	int rc;

	switch (ELF64_R_TYPE(r->r_info)) {
	case R_X86_64_PC32:
	case R_X86_64_PLT32:
		rc = symbol_at(l, ELF64_R_SYM(r->r_info), &symbol);
		if (rc < 0)
			return rc;
		value = (int64_t)symbol + r->r_addend - (int64_t)at;
		if (value != (int32_t)value || at + 4 > l->code_bytes)
			return refuse(l, "a relocation out of range", p->name);
		memcpy(l->code + at, &(int32_t){(int32_t)value}, 4);
		return 0;
	default:
		snprintf(number, sizeof(number), "type %u in %.12s",
			(unsigned)ELF64_R_TYPE(r->r_info), p->name);
		return refuse(l, "a relocation that position-independent code has not", number);
	}
}

static int relocate(struct linking *l)
{
	for (uint32_t i = 0; i < l->n_pieces; i++) {
		const Elf64_Shdr *section = l->pieces[i].header;
		const struct piece *target;
		const Elf64_Rela *relas;

		if (section->sh_type != SHT_RELA || section->sh_info >= l->n_pieces)
			continue;
		target = &l->pieces[section->sh_info];
		relas = (const Elf64_Rela *)(const void *)l->pieces[i].data;
		if (!target->is_placed)
			continue;
		for (uint64_t k = 0; k < section->sh_size / sizeof(*relas); k++) {
			const int rc = relocate_one(l, target, &relas[k]);

			if (rc < 0)
				return rc;
		}
	}
	return 0;
}

// ---- functions and places -----------------------------------------------------------------------

static int compare_ranges(const void *a, const void *b)
{
	const struct we_image_range *x = a;
	const struct we_image_range *y = b;

	return x->begin < y->begin ? -1 : x->begin > y->begin;
}

static int compare_places(const void *a, const void *b)
{
	const struct we_image_place *x = a;
	const struct we_image_place *y = b;

	return x->pc < y->pc ? -1 : x->pc > y->pc;
}

static void note_function(struct linking *l, const char *name, uint64_t at, uint64_t size)
{
	struct we_image_range *range = func_add(&l->ranges, sizeof(*range));
	const uint32_t i = (uint32_t)strtoul(name + 1, NULL, 10);

	*range = (struct we_image_range){.begin = (uint32_t)at,
		.end = (uint32_t)(at + size),
		.func = name[0] == 'f' ? i : WE_NO_FUNC};
	if (name[0] == 'f')
		l->funcs[i - l->opt->first_func].body = (uint32_t)at;
	else if (name[0] == 'e')
		l->funcs[i - l->opt->first_func].entry = (uint32_t)at;
}

static uint32_t symbol_named(struct linking *l, const char *name)
{
	for (uint32_t i = 1; i < l->n_symbols; i++) {
		uint64_t at;

		if (strcmp(l->names + l->symbols[i].st_name, name) == 0 &&
			symbol_at(l, i, &at) == 0)
			return (uint32_t)at;
	}
	return 0;
}

static int note_functions(struct linking *l)
{
	l->funcs = calloc((size_t)l->opt->n_funcs + 1, sizeof(*l->funcs));
	if (l->funcs == NULL)
		return we_error_set(l->err, WE_E_NOMEM, 0, "no memory for an image");
	for (uint32_t i = 1; i < l->n_symbols; i++) {
		const Elf64_Sym *symbol = &l->symbols[i];
		const char *name = l->names + symbol->st_name;
		uint64_t at;
		int rc;

		if (ELF64_ST_TYPE(symbol->st_info) != STT_FUNC)
			continue;
		rc = symbol_at(l, i, &at);
		if (rc < 0)
			return rc;
		note_function(l, name, at, symbol->st_size);
	}
	for (uint32_t i = 0; i < l->opt->n_funcs; i++) {
		char name[16];

		if (l->funcs[i].entry != 0)
			l->funcs[i].enter = symbol_named(l,
				unit_enter_name(l->u,
					l->u->module->is.funcs[l->opt->first_func + i].type, name));
		else if (l->funcs[i].body == 0 && l->u->bodies[l->opt->first_func + i] != NULL)
			l->funcs[i].body = WE_IMAGE_INLINED;
	}
	if (l->ranges.len > 0)
		qsort(l->ranges.data, l->ranges.len, sizeof(struct we_image_range), compare_ranges);
	return 0;
}

static void note_line(void *env, uint64_t offset, uint32_t line, bool is_end)
{
	struct linking *l = env;
	struct we_image_place *place = func_add(&l->places, sizeof(*place));

	*place = (struct we_image_place){.pc = (uint32_t)offset, .at = is_end ? 0 : line};
}

// The program's addresses are in .text: where that is in the code.
static void relocate_lines(struct linking *l, const Elf64_Shdr *section, uint8_t *program)
{
	const Elf64_Rela *relas =
		(const Elf64_Rela *)(const void *)(l->object + section->sh_offset);

	for (uint64_t k = 0; k < section->sh_size / sizeof(*relas); k++) {
		uint64_t at;
		uint64_t value;

		if (ELF64_R_TYPE(relas[k].r_info) != R_X86_64_64 ||
			symbol_at(l, ELF64_R_SYM(relas[k].r_info), &at) < 0)
			continue;
		value = at + (uint64_t)relas[k].r_addend;
		memcpy(program + relas[k].r_offset, &value, 8);
	}
}

// Only the last row of an address counts, and only changes.
static void tidy_places(struct linking *l)
{
	struct we_image_place *places = l->places.data;
	size_t n = 0;

	if (l->places.len > 0)
		qsort(places, l->places.len, sizeof(*places), compare_places);
	for (size_t i = 0; i < l->places.len; i++) {
		if (n > 0 && places[n - 1].pc == places[i].pc) {
			if (places[i].at != 0)
				places[n - 1].at = places[i].at;
		} else if (n == 0 || places[n - 1].at != places[i].at) {
			places[n++] = places[i];
		}
	}
	l->places.len = n;
}

static int note_places(struct linking *l)
{
	for (uint32_t i = 0; i < l->n_pieces; i++) {
		const Elf64_Shdr *section = l->pieces[i].header;
		uint8_t *program;
		bool ok;

		if (strcmp(l->pieces[i].name, ".debug_line") != 0)
			continue;
		program = malloc(section->sh_size + 1);
		if (program == NULL)
			return we_error_set(l->err, WE_E_NOMEM, 0, "no memory for an image");
		memcpy(program, l->pieces[i].data, section->sh_size);
		for (uint32_t k = 0; k < l->n_pieces; k++) {
			if (l->sections[k].sh_type == SHT_RELA && l->sections[k].sh_info == i)
				relocate_lines(l, &l->sections[k], program);
		}
		ok = lines_read(program, section->sh_size, note_line, l);
		free(program);
		if (!ok)
			return refuse(l, "its line table is damaged", NULL);
	}
	tidy_places(l);
	return 0;
}

// ---- the image ----------------------------------------------------------------------------------

static uint8_t *append(uint8_t *to, const void *from, size_t n)
{
	if (n > 0)
		memcpy(to, from, n);
	return to + n;
}

static int write_image(struct linking *l, void **ret_image, size_t *ret_bytes)
{
	const size_t funcs = l->opt->n_funcs * sizeof(struct we_image_func);
	const size_t ranges = l->ranges.len * sizeof(struct we_image_range);
	const size_t places = l->places.len * sizeof(struct we_image_place);
	const uint64_t code_at =
		round_up(sizeof(struct we_image_header) + funcs + ranges + places, 4096);
	const uint64_t n = code_at + l->code_bytes;
	uint8_t *image = calloc(1, n);
	struct we_image_header h = {
		.size_bytes = n,
		.first_func = l->opt->first_func,
		.n_funcs = l->opt->n_funcs,
		.n_ranges = (uint32_t)l->ranges.len,
		.n_places = (uint32_t)l->places.len,
		.code_at = (uint32_t)code_at,
		.code_bytes = (uint32_t)l->code_bytes,
		.n_exec_bytes = (uint32_t)l->exec_bytes,
		.needs_reach = !l->opt->explicit_checks,
	};
	uint8_t *at;

	if (image == NULL)
		return we_error_set(l->err, WE_E_NOMEM, 0, "no memory for an image");
	memcpy(h.magic, WE_IMAGE_MAGIC, sizeof(h.magic));
	at = append(image, &h, sizeof(h));
	at = append(at, l->funcs, funcs);
	at = append(at, l->ranges.data, ranges);
	append(at, l->places.data, places);
	append(image + code_at, l->code, l->code_bytes);
	h.checksum = we_image_sum(image + offsetof(struct we_image_header, size_bytes),
		n - offsetof(struct we_image_header, size_bytes));
	memcpy(image, &h, sizeof(h));
	*ret_image = image;
	*ret_bytes = n;
	return 0;
}

int object_to_image(struct unit *u, const struct we_jit_options *opt, const void *object,
	size_t object_bytes, void **ret_image, size_t *ret_bytes, struct we_error *err)
{
	struct linking l = {.object = object, .n = object_bytes, .opt = opt, .u = u, .err = err};
	int rc = open_object(&l);

	if (rc == 0)
		rc = lay_out(&l);
	if (rc == 0)
		rc = relocate(&l);
	if (rc == 0)
		rc = note_functions(&l);
	if (rc == 0)
		rc = note_places(&l);
	if (rc == 0)
		rc = write_image(&l, ret_image, ret_bytes);
	free(l.pieces);
	free(l.code);
	free(l.funcs);
	we_vec_fini(&l.ranges);
	we_vec_fini(&l.places);
	return rc;
}
