// SPDX-License-Identifier: BSD-3-Clause
// dp_eal: EAL arguments, hugepages or not, log lines of DPDK, signal masks.
#include "eal.h"

#include "log.h"
#include "message.h"
#include "pool.h"

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_log.h>

#include <assert.h>
#include <errno.h>
#include <glob.h>
#include <inttypes.h>
#include <mntent.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	ARGS_MAX = 128,
	ARG_BYTES = 4096,
	MEGABYTE = 1 << 20,
	BASE_MEGABYTES = 64, // for rings, ports and what drivers keep
};

// What this process gave to EAL, for dp_eal_fini.
static struct {
	FILE *log;             // DPDK's lines go through here
	char error[256];       // the first line at level error since it was cleared
	char huge_files[512];  // glob pattern of hugepage files that are ours; "": none
	char runtime_dir[256]; // "": EAL has made none
	bool is_shared;        // EAL keeps files there for secondary processes
} eal;

struct args {
	char *argv[ARGS_MAX + 1]; // owned strings, NULL at the end
	int n;
	bool is_out_of_memory;
};

static void args_add(struct args *args, const char *fmt, ...) WE_PRINTF(2, 3);
static void args_add(struct args *args, const char *fmt, ...)
{
	va_list ap;
	char *arg = NULL;

	va_start(ap, fmt);
	if (args->n == ARGS_MAX || vasprintf(&arg, fmt, ap) < 0)
		args->is_out_of_memory = true;
	else
		args->argv[args->n++] = arg;
	va_end(ap);
}

static void args_fini(struct args *args)
{
	for (int i = 0; i < args->n; i++)
		free(args->argv[i]);
}

// ---- DPDK's log lines -----------------------------------------------------------------------------

// Drivers call much an error that is none (net_tap: no multiq); what stops us is told by our own message.
static enum dp_log_level level_of(uint32_t rte_level)
{
	if (rte_level <= RTE_LOG_CRIT)
		return DP_LOG_WARN;
	return rte_level == RTE_LOG_DEBUG ? DP_LOG_TRACE : DP_LOG_DEBUG;
}

static ssize_t write_line(void *cookie, const char *text, size_t len)
{
	const uint32_t level = (uint32_t)rte_log_cur_msg_loglevel();
	size_t n = len;

	(void)cookie;
	while (n > 0 && text[n - 1] == '\n')
		n--;
	if (n == 0)
		return (ssize_t)len;
	if (level <= RTE_LOG_ERR && !eal.error[0])
		snprintf(eal.error, sizeof(eal.error), "%.*s", (int)n, text);
	dp_log_text(level_of(level), "dpdk", text, n);
	return (ssize_t)len;
}

// EAL answers an argument that it does not know with pages on stdout; the first line that it or getopt
// prints says what is wrong.
static ssize_t keep_line(void *cookie, const char *text, size_t len)
{
	size_t n = strcspn(text, "\n");

	(void)cookie;
	n = n < len ? n : len;
	if (!eal.error[0])
		snprintf(eal.error, sizeof(eal.error), "%.*s", (int)n, text);
	return (ssize_t)len;
}

const char *dp_eal_error(void)
{
	return eal.error;
}

void dp_eal_clear_error(void)
{
	eal.error[0] = 0;
}

// ---- memory ---------------------------------------------------------------------------------------

static uint64_t megabytes(const struct dp_config *config)
{
	return BASE_MEGABYTES + dp_pool_bytes(config) / MEGABYTE + 1;
}

// Bytes of free hugepages of 2 MiB.
static uint64_t free_huge_bytes(void)
{
	FILE *f = fopen("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "re");
	uint64_t n = 0;

	if (!f)
		return 0;
	if (fscanf(f, "%" SCNu64, &n) != 1)
		n = 0;
	fclose(f);
	return n * 2 * MEGABYTE;
}

// A place where hugetlbfs is mounted and may be written. Returns: 0, or 1 when there is none.
static int find_huge_mount(char *ret_path, size_t cap)
{
	FILE *mounts = setmntent("/proc/self/mounts", "r");
	const struct mntent *m;
	int rc = 1;

	if (!mounts)
		return 1;
	while (rc && (m = getmntent(mounts))) {
		if (strcmp(m->mnt_type, "hugetlbfs") == 0 && access(m->mnt_dir, W_OK) == 0) {
			snprintf(ret_path, cap, "%s", m->mnt_dir);
			rc = 0;
		}
	}
	endmntent(mounts);
	return rc;
}

static bool says(const struct dp_config *config, const char *option)
{
	const size_t len = strlen(option);

	for (uint32_t i = 0; i < config->n_eal_args; i++) {
		const char *arg = config->eal_args[i];

		if (strncmp(arg, option, len) == 0 && (arg[len] == 0 || arg[len] == '='))
			return true;
	}
	return false;
}

// The operator's own choice of memory stands. Files of hugepages are kept in one per memory node
// (--single-file-segments): memif and vhost-user peers see no packet otherwise.
static void add_memory(struct args *args, const struct dp_config *config)
{
	const uint64_t want = megabytes(config);
	char mount[256];

	if (says(config, "--no-huge") || says(config, "--in-memory") ||
		says(config, "--huge-dir") || says(config, "-m") || says(config, "--socket-mem"))
		return;
	if (free_huge_bytes() >= want * MEGABYTE && !find_huge_mount(mount, sizeof(mount))) {
		args_add(args, "--single-file-segments");
		args_add(args, "--huge-dir=%s", mount);
		eal.is_shared = true;
		snprintf(eal.huge_files, sizeof(eal.huge_files), "%s/%smap_*", mount,
			config->instance);
		return;
	}
	dp_log_info("no hugepages to be had (%" PRIu64 " MiB wanted, %" PRIu64
		    " MiB free): running with --no-huge --no-shconf",
		want, free_huge_bytes() / MEGABYTE);
	args_add(args, "--no-huge");
	args_add(args, "--no-shconf");
	args_add(args, "-m");
	args_add(args, "%" PRIu64, want);
}

// ---- processors -----------------------------------------------------------------------------------

// "(0,1,5)": every processor that this process may use.
static void print_cpus(const cpu_set_t *cpus, char *buf, size_t cap)
{
	size_t len = 0;

	for (size_t cpu = 0; cpu < CPU_SETSIZE && len + 8 < cap; cpu++) {
		if (CPU_ISSET(cpu, cpus))
			len += (size_t)snprintf(
				buf + len, cap - len, "%c%zu", len ? ',' : '(', cpu);
	}
	snprintf(buf + len, cap - len, ")");
}

// lcore i is worker i, on its processor; the main lcore comes after them and floats.
static int add_lcores(struct args *args, const struct dp_config *config, char **ret_message)
{
	char list[ARG_BYTES] = "";
	char all[ARG_BYTES / 2];
	size_t len = 0;
	cpu_set_t cpus;

	if (sched_getaffinity(0, sizeof(cpus), &cpus) < 0)
		return dp_fail(ret_message, WE_E_HOST, "sched_getaffinity: %s", strerror(errno));
	print_cpus(&cpus, all, sizeof(all));
	for (uint32_t i = 0; i < config->n_workers; i++) {
		const struct dp_worker_config *worker = &config->workers[i];

		if (worker->lcore == DP_LCORE_ANY) {
			len += (size_t)snprintf(list + len, sizeof(list) - len, "%u@%s,", i, all);
		} else if (worker->lcore >= CPU_SETSIZE || !CPU_ISSET(worker->lcore, &cpus)) {
			return dp_fail_at(ret_message, config, worker->place, WE_E_HOST,
				"lcore %u: this process may not use that processor, only %s",
				worker->lcore, all);
		} else {
			len += (size_t)snprintf(
				list + len, sizeof(list) - len, "%u@%u,", i, worker->lcore);
		}
		if (len + sizeof(all) > sizeof(list))
			return dp_fail(ret_message, WE_E_INVALID, "too many workers");
	}
	args_add(args, "--lcores=%s%u@%s", list, config->n_workers, all);
	args_add(args, "--main-lcore=%u", config->n_workers);
	return 0;
}

// ---- arguments ------------------------------------------------------------------------------------

// A PCI address at the start of a device string: "0000:3b:00.1" or "3b:00.1".
static bool is_pci(const char *device)
{
	unsigned a, b, c, d;

	return sscanf(device, "%x:%x:%x.%u", &a, &b, &c, &d) == 4 ||
	       sscanf(device, "%x:%x.%u", &b, &c, &d) == 3;
}

static void add_devices(struct args *args, const struct dp_config *config)
{
	bool has_pci = false;

	for (uint32_t i = 0; i < config->n_ports; i++) {
		if (config->ports[i].device && is_pci(config->ports[i].device)) {
			args_add(args, "--allow=%s", config->ports[i].device);
			has_pci = true;
		}
	}
	if (!has_pci && !says(config, "--no-pci"))
		args_add(args, "--no-pci");
}

// The configuration has made sure that none of them is what it says elsewhere.
static void add_given(struct args *args, const struct dp_config *config)
{
	for (uint32_t i = 0; i < config->n_eal_args; i++)
		args_add(args, "%s", config->eal_args[i]);
}

static int args_init(struct args *args, const struct dp_config *config, char **ret_message)
{
	int rc;

	args_add(args, "weir");
	args_add(args, "--file-prefix=%s", config->instance);
	if ((rc = add_lcores(args, config, ret_message)))
		return rc;
	add_devices(args, config);
	add_memory(args, config);
	add_given(args, config);
	return args->is_out_of_memory ? dp_fail(ret_message, WE_E_NOMEM, "eal: arguments") : 0;
}

// EAL's threads inherit the mask of the thread that starts them.
static void block_signals(sigset_t *ret_before)
{
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, ret_before);
}

static void remove_files(const char *pattern)
{
	glob_t found;

	if (glob(pattern, GLOB_NOSORT, NULL, &found))
		return;
	for (size_t i = 0; i < found.gl_pathc; i++)
		unlink(found.gl_pathv[i]);
	globfree(&found);
}

// EAL leaves its folder behind, and unlinks its telemetry socket only at exit: so this runs after that.
// Another weir of the same name may use the folder, unless EAL has locked it for us alone.
static void remove_runtime_dir(void)
{
	char pattern[sizeof(eal.runtime_dir) + 2];

	if (!eal.runtime_dir[0])
		return;
	snprintf(pattern, sizeof(pattern), "%s/*", eal.runtime_dir);
	if (eal.is_shared)
		remove_files(pattern);
	rmdir(eal.runtime_dir);
}

static void close_log(void)
{
	rte_openlog_stream(NULL);
	if (eal.log)
		fclose(eal.log);
	eal.log = NULL;
}

// rte_eal_init without what it prints itself. Returns: as it does.
static int init(int argc, char **argv)
{
	static const cookie_io_functions_t to_error = {.write = keep_line};
	FILE *const own_stdout = stdout;
	FILE *const own_stderr = stderr;
	FILE *kept = fopencookie(NULL, "w", to_error);

	if (!kept) {
		rte_errno = ENOMEM;
		return -1;
	}
	setvbuf(kept, NULL, _IOLBF, 0);
	stdout = kept; // may be assigned in glibc
	stderr = kept;
	const int rc = rte_eal_init(argc, argv);
	stdout = own_stdout;
	stderr = own_stderr;
	fclose(kept);
	return rc;
}

// What the configuration gave is at fault when EAL does not take its arguments.
static int fail_init(const struct dp_config *config, char **ret_message)
{
	const char *why = eal.error[0] ? eal.error : rte_strerror(rte_errno);

	if (rte_errno == EINVAL && config->n_eal_args > 0)
		return dp_fail_at(ret_message, config, config->eal_place, WE_E_INVALID,
			"eal: DPDK does not take these arguments: %s", why);
	return dp_fail(ret_message, WE_E_HOST, "DPDK does not start: %s", why);
}

int dp_eal_init(const struct dp_config *config, char **ret_message)
{
	static const cookie_io_functions_t to_log = {.write = write_line};
	struct args args = {0};
	char *argv[ARGS_MAX + 1];
	sigset_t before;
	int rc = args_init(&args, config, ret_message);

	if (rc)
		goto out;
	eal.log = fopencookie(NULL, "w", to_log);
	if (!eal.log) {
		rc = dp_fail(ret_message, WE_E_NOMEM, "eal: log stream");
		goto out;
	}
	setvbuf(eal.log, NULL, _IOLBF, 0);
	rte_openlog_stream(eal.log);
	memcpy(argv, args.argv, sizeof(argv)); // EAL reorders it
	atexit(remove_runtime_dir);
	dp_eal_clear_error();
	block_signals(&before);
	if (init(args.n, argv) < 0)
		rc = fail_init(config, ret_message);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rc)
		close_log();
	else
		snprintf(eal.runtime_dir, sizeof(eal.runtime_dir), "%s", rte_eal_get_runtime_dir());
out:
	args_fini(&args);
	return rc;
}

void dp_eal_fini(void)
{
	rte_eal_cleanup();
	if (eal.huge_files[0])
		remove_files(eal.huge_files);
	eal.huge_files[0] = 0;
	close_log();
}
