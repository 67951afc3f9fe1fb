// SPDX-License-Identifier: BSD-3-Clause
// we-spec: runs converted core scripts.
//
//	we-spec [--tier interp] [--skip LIST] [--conformance DIR] [FILE.json | FOLDER]...
//
// A folder stands for the scripts in it. What does not exist as given is looked for below
// WEIR_CONFORMANCE, or else DIR. Without a file: the five folders that this engine must pass.
// Exit: 0 none failed, 1 some did, 2 wrong use, 77 the suite is not there.
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "run_core.h"

enum {
	DONE = 0,
	GUEST_AT_FAULT = 1,
	WRONG_USE = 2,
	NO_SUITE = 77
};
enum {
	PATH_CAP = 4096
};

struct run {
	struct we_engine *engine;
	struct spec_skip skip;
	struct spec_totals totals;
	const char *conformance; // or NULL
};

static bool is_json(const char *name)
{
	const size_t len = strlen(name);

	return len > 5 && strcmp(name + len - 5, ".json") == 0;
}

static int select_json(const struct dirent *entry)
{
	return is_json(entry->d_name);
}

static int run_folder(struct run *run, const char *path)
{
	struct dirent **entries;
	const int n = scandir(path, &entries, select_json, alphasort);
	char file[PATH_CAP];
	int rc = n < 0 ? -1 : 0;

	for (int i = 0; i < n; i++) {
		snprintf(file, sizeof(file), "%s/%s", path, entries[i]->d_name);
		if (rc == 0)
			rc = spec_run(run->engine, &run->skip, file, &run->totals);
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
	return rc;
}

// Returns: 0; -1 unreadable; 1 not there.
static int run_path(struct run *run, const char *given)
{
	char path[PATH_CAP];
	struct stat st;

	snprintf(path, sizeof(path), "%s", given);
	if (stat(path, &st) < 0) {
		if (run->conformance == NULL || given[0] == '/')
			return 1;
		snprintf(path, sizeof(path), "%s/%s", run->conformance, given);
		if (stat(path, &st) < 0)
			return 1;
	}
	return S_ISDIR(st.st_mode) ? run_folder(run, path)
				   : spec_run(run->engine, &run->skip, path, &run->totals);
}

static int usage(void)
{
	fputs("usage: we-spec [--tier interp] [--skip LIST] [--conformance DIR] [FILE.json | "
	      "FOLDER]...\n",
		stderr);
	return WRONG_USE;
}

static int run_paths(struct run *run, const char *const *paths, int n)
{
	int rc = 0;

	for (int i = 0; rc == 0 && i < n; i++) {
		rc = run_path(run, paths[i]);
		if (rc > 0)
			fprintf(stderr, "we-spec: %s: not there; set WEIR_CONFORMANCE\n", paths[i]);
	}
	printf("%llu passed, %llu failed, %llu skipped\n", (unsigned long long)run->totals.n_passed,
		(unsigned long long)run->totals.n_failed,
		(unsigned long long)run->totals.n_skipped);
	if (rc > 0)
		return NO_SUITE;
	return rc < 0 || run->totals.n_failed > 0 ? GUEST_AT_FAULT : DONE;
}

int main(int argc, char **argv)
{
	static const char *const folders[] = {
		"core", "core/bulk-memory", "core/simd", "core/relaxed-simd", "core/multi-memory"};
	const char *skip_path = NULL;
	const char *env = getenv("WEIR_CONFORMANCE");
	struct run run = {0};
	struct we_error err;
	int status;
	int i = 1;

	for (; i < argc && strncmp(argv[i], "--", 2) == 0; i += 2) {
		if (i + 1 >= argc)
			return usage();
		if (strcmp(argv[i], "--skip") == 0)
			skip_path = argv[i + 1];
		else if (strcmp(argv[i], "--conformance") == 0)
			run.conformance = argv[i + 1];
		else if (strcmp(argv[i], "--tier") != 0 || strcmp(argv[i + 1], "interp") != 0)
			return usage();
	}
	if (env != NULL && env[0] != '\0')
		run.conformance = env;
	if ((skip_path != NULL ? spec_skip_init_file(&run.skip, skip_path)
			       : spec_skip_init_default(&run.skip)) < 0)
		return WRONG_USE;
	if (we_engine_create(NULL, &run.engine, &err) < 0) {
		fprintf(stderr, "we-spec: %s: %s\n", we_failure_word(err.rc), err.msg);
		spec_skip_fini(&run.skip);
		return GUEST_AT_FAULT;
	}
	status = i < argc ? run_paths(&run, (const char *const *)argv + i, argc - i)
			  : run_paths(&run, folders, sizeof(folders) / sizeof(folders[0]));
	we_engine_destroy(run.engine);
	spec_skip_fini(&run.skip);
	return status;
}
