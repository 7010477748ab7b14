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
    filter_[bit(address) / 32] |= uint32_t{1} << (bit(address) % 32);
    entries_.push_back({address, kind});
}

uint64_t OwnAddresses::may_be(const columns::Column<uint32_t>& hosts, unsigned n) const noexcept {
    uint64_t bits = 0;
#ifdef RAVELIN_LANES
    using namespace lanes;
    const Lanes filter = load(filter_.data());
    for (unsigned i = 0; i < n; i += kLanes) {
        const Lanes at = right(_mm512_mullo_epi32(load(&hosts[i]), all(kFactor)), kShift);
        const Lanes word = _mm512_permutexvar_epi32(right(at, 5), filter);
        const Lanes one = _mm512_sllv_epi32(all(1), mask(at, 31));
        bits |= uint64_t{_mm512_test_epi32_mask(word, one)} << i;
    }
#else
    for (unsigned i = 0; i < n; ++i) {
        const unsigned at = bit(hosts[i]);
        bits |= uint64_t{filter_[at / 32] >> (at % 32) & 1} << i;
    }
#endif
    return bits;
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
