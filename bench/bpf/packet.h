// SPDX-License-Identifier: BSD-3-Clause
// What programs for rte_bpf are written with; they see a packet from its Ethernet header on.
#pragma once

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long u64;

#define BPF_DROP 0
#define BPF_KEEP 1
