// SPDX-License-Identifier: BSD-3-Clause
// spec_suite: see suite.h.
#include "suite.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

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
	const struct spec_suite *suite;
	struct we_engine *engine;
	struct spec_skip skip;
	struct spec_totals totals;
	bool is_jit;
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
		if (snprintf(file, sizeof(file), "%s/%s", path, entries[i]->d_name) >=
			(int)sizeof(file))
			rc = -1;
		if (rc == 0)
			rc = run->suite->run(run->engine, &run->skip, file, &run->totals);
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
				   : run->suite->run(run->engine, &run->skip, path, &run->totals);
}

static int usage(const struct spec_suite *suite, FILE *to)
{
	fprintf(to,
		"usage: %s [--tier interp|jit] [--cpu v1|v2|v3|v4|native] [--explicit-checks]\n"
		"       [--deterministic] [--gc-stress] [--skip LIST] [--conformance DIR]\n"
		"       [FILE.json | FOLDER]...\n",
		suite->program);
	return WRONG_USE;
}

// The tier must not be taken for another: how much of it was native.
static void print_native(const struct run *run)
{
	struct we_jit_stats stats;

	we_engine_jit_stats(run->engine, &stats);
	printf("native code: %u of %u functions%s%s\n", stats.n_funcs_native, stats.n_funcs,
		stats.last_failure[0] != '\0' ? "; " : "", stats.last_failure);
}

static int run_paths(struct run *run, const char *const *paths, int n)
{
	int rc = 0;

	for (int i = 0; rc == 0 && i < n; i++) {
		rc = run_path(run, paths[i]);
		if (rc > 0)
			fprintf(stderr, "%s: %s: not there; set WEIR_CONFORMANCE\n",
				run->suite->program, paths[i]);
	}
	if (run->is_jit)
		print_native(run);
	printf("%llu passed, %llu failed, %llu skipped\n", (unsigned long long)run->totals.n_passed,
		(unsigned long long)run->totals.n_failed,
		(unsigned long long)run->totals.n_skipped);
	if (rc > 0)
		return NO_SUITE;
	return rc < 0 || run->totals.n_failed > 0 ? GUEST_AT_FAULT : DONE;
}

struct options {
	struct we_engine_config config;
	const char *skip_path;   // or NULL
	const char *conformance; // or NULL
	int first;               // of the paths in argv
};

// Returns: 0, or -1 on wrong use.
static int parse_options(struct options *ret, int argc, char **argv)
{
	int i = 1;

	for (; i < argc && strncmp(argv[i], "--", 2) == 0; i++) {
		const char *flag = argv[i];
		const char *value = i + 1 < argc ? argv[i + 1] : NULL;

		if (strcmp(flag, "--deterministic") == 0) {
			ret->config.deterministic = true;
			continue;
		}
		if (strcmp(flag, "--gc-stress") == 0) {
			ret->config.gc_stress = true;
			continue;
		}
		if (strcmp(flag, "--explicit-checks") == 0) {
			ret->config.explicit_checks = true;
			continue;
		}
		if (value == NULL)
			return -1;
		if (strcmp(flag, "--skip") == 0)
			ret->skip_path = value;
		else if (strcmp(flag, "--conformance") == 0)
			ret->conformance = value;
		else if (strcmp(flag, "--cpu") == 0)
			ret->config.jit_cpu = value;
		else if (strcmp(flag, "--tier") == 0 && strcmp(value, "jit") == 0)
			ret->config.jit_at_once = true;
		else if (strcmp(flag, "--tier") != 0 || strcmp(value, "interp") != 0)
			return -1;
		i++;
	}
	ret->first = i;
	return 0;
}

int spec_suite_main(const struct spec_suite *suite, int argc, char **argv)
{
	const char *env = getenv("WEIR_CONFORMANCE");
	struct options options = {0};
	struct run run = {.suite = suite};
	struct we_error err;
	int status;

	if (argc == 2 && strcmp(argv[1], "--help") == 0) {
		(void)usage(suite, stdout);
		return DONE;
	}
	if (parse_options(&options, argc, argv) < 0)
		return usage(suite, stderr);
	run.conformance = options.conformance;
	run.is_jit = options.config.jit_at_once;
	if (env != NULL && env[0] != '\0')
		run.conformance = env;
	if ((options.skip_path != NULL ? spec_skip_init_file(&run.skip, options.skip_path)
				       : spec_skip_init_default(&run.skip)) < 0)
		return WRONG_USE;
	if (we_engine_create(&options.config, &run.engine, &err) < 0) {
		fprintf(stderr, "%s: %s: %s\n", suite->program, we_failure_word(err.rc), err.msg);
		spec_skip_fini(&run.skip);
		return GUEST_AT_FAULT;
	}
	status = options.first < argc ? run_paths(&run, (const char *const *)argv + options.first,
						argc - options.first)
				      : run_paths(&run, suite->folders, (int)suite->n_folders);
	we_engine_destroy(run.engine);
	spec_skip_fini(&run.skip);
	return status;
}
