// SPDX-License-Identifier: Apache-2.0
#include "tests/oracle/differences.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace ravelin::oracle {
namespace {

using Kind = Outcome::Kind;

constexpr uint8_t kFin = 1, kSyn = 2, kRst = 4, kAck = 16;

bool dropped_by(const Observation& o, std::string_view name) {
    return o.drop.find(name) != std::string::npos;
}
bool kernel_let(const Observation& o) { return o.kernel.kind == Kind::kForwarded; }
bool ravelin_let(const Observation& o) { return o.ravelin.kind == Kind::kForwarded; }
bool looser(const Observation& o) { return ravelin_let(o) && !kernel_let(o); }
bool stricter(const Observation& o) { return kernel_let(o) && !ravelin_let(o); }
bool is_tcp(const Observation& o) { return o.facts.protocol == 6 && !o.facts.fragment; }
bool has_flow(const Observation& o) { return o.before != FlowState::none; }
uint8_t flags_of(const Observation& o) { return o.facts.tcp_flags & (kFin | kSyn | kRst | kAck); }

bool same_connection(const FrameFacts& a, const FrameFacts& b) {
    const auto ends = [](const FrameFacts& f) {
        auto x = std::pair{f.source, f.source_port},
             y = std::pair{f.destination, f.destination_port};
        return x < y ? std::pair{x, y} : std::pair{y, x};
    };
    return a.protocol == b.protocol && ends(a) == ends(b);
}
bool after_difference(const Judged& j) {
    return std::ranges::any_of(j.earlier, [&](const Observation& e) {
        return !e.agree() && same_connection(e.facts, j.o.facts);
    });
}

// IPv6 headers, addresses, hop limits: before any rule.
bool time_exceeded(const Outcome& o, bool v4) {
    return o.kind == Kind::kIcmp && o.icmp_type == (v4 ? 11 : 3) && o.icmp_code == 0;
}
bool hop_limit_first(const Judged& j) {
    return j.o.facts.ttl <= 1 && time_exceeded(j.o.kernel, j.o.facts.v4()) && !ravelin_let(j.o);
}
bool odd_address(const Judged& j) {
    constexpr std::array kReasons{
        "parse.source_reserved", "parse.source_unspecified", "parse.destination_unspecified",
        "route.martian",         "route.link_local",         "parse.mapped_address"};
    return j.o.ravelin.kind == Kind::kNothing &&
           std::ranges::any_of(kReasons, [&](const char* r) { return dropped_by(j.o, r); });
}
bool routing_header(const Judged& j) {
    return j.o.facts.routing_zero && dropped_by(j.o, "parse.routing_header_0");
}
bool header_order(const Judged& j) {
    return j.o.facts.late_hop_by_hop && dropped_by(j.o, "parse.extension_order");
}
bool authentication(const Judged& j) { return j.o.facts.authentication && !j.o.facts.v4(); }
bool atomic(const Judged& j) {
    return j.o.mangled && j.o.facts.fragment_header && !j.o.facts.fragment;
}
bool zero_checksum(const Judged& j) {
    return !j.o.facts.v4() && j.o.facts.protocol == 17 && j.o.facts.checksum == 0 &&
           dropped_by(j.o, "parse.bad_l4_checksum");
}

// Protocols.
bool sctp(const Judged& j) { return j.o.facts.protocol == 132 && looser(j.o); }
bool other_icmp(const Judged& j) {
    return j.o.facts.protocol == (j.o.facts.v4() ? 58 : 1) && looser(j.o);
}
bool refused_silently(const Observation& o) {
    return o.kernel.kind == Kind::kNothing && o.ravelin.kind == Kind::kIcmp &&
           dropped_by(o, "firewall.reject");
}
bool reject_other(const Judged& j) {
    const uint8_t p = j.o.facts.protocol;
    return refused_silently(j.o) && p != 6 && p != 17 && !j.o.facts.icmp();
}
// include/uapi/linux/icmp.h: NR_ICMP_TYPES is 18; 1, 2, 6, 7, 9 and 10 have no handler.
bool reject_unassigned(const Judged& j) {
    const uint8_t t = j.o.facts.icmp_type;
    return refused_silently(j.o) && j.o.facts.icmp() && j.o.facts.v4() &&
           (t == 1 || t == 2 || t == 6 || t == 7 || t == 9 || t == 10 || t > 18);
}

// ICMP errors.
bool quoted_sequence(const Judged& j) {
    const bool known = j.o.facts.quoted && j.o.facts.quotes_tcp;
    return known && (dropped_by(j.o, "icmp_unrelated") || looser(j.o));
}
bool not_under_way(const Judged& j) {
    if (!j.o.facts.quoted || j.o.facts.quotes_tcp) return false;
    const auto& pair = *j.o.facts.quoted;
    const bool sent = std::ranges::any_of(j.earlier, [&](const Observation& e) {
        return e.facts.source == pair.first && e.facts.destination == pair.second &&
               kernel_let(e) && !e.facts.quoted;
    });
    return !sent && (dropped_by(j.o, "icmp_unrelated") || looser(j.o));
}

// Fragments.
bool fragment_tiny(const Judged& j) {
    return j.o.facts.fragment && dropped_by(j.o, "parse.fragment_tiny") && !ravelin_let(j.o);
}
bool fragments_unjoined(const Judged& j) {
    return j.o.facts.fragment && !j.c.reassemble && !j.o.whole && !kernel_let(j.o) &&
           j.o.ravelin.kind == Kind::kPartial;
}

// TCP.
bool asks_for_invalid(const Case& c) {
    return std::ranges::any_of(
        c.rules, [](const std::string& r) { return r.find("invalid") != std::string::npos; });
}
bool mid_stream(const Judged& j) {
    return is_tcp(j.o) && j.c.loose && !has_flow(j.o) && (flags_of(j.o) & kSyn) == 0 &&
           !kernel_let(j.o) && (j.o.ravelin.kind == Kind::kNothing || asks_for_invalid(j.c));
}
bool until_answered(const Judged& j) {
    constexpr std::array kByPacket{"hop-limit:", "ttl:", "dscp:", "length:", "tcp-flags:"};
    const bool by_packet = std::ranges::any_of(j.c.rules, [&](const std::string& r) {
        return std::ranges::any_of(
            kByPacket, [&](const char* word) { return r.find(word) != std::string::npos; });
    });
    return by_packet && has_flow(j.o) && looser(j.o);
}
bool tcp_consequence(const Judged& j) { return is_tcp(j.o) && after_difference(j); }
bool syn_challenged(const Judged& j) {
    return is_tcp(j.o) && flags_of(j.o) == kSyn && has_flow(j.o) && looser(j.o);
}
bool syn_ack(const Judged& j) {
    return is_tcp(j.o) && flags_of(j.o) == (kSyn | kAck) && has_flow(j.o) && looser(j.o);
}
bool finished(const Judged& j) {
    const bool seen = std::ranges::any_of(
        j.earlier, [&](const Observation& e) { return same_connection(e.facts, j.o.facts); });
    const bool gone = !has_flow(j.o) && seen && dropped_by(j.o, "firewall.tcp_no_flow");
    const bool closed = j.o.before == FlowState::tcp_closed && !ravelin_let(j.o);
    return is_tcp(j.o) && (gone || closed);
}
bool before_answer(const Judged& j) {
    return is_tcp(j.o) && j.o.before == FlowState::tcp_syn_sent && stricter(j.o) &&
           dropped_by(j.o, "firewall.tcp_state");
}
bool half_open_answer(const Judged& j) {
    return is_tcp(j.o) && j.o.before == FlowState::tcp_syn_sent && looser(j.o) &&
           (flags_of(j.o) & kSyn) == 0 && (flags_of(j.o) & kAck) != 0;
}
bool reset_checked(const Judged& j) {
    return is_tcp(j.o) && (flags_of(j.o) & kRst) != 0 && stricter(j.o) &&
           dropped_by(j.o, "firewall.tcp_window");
}
bool reset_passed(const Judged& j) {
    return is_tcp(j.o) && (flags_of(j.o) & kRst) != 0 && looser(j.o) && has_flow(j.o);
}
bool window_stricter(const Judged& j) {
    return is_tcp(j.o) && (flags_of(j.o) & (kRst | kAck)) == kAck && stricter(j.o) &&
           dropped_by(j.o, "firewall.tcp_window");
}
bool window_looser(const Judged& j) {
    const uint8_t flags = flags_of(j.o);
    const bool both = has_flow(j.o) && j.o.before != FlowState::tcp_syn_sent;
    return is_tcp(j.o) && both && (flags & (kRst | kSyn)) == 0 && looser(j.o);
}

constexpr std::array kDifferences{
    Difference{"hop-limit-before-rules", hop_limit_first},
    Difference{"odd-addresses", odd_address},
    Difference{"routing-header-0", routing_header},
    Difference{"extension-order", header_order},
    Difference{"authentication-header", authentication},
    Difference{"atomic-fragment", atomic},
    Difference{"udp6-zero-checksum", zero_checksum},
    Difference{"sctp", sctp},
    Difference{"icmp-of-the-other-family", other_icmp},
    Difference{"reject-other-protocols", reject_other},
    Difference{"reject-unassigned-icmp", reject_unassigned},
    Difference{"icmp-quoted-sequence", quoted_sequence},
    Difference{"icmp-not-under-way", not_under_way},
    Difference{"fragment-tiny", fragment_tiny},
    Difference{"fragments-unjoined", fragments_unjoined},
    Difference{"until-answered", until_answered},
    Difference{"tcp-mid-stream", mid_stream},
    Difference{"tcp-consequence", tcp_consequence},
    Difference{"tcp-syn-challenged", syn_challenged},
    Difference{"tcp-half-open-answer", half_open_answer},
    Difference{"tcp-syn-ack", syn_ack},
    Difference{"tcp-before-answer", before_answer},
    Difference{"tcp-finished", finished},
    Difference{"tcp-reset-checked", reset_checked},
    Difference{"tcp-reset-passed", reset_passed},
    Difference{"tcp-window-stricter", window_stricter},
    Difference{"tcp-window-looser", window_looser},
};

std::string_view state_word(FlowState state) {
    switch (state) {
        case FlowState::none:
            return "none";
        case FlowState::tcp_syn_sent:
            return "syn_sent";
        case FlowState::tcp_syn_received:
            return "syn_received";
        case FlowState::tcp_established:
            return "established";
        case FlowState::tcp_fin_wait:
            return "fin_wait";
        case FlowState::tcp_close_wait:
            return "close_wait";
        case FlowState::tcp_last_ack:
            return "last_ack";
        case FlowState::tcp_time_wait:
            return "time_wait";
        case FlowState::tcp_closed:
            return "closed";
        default:
            return "datagram";
    }
}

std::string what(const FrameFacts& f) {
    std::string out = f.v4() ? "" : "v6 ";
    if (f.fragment) return out + fmt::format("fragments of proto {}", f.protocol);
    if (f.protocol == 6) {
        constexpr std::array kNames{"fin", "syn", "rst", "psh", "ack", "urg"};
        out += "tcp";
        for (size_t i = 0; i < kNames.size(); ++i)
            if ((f.tcp_flags >> i & 1) != 0 && i != 3) out += fmt::format(" {}", kNames[i]);
        return out;
    }
    if (f.icmp()) return out + fmt::format("icmp {}", f.icmp_type);
    return out + fmt::format("proto {}", f.protocol);
}

}  // namespace

std::span<const Difference> known_differences() { return kDifferences; }

const Difference* explain(const Judged& j) {
    for (const Difference& d : kDifferences)
        if (d.is(j)) return &d;
    return nullptr;
}

std::string signature(const Observation& o) {
    return fmt::format("{}{}: kernel {}, ravelin {}{}{}, flow {}", what(o.facts),
                       o.facts.fragment ? (o.whole ? " whole" : " not whole") : "", o.kernel.text(),
                       o.ravelin.text(), o.drop.empty() ? "" : fmt::format(" ({})", o.drop),
                       o.mangled ? ", other bytes" : "", state_word(o.before));
}

}  // namespace ravelin::oracle
