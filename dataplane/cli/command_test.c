// SPDX-License-Identifier: BSD-3-Clause
// Tests of the program from outside: for each wrong command line, component and capture its exit code and exact
// message; help of each command; a capture through real filters.
//
// Environment: WEIR the program, WEIR_SOURCE the source tree, with its prebuilt filters and documents.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>

#include <ctype.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	WORDS_MAX = 32,
	PATIENCE_S = 60, // for one command; it takes a fraction of a second
};

static char folder[] = "/tmp/weir-command-XXXXXX";
static const char *weir;
static const char *source;
static char filters[2048]; // folder of the prebuilt ones
static char out[65536];    // of the last command
static char err[65536];

static void save(const char *name, const void *bytes, size_t len)
{
	FILE *file = fopen(name, "wb");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, len, file), len);
	assert_int_equal(fclose(file), 0);
}

static size_t load(const char *name, char *buf, size_t cap)
{
	FILE *file = fopen(name, "rb");

	assert_non_null(file);
	const size_t len = fread(buf, 1, cap - 1, file);
	fclose(file);
	buf[len] = '\0';
	return len;
}

// text with FILTERS replaced by the folder, after what is in buf.
static void expand(const char *text, char *buf, size_t cap)
{
	const char *mark;

	while ((mark = strstr(text, "FILTERS")) != NULL) {
		snprintf(buf + strlen(buf), cap - strlen(buf), "%.*s%s", (int)(mark - text), text,
			filters);
		text = mark + strlen("FILTERS");
	}
	snprintf(buf + strlen(buf), cap - strlen(buf), "%s", text);
}

// Start weir with words that stand between spaces; stdout and stderr go to files of those names.
static pid_t start(const char *line)
{
	char *words[WORDS_MAX + 2] = {(char *)weir};
	char copy[4096] = "";
	char *rest = copy;
	int n = 1;

	expand(line, copy, sizeof(copy));
	for (char *word; (word = strsep(&rest, " ")) != NULL && n <= WORDS_MAX;) {
		if (word[0] != '\0')
			words[n++] = word;
	}
	const pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		alarm(PATIENCE_S);
		dup2(open("/dev/null", O_RDONLY), STDIN_FILENO);
		dup2(open("stdout", O_WRONLY | O_CREAT | O_TRUNC, 0600), STDOUT_FILENO);
		dup2(open("stderr", O_WRONLY | O_CREAT | O_TRUNC, 0600), STDERR_FILENO);
		execv(weir, words);
		_exit(127);
	}
	return child;
}

// Wait for it; its output is in out and err then. Returns its exit code.
static int finish(pid_t child)
{
	int status;

	assert_int_equal(waitpid(child, &status, 0), child);
	load("stdout", out, sizeof(out));
	load("stderr", err, sizeof(err));
	if (!WIFEXITED(status))
		fail_msg("weir ended by signal %d\n%s", WTERMSIG(status), err);
	return WEXITSTATUS(status);
}

static int run(const char *line)
{
	return finish(start(line));
}

// What a pcap file begins with: microseconds, Ethernet.
static const uint8_t pcap_head[24] = {
	0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0};

enum {
	PACKETS = 50,
	PACKET_BYTES = 60,
};
static uint8_t capture[sizeof(pcap_head) + PACKETS * (16 + PACKET_BYTES)];

// UDP from port 1000 + i to port 53 and port 80 in turn.
static void make_capture(void)
{
	uint8_t *at = capture;

	memcpy(at, pcap_head, sizeof(pcap_head));
	at += sizeof(pcap_head);
	for (uint32_t i = 0; i < PACKETS; i++) {
		static const uint8_t packet[] = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0,
			0, 46, 0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2};
		const uint32_t head[] = {1700000000 + i, i, PACKET_BYTES, PACKET_BYTES + i};

		memcpy(at, head, sizeof(head));
		at += sizeof(head);
		memcpy(at, packet, sizeof(packet));
		at[34] = (uint8_t)((1000 + i) >> 8);
		at[35] = (uint8_t)(1000 + i);
		at[37] = i % 2 == 0 ? 53 : 80;
		at[39] = 26;
		at += PACKET_BYTES;
	}
}

static int make_folder(void **state)
{
	static const uint8_t core[] = {0, 'a', 's', 'm', 1, 0, 0, 0};
	// Twice a core module of one function.
#define ONE                                                                                        \
	1, 24, 0, 'a', 's', 'm', 1, 0, 0, 0, 1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0, 10, 4, 1, 2, 0, 0x0b
	static const uint8_t two[] = {0, 'a', 's', 'm', 0x0d, 0, 1, 0, ONE, ONE};
#undef ONE
	static char pass[1 << 20];
	char path[sizeof(filters) + 64];
	char text[sizeof(path) + 256];
	uint8_t other[sizeof(pcap_head)];

	(void)state;
	weir = getenv("WEIR");
	source = getenv("WEIR_SOURCE");
	snprintf(
		filters, sizeof(filters), "%.1900s/filters/prebuilt", source != NULL ? source : "");
	if (weir == NULL || source == NULL || mkdtemp(folder) == NULL || chdir(folder) != 0)
		return -1;
	make_capture();
	save("in.pcap", capture, sizeof(capture));
	save("cut.pcap", capture, sizeof(pcap_head) + 3 * (16 + PACKET_BYTES) - 10);
	memcpy(other, pcap_head, sizeof(other));
	other[20] = 105;
	save("wifi.pcap", other, sizeof(other));
	save("text.pcap", "this is not a capture", 21);
	save("empty", "", 0);
	save("core.wasm", core, sizeof(core));
	save("two.wasm", two, sizeof(two));
	save("text.wasm", "hello", 5);
	save("latin1.txt", "caf\xe9", 4);
	save("rules.txt", "default allow\n", 14);
	snprintf(path, sizeof(path), "%s/pass.wasm", filters);
	load(path, pass, sizeof(pass));
	save("cut.wasm", pass, 100);
	save("c.yaml", "ports: {a: {device: net_null0}}\nworkers: [{lcore: 0}]\n", 54);
	save("wrong.yaml", "ports: {a: {device: net_null0}}\nworkers: [{lcore: 0x}]\n", 55);
	save("cut.yaml",
		"ports: {a: {device: net_null0}}\nworkers: [{lcore: 0}]\nfilters: {f: {file: "
		"cut.wasm}}\nchains: {c: [f]}\n",
		102);
	snprintf(text, sizeof(text),
		"ports: {a: {device: net_null0, chain: c}}\nworkers: [{lcore: 0}]\nfilters: {f: "
		"{file: \"%s\"}}\nchains: {c: [f]}\n",
		path);
	save("engine.yaml", text, strlen(text));
	save("lcore.yaml", "ports: {a: {device: net_null0}}\nworkers:\n- lcore: 127\n", 54);
	save("device.yaml", "ports: {a: {device: net_nonesuch0}}\nworkers: [{lcore: 0}]\n", 58);
	return 0;
}

static int remove_folder(void **state)
{
	static const char *const names[] = {"in.pcap", "cut.pcap", "wifi.pcap", "text.pcap",
		"empty", "core.wasm", "two.wasm", "text.wasm", "latin1.txt", "rules.txt",
		"cut.wasm", "c.yaml", "wrong.yaml", "cut.yaml", "engine.yaml", "lcore.yaml",
		"device.yaml", "stdout", "stderr", "fifo", "out.pcap", "drops.pcap"};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unlink(names[i]);
	return chdir("/") != 0 || rmdir(folder) != 0; // fails when a command left a file behind
}

// Exit code and the whole of stderr, in which FILTERS stands for the folder.
static const struct {
	const char *line;
	int code;
	const char *message;
} wrong[] = {
	{"frob", 2, "unknown command \"frob\" (see weir help)"},
	{"statz", 2, "unknown command \"statz\", did you mean \"stats\"? (see weir help)"},
	{"run", 2, "run: found no configuration, expected CONF.yaml (see weir help run)"},
	{"run c.yaml d.yaml", 2,
		"run: found a second configuration, \"d.yaml\", expected one (see weir help run)"},
	{"run none.yaml", 1, "none.yaml: cannot read it: No such file or directory"},
	{"run .", 1, ".: cannot read it: Is a directory"},
	{"run wrong.yaml", 1,
		"wrong.yaml:2:19: workers[0].lcore: found \"0x\", expected a number from 0 to "
		"1023, or any"},
	{"run --check wrong.yaml", 1,
		"wrong.yaml:2:19: workers[0].lcore: found \"0x\", expected a number from 0 to "
		"1023, or any"},
	{"run --check cut.yaml", 1,
		"cut.wasm:0x63: malformed: length out of bounds: 28 bytes, 1 are left"},
	{"run cut.yaml --log-level error", 1,
		"cut.wasm:0x63: malformed: length out of bounds: 28 bytes, 1 are left"},
	{"run device.yaml --log-level error", 3,
		"device.yaml:1:9: port a: net_nonesuch0: Bad address: EAL: failed to parse device "
		"\"net_nonesuch0\""},
	{"run --duration x c.yaml", 2,
		"run: --duration: found \"x\", expected a number of seconds (see weir help run)"},
	{"run --duration -1 c.yaml", 2,
		"run: --duration: found \"-1\", expected a number of seconds (see weir help run)"},
	{"run --duration 1s c.yaml", 2,
		"run: --duration: found \"1s\", expected a number of seconds (see weir help run)"},
	{"run --until-idle 1e30 c.yaml", 2,
		"run: --until-idle: found \"1e30\", expected a number of seconds (see weir help "
		"run)"},
	{"run --duration", 2, "run: --duration needs a value: SECONDS (see weir help run)"},
	{"run --chek c.yaml", 2,
		"run: unknown option --chek, did you mean --check? (see weir help run)"},
	{"run -x c.yaml", 2, "run: unknown option -x (see weir help run)"},
	{"run --check=1 c.yaml", 2, "run: --check takes no value (see weir help run)"},
	{"run --log-level loud c.yaml", 2,
		"run: --log-level: found \"loud\", expected one of error|warn|info|debug|trace "
		"(see weir help run)"},
	{"run --log-format=xml c.yaml", 2,
		"run: --log-format: found \"xml\", expected one of text|json|journal (see weir "
		"help run)"},
	{"run --instance 9x c.yaml", 2,
		"run: --instance: found \"9x\", expected a name of at most 31 letters, digits, "
		"'.', '_' and '-' that begins with a letter (see weir help run)"},
	{"run --instance ../x c.yaml", 2,
		"run: --instance: found \"../x\", expected a name of at most 31 letters, digits, "
		"'.', '_' and '-' that begins with a letter (see weir help run)"},
	{"run --engine fast c.yaml", 2,
		"run: --engine: found \"fast\", expected auto, jit or interp (see weir help run)"},
	{"run --cpu v9 c.yaml", 2,
		"run: --cpu: found \"v9\", expected native, v2, v3, v4 or v1 (see weir help run)"},
	{"run --check --engine jit --cpu v1 engine.yaml", 1,
		"engine.yaml:3:11: filter f: engine jit: unsupported: native code needs x86-64-v2, "
		"and v1 was asked for"},
	{"replay --engine fast in.pcap out.pcap", 2,
		"replay: --engine: found \"fast\", expected auto, jit or interp (see weir help "
		"replay)"},
	{"replay --engine jit --cpu v1 --filter FILTERS/pass.wasm in.pcap out.pcap --log-level "
	 "error",
		1,
		"filter pass: engine jit: unsupported: native code needs x86-64-v2, and v1 was "
		"asked for"},
	{"inspect --cpu v0 core.wasm", 2,
		"inspect: --cpu: found \"v0\", expected native, v2, v3, v4 or v1 (see weir help "
		"inspect)"},
	{"validate wrong.yaml", 1,
		"wrong.yaml:2:19: workers[0].lcore: found \"0x\", expected a number from 0 to "
		"1023, or any"},
	{"replay", 2, "replay: found no capture, expected IN.pcap OUT.pcap (see weir help replay)"},
	{"replay in.pcap", 2,
		"replay: found one capture, expected IN.pcap OUT.pcap (see weir help replay)"},
	{"replay in.pcap a b", 2,
		"replay: found a third capture, \"b\", expected IN.pcap OUT.pcap (see weir help "
		"replay)"},
	{"replay in.pcap in.pcap", 2,
		"replay: in.pcap and in.pcap are the same file (see weir help replay)"},
	{"replay in.pcap ./in.pcap", 2,
		"replay: in.pcap and ./in.pcap are the same file (see weir help replay)"},
	{"replay none.pcap out.pcap", 1, "none.pcap: cannot read it: No such file or directory"},
	{"replay . out.pcap", 1, ".: cannot read it: Is a directory"},
	{"replay wifi.pcap out.pcap", 1,
		"wifi.pcap: unsupported: found packets of link type IEEE802_11 (105), expected "
		"Ethernet, EN10MB"},
	{"replay text.pcap out.pcap", 1, "text.pcap: malformed: unknown file format"},
	{"replay empty out.pcap", 1,
		"empty: malformed: truncated dump file; tried to read 4 file header bytes, only "
		"got 0"},
	{"replay in.pcap none/out.pcap", 3,
		"none/out.pcap: cannot write it: No such file or directory"},
	{"replay in.pcap .", 3, ".: cannot write it: Is a directory"},
	{"replay in.pcap /dev/full", 3, "/dev/full: cannot write it: No space left on device"},
	{"replay in.pcap out.pcap --drops in.pcap", 2,
		"replay: in.pcap and in.pcap are the same file (see weir help replay)"},
	{"replay in.pcap out.pcap --drops out.pcap", 2,
		"replay: out.pcap and out.pcap are the same file (see weir help replay)"},
	{"replay in.pcap out.pcap --drops none/drops.pcap", 3,
		"none/drops.pcap: cannot write it: No such file or directory"},
	{"replay --config a=b in.pcap out.pcap", 2,
		"replay: --config a=b: found no --filter before it (see weir help replay)"},
	{"replay --filter FILTERS/pass.wasm --config ab in.pcap out.pcap", 2,
		"replay: --config: found \"ab\", expected KEY=VALUE or KEY=@FILE (see weir help "
		"replay)"},
	{"replay --filter FILTERS/pass.wasm --config =b in.pcap out.pcap", 2,
		"replay: --config: found \"=b\", expected KEY=VALUE or KEY=@FILE (see weir help "
		"replay)"},
	{"replay --filter FILTERS/pass.wasm --config a=1 --config a=2 in.pcap out.pcap", 2,
		"replay: --config: found the key \"a\" again, expected it once a filter (see weir "
		"help replay)"},
	{"replay --filter FILTERS/pass.wasm --config a=@none in.pcap out.pcap", 1,
		"none: cannot read it: No such file or directory"},
	{"replay --filter FILTERS/pass.wasm --config a=@latin1.txt in.pcap out.pcap", 1,
		"latin1.txt:0x3: found the byte 0xe9, expected UTF-8"},
	{"replay --filter FILTERS/acl.wasm in.pcap out.pcap", 1,
		"filter acl: invalid: it ended at its start: internal: no rules: expected the key "
		"\"rules\" in config"},
	{"replay --filter FILTERS/acl.wasm --config rules=alow in.pcap out.pcap", 1,
		"filter acl: invalid: it ended at its start: internal: rules: line 1: found "
		"\"alow\", expected \"allow\", \"deny\" or \"default\""},
	{"replay --view 0 in.pcap out.pcap", 2,
		"replay: --view: found \"0\", expected a number from 1 to 65408, or full (see weir "
		"help replay)"},
	{"replay --view 65409 in.pcap out.pcap", 2,
		"replay: --view: found \"65409\", expected a number from 1 to 65408, or full (see "
		"weir help replay)"},
	{"replay --view ful in.pcap out.pcap", 2,
		"replay: --view: found \"ful\", expected a number from 1 to 65408, or full (see "
		"weir help replay)"},
	{"replay --filter none.wasm in.pcap out.pcap", 1,
		"filter none: cannot read none.wasm: No such file or directory"},
	{"replay --filter cut.wasm in.pcap out.pcap", 1,
		"cut.wasm:0x63: malformed: length out of bounds: 28 bytes, 1 are left"},
	{"replay --filter core.wasm in.pcap out.pcap", 1,
		"core.wasm:0x0: invalid: a core module, expected a component: `weir wrap` makes "
		"one of it"},
	{"replay --filter text.wasm in.pcap out.pcap", 1,
		"text.wasm:0x0: malformed: unexpected end"},
	{"replay --filter empty in.pcap out.pcap", 1, "empty:0x0: malformed: unexpected end"},
	{"wrap", 2, "wrap: found no file, expected CORE.wasm (see weir help wrap)"},
	{"wrap core.wasm", 2,
		"wrap: --output is missing: where should the component go? (see weir help wrap)"},
	{"wrap core.wasm -o", 2, "wrap: --output needs a value: F.wasm (see weir help wrap)"},
	{"wrap core.wasm -o x.wasm", 1,
		"core.wasm:0x0: unlinkable: no import \"env\" \"memory\", expected it (link with "
		"-Wl,--import-memory)"},
	{"wrap a b -o c", 2,
		"wrap: found a second module, \"b\", expected one (see weir help wrap)"},
	{"wrap none.wasm -o x.wasm", 1, "none.wasm: cannot read it: No such file or directory"},
	{"wrap text.wasm -o x.wasm", 1,
		"text.wasm:0x0: malformed: magic header not detected: found 68 65 6c 6c, expected "
		"00 61 73 6d"},
	{"wrap FILTERS/pass.wasm -o x.wasm", 1,
		"FILTERS/pass.wasm:0x0: invalid: a component, expected a core module"},
	{"inspect --asm x core.wasm", 1,
		"core.wasm: found no function \"x\", expected a name, or nothing: it has none"},
	{"inspect --asm 99999999999999999999:0 two.wasm", 1,
		"two.wasm: found core module 99999999999999999999, expected one below 2"},
	{"inspect --asm 2:x FILTERS/acl.wasm", 1,
		"FILTERS/acl.wasm: found core module 2, expected one below 2"},
	{"inspect --asm 3 FILTERS/acl.wasm", 1,
		"FILTERS/acl.wasm: found no function \"3\", expected a name, or 0 to 0 of core "
		"module 0, 16 to 29 of core module 1"},
	{"inspect --asm 0 two.wasm", 1,
		"two.wasm: core modules 0 and 1 have a function \"0\": expected 0:0 or "
		"1:0"},
	{"inspect --cpu v1 --asm 1:16 FILTERS/acl.wasm", 1,
		"FILTERS/acl.wasm: function 16 of core module 1: native code needs x86-64-v2, and "
		"v1 was asked for"},
	{"inspect", 2, "inspect: found no file, expected FILE.wasm (see weir help inspect)"},
	{"inspect none", 1, "none: cannot read it: No such file or directory"},
	{"inspect cut.wasm", 1,
		"cut.wasm:0x63: malformed: length out of bounds: 28 bytes, 1 are left"},
	{"inspect text.wasm", 1,
		"text.wasm:0x0: malformed: magic header not detected: found 68 65 6c 6c, expected "
		"00 61 73 6d"},
	{"inspect a b", 2,
		"inspect: found a second file, \"b\", expected one (see weir help inspect)"},
	{"validate", 2, "validate: found no file, expected FILE... (see weir help validate)"},
	{"validate none", 1, "none: cannot read it: No such file or directory"},
	{"validate --json core.wasm", 2,
		"validate: unknown option --json (see weir help validate)"},
	{"stats x", 2, "stats: found \"x\", expected no operand (see weir help stats)"},
	{"stats --instance a:b", 2,
		"stats: --instance: found \"a:b\", which is no instance's name (see weir help "
		"stats)"},
	{"stats --watch x", 2,
		"stats: --watch: found \"x\", expected a number of seconds (see weir help stats)"},
	{"help frob", 2, "help: unknown command \"frob\" (see weir help help)"},
	{"help rnu", 2,
		"help: unknown command \"rnu\", did you mean \"run\"? (see weir help help)"},
	{"help run stats", 2,
		"help: found \"stats\", expected at most one command (see weir help help)"},
	{"version x", 2, "version: found \"x\", expected no operand (see weir help version)"},
};

static void command_wrong_says_what_was_found_and_expected(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		char want[4096] = "weir: ";
		const int code = run(wrong[i].line);

		expand(wrong[i].message, want, sizeof(want) - 1);
		strcat(want, "\n");
		if (code != wrong[i].code || strcmp(err, want) != 0)
			fail_msg("weir %s\nsays %d %s\nwant %d %s", wrong[i].line, code, err,
				wrong[i].code, want);
	}
}

static void command_without_words_shows_the_commands(void **state)
{
	(void)state;
	assert_int_equal(run(""), 2);
	assert_non_null(strstr(err, "usage: weir COMMAND"));
	assert_int_equal(run("--help"), 0);
	assert_non_null(strstr(out, "usage: weir COMMAND"));
	assert_int_equal(run("--version"), 0);
	assert_non_null(strstr(out, "weir:packet versions accepted: 0.1.0"));
}

static void command_help_is_the_same_both_ways(void **state)
{
	static const char *const names[] = {
#define CLI_COMMAND(NAME, name, operands, doc) name,
#include "command.def"
	};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		static char first[65536];
		char line[64];

		snprintf(line, sizeof(line), "help %s", names[i]);
		assert_int_equal(run(line), 0);
		assert_string_equal(err, "");
		strcpy(first, out);
		snprintf(line, sizeof(line), "%s --help", names[i]);
		assert_int_equal(run(line), 0);
		assert_string_equal(out, first);
		snprintf(line, sizeof(line), "usage: weir %s", names[i]);
		assert_memory_equal(out, line, strlen(line));
	}
}

static void replay_without_filters_copies(void **state)
{
	static char copy[sizeof(capture) + 2];

	(void)state;
	assert_int_equal(run("replay in.pcap out.pcap"), 0);
	assert_int_equal(load("out.pcap", copy, sizeof(copy)), sizeof(capture));
	assert_memory_equal(copy, capture, sizeof(capture));
	assert_non_null(strstr(
		out, "conservation: rx 50 + originated 0 == tx 50 + drops 0 + held 0: holds\n"));
}

static void replay_parts_the_capture_in_order(void **state)
{
	static char kept[sizeof(capture) + 2];
	static char dropped[sizeof(capture) + 2];
	const size_t step = 16 + PACKET_BYTES;

	(void)state;
	save("empty", "deny udp from any to any port 53\ndefault allow\n", 47);
	assert_int_equal(
		run("replay --json --filter FILTERS/acl.wasm --config rules=@empty --filter "
		    "FILTERS/pass.wasm in.pcap out.pcap --drops drops.pcap"),
		0);
	save("empty", "", 0);
	const size_t n_kept = load("out.pcap", kept, sizeof(kept));
	const size_t n_dropped = load("drops.pcap", dropped, sizeof(dropped));
	assert_int_equal(n_kept, sizeof(pcap_head) + PACKETS / 2 * step);
	assert_int_equal(n_dropped, n_kept);
	for (size_t i = 0; i < PACKETS; i++) {
		const char *copy = (i % 2 == 0 ? dropped : kept) + sizeof(pcap_head) + i / 2 * step;

		assert_memory_equal(copy, capture + sizeof(pcap_head) + i * step, step);
	}
	json_t *report = json_loads(out, 0, NULL);
	const json_t *law = json_object_get(report, "conservation");
	assert_int_equal(json_integer_value(json_object_get(law, "rx")), PACKETS);
	assert_int_equal(json_integer_value(json_object_get(law, "drop_filter")), PACKETS / 2);
	assert_true(json_is_true(json_object_get(law, "holds")));
	assert_int_equal(json_integer_value(json_object_get(report, "mbufs_missing")), 0);
	json_decref(report);
}

static void replay_of_a_broken_capture_keeps_what_came_before(void **state)
{
	static char copy[sizeof(capture)];

	(void)state;
	assert_int_equal(run("replay cut.pcap out.pcap"), 1);
	assert_string_equal(err, "weir: cut.pcap: packet 3: malformed: truncated dump file; tried "
				 "to read 60 captured bytes, "
				 "only got 50\n");
	assert_int_equal(
		load("out.pcap", copy, sizeof(copy)), sizeof(pcap_head) + 2 * (16 + PACKET_BYTES));
	assert_memory_equal(copy, capture, sizeof(pcap_head) + 2 * (16 + PACKET_BYTES));
}

// A pipe with the capture in it and a writer that says no more; the signal comes when all was taken.
static void replay_that_waits_for_a_pipe_ends_at_sigterm(void **state)
{
	int n_left = 1;

	(void)state;
	assert_int_equal(mkfifo("fifo", 0600), 0);
	const int fd = open("fifo", O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, capture, sizeof(capture)), sizeof(capture));
	const pid_t child = start("replay fifo out.pcap");
	for (int tries = 0; n_left > 0 && tries < 200; tries++) {
		const struct timespec pause = {.tv_nsec = 50000000};

		nanosleep(&pause, NULL);
		assert_int_equal(ioctl(fd, FIONREAD, &n_left), 0);
	}
	assert_int_equal(kill(child, SIGTERM), 0);
	assert_int_equal(finish(child), 1);
	assert_non_null(strstr(err, "weir: fifo: ended by SIGTERM after "));
	assert_non_null(strstr(err, " packets: the result is not whole\n"));
	close(fd);
}

static void replay_to_stdout_prints_its_result_elsewhere(void **state)
{
	(void)state;
	assert_int_equal(run("replay in.pcap -"), 0);
	assert_memory_equal(out, capture, 4);
	assert_non_null(strstr(err, "conservation: rx 50"));
}

static void replay_that_fails_leaves_no_output(void **state)
{
	(void)state;
	unlink("out.pcap");
	assert_int_equal(run("replay --filter cut.wasm in.pcap out.pcap"), 1);
	assert_int_not_equal(access("out.pcap", F_OK), 0);
}

static void inspect_says_what_a_filter_may_do(void **state)
{
	(void)state;
	assert_int_equal(run("inspect FILTERS/acl.wasm"), 0);
	assert_non_null(strstr(out, ": component and weir filter, "));
	assert_non_null(strstr(out, "relaxed SIMD"));
	assert_non_null(strstr(out, "export weir:packet/filter@0.1.0;"));
	assert_non_null(strstr(out, "  read the configuration that the operator gives it "
				    "(wasi:config/store@0.2.0-rc.1)\n"));
	assert_non_null(strstr(out, "and nothing else: no files"));
	assert_int_equal(run("inspect --json FILTERS/acl.wasm"), 0);
	json_t *report = json_loads(out, 0, NULL);
	assert_string_equal(json_string_value(json_object_get(report, "kind")), "component");
	assert_true(json_is_true(json_object_get(report, "is_filter")));
	json_decref(report);
}

static void inspect_says_what_would_be_native(void **state)
{
	(void)state;
	assert_int_equal(run("inspect FILTERS/pass.wasm --cpu v1"), 0);
	assert_non_null(strstr(out, "\nnative code: none: native code needs x86-64-v2, and v1 was "
				    "asked for\n"));
	assert_int_equal(run("inspect FILTERS/pass.wasm --engine interp"), 0);
	assert_null(strstr(out, "native code:"));
	assert_int_equal(run("inspect FILTERS/pass.wasm --json"), 0);
	json_t *report = json_loads(out, 0, NULL);
	const json_t *native = json_object_get(report, "native");
	const json_int_t n = json_integer_value(json_object_get(native, "functions"));
	assert_true(n > 0);
	if (json_integer_value(json_object_get(native, "native")) !=
		n) // a build without a compiler
		assert_string_not_equal(json_string_value(json_object_get(native, "message")), "");
	json_decref(report);
}

static void file_and_names_cannot_write_to_the_terminal(void **state)
{
	// Imports m "x ESC NUL 1m", exports "a LF b ESC]c".
	static const uint8_t odd[] = {0, 'a', 's', 'm', 1, 0, 0, 0, 1, 4, 1, 0x60, 0, 0, 2, 11, 1,
		1, 'm', 5, 'x', 0x1b, 0, '1', 'm', 0, 0, 3, 2, 1, 0, 7, 10, 1, 6, 'a', '\n', 'b',
		0x1b, ']', 'c', 0, 1, 10, 4, 1, 2, 0, 11};

	(void)state;
	save("odd.wasm", odd, sizeof(odd));
	assert_int_equal(run("inspect --engine interp odd.wasm"), 0);
	assert_non_null(strstr(out, "\nimport m x\\x1b\\x001m ("));
	assert_non_null(strstr(out, "\nexport a\\x0ab\\x1b]c ("));
	assert_int_equal(run("inspect --asm 0:\x1b[1m\xc2\x9b\x9b\xc3\xa4 odd.wasm"), 1);
	assert_non_null(strstr(err, "found no function \"0:?[1m???\xc3\xa4\""));
	save("b\xff.wasm", odd, sizeof(odd));
	assert_int_equal(run("inspect --engine interp --json b\xff.wasm"), 0);
	json_t *report = json_loads(out, JSON_ALLOW_NUL, NULL);
	assert_string_equal(json_string_value(json_object_get(report, "file")), "b\\xff.wasm");
	const json_t *import = json_array_get(json_object_get(report, "imports"), 0);
	const json_t *name = json_object_get(import, "name");
	assert_int_equal(json_string_length(name), 7);
	assert_memory_equal(json_string_value(name), "m x\x1b\0001m", 8);
	json_decref(report);
	assert_int_equal(run("replay --json in.pcap o\xff.pcap"), 0);
	report = json_loads(out, 0, NULL);
	assert_string_equal(
		json_string_value(json_object_get(json_object_get(report, "out"), "file")),
		"o\\xff.pcap");
	json_decref(report);
	unlink("b\xff.wasm");
	unlink("o\xff.pcap");
	unlink("odd.wasm");
}

static void inspect_says_why_a_function_stays_in_the_interpreter(void **state)
{
	static const uint8_t head[] = {0, 'a', 's', 'm', 1, 0, 0, 0, 1, 4, 1, 0x60, 0, 0, 3, 2, 1,
		0, 10, 0xe4, 11, 1, 0xe1, 11, 0};
	static uint8_t deep[sizeof(head) + 3 * 501 + 1]; // blocks in each other

	(void)state;
	memcpy(deep, head, sizeof(head));
	for (size_t i = 0; i < 501; i++) {
		deep[sizeof(head) + 2 * i] = 0x02;
		deep[sizeof(head) + 2 * i + 1] = 0x40;
	}
	memset(deep + sizeof(head) + 2 * 501, 0x0b, 502);
	save("deep.wasm", deep, sizeof(deep));
	assert_int_equal(run("inspect deep.wasm"), 0);
	if (strstr(out, "no compiler") == NULL)
		assert_non_null(
			strstr(out, "\nnative code: none: function 0: refused: its body, its "
				    "nesting or its frame is too large\n"));
	unlink("deep.wasm");
}

static void inspect_shows_machine_code(void **state)
{
	(void)state;
	const int code = run("inspect --asm 1:16 FILTERS/acl.wasm");
	if (code != 0) { // a build without a compiler
		assert_non_null(strstr(err, "no compiler"));
		return;
	}
	assert_non_null(strstr(out, "pushq %rbp\n"));
	assert_non_null(strstr(out, "\n0x"));
	assert_int_equal(run("inspect --json --asm 1:16 FILTERS/acl.wasm"), 0);
	json_t *report = json_loads(out, 0, NULL);
	assert_int_equal(json_integer_value(json_object_get(report, "core_module")), 1);
	assert_int_equal(json_integer_value(json_object_get(report, "function")), 16);
	assert_non_null(strstr(json_string_value(json_object_get(report, "asm")), "pushq %rbp\n"));
	json_decref(report);
}

static void replay_below_the_floor_falls_back_and_says_so_once(void **state)
{
	(void)state;
	assert_int_equal(run("replay --cpu v1 --filter FILTERS/pass.wasm --filter FILTERS/acl.wasm "
			     "--config rules=@rules.txt --json in.pcap out.pcap"),
		0);
	const char *said = strstr(err, "filters run in the interpreter: native code needs "
				       "x86-64-v2, and v1 was asked for");
	assert_non_null(said);
	assert_null(strstr(said + strlen("filters run in"), "filters run in"));
	json_t *report = json_loads(out, 0, NULL);
	const json_t *filter = json_array_get(json_object_get(report, "filters"), 0);
	assert_string_equal(json_string_value(json_object_get(filter, "tier")), "interp");
	assert_int_equal(json_array_size(json_object_get(report, "code")), 2);
	json_decref(report);
}

static void version_says_what_makes_native_code(void **state)
{
	(void)state;
	assert_int_equal(run("version"), 0);
	assert_non_null(strstr(out, "this machine is x86-64-v"));
	assert_int_equal(run("version --json"), 0);
	json_t *report = json_loads(out, 0, NULL);
	assert_int_equal(json_string_value(json_object_get(report, "cpu"))[0], 'v');
	assert_non_null(json_object_get(report, "llvm"));
	json_decref(report);
}

static void validate_looks_at_every_file(void **state)
{
	(void)state;
	assert_int_equal(run("validate cut.wasm FILTERS/pass.wasm core.wasm engine.yaml none"), 1);
	assert_non_null(strstr(out, "pass.wasm: valid component\ncore.wasm: valid module\n"
				    "engine.yaml: valid configuration\n"));
	assert_non_null(strstr(err, "weir: cut.wasm:0x"));
	assert_non_null(strstr(err, "weir: none: cannot read it: No such file or directory\n"));
}

static void run_on_a_processor_that_is_not_there_is_the_machines_refusal(void **state)
{
	(void)state;
	assert_int_equal(run("run lcore.yaml --log-level error"), 3);
	assert_non_null(strstr(
		err, "weir: lcore.yaml:3:3: lcore 127: this process may not use that processor"));
}

static void run_with_an_argument_that_dpdk_does_not_know_names_it_and_its_place(void **state)
{
	static const char conf[] = "ports: {a: {device: net_null0}}\nworkers: [{lcore: any}]\n"
				   "eal: [--no-huge, --bogus]\n";

	(void)state;
	save("c.yaml", conf, strlen(conf));
	assert_int_equal(run("run c.yaml --log-level error"), 1);
	assert_string_equal(out, "");
	assert_string_equal(err, "weir: c.yaml:3:6: eal: DPDK does not take these arguments: "
				 "weir: unrecognized option '--bogus'\n");
}

static void stats_of_nobody_says_that_nobody_runs(void **state)
{
	(void)state;
	assert_int_equal(run("stats --instance weir-command-test"), 3);
	assert_non_null(strstr(err, "weir: no weir called weir-command-test runs here ("));
}

// Ask until the weir of that name answers: it takes a moment to start.
static json_t *stats_of(const char *instance)
{
	for (int tries = 0; tries < 200; tries++) {
		const struct timespec pause = {.tv_nsec = 50000000};
		// Its files are the running weir's too: read what it wrote through a pipe.
		int fds[2];

		assert_int_equal(pipe(fds), 0);
		const pid_t child = fork();
		assert_true(child >= 0);
		if (child == 0) {
			char *words[] = {(char *)weir, "stats", "--json", "--instance",
				(char *)instance, NULL};

			alarm(PATIENCE_S);
			dup2(fds[1], STDOUT_FILENO);
			dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
			execv(weir, words);
			_exit(127);
		}
		close(fds[1]);
		FILE *answer = fdopen(fds[0], "r");
		json_t *report = json_loadf(answer, 0, NULL);
		int status;
		fclose(answer);
		assert_int_equal(waitpid(child, &status, 0), child);
		if (report != NULL)
			return report;
		nanosleep(&pause, NULL);
	}
	return NULL;
}

static void run_answers_stats_stays_at_sighup_and_ends_at_sigterm(void **state)
{
	static const char conf[] =
		"eal: [--no-huge, --no-shconf, -m, '128']\nmbufs: 1024\n"
		"ports: {a: {device: net_null0, to: b}, b: {device: net_null1}}\n"
		"workers: [{lcore: any}]\n";
	char instance[32];
	char line[128];

	(void)state;
	save("c.yaml", conf, strlen(conf));
	snprintf(instance, sizeof(instance), "wt%d", (int)getpid());
	snprintf(line, sizeof(line), "run c.yaml --instance %s --json", instance);
	const pid_t child = start(line);
	json_t *report = stats_of(instance);
	assert_non_null(report);
	assert_string_equal(json_string_value(json_object_get(report, "instance")), instance);
	assert_int_equal(json_array_size(json_object_get(report, "ports")), 2);
	assert_int_equal(json_array_size(json_object_get(report, "queues")), 2);
	const json_t *port = json_array_get(json_object_get(report, "ports"), 0);
	assert_string_equal(json_string_value(json_object_get(port, "device")), "net_null0");
	json_decref(report);
	assert_int_equal(kill(child, SIGHUP), 0);
	report = stats_of(instance);
	assert_non_null(report);
	json_decref(report);
	assert_int_equal(kill(child, SIGTERM), 0);
	assert_int_equal(finish(child), 0);
	report = json_loads(out, 0, NULL);
	assert_non_null(report);
	assert_true(
		json_is_true(json_object_get(json_object_get(report, "conservation"), "holds")));
	assert_int_equal(json_integer_value(json_object_get(report, "mbufs_missing")), 0);
	json_decref(report);
	assert_non_null(strstr(err, "SIGHUP: there is no reload yet"));
	assert_non_null(strstr(err, "ended by SIGTERM"));
}

static void run_tells_the_service_manager_when_it_is_ready(void **state)
{
	static const char conf[] =
		"eal: [--no-huge, --no-shconf, --no-telemetry, -m, '128']\nmbufs: 1024\n"
		"ports: {a: {device: net_null0}}\nworkers: [{lcore: any}]\n";
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char state_text[256];

	(void)state;
	save("c.yaml", conf, strlen(conf));
	snprintf(at.sun_path, sizeof(at.sun_path), "%s/notify", folder);
	assert_int_equal(bind(fd, (const struct sockaddr *)&at, sizeof(at)), 0);
	setenv("NOTIFY_SOCKET", at.sun_path, 1);
	const int code = run("run c.yaml --duration 0.1 --log-level error");
	unsetenv("NOTIFY_SOCKET");
	assert_int_equal(code, 0);
	ssize_t len = recv(fd, state_text, sizeof(state_text) - 1, MSG_DONTWAIT);
	assert_true(len > 0);
	state_text[len] = '\0';
	assert_string_equal(state_text, "READY=1\nSTATUS=running");
	len = recv(fd, state_text, sizeof(state_text) - 1, MSG_DONTWAIT);
	assert_true(len > 0);
	state_text[len] = '\0';
	assert_string_equal(state_text, "STOPPING=1");
	close(fd);
	unlink(at.sun_path);
}

static void documents_have_the_keys_and_the_counters(void **state)
{
	static const char *const topics[] = {"configuration", "statistics"};
	static char document[1 << 17];

	(void)state;
	for (size_t i = 0; i < sizeof(topics) / sizeof(topics[0]); i++) {
		char path[sizeof(filters) + 64];
		char line[64];

		snprintf(path, sizeof(path), "%.1900s/docs/%s.md", source, topics[i]);
		load(path, document, sizeof(document));
		snprintf(line, sizeof(line), "help %s --markdown", topics[i]);
		assert_int_equal(run(line), 0);
		if (strstr(document, out) == NULL)
			fail_msg("docs/%s.md does not have what weir %s prints", topics[i], line);
	}
}

// The page in lower case with its roff escapes taken away, so that "--json" is found.
static void load_page(const char *name, char *page, size_t cap)
{
	char path[sizeof(filters) + 64];
	size_t used = 0;

	snprintf(path, sizeof(path), "%.1900s/docs/man/%.64s", source, name);
	load(path, page, cap);
	for (size_t i = 0; page[i] != '\0'; i++) {
		if (page[i] != '\\')
			page[used++] = page[i];
	}
	page[used] = '\0';
}

static void man_pages_have_every_command_and_option(void **state)
{
	static const struct {
		const char *command; // in capitals
		const char *flag;
	} flags[] = {
#define CLI_FLAG(NAME, ID, letter, flag, value, doc) {#NAME, flag},
#include "command.def"
	};
	static char page[1 << 17];

	(void)state;
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		char name[64];

		snprintf(name, sizeof(name), "weir-%s.1", flags[i].command);
		for (char *p = name; *p != '\0'; p++)
			*p = (char)tolower((unsigned char)*p);
		load_page(name, page, sizeof(page));
		if (strstr(page, flags[i].flag) == NULL)
			fail_msg("docs/man/%s does not have %s", name, flags[i].flag);
	}
	load_page("weir.1", page, sizeof(page));
#define CLI_COMMAND(NAME, name, operands, doc) assert_non_null(strstr(page, "weir-" name " (1)"));
#include "command.def"
}

static void man_page_of_the_configuration_has_every_key(void **state)
{
	static const char *const keys[] = {
#define DP_OPTION(SCOPE, key, TYPE, field, min, max, def, doc) "\nfB" key "fR",
#include "option.def"
	};
	static char page[1 << 17];

	(void)state;
	load_page("weir.yaml.5", page, sizeof(page));
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (strstr(page, keys[i]) == NULL)
			fail_msg("docs/man/weir.yaml.5 does not have %s", keys[i]);
	}
}

static void run_check_is_silent_but_for_its_result(void **state)
{
	(void)state;
	assert_int_equal(run("run --check c.yaml"), 0);
	assert_string_equal(out, "c.yaml: ok: 1 ports, 1 workers, 0 chains, 0 filters\n");
	assert_string_equal(err, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(command_wrong_says_what_was_found_and_expected),
		cmocka_unit_test(command_without_words_shows_the_commands),
		cmocka_unit_test(command_help_is_the_same_both_ways),
		cmocka_unit_test(replay_without_filters_copies),
		cmocka_unit_test(replay_parts_the_capture_in_order),
		cmocka_unit_test(replay_of_a_broken_capture_keeps_what_came_before),
		cmocka_unit_test(replay_that_waits_for_a_pipe_ends_at_sigterm),
		cmocka_unit_test(replay_to_stdout_prints_its_result_elsewhere),
		cmocka_unit_test(replay_that_fails_leaves_no_output),
		cmocka_unit_test(inspect_says_what_a_filter_may_do),
		cmocka_unit_test(inspect_says_what_would_be_native),
		cmocka_unit_test(file_and_names_cannot_write_to_the_terminal),
		cmocka_unit_test(inspect_says_why_a_function_stays_in_the_interpreter),
		cmocka_unit_test(inspect_shows_machine_code),
		cmocka_unit_test(replay_below_the_floor_falls_back_and_says_so_once),
		cmocka_unit_test(version_says_what_makes_native_code),
		cmocka_unit_test(validate_looks_at_every_file),
		cmocka_unit_test(run_on_a_processor_that_is_not_there_is_the_machines_refusal),
		cmocka_unit_test(
			run_with_an_argument_that_dpdk_does_not_know_names_it_and_its_place),
		cmocka_unit_test(stats_of_nobody_says_that_nobody_runs),
		cmocka_unit_test(run_answers_stats_stays_at_sighup_and_ends_at_sigterm),
		cmocka_unit_test(run_tells_the_service_manager_when_it_is_ready),
		cmocka_unit_test(documents_have_the_keys_and_the_counters),
		cmocka_unit_test(man_pages_have_every_command_and_option),
		cmocka_unit_test(man_page_of_the_configuration_has_every_key),
		cmocka_unit_test(run_check_is_silent_but_for_its_result),
	};

	return cmocka_run_group_tests_name("weir_command", tests, make_folder, remove_folder);
}
