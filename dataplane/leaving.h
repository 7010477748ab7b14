// SPDX-License-Identifier: Apache-2.0
// Leaving: frames of one call that go out by one port without the pipeline, and whom they are
// charged to.
#pragma once
#include <rte_mbuf.h>

#include <array>

#include "dataplane/columns.h"
#include "dataplane/limits.h"
#include "dataplane/packet.h"

namespace ravelin {

struct WorkerContext;

struct Leaving {
    template <typename T>
    using Column = columns::Column<T>;
    static_assert(limits::kArrivals == columns::kPlaces);
    /// Frames that did not take the pipeline, which came by the same places and so cost the same.
    enum Kind : unsigned { kByShortcut, kByExpress, kDropped, kKinds };

    unsigned count = 0;
    std::array<rte_mbuf*, columns::kPlaces> frames;
    Column<uint32_t> whom;   ///< index(PrincipalId), where there is an account
    Column<uint32_t> bytes;  ///< from the network header on, where there is an account

    void add(rte_mbuf* frame, uint32_t id, uint32_t length) noexcept {
        frames[count] = frame;
        whom[count] = id;
        bytes[count++] = length;
    }
    /// Charges them, drops those beyond a cap, and sends the rest by `port`; none are left here.
    void send(Kind kind, PortId port, WorkerContext& context) noexcept;
    /// Bits of them.
    [[nodiscard]] uint64_t all() const noexcept {
        return count == 0 ? 0 : ~uint64_t{0} >> (columns::kPlaces - count);
    }
    /// They are of several, which can be seen at once.
    [[nodiscard]] bool begins_mixed() const noexcept {
        return count >= columns::kBegin && columns::begins_mixed(whom);
    }
    [[nodiscard]] sched::PrincipalId payer(unsigned i) const noexcept {
        return sched::PrincipalId{whom[i]};
    }
};

}  // namespace ravelin
