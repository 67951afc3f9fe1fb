// SPDX-License-Identifier: BSD-3-Clause
// Tests of we_cache: what it keeps, and what it does not believe.
#include "cache.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/we-cache-test-XXXXXX"; // of the test
static char path[64];                               // of the cache in it
static struct we_cache cache;
static struct we_cache_entry entry;
static struct we_error err;
static uint8_t key[WE_SHA256_BYTES];
static uint8_t bytes[10000]; // that stand for an image

static void key_number(uint8_t n)
{
	memset(key, n, sizeof(key));
}

// The file of the key.
static const char *key_path(void)
{
	static char text[64 + 2 * WE_SHA256_BYTES + 8];
	int n = snprintf(text, sizeof(text), "%s/", path);

	for (size_t i = 0; i < sizeof(key); i++)
		n += snprintf(text + n, sizeof(text) - (size_t)n, "%02x", key[i]);
	snprintf(text + n, sizeof(text) - (size_t)n, ".image");
	return text;
}

static int store(void)
{
	const struct we_cache_entry image = {
		.image = bytes, .image_bytes = sizeof(bytes), .llvm = "22.1.8"};

	return we_cache_store(&cache, key, &image, &err);
}

static int load(void)
{
	memset(&entry, 0, sizeof(entry));
	return we_cache_load(&cache, key, &entry, &err);
}

static int count_files(void)
{
	DIR *dir = opendir(path);
	const struct dirent *file;
	int n = 0;

	assert_non_null(dir);
	while ((file = readdir(dir)) != NULL)
		n += strcmp(file->d_name, ".") != 0 && strcmp(file->d_name, "..") != 0;
	closedir(dir);
	return n;
}

static int begin(void **state)
{
	(void)state;
	strcpy(folder + strlen(folder) - 6, "XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/cache", folder);
	key_number(1);
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 7);
	return we_cache_open(&cache, path, 1 << 20, &err);
}

static int end(void **state)
{
	char command[128];

	(void)state;
	we_cache_close(&cache);
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	return system(command);
}

static void cache_stored_image_is_loaded(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(store(), 0);
	assert_int_equal(load(), 0);
	assert_int_equal(entry.image_bytes, sizeof(bytes));
	assert_memory_equal(entry.image, bytes, sizeof(bytes));
	assert_string_equal(entry.llvm, "22.1.8");
	free(entry.image);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(stat(key_path(), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(count_files(), 1);
}

static void cache_of_another_key_has_nothing(void **state)
{
	(void)state;
	assert_int_equal(store(), 0);
	key_number(2);
	assert_int_equal(load(), WE_CACHE_NONE);
}

static void cache_stored_failure_is_loaded(void **state)
{
	const struct we_cache_entry failure = {.failure = WE_JIT_TIMED_OUT,
		.cpu_ms = 5,
		.wall_ms = 6,
		.memory_bytes = 7,
		.is_final = true,
		.note = "5 ms of processor time"};

	(void)state;
	assert_int_equal(we_cache_store(&cache, key, &failure, &err), 0);
	assert_int_equal(load(), 0);
	assert_null(entry.image);
	assert_int_equal(entry.failure, WE_JIT_TIMED_OUT);
	assert_int_equal(entry.cpu_ms, 5);
	assert_int_equal(entry.wall_ms, 6);
	assert_int_equal(entry.memory_bytes, 7);
	assert_true(entry.is_final);
	assert_string_equal(entry.note, "5 ms of processor time");
	assert_in_range(entry.age_s, 0, 60);
}

static void cache_stored_again_is_replaced(void **state)
{
	(void)state;
	assert_int_equal(store(), 0);
	bytes[5] ^= 1;
	assert_int_equal(store(), 0);
	assert_int_equal(load(), 0);
	assert_memory_equal(entry.image, bytes, sizeof(bytes));
	free(entry.image);
	assert_int_equal(count_files(), 1);
}

static void expect_ignored(const char *why)
{
	assert_int_equal(load(), WE_CACHE_IGNORED);
	assert_non_null(strstr(err.msg, why));
	// What is stored takes its place.
	assert_int_equal(store(), 0);
	assert_int_equal(load(), 0);
	free(entry.image);
}

static void cache_truncated_file_is_ignored_and_replaced(void **state)
{
	static const off_t sizes[] = {0, 1, 100, 300, 5000};

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		assert_int_equal(store(), 0);
		assert_int_equal(truncate(key_path(), sizes[i]), 0);
		expect_ignored("is cut");
	}
}

static void cache_file_with_any_bit_of_its_header_wrong_is_ignored(void **state)
{
	(void)state;
	for (off_t at = 0; at < 264; at += 3) {
		uint8_t byte;
		int fd;

		assert_int_equal(store(), 0);
		fd = open(key_path(), O_RDWR);
		assert_int_equal(pread(fd, &byte, 1, at), 1);
		byte ^= 0x10;
		assert_int_equal(pwrite(fd, &byte, 1, at), 1);
		close(fd);
		assert_int_equal(load(), WE_CACHE_IGNORED);
	}
}

static void cache_file_of_another_key_is_ignored(void **state)
{
	char other[128];

	(void)state;
	assert_int_equal(store(), 0);
	snprintf(other, sizeof(other), "%s", key_path());
	key_number(2);
	assert_int_equal(rename(other, key_path()), 0);
	expect_ignored("another key");
}

static void cache_file_that_others_can_write_is_ignored(void **state)
{
	(void)state;
	assert_int_equal(store(), 0);
	assert_int_equal(chmod(key_path(), 0620), 0);
	expect_ignored("open to other users");
}

static void cache_file_of_another_user_is_ignored(void **state)
{
	(void)state;
	assert_int_equal(store(), 0);
	if (chown(key_path(), 1, (gid_t)-1) != 0)
		skip();
	expect_ignored("another user");
}

static void cache_link_is_not_followed(void **state)
{
	char target[128];

	(void)state;
	assert_int_equal(store(), 0);
	snprintf(target, sizeof(target), "%s/target", folder);
	assert_int_equal(rename(key_path(), target), 0);
	assert_int_equal(symlink(target, key_path()), 0);
	expect_ignored("symbolic links");
	assert_int_equal(access(target, F_OK), 0);
}

static void cache_pipe_does_not_block(void **state)
{
	(void)state;
	assert_int_equal(mkfifo(key_path(), 0600), 0);
	expect_ignored("is no file");
}

static void cache_directory_that_is_a_link_is_not_used(void **state)
{
	struct we_cache other;
	char link[128];

	(void)state;
	snprintf(link, sizeof(link), "%s/link", folder);
	assert_int_equal(symlink(path, link), 0);
	assert_int_equal(we_cache_open(&other, link, 1, &err), WE_E_HOST);
	assert_non_null(strstr(err.msg, "is no directory"));
}

static void cache_directory_that_is_open_to_others_is_not_used(void **state)
{
	struct we_cache other;

	(void)state;
	assert_int_equal(chmod(path, 0750), 0);
	assert_int_equal(we_cache_open(&other, path, 1, &err), WE_E_HOST);
	assert_non_null(strstr(err.msg, "open to other users"));
}

static void cache_directory_of_another_user_is_not_used(void **state)
{
	struct we_cache other;

	(void)state;
	if (chown(path, 1, (gid_t)-1) != 0)
		skip();
	assert_int_equal(we_cache_open(&other, path, 1, &err), WE_E_HOST);
	assert_non_null(strstr(err.msg, "another user"));
}

static void cache_directory_that_cannot_be_made_is_not_used(void **state)
{
	struct we_cache other;

	(void)state;
	assert_int_equal(we_cache_open(&other, "/nonexistent/cache", 1, &err), WE_E_HOST);
	assert_non_null(strstr(err.msg, "cannot be made"));
}

static void cache_that_is_full_lets_the_oldest_go(void **state)
{
	const struct timespec old[2] = {{1000000000, 0}, {1000000000, 0}};

	(void)state;
	cache.max_bytes = 3 * (sizeof(bytes) + 512);
	for (uint8_t i = 1; i <= 3; i++) {
		key_number(i);
		assert_int_equal(store(), 0);
	}
	key_number(2);
	assert_int_equal(utimensat(AT_FDCWD, key_path(), old, 0), 0);
	key_number(1);
	assert_int_equal(utimensat(AT_FDCWD, key_path(), old, 0), 0);
	assert_int_equal(load(), 0); // and so it is the oldest no more
	free(entry.image);
	key_number(4);
	assert_int_equal(store(), 0);
	assert_int_equal(count_files(), 3);
	key_number(2);
	assert_int_equal(load(), WE_CACHE_NONE);
}

static void cache_left_over_temporary_file_goes(void **state)
{
	const struct timespec old[2] = {{1000000000, 0}, {1000000000, 0}};
	char name[128];

	(void)state;
	snprintf(name, sizeof(name), "%s/.new-1-1", path);
	close(open(name, O_CREAT | O_WRONLY, 0600));
	assert_int_equal(store(), 0);
	assert_int_equal(count_files(), 2); // somebody may be writing it
	assert_int_equal(utimensat(AT_FDCWD, name, old, 0), 0);
	assert_int_equal(store(), 0);
	assert_int_equal(count_files(), 1);
}

// Processes of several containers may have one number.
static void cache_temporary_files_of_others_are_passed_over(void **state)
{
	char name[128];

	(void)state;
	for (unsigned i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "%s/.new-%d-%u", path, (int)getpid(), i);
		close(open(name, O_CREAT | O_WRONLY, 0600));
	}
	assert_int_equal(store(), 0);
	assert_int_equal(load(), 0);
	free(entry.image);
}

static void cache_that_cannot_be_written_says_so(void **state)
{
	(void)state;
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(store(), WE_E_HOST);
	assert_non_null(strstr(err.msg, "cannot be written"));
	assert_int_equal(load(), WE_CACHE_NONE);
}

int main(void)
{
#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, begin, end)
	const struct CMUnitTest tests[] = {
		IN_FOLDER(cache_stored_image_is_loaded),
		IN_FOLDER(cache_of_another_key_has_nothing),
		IN_FOLDER(cache_stored_failure_is_loaded),
		IN_FOLDER(cache_stored_again_is_replaced),
		IN_FOLDER(cache_truncated_file_is_ignored_and_replaced),
		IN_FOLDER(cache_file_with_any_bit_of_its_header_wrong_is_ignored),
		IN_FOLDER(cache_file_of_another_key_is_ignored),
		IN_FOLDER(cache_file_that_others_can_write_is_ignored),
		IN_FOLDER(cache_file_of_another_user_is_ignored),
		IN_FOLDER(cache_link_is_not_followed),
		IN_FOLDER(cache_pipe_does_not_block),
		IN_FOLDER(cache_directory_that_is_a_link_is_not_used),
		IN_FOLDER(cache_directory_that_is_open_to_others_is_not_used),
		IN_FOLDER(cache_directory_of_another_user_is_not_used),
		IN_FOLDER(cache_directory_that_cannot_be_made_is_not_used),
		IN_FOLDER(cache_that_is_full_lets_the_oldest_go),
		IN_FOLDER(cache_left_over_temporary_file_goes),
		IN_FOLDER(cache_temporary_files_of_others_are_passed_over),
		IN_FOLDER(cache_that_cannot_be_written_says_so),
	};

	return cmocka_run_group_tests_name("we_cache", tests, NULL, NULL);
}
