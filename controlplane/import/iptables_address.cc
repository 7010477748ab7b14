// SPDX-License-Identifier: Apache-2.0
#include "controlplane/import/iptables_address.h"

#include <bit>

#include "controlplane/import/iptables_words.h"

namespace ravelin::import {

Wide wide(const IpAddress& a) {
    return a.is_v4() ? Wide{a.v4_host()} : Wide{a.high()} << 64 | a.low();
}

std::optional<IpAddress> address_of(const std::string& text, bool v6) {
    const auto address = IpAddress::parse(text);
    if (!address || address->is_v4() == v6) return std::nullopt;
    return *address;
}

std::optional<Range> network(const std::string& text, bool v6) {
    const size_t slash = text.find('/');
    const auto address = address_of(text.substr(0, slash), v6);
    if (!address) return std::nullopt;
    unsigned length = v6 ? 128 : 32;
    if (slash != text.npos) {
        const std::string mask = text.substr(slash + 1);
        if (const auto bits = number_of(mask, length)) {
            length = static_cast<unsigned>(*bits);
        } else {
            const auto dotted = address_of(mask, v6);
            if (!dotted || v6) return std::nullopt;
            const uint32_t m = dotted->v4_host();
            if ((~m & (~m + 1)) != 0) return std::nullopt;  // holes in the mask
            length = static_cast<unsigned>(std::popcount(m));
        }
    }
    const Prefix p{*address, static_cast<uint8_t>(length)};
    return Range{wide(p.first()), wide(p.last())};
}

}  // namespace ravelin::import
