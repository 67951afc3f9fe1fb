// SPDX-License-Identifier: BSD-3-Clause
// bytes_file: see bytes_file.h.
#include "bytes_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

struct bytes_file bytes_file_open(const uint8_t *data, size_t len)
{
	struct bytes_file file = {.fd = memfd_create("input", MFD_CLOEXEC)};

	if (file.fd < 0 || write(file.fd, data, len) != (ssize_t)len)
		abort();
	(void)snprintf(file.path, sizeof(file.path), "/proc/self/fd/%d", file.fd);
	return file;
}

void bytes_file_close(struct bytes_file *file)
{
	close(file->fd);
}
