// SPDX-License-Identifier: Apache-2.0
// What the kernel says about routes, put together by hand.
#pragma once
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cstring>
#include <string>
#include <vector>

#include "controlplane/kernel/route_message.h"

namespace ravelin::control {

using Bytes = std::vector<uint8_t>;

/// A netlink message, put together by hand.
class Message {
  public:
    Message(uint16_t type, uint16_t flags, uint32_t sequence = 0) {
        nlmsghdr head{};
        head.nlmsg_type = type;
        head.nlmsg_flags = flags;
        head.nlmsg_seq = sequence;
        put(head);
    }
    template <typename T>
    Message& put(const T& value) {
        return put(&value, sizeof value);
    }
    Message& put(const void* data, size_t length) {
        const auto* from = static_cast<const uint8_t*>(data);
        bytes_.insert(bytes_.end(), from, from + length);
        bytes_.resize((bytes_.size() + 3) / 4 * 4);
        return *this;
    }
    Message& attribute(uint16_t type, const void* data, size_t length) {
        put(rtattr{static_cast<unsigned short>(sizeof(rtattr) + length), type});
        return put(data, length);
    }
    Message& number(uint16_t type, uint32_t value) { return attribute(type, &value, 4); }
    Message& address(uint16_t type, const std::string& text) {
        const IpAddress a = *IpAddress::parse(text);
        return a.is_v4() ? attribute(type, a.bytes.data() + 12, 4)
                         : attribute(type, a.bytes.data(), 16);
    }
    [[nodiscard]] Bytes done() {
        auto length = static_cast<uint32_t>(bytes_.size());
        std::memcpy(bytes_.data(), &length, 4);
        return bytes_;
    }

  private:
    Bytes bytes_;
};

inline Message route(uint16_t type, const std::string& to, uint8_t protocol, uint16_t flags = 0) {
    const Prefix prefix = *Prefix::parse(to);
    rtmsg head{};
    head.rtm_family = prefix.is_v4() ? AF_INET : AF_INET6;
    head.rtm_dst_len = prefix.length;
    head.rtm_table = RT_TABLE_MAIN;
    head.rtm_protocol = protocol;
    head.rtm_type = RTN_UNICAST;
    Message out(type, flags);
    out.put(head);
    if (prefix.length != 0) out.address(RTA_DST, prefix.address.to_string());
    return out;
}

inline Message plain(uint16_t type, const std::string& to, const std::string& via,
                     uint32_t metric = 20) {
    Message out = route(type, to, 186);
    out.number(RTA_PRIORITY, metric).number(RTA_OIF, 7).address(RTA_GATEWAY, via);
    return out;
}

inline Bytes end_of_dump(uint32_t sequence, uint16_t flags = NLM_F_MULTI) {
    return Message(NLMSG_DONE, flags, sequence).put(int32_t{0}).done();
}

/// By way of 10.0.2.2, as BGP tells it.
inline KernelRoute plain_route(const std::string& to, uint32_t metric = 20) {
    return *decode_route(plain(RTM_NEWROUTE, to, "10.0.2.2", metric).done());
}

inline std::string nth(unsigned n) { return "20." + std::to_string(n) + ".0.0/16"; }

}  // namespace ravelin::control
