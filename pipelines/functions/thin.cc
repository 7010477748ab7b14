// SPDX-License-Identifier: Apache-2.0
// thin: leaves out packets of each flow: keeps the first k of each n, at most a rate of them. What
// a transcoder does to a stream of media, without looking into it.
//
// State: a count for each of 4,096 flows a worker, by the hash of the flow; flows that share a hash
// share a count, and one that was not heard of for longest makes room. Drop: invoke.thinned.
// Cost: a line of memory a burst, some 10 cycles a packet.
#include <algorithm>
#include <array>

#include "dataplane/engine_counters.h"
#include "dataplane/packet_function.h"

namespace ravelin {
namespace {

constexpr uint64_t kSecond = 1'000'000'000;
constexpr unsigned kWays = 4, kSets = 1024;

class Thin final : public PacketFunction {
  public:
    Thin(uint32_t keep, uint32_t of, uint64_t rate)
        : keep_(keep), of_(of), period_ns_(rate == 0 ? 0 : kSecond / rate), sets_(kSets) {}

    void run(std::span<rte_mbuf* const> frames, PacketRun& run) noexcept override {
        if (frames.empty()) return;
        Stream& stream = find(run.current().flow, run.now_ns());
        for (rte_mbuf* frame : frames) {
            if (keeps(stream, run.now_ns()))
                run.pass(frame);
            else
                run.drop(frame, kDropInvokeThinned);
        }
    }

  private:
    struct Stream {
        uint32_t flow = 0, seen = 0;
        uint64_t heard_ns = 0, next_ns = 0;
    };
    struct alignas(64) Set {
        std::array<Stream, kWays> ways;
    };

    Stream& find(uint32_t flow, uint64_t now_ns) noexcept {
        auto& ways = sets_[flow % kSets].ways;
        auto* at = std::ranges::find_if(
            ways, [&](const Stream& s) { return s.heard_ns != 0 && s.flow == flow; });
        if (at == ways.end()) {
            at = std::ranges::min_element(ways, {}, &Stream::heard_ns);
            *at = {.flow = flow};
        }
        at->heard_ns = now_ns;
        return *at;
    }
    bool keeps(Stream& stream, uint64_t now_ns) const noexcept {
        const bool chosen = stream.seen < keep_;
        stream.seen = stream.seen + 1 == of_ ? 0 : stream.seen + 1;
        if (!chosen || now_ns < stream.next_ns) return false;
        stream.next_ns = now_ns + period_ns_;
        return true;
    }

    uint32_t keep_, of_;
    uint64_t period_ns_;
    std::vector<Set> sets_;
};

Result<std::unique_ptr<PacketFunction>> create(const config::Node& config, const PolicySnapshot&) {
    const auto keep = static_cast<uint32_t>(config["keep"].as_integer()),
               of = static_cast<uint32_t>(config["of"].as_integer());
    if (keep > of)
        return Error{"keep: found " + std::to_string(keep) + ", expected no more than `of`, " +
                     std::to_string(of)};
    const auto rate = static_cast<uint64_t>(config["rate"].as_integer());
    return std::unique_ptr<PacketFunction>(std::make_unique<Thin>(keep, of, rate));
}

constexpr FunctionType kType{.name = "thin", .create = create};
REGISTER_FUNCTION(kType);

}  // namespace
}  // namespace ravelin
