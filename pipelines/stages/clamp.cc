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

#include "dataplane/net/headers.h"
#include "dataplane/stage.h"
#include "pipelines/net/checksum.h"

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

constexpr uint8_t kEndOfOptions = 0, kNoOperation = 1, kSegmentSize = 2, kSegmentSizeLength = 4;
constexpr uint32_t kHeadersV4 = 40, kHeadersV6 = 60;
constexpr uint32_t kSmallest = 88;    // below, options would leave no room for data
constexpr uint32_t kLargest = 65495;  // 65,535 less the headers

struct ClampPolicy final : StagePolicy {
    uint32_t mss = 0;  // 0: auto
};

// Offset of the segment size's value from the start of the TCP header; 0 if there is none, or the
// options are not well formed.
uint32_t segment_size_at(const uint8_t* tcp, uint32_t length) {
    for (uint32_t at = sizeof(net::Tcp); at < length;) {
        if (tcp[at] == kEndOfOptions) return 0;
        if (tcp[at] == kNoOperation) {
            ++at;
            continue;
        }
        if (at + 1 >= length || tcp[at + 1] < 2 || at + tcp[at + 1] > length) return 0;
        if (tcp[at] == kSegmentSize) return tcp[at + 1] == kSegmentSizeLength ? at + 2 : 0;
        at += tcp[at + 1];
    }
    return 0;
}

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
        const auto* header = packet.at<net::Tcp>(meta.l4_offset);
        if (header == nullptr || header->header_length() <= sizeof(net::Tcp)) return 0;
        // A header longer than the IP packet is not one; parse says so too.
        const uint32_t length = header->header_length();
        if (uint32_t{meta.l4_offset} + length > uint32_t{meta.l3_offset} + meta.l3_total) return 0;
        uint8_t* tcp = packet.bytes(meta.l4_offset, length);
        const uint32_t at = tcp == nullptr ? 0 : segment_size_at(tcp, length);
        if (at == 0) return 0;
        be16 announced;
        std::memcpy(&announced, tcp + at, 2);
        if (announced.host() <= most) return 0;
        if (!dry_run) store(tcp, at, static_cast<uint16_t>(most));
        return 1;
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
                           .create = create};
REGISTER_STAGE(kStage);

}  // namespace
}  // namespace ravelin
