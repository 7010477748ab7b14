// SPDX-License-Identifier: Apache-2.0
#include "pipelines/stages/route_sources.h"

namespace ravelin {

OwnAddresses::OwnAddresses(const std::vector<PortPolicy>& ports) {
    for (const PortPolicy& port : ports)
        for (const Prefix& own : port.addresses) {
            add(own.address, Kind::kHost);
            if (own.is_v4() && own.length < 31)  // RFC 3021: /31 has no broadcast
                add(own.last(), Kind::kBroadcast);
        }
}

void OwnAddresses::add(const IpAddress& address, Kind kind) {
    filter_[bit(address) / 64] |= uint64_t{1} << (bit(address) % 64);
    entries_.push_back({address, kind});
}

OwnAddresses::Kind OwnAddresses::search(const IpAddress& address) const noexcept {
    for (const Entry& entry : entries_)
        if (entry.address == address) return entry.kind;
    return Kind::kNone;
}

bool is_special_source(const IpAddress& address) noexcept {
    if (address.is_v4()) {
        const uint32_t host = address.v4_host(), block = host >> 8;
        // 192.0.0.0/24, but for DS-Lite (/29), the dummy address (.8) and anycast (.9, .10).
        if (block == 0xc00000) return (host & 0xff) > 10;
        return block == 0xc00002 || block == 0xc63364 || block == 0xcb0071;  // TEST-NET-1 to 3
    }
    const uint64_t high = address.high();
    return high >> 32 == 0x20010db8 ||  // 2001:db8::/32, documentation
           high >> 44 == 0x3fff0 ||     // 3fff::/20, documentation (RFC 9637)
           high >> 36 == 0x2001001;     // 2001:10::/28, ORCHID (RFC 4843, ended 2014)
}

}  // namespace ravelin
