// SPDX-License-Identifier: BSD-3-Clause
// dp_mbuf_fields: registration of weir's dynamic mbuf fields and flags.
#include "mbuf_fields.h"

#include <rte_errno.h>

int dp_mbuf_fields_register(struct dp_mbuf_fields *ret_fields, struct we_error *err)
{
	static const struct rte_mbuf_dynflag short_flag = {.name = "weir_captured_short"};
	struct dp_mbuf_fields fields;
	int offset;

	if (rte_mbuf_dyn_rx_timestamp_register(&offset, &fields.tstamp_flag) < 0)
		return we_error_set(
			err, WE_E_HOST, 0, "mbuf timestamp field: %s", rte_strerror(rte_errno));
	const int bit = rte_mbuf_dynflag_register(&short_flag);
	if (bit < 0)
		return we_error_set(err, WE_E_HOST, 0, "mbuf flag: %s", rte_strerror(rte_errno));
	fields.tstamp_offset = (uintptr_t)offset;
	fields.short_flag = UINT64_C(1) << bit;
	*ret_fields = fields;
	return 0;
}
