// SPDX-License-Identifier: BSD-3-Clause
// we-fuzz-image: any bytes as an image of native code, checked, mapped and looked into, but never run. A libFuzzer target.
//
//	we-fuzz-image [-runs=N] CORPUS [SEEDS...]
//
// What follows from the rest of an image is put right first: or else nothing gets beyond the magic and the checksum. The first byte of
// the key says how much of it.
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "../native/image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum {
	KEEP_MAGIC = 1,
	KEEP_CHECKSUM = 2,
	KEEP_CODE = 4, // where it begins and how long it is
};

static void mend(uint8_t *bytes, size_t len)
{
	const size_t begin = offsetof(struct we_image_header, size_bytes);
	struct we_image_header header;

	memcpy(&header, bytes, sizeof(header));
	if ((header.key[0] & KEEP_MAGIC) == 0)
		memcpy(header.magic, WE_IMAGE_MAGIC, sizeof(header.magic));
	if ((header.key[0] & KEEP_CODE) == 0) {
		header.size_bytes = len;
		header.code_at = WE_IMAGE_PAGE_BYTES;
		header.code_bytes = (uint32_t)len - WE_IMAGE_PAGE_BYTES;
		header.n_exec_bytes %= header.code_bytes + 1;
		header.n_funcs %= 100;
		header.n_ranges %= 100;
		header.n_places %= 100;
	}
	memcpy(bytes, &header, sizeof(header));
	header.checksum = we_image_sum(bytes + begin, len - begin);
	if ((header.key[0] & KEEP_CHECKSUM) == 0)
		memcpy(bytes, &header, sizeof(header));
}

// What can be asked of an image, asked.
static void inspect(const struct we_image *image)
{
	for (uint32_t i = 0; i < image->header.code_bytes; i += 1 + i / 8) {
		const we_funcidx func = we_image_func_at(image, i);

		if (func != WE_NO_FUNC && func - image->header.first_func >= image->header.n_funcs)
			abort();
		(void)we_image_at(image, i);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	// The code itself says nothing to the check: the input is the tables.
	const size_t n = len + WE_IMAGE_PAGE_BYTES;
	uint8_t *bytes = calloc(1, n);
	struct we_image *image;
	struct we_error err;
	int rc;

	if (bytes == NULL)
		abort();
	memcpy(bytes, data, len);
	if (len > sizeof(struct we_image_header))
		mend(bytes, n);
	rc = we_image_map(bytes, n, &image, &err);
	if (rc == 0) {
		inspect(image);
		we_image_release(image);
	} else if (rc != WE_E_INVALID) {
		abort(); // no other answer is right while memory lasts
	}
	free(bytes);
	return 0;
}
