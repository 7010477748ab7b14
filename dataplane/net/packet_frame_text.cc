// SPDX-License-Identifier: Apache-2.0
// describe_frame: the link layer around what Describer writes.
#include <fmt/format.h>

#include "dataplane/net/packet_describe.h"
#include "dataplane/net/packet_spec.h"

namespace ravelin {
namespace {

using net::Describer;
constexpr size_t kMostTags = 4;

std::string raw(std::span<const uint8_t> frame) {
    std::string out = "raw=";
    for (const uint8_t byte : frame) out += fmt::format("{:02x}", byte);
    return out;
}

struct Link {
    size_t offset = sizeof(net::Ethernet);
    uint16_t type = 0;
    std::string tags;
};

/// Walks the tags; a cut one ends the walk and is left to stand as payload.
Link read_link(std::span<const uint8_t> frame, uint16_t type) {
    Link link{.type = type, .tags = {}};
    const bool service = type == net::kEtherQinq;
    for (size_t i = 0; i < kMostTags && (link.type == net::kEtherVlan || (i == 0 && service));
         ++i) {
        const auto* tag = Describer::at<net::VlanTag>(frame, link.offset);
        if (tag == nullptr) break;
        link.tags += fmt::format("{}{}", i == 0 ? "vlan=" : ",", tag->tci.host());
        link.type = tag->type.host();
        link.offset += sizeof *tag;
    }
    if (service && !link.tags.empty()) link.tags = "qinq " + link.tags;
    return link;
}

}  // namespace

std::string describe_frame(std::span<const uint8_t> frame, PacketDetail detail) {
    const auto* ethernet = Describer::at<net::Ethernet>(frame, 0);
    if (ethernet == nullptr) return raw(frame);
    const Link link = read_link(frame, ethernet->type.host());
    const auto body = frame.subspan(link.offset);
    Describer text(detail);
    const bool is_ip = link.type == net::kEtherIpv4 || link.type == net::kEtherIpv6;
    const bool known = (is_ip && text.ip(body)) || (link.type == net::kEtherArp && text.arp(body));
    Describer out(detail);
    if (!link.tags.empty()) out.add("{}", link.tags);
    if (known) {
        out.add("{}", text.text());
        if (detail == PacketDetail::kFull && text.trailing() != 0)
            out.add("pad={}", text.trailing());
    } else {
        out.add("ether=0x{:04x}", link.type);
        out.payload(body);
    }
    if (detail == PacketDetail::kFull)
        out.add("src-mac={} dst-mac={}", ethernet->source.to_string(),
                ethernet->destination.to_string());
    return out.text();
}

}  // namespace ravelin
