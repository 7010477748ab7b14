// SPDX-License-Identifier: Apache-2.0
#include "dataplane/process/made_packets.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "dataplane/net/headers.h"
#include "pipelines/tables/classifier.h"

namespace ravelin {
namespace {

using firewall::LiveField;
using firewall::NamedRule;
using net::PacketSpec;

constexpr uint64_t kMostElements = 64;  // of a live set: enough to try it with

bool is_v4_only(const NamedRule& rule) {
    const auto v6 = [](const Prefix& p) { return !p.is_v4(); };
    const auto only4 = [&](const std::vector<Prefix>& set) {
        return !set.empty() && std::ranges::none_of(set, v6);
    };
    return rule.rule.family == 4 || only4(rule.rule.sources) || only4(rule.rule.destinations);
}

bool is_v6_only(const NamedRule& rule) {
    const auto only6 = [](const std::vector<Prefix>& set) {
        return !set.empty() && std::ranges::none_of(set, [](const Prefix& p) { return p.is_v4(); });
    };
    return rule.rule.family == 6 || only6(rule.rule.sources) || only6(rule.rule.destinations);
}

std::vector<SetElement> elements_of(const LiveSet& set) {
    std::vector<SetElement> out;
    set.for_each([&](const SetElement& element, uint64_t) {
        if (out.size() < kMostElements) out.push_back(element);
    });
    return out;
}

size_t header_bytes(const PacketSpec& spec, bool v4) {
    const size_t upper = spec.kind == PacketSpec::Kind::kTcp  ? 20
                         : spec.kind == PacketSpec::Kind::kIp ? 0
                                                              : 8;
    return (v4 ? 20 : 40) + upper + (spec.options ? 4 : 0) + spec.extensions.size() * 8;
}

}  // namespace

PacketMaker::PacketMaker(const PolicySnapshot& policy, uint64_t seed)
    : policy_(policy), random_(seed) {
    for (const PortPolicy& port : policy.ports)
        defaults_.port_macs.push_back({port.name, port.mac});
}

std::vector<uint8_t> PacketMaker::frame(const MadePacket& packet) const {
    PacketSpec spec = packet.spec;
    spec.port = policy_.ports[packet.port].name;
    return net::build_frame(spec, defaults_);
}

std::string PacketMaker::text(const MadePacket& packet) const {
    return fmt::format("in={} {}", policy_.ports[packet.port].name, describe_frame(frame(packet)));
}

PortId PacketMaker::way_out(const Rule& rule) {
    if (!rule.rule.out_ports.empty()) return any_of(rule.rule.out_ports);
    const uint64_t at = below(policy_.ports.size() + 1);
    return at == policy_.ports.size() ? kLocalPort : static_cast<PortId>(at);
}

PortId PacketMaker::way_in(const Rule& rule, PortId out) {
    if (!rule.rule.in_ports.empty()) return any_of(rule.rule.in_ports);
    if (policy_.mode == PolicySnapshot::Mode::kWire && out < policy_.ports.size())
        return policy_.ports[out].wire_peer;
    const auto in = static_cast<PortId>(below(policy_.ports.size()));
    return in == out ? static_cast<PortId>((in + 1) % policy_.ports.size()) : in;
}

IpAddress PacketMaker::within(const Prefix& prefix) {
    const uint64_t edge = below(4);
    if (edge < 2) return edge == 0 ? prefix.first() : prefix.last();
    IpAddress out = prefix.first();
    const unsigned fixed = prefix.is_v4() ? 96u + prefix.length : prefix.length;
    for (unsigned bit = fixed; bit < 128; ++bit)
        if (below(2) != 0) out.bytes[bit / 8] |= static_cast<uint8_t>(0x80 >> bit % 8);
    return out;
}

// A host on the port's own link, or one of the box's addresses there.
std::optional<IpAddress> PacketMaker::near(PortId port, bool v4, bool destination) {
    std::vector<Prefix> own;
    for (size_t p = 0; p < policy_.ports.size(); ++p)
        if (port == kLocalPort || p == port)
            for (const Prefix& address : policy_.ports[p].addresses)
                if (address.is_v4() == v4) own.push_back(address);
    if (own.empty()) return std::nullopt;
    const Prefix& chosen = any_of(own);
    if (port == kLocalPort && destination) return chosen.address;
    IpAddress host = within(chosen);
    for (int tries = 0;
         tries < 8 && (host == chosen.address || host == chosen.first() || host == chosen.last());
         ++tries)
        host = within(chosen);
    return host;
}

std::optional<IpAddress> PacketMaker::address(const std::vector<Prefix>& set, const LiveSet* live,
                                              bool v4, PortId port, bool destination) {
    static const IpAddress kFar4 = IpAddress::v4(0x2d435900),
                           kFar6 = *IpAddress::parse("2a0e:97c0::");
    std::vector<Prefix> family;
    std::ranges::copy_if(set, std::back_inserter(family),
                         [v4](const Prefix& p) { return p.is_v4() == v4; });
    if (live != nullptr)
        for (const SetElement& e : elements_of(*live))
            if (e.first.is_v4() == v4) family.push_back(e.prefix());
    const auto hint = near(port, v4, destination);
    if (!family.empty()) {
        const auto holds = [&](const Prefix& p) { return hint && p.contains(*hint); };
        if (below(2) == 0 && std::ranges::any_of(family, holds)) return hint;
        return within(any_of(family));
    }
    if (!set.empty() || live != nullptr) return std::nullopt;
    if (hint && below(4) != 0) return hint;
    return within(Prefix{v4 ? kFar4 : kFar6, static_cast<uint8_t>(v4 ? 24 : 32)});
}

uint16_t PacketMaker::port_of(const std::vector<config::PortRange>& ranges, const LiveSet* live,
                              uint16_t usual) {
    if (live != nullptr) {
        const auto elements = elements_of(*live);
        return static_cast<uint16_t>(elements.empty() ? usual : any_of(elements).low);
    }
    if (ranges.empty()) return below(2) == 0 ? usual : static_cast<uint16_t>(1 + below(65535));
    const config::PortRange& range = any_of(ranges);
    switch (below(3)) {
        case 0:
            return range.low;
        case 1:
            return range.high;
        default:
            return static_cast<uint16_t>(range.low + below(uint64_t{range.high} - range.low + 1));
    }
}

const LiveSet* PacketMaker::live_set(const Rule& rule, LiveField field) const {
    for (const firewall::LiveRef& ref : rule.live)
        if (ref.field == field) return policy_.find_set(ref.set);
    return nullptr;
}

// Endpoints and pairs of live sets say more than one dimension at once.
bool PacketMaker::take_live_ends(const Rule& rule, PacketSpec& spec) {
    for (const LiveField field :
         {LiveField::kFromEndpoint, LiveField::kToEndpoint, LiveField::kFromTo}) {
        const LiveSet* set = live_set(rule, field);
        if (set == nullptr) continue;
        const auto elements = elements_of(*set);
        if (elements.empty()) return false;
        const SetElement& e = any_of(elements);
        if (field == LiveField::kFromEndpoint)
            spec.source = e.first, spec.source_port = static_cast<uint16_t>(e.low);
        if (field == LiveField::kToEndpoint)
            spec.destination = e.first, spec.destination_port = static_cast<uint16_t>(e.low);
        if (field == LiveField::kFromTo) spec.source = e.first, spec.destination = e.second;
    }
    return spec.source.is_v4() == spec.destination.is_v4();
}

std::optional<MadePacket> PacketMaker::draw(const Rule& r) {
    MadePacket made;
    PacketSpec& spec = made.spec;
    const PortId out = way_out(r);
    made.port = way_in(r, out);
    if (made.port >= policy_.ports.size()) return std::nullopt;
    const bool v4 = is_v4_only(r) || (!is_v6_only(r) && below(2) == 0);
    const auto source =
        address(r.rule.sources, live_set(r, LiveField::kFrom), v4, made.port, false);
    const auto destination =
        address(r.rule.destinations, live_set(r, LiveField::kTo), v4, out, true);
    if (!source || !destination) return std::nullopt;
    spec.has_endpoints = true;
    spec.source = *source;
    spec.destination = *destination;
    spec.source_port = port_of(r.rule.source_ports, live_set(r, LiveField::kFromPorts), 40000);
    spec.destination_port =
        port_of(r.rule.destination_ports, live_set(r, LiveField::kToPorts), 443);
    if (!take_live_ends(r, spec)) return std::nullopt;
    if (!protocol(r, spec.destination.is_v4(), spec)) return std::nullopt;
    if (!conditions(r, spec.destination.is_v4(), spec)) return std::nullopt;
    return made;
}

std::vector<uint8_t> PacketMaker::protocols(const Rule& rule, bool v4) {
    const auto possible = effective_protocols(rule.rule);
    std::vector<uint8_t> usual{net::kTcp, net::kUdp, v4 ? net::kIcmp : net::kIcmpv6};
    if (!rule.icmp6_types.empty() && !v4) usual = {net::kIcmpv6};
    std::vector<uint8_t> choice;
    for (const uint8_t p : usual)
        if (possible[p] || (p == net::kIcmpv6 && !rule.icmp6_types.empty())) choice.push_back(p);
    for (const uint8_t p : rule.rule.protocols)
        if (possible[p] && std::ranges::find(usual, p) == usual.end() &&
            p != (v4 ? net::kIcmpv6 : net::kIcmp))
            choice.push_back(p);
    return choice;
}

bool PacketMaker::protocol(const Rule& rule, bool v4, PacketSpec& spec) {
    const auto choice = protocols(rule, v4);
    if (choice.empty()) return false;
    spec.protocol = any_of(choice);
    switch (spec.protocol) {
        case net::kTcp:
            tcp(rule, spec);
            return true;
        case net::kUdp:
            spec.kind = PacketSpec::Kind::kUdp;
            return true;
        case net::kIcmp:
        case net::kIcmpv6:
            return icmp(rule, v4, spec);
        default:
            break;
    }
    spec.kind = PacketSpec::Kind::kIp;
    spec.payload.assign(20, 0);
    if (spec.protocol == net::kSctp)
        spec.payload = {static_cast<uint8_t>(spec.source_port >> 8),
                        static_cast<uint8_t>(spec.source_port),
                        static_cast<uint8_t>(spec.destination_port >> 8),
                        static_cast<uint8_t>(spec.destination_port),
                        0,
                        0,
                        0,
                        0,
                        0,
                        0,
                        0,
                        0,
                        1,
                        0,
                        0,
                        20};  // an INIT chunk's beginning
    return true;
}

void PacketMaker::tcp(const Rule& rule, PacketSpec& spec) {
    spec.kind = PacketSpec::Kind::kTcp;
    spec.sequence = 1000;
    spec.flags = net::kSyn;
    const bool fresh = rule.rule.states == 0 || (rule.rule.states & firewall::kStateNew) != 0;
    const bool invalid = (rule.rule.states & firewall::kStateInvalid) != 0;
    if (invalid && (!fresh || below(2) == 0))
        spec.flags = below(2) == 0 ? net::kAck : net::kSyn | net::kFin;
    const firewall::Conditions& c = rule.extra.conditions;
    spec.flags = static_cast<uint8_t>((spec.flags & ~c.tcp_mask) | (c.tcp_flags & c.tcp_mask));
}

bool PacketMaker::icmp(const Rule& rule, bool v4, PacketSpec& spec) {
    spec.kind = v4 ? PacketSpec::Kind::kIcmp : PacketSpec::Kind::kIcmp6;
    spec.has_type = true;
    spec.icmp_id = 7;
    spec.type = v4 ? 8 : 128;
    const auto& types = !v4 && !rule.icmp6_types.empty() ? rule.icmp6_types : rule.rule.icmp_types;
    if (v4 && types.empty() && !rule.icmp6_types.empty()) return false;
    if (!types.empty()) spec.type = any_of(types);
    spec.target = spec.destination;
    return true;
}

bool PacketMaker::conditions(const Rule& rule, bool v4, PacketSpec& spec) {
    const firewall::Conditions& c = rule.extra.conditions;
    using Wanted = firewall::Conditions::Wanted;
    const auto hops = [&](unsigned ttl) { return (c.hops[ttl / 64] >> ttl % 64 & 1) != 0; };
    unsigned ttl = rule.hop_limit != 0 ? rule.hop_limit : 64;
    for (unsigned t = 255; t > 0 && !hops(ttl); --t) ttl = t;
    if (c.dscp == 0) return false;
    spec.ttl = static_cast<uint8_t>(ttl);
    spec.tos = static_cast<uint8_t>(std::countr_zero(c.dscp) << 2);
    if (c.options == Wanted::kYes) {
        spec.options = v4;
        if (!v4) spec.extensions = {net::kDestinationOptions};
    }
    const size_t headers = header_bytes(spec, v4) + spec.payload.size();
    size_t more = c.shortest > headers ? c.shortest - headers : 0;
    if (c.fragment == Wanted::kYes) {
        spec.mf = true;
        more = (more + 8 + 7) / 8 * 8;
    }
    if (headers + more > c.longest || more > 1400) return false;
    spec.payload.resize(spec.payload.size() + more);
    return true;
}

}  // namespace ravelin
