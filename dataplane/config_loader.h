// SPDX-License-Identifier: BSD-3-Clause
// config_loader: what the parts of dp_config share: a file that is being read, and the rows of option.def.
//
// config.c reads a file and looks at the whole; config_scope.c goes by the rows, config_value.c reads values,
// config_section.c reads what has names and what refers to them.
// Owns:    everything in the arena of the configuration that is being made.
// Thread:  one at a time.
#pragma once

#include "arena.h"
#include "option.h"
#include "yaml_tree.h"

enum {
	CONFIG_SHOWN_MAX = 64, // bytes of a value in a message
};

// Invariant: the config comes first, so that dp_config_destroy finds the arena.
struct config_owned {
	struct dp_config config;
	struct we_arena arena; // this struct is in it too
};

// A name that is looked up when all names are known.
struct config_reference {
	struct config_reference *next;
	const struct dp_yaml_node *node;
	const char *where; // the path of the key, for messages
	bool is_chain;     // else a port
	uint16_t *target;
};

struct config_loader {
	struct config_owned *owned;
	char **ret_message;
	const char *folder; // of the file, "." when its path has none
	char path[160];     // the path of the mapping that is being read, "filters.acl"
	struct config_reference *references;
	struct config_reference **references_tail;
	const struct dp_yaml_node *chains;         // the section
	struct dp_worker_config *workers;          // config.workers, still to be completed
	const struct dp_yaml_node **worker_queues; // [config.n_workers]; NULL: not given
};

enum config_type {
#define DP_OPTION_TYPE(TYPE, scale, words) CONFIG_##TYPE,
#include "option.def"
	CONFIG_TYPE_N
};

// A row of option.def.
struct config_option {
	enum dp_option_scope scope;
	const char *key;
	enum config_type type;
	size_t offset; // of the field in the scope's struct
	size_t size;   // of the field
	uint64_t min, max;
	const char *def; // as in the file; NULL: no value; "": the key is required
	const char *doc;
};

// ---- config_scope.c: rows, messages, memory -----------------------------------------------------

uint64_t config_type_scale(enum config_type type);
const char *config_type_words(enum config_type type);

// Put "FILE:LINE:COLUMN: text" into the loader's message. Returns: INVALID.
int config_fail(struct config_loader *ld, struct dp_place place, const char *fmt, ...)
	WE_PRINTF(3, 4);
// "PATH.KEY: found X, expected Y". Returns: INVALID.
int config_unexpected(struct config_loader *ld, const struct config_option *option,
	const struct dp_yaml_node *node);
// The same for what stands in a list or mapping of texts.
int config_not_text(struct config_loader *ld, const struct config_option *option,
	const struct dp_yaml_node *node);
// What a node is, for "found ...".
void config_describe(const struct dp_yaml_node *node, char *buf, size_t cap);
bool config_is_nothing(const struct dp_yaml_node *node);
// Add a part to ld->path; the length before is given back for config_path_leave.
size_t config_path_enter(struct config_loader *ld, const char *part);
void config_path_leave(struct config_loader *ld, size_t len);
const char *config_separator(const struct config_loader *ld); // between ld->path and a key

// A terminated copy in the arena; NULL: out of memory.
char *config_copy_text(struct config_loader *ld, const char *text, size_t len);
// A path as given, or below the configuration's folder; NULL: out of memory.
char *config_resolve_path(struct config_loader *ld, const char *path);

bool config_map_has(const struct dp_yaml_node *map, const char *key);
// Read a mapping of one scope into base: what is there in the file's order, then the defaults.
WE_MUST_USE int config_parse_scope(struct config_loader *ld, enum dp_option_scope scope,
	const struct dp_yaml_node *map, void *base);

// ---- config_value.c and config_section.c: one parser a type -------------------------------------

// Reads node into the field of base, the struct of the option's scope. Returns: 0; INVALID, NOMEM.
#define DP_OPTION_TYPE(TYPE, scale, words)                                                         \
	WE_MUST_USE int config_parse_##TYPE(struct config_loader *ld,                              \
		const struct config_option *option, const struct dp_yaml_node *node, void *base);
#include "option.def"

void *config_field(const struct config_option *option, void *base);
bool config_read_number(const char *text, uint64_t *ret_value);
// A whole file into the arena, terminated. Returns: 0; HOST with err->msg; NOMEM.
WE_MUST_USE int config_read_file(struct config_loader *ld, const char *path, size_t cap,
	const char **ret_text, size_t *ret_len, struct we_error *err);

// Names of ports, chains and filters begin their structs; stride is the struct's size.
uint16_t config_name_find(const void *things, size_t stride, uint32_t n, const char *name);
// "WHERE: found the unknown WHAT "rihgt", did you mean "right"?". Returns: INVALID.
int config_unknown_name(struct config_loader *ld, struct dp_place place, const char *where,
	const char *what, const char *name, const void *things, size_t stride, uint32_t n);
WE_MUST_USE int config_resolve_references(struct config_loader *ld);
