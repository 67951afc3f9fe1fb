// SPDX-License-Identifier: BSD-3-Clause
// we_perf: see perf.h.
//
// Module path 3/6. Owns: see perf.h. Thread: any.
// Spec: Linux tools/perf/Documentation/jit-interface.txt, jitdump-specification.txt.
#include "perf.h"

#include "engine.h"
#include "gdb.h"
#include "native.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h> // snprintf
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
	NAME_BYTES = 256, // of a function, with its terminator
};

// jitdump-specification.txt "File header", "Record header", "Jit_code_load", "JIT_CODE_DEBUG_INFO".
enum {
	JITDUMP_MAGIC = 0x4A695444,
	JITDUMP_VERSION = 1,
	JIT_CODE_LOAD = 0,
	JIT_CODE_DEBUG_INFO = 2,
};

struct dump_header {
	uint32_t magic;
	uint32_t version;
	uint32_t total_size;
	uint32_t elf_mach;
	uint32_t pad;
	uint32_t pid;
	uint64_t timestamp;
	uint64_t flags;
};

struct dump_record {
	uint32_t id;
	uint32_t total_size;
	uint64_t timestamp;
};

struct dump_load {
	struct dump_record record;
	uint32_t pid;
	uint32_t tid;
	uint64_t vma;
	uint64_t code_addr;
	uint64_t code_size;
	uint64_t code_index;
};

struct dump_debug {
	struct dump_record record;
	uint64_t code_addr;
	uint64_t nr_entry;
};

struct dump_place { // then the name of a file, terminated
	uint64_t code_addr;
	uint32_t line;
	uint32_t discrim;
};

// Of the process. Files are opened by the first image that is to be in them.
static struct {
	pthread_mutex_t lock;
	int map; // -1: not open
	int dump;
	uint64_t code_index;
} all = {PTHREAD_MUTEX_INITIALIZER, -1, -1, 0};

static const char word_map[] = "map";
static const char word_dump[] = "dump";
static const char word_gdb[] = "gdb";

// Words with commas between them. NULL: none.
static const char *wanted(const struct we_engine_config *config)
{
	return config->jit_perf != NULL ? config->jit_perf : secure_getenv("WEIR_PERF");
}

// The first word, and the list behind it. Returns: its length; it may be empty.
static size_t next_word(const char **list, const char **ret_word)
{
	const size_t n = strcspn(*list, ",");

	*ret_word = *list;
	*list += (*list)[n] == ',' ? n + 1 : n;
	return n;
}

static bool is_word(const char *at, size_t n, const char *word)
{
	return n == strlen(word) && memcmp(at, word, n) == 0;
}

static bool is_wanted(const struct we_module *module, const char *word)
{
	const char *list = wanted(&module->engine->config);
	const char *at;

	while (list != NULL && *list != '\0') {
		const size_t n = next_word(&list, &at);

		if (is_word(at, n, word))
			return true;
	}
	return false;
}

int we_perf_check(const struct we_engine_config *config, struct we_error *err)
{
	const char *list = wanted(config);
	const char *at;

	while (list != NULL && *list != '\0') {
		const size_t n = next_word(&list, &at);

		if (n > 0 && !is_word(at, n, word_map) && !is_word(at, n, word_dump) &&
			!is_word(at, n, word_gdb))
			return we_error_set(err, WE_E_INVALID, 0,
				"%s: \"%.*s\", expected map, dump or gdb, with commas between them",
				config->jit_perf != NULL ? "jit_perf" : "$WEIR_PERF",
				(int)(n < 40 ? n : 40), at);
	}
	return 0;
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void write_all(int fd, const void *bytes, size_t n)
{
	const uint8_t *at = bytes;

	while (n > 0) {
		const ssize_t done = write(fd, at, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return;
		at += done;
		n -= (size_t)done;
	}
}

// A new file that this process alone writes; folders like /tmp belong to everybody.
static int create_file(const char *path)
{
	unlink(path);
	return open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_APPEND | O_CLOEXEC, 0600);
}

void we_perf_name(const struct we_module *module, we_funcidx func, char *name, size_t cap)
{
	struct we_bytes given = {0};
	int n;

	if (func == WE_NO_FUNC) {
		snprintf(name, cap, "wasm::thunk");
		return;
	}
	given = module->is.funcs[func].name;
	n = snprintf(name, cap, "wasm[%u]%s%.*s", func, given.len > 0 ? "::" : "",
		(int)(given.len < cap ? given.len : cap), (const char *)given.data);
	for (int i = 0; i < n && name[i] != '\0'; i++)
		if ((unsigned char)name[i] <= ' ' || name[i] == 0x7f)
			name[i] = '_';
}

// ---- the map ------------------------------------------------------------------------------------------

static void add_to_map(const struct we_module *module, const struct we_image *image)
{
	char path[64];
	char name[NAME_BYTES];
	char line[NAME_BYTES + 64];

	if (all.map < 0) {
		snprintf(path, sizeof(path), "/tmp/perf-%d.map", (int)getpid());
		all.map = create_file(path);
	}
	for (uint32_t i = 0; all.map >= 0 && i < image->header.n_ranges; i++) {
		const struct we_image_range *range = &image->ranges[i];
		int n;

		we_perf_name(module, range->func, name, sizeof(name));
		n = snprintf(line, sizeof(line), "%llx %x %s\n",
			(unsigned long long)(uintptr_t)(image->code + range->begin),
			range->end - range->begin, name);
		write_all(all.map, line, (size_t)n);
	}
}

// ---- the dump -----------------------------------------------------------------------------------------

// perf finds the file by an executable mapping of it, which is there to be seen and for nothing else.
static void open_dump(void)
{
	const struct dump_header header = {.magic = JITDUMP_MAGIC,
		.version = JITDUMP_VERSION,
		.total_size = sizeof(header),
		.elf_mach = EM_X86_64,
		.pid = (uint32_t)getpid(),
		.timestamp = now_ns(),
		.flags = 0}; // timestamps are CLOCK_MONOTONIC
	const char *folder = secure_getenv("JITDUMPDIR");
	char path[512];

	snprintf(path, sizeof(path), "%s/jit-%d.dump", folder != NULL ? folder : "/tmp",
		(int)getpid());
	all.dump = create_file(path);
	if (all.dump < 0)
		return;
	write_all(all.dump, &header, sizeof(header));
	if (mmap(NULL, (size_t)sysconf(_SC_PAGESIZE), PROT_READ | PROT_EXEC, MAP_PRIVATE, all.dump,
		    0) == MAP_FAILED) {
		close(all.dump);
		all.dump = -1;
	}
}

// The first place at or beyond an offset in the code.
static uint32_t place_from(const struct we_image *image, uint32_t pc)
{
	uint32_t lo = 0;
	uint32_t hi = image->header.n_places;

	while (lo < hi) {
		const uint32_t mid = lo + (hi - lo) / 2;

		if (image->places[mid].pc < pc)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

// What a profiler calls a line is the offset of the instruction in the module.
static void dump_places(const struct we_image *image, const struct we_image_range *range)
{
	static const char file[] = "module.wasm";
	const uint32_t first = place_from(image, range->begin);
	const uint32_t n = place_from(image, range->end) - first;
	const struct we_image_place *places = image->places + first;
	struct dump_debug debug = {.record = {.id = JIT_CODE_DEBUG_INFO, .timestamp = now_ns()},
		.code_addr = (uintptr_t)(image->code + range->begin),
		.nr_entry = n};

	if (n == 0)
		return;
	debug.record.total_size =
		(uint32_t)(sizeof(debug) + n * (sizeof(struct dump_place) + sizeof(file)));
	write_all(all.dump, &debug, sizeof(debug));
	for (uint32_t i = 0; i < n; i++) {
		uint8_t entry[sizeof(struct dump_place) + sizeof(file)];
		const struct dump_place place = {
			.code_addr = (uintptr_t)(image->code + places[i].pc), .line = places[i].at};

		memcpy(entry, &place, sizeof(place));
		memcpy(entry + sizeof(place), file, sizeof(file));
		write_all(all.dump, entry, sizeof(entry));
	}
}

static void add_to_dump(const struct we_module *module, const struct we_image *image)
{
	char name[NAME_BYTES];

	if (all.dump < 0)
		open_dump();
	for (uint32_t i = 0; all.dump >= 0 && i < image->header.n_ranges; i++) {
		const struct we_image_range *range = &image->ranges[i];
		const uint8_t *code = image->code + range->begin;
		const uint32_t n = range->end - range->begin;
		struct dump_load load = {.record = {.id = JIT_CODE_LOAD, .timestamp = now_ns()},
			.pid = (uint32_t)getpid(),
			.tid = (uint32_t)syscall(SYS_gettid),
			.vma = (uintptr_t)code,
			.code_addr = (uintptr_t)code,
			.code_size = n,
			.code_index = all.code_index++};

		we_perf_name(module, range->func, name, sizeof(name));
		load.record.total_size = (uint32_t)(sizeof(load) + strlen(name) + 1 + n);
		dump_places(image, range);
		write_all(all.dump, &load, sizeof(load));
		write_all(all.dump, name, strlen(name) + 1);
		write_all(all.dump, code, n);
	}
}

// ---- all of them ----------------------------------------------------------------------------------------

void we_perf_add(const struct we_module *module, const struct we_image *image)
{
	pthread_mutex_lock(&all.lock);
	if (is_wanted(module, word_map))
		add_to_map(module, image);
	if (is_wanted(module, word_dump))
		add_to_dump(module, image);
	if (is_wanted(module, word_gdb))
		we_gdb_add(module, image);
	pthread_mutex_unlock(&all.lock);
}

void we_perf_remove(const struct we_image *image)
{
	pthread_mutex_lock(&all.lock);
	we_gdb_remove(image);
	pthread_mutex_unlock(&all.lock);
}
