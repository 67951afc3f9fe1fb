// SPDX-License-Identifier: BSD-3-Clause
// we_image: see image.h. Everything in it is checked before anything of it is used.
//
// Module path 3/6.
#include "image.h"

#include <stdlib.h>
#include <string.h>

#include "limits.h"
#include "space.h"

// ---- checking -----------------------------------------------------------------------------------

static uint64_t mix(uint64_t sum, uint64_t word)
{
	sum = (sum ^ word) * UINT64_C(0x9e3779b97f4a7c15);
	return sum ^ sum >> 29;
}

uint64_t we_image_sum(const void *bytes, uint64_t n)
{
	const uint8_t *at = bytes;
	uint64_t sum = n;
	uint64_t word;

	for (; n >= sizeof(word); n -= sizeof(word), at += sizeof(word)) {
		memcpy(&word, at, sizeof(word));
		sum = mix(sum, word);
	}
	word = 0;
	memcpy(&word, at, n);
	return mix(sum, word);
}

// What is being checked. Invariant: header is a copy of the first bytes.
struct check {
	const uint8_t *bytes;
	struct we_image_header header;
	struct we_error *err;
};

static int broken(
	const struct check *c, uint64_t offset, const char *what, uint64_t expected, uint64_t found)
{
	return we_error_set(c->err, WE_E_INVALID, offset, "image: %s: expected %llu, found %llu",
		what, (unsigned long long)expected, (unsigned long long)found);
}

static int beyond(
	const struct check *c, uint64_t offset, const char *what, uint64_t most, uint64_t found)
{
	return we_error_set(c->err, WE_E_INVALID, offset,
		"image: %s: expected at most %llu, found %llu", what, (unsigned long long)most,
		(unsigned long long)found);
}

#define AT(field) offsetof(struct we_image_header, field)

static int check_identity(const struct check *c, uint64_t size_bytes)
{
	const uint64_t begin = AT(checksum) + sizeof(c->header.checksum);
	uint64_t sum;

	if (memcmp(c->header.magic, WE_IMAGE_MAGIC, sizeof(c->header.magic)) != 0)
		return we_error_set(c->err, WE_E_INVALID, AT(magic), "image: not an image");
	if (c->header.size_bytes != size_bytes)
		return broken(c, AT(size_bytes), "size", size_bytes, c->header.size_bytes);
	sum = we_image_sum(c->bytes + begin, size_bytes - begin);
	if (c->header.checksum != sum)
		return broken(c, AT(checksum), "checksum", c->header.checksum, sum);
	return 0;
}

static uint64_t funcs_at(void)
{
	return sizeof(struct we_image_header);
}

static uint64_t ranges_at(const struct we_image_header *h)
{
	return funcs_at() + (uint64_t)h->n_funcs * sizeof(struct we_image_func);
}

static uint64_t places_at(const struct we_image_header *h)
{
	return ranges_at(h) + (uint64_t)h->n_ranges * sizeof(struct we_image_range);
}

static uint64_t tables_end(const struct we_image_header *h)
{
	return places_at(h) + (uint64_t)h->n_places * sizeof(struct we_image_place);
}

static int check_layout(const struct check *c, uint64_t size_bytes)
{
	const struct we_image_header *h = &c->header;

	if (h->n_funcs > WE_LIMIT_FUNCS)
		return beyond(c, AT(n_funcs), "functions", WE_LIMIT_FUNCS, h->n_funcs);
	if (h->first_func > WE_LIMIT_FUNCS - h->n_funcs)
		return beyond(c, AT(first_func), "first function", WE_LIMIT_FUNCS - h->n_funcs,
			h->first_func);
	if (h->code_at % WE_IMAGE_PAGE_BYTES != 0 || h->code_at < tables_end(h))
		return we_error_set(c->err, WE_E_INVALID, AT(code_at),
			"image: code: expected at a multiple of %u from %llu on, found at %u",
			WE_IMAGE_PAGE_BYTES, (unsigned long long)tables_end(h), h->code_at);
	if (h->code_bytes == 0 || h->code_bytes > WE_IMAGE_MAX_CODE)
		return we_error_set(c->err, WE_E_INVALID, AT(code_bytes),
			"image: code bytes: expected 1 to %u, found %u", WE_IMAGE_MAX_CODE,
			h->code_bytes);
	if ((uint64_t)h->code_at + h->code_bytes != size_bytes)
		return broken(c, AT(code_bytes), "end of the code", size_bytes,
			(uint64_t)h->code_at + h->code_bytes);
	if (h->n_exec_bytes > h->code_bytes)
		return beyond(c, AT(n_exec_bytes), "bytes of instructions", h->code_bytes,
			h->n_exec_bytes);
	if (h->needs_reach > 1)
		return beyond(c, AT(needs_reach), "reach", 1, h->needs_reach);
	return 0;
}

static int check_funcs(const struct check *c)
{
	for (uint32_t i = 0; i < c->header.n_funcs; i++) {
		const uint64_t at = funcs_at() + i * sizeof(struct we_image_func);
		const uint32_t end = c->header.n_exec_bytes;
		struct we_image_func func;

		memcpy(&func, c->bytes + at, sizeof(func));
		if (func.body >= end && func.body != 0)
			return beyond(c, at, "body", (uint64_t)end - 1, func.body);
		if (func.entry >= end && func.entry != 0)
			return beyond(c, at + 4, "entry", (uint64_t)end - 1, func.entry);
		if (func.enter >= end && func.enter != 0)
			return beyond(c, at + 8, "wrapper", (uint64_t)end - 1, func.enter);
		if (func.body == 0 && func.entry != 0)
			return broken(c, at + 4, "entry of no body", 0, func.entry);
		if (func.entry == 0 && func.enter != 0)
			return broken(c, at + 8, "wrapper of no entry", 0, func.enter);
	}
	return 0;
}

static int check_ranges(const struct check *c)
{
	const struct we_image_header *h = &c->header;
	uint32_t from = 0;

	for (uint32_t i = 0; i < h->n_ranges; i++) {
		const uint64_t at = ranges_at(h) + i * sizeof(struct we_image_range);
		struct we_image_range range;

		memcpy(&range, c->bytes + at, sizeof(range));
		if (range.begin < from || range.begin >= range.end || range.end > h->n_exec_bytes)
			return we_error_set(c->err, WE_E_INVALID, at,
				"image: range: expected within %u to %u, found %u to %u", from,
				h->n_exec_bytes, range.begin, range.end);
		if (range.func != WE_NO_FUNC &&
			(range.func < h->first_func || range.func - h->first_func >= h->n_funcs))
			return we_error_set(c->err, WE_E_INVALID, at + 8,
				"image: function of a range: expected %u to %u, found %u",
				h->first_func, h->first_func + h->n_funcs, range.func);
		from = range.end;
	}
	return 0;
}

static int check_places(const struct check *c)
{
	uint32_t from = 0;

	for (uint32_t i = 0; i < c->header.n_places; i++) {
		const uint64_t at = places_at(&c->header) + i * sizeof(struct we_image_place);
		struct we_image_place place;

		memcpy(&place, c->bytes + at, sizeof(place));
		if (place.pc < from || place.pc >= c->header.n_exec_bytes)
			return we_error_set(c->err, WE_E_INVALID, at,
				"image: place: expected %u to %u, found %u", from,
				c->header.n_exec_bytes, place.pc);
		from = place.pc;
	}
	return 0;
}

int we_image_check(const void *image, uint64_t size_bytes, struct we_error *err)
{
	struct check c = {.bytes = image, .err = err};
	int rc;

	if (size_bytes < sizeof(c.header))
		return we_error_set(err, WE_E_INVALID, 0,
			"image: size: expected at least %zu, found %llu", sizeof(c.header),
			(unsigned long long)size_bytes);
	memcpy(&c.header, image, sizeof(c.header));
	rc = check_identity(&c, size_bytes);
	rc = rc == 0 ? check_layout(&c, size_bytes) : rc;
	rc = rc == 0 ? check_funcs(&c) : rc;
	rc = rc == 0 ? check_ranges(&c) : rc;
	return rc == 0 ? check_places(&c) : rc;
}

// ---- mapping ------------------------------------------------------------------------------------

int we_image_map(
	const void *bytes, uint64_t size_bytes, struct we_image **ret_image, struct we_error *err)
{
	const uint8_t *from = bytes;
	struct we_image_header header;
	struct we_image *image;
	uint8_t *tables;
	uint64_t n;
	int rc = we_image_check(bytes, size_bytes, err);

	if (rc < 0)
		return rc;
	memcpy(&header, from, sizeof(header));
	n = tables_end(&header) - funcs_at();
	image = calloc(1, sizeof(*image) + n);
	if (image == NULL)
		return we_error_set(err, WE_E_NOMEM, 0, "no memory for an image's tables");
	tables = (uint8_t *)(image + 1);
	memcpy(tables, from + funcs_at(), n);
	image->header = header;
	image->funcs = (const void *)tables;
	image->ranges = (const void *)(tables + (ranges_at(&header) - funcs_at()));
	image->places = (const void *)(tables + (places_at(&header) - funcs_at()));
	rc = we_space_map(image, from + header.code_at, err);
	if (rc < 0) {
		free(image);
		return rc;
	}
	*ret_image = image;
	return 0;
}

void we_image_release(struct we_image *image)
{
	if (image == NULL)
		return;
	we_space_unmap(image);
	free(image);
}

// ---- looking up ---------------------------------------------------------------------------------

we_funcidx we_image_func_at(const struct we_image *image, uint32_t offset)
{
	uint32_t lo = 0;
	uint32_t hi = image->header.n_ranges;

	while (lo < hi) { // the first range that ends beyond it
		const uint32_t mid = lo + (hi - lo) / 2;

		if (image->ranges[mid].end <= offset)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == image->header.n_ranges || image->ranges[lo].begin > offset)
		return WE_NO_FUNC;
	return image->ranges[lo].func;
}
