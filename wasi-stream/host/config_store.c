// SPDX-License-Identifier: BSD-3-Clause
// config_store: the answers of wasi:config/store, made ready beforehand.
#include "config_store.h"

#include "reader.h"

#include <stdlib.h>
#include <string.h>

// Spec: CanonicalABI.md, the most bytes of a string.
#define STRING_BYTES_MAX ((UINT32_C(1) << 28) - 1)

struct ws_config_answer {
	struct cm_val pair[2]; // key, value
	struct cm_val some;    // option<string> of the value
};

static int check(const struct ws_config_entry *entry, struct we_error *err)
{
	const size_t key_len = strlen(entry->key);

	if (key_len > STRING_BYTES_MAX || !we_utf8_is_valid((const uint8_t *)entry->key, key_len))
		return we_error_set(err, WE_E_INVALID, 0, "config: a key is not UTF-8");
	if (entry->value_len > STRING_BYTES_MAX)
		return we_error_set(err, WE_E_INVALID, 0,
			"config: value of '%s' is %zu bytes, expected at most %u", entry->key,
			entry->value_len, STRING_BYTES_MAX);
	if (!we_utf8_is_valid((const uint8_t *)entry->value, entry->value_len))
		return we_error_set(
			err, WE_E_INVALID, 0, "config: value of '%s' is not UTF-8", entry->key);
	return 0;
}

// Copy a string to *at, which moves on.
static struct cm_val keep(char **at, const char *text, size_t len)
{
	char *copy = *at;

	if (len > 0)
		memcpy(copy, text, len);
	*at += len;
	return (struct cm_val){.kind = CM_STRING, .n = (uint32_t)len, .of.string = copy};
}

int ws_config_store_init(struct ws_config_store *store, const struct ws_config_entry *entries,
	uint32_t n, struct we_error *err)
{
	size_t text_len = 0;

	*store = (struct ws_config_store){.n = n};
	for (uint32_t i = 0; i < n; i++) {
		const int rc = check(&entries[i], err);

		if (rc < 0)
			return rc;
		text_len += strlen(entries[i].key) + entries[i].value_len;
	}
	store->answers = calloc(n + (size_t)1, sizeof(*store->answers));
	store->pairs = calloc(n + (size_t)1, sizeof(*store->pairs));
	store->text = malloc(text_len + 1);
	if (store->answers == NULL || store->pairs == NULL || store->text == NULL) {
		ws_config_store_fini(store);
		return we_error_set(err, WE_E_NOMEM, 0, "no memory for %u config entries", n);
	}
	char *at = store->text;

	for (uint32_t i = 0; i < n; i++) {
		struct ws_config_answer *answer = &store->answers[i];

		answer->pair[0] = keep(&at, entries[i].key, strlen(entries[i].key));
		answer->pair[1] = keep(&at, entries[i].value, entries[i].value_len);
		answer->some =
			(struct cm_val){.kind = CM_VARIANT, .n = 1, .of.payload = &answer->pair[1]};
		store->pairs[i] =
			(struct cm_val){.kind = CM_TUPLE, .n = 2, .of.elems = answer->pair};
	}
	store->list = (struct cm_val){.kind = CM_LIST, .n = n, .of.elems = store->pairs};
	return 0;
}

void ws_config_store_fini(struct ws_config_store *store)
{
	free(store->answers);
	free(store->pairs);
	free(store->text);
	*store = (struct ws_config_store){0};
}

static struct cm_val ok(const struct cm_val *payload)
{
	return (struct cm_val){.kind = CM_VARIANT, .n = 0, .of.payload = payload};
}

int ws_config_store_get(void *env, struct cm_call *call, const struct cm_val *args, uint32_t n_args,
	struct cm_val *result, struct we_error *err)
{
	static const struct cm_val none = {.kind = CM_VARIANT, .n = 0};
	const struct ws_config_store *store = env;

	(void)call;
	(void)n_args;
	(void)err;
	*result = ok(&none);
	for (uint32_t i = 0; i < store->n; i++) {
		const struct cm_val *key = &store->answers[i].pair[0];

		if (key->n == args[0].n && memcmp(key->of.string, args[0].of.string, key->n) == 0) {
			*result = ok(&store->answers[i].some);
			break;
		}
	}
	return 0;
}

int ws_config_store_get_all(void *env, struct cm_call *call, const struct cm_val *args,
	uint32_t n_args, struct cm_val *result, struct we_error *err)
{
	const struct ws_config_store *store = env;

	(void)call;
	(void)args;
	(void)n_args;
	(void)err;
	*result = ok(&store->list);
	return 0;
}
