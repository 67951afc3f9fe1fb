// SPDX-License-Identifier: BSD-3-Clause
// spec_skip: see skip.h. Every program is built with a list of its own.
#include "skip.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// skip.list, a string a line; the build makes it.
static const char *const default_lines[] = {
#include "skip_list.inc"
	"",
};

static int bad_line(const char *from, uint32_t number, const char *line)
{
	fprintf(stderr, "%s:%u: expected \"SCRIPT:FIRST[-LAST] REASON\", found \"%s\"\n", from,
		number, line);
	return -1;
}

static int add_line(struct spec_skip *skip, const char *from, uint32_t number, const char *line)
{
	const size_t script_len = strcspn(line, ":");
	struct spec_skip_entry *entries;
	struct spec_skip_entry entry;
	char *end;

	if (line[0] == '\0' || line[0] == '#')
		return 0;
	if (line[script_len] != ':')
		return bad_line(from, number, line);
	entry.first = (uint32_t)strtoul(line + script_len + 1, &end, 10);
	entry.last = entry.first;
	if (*end == '-')
		entry.last = (uint32_t)strtoul(end + 1, &end, 10);
	if (*end != ' ' || end[1] == '\0' || entry.first == 0 || entry.last < entry.first)
		return bad_line(from, number, line);
	entries = realloc(skip->entries, (skip->n + 1) * sizeof(*entries));
	if (entries == NULL)
		return -1;
	skip->entries = entries;
	entry.script = strndup(line, script_len);
	if (entry.script == NULL)
		return -1;
	skip->entries[skip->n++] = entry;
	return 0;
}

int spec_skip_init_default(struct spec_skip *skip)
{
	const size_t n = sizeof(default_lines) / sizeof(default_lines[0]);

	*skip = (struct spec_skip){0};
	for (uint32_t i = 0; i < n; i++) {
		if (add_line(skip, "skip.list", i + 1, default_lines[i]) < 0) {
			spec_skip_fini(skip);
			return -1;
		}
	}
	return 0;
}

int spec_skip_init_file(struct spec_skip *skip, const char *path)
{
	FILE *file = fopen(path, "r");
	char line[512];
	int rc = 0;

	*skip = (struct spec_skip){0};
	if (file == NULL) {
		perror(path);
		return -1;
	}
	for (uint32_t number = 1; rc == 0 && fgets(line, sizeof(line), file) != NULL; number++) {
		line[strcspn(line, "\n")] = '\0';
		rc = add_line(skip, path, number, line);
	}
	fclose(file);
	if (rc < 0)
		spec_skip_fini(skip);
	return rc;
}

void spec_skip_fini(struct spec_skip *skip)
{
	for (uint32_t i = 0; i < skip->n; i++)
		free(skip->entries[i].script);
	free(skip->entries);
	*skip = (struct spec_skip){0};
}

bool spec_skip_has(const struct spec_skip *skip, const char *script, uint32_t line)
{
	for (uint32_t i = 0; i < skip->n; i++) {
		const struct spec_skip_entry *entry = &skip->entries[i];

		if (line >= entry->first && line <= entry->last &&
			strcmp(entry->script, script) == 0)
			return true;
	}
	return false;
}
