// SPDX-License-Identifier: BSD-3-Clause
// Tests of dp_capture: every kind of capture file goes through unchanged, and broken ones say what they are.
#include "capture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/weir-capture-XXXXXX";
static char in_path[sizeof(folder) + 16];
static char out_path[sizeof(folder) + 16];

// A file under construction.
struct image {
	uint8_t bytes[300000];
	size_t len;
	bool is_big;
};
static struct image image;

static void put(const void *bytes, size_t len)
{
	assert_true(image.len + len <= sizeof(image.bytes));
	if (len > 0)
		memcpy(image.bytes + image.len, bytes, len);
	image.len += len;
}

static void put_u32(uint32_t value)
{
	const uint8_t big[] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16),
		(uint8_t)(value >> 8), (uint8_t)value};
	const uint8_t little[] = {big[3], big[2], big[1], big[0]};

	put(image.is_big ? big : little, 4);
}

static void put_u16(uint16_t value)
{
	const uint8_t big[] = {(uint8_t)(value >> 8), (uint8_t)value};
	const uint8_t little[] = {big[1], big[0]};

	put(image.is_big ? big : little, 2);
}

static void begin_pcap(bool is_big, bool is_nano, uint32_t snap_len, uint32_t link_type)
{
	image.len = 0;
	image.is_big = is_big;
	put_u32(is_nano ? 0xa1b23c4d : 0xa1b2c3d4);
	put_u16(2);
	put_u16(4);
	put_u32(0);
	put_u32(0);
	put_u32(snap_len);
	put_u32(link_type);
}

static void put_packet(uint32_t seconds, uint32_t fraction, uint32_t len, uint32_t wire_len)
{
	put_u32(seconds);
	put_u32(fraction);
	put_u32(len);
	put_u32(wire_len);
	for (uint32_t i = 0; i < len; i++) {
		const uint8_t byte = (uint8_t)(i * 7 + len);

		put(&byte, 1);
	}
}

// A section header and an interface whose time stamps are 10^-resolution seconds.
static void begin_pcapng(bool is_big, uint8_t resolution)
{
	image.len = 0;
	image.is_big = is_big;
	put_u32(0x0a0d0d0a);
	put_u32(28);
	put_u32(0x1a2b3c4d);
	put_u16(1);
	put_u16(0);
	put_u32(UINT32_MAX); // section length: not said
	put_u32(UINT32_MAX);
	put_u32(28);
	put_u32(1);
	put_u32(32);
	put_u16(1); // Ethernet
	put_u16(0);
	put_u32(65536);
	put_u16(9); // if_tsresol
	put_u16(1);
	put(&(const uint8_t[4]){resolution}, 4);
	put_u16(0); // end of options
	put_u16(0);
	put_u32(32);
}

static void put_pcapng_packet(uint64_t time, uint32_t len)
{
	const uint32_t padded = (len + 3) & ~3u;

	put_u32(6);
	put_u32(32 + padded);
	put_u32(0);
	put_u32((uint32_t)(time >> 32));
	put_u32((uint32_t)time);
	put_u32(len);
	put_u32(len + 5);
	for (uint32_t i = 0; i < padded; i++)
		put(&(const uint8_t){(uint8_t)i}, 1);
	put_u32(32 + padded);
}

static void save(void)
{
	FILE *file = fopen(in_path, "wb");

	assert_non_null(file);
	assert_int_equal(fwrite(image.bytes, 1, image.len, file), image.len);
	assert_int_equal(fclose(file), 0);
}

// Copy the saved image; *ret_n: packets. Returns: what ended the input, DP_CAPTURE_END or a failure.
static int copy(uint32_t *ret_n, struct we_error *err)
{
	struct dp_capture_record record;
	struct dp_capture_in *in;
	struct dp_capture_out *out;
	int rc;

	save();
	*ret_n = 0;
	rc = dp_capture_open(in_path, NULL, &in, err);
	if (rc != 0)
		return rc;
	assert_int_equal(dp_capture_create(out_path, dp_capture_is_nano(in), &out, err), 0);
	while ((rc = dp_capture_next(in, &record, err)) == 0) {
		dp_capture_write(out, &record);
		++*ret_n;
	}
	dp_capture_close(in);
	struct we_error out_err;
	assert_int_equal(dp_capture_commit(out, &out_err), 0);
	return rc;
}

// The output's bytes, in `got`.
static uint8_t got[400000];
static size_t load_output(void)
{
	FILE *file = fopen(out_path, "rb");

	assert_non_null(file);
	const size_t len = fread(got, 1, sizeof(got), file);
	fclose(file);
	return len;
}

static uint32_t got_u32(size_t at)
{
	uint32_t value;

	memcpy(&value, got + at, 4);
	return value;
}

static void capture_of_microseconds_stays_as_it_is(void **state)
{
	struct we_error err;
	uint32_t n;

	(void)state;
	begin_pcap(false, false, 262144, 1);
	put_packet(1700000000, 123456, 60, 60);
	put_packet(1700000000, 123455, 61, 1514); // earlier, and cut short
	put_packet(0, 0, 0, 0);
	put_packet(0xffffffff, 0x7fffffff, 1, 0); // nonsense stays nonsense
	assert_int_equal(copy(&n, &err), DP_CAPTURE_END);
	assert_int_equal(n, 4);
	assert_int_equal(load_output(), image.len);
	assert_memory_equal(got, image.bytes, image.len);
}

static void capture_of_nanoseconds_stays_as_it_is(void **state)
{
	struct we_error err;
	uint32_t n;

	(void)state;
	begin_pcap(false, true, 262144, 1);
	put_packet(1700000000, 123456789, 60, 60);
	put_packet(1700000001, 999999999, 14, 14);
	assert_int_equal(copy(&n, &err), DP_CAPTURE_END);
	assert_int_equal(n, 2);
	assert_int_equal(load_output(), image.len);
	assert_memory_equal(got, image.bytes, image.len);
}

static void capture_of_the_other_byte_order_is_read(void **state)
{
	struct we_error err;
	uint32_t n;

	(void)state;
	begin_pcap(true, true, 262144, 1);
	put_packet(5, 6, 60, 70);
	assert_int_equal(copy(&n, &err), DP_CAPTURE_END);
	assert_int_equal(n, 1);
	assert_int_equal(load_output(), 24 + 16 + 60);
	assert_int_equal(got_u32(0), 0xa1b23c4d);
	assert_int_equal(got_u32(24), 5);
	assert_int_equal(got_u32(28), 6);
	assert_int_equal(got_u32(32), 60);
	assert_int_equal(got_u32(36), 70);
}

static void capture_of_packets_beyond_64_kib_is_copied_whole(void **state)
{
	struct we_error err;
	uint32_t n;

	(void)state;
	begin_pcap(false, false, 262144, 1);
	put_packet(1, 2, 65535, 65535);
	put_packet(1, 2, 131072, 131072);
	put_packet(1, 2, 65536, 65537);
	assert_int_equal(copy(&n, &err), DP_CAPTURE_END);
	assert_int_equal(n, 3);
	assert_int_equal(load_output(), image.len);
	assert_memory_equal(got, image.bytes, image.len);
}

static void capture_record_beyond_the_snap_length_is_cut_to_it(void **state)
{
	struct we_error err;
	uint32_t n;

	(void)state;
	begin_pcap(false, false, 68, 1);
	put_packet(1, 2, 100, 100);
	put_packet(3, 4, 60, 60);
	assert_int_equal(copy(&n, &err), DP_CAPTURE_END);
	assert_int_equal(n, 2);
	assert_int_equal(load_output(), 24 + 16 + 68 + 16 + 60);
	assert_int_equal(got_u32(32), 68);
	assert_int_equal(got_u32(36), 100);
}

static void capture_as_pcapng_is_read_in_its_own_precision(void **state)
{
	static const struct {
		bool is_big;
		uint8_t resolution;
		uint64_t time;
		uint32_t magic, seconds, fraction;
	} rows[] = {
		{false, 6, 1700000000123456, 0xa1b2c3d4, 1700000000, 123456},
		{true, 6, 1700000000123456, 0xa1b2c3d4, 1700000000, 123456},
		{false, 9, 1700000000123456789, 0xa1b23c4d, 1700000000, 123456789},
		{true, 9, 1700000000123456789, 0xa1b23c4d, 1700000000, 123456789},
		{false, 3, 1700000000123, 0xa1b2c3d4, 1700000000, 123000},
		{false, 0x80 | 30, UINT64_C(1700000000) << 30 | 1 << 29, 0xa1b23c4d, 1700000000,
			500000000},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct we_error err;
		uint32_t n;

		begin_pcapng(rows[i].is_big, rows[i].resolution);
		put_pcapng_packet(rows[i].time, 61);
		assert_int_equal(copy(&n, &err), DP_CAPTURE_END);
		assert_int_equal(n, 1);
		assert_int_equal(load_output(), 24 + 16 + 61);
		assert_int_equal(got_u32(0), rows[i].magic);
		assert_int_equal(got_u32(24), rows[i].seconds);
		assert_int_equal(got_u32(28), rows[i].fraction);
		assert_int_equal(got_u32(36), 66);
	}
}

static void capture_without_packets_is_a_capture(void **state)
{
	struct we_error err;
	uint32_t largest;
	uint32_t n;

	(void)state;
	begin_pcap(false, false, 262144, 1);
	assert_int_equal(copy(&n, &err), DP_CAPTURE_END);
	assert_int_equal(n, 0);
	assert_int_equal(load_output(), 24);
	assert_int_equal(dp_capture_largest(in_path, &largest, &err), 0);
	assert_int_equal(largest, 0);
}

static void capture_largest_packet_is_found_before_a_break(void **state)
{
	struct we_error err;
	uint32_t largest;

	(void)state;
	begin_pcap(false, false, 262144, 1);
	put_packet(1, 2, 100, 100);
	put_packet(1, 2, 3000, 3000);
	put_packet(1, 2, 60, 60);
	image.len -= 10;
	save();
	assert_int_equal(dp_capture_largest(in_path, &largest, &err), 0);
	assert_int_equal(largest, 3000);
}

static void capture_cut_off_gives_the_packets_before_the_cut(void **state)
{
	struct we_error err;
	uint32_t n;

	(void)state;
	for (size_t cut = 1; cut < 16 + 60; cut++) {
		begin_pcap(false, false, 262144, 1);
		put_packet(1, 2, 60, 60);
		put_packet(3, 4, 60, 60);
		image.len -= cut;
		assert_int_equal(copy(&n, &err), WE_E_MALFORMED);
		assert_int_equal(n, 1);
		assert_int_equal(err.offset, 2);
		assert_int_equal(load_output(), 24 + 16 + 60);
	}
	assert_string_equal(
		err.msg, "truncated dump file; tried to read 16 header bytes, only got 1");
}

static void capture_that_is_none_says_what_it_is(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		int rc;
		const char *message;
	} rows[] = {
		{"", 0, WE_E_MALFORMED,
			"truncated dump file; tried to read 4 file header bytes, only got 0"},
		{"\xd4\xc3", 2, WE_E_MALFORMED,
			"truncated dump file; tried to read 4 file header bytes, only got 2"},
		{"hello world, this is text", 25, WE_E_MALFORMED, "unknown file format"},
		{"\xd4\xc3\xb2\xa1\x02\0\x04\0", 8, WE_E_MALFORMED,
			"truncated dump file; tried to read 24 file header bytes, only got 4"},
		{"\xd4\xc3\xb2\xa1\x09\0\x04\0\0\0\0\0\0\0\0\0\0\0\x04\0\x01\0\0\0", 24,
			WE_E_MALFORMED, "unsupported pcap savefile version 9.4"},
		{"\x0a\x0d\x0d\x0a\x1c\0\0\0\0\0\0\0", 12, WE_E_MALFORMED, NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct we_error err;
		uint32_t n;

		image.len = 0;
		put(rows[i].bytes, rows[i].len);
		assert_int_equal(copy(&n, &err), rows[i].rc);
		if (rows[i].message != NULL)
			assert_string_equal(err.msg, rows[i].message);
	}
}

static void capture_of_another_link_type_is_refused_by_name(void **state)
{
	struct we_error err;
	uint32_t n;

	(void)state;
	begin_pcap(false, false, 262144, 105);
	assert_int_equal(copy(&n, &err), WE_E_UNSUPPORTED);
	assert_string_equal(
		err.msg, "found packets of link type IEEE802_11 (105), expected Ethernet, EN10MB");
	begin_pcap(false, false, 262144, 228);
	assert_int_equal(copy(&n, &err), WE_E_UNSUPPORTED);
	assert_string_equal(
		err.msg, "found packets of link type IPV4 (228), expected Ethernet, EN10MB");
}

static void capture_record_longer_than_any_is_a_break(void **state)
{
	struct we_error err;
	uint32_t n;

	(void)state;
	begin_pcap(false, false, 262144, 1);
	put_packet(1, 2, 60, 60);
	put_u32(1);
	put_u32(2);
	put_u32(0xfffffff0);
	put_u32(60);
	assert_int_equal(copy(&n, &err), WE_E_MALFORMED);
	assert_int_equal(n, 1);
	assert_non_null(strstr(err.msg, "invalid packet capture length 4294967280"));
}

static void capture_mangled_anywhere_never_crashes(void **state)
{
	(void)state;
	for (int is_ng = 0; is_ng < 2; is_ng++) {
		struct image whole;

		if (is_ng) {
			begin_pcapng(false, 9);
			put_pcapng_packet(1700000000123456789, 61);
			put_pcapng_packet(1700000000123456789, 0);
		} else {
			begin_pcap(false, false, 200, 1);
			put_packet(1, 2, 60, 60);
			put_packet(3, 4, 0, 60);
		}
		memcpy(&whole, &image, sizeof(whole));
		for (size_t at = 0; at < whole.len; at++) {
			static const uint8_t values[] = {0x00, 0x7f, 0x80, 0xff};

			for (size_t v = 0; v < sizeof(values); v++) {
				struct we_error err;
				uint32_t n;

				memcpy(&image, &whole, sizeof(whole));
				image.bytes[at] = values[v];
				const int rc = copy(&n, &err);
				assert_true(rc == DP_CAPTURE_END || rc < 0);
			}
		}
	}
}

static void capture_not_committed_leaves_nothing(void **state)
{
	struct dp_capture_out *out;
	struct we_error err;
	struct stat st;

	(void)state;
	assert_int_equal(dp_capture_create(out_path, false, &out, &err), 0);
	dp_capture_abort(out);
	assert_int_equal(stat(out_path, &st), -1);
}

static void capture_that_cannot_be_opened_or_written_says_why(void **state)
{
	struct dp_capture_in *in;
	struct dp_capture_out *out;
	struct we_error err;

	(void)state;
	assert_int_equal(dp_capture_open("/nonexistent/in.pcap", NULL, &in, &err), WE_E_HOST);
	assert_string_equal(err.msg, "No such file or directory");
	assert_int_equal(dp_capture_open("/tmp", NULL, &in, &err), WE_E_HOST);
	assert_string_equal(err.msg, "Is a directory");
	assert_int_equal(dp_capture_create("/nonexistent/out.pcap", false, &out, &err), WE_E_HOST);
	assert_string_equal(err.msg, "No such file or directory");
	assert_int_equal(dp_capture_create("/tmp", false, &out, &err), WE_E_HOST);
	assert_string_equal(err.msg, "Is a directory");
}

static void capture_on_a_full_disk_fails_at_commit(void **state)
{
	const struct dp_capture_record record = {
		.data = image.bytes, .len = 65536, .wire_len = 65536};
	struct dp_capture_out *out;
	struct we_error err;

	(void)state;
	assert_int_equal(dp_capture_create("/dev/full", false, &out, &err), 0);
	dp_capture_write(out, &record);
	assert_int_equal(dp_capture_commit(out, &err), WE_E_HOST);
	assert_string_equal(err.msg, "No space left on device");
}

static int make_folder(void **state)
{
	(void)state;
	if (mkdtemp(folder) == NULL)
		return -1;
	snprintf(in_path, sizeof(in_path), "%s/in.pcap", folder);
	snprintf(out_path, sizeof(out_path), "%s/out.pcap", folder);
	return 0;
}

static int remove_output(void **state)
{
	(void)state;
	unlink(out_path);
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	unlink(in_path);
	return rmdir(folder); // fails when a file was left behind
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(capture_of_microseconds_stays_as_it_is, remove_output),
		cmocka_unit_test_teardown(capture_of_nanoseconds_stays_as_it_is, remove_output),
		cmocka_unit_test_teardown(capture_of_the_other_byte_order_is_read, remove_output),
		cmocka_unit_test_teardown(
			capture_of_packets_beyond_64_kib_is_copied_whole, remove_output),
		cmocka_unit_test_teardown(
			capture_record_beyond_the_snap_length_is_cut_to_it, remove_output),
		cmocka_unit_test_teardown(
			capture_as_pcapng_is_read_in_its_own_precision, remove_output),
		cmocka_unit_test_teardown(capture_without_packets_is_a_capture, remove_output),
		cmocka_unit_test_teardown(
			capture_largest_packet_is_found_before_a_break, remove_output),
		cmocka_unit_test_teardown(
			capture_cut_off_gives_the_packets_before_the_cut, remove_output),
		cmocka_unit_test_teardown(capture_that_is_none_says_what_it_is, remove_output),
		cmocka_unit_test_teardown(
			capture_of_another_link_type_is_refused_by_name, remove_output),
		cmocka_unit_test_teardown(capture_record_longer_than_any_is_a_break, remove_output),
		cmocka_unit_test_teardown(capture_mangled_anywhere_never_crashes, remove_output),
		cmocka_unit_test_teardown(capture_not_committed_leaves_nothing, remove_output),
		cmocka_unit_test_teardown(
			capture_that_cannot_be_opened_or_written_says_why, remove_output),
		cmocka_unit_test_teardown(capture_on_a_full_disk_fails_at_commit, remove_output),
	};

	return cmocka_run_group_tests_name("dp_capture", tests, make_folder, remove_folder);
}
