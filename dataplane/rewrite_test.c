// SPDX-License-Identifier: BSD-3-Clause
// Tests of dp_rewrite: every way in which a filter can change the front of a packet.
#include "rewrite.h"

#include "plane_rig.h"
#include "pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const struct {
	uint32_t pkt_len;
	uint32_t seg_bytes; // 0: one segment
	uint16_t shown;
	uint16_t len;
} cases[] = {
	{60, 0, 60, 60},        // same length
	{60, 0, 14, 14},        // header only
	{60, 0, 60, 20},        // shrinks
	{60, 0, 60, 0},         // to nothing
	{60, 0, 14, 0},         // the front goes
	{60, 0, 14, 18},        // grows into the headroom
	{60, 0, 60, 188},       // takes all of the headroom
	{60, 0, 60, 189},       // more than the headroom
	{1500, 0, 14, 1000},    // more than the headroom, the rest must move
	{60, 0, 0, 64},         // something in front
	{0, 0, 0, 60},          // of an empty packet
	{0, 0, 0, 0},           //
	{60, 0, 60, 65408},     // very long
	{3000, 1000, 192, 192}, // shown inside the first segment
	{3000, 1000, 192, 260},
	{3000, 1000, 192, 400},
	{3000, 1000, 1000, 1000}, // exactly the first segment
	{3000, 1000, 1000, 0},
	{3000, 1000, 1500, 1500}, // over two segments
	{3000, 1000, 1500, 100},
	{3000, 1000, 2000, 2500},
	{3000, 1000, 2000, 0},
	{3000, 1000, 3000, 3000},
	{3000, 1000, 3000, 10},
	{3000, 1000, 3000, 0},
	{3000, 1000, 3000, 65408},
	{9000, 2048, 9000, 9000}, // jumbo
	{9000, 10, 192, 192},     // many tiny segments
	{9000, 10, 192, 5000},
	{65408, 2048, 65408, 65408},
};

static void check_segments(const struct rte_mbuf *m, uint32_t len)
{
	const char *reason = NULL;
	uint32_t sum = 0;

	if (rte_mbuf_check(m, 1, &reason))
		fail_msg("%s", reason);
	for (const struct rte_mbuf *seg = m; seg; seg = seg->next) {
		assert_true(seg->data_off + seg->data_len <= seg->buf_len);
		if (len > 0)
			assert_true(seg->data_len > 0);
		sum += seg->data_len;
	}
	assert_int_equal(sum, len);
	assert_int_equal(m->pkt_len, len);
}

static void rewrite_replaces_the_shown_bytes_and_keeps_the_rest(void **state)
{
	static uint8_t data[UINT16_MAX];
	static uint8_t before[UINT16_MAX];
	struct rte_mempool *pool = rig_pool(2048);

	(void)state;
	memset(data, 0xee, sizeof(data));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const uint32_t rest = cases[i].pkt_len - cases[i].shown;
		struct rte_mbuf *m = rig_packet(pool, 7, cases[i].pkt_len, cases[i].seg_bytes);
		const uint32_t len = cases[i].len + rest;

		m->port = 3;
		memcpy(before, rig_bytes(m), cases[i].pkt_len);
		assert_int_equal(dp_rewrite(&m, pool, data, cases[i].len, cases[i].shown), 0);
		check_segments(m, len);
		assert_memory_equal(rig_bytes(m), data, cases[i].len);
		assert_memory_equal(rig_bytes(m) + cases[i].len, before + cases[i].shown, rest);
		assert_int_equal(m->port, 3);
		rte_pktmbuf_free(m);
		assert_int_equal(dp_pool_missing(pool), 0);
	}
	dp_pool_destroy(pool);
}

static void rewrite_of_a_shared_packet_leaves_the_other_reader_alone(void **state)
{
	static const uint8_t data[] = {1, 2, 3};
	struct rte_mempool *pool = rig_pool(64);
	struct rte_mbuf *m = rig_packet(pool, 100, 60, 20);
	struct rte_mbuf *clone = rte_pktmbuf_clone(m, pool);

	(void)state;
	assert_int_equal(dp_rewrite(&clone, pool, data, sizeof(data), 30), 0);
	check_segments(clone, 33);
	assert_memory_equal(rig_bytes(clone), data, sizeof(data));
	assert_int_equal(rig_bytes(clone)[3], 130);
	assert_int_equal(rig_bytes(m)[0], 100);
	rte_pktmbuf_free(clone);
	rte_pktmbuf_free(m);
	assert_int_equal(dp_pool_missing(pool), 0);
	dp_pool_destroy(pool);
}

static void rewrite_without_buffers_leaves_the_packet_as_it_was(void **state)
{
	static const uint8_t data[16000];
	struct rte_mempool *pool = rig_pool(16);
	struct rte_mbuf *m = rig_packet(pool, 0, 6000, 2000);
	struct rte_mbuf *hoard[16];
	unsigned n_hoard = 0;

	(void)state;
	// With 0, 1, 2 ... buffers left the same packet is tried again, until there are enough.
	while ((hoard[n_hoard] = rte_pktmbuf_alloc(pool)))
		n_hoard++;
	while (dp_rewrite(&m, pool, data, sizeof(data), 100)) {
		check_segments(m, 6000);
		assert_int_equal(rig_bytes(m)[5999], (uint8_t)5999);
		assert_int_equal(rte_mempool_avail_count(pool), 16 - 3 - n_hoard);
		assert_true(n_hoard > 0);
		rte_pktmbuf_free(hoard[--n_hoard]);
	}
	check_segments(m, sizeof(data) + 5900);
	rte_pktmbuf_free(m);
	rte_pktmbuf_free_bulk(hoard, n_hoard);
	assert_int_equal(dp_pool_missing(pool), 0);
	dp_pool_destroy(pool);
}

static void originate_makes_a_packet_with_clean_metadata(void **state)
{
	static uint8_t data[UINT16_MAX];
	struct rte_mempool *pool = rig_pool(8);
	struct rte_mbuf *m = rig_packet(pool, 0, 60, 0);

	(void)state;
	m->vlan_tci = 5; // what a buffer remembers of its last packet must not show
	m->hash.rss = 9;
	m->packet_type = 1;
	rte_pktmbuf_free(m);
	memset(data, 0x55, sizeof(data));
	m = dp_originate(pool, data, 5000);
	assert_non_null(m);
	check_segments(m, 5000);
	assert_memory_equal(rig_bytes(m), data, 5000);
	assert_int_equal(m->vlan_tci + m->hash.rss + m->packet_type + m->ol_flags, 0);
	assert_null(dp_originate(pool, data, UINT16_MAX - 1)); // 8 buffers are not enough
	rte_pktmbuf_free(m);
	assert_int_equal(dp_pool_missing(pool), 0);
	dp_pool_destroy(pool);
}

static void gather_copies_over_segments(void **state)
{
	struct rte_mempool *pool = rig_pool(64);
	struct rte_mbuf *m = rig_packet(pool, 0, 100, 7);
	uint8_t got[50];

	(void)state;
	dp_gather(m, got, sizeof(got));
	for (uint8_t i = 0; i < sizeof(got); i++)
		assert_int_equal(got[i], i);
	rte_pktmbuf_free(m);
	dp_pool_destroy(pool);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(rewrite_replaces_the_shown_bytes_and_keeps_the_rest),
		cmocka_unit_test(rewrite_of_a_shared_packet_leaves_the_other_reader_alone),
		cmocka_unit_test(rewrite_without_buffers_leaves_the_packet_as_it_was),
		cmocka_unit_test(originate_makes_a_packet_with_clean_metadata),
		cmocka_unit_test(gather_copies_over_segments),
	};

	if (rig_start_eal())
		return 1;
	const int n_failed = cmocka_run_group_tests_name("dp_rewrite", tests, NULL, NULL);
	rig_stop_eal();
	return n_failed;
}
