// SPDX-License-Identifier: BSD-3-Clause
// acl: packets pass or are dropped by the first rule of `config: rules:` that matches. rules.h has the language,
// table.h how a rule is found, docs/filters.md what is matched.
//
// Denied packets count under "acl_rule", or under "acl_default" when no rule matched. It asks for 192 bytes of each
// packet; what does not fit into the view counts as cut short and takes the default.

#include "classify.h"
#include "weir.h"

static struct acl acl;

static void burst(struct weir_burst *b)
{
	for (uint32_t i = 0; i < b->n; i++) {
		struct weir_slot *slot = weir_slot(b, i);
		const enum acl_answer answer = acl_classify(&acl, slot);

		if (answer != ACL_ALLOW)
			weir_drop(slot, (uint8_t)answer);
	}
}

static void start(struct weir_burst *b)
{
	static const struct acl_memory memory = {weir_alloc, weir_trim};
	static char error_buf[160];
	struct weir_text error = {error_buf, sizeof(error_buf), 0};
	struct weir_str text;
	uint32_t n_lines;

	switch (weir_config((struct weir_str)WEIR_STR("rules"), &text)) {
	case 0:
		break;
	case 1:
		weir_fail(b, (struct weir_str)WEIR_STR(
				     "no rules: expected the key \"rules\" in config"));
		return;
	default:
		weir_fail(
			b, (struct weir_str)WEIR_STR("the host could not read the configuration"));
		return;
	}
	acl_classes_init(&acl);
	n_lines = acl_rules_count(text);
	acl.rules.rule = weir_alloc(
		(n_lines < ACL_RULES_MAX ? n_lines : ACL_RULES_MAX) * sizeof(struct acl_rule), 16);
	if (acl.rules.rule == NULL) {
		weir_fail(b, (struct weir_str)WEIR_STR("no memory for the rules"));
		return;
	}
	weir_text_put(&error, (struct weir_str)WEIR_STR("rules: "));
	if (acl_rules_parse(text, &acl.rules, &error) != 0) {
		weir_fail(b, weir_text_str(&error));
		return;
	}
	if (acl_table_build(&acl.tables[0], &acl.rules, 4, &memory) != 0 ||
		acl_table_build(&acl.tables[1], &acl.rules, 6, &memory) != 0)
		weir_fail(
			b, (struct weir_str)WEIR_STR("no memory for the tables of so many rules"));
}

static const struct weir_str reasons[] = {
	WEIR_STR("acl_rule"),
	WEIR_STR("acl_default"),
};

const struct weir_filter weir_filter = {
	.burst = burst,
	.start = start,
	.reasons = reasons,
	.n_reasons = 2,
};
