// SPDX-License-Identifier: BSD-3-Clause
// capture_fuzz: any bytes as a capture, read to its end or to where it breaks. For libFuzzer.
#include "bytes_file.h"
#include "capture.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

// Returns: bytes of the largest packet, each byte of which was looked at.
static uint32_t read_all(struct dp_capture_in *in)
{
	struct dp_capture_record record;
	struct we_error err;
	uint32_t largest = 0;
	uint8_t sum = 0;
	int rc;

	(void)dp_capture_is_nano(in);
	while ((rc = dp_capture_next(in, &record, &err)) == 0) {
		for (uint32_t i = 0; i < record.len; i++)
			sum ^= record.data[i];
		if (record.len > largest)
			largest = record.len;
	}
	if (rc != DP_CAPTURE_END && rc != WE_E_MALFORMED)
		abort();
	*(volatile uint8_t *)&sum = sum;
	return largest;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct bytes_file file = bytes_file_open(data, len);
	struct dp_capture_in *in = NULL;
	struct we_error err;
	uint32_t largest = 0;
	const int rc = dp_capture_open(file.path, NULL, &in, &err);

	if (rc != dp_capture_largest(file.path, &largest, &err))
		abort();
	if (rc == 0 && (read_all(in) != largest || largest > DP_CAPTURE_LEN_MAX))
		abort();
	if (rc != 0 && rc != WE_E_MALFORMED && rc != WE_E_UNSUPPORTED)
		abort();
	dp_capture_close(in);
	bytes_file_close(&file);
	return 0;
}
