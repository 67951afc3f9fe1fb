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

// The place of a row that ends a sequence, until fill_places has seen it.
#define PLACE_END UINT32_MAX

struct linking {
	const uint8_t *object;
	size_t n;
	const Elf64_Ehdr *header;
	const Elf64_Shdr *sections;
	struct piece *pieces; // [n_pieces], by section index
	uint32_t n_pieces;
	const Elf64_Sym *symbols;
	uint32_t n_symbols;
	const struct piece *names; // of symbols
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

// Do [at, at + n) lie in what has size bytes?
static bool is_within(uint64_t at, uint64_t n, uint64_t size)
{
	return at <= size && n <= size - at;
}

// A name in a string table, which ends in a zero; or an empty one.
static const char *name_in(const uint8_t *table, uint64_t size, uint64_t at)
{
	if (at >= size || table[size - 1] != 0)
		return "";
	return (const char *)table + at;
}

static const char *symbol_name(const struct linking *l, const Elf64_Sym *symbol)
{
	return name_in(l->names->data, l->names->header->sh_size, symbol->st_name);
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
		if (p->header->sh_addralign > 4096)
			return refuse(l, "an alignment of more than a page", p->name);
		p->at = round_up(
			l->code_bytes, p->header->sh_addralign > 0 ? p->header->sh_addralign : 1);
		p->is_placed = true;
		l->code_bytes = p->at + p->header->sh_size;
		if (l->code_bytes > WE_IMAGE_MAX_CODE - 2 * WE_IMAGE_PAGE_BYTES)
			return refuse(l, "too much code", NULL);
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

static int check_header(struct linking *l)
{
	const Elf64_Ehdr *h = (const Elf64_Ehdr *)(const void *)l->object;

	if (l->n < sizeof(*h) || memcmp(h->e_ident, ELFMAG, SELFMAG) != 0 ||
		h->e_machine != EM_X86_64 || h->e_type != ET_REL ||
		h->e_shentsize != sizeof(Elf64_Shdr))
		return refuse(l, "no relocatable x86-64 ELF file", NULL);
	if (h->e_shoff % 8 != 0 || !is_within(h->e_shoff, h->e_shnum * sizeof(Elf64_Shdr), l->n) ||
		h->e_shstrndx >= h->e_shnum)
		return refuse(l, "section headers beyond its end", NULL);
	l->header = h;
	l->sections = (const Elf64_Shdr *)(const void *)(l->object + h->e_shoff);
	l->n_pieces = h->e_shnum;
	return 0;
}

// What is an array of structures is aligned, so that it can be read in place.
static bool is_sound(const struct linking *l, const Elf64_Shdr *section)
{
	if (section->sh_type == SHT_NOBITS)
		return true;
	if ((section->sh_type == SHT_SYMTAB || section->sh_type == SHT_RELA) &&
		section->sh_offset % 8 != 0)
		return false;
	return is_within(section->sh_offset, section->sh_size, l->n);
}

static int open_object(struct linking *l)
{
	const Elf64_Shdr *names;
	int rc = check_header(l);

	if (rc < 0)
		return rc;
	l->pieces = calloc((size_t)l->n_pieces + 1, sizeof(*l->pieces));
	if (l->pieces == NULL)
		return we_error_set(l->err, WE_E_NOMEM, 0, "no memory for an image");
	names = &l->sections[l->header->e_shstrndx];
	for (uint32_t i = 0; i < l->n_pieces; i++) {
		if (!is_sound(l, &l->sections[i]))
			return refuse(l, "a section beyond its end", NULL);
	}
	if (names->sh_type != SHT_STRTAB)
		return refuse(l, "names of sections that are none", NULL);
	for (uint32_t i = 0; i < l->n_pieces; i++) {
		const Elf64_Shdr *section = &l->sections[i];
		const bool has_bytes = section->sh_type != SHT_NOBITS;

		l->pieces[i] = (struct piece){.header = section,
			.data = l->object + (has_bytes ? section->sh_offset : 0),
			.name = name_in(
				l->object + names->sh_offset, names->sh_size, section->sh_name)};
		if (section->sh_type != SHT_SYMTAB)
			continue;
		if (section->sh_link >= l->n_pieces ||
			l->sections[section->sh_link].sh_type != SHT_STRTAB)
			return refuse(l, "symbols without names", NULL);
		l->symbols = (const Elf64_Sym *)(const void *)(l->object + section->sh_offset);
		l->n_symbols = (uint32_t)(section->sh_size / sizeof(Elf64_Sym));
		l->names = &l->pieces[section->sh_link];
	}
	return 0;
}

// ---- relocations --------------------------------------------------------------------------------

// Where a symbol is in the code.
static int symbol_at(struct linking *l, uint64_t i, uint64_t *ret)
{
	const Elf64_Sym *symbol;

	if (i >= l->n_symbols)
		return refuse(l, "a symbol that it does not have", NULL);
	symbol = &l->symbols[i];
	if (symbol->st_shndx == SHN_UNDEF)
		return refuse(l, "undefined symbol", symbol_name(l, symbol));
	if (symbol->st_shndx >= l->n_pieces || !l->pieces[symbol->st_shndx].is_placed)
		return refuse(l, "symbol in a section that is left out", symbol_name(l, symbol));
	if (!is_within(
		    symbol->st_value, symbol->st_size, l->pieces[symbol->st_shndx].header->sh_size))
		return refuse(l, "symbol beyond its section", symbol_name(l, symbol));
	*ret = l->pieces[symbol->st_shndx].at + symbol->st_value;
	return 0;
}

static int relocate_one(struct linking *l, const struct piece *p, const Elf64_Rela *r)
{
	const uint64_t at = p->at + r->r_offset;
	uint64_t symbol;
	int64_t value;
	char number[40];
	int rc;

	switch (ELF64_R_TYPE(r->r_info)) {
	case R_X86_64_PC32:
	case R_X86_64_PLT32:
		rc = symbol_at(l, ELF64_R_SYM(r->r_info), &symbol);
		if (rc < 0)
			return rc;
		value = (int64_t)(symbol + (uint64_t)r->r_addend - at);
		if (value != (int32_t)value || !is_within(r->r_offset, 4, p->header->sh_size))
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

// What stands before a body.
static int note_entry(struct linking *l, const char *name, we_funcidx func, uint32_t body)
{
	const uint32_t entry = body - UNIT_ENTRY_BYTES;
	struct we_image_range *range;

	if (body < UNIT_ENTRY_BYTES ||
		memcmp(l->code + entry, unit_entry_code, UNIT_ENTRY_BYTES) != 0)
		return refuse(l, "a function without its entry", name);
	l->funcs[func - l->opt->first_func].entry = entry;
	range = func_add(&l->ranges, sizeof(*range));
	*range = (struct we_image_range){.begin = entry, .end = body, .func = WE_NO_FUNC};
	return 0;
}

static int note_wrapper(struct linking *l, const char *name, uint64_t at)
{
	const uint32_t i = (uint32_t)strtoul(name + 1, NULL, 10);

	if (i >= l->u->n_sigs)
		return refuse(l, "a wrapper of no signature", name);
	l->u->sigs[i].at = (uint32_t)at;
	return 0;
}

// Where a body is; a turn that LLVM did not inline belongs to the function and nobody else calls it.
static int note_body(struct linking *l, const char *name, uint64_t at, we_funcidx *ret_func)
{
	uint32_t turn;
	const char *end = unit_name_read(name, ret_func, &turn);

	if (end == NULL || *end != '\0' || *ret_func < l->opt->first_func ||
		*ret_func - l->opt->first_func >= l->opt->n_funcs)
		return refuse(l, "a function that is not to be compiled", name);
	if (turn > 0)
		return 0;
	l->funcs[*ret_func - l->opt->first_func].body = (uint32_t)at;
	return unit_has_entry(l->u, *ret_func) ? note_entry(l, name, *ret_func, (uint32_t)at) : 0;
}

static int note_function(struct linking *l, const char *name, uint64_t at, uint64_t size)
{
	we_funcidx func = WE_NO_FUNC;
	struct we_image_range *range;
	int rc = 0;

	if (*name == 'f')
		rc = note_body(l, name, at, &func);
	else if (*name == 'w')
		rc = note_wrapper(l, name, at);
	if (rc < 0)
		return rc;
	range = func_add(&l->ranges, sizeof(*range));
	*range = (struct we_image_range){(uint32_t)at, (uint32_t)(at + size), func};
	return 0;
}

static int note_functions(struct linking *l)
{
	l->funcs = calloc((size_t)l->opt->n_funcs + 1, sizeof(*l->funcs));
	if (l->funcs == NULL)
		return we_error_set(l->err, WE_E_NOMEM, 0, "no memory for an image");
	for (uint32_t i = 1; i < l->n_symbols; i++) {
		const Elf64_Sym *symbol = &l->symbols[i];
		uint64_t at;
		int rc;

		if (ELF64_ST_TYPE(symbol->st_info) != STT_FUNC)
			continue;
		rc = symbol_at(l, i, &at);
		if (rc == 0)
			rc = note_function(l, symbol_name(l, symbol), at, symbol->st_size);
		if (rc < 0)
			return rc;
	}
	for (uint32_t i = 0; i < l->opt->n_funcs; i++) {
		const we_funcidx func = l->opt->first_func + i;

		if (l->funcs[i].entry != 0)
			l->funcs[i].enter = unit_sig(l->u, l->u->module->is.funcs[func].type)->at;
		else if (l->funcs[i].body == 0 && l->u->bodies[func] != NULL)
			l->funcs[i].body = WE_IMAGE_INLINED;
	}
	if (l->ranges.len > 0)
		qsort(l->ranges.data, l->ranges.len, sizeof(struct we_image_range), compare_ranges);
	return 0;
}

static void note_line(void *env, uint64_t offset, uint32_t line, bool is_end)
{
	struct linking *l = env;
	struct we_image_place *place;

	if (offset > l->code_bytes) // of nothing that is here
		return;
	place = func_add(&l->places, sizeof(*place));
	*place = (struct we_image_place){.pc = (uint32_t)offset, .at = is_end ? PLACE_END : line};
}

// The program's addresses are in .text: where that is in the code.
static void relocate_lines(
	struct linking *l, const Elf64_Shdr *section, uint8_t *program, uint64_t program_bytes)
{
	const Elf64_Rela *relas =
		(const Elf64_Rela *)(const void *)(l->object + section->sh_offset);

	for (uint64_t k = 0; k < section->sh_size / sizeof(*relas); k++) {
		uint64_t at;
		uint64_t value;

		if (ELF64_R_TYPE(relas[k].r_info) != R_X86_64_64 ||
			!is_within(relas[k].r_offset, 8, program_bytes) ||
			symbol_at(l, ELF64_R_SYM(relas[k].r_info), &at) < 0)
			continue;
		value = at + (uint64_t)relas[k].r_addend;
		memcpy(program + relas[k].r_offset, &value, 8);
	}
}

// at: from the object, which may be damaged.
static bool is_access_at(const struct we_module *module, uint32_t at)
{
	const struct we_span rest = {at, (uint32_t)module->bytes.len};
	struct we_reader r;
	struct we_instr in;

	if (at >= rest.end)
		return false;
	we_module_reader(module, rest, &r, NULL);
	return we_instr_read(&r, &in) >= 0 && we_op_is_access(in.op);
}

// Number of the range that the instruction is in, or of ranges when in none.
static size_t range_at(const struct linking *l, uint32_t pc)
{
	const struct we_image_range *ranges = l->ranges.data;
	size_t lo = 0;
	size_t hi = l->ranges.len;

	while (lo < hi) { // the first that ends beyond it
		const size_t mid = lo + (hi - lo) / 2;

		if (ranges[mid].end <= pc)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

// The code generator makes instructions without a place: of a load and an extension, for one. Such a load's place is that of the next
// access to memory: behind it stands its pin (func_pin), which has a row though no code, and nothing that faults moves across a pin.
static void fill_places(struct linking *l)
{
	struct we_image_place *places = l->places.data;
	struct we_image_place next = {0};

	for (size_t i = l->places.len; i-- > 0;) {
		if (places[i].at == PLACE_END) {
			places[i].at = 0;
			next.at = 0;
		} else if (places[i].at != 0) {
			if (is_access_at(l->u->module, places[i].at))
				next = places[i];
		} else if (range_at(l, places[i].pc) == range_at(l, next.pc)) {
			places[i].at = next.at;
		}
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

		if (strcmp(l->pieces[i].name, ".debug_line") != 0 ||
			section->sh_type != SHT_PROGBITS)
			continue;
		program = malloc(section->sh_size + 1);
		if (program == NULL)
			return we_error_set(l->err, WE_E_NOMEM, 0, "no memory for an image");
		memcpy(program, l->pieces[i].data, section->sh_size);
		for (uint32_t k = 0; k < l->n_pieces; k++) {
			if (l->sections[k].sh_type == SHT_RELA && l->sections[k].sh_info == i)
				relocate_lines(l, &l->sections[k], program, section->sh_size);
		}
		ok = lines_read(program, section->sh_size, note_line, l);
		free(program);
		if (!ok)
			return refuse(l, "its line table is damaged", NULL);
	}
	fill_places(l);
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
