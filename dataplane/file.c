// SPDX-License-Identifier: BSD-3-Clause
// dp_file: see file.h.
#include "file.h"

#include <errno.h>
#include <fcntl.h>
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

static void out_clear(struct dp_file_out *out)
{
	free(out->path);
	free(out->beside);
	*out = (struct dp_file_out){0};
}

// Open what is to be written: the file itself when it cannot be replaced, else one beside it.
static FILE *out_stream(struct dp_file_out *out)
{
	struct stat st;

	if (strcmp(out->path, "-") == 0) {
		const int fd = dup(STDOUT_FILENO);

		return fd < 0 ? NULL : fdopen(fd, "w");
	}
	if (stat(out->path, &st) == 0 && !S_ISREG(st.st_mode))
		return fopen(out->path, "we");
	if (asprintf(&out->beside, "%s.%d.tmp", out->path, getpid()) < 0) {
		out->beside = NULL;
		return NULL;
	}
	return fopen(out->beside, "wxe");
}

int dp_file_out_open(const char *path, struct dp_file_out *ret_out, struct we_error *err)
{
	struct dp_file_out out = {.path = strdup(path)};

	if (out.path == NULL)
		return we_error_set(err, WE_E_NOMEM, 0, "out of memory");
	out.to = out_stream(&out);
	if (out.to == NULL) {
		const int rc = fail(err);

		out_clear(&out);
		return rc;
	}
	*ret_out = out;
	return 0;
}

void dp_file_out_note(struct dp_file_out *out)
{
	if (out->error == 0 && ferror(out->to))
		out->error = errno;
}

int dp_file_out_commit(struct dp_file_out *out, struct we_error *err)
{
	int rc = 0;

	errno = out->error; // the stream remembers that a write failed, but not why
	if (ferror(out->to) || fflush(out->to) != 0)
		rc = fail(err);
	if (fclose(out->to) != 0 && rc == 0)
		rc = fail(err);
	if (out->beside != NULL && rc == 0 && rename(out->beside, out->path) != 0)
		rc = fail(err);
	if (out->beside != NULL && rc != 0)
		unlink(out->beside);
	out_clear(out);
	return rc;
}

void dp_file_out_abort(struct dp_file_out *out)
{
	if (out->to == NULL)
		return;
	fclose(out->to);
	if (out->beside != NULL)
		unlink(out->beside);
	out_clear(out);
}

int dp_file_write(const char *path, const uint8_t *data, size_t len, struct we_error *err)
{
	struct dp_file_out out;
	const int rc = dp_file_out_open(path, &out, err);

	if (rc != 0)
		return rc;
	fwrite(data, 1, len, out.to);
	dp_file_out_note(&out);
	return dp_file_out_commit(&out, err);
}

bool dp_file_is_regular(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

bool dp_file_is_same(const char *a, const char *b)
{
	struct stat sa;
	struct stat sb;

	return stat(a, &sa) == 0 && stat(b, &sb) == 0 && sa.st_dev == sb.st_dev &&
	       sa.st_ino == sb.st_ino;
}
