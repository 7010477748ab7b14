// SPDX-License-Identifier: Apache-2.0
// The grammar: [option=...]* protocol endpoint > endpoint [option=... | word]*, ARP's sentences,
// and the quoted packet of an ICMP error in parentheses.
#include "dataplane/net/packet_text.h"

#include "dataplane/limits.h"
#include "dataplane/net/packet_options.h"
#include "dataplane/net/packet_spec.h"
#include "dataplane/net/packet_tokens.h"

namespace ravelin {
namespace {

using net::PacketSpec;
using net::Token;
using net::unexpected;
using Kind = PacketSpec::Kind;

struct KindName {
    std::string_view name;
    Kind kind;
};
constexpr KindName kKinds[]{{"tcp", Kind::kTcp},     {"udp", Kind::kUdp}, {"icmp", Kind::kIcmp},
                            {"icmp6", Kind::kIcmp6}, {"ip", Kind::kIp},   {"arp", Kind::kArp}};
constexpr std::string_view kExpectedKind = "tcp, udp, icmp, icmp6, ip, arp, raw=HEX or ether=TYPE";
constexpr unsigned kMaxQuotes = 3;  // an error about an error is already wrong

class Parser {
  public:
    Parser(std::vector<Token> words, size_t end) : words_(std::move(words)), end_{"", end} {}

    Result<PacketSpec> packet(unsigned depth) {
        PacketSpec spec;
        if (auto s = words(spec, depth); !s) return s.error();
        if (auto s = complete(spec); !s) return s.error();
        return spec;
    }
    [[nodiscard]] bool done() const { return next_ == words_.size(); }
    [[nodiscard]] const Token& peek() const { return done() ? end_ : words_[next_]; }

  private:
    const Token& take() { return done() ? end_ : words_[next_++]; }

    Status words(PacketSpec& spec, unsigned depth) {
        while (!done() && peek().text != ")")
            if (auto s = word(spec, depth); !s) return s;
        return ok_status();
    }

    Status word(PacketSpec& spec, unsigned depth) {
        const Token& token = take();
        if (token.key() == "raw" || token.key() == "ether") return link_layer(spec, token);
        if (token.has_value()) return net::apply_option(spec, token);
        if (token.text == "quoting") return quote(spec, token, depth);
        const auto known = net::apply_word(spec, token);
        if (!known) return known.error();
        if (*known) return ok_status();
        if (spec.kind == Kind::kUnset) return protocol(spec, token);
        const bool wants_endpoints = spec.kind != Kind::kArp && spec.kind != Kind::kRaw &&
                                     spec.kind != Kind::kEther && !spec.has_endpoints;
        if (wants_endpoints) return endpoints(spec, token);
        return unexpected(token, "an option, a flag or the end");
    }

    Status link_layer(PacketSpec& spec, const Token& token) {
        if (spec.kind != Kind::kUnset || !token.has_value())
            return unexpected(token, kExpectedKind);
        if (token.key() == "raw") {
            auto bytes = net::hex_bytes(token, token.value());
            if (!bytes) return bytes.error();
            if (bytes->size() > limits::kMaxFrame)
                return unexpected(token, "no more than a jumbo frame");
            spec.kind = Kind::kRaw;
            spec.payload = std::move(*bytes);
            return ok_status();
        }
        const auto type = net::number(token, token.value(), 0xffff);
        if (!type) return type.error();
        spec.kind = Kind::kEther;
        spec.ethertype = static_cast<uint16_t>(*type);
        return ok_status();
    }

    Status protocol(PacketSpec& spec, const Token& token) {
        for (const KindName& k : kKinds)
            if (k.name == token.text) spec.kind = k.kind;
        if (spec.kind == Kind::kUnset) return unexpected(token, kExpectedKind);
        return spec.kind == Kind::kArp ? arp(spec) : ok_status();
    }

    Status endpoints(PacketSpec& spec, const Token& from) {
        if (auto s = endpoint(spec, from, spec.source, spec.source_port); !s) return s;
        if (const Token& arrow = take(); arrow.text != ">") return unexpected(arrow, "'>'");
        const Token& to = take();
        if (auto s = endpoint(spec, to, spec.destination, spec.destination_port); !s) return s;
        if (spec.source.is_v4() != spec.destination.is_v4())
            return unexpected(to, spec.source.is_v4() ? "an IPv4 address" : "an IPv6 address");
        spec.has_endpoints = true;
        return ok_status();
    }

    static Status endpoint(const PacketSpec& spec, const Token& token, IpAddress& address,
                           uint16_t& port) {
        const bool has_ports = spec.kind == Kind::kTcp || spec.kind == Kind::kUdp;
        const std::string_view expected = has_ports
                                              ? "an endpoint like 192.0.2.1:80 or [2001:db8::1]:80"
                                              : "an IPv4 or IPv6 address";
        std::string_view host = token.text;
        if (auto whole = IpAddress::parse(host); whole) {  // ports may go unsaid in fragments
            address = *whole;
            return ok_status();
        }
        const size_t colon = host.rfind(':');
        if (!has_ports || colon == std::string_view::npos) return unexpected(token, expected);
        const auto value = net::number(token, host.substr(colon + 1), 0xffff);
        if (!value) return value.error();
        host = host.substr(0, colon);
        const bool brackets = host.starts_with('[') && host.ends_with(']');
        if (brackets) host = host.substr(1, host.size() - 2);
        const auto parsed = IpAddress::parse(host);
        if (!parsed || brackets == parsed->is_v4()) return unexpected(token, expected);
        address = *parsed;
        port = static_cast<uint16_t>(*value);
        return ok_status();
    }

    Result<IpAddress> ipv4() {
        const Token& token = take();
        const auto address = IpAddress::parse(token.text);
        if (!address || !address->is_v4()) return unexpected(token, "an IPv4 address");
        return *address;
    }

    Status keyword(std::string_view word) {
        const Token& token = take();
        if (token.text != word) return unexpected(token, "'" + std::string(word) + "'");
        return ok_status();
    }

    /// who-has TARGET tell SENDER | SENDER is-at MAC [to TARGET]
    Status arp(PacketSpec& spec) {
        spec.arp_reply = peek().text != "who-has";
        if (!spec.arp_reply) take();
        auto first = ipv4();
        if (!first) return first.error();
        if (auto s = keyword(spec.arp_reply ? "is-at" : "tell"); !s) return s;
        spec.has_endpoints = true;
        if (!spec.arp_reply) {
            spec.destination = *first;
            return assign(spec.source);
        }
        spec.source = spec.destination = *first;
        const Token& mac = take();
        const auto parsed = MacAddress::parse(mac.text);
        if (!parsed) return unexpected(mac, "a MAC address like 02:00:5e:10:00:01");
        spec.link_address = *parsed;
        if (peek().text != "to") return ok_status();
        take();
        return assign(spec.destination);
    }

    Status assign(IpAddress& to) {
        auto address = ipv4();
        if (!address) return address.error();
        to = *address;
        return ok_status();
    }

    Status quote(PacketSpec& spec, const Token& token, unsigned depth) {
        if (depth == kMaxQuotes)
            return unexpected(token, "no more than three quotes in each other");
        if (auto s = keyword("("); !s) return s;
        auto inner = packet(depth + 1);
        if (!inner) return inner.error();
        if (inner->kind == Kind::kArp || inner->kind == Kind::kRaw || inner->kind == Kind::kEther)
            return unexpected(token, "a quoted IP packet");
        spec.quoted = {std::move(*inner)};
        return keyword(")");
    }

    Status complete(PacketSpec& spec) {
        const bool link = spec.kind == Kind::kRaw || spec.kind == Kind::kEther;
        if (spec.kind == Kind::kUnset) return unexpected(peek(), kExpectedKind);
        if (!link && !spec.has_endpoints)
            return unexpected(peek(), "endpoints like 192.0.2.1 > 192.0.2.2");
        const bool v4 = spec.source.is_v4();
        if (spec.kind == Kind::kIcmp && !v4)
            return unexpected(peek(), "IPv4 addresses; icmp6 takes IPv6");
        if (spec.kind == Kind::kIcmp6 && v4)
            return unexpected(peek(), "IPv6 addresses; icmp takes IPv4");
        if (v4 && !spec.extensions.empty())
            return unexpected(peek(), "extension headers only with IPv6");
        if (spec.fragment.value_or(0) % 8 != 0)
            return unexpected(peek(), "frag= in multiples of 8");
        return ok_status();
    }

    std::vector<Token> words_;
    Token end_;
    size_t next_ = 0;
};

}  // namespace

Result<ParsedPacket> parse_packet_text(std::string_view text, const PacketTextDefaults& defaults) {
    auto words = net::split_words(text);
    if (!words) return words.error();
    Parser parser(std::move(*words), text.size() + 1);
    auto spec = parser.packet(0);
    if (!spec) return spec.error();
    if (!parser.done()) return unexpected(parser.peek(), "the end");
    ParsedPacket out{spec->port.empty() ? defaults.port : spec->port,
                     net::build_frame(*spec, defaults)};
    if (out.frame.size() > limits::kMaxFrame)
        return Error{"the frame has " + std::to_string(out.frame.size()) +
                     " bytes, more than a jumbo frame"};
    return out;
}

}  // namespace ravelin
