// SPDX-License-Identifier: BSD-3-Clause
// Tests of dp_config: what a good file gives, and the exact message for each way of being wrong.
#include "config.h"
#include "option.h"
#include "queue_map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/weir-config-XXXXXX";
static char conf_path[sizeof(folder) + 16];

static void write_file(const char *name, const char *bytes, size_t len)
{
	char path[sizeof(folder) + 32];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	FILE *file = fopen(path, "wb");
	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, len, file), len);
	assert_int_equal(fclose(file), 0);
}

static void remove_file(const char *name)
{
	char path[sizeof(folder) + 32];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	assert_int_equal(unlink(path), 0);
}

static int make_folder(void **state)
{
	static const char latin1[] = "allow caf\xe9\n";

	(void)state;
	if (mkdtemp(folder) == NULL)
		return -1;
	snprintf(conf_path, sizeof(conf_path), "%s/c.yaml", folder);
	write_file("f.wasm", "x", 1);
	write_file("rules.txt", "default allow\n", 14);
	write_file("latin1.txt", latin1, sizeof(latin1) - 1);
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	remove_file("f.wasm");
	remove_file("rules.txt");
	remove_file("latin1.txt");
	remove_file("c.yaml");
	return rmdir(folder);
}

static int load(const char *text, size_t len, struct dp_config **ret_config, char **ret_message)
{
	write_file("c.yaml", text, len);
	return dp_config_load(conf_path, NULL, ret_config, ret_message);
}

static struct dp_config *load_good(const char *text)
{
	struct dp_config *config = NULL;
	char *message = NULL;

	if (load(text, strlen(text), &config, &message) != 0)
		fail_msg("%s", message);
	return config;
}

// What most broken files end with, so that only what is broken is wrong.
#define REST                                                                                       \
	"ports: {a: {device: net_null0}}\n"                                                        \
	"workers: [{lcore: 1}]\n"

// The file, and its message after "FILE:", in which DIR stands for the folder.
static const struct {
	const char *text;
	const char *message;
} broken[] = {
	{"", "1:1: found nothing in the file, expected a mapping with \"ports\" and \"workers\""},
	{"# only a comment\n", "1:1: found nothing in the file, expected a mapping with \"ports\" "
			       "and \"workers\""},
	{"---\n", "2:1: found nothing, expected a mapping with \"ports\" and \"workers\""},
	{"just text\n",
		"1:1: found \"just text\", expected a mapping with \"ports\" and \"workers\""},
	{"- a\n- b\n", "1:1: found a list, expected a mapping with \"ports\" and \"workers\""},
	{"ports: {a: {device: net_null0}}\nworkers: [{lcore: 1}]\n---\n" REST,
		"3:1: found a second document, expected the end of the file"},
	{"ports: {a: {device: net_null0}\n", "2:1: not YAML: did not find expected ',' or '}' "
					     "(while parsing a flow mapping that began at 1:8)"},
	{"ports:\n\ta: 1\n", "2:1: found a tab, expected spaces: YAML does not indent with tabs"},
	{"ports: {a: {device: net_null0}}\nworkers: [{lcore: 1}]\ninstance: \"abc\n",
		"4:1: not YAML: found unexpected end of stream (while scanning a quoted scalar "
		"that began at 3:11)"},
	{"ports:\n  a:\n    device: net_null0\n   to: b\n",
		"4:4: not YAML: did not find expected key (while parsing a block mapping that "
		"began at 2:3)"},
	{"burst: 32\nports: \377", "2:8: found the byte 0xff, expected UTF-8"},
	{"burst: 32 # \001\n",
		"1:13: found the byte 0x01, expected text without control characters"},
	{"burst: &size 32\n",
		"1:8: unsupported: the anchor \"&size\"; write the value where it is meant"},
	{"burst: *size\n",
		"1:8: unsupported: the alias \"*size\"; write the value where it is meant"},
	{"burst: !!int 32\n",
		"1:8: unsupported: the tag \"tag:yaml.org,2002:int\"; types are given by the keys"},
	{"%TAG ! tag:example.com,2000:\n---\nburst: 32\n", "1:1: unsupported: the directive %TAG"},
	{"<<: {burst: 32}\n",
		"1:1: unsupported: the merge key \"<<\"; write the values where they are meant"},
	{"? [a, b]\n: 1\n", "1:3: found a list as key, expected text"},
	{"ports: {a: {device: net_null0}}\nburst: 32\nworkers: [{lcore: 1}]\nburst: 64\n",
		"4:1: found the key \"burst\" again, expected it once (first in line 2)"},
	{"ports: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\n",
		"1:23: found a value 17 levels deep, expected at most 16"},
	{"instance: \"a\\0b\"\n" REST, "1:11: found a NUL character, expected text without it"},
	{"brust: 32\n" REST, "1:1: found the unknown key \"brust\", did you mean \"burst\"?"},
	{"zzzzzzzzz: 32\n" REST,
		"1:1: found the unknown key \"zzzzzzzzz\", expected one of instance, eal, burst, "
		"mbufs, mbuf_bytes, exception_port, engine, cpu, jit_cache, jit_program, "
		"jit_limits, ports, workers, chains, filters"},
	{"workers: [{lcore: 1}]\n", "1:1: the key \"ports\" is missing"},
	{"ports: {a: {device: net_null0}}\n# workers: [{lcore: 1}]\n",
		"1:1: the key \"workers\" is missing"},
	{"ports: {a: {devise: net_null0}}\nworkers: [{lcore: 1}]\n",
		"1:13: ports.a: found the unknown key \"devise\", did you mean \"device\"?"},
	{"ports: {a: {to: a}}\nworkers: [{lcore: 1}]\n",
		"1:12: ports.a: the key \"device\" is missing"},
	{"ports: {a: {device: net_null0, chan: x}}\nworkers: [{lcore: 1}]\n",
		"1:32: ports.a: found the unknown key \"chan\", did you mean \"chain\"?"},
	{"ports: {a: {device: net_null0}}\nworkers: [{lcore: 1, qeues: [a]}]\n",
		"2:22: workers[0]: found the unknown key \"qeues\", did you mean \"queues\"?"},
	{"burst: 32abc\n" REST, "1:8: burst: found \"32abc\", expected a number from 1 to 64"},
	{"burst: 0\n" REST, "1:8: burst: found \"0\", expected a number from 1 to 64"},
	{"burst: 65\n" REST, "1:8: burst: found \"65\", expected a number from 1 to 64"},
	{"burst: -1\n" REST, "1:8: burst: found \"-1\", expected a number from 1 to 64"},
	{"burst: 0x20\n" REST, "1:8: burst: found \"0x20\", expected a number from 1 to 64"},
	{"burst: 032\n" REST, "1:8: burst: found \"032\", expected a number from 1 to 64"},
	{"burst: 3.5\n" REST, "1:8: burst: found \"3.5\", expected a number from 1 to 64"},
	{"burst: \"32\"\n" REST,
		"1:8: burst: found the text \"32\", expected a number from 1 to 64"},
	{"burst: [32]\n" REST, "1:8: burst: found a list, expected a number from 1 to 64"},
	{"burst:\n" REST, "1:7: burst: found nothing, expected a number from 1 to 64"},
	{"burst: 99999999999999999999999\n" REST,
		"1:8: burst: found \"99999999999999999999999\", expected a number from 1 to 64"},
	{"engine: turbo\n" REST, "1:9: engine: found \"turbo\", expected auto, jit or interp"},
	{"engine: [jit]\n" REST, "1:9: engine: found a list, expected auto, jit or interp"},
	{"engine:\n" REST, "1:8: engine: found nothing, expected auto, jit or interp"},
	{"ports: {a: {device: net_null0}}\nworkers: [{lcore: 1, engine: native}]\n",
		"2:30: workers[0].engine: found \"native\", expected auto, jit or interp"},
	{"ports: {a: {device: net_null0}}\nworkers: [{lcore: 1, egnine: jit}]\n",
		"2:22: workers[0]: found the unknown key \"egnine\", did you mean \"engine\"?"},
	{"cpu: v5\n" REST, "1:6: cpu: found \"v5\", expected native, v2, v3, v4 or v1"},
	{"cpu: x86-64-v3\n" REST,
		"1:6: cpu: found \"x86-64-v3\", expected native, v2, v3, v4 or v1"},
	{"jit_cache: f.wasm\n" REST, "1:12: jit_cache: DIR/f.wasm is a file, expected a folder"},
	{"jit_cache: \"\"\n" REST,
		"1:12: jit_cache: found the text \"\", expected the path of a folder"},
	{"jit_program: none\n" REST,
		"1:14: jit_program: cannot read DIR/none: No such file or directory"},
	{"jit_limits: 5\n" REST,
		"1:13: jit_limits: found \"5\", expected a mapping of limits of the compiler"},
	{"jit_limits: {cpu: 5}\n" REST,
		"1:14: jit_limits: found the unknown key \"cpu\", expected one of cpu_ms, wall_ms, "
		"memory_bytes, cache_bytes"},
	{"jit_limits: {wall_ms: 0}\n" REST,
		"1:23: jit_limits.wall_ms: found \"0\", expected a number from 10 to 3600000"},
	{"jit_limits: {memory_bytes: 1G}\n" REST,
		"1:28: jit_limits.memory_bytes: found \"1G\", expected a number from 16777216 to "
		"1099511627776"},
	{"instance: 9lives\n" REST,
		"1:11: instance: found \"9lives\", expected a name of at most 31 letters, digits, "
		"'.', '_' and '-' that begins with a letter"},
	{"instance: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n" REST,
		"1:11: instance: found \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\", expected a name of at "
		"most 31 letters, digits, '.', '_' and '-' that begins with a letter"},
	{"eal: -l 0\n" REST, "1:6: eal: found \"-l 0\", expected a list of texts"},
	{"eal: [--no-pci, -l, '0']\n" REST,
		"1:17: eal: found \"-l\", which weir says itself: see workers and instance"},
	{"eal: [--file-prefix=x]\n" REST, "1:7: eal: found \"--file-prefix=x\", which weir says "
					  "itself: see workers and instance"},
	{"eal: [[-l]]\n" REST, "1:7: eal: found a list, expected text"},
	{"ports: {a: {device: net_null0, promiscuous: yes}}\nworkers: [{lcore: 1}]\n",
		"1:45: ports.a.promiscuous: found \"yes\", expected true or false"},
	{"ports: {a: {device: net_null0, mac: 01:00:00:00:00:01}}\nworkers: [{lcore: 1}]\n",
		"1:37: ports.a.mac: found \"01:00:00:00:00:01\", expected a unicast MAC address "
		"such as 02:00:00:00:00:01"},
	{"ports: {a: {device: net_null0, mac: \"02:00:00:00:00\"}}\nworkers: [{lcore: 1}]\n",
		"1:37: ports.a.mac: found the text \"02:00:00:00:00\", expected a unicast MAC "
		"address such as 02:00:00:00:00:01"},
	{"ports: {a: {device: \"net_pcap0,rx_pcap=${home}/x\"}}\nworkers: [{lcore: 1}]\n",
		"1:21: ports.a.device: found \"${home}\", expected no variable but ${conf}"},
	{"ports: {a: {device: }}\nworkers: [{lcore: 1}]\n",
		"1:21: ports.a.device: found nothing, expected a DPDK device string"},
	{"ports: [net_null0]\nworkers: [{lcore: 1}]\n",
		"1:8: ports: found a list, expected a mapping of name to port"},
	{"ports: {}\nworkers: [{lcore: 1}]\n", "1:8: ports: found 0 entries, expected 1 to 64"},
	{"ports: {a: net_null0}\nworkers: [{lcore: 1}]\n",
		"1:12: ports.a: found \"net_null0\", expected a mapping"},
	{"ports: {\"a b\": {device: net_null0}}\nworkers: [{lcore: 1}]\n",
		"1:9: ports: found the name \"a b\", expected a name of at most 31 letters, "
		"digits, '.', '_' and '-' that begins with a letter"},
	{"ports: {a: {device: net_null0}}\nworkers: {lcore: 1}\n",
		"2:10: workers: found a mapping, expected a list of workers"},
	{"ports: {a: {device: net_null0}}\nworkers: []\n",
		"2:10: workers: found 0 entries, expected 1 to 64"},
	{"ports: {a: {device: net_null0}}\nworkers: [1]\n",
		"2:11: workers[0]: found \"1\", expected a mapping"},
	{"ports: {a: {device: net_null0}}\nworkers: [{lcore: 1, idle: nap}]\n",
		"2:28: workers[0].idle: found \"nap\", expected spin or sleep"},
	{"ports: {a: {device: net_null0}}\nworkers: [{lcore: 1024}]\n",
		"2:19: workers[0].lcore: found \"1024\", expected a number from 0 to 1023, or any"},
	{"filters: {f: {file: f.wasm, view: wide}}\n" REST,
		"1:35: filters.f.view: found \"wide\", expected a number from 1 to 65408, or full"},
	{"filters: {f: {file: f.wasm, view: 65409}}\n" REST,
		"1:35: filters.f.view: found \"65409\", expected a number from 1 to 65408, or "
		"full"},
	{"filters: {f: {file: none.wasm}}\n" REST,
		"1:21: filters.f.file: cannot read DIR/none.wasm: No such file or directory"},
	{"filters: {f: {file: .}}\n" REST,
		"1:21: filters.f.file: cannot read DIR/.: it is a folder"},
	{"filters: {f: {view: 64}}\n" REST, "1:14: filters.f: the key \"file\" is missing"},
	{"filters: {f: {file: f.wasm, on_fault: drop}}\n" REST,
		"1:39: filters.f.on_fault: found \"drop\", expected closed, open or bypass"},
	{"filters: {f: {file: f.wasm, config: [a]}}\n" REST,
		"1:37: filters.f.config: found a list, expected a mapping of key to text, or to "
		"\"@FILE\" for a file's contents"},
	{"filters: {f: {file: f.wasm, config: {a: {b: c}}}}\n" REST,
		"1:41: filters.f.config: found a mapping, expected text"},
	{"filters:\n  f:\n    file: f.wasm\n    config:\n      rules: \"@none.txt\"\n" REST,
		"5:14: filters.f.config: cannot read DIR/none.txt: No such file or directory"},
	{"filters:\n  f:\n    file: f.wasm\n    config:\n      rules: @rules.txt\n" REST,
		"5:14: found text that begins with '@', expected quotes around it"},
	{"filters:\n  f:\n    file: f.wasm\n    config:\n      rules: \"@latin1.txt\"\n" REST,
		"5:14: filters.f.config: DIR/latin1.txt:0x9: found the byte 0xe9, expected UTF-8"},
	{"filters: {f: {file: f.wasm, limits: {memory: 3}}}\n" REST,
		"1:38: filters.f.limits: found the unknown key \"memory\", expected one of "
		"memory_pages, total_memory_pages, memory_precommit, table_elements, heap_bytes, "
		"heap_entry_bytes, heap_entry_us, instances, stack_bytes, call_depth, handles, "
		"tasks, value_bytes, held, hold_ms, "
		"originated_per_run, log_per_s, timers"},
	{"filters: {f: {file: f.wasm, limits: {memory_pages: 0}}}\n" REST,
		"1:52: filters.f.limits.memory_pages: found \"0\", expected a number from 1 to "
		"65536"},
	{"filters: {f: {file: f.wasm, limits: {memory_pages: 2, memory_precommit: 3}}}\n" REST,
		"1:37: filters.f.limits: found memory_precommit 3, expected at most memory_pages, "
		"2"},
	{"filters: {f: {file: f.wasm, restart: {min_ms: 10, max_ms: 5}}}\n" REST,
		"1:38: filters.f.restart: found min_ms 10, expected at most max_ms, 5"},
	{"filters: {f: {file: f.wasm, restart: 10}}\n" REST,
		"1:38: filters.f.restart: found \"10\", expected a mapping of min_ms and max_ms"},
	{"filters: {f: {file: f.wasm, deadline_us: 1}}\n" REST,
		"1:42: filters.f.deadline_us: found \"1\", expected a number of microseconds from "
		"10 to 60000000"},
	{"ports: {a: {device: net_null0, to: c}}\nworkers: [{lcore: 1}]\n",
		"1:36: ports.a.to: found the unknown port \"c\", expected one of the 1 under "
		"ports"},
	{"ports: {left: {device: net_null0, to: rihgt}, right: {device: net_null1}}\nworkers: "
	 "[{lcore: 1}]\n",
		"1:39: ports.left.to: found the unknown port \"rihgt\", did you mean \"right\"?"},
	{"ports: {a: {device: net_null0, chain: main}}\nworkers: [{lcore: 1}]\n",
		"1:39: ports.a.chain: found the unknown chain \"main\", expected one of the 0 "
		"under chains"},
	{"exception_port: tap\n" REST, "1:17: exception_port: found the unknown port \"tap\", "
				       "expected one of the 1 under ports"},
	{"filters: {acl: {file: f.wasm}}\nchains: {main: [acl, cuont]}\n" REST,
		"2:22: chains.main: found the unknown filter \"cuont\", expected one of the 1 "
		"under filters"},
	{"filters: {acl: {file: f.wasm}}\nchains: {main: [alc]}\n" REST,
		"2:17: chains.main: found the unknown filter \"alc\", did you mean \"acl\"?"},
	{"filters: {acl: {file: f.wasm}}\nchains: {main: []}\n" REST,
		"2:16: chains.main: found a list of 0, expected a list of 1 to 16 filters' names"},
	{"filters: {acl: {file: f.wasm}}\nchains: {main: acl}\n" REST,
		"2:16: chains.main: found \"acl\", expected a list of 1 to 16 filters' names"},
	{"filters: {acl: {file: f.wasm}}\nchains: {main: [[acl]]}\n" REST,
		"2:17: chains.main: found a list, expected the name of a filter"},
	{"ports: {a: {device: net_null0}, b: {device: net_null1}}\nworkers: [{lcore: 1}, {lcore: "
	 "1}]\n",
		"2:23: workers[1].lcore: found lcore 1 again, expected one worker a core "
		"(workers[0] has it)"},
	{"ports: {a: {device: net_null0}}\nworkers: [{lcore: 1}, {lcore: 2}]\n",
		"2:23: workers[1]: it polls no queue, expected at least one"},
	{"ports: {a: {device: net_null0}}\nworkers: [{lcore: 1, queues: [b]}]\n",
		"2:31: workers[0].queues: found the unknown port \"b\", expected one of the 1 "
		"under ports"},
	{"ports: {a: {device: net_null0, queues: 2}}\nworkers: [{lcore: 1, queues: [\"a:2\"]}]\n",
		"2:31: workers[0].queues: found queue \"2\" of port a, expected a number from 0 to "
		"1"},
	{"ports: {a: {device: net_null0, queues: 2}}\nworkers: [{lcore: 1, queues: [\"a:0\"]}]\n",
		"1:9: ports.a: queue 1 is polled by nobody, expected it under workers"},
	{"ports: {a: {device: net_null0, queues: 2}}\nworkers: [{lcore: 1, queues: [a, "
	 "\"a:0\"]}]\n",
		"2:34: workers[0].queues: found queue a:0 again, expected it once (workers[0] "
		"polls it)"},
	{"ports: {a: {device: net_null0, queues: 2}}\nworkers: [{lcore: 1, queues: [a]}, {lcore: "
	 "2}]\n",
		"2:36: workers[1]: the key \"queues\" is missing, expected it at all workers or at "
		"none"},
	{"ports: {a: {device: net_null0}}\nworkers: [{lcore: 1, queues: a}]\n",
		"2:30: workers[0].queues: found \"a\", expected a list of PORT:QUEUE or PORT"},
	{"ports: {a: {device: net_null0}, b: {device: \"net_null0,size=64\"}}\nworkers: [{lcore: "
	 "1}]\n",
		"1:33: ports.b.device: found the device net_null0 again, expected it once (ports.a "
		"has it)"},
	// What it shows of the file stays in one line, and moves no cursor.
	{"ports: {a: {device: net_null0}}\nworkers: [{lcore: 1}]\njit_program: \"a\\nb\\e[2J\"\n",
		"3:14: jit_program: cannot read DIR/a\\x0ab\\x1b[2J: No such file or directory"},
	{"ports: {a: {device: net_null0}}\nworkers: [{lcore: \"\\N\"}]\n",
		"2:19: workers[0].lcore: found the text \"\\xc2\\x85\", expected a number from 0 "
		"to 1023, or any"},
	{"ports: {a: {device: \"net\\tnull0\"}, b: {device: \"net\\tnull0\"}}\nworkers: [{lcore: "
	 "1}]\n",
		"1:36: ports.b.device: found the device net\\x09null0 again, expected it once "
		"(ports.a "
		"has it)"},
};

static void config_broken_is_refused_with_place_found_and_expected(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		struct dp_config *config = NULL;
		char *message = NULL;
		char want[1024];
		const char *from = broken[i].message;
		const char *dir;
		size_t used = (size_t)snprintf(want, sizeof(want), "%s:", conf_path);

		while ((dir = strstr(from, "DIR")) != NULL) {
			used += (size_t)snprintf(want + used, sizeof(want) - used, "%.*s%s",
				(int)(dir - from), from, folder);
			from = dir + strlen("DIR");
		}
		snprintf(want + used, sizeof(want) - used, "%s", from);
		assert_int_equal(load(broken[i].text, strlen(broken[i].text), &config, &message),
			WE_E_INVALID);
		if (strcmp(message, want) != 0)
			fail_msg("row %zu:\nfile %s\nsays %s\nwant %s", i, broken[i].text, message,
				want);
		free(message);
	}
}

static void config_in_utf16_is_refused(void **state)
{
	static const char text[] = "\xff\xfe"
				   "b\0u\0r\0s\0t\0";
	struct dp_config *config;
	char *message = NULL;

	(void)state;
	assert_int_equal(load(text, sizeof(text), &config, &message), WE_E_INVALID);
	assert_non_null(strstr(message, ":1:1: found the byte 0xff, expected UTF-8"));
	free(message);
}

static void config_that_does_not_exist_is_the_machines_refusal(void **state)
{
	struct dp_config *config;
	char *message = NULL;

	(void)state;
	assert_int_equal(dp_config_load("/nonexistent/c.yaml", NULL, &config, &message), WE_E_HOST);
	assert_string_equal(
		message, "/nonexistent/c.yaml: cannot read it: No such file or directory");
	free(message);
	message = NULL;
	assert_int_equal(dp_config_load("/tmp", NULL, &config, &message), WE_E_HOST);
	assert_string_equal(message, "/tmp: cannot read it: Is a directory");
	free(message);
	message = NULL;
	assert_int_equal(dp_config_load("/dev/zero", NULL, &config, &message), WE_E_HOST);
	assert_string_equal(message, "/dev/zero: cannot read it: it is longer than 1048576 bytes");
	free(message);
}

static void config_cut_at_every_byte_never_crashes(void **state)
{
	static const char text[] =
		"eal: [-l, \"0\"]\nports:\n  a: {device: 'net_null0', mac: 02:00:00:00:00:01, to: "
		"a}\n"
		"workers:\n- lcore: 1\n  queues: [\"a:0\"]\nfilters:\n  f:\n    file: f.wasm\n"
		"    config:\n      rules: |\n        allow any\n        default deny\n"
		"    limits: {memory_pages: 3}\nchains: {c: [f]}\n";

	(void)state;
	for (size_t len = 0; len < sizeof(text); len++) {
		struct dp_config *config = NULL;
		char *message = NULL;

		if (load(text, len, &config, &message) == 0) {
			dp_config_destroy(config);
		} else {
			assert_non_null(message);
			free(message);
		}
	}
}

static void config_with_one_byte_changed_never_crashes(void **state)
{
	static const char text[] =
		"ports: {a: {device: net_null0, mtu: 1500}}\n"
		"workers: [{lcore: 1, queues: [\"a:0\"]}]\n"
		"filters: {f: {file: f.wasm, view: full, config: {k: \"@rules.txt\"}}}\n"
		"chains: {c: [f]}\n";
	static const char bytes[] = {'\0', '\n', ' ', '"', '\'', '{', '}', '[', ']', ':', ',', '&',
		'*', '!', '|', '%', '@', '\x80', '\xff', '#', '-', '0'};

	(void)state;
	for (size_t at = 0; at < sizeof(text) - 1; at++) {
		for (size_t b = 0; b < sizeof(bytes); b++) {
			char changed[sizeof(text)];
			struct dp_config *config = NULL;
			char *message = NULL;

			memcpy(changed, text, sizeof(text));
			changed[at] = bytes[b];
			if (load(changed, sizeof(text) - 1, &config, &message) == 0)
				dp_config_destroy(config);
			free(message);
		}
	}
}

static void config_defaults_are_those_of_the_table(void **state)
{
	struct dp_config *config = load_good("ports: {a: {device: net_null0}}\n"
					     "filters: {f: {file: f.wasm}}\n"
					     "workers: [{lcore: 3}]\n");
	const struct dp_filter_config *f = &config->filters[0];

	(void)state;
	assert_string_equal(config->instance, "weir");
	assert_int_equal(config->burst, 32);
	assert_int_equal(config->n_mbufs, 16384);
	assert_int_equal(config->mbuf_data_bytes, 2048);
	assert_int_equal(config->exception_port_idx, DP_NO_INDEX);
	assert_int_equal(config->engine, DP_ENGINE_AUTO);
	assert_string_equal(config->cpu, "native");
	assert_null(config->jit_cache);
	assert_null(config->jit_program);
	assert_int_equal(config->jit_limits.cpu_ms, 20000);
	assert_int_equal(config->jit_limits.cache_bytes, 268435456);
	assert_int_equal(config->workers[0].engine, DP_ENGINE_AUTO);
	assert_int_equal(config->ports[0].n_queues, 1);
	assert_int_equal(config->ports[0].n_rx_desc, 1024);
	assert_int_equal(config->ports[0].mtu, 0);
	assert_true(config->ports[0].promiscuous);
	assert_false(config->ports[0].has_mac);
	assert_int_equal(config->ports[0].chain_idx, DP_NO_INDEX);
	assert_int_equal(config->ports[0].to_port_idx, DP_NO_INDEX);
	assert_int_equal(config->workers[0].lcore, 3);
	assert_int_equal(config->workers[0].idle, DP_IDLE_SLEEP);
	assert_int_equal(f->view, 0);
	assert_int_equal(f->deadline_ns, 10000000);
	assert_int_equal(f->on_fault, DP_ON_FAULT_CLOSED);
	assert_int_equal(f->restart_min_ns, 1000000);
	assert_int_equal(f->restart_max_ns, 1000000000);
	assert_int_equal(f->limits.held, 1024);
	assert_int_equal(f->limits.hold_ns, 1000000000);
	assert_int_equal(f->limits.cm.core.memory_pages, 1024);
	assert_int_equal(f->limits.cm.handles, 0);
	dp_config_destroy(config);
}

static void config_values_arrive_where_they_belong(void **state)
{
	struct dp_config *config =
		load_good("instance: north\n"
			  "eal: [--no-pci, \"--vdev=x,${conf}/y\"]\n"
			  "exception_port: right\n"
			  "ports:\n"
			  "  left:\n"
			  "    device: net_pcap0,rx_pcap=${conf}/in.pcap\n"
			  "    mac: 02:00:00:00:00:0A\n"
			  "    mtu: 9000\n"
			  "    promiscuous: false\n"
			  "    chain: main\n"
			  "    to: right\n"
			  "  right: {device: net_null1, queues: 4}\n"
			  "workers: [{lcore: 2, idle: spin}]\n"
			  "filters:\n"
			  "  acl:\n"
			  "    file: f.wasm\n"
			  "    view: full\n"
			  "    config: {rules: \"@rules.txt\", at: \"@@home\", n: 8080}\n"
			  "    on_fault: bypass\n"
			  "    deadline_us: 250\n"
			  "    restart: {min_ms: 0}\n"
			  "    limits: {held: 7, hold_ms: 3, stack_bytes: 65536}\n"
			  "  count: {file: f.wasm, view: 64, restart: {min_ms: 5000}}\n"
			  "chains: {main: [count, acl, count]}\n");
	const struct dp_filter_config *acl = &config->filters[0];
	char want[128];

	(void)state;
	assert_string_equal(config->instance, "north");
	assert_int_equal(config->n_eal_args, 2);
	snprintf(want, sizeof(want), "--vdev=x,%s/y", folder);
	assert_string_equal(config->eal_args[1], want);
	assert_int_equal(config->exception_port_idx, 1);
	snprintf(want, sizeof(want), "net_pcap0,rx_pcap=%s/in.pcap", folder);
	assert_string_equal(config->ports[0].device, want);
	assert_true(config->ports[0].has_mac);
	assert_int_equal(config->ports[0].mac[0], 2);
	assert_int_equal(config->ports[0].mac[5], 10);
	assert_int_equal(config->ports[0].mtu, 9000);
	assert_false(config->ports[0].promiscuous);
	assert_int_equal(config->ports[0].chain_idx, 0);
	assert_int_equal(config->ports[0].to_port_idx, 1);
	assert_int_equal(config->ports[0].place.line, 5);
	assert_int_equal(config->ports[0].place.column, 3);
	assert_int_equal(config->workers[0].n_queues, 5);
	assert_int_equal(config->workers[0].idle, DP_IDLE_SPIN);
	assert_int_equal(acl->view, WS_VIEW_FULL);
	assert_int_equal(acl->n_entries, 3);
	assert_string_equal(acl->entries[0].key, "rules");
	assert_string_equal(acl->entries[0].value, "default allow\n");
	assert_int_equal(acl->entries[0].value_len, 14);
	assert_string_equal(acl->entries[1].value, "@home");
	assert_string_equal(acl->entries[2].value, "8080");
	assert_int_equal(acl->on_fault, DP_ON_FAULT_BYPASS);
	assert_int_equal(acl->deadline_ns, 250000);
	assert_int_equal(acl->restart_min_ns, 0);
	assert_int_equal(acl->limits.held, 7);
	assert_int_equal(acl->limits.hold_ns, 3000000);
	assert_int_equal(acl->limits.cm.core.stack_bytes, 65536);
	assert_int_equal(config->filters[1].view, 64);
	assert_int_equal(config->filters[1].restart_max_ns, 5000000000);
	assert_int_equal(config->chains[0].n_filters, 3);
	assert_int_equal(config->chains[0].filter_idx[0], 1);
	assert_int_equal(config->chains[0].filter_idx[1], 0);
	assert_int_equal(config->chains[0].filter_idx[2], 1);
	dp_config_destroy(config);
}

static void config_queues_of_the_file_go_to_the_worker_that_names_them(void **state)
{
	struct dp_config *config = load_good(
		"ports: {a: {device: net_null0, queues: 2}, b: {device: net_null1}}\n"
		"workers: [{lcore: 1, queues: [\"a:1\", b]}, {lcore: 2, queues: [\"a:0\"]}]\n");

	(void)state;
	assert_int_equal(config->workers[0].n_queues, 2);
	assert_int_equal(config->workers[0].queues[0].queue_idx, 1);
	assert_int_equal(config->workers[0].queues[1].port_idx, 1);
	assert_int_equal(config->workers[1].n_queues, 1);
	assert_int_equal(config->workers[1].queues[0].queue_idx, 0);
	dp_config_destroy(config);
}

static void config_queues_not_named_spread_over_all_workers(void **state)
{
	struct dp_config *config = load_good(
		"ports: {a: {device: net_null0, queues: 3}, b: {device: net_null1, queues: 3}}\n"
		"workers: [{lcore: 1}, {lcore: 2}]\n");

	(void)state;
	assert_int_equal(config->workers[0].n_queues, 3);
	assert_int_equal(config->workers[1].n_queues, 3);
	for (uint32_t w = 0; w < 2; w++) {
		for (uint32_t i = 0; i < 3; i++) {
			const struct dp_queue_ref q = config->workers[w].queues[i];

			assert_int_equal(dp_queue_map(q.port_idx, q.queue_idx, 2), w);
		}
	}
	dp_config_destroy(config);
}

static void config_engine_of_a_worker_is_its_own_or_that_of_all(void **state)
{
	struct dp_config *config = load_good(
		"workers: [{lcore: 1, queues: [a]}, {lcore: 2, queues: [b], engine: jit}]\n"
		"engine: interp\n"
		"cpu: v3\n"
		"jit_cache: cache/of/code\n"
		"jit_limits: {cpu_ms: 10, memory_bytes: 16777216}\n"
		"filters: {f: {file: f.wasm}, g: {file: f.wasm}, h: {file: f.wasm}}\n"
		"chains: {x: [f], y: [g, f]}\n"
		"ports: {a: {device: net_null0, chain: x}, b: {device: net_null1, chain: y}}\n");
	char want[128];

	(void)state;
	assert_int_equal(config->engine, DP_ENGINE_INTERP);
	assert_int_equal(config->workers[0].engine, DP_ENGINE_INTERP);
	assert_int_equal(config->workers[1].engine, DP_ENGINE_JIT);
	assert_string_equal(config->cpu, "v3");
	snprintf(want, sizeof(want), "%s/cache/of/code", folder);
	assert_string_equal(config->jit_cache, want);
	assert_int_equal(config->jit_limits.cpu_ms, 10);
	assert_int_equal(config->jit_limits.wall_ms, 60000);
	assert_int_equal(config->jit_limits.memory_bytes, 16777216);
	assert_true(dp_config_filter_has_engine(config, 0, DP_ENGINE_INTERP));
	assert_true(dp_config_filter_has_engine(config, 0, DP_ENGINE_JIT));
	assert_false(dp_config_filter_has_engine(config, 1, DP_ENGINE_INTERP));
	assert_true(dp_config_filter_has_engine(config, 1, DP_ENGINE_JIT));
	assert_false(dp_config_filter_has_engine(config, 2, DP_ENGINE_INTERP));
	assert_false(dp_config_filter_has_engine(config, 2, DP_ENGINE_JIT));
	dp_config_destroy(config);
}

static void config_given_by_the_caller_wins(void **state)
{
	static const char text[] = "instance: a\n"
				   "cpu: v2\n"
				   "jit_cache: there\n"
				   "engine: auto\n"
				   "ports: {a: {device: net_null0}}\n"
				   "workers: [{lcore: 1, engine: interp}]\n";
	const struct dp_config_given given = {
		.instance = "b", .engine = "jit", .cpu = "v4", .jit_cache = "here"};
	struct dp_config *config;
	char *message;

	(void)state;
	write_file("c.yaml", text, strlen(text));
	assert_int_equal(dp_config_load(conf_path, &given, &config, &message), 0);
	assert_string_equal(config->instance, "b");
	assert_string_equal(config->cpu, "v4");
	assert_string_equal(config->jit_cache, "here");
	assert_int_equal(config->engine, DP_ENGINE_JIT);
	assert_int_equal(config->workers[0].engine, DP_ENGINE_JIT);
	dp_config_destroy(config);
}

static void option_rows_are_complete_and_in_one_line(void **state)
{
	struct dp_option_doc doc;
	char expected[192];
	uint32_t n = 0;

	(void)state;
	while (dp_option_row(n, expected, sizeof(expected), &doc) == 0) {
		assert_true(strlen(doc.key) > 0 && strlen(doc.expected) > 0);
		assert_true(strlen(doc.doc) > 10);
		assert_null(strchr(doc.doc, '\n'));
		assert_null(strchr(doc.doc, '|')); // a column of a table
		n++;
	}
	assert_true(n > 40);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(config_broken_is_refused_with_place_found_and_expected),
		cmocka_unit_test(config_in_utf16_is_refused),
		cmocka_unit_test(config_that_does_not_exist_is_the_machines_refusal),
		cmocka_unit_test(config_cut_at_every_byte_never_crashes),
		cmocka_unit_test(config_with_one_byte_changed_never_crashes),
		cmocka_unit_test(config_defaults_are_those_of_the_table),
		cmocka_unit_test(config_values_arrive_where_they_belong),
		cmocka_unit_test(config_queues_of_the_file_go_to_the_worker_that_names_them),
		cmocka_unit_test(config_queues_not_named_spread_over_all_workers),
		cmocka_unit_test(config_engine_of_a_worker_is_its_own_or_that_of_all),
		cmocka_unit_test(config_given_by_the_caller_wins),
		cmocka_unit_test(option_rows_are_complete_and_in_one_line),
	};

	return cmocka_run_group_tests_name("dp_config", tests, make_folder, remove_folder);
}
