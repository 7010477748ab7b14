// SPDX-License-Identifier: Apache-2.0
#include "dataplane/vlan.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <charconv>

#include "dataplane/limits.h"
#include "dataplane/net/headers.h"

namespace ravelin {
namespace {

constexpr unsigned kLastId = 4094;  // 0 and 4095: IEEE 802.1Q table 9-2

bool read_id(std::string_view digits, uint16_t& id) {
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), id);
    return error == std::errc() && end == digits.data() + digits.size() && id >= 1 && id <= kLastId;
}

}  // namespace

Result<Vlan> Vlan::parse(std::string_view text) {
    Vlan vlan;
    const size_t dot = text.find('.');
    if (!read_id(text.substr(0, dot), vlan.outer) ||
        (dot != text.npos && !read_id(text.substr(dot + 1), vlan.inner)))
        return Error{fmt::format(
            "found '{}', expected an id from 1 to {}, or two like 10.20, the outer one first", text,
            kLastId)};
    return vlan;
}

std::string Vlan::to_string() const {
    return inner == 0 ? fmt::format("{}", outer) : fmt::format("{}.{}", outer, inner);
}

VlanTags VlanTags::of(const Vlan& vlan) {
    VlanTags tags;
    const auto put = [&](unsigned value) {
        tags.bytes[tags.length++] = static_cast<uint8_t>(value >> 8);
        tags.bytes[tags.length++] = static_cast<uint8_t>(value);
    };
    if (vlan.outer == 0) return tags;
    put(vlan.service ? net::kEtherQinq : net::kEtherVlan);
    put(vlan.outer);
    if (vlan.inner == 0) return tags;
    put(net::kEtherVlan);
    put(vlan.inner);
    return tags;
}

FrameTags FrameTags::read(const uint8_t* frame, size_t length) noexcept {
    constexpr size_t kMacs = 12;
    FrameTags out;
    for (unsigned depth = 0; depth < limits::kMaxVlanTags; ++depth) {
        const size_t at = kMacs + out.length;
        if (at + 6 > length) return out;  // the tag, and the ethertype behind it
        const auto type = static_cast<uint16_t>(frame[at] << 8 | frame[at + 1]);
        if (!net::is_tag(type)) return out;
        const auto tci = static_cast<uint16_t>(frame[at + 2] << 8 | frame[at + 3]);
        (depth == 0 ? out.outer_tci : out.inner_tci) = tci;
        if (depth == 0) out.service = type == net::kEtherQinq;
        out.length = static_cast<uint8_t>(out.length + sizeof(net::VlanTag));
    }
    return out;
}

VlanMap::VlanMap(const std::vector<Entry>& ports) {
    const auto tagged = static_cast<size_t>(
        std::ranges::count_if(ports, [](const Entry& e) { return e.vlan.outer != 0; }));
    if (tagged == 0) return;
    slots_.resize(std::bit_ceil(2 * tagged));
    // Twice: who is alone with his ids has them under either ethertype.
    for (const bool own : {false, true})
        for (size_t i = 0; i < ports.size(); ++i) {
            const Entry& e = ports[i];
            if (e.vlan.outer == 0) continue;
            const uint64_t key = key_of(e.parent, e.vlan.outer, e.vlan.inner);
            Slot& slot = slots_[slot_of(key)];
            slot.key = key;
            if (own)
                slot.port[e.vlan.service ? 1 : 0] = static_cast<PortId>(i);
            else
                slot.port.fill(static_cast<PortId>(i));
        }
}

PortId VlanMap::find(PortId port, uint16_t outer_tci, uint16_t inner_tci,
                     bool service) const noexcept {
    const unsigned outer = outer_tci & net::kVlanIdMask, inner = inner_tci & net::kVlanIdMask;
    if (outer == 0 && inner == 0) return port;
    if (slots_.empty()) return kNoPort;
    return slots_[slot_of(key_of(port, outer, inner))].port[service ? 1 : 0];
}

}  // namespace ravelin
