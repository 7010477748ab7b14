// SPDX-License-Identifier: Apache-2.0
#include "controlplane/import/rule_text.h"

#include <fmt/format.h>

#include <vector>

#include "dataplane/address.h"

namespace ravelin::import {
namespace {

std::string listed(const std::vector<std::string>& items) {
    if (items.size() == 1) return items.front();
    std::string out;
    for (const std::string& item : items) out += (out.empty() ? "[" : ", ") + item;
    return out + "]";
}

IpAddress address(Wide value, bool v6) {
    if (!v6) return IpAddress::v4(static_cast<uint32_t>(value));
    std::array<uint8_t, 16> bytes{};
    for (size_t i = bytes.size(); i-- > 0; value >>= 8) bytes[i] = static_cast<uint8_t>(value);
    return IpAddress::v6(bytes.data());
}

/// A range as the fewest prefixes.
void add_prefixes(const Range& range, bool v6, std::vector<std::string>& out) {
    const unsigned width = v6 ? 128 : 32;
    for (Wide low = range.low;;) {
        unsigned bits = 0;  // of the block that begins here
        while (bits < width && (low >> bits & 1) == 0) {
            const unsigned wider = bits + 1;
            const Wide last = wider == 128 ? ~Wide{0} : low + ((Wide{1} << wider) - 1);
            if (last > range.high || last < low) break;
            bits = wider;
        }
        const Wide last = bits == 128 ? ~Wide{0} : low + ((Wide{1} << bits) - 1);
        const std::string text = fmt::format("{}/{}", address(low, v6).to_string(), width - bits);
        out.push_back(v6 ? "'" + text + "'" : text);
        if (last >= range.high) return;
        low = last + 1;
    }
}

std::string numbers_text(const Numbers& numbers) {
    std::vector<std::string> out;
    for (const Range& r : numbers.ranges())
        for (Wide n = r.low; n <= r.high; ++n)
            out.push_back(std::to_string(static_cast<unsigned>(n)));
    return listed(out);
}

std::string protocols_text(const Numbers& protocols) {
    static const std::vector<std::pair<Wide, const char*>> kNames{
        {1, "icmp"}, {6, "tcp"}, {17, "udp"}, {58, "icmp6"}};
    if (protocols.ranges().size() == 1 && protocols.ranges()[0].low == protocols.ranges()[0].high)
        for (const auto& [number, name] : kNames)
            if (protocols.holds(number)) return name;
    return numbers_text(protocols);
}

}  // namespace

std::string prefixes_text(const Numbers& addresses, bool v6) {
    std::vector<std::string> out;
    for (const Range& r : addresses.ranges()) add_prefixes(r, v6, out);
    return listed(out);
}

std::string ports_text(const Numbers& ports) {
    std::vector<std::string> out;
    for (const Range& r : ports.ranges()) {
        const auto low = static_cast<unsigned>(r.low), high = static_cast<unsigned>(r.high);
        out.push_back(low == high ? std::to_string(low) : fmt::format("{}-{}", low, high));
    }
    return listed(out);
}

std::string devices_text(const Numbers& devices, const Interfaces& interfaces) {
    std::vector<std::string> out;
    for (const Range& r : devices.ranges())
        for (Wide n = r.low; n <= r.high; ++n)
            out.push_back(n == interfaces.local() ? "local"
                                                  : interfaces.names()[static_cast<size_t>(n)]);
    return listed(out);
}

std::string members_of(const Box& box, const Interfaces& interfaces, bool v6) {
    const Box all = universe(interfaces, v6);
    std::string out;
    const auto add = [&](Dimension d, const char* name, const std::string& text) {
        if (box.in[d] != all.in[d]) out += fmt::format(", {}: {}", name, text);
    };
    if (box.in[kIn] != all.in[kIn]) add(kIn, "in", devices_text(box.in[kIn], interfaces));
    if (box.in[kOut] != all.in[kOut]) add(kOut, "out", devices_text(box.in[kOut], interfaces));
    if (box.in[kSource] != all.in[kSource])
        add(kSource, "from", prefixes_text(box.in[kSource], v6));
    if (box.in[kDestination] != all.in[kDestination])
        add(kDestination, "to", prefixes_text(box.in[kDestination], v6));
    if (box.in[kProtocol] != all.in[kProtocol])
        add(kProtocol, "protocol", protocols_text(box.in[kProtocol]));
    add(kSourcePort, "from-ports", ports_text(box.in[kSourcePort]));
    add(kDestinationPort, "to-ports", ports_text(box.in[kDestinationPort]));
    if (box.in[kIcmpType] != all.in[kIcmpType])
        add(kIcmpType, "icmp-type-numbers", numbers_text(box.in[kIcmpType]));
    return out;
}

std::string Names::unique(const std::string& name) {
    std::string out = name;
    for (int n = 2; !seen_.insert(out).second; ++n) out = fmt::format("{}-{}", name, n);
    return out;
}

}  // namespace ravelin::import
