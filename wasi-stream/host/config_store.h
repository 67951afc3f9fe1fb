// SPDX-License-Identifier: BSD-3-Clause
// config_store: wasi:config/store, through which a filter reads its part of the configuration.
//
// Owns:    copies of keys and values, laid out as the answers will need them: a call allocates nothing.
// Thread:  the filter's.
#pragma once

#include "ws.h"

struct ws_config_answer;

struct ws_config_store {
	struct ws_config_answer *answers; // [n], in the order given
	struct cm_val *pairs;             // [n] what get-all lists
	char *text;                       // all keys and values
	struct cm_val list;               // of pairs
	uint32_t n;
};

// Copies entries [n]; the first of two equal keys is the one that get answers.
// Returns: 0; NOMEM; INVALID: a key or value is not UTF-8 or too long.
WE_MUST_USE int ws_config_store_init(struct ws_config_store *store,
	const struct ws_config_entry *entries, uint32_t n, struct we_error *err);
void ws_config_store_fini(struct ws_config_store *store); // zeroed is fine

// get: func(key: string) -> result<option<string>, error>. env: struct ws_config_store.
int ws_config_store_get(void *env, struct cm_call *call, const struct cm_val *args, uint32_t n_args,
	struct cm_val *result, struct we_error *err);
// get-all: func() -> result<list<tuple<string, string>>, error>
int ws_config_store_get_all(void *env, struct cm_call *call, const struct cm_val *args,
	uint32_t n_args, struct cm_val *result, struct we_error *err);
