// SPDX-License-Identifier: Apache-2.0
// Describer: writes one IP packet, or what ARP says, in the packet language.
#pragma once
#include <fmt/format.h>

#include <span>
#include <string>

#include "dataplane/address.h"
#include "dataplane/bytes.h"
#include "dataplane/net/packet_text.h"

namespace ravelin::net {

class Describer {
  public:
    using View = std::span<const uint8_t>;
    /// `quoted`: an ICMP error's quote, which may be cut short.
    explicit Describer(PacketDetail detail, bool quoted = false)
        : detail_(detail), quoted_(quoted) {}

    /// False where the bytes are no whole packet; text() is then without meaning.
    bool ip(View bytes);
    bool arp(View bytes);
    /// `format` with its arguments, after a space.
    template <typename... Args>
    void add(fmt::format_string<Args...> format, Args&&... args) {
        if (!out_.empty()) out_ += ' ';
        out_ += fmt::format(format, std::forward<Args>(args)...);
    }
    void payload(View bytes);
    [[nodiscard]] const std::string& text() const { return out_; }
    /// Bytes behind the packet: Ethernet padding.
    [[nodiscard]] size_t trailing() const { return trailing_; }

    /// The header at `offset`, or null.
    template <typename T>
    static const T* at(View bytes, size_t offset) {
        static_assert(alignof(T) == 1);
        if (offset + sizeof(T) > bytes.size()) return nullptr;
        return reinterpret_cast<const T*>(bytes.data() + offset);
    }

  private:
    struct Ip {
        IpAddress source, destination;
        uint8_t protocol = 0, ttl = 0, tos = 0;
        uint32_t id = 0, offset = 0;
        bool fragmented = false, more = false, dont_fragment = false;
        bool options = false, router_alert = false, bad_checksum = false;
        std::string extensions = {};
    };
    [[nodiscard]] bool summary() const { return detail_ == PacketDetail::kSummary; }
    void begin(std::string_view protocol, const std::string& from, const std::string& to) {
        add("{} {} > {}", protocol, from, to);
    }
    bool ipv4(View bytes);
    bool ipv6(View bytes);
    bool extension(View bytes, size_t& offset, uint8_t& next);
    bool upper(View bytes);
    void ip_fields();
    bool tcp(View bytes);
    bool udp(View bytes);
    bool icmp(View bytes, bool v6);
    bool neighbour(View bytes, uint8_t type);
    void quote(View bytes);
    void tcp_options(View options);
    void checksum(be16 found, uint64_t sum_with_it, uint64_t pseudo);
    void upper_checksum(View bytes, be16 found, uint8_t protocol);

    PacketDetail detail_;
    bool quoted_;
    Ip ip_;
    std::string out_;
    size_t trailing_ = 0;
};

}  // namespace ravelin::net
