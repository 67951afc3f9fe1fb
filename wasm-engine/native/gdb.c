// SPDX-License-Identifier: BSD-3-Clause
// we_gdb: see gdb.h.
//
// Module path 3/6. Owns: see gdb.h. Thread: see gdb.h.
// Spec: gdb manual "JIT Interface"; DWARF "Call Frame Information"; System V psABI "The .eh_frame section".
#include "gdb.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

// ---- what gdb looks at --------------------------------------------------------------------------------

enum {
	JIT_NOACTION = 0,
	JIT_REGISTER_FN = 1,
	JIT_UNREGISTER_FN = 2,
};

struct jit_code_entry {
	struct jit_code_entry *next_entry;
	struct jit_code_entry *prev_entry;
	const void *symfile_addr;
	uint64_t symfile_size;
	const struct we_image *image; // ours: gdb reads the fields above
};

struct jit_descriptor {
	uint32_t version;
	uint32_t action_flag;
	struct jit_code_entry *relevant_entry;
	struct jit_code_entry *first_entry;
};

// gdb finds both by their names, and stops the process in the function.
extern struct jit_descriptor __jit_debug_descriptor;
struct jit_descriptor __jit_debug_descriptor = {.version = 1};

void __jit_debug_register_code(void);
__attribute__((noinline, used)) void __jit_debug_register_code(void)
{
	__asm__ volatile("" ::: "memory");
}

// ---- the file -----------------------------------------------------------------------------------------

enum section {
	SECTION_NULL,
	SECTION_TEXT,
	SECTION_FRAMES,
	SECTION_SYMBOLS,
	SECTION_STRINGS,
	N_SECTIONS
};

// Names of sections; symbols' follow.
static const char section_names[] = "\0.text\0.eh_frame\0.symtab\0.strtab";
static const Elf64_Word section_name_at[N_SECTIONS] = {0, 1, 7, 17, 25};

enum {
	NAME_BYTES = 256, // of a function, with its terminator
};

// CFA = rbp + 16; the return address is at CFA - 8, the caller's rbp at CFA - 16.
struct frames {
	struct __attribute__((packed)) {
		uint32_t length;
		uint32_t id;
		uint8_t version;
		char augmentation[3];  // "zR"
		uint8_t code_align;    // 1
		uint8_t data_align;    // -8
		uint8_t return_column; // rip
		uint8_t augmentation_size;
		uint8_t pointer_encoding; // absolute
		uint8_t rules[8];
		uint8_t padding[3];
	} cie;
	struct __attribute__((packed)) {
		uint32_t length;
		uint32_t cie_pointer; // from here back
		uint64_t begin;
		uint64_t size;
		uint8_t augmentation_size;
		uint8_t padding[7];
	} fde;
	uint32_t end;
	uint32_t unused;
};

static void make_frames(const struct we_image *image, struct frames *ret)
{
	*ret = (struct frames){
		.cie = {.length = sizeof(ret->cie) - sizeof(ret->cie.length),
			.version = 1,
			.augmentation = "zR",
			.code_align = 1,
			.data_align = 0x78,
			.return_column = 16,
			.augmentation_size = 1,
			.pointer_encoding = 0,
			// DW_CFA_def_cfa rbp 16, DW_CFA_offset rip 1, DW_CFA_offset rbp 2, DW_CFA_nop
			.rules = {0x0c, 6, 16, 0x80 | 16, 1, 0x80 | 6, 2, 0}},
		.fde = {.length = sizeof(ret->fde) - sizeof(ret->fde.length),
			.cie_pointer = sizeof(ret->cie) + offsetof(struct frames, cie) +
				       sizeof(ret->fde.length),
			.begin = (uintptr_t)image->code,
			.size = image->header.n_exec_bytes}};
}

struct file {
	Elf64_Ehdr header;
	Elf64_Shdr sections[N_SECTIONS];
	struct frames frames;
	Elf64_Sym symbols[]; // [1 + n_ranges], then strings
};

static void make_sections(
	const struct we_image *image, struct file *file, size_t n_symbols, size_t strings_bytes)
{
	Elf64_Shdr *s = file->sections;

	for (unsigned i = 0; i < N_SECTIONS; i++)
		s[i] = (Elf64_Shdr){.sh_name = section_name_at[i], .sh_addralign = 1};
	s[SECTION_TEXT].sh_type = SHT_NOBITS; // it is where it runs
	s[SECTION_TEXT].sh_flags = SHF_ALLOC | SHF_EXECINSTR;
	s[SECTION_TEXT].sh_addr = (uintptr_t)image->code;
	s[SECTION_TEXT].sh_size = image->header.n_exec_bytes;
	s[SECTION_FRAMES].sh_type = SHT_PROGBITS;
	s[SECTION_FRAMES].sh_flags = SHF_ALLOC;
	s[SECTION_FRAMES].sh_addralign = 8;
	s[SECTION_FRAMES].sh_offset = offsetof(struct file, frames);
	s[SECTION_FRAMES].sh_size = sizeof(file->frames);
	s[SECTION_SYMBOLS].sh_type = SHT_SYMTAB;
	s[SECTION_SYMBOLS].sh_offset = offsetof(struct file, symbols);
	s[SECTION_SYMBOLS].sh_size = n_symbols * sizeof(Elf64_Sym);
	s[SECTION_SYMBOLS].sh_link = SECTION_STRINGS;
	s[SECTION_SYMBOLS].sh_info = 1; // all but the first are global
	s[SECTION_SYMBOLS].sh_entsize = sizeof(Elf64_Sym);
	s[SECTION_SYMBOLS].sh_addralign = 8;
	s[SECTION_STRINGS].sh_type = SHT_STRTAB;
	s[SECTION_STRINGS].sh_offset =
		offsetof(struct file, symbols) + n_symbols * sizeof(Elf64_Sym);
	s[SECTION_STRINGS].sh_size = strings_bytes;
	file->header = (Elf64_Ehdr){.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64,
					    ELFDATA2LSB, EV_CURRENT},
		.e_type = ET_REL,
		.e_machine = EM_X86_64,
		.e_version = EV_CURRENT,
		.e_shoff = offsetof(struct file, sections),
		.e_ehsize = sizeof(Elf64_Ehdr),
		.e_shentsize = sizeof(Elf64_Shdr),
		.e_shnum = N_SECTIONS,
		.e_shstrndx = SECTION_STRINGS};
}

// Returns: owned; NULL without memory.
static struct file *make_file(
	const struct we_module *module, const struct we_image *image, size_t *ret_bytes)
{
	const size_t n_symbols = (size_t)image->header.n_ranges + 1;
	const size_t most = sizeof(struct file) + n_symbols * (sizeof(Elf64_Sym) + NAME_BYTES) +
			    sizeof(section_names);
	struct file *file = calloc(1, most);
	size_t n = sizeof(section_names); // of the strings
	char *strings;

	if (file == NULL)
		return NULL;
	strings = (char *)(file->symbols + n_symbols);
	memcpy(strings, section_names, sizeof(section_names));
	for (uint32_t i = 0; i < image->header.n_ranges; i++) {
		const struct we_image_range *range = &image->ranges[i];

		file->symbols[1 + i] = (Elf64_Sym){.st_name = (Elf64_Word)n,
			.st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC),
			.st_shndx = SECTION_TEXT,
			.st_value = range->begin,
			.st_size = range->end - range->begin};
		we_perf_name(module, range->func, strings + n, NAME_BYTES);
		n += strlen(strings + n) + 1;
	}
	make_frames(image, &file->frames);
	make_sections(image, file, n_symbols, n);
	*ret_bytes = (size_t)(strings - (char *)file) + n;
	return file;
}

// ---- coming and going -----------------------------------------------------------------------------------

static void tell(uint32_t action, struct jit_code_entry *entry)
{
	__jit_debug_descriptor.action_flag = action;
	__jit_debug_descriptor.relevant_entry = entry;
	__jit_debug_register_code();
	__jit_debug_descriptor.action_flag = JIT_NOACTION;
	__jit_debug_descriptor.relevant_entry = NULL;
}

void we_gdb_add(const struct we_module *module, const struct we_image *image)
{
	struct jit_code_entry *entry = calloc(1, sizeof(*entry));
	size_t n = 0;

	if (entry == NULL)
		return;
	entry->symfile_addr = make_file(module, image, &n);
	if (entry->symfile_addr == NULL) {
		free(entry);
		return;
	}
	entry->symfile_size = n;
	entry->image = image;
	entry->next_entry = __jit_debug_descriptor.first_entry;
	if (entry->next_entry != NULL)
		entry->next_entry->prev_entry = entry;
	__jit_debug_descriptor.first_entry = entry;
	tell(JIT_REGISTER_FN, entry);
}

void we_gdb_remove(const struct we_image *image)
{
	struct jit_code_entry *entry = __jit_debug_descriptor.first_entry;

	while (entry != NULL && entry->image != image)
		entry = entry->next_entry;
	if (entry == NULL)
		return;
	if (entry->next_entry != NULL)
		entry->next_entry->prev_entry = entry->prev_entry;
	if (entry->prev_entry != NULL)
		entry->prev_entry->next_entry = entry->next_entry;
	else
		__jit_debug_descriptor.first_entry = entry->next_entry;
	tell(JIT_UNREGISTER_FN, entry);
	free((void *)(uintptr_t)entry->symfile_addr);
	free(entry);
}
