// SPDX-License-Identifier: Apache-2.0
// TraceAssembler: workers record one stage at a time, and a packet may change worker on its way;
// the operator wants one story a packet. Control thread only.
#pragma once
#include <cstdint>
#include <iterator>
#include <map>

#include "control.pb.h"

namespace ravelin {

class TraceAssembler {
  public:
    /// Most stories under way; beyond, the oldest is told as far as it is known.
    static constexpr size_t kMost = 4096;
    /// A packet a stage consumed may go on elsewhere (handed over, held): so long it is waited for.
    static constexpr uint64_t kPatienceNs = 200'000'000;

    /// Adds one record's event (with one step). `last`: nothing of this packet can follow.
    /// Calls tell(event) for every story that is complete.
    template <typename Tell>
    void add(const model::TraceEvent& event, bool last, Tell&& tell) {
        auto [at, fresh] = stories_.try_emplace(event.packet());
        if (fresh)
            at->second = event;
        else
            join(at->second, event);
        if (last)
            finish(at, tell);
        else if (stories_.size() > kMost)
            finish(stories_.begin(), tell);
    }
    /// Tells stories that have had no record for kPatienceNs.
    template <typename Tell>
    void expire(uint64_t unix_ns, Tell&& tell) {
        for (auto at = stories_.begin(); at != stories_.end();) {
            const auto next = std::next(at);
            if (at->second.unix_ns() + kPatienceNs < unix_ns) finish(at, tell);
            at = next;
        }
    }
    void clear() { stories_.clear(); }

  private:
    using Stories = std::map<uint64_t, model::TraceEvent>;
    static void join(model::TraceEvent& story, const model::TraceEvent& event);
    template <typename Tell>
    void finish(Stories::iterator at, Tell&& tell) {
        tell(at->second);
        stories_.erase(at);
    }
    Stories stories_;  // by packet, which is by age within a worker
};

}  // namespace ravelin
