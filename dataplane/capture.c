// SPDX-License-Identifier: BSD-3-Clause
// dp_capture: see capture.h.
//
// libpcap scales time stamps to the precision that the reader asks for, and does not tell that of a pcapng file. A
// look at the file's first bytes tells it, so that nothing is ever scaled.
// Spec:    draft-ietf-opsawg-pcap "File Header"; draft-ietf-opsawg-pcapng "Interface Description Block" (if_tsresol)
#include "capture.h"

#include "file.h"

#include <pcap/pcap.h>

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	HEAD_MAX = 65536, // bytes of the file that are looked at for its precision
	STREAM_BYTES = 65536,
	LOOK_MS = 100, // pause between two looks at stop
};

// Invariant: head_at <= head_len; libpcap has read what lies before head_at, and after that reads from fd.
struct dp_capture_in {
	pcap_t *pcap; // closes the stream, and that fd
	int fd;
	const atomic_bool *stop; // borrowed; NULL: never
	uint8_t head[HEAD_MAX];
	size_t head_len;
	size_t head_at;
	uint64_t n_read; // packets
	bool is_nano;
	bool is_stopped; // the stream was ended because of stop
};

struct dp_capture_out {
	struct dp_file_out file;
	pcap_t *pcap;
	pcap_dumper_t *dumper; // its stream is file.to
};

// ---- precision ----------------------------------------------------------------------------------

static uint32_t read_u32(const uint8_t *at, bool is_big)
{
	return is_big ? (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3]
		      : (uint32_t)at[3] << 24 | (uint32_t)at[2] << 16 | (uint32_t)at[1] << 8 |
				at[0];
}

static uint16_t read_u16(const uint8_t *at, bool is_big)
{
	return is_big ? (uint16_t)(at[0] << 8 | at[1]) : (uint16_t)(at[1] << 8 | at[0]);
}

// Does an interface's if_tsresol promise more than microseconds? options [len]: of the block.
static bool options_are_nano(const uint8_t *options, size_t len, bool is_big)
{
	size_t at = 0;

	while (len - at >= 4) {
		const uint16_t code = read_u16(options + at, is_big);
		const uint16_t option_len = read_u16(options + at + 2, is_big);

		at += 4;
		if (code == 0 || option_len > len - at)
			return false;
		if (code == 9 && option_len == 1) {
			const uint8_t resolution = options[at];

			// Bit 7: a power of two, else of ten.
			return (resolution & 0x80) != 0 ? (resolution & 0x7f) > 20 : resolution > 6;
		}
		const size_t padded = ((size_t)option_len + 3) & ~(size_t)3;
		if (padded > len - at)
			return false;
		at += padded;
	}
	return false;
}

// The interfaces that are described before the first packet.
static bool pcapng_is_nano(const uint8_t *head, size_t len)
{
	bool is_big = false;
	size_t at = 0;

	while (len - at >= 12) {
		// A section header's own type reads the same both ways.
		if (read_u32(head + at, is_big) == 0x0a0d0d0a)
			is_big = read_u32(head + at + 8, true) == 0x1a2b3c4d;
		const uint32_t type = read_u32(head + at, is_big);
		const uint32_t block_len = read_u32(head + at + 4, is_big);

		if (block_len < 12 || block_len > len - at)
			return false;
		if (type == 1 && block_len >= 20 &&
			options_are_nano(head + at + 16, block_len - 20, is_big))
			return true;
		if (type == 2 || type == 3 || type == 6) // packets
			return false;
		at += block_len;
	}
	return false;
}

static bool head_is_nano(const uint8_t *head, size_t len)
{
	if (len < 4)
		return false;
	const uint32_t magic = read_u32(head, true);
	if (magic == 0x0a0d0d0a)
		return pcapng_is_nano(head, len);
	return magic == 0xa1b23c4d || magic == 0x4d3cb2a1;
}

// ---- reading ------------------------------------------------------------------------------------

// A read that stop ends, as the end of the file does. Returns: bytes; 0 at the end; -1, with errno.
static ssize_t read_some(struct dp_capture_in *in, void *buf, size_t cap)
{
	struct pollfd pollfd = {.fd = in->fd, .events = POLLIN};

	for (;;) {
		if (in->stop != NULL && atomic_load(in->stop)) {
			in->is_stopped = true;
			return 0;
		}
		ssize_t n = poll(&pollfd, 1, LOOK_MS);
		if (n == 0)
			continue;
		if (n > 0)
			n = read(in->fd, buf, cap);
		if (n >= 0 || (errno != EINTR && errno != EAGAIN))
			return n;
	}
}

// The stream that libpcap reads: the head, then the rest of the file; so pipes work too.
static ssize_t stream_read(void *cookie, char *buf, size_t cap)
{
	struct dp_capture_in *in = cookie;
	const size_t left = in->head_len - in->head_at;

	if (left == 0)
		return read_some(in, buf, cap);
	const size_t n = left < cap ? left : cap;
	memcpy(buf, in->head + in->head_at, n);
	in->head_at += n;
	return (ssize_t)n;
}

static int stream_close(void *cookie)
{
	struct dp_capture_in *in = cookie;

	close(in->fd);
	return 0;
}

static int read_head(struct dp_capture_in *in, struct we_error *err)
{
	ssize_t n;

	do {
		n = read_some(in, in->head + in->head_len, sizeof(in->head) - in->head_len);
		if (n < 0)
			return we_error_set(err, WE_E_HOST, 0, "%s", strerror(errno));
		in->head_len += (size_t)n;
	} while (n > 0 && in->head_len < sizeof(in->head));
	return 0;
}

static int open_stream(struct dp_capture_in *in, struct we_error *err)
{
	static const cookie_io_functions_t functions = {.read = stream_read, .close = stream_close};
	char why[PCAP_ERRBUF_SIZE] = "";

	const int rc = read_head(in, err);
	if (rc != 0) {
		close(in->fd);
		return rc;
	}
	in->is_nano = head_is_nano(in->head, in->head_len);
	FILE *stream = fopencookie(in, "r", functions);
	if (stream == NULL) {
		close(in->fd);
		return we_error_set(err, WE_E_NOMEM, 0, "out of memory");
	}
	setvbuf(stream, NULL, _IOFBF, STREAM_BYTES);
	in->pcap = pcap_fopen_offline_with_tstamp_precision(stream,
		in->is_nano ? PCAP_TSTAMP_PRECISION_NANO : PCAP_TSTAMP_PRECISION_MICRO, why);
	if (in->pcap == NULL) {
		fclose(stream);
		return we_error_set(err, WE_E_MALFORMED, 0, "%s", why);
	}
	return 0;
}

static int check_link_type(const struct dp_capture_in *in, struct we_error *err)
{
	const int type = pcap_datalink(in->pcap);
	const char *name = pcap_datalink_val_to_name(type);

	if (type == DLT_EN10MB)
		return 0;
	return we_error_set(err, WE_E_UNSUPPORTED, 0,
		"found packets of link type %s (%d), expected Ethernet, %s",
		name != NULL ? name : "unknown", type, pcap_datalink_val_to_name(DLT_EN10MB));
}

int dp_capture_open(const char *path, const atomic_bool *stop, struct dp_capture_in **ret_in,
	struct we_error *err)
{
	struct dp_capture_in *in = calloc(1, sizeof(*in));

	if (in == NULL)
		return we_error_set(err, WE_E_NOMEM, 0, "out of memory");
	// A FIFO that nobody writes to yet is waited for as one that is empty.
	in->fd = strcmp(path, "-") == 0 ? dup(STDIN_FILENO)
					: open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	in->stop = stop;
	int rc = in->fd >= 0 ? 0 : we_error_set(err, WE_E_HOST, 0, "%s", strerror(errno));
	if (rc == 0)
		rc = open_stream(in, err);
	if (rc == 0)
		rc = check_link_type(in, err);
	if (rc != 0) {
		dp_capture_close(in);
		return rc;
	}
	*ret_in = in;
	return 0;
}

void dp_capture_close(struct dp_capture_in *in)
{
	if (in == NULL)
		return;
	if (in->pcap != NULL)
		pcap_close(in->pcap);
	free(in);
}

bool dp_capture_is_nano(const struct dp_capture_in *in)
{
	return in->is_nano;
}

int dp_capture_next(
	struct dp_capture_in *in, struct dp_capture_record *ret_record, struct we_error *err)
{
	struct pcap_pkthdr *header;
	const u_char *data;
	const int rc = pcap_next_ex(in->pcap, &header, &data);

	if (rc != 1 && in->is_stopped)
		return DP_CAPTURE_STOPPED;
	if (rc == PCAP_ERROR_BREAK)
		return DP_CAPTURE_END;
	if (rc != 1)
		return we_error_set(
			err, WE_E_MALFORMED, in->n_read + 1, "%s", pcap_geterr(in->pcap));
	in->n_read++;
	ret_record->data = data;
	ret_record->len = header->caplen;
	ret_record->wire_len = header->len;
	ret_record->seconds = header->ts.tv_sec;
	ret_record->fraction = header->ts.tv_usec;
	return 0;
}

int dp_capture_largest(const char *path, uint32_t *ret_len, struct we_error *err)
{
	struct dp_capture_record record = {0};
	struct dp_capture_in *in;
	uint32_t largest = 0;
	const int rc = dp_capture_open(path, NULL, &in, err);

	if (rc != 0)
		return rc;
	while (dp_capture_next(in, &record, NULL) == 0) {
		if (record.len > largest)
			largest = record.len;
	}
	dp_capture_close(in);
	*ret_len = largest;
	return 0;
}

// ---- writing ------------------------------------------------------------------------------------

int dp_capture_create(
	const char *path, bool is_nano, struct dp_capture_out **ret_out, struct we_error *err)
{
	struct dp_capture_out *out = calloc(1, sizeof(*out));

	if (out == NULL)
		return we_error_set(err, WE_E_NOMEM, 0, "out of memory");
	int rc = dp_file_out_open(path, &out->file, err);
	if (rc != 0) {
		free(out);
		return rc;
	}
	out->pcap = pcap_open_dead_with_tstamp_precision(DLT_EN10MB, DP_CAPTURE_LEN_MAX,
		is_nano ? PCAP_TSTAMP_PRECISION_NANO : PCAP_TSTAMP_PRECISION_MICRO);
	if (out->pcap != NULL)
		out->dumper = pcap_dump_fopen(out->pcap, out->file.to);
	if (out->dumper == NULL) {
		rc = we_error_set(err, WE_E_HOST, 0, "%s",
			out->pcap != NULL ? pcap_geterr(out->pcap) : "out of memory");
		dp_capture_abort(out);
		return rc;
	}
	*ret_out = out;
	return 0;
}

void dp_capture_write(struct dp_capture_out *out, const struct dp_capture_record *record)
{
	const struct pcap_pkthdr header = {
		.ts = {.tv_sec = record->seconds, .tv_usec = record->fraction},
		.caplen = record->len,
		.len = record->wire_len,
	};

	pcap_dump((u_char *)out->dumper, &header, record->data);
	dp_file_out_note(&out->file);
}

// The dumper is the stream itself in libpcap; closing the stream is all that is left to do with it.
int dp_capture_commit(struct dp_capture_out *out, struct we_error *err)
{
	assert(pcap_dump_file(out->dumper) == out->file.to);
	const int rc = dp_file_out_commit(&out->file, err);

	pcap_close(out->pcap);
	free(out);
	return rc;
}

void dp_capture_abort(struct dp_capture_out *out)
{
	if (out == NULL)
		return;
	dp_file_out_abort(&out->file);
	if (out->pcap != NULL)
		pcap_close(out->pcap);
	free(out);
}
