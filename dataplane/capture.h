// SPDX-License-Identifier: BSD-3-Clause
// dp_capture: capture files, as libpcap has them: pcap and pcapng in, pcap out.
//
// What it does not do: interpret packets. Time stamps, original lengths and bytes go through as they are
// in the file, nonsense in them too.
// Thread:  one at a time.
#pragma once

#include "we.h"

#include <stdatomic.h>

struct dp_capture_in;
struct dp_capture_out;

// One packet of a capture.
struct dp_capture_record {
	const uint8_t *data; // [len], borrowed
	uint32_t len;        // captured bytes
	uint32_t wire_len;   // bytes that it had on the wire, as the file says
	int64_t seconds;     // Unix time
	int64_t fraction;    // micro- or nanoseconds
};

enum {
	DP_CAPTURE_LEN_MAX = 262144, // bytes of a packet that readers of captures accept
};

// "-" is stdin. Returns: 0; HOST (it cannot be opened), MALFORMED (no capture), UNSUPPORTED (a link type that is
// not Ethernet); err->msg without the path.
// stop: once true, nothing waits for a pipe any more; borrowed until dp_capture_close; NULL: never.
WE_MUST_USE int dp_capture_open(const char *path, const atomic_bool *stop,
	struct dp_capture_in **ret_in, struct we_error *err);
void dp_capture_close(struct dp_capture_in *in); // NULL is fine
// Are fractions nanoseconds?
bool dp_capture_is_nano(const struct dp_capture_in *in);

enum {
	DP_CAPTURE_END = 1,
	DP_CAPTURE_STOPPED, // asked to, while it waited
};
// The next packet. Borrows out: record->data until the next call.
// Returns: 0; DP_CAPTURE_END; DP_CAPTURE_STOPPED; MALFORMED: the file is broken here; err->offset is the packet's number, from 1.
WE_MUST_USE int dp_capture_next(
	struct dp_capture_in *in, struct dp_capture_record *ret_record, struct we_error *err);
// Bytes of the largest packet before the end or the break. 0: there is none.
// Returns: as dp_capture_open.
WE_MUST_USE int dp_capture_largest(const char *path, uint32_t *ret_len, struct we_error *err);

// Returns: 0; HOST, NOMEM; err->msg without the path. Nothing stands under the path before commit.
WE_MUST_USE int dp_capture_create(
	const char *path, bool is_nano, struct dp_capture_out **ret_out, struct we_error *err);
// Write a packet; a failure shows at commit.
void dp_capture_write(struct dp_capture_out *out, const struct dp_capture_record *record);
// Takes: out. Returns: 0; HOST.
WE_MUST_USE int dp_capture_commit(struct dp_capture_out *out, struct we_error *err);
// Takes: out, and removes what was written. NULL is fine.
void dp_capture_abort(struct dp_capture_out *out);
