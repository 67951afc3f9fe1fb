// SPDX-License-Identifier: BSD-3-Clause
// config_fuzz: any bytes as a configuration file: loaded, or refused at a place in it. For libFuzzer.
#include "bytes_file.h"
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

// Is that "FILE:LINE:COLUMN: what", in one line?
static bool names_its_place(const char *message, const char *path)
{
	const size_t n = strlen(path);
	unsigned line;
	unsigned column;
	int end = 0;

	return strncmp(message, path, n) == 0 &&
	       sscanf(message + n, ":%u:%u: %n", &line, &column, &end) == 2 && end > 0 &&
	       line > 0 && column > 0 && message[n + (size_t)end] != '\0' &&
	       strchr(message, '\n') == NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct bytes_file file = bytes_file_open(data, len);
	struct dp_config *config = NULL;
	char *message = NULL;
	const int rc = dp_config_load(file.path, NULL, &config, &message);

	if (rc == 0)
		dp_config_destroy(config);
	else if (rc != WE_E_INVALID || !names_its_place(message, file.path))
		abort();
	free(message);
	bytes_file_close(&file);
	return 0;
}
