// SPDX-License-Identifier: BSD-3-Clause
// weir version: the build, the libraries it runs with, and the versions of weir:packet that it accepts.
#include "build.h"
#include "cli.h"
#include "ws.h"

#include <jansson.h>
#include <pcap/pcap.h>
#include <rte_version.h>
#include <yaml.h>

#include <string.h>

// docs/filters.md has the rule in full.
static const char rule[] = "A filter names the version of weir:packet that it was built against "
			   "and is loaded only if that "
			   "version stands here. What a version means never changes; an addition "
			   "or a change gets a new version, "
			   "and a version stays accepted for at least one minor release of weir "
			   "after its successor came.";

// The i-th offered interface of package weir:packet, NULL beyond the last; its version in *ret_version.
static const char *packet_interface(uint32_t *i, const char **ret_version)
{
	const char *name;

	while ((name = ws_offered_interface((*i)++)) != NULL) {
		const char *at = strchr(name, '@');

		if (strncmp(name, "weir:packet/", strlen("weir:packet/")) == 0 && at != NULL) {
			*ret_version = at + 1;
			return name;
		}
	}
	return NULL;
}

static enum cli_exit print_json(void)
{
	json_t *accepted = json_array();
	json_t *offered = json_array();
	const char *version;

	for (uint32_t i = 0; packet_interface(&i, &version) != NULL;)
		json_array_append_new(accepted, json_string(version));
	for (uint32_t i = 0; ws_offered_interface(i) != NULL; i++)
		json_array_append_new(offered, json_string(ws_offered_interface(i)));
	json_t *all = json_pack(
		"{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s?, s:s, s:o, s:o, s:s}", "weir",
		BUILD_VERSION, "revision", BUILD_REVISION, "build", BUILD_TYPE, "compiler",
		BUILD_COMPILER, "dpdk", rte_version(), "pcap", pcap_lib_version(), "yaml",
		yaml_get_version_string(), "jansson", jansson_version_str(), "llvm",
		BUILD_LLVM[0] != '\0' ? BUILD_LLVM : NULL, "cpu", we_machine_level(), "weir_packet",
		accepted, "offered", offered, "rule", rule);
	const bool is_printed = all != NULL && json_dumpf(all, stdout, JSON_INDENT(2)) == 0;
	json_decref(all);
	putchar('\n');
	return is_printed ? CLI_OK : cli_fail(CLI_MACHINE, "out of memory");
}

enum cli_exit cli_main_VERSION(struct cli_args *args)
{
	bool is_json = false;
	const char *version;
	enum cli_flag flag;

	while ((flag = cli_next(args)) != CLI_END) {
		if (flag == CLI_VERSION_JSON)
			is_json = true;
		else if (flag == CLI_OPERAND)
			return cli_usage(args, "found \"%s\", expected no operand", args->value);
		else
			return flag == CLI_HELPED ? CLI_OK : CLI_USAGE;
	}
	if (is_json)
		return print_json();
	printf("weir %s (%s), %s build by %s\n", BUILD_VERSION, BUILD_REVISION, BUILD_TYPE,
		BUILD_COMPILER);
	printf("%s, %s, libyaml %s, jansson %s\n", rte_version(), pcap_lib_version(),
		yaml_get_version_string(), jansson_version_str());
	if (BUILD_LLVM[0] != '\0')
		printf("native code by LLVM %s, this machine is x86-64-%s\n\n", BUILD_LLVM,
			we_machine_level());
	else
		printf("no compiler to native code in this build, this machine is x86-64-%s\n\n",
			we_machine_level());
	printf("weir:packet versions accepted:");
	for (uint32_t i = 0; packet_interface(&i, &version) != NULL;)
		printf(" %s", version);
	printf("\n%s\n\nInterfaces offered to filters:\n", rule);
	for (uint32_t i = 0; ws_offered_interface(i) != NULL; i++)
		printf("  %s\n", ws_offered_interface(i));
	return CLI_OK;
}
