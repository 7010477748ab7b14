// SPDX-License-Identifier: Apache-2.0
// Precompiled (see base.h): and DPDK.
#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <rte_prefetch.h>

#include <thread>

#include "pch/base.h"
