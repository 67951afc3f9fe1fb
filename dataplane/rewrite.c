// SPDX-License-Identifier: BSD-3-Clause
// dp_rewrite: replaces the first bytes of a packet.
//
// Data path 6/7.
#include "rewrite.h"

#include <assert.h>
#include <string.h>

void dp_gather(const struct rte_mbuf *m, uint8_t *dst, uint32_t n)
{
	while (n > 0) {
		const uint32_t take = m->data_len < n ? m->data_len : n;

		memcpy(dst, rte_pktmbuf_mtod(m, const uint8_t *), take);
		dst += take;
		n -= take;
		m = m->next;
	}
}

// May its bytes be written, and its segments be changed?
static bool is_ours_alone(const struct rte_mbuf *m)
{
	for (; m; m = m->next) {
		if (!RTE_MBUF_DIRECT(m) || rte_mbuf_refcnt_read(m) != 1)
			return false;
	}
	return true;
}

// Put a private copy in the place of *m. Returns: 0; 1 when no buffer was left.
static int make_private(struct rte_mbuf **m, struct rte_mempool *pool)
{
	struct rte_mbuf *copy = rte_pktmbuf_copy(*m, pool, 0, UINT32_MAX);

	if (!copy)
		return 1;
	*dp_mbuf_priv(copy) = *dp_mbuf_priv(*m);
	rte_pktmbuf_free(*m);
	*m = copy;
	return 0;
}

// Segments for n bytes, filled to the brim, not yet part of a packet. *ret_last is the last of them.
// Returns: the first; NULL when no buffer was left.
static struct rte_mbuf *segments(
	struct rte_mempool *pool, const uint8_t *data, uint32_t n, struct rte_mbuf **ret_last)
{
	struct rte_mbuf *first = NULL;
	struct rte_mbuf **link = &first;

	while (n > 0) {
		struct rte_mbuf *seg = rte_pktmbuf_alloc(pool);

		if (!seg) {
			rte_pktmbuf_free(first);
			return NULL;
		}
		const uint16_t take = (uint16_t)(seg->buf_len < n ? seg->buf_len : n);
		seg->data_off = 0;
		seg->data_len = take;
		memcpy(rte_pktmbuf_mtod(seg, uint8_t *), data, take);
		data += take;
		n -= take;
		*link = seg;
		link = &seg->next;
		*ret_last = seg;
	}
	return first;
}

static uint32_t count_segments(const struct rte_mbuf *m)
{
	uint32_t n = 0;

	for (; m; m = m->next)
		n++;
	return n;
}

// Cut the first n bytes off: the head stays even when it becomes empty, later segments that become
// empty are freed.
static void trim_front(struct rte_mbuf *head, uint32_t n)
{
	struct rte_mbuf *seg = head;

	head->pkt_len -= n;
	while (n > 0) {
		const uint16_t take = (uint16_t)(seg->data_len < n ? seg->data_len : n);

		seg->data_off = (uint16_t)(seg->data_off + take);
		seg->data_len = (uint16_t)(seg->data_len - take);
		n -= take;
		if (n == 0)
			break;
		if (seg != head) {
			head->next = seg->next;
			head->nb_segs--;
			rte_pktmbuf_free_seg(seg);
		}
		seg = head->next;
	}
	// A later segment that was cut to nothing exactly at its end.
	if (seg != head && seg->data_len == 0) {
		head->next = seg->next;
		head->nb_segs--;
		rte_pktmbuf_free_seg(seg);
	}
}

// The general case: what the head still has of the hidden rest moves into a segment of its own, new
// bytes fill the head's buffer and further segments between the two.
static int respread(struct rte_mbuf *head, struct rte_mempool *pool, const uint8_t *data,
	uint16_t len, uint16_t shown)
{
	const uint32_t hidden = head->data_len > shown ? head->data_len - (uint32_t)shown : 0;
	const uint16_t in_head = len < head->buf_len ? len : head->buf_len;
	struct rte_mbuf *more = NULL; // new bytes that the head cannot hold
	struct rte_mbuf *more_last = NULL;
	struct rte_mbuf *rest = NULL; // the head's hidden bytes
	struct rte_mbuf *rest_last = NULL;

	if (len > in_head &&
		!(more = segments(pool, data + in_head, len - (uint32_t)in_head, &more_last)))
		return 1;
	if (hidden && !(rest = segments(pool, rte_pktmbuf_mtod_offset(head, uint8_t *, shown),
				hidden, &rest_last)))
		goto fail;
	const uint32_t n_more = count_segments(more) + count_segments(rest);
	if (head->nb_segs + n_more > RTE_MBUF_MAX_NB_SEGS)
		goto fail;

	trim_front(head, shown + hidden);
	if (rest) {
		rest_last->next = head->next;
		head->next = rest;
	}
	if (more) {
		more_last->next = head->next;
		head->next = more;
	}
	head->nb_segs = (uint16_t)(head->nb_segs + n_more);
	head->data_off =
		(uint16_t)(head->buf_len - in_head < RTE_PKTMBUF_HEADROOM ? head->buf_len - in_head
									  : RTE_PKTMBUF_HEADROOM);
	head->data_len = in_head;
	head->pkt_len += len + hidden;
	memcpy(rte_pktmbuf_mtod(head, uint8_t *), data, in_head);
	return 0;
fail:
	rte_pktmbuf_free(more);
	rte_pktmbuf_free(rest);
	return 1;
}

// Drivers may not like an empty first segment: fill it from the next one. The rest is not empty.
static void fill_head(struct rte_mbuf *head)
{
	const uint16_t room = (uint16_t)(head->buf_len - RTE_PKTMBUF_HEADROOM);
	const struct rte_mbuf *next = head->next;
	const uint16_t take = next->data_len < room ? next->data_len : room;
	const uint32_t pkt_len = head->pkt_len;

	head->data_off = RTE_PKTMBUF_HEADROOM;
	memcpy(rte_pktmbuf_mtod(head, uint8_t *), rte_pktmbuf_mtod(next, const uint8_t *), take);
	trim_front(head, take);
	head->data_off = RTE_PKTMBUF_HEADROOM;
	head->data_len = take;
	head->pkt_len = pkt_len;
}

int dp_rewrite(struct rte_mbuf **m, struct rte_mempool *pool, const uint8_t *data, uint16_t len,
	uint16_t shown)
{
	assert(shown <= (*m)->pkt_len);
	if (!is_ours_alone(*m) && make_private(m, pool))
		return 1;
	struct rte_mbuf *head = *m;
	const int grows = (int)len - (int)shown;

	if (head->data_len < shown || grows > head->data_off) {
		if (respread(head, pool, data, len, shown))
			return 1;
	} else {
		// The usual case: what was shown lies in the head, and there is room in front for
		// what it grows by.
		head->data_off = (uint16_t)(head->data_off - grows);
		head->data_len = (uint16_t)(head->data_len + grows);
		head->pkt_len = (uint32_t)((int64_t)head->pkt_len + grows);
		memcpy(rte_pktmbuf_mtod(head, uint8_t *), data, len);
	}
	if (unlikely(head->data_len == 0 && head->next && head->pkt_len > 0))
		fill_head(head);
	return 0;
}

struct rte_mbuf *dp_originate(struct rte_mempool *pool, const uint8_t *data, uint16_t len)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);

	if (!m)
		return NULL;
	m->packet_type = 0;
	m->vlan_tci = 0;
	m->vlan_tci_outer = 0;
	m->hash.rss = 0;
	memset(dp_mbuf_priv(m), 0, sizeof(struct dp_mbuf_priv));
	if (dp_rewrite(&m, pool, data, len, 0)) {
		rte_pktmbuf_free(m);
		return NULL;
	}
	return m;
}
