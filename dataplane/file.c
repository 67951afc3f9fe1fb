// SPDX-License-Identifier: BSD-3-Clause
// dp_file: see file.h.
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int fail(struct we_error *err)
{
	return we_error_set(err, WE_E_HOST, 0, "%s", strerror(errno));
}

// Read fd to its end into *ret_data, which grows by doubling: a pipe says no size.
static int read_all(int fd, size_t cap, uint8_t **ret_data, size_t *ret_len, struct we_error *err)
{
	size_t room = 65536;
	size_t len = 0;
	uint8_t *data = NULL;

	for (;;) {
		uint8_t *more = realloc(data, room + 1);
		ssize_t got;

		if (more == NULL) {
			free(data);
			return we_error_set(err, WE_E_NOMEM, 0, "out of memory");
		}
		data = more;
		while ((got = read(fd, data + len, room - len)) > 0)
			len += (size_t)got;
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 || len > cap) {
			free(data);
			return got < 0 ? fail(err)
				       : we_error_set(err, WE_E_HOST, 0,
						 "it is longer than %zu bytes", cap);
		}
		if (len < room)
			break;
		room *= 2;
	}
	data[len] = '\0';
	*ret_data = data;
	*ret_len = len;
	return 0;
}

int dp_file_read(
	const char *path, size_t cap, uint8_t **ret_data, size_t *ret_len, struct we_error *err)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return fail(err);
	const int rc = read_all(fd, cap, ret_data, ret_len, err);
	close(fd);
	return rc;
}

static int write_all(int fd, const uint8_t *data, size_t len)
{
	while (len > 0) {
		const ssize_t put = write(fd, data, len);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return -1;
		data += put;
		len -= (size_t)put;
	}
	return 0;
}

int dp_file_write(const char *path, const uint8_t *data, size_t len, struct we_error *err)
{
	struct stat st;
	char *beside;

	// What is no ordinary file (/dev/stdout, a pipe) cannot be replaced, only written.
	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
		const int fd = open(path, O_WRONLY | O_CLOEXEC);

		if (fd < 0)
			return fail(err);
		const bool is_written = write_all(fd, data, len) == 0;
		const int rc = is_written ? 0 : fail(err);
		close(fd);
		return rc;
	}
	if (asprintf(&beside, "%s.%d.tmp", path, getpid()) < 0)
		return we_error_set(err, WE_E_NOMEM, 0, "out of memory");
	const int fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	int rc = 0;
	if (fd < 0) {
		rc = fail(err);
	} else {
		if (write_all(fd, data, len) != 0 || fsync(fd) != 0)
			rc = fail(err);
		if (close(fd) != 0 && rc == 0)
			rc = fail(err);
		if (rc == 0 && rename(beside, path) != 0)
			rc = fail(err);
		if (rc != 0)
			unlink(beside);
	}
	free(beside);
	return rc;
}
