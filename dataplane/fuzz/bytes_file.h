// SPDX-License-Identifier: BSD-3-Clause
// bytes_file: bytes as a file that has a path.
#pragma once

#include <stddef.h>
#include <stdint.h>

struct bytes_file {
	int fd;
	char path[32]; // opens it anew, from its start
};

// Aborts when the system has none: there is nothing to find then.
struct bytes_file bytes_file_open(const uint8_t *data, size_t len);
void bytes_file_close(struct bytes_file *file);
