// SPDX-License-Identifier: BSD-3-Clause
// count: every packet goes on as it came and is counted by protocol (tally.def). At the end of the stream one line of
// wasi:logging says the counts, at level info and context "count".

#include "tally.h"
#include "weir.h"

static struct tally tally;

static void burst(struct weir_burst *b)
{
	for (uint32_t i = 0; i < b->n; i++)
		tally_add(&tally, weir_slot(b, i));
}

static void stop(struct weir_burst *b)
{
	char line[512];
	struct weir_text text = {line, sizeof(line), 0};

	(void)b;
	tally_print(&tally, &text);
	weir_log(WEIR_LOG_INFO, (struct weir_str)WEIR_STR("count"), weir_text_str(&text));
}

const struct weir_filter weir_filter = {
	.burst = burst,
	.stop = stop,
};
