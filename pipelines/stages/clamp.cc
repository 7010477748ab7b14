// SPDX-License-Identifier: Apache-2.0
// clamp: lowers the maximum segment size that TCP ends announce in SYN and SYN-ACK, for paths whose
// path MTU discovery fails (RFC 4459 section 3.2). Both modes, anywhere after parse; `auto` needs
// to stand where the outgoing port is known. Only ever lowers, and adds no option.
//
// Config: mss. No drops. Cost: a compare a packet, and an option scan for SYNs.
#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

#include "dataplane/express.h"
#include "dataplane/net/headers.h"
#include "dataplane/stage.h"
#include "pipelines/net/checksum.h"
#include "pipelines/net/tcp_options.h"

namespace ravelin {
namespace {

using config::Field;
using config::Schema;
using config::Type;

constexpr std::array kFields{
    Field{.name = "mss",
          .type = Type::kText,
          .help = "Largest segment size let through, in bytes from 88 to 65495; auto: what the "
                  "MTUs of both ports leave.",
          .fallback = "auto"},
};
constexpr Schema kSchema{"stage clamp", "Limits the TCP segment size that both ends agree on.",
                         kFields};

enum Counter : unsigned { kClamped };
constexpr std::array<CounterDecl, 1> kCounters{{
    {"clamped", "SYN and SYN-ACK segments whose segment size was lowered."},
}};

constexpr unsigned kSegmentSizeLength = 4;
constexpr uint32_t kHeadersV4 = 40, kHeadersV6 = 60;
constexpr uint32_t kSmallest = 88;    // below, options would leave no room for data
constexpr uint32_t kLargest = 65495;  // 65,535 less the headers

struct ClampPolicy final : StagePolicy {
    uint32_t mss = 0;  // 0: auto
};

// RFC 1624 for 16 bits at any offset: at an odd one, its bytes count in the other half of a word.
void store(uint8_t* tcp, uint32_t at, uint16_t value) {
    be16 before;
    std::memcpy(&before, tcp + at, 2);
    const be16 after(value);
    std::memcpy(tcp + at, &after, 2);
    const auto half = [&](be16 v) {
        return static_cast<uint16_t>(at % 2 == 0 ? v.raw() : __builtin_bswap16(v.raw()));
    };
    auto* header = reinterpret_cast<net::Tcp*>(tcp);
    header->checksum = net::updated_checksum(header->checksum, half(before), half(after));
}

class Clamp final : public Stage {
  public:
    void process(Burst& burst, const StagePolicy& policy,
                 WorkerContext& context) noexcept override {
        const auto& p = static_cast<const ClampPolicy&>(policy);
        unsigned clamped = 0;
        for (unsigned i = 0; i < burst.count; ++i) {
            const PacketMeta& meta = burst.meta[i];
            if (meta.protocol != net::kTcp || (meta.tcp_flags & net::kSyn) == 0) continue;
            if (!burst.live(i) || meta.has(PacketMeta::kLaterFragment)) continue;
            const uint32_t most = p.mss != 0 ? p.mss : by_mtu(meta, *context.policy);
            if (most != 0) clamped += lower(burst.packet(i), meta, most, context.dry_run);
        }
        if (clamped != 0 && !context.dry_run) context.counters.add(counter(kClamped), clamped);
    }
    void express(ExpressBurst& burst, const StagePolicy&, WorkerContext&) noexcept override {
        burst.going &= ~burst.opening;
    }

  private:
    // 0: not known, nothing is changed.
    static uint32_t by_mtu(const PacketMeta& meta, const PolicySnapshot& policy) {
        const bool wire = policy.mode == PolicySnapshot::Mode::kWire;
        if (meta.in_port >= policy.ports.size()) return 0;
        const PortPolicy& in = policy.ports[meta.in_port];
        const PortId out = wire && meta.out_port == kNoPort ? in.wire_peer : meta.out_port;
        if (out >= policy.ports.size()) return 0;
        return std::min(in.mtu, policy.ports[out].mtu) -
               (meta.has(PacketMeta::kIpv4) ? kHeadersV4 : kHeadersV6);
    }
    static unsigned lower(const Packet& packet, const PacketMeta& meta, uint32_t most,
                          bool dry_run) {
        unsigned length = 0, lowered = 0;
        uint8_t* tcp = net::tcp_header(packet, meta, length);
        if (tcp == nullptr) return 0;
        constexpr unsigned kFirst = sizeof(net::Tcp);
        const auto lower_one = [&](uint8_t kind, unsigned offset, unsigned bytes) {
            if (kind != net::kOptionSegmentSize || bytes != kSegmentSizeLength) return;
            const unsigned at = kFirst + offset + 2;
            be16 announced;
            std::memcpy(&announced, tcp + at, 2);
            if (announced.host() <= most) return;
            if (!dry_run) store(tcp, at, static_cast<uint16_t>(most));
            lowered = 1;
        };
        net::each_tcp_option(tcp + kFirst, length - kFirst, lower_one);
        return lowered;
    }
};

Result<std::shared_ptr<const StagePolicy>> compile(const config::Node& node, CompileContext&) {
    auto policy = std::make_shared<ClampPolicy>();
    const std::string& text = node["mss"].as_text();
    if (text != "auto") {
        const auto [end, error] =
            std::from_chars(text.data(), text.data() + text.size(), policy->mss);
        if (error != std::errc() || end != text.data() + text.size() || policy->mss < kSmallest ||
            policy->mss > kLargest)
            return Error{"mss: found '" + text + "', expected auto or bytes from 88 to 65495"};
    }
    return std::shared_ptr<const StagePolicy>(std::move(policy));
}

std::unique_ptr<Stage> create(WorkerId, WorkerId) { return std::make_unique<Clamp>(); }

constexpr StageDecl kStage{.name = "clamp",
                           .help = "Limits the TCP segment size that both ends agree on.",
                           .schema = &kSchema,
                           .drops = {},
                           .counters = kCounters,
                           .compile = compile,
                           .create = create,
                           .repeats = [](const StagePolicy&) { return true; },
                           .express = [](const StagePolicy&) { return true; }};
REGISTER_STAGE(kStage);

}  // namespace
}  // namespace ravelin
