// SPDX-License-Identifier: Apache-2.0
#include "pipelines/stages/firewall_rule_reader.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "dataplane/net/headers.h"
#include "dataplane/verdict.h"
#include "pipelines/stages/firewall_schema.h"

namespace ravelin::firewall {
namespace {

struct ProtocolWord {
    std::string_view word;
    uint8_t number;
};
constexpr std::array<ProtocolWord, 10> kProtocols{{
    {"tcp", net::kTcp},
    {"udp", net::kUdp},
    {"icmp", net::kIcmp},
    {"icmp6", net::kIcmpv6},
    {"sctp", net::kSctp},
    {"esp", net::kEsp},
    {"ah", net::kAh},
    {"gre", 47},
    {"igmp", net::kIgmp},
    {"ospf", 89},
}};
constexpr uint8_t kVrrp = 112;
// What a rule without `state` takes; a packet that fits no flow needs to be asked for.
constexpr uint8_t kUsualStates = kStateNew | kStateEstablished | kStateRelated | kStateUntracked;

std::optional<uint8_t> byte_of(std::string_view text) {
    uint8_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

}  // namespace

std::optional<uint8_t> protocol_of(std::string_view text) {
    for (const ProtocolWord& p : kProtocols)
        if (p.word == text) return p.number;
    if (text == "vrrp") return kVrrp;
    return byte_of(text);
}

namespace {

bool holds(const std::vector<uint8_t>& list, uint8_t value) {
    return std::ranges::find(list, value) != list.end();
}

// Reads one rule's members into a NamedRule. Each step either fills its part or explains.
class RuleReader {
  public:
    RuleReader(const config::Node& node, const std::vector<std::string>& ports)
        : node_(node), ports_(ports) {}

    Result<NamedRule> read() {
        out_.name = node_["name"].as_text();
        out_.action = action_of(node_["action"]);
        out_.stateful = node_["stateful"].is_null() || node_["stateful"].as_bool();
        out_.log = node_["log"].as_bool();
        out_.principal = node_["principal"].as_text();
        out_.hop_limit = static_cast<uint8_t>(node_["hop-limit"].as_integer());
        out_.matches = !node_["disabled"].as_bool();
        for (const auto step : {&RuleReader::ports, &RuleReader::addresses, &RuleReader::protocols,
                                &RuleReader::transport, &RuleReader::icmp, &RuleReader::states,
                                &RuleReader::live, &RuleReader::extra, &RuleReader::proxy})
            if (auto s = (this->*step)(); !s) return std::move(s.error());
        return std::move(out_);
    }

    static Action action_of(const config::Node& node) {
        return static_cast<Action>(std::ranges::find(kActionWords, node.as_text()) -
                                   kActionWords.begin());
    }

  private:
    // A set that is given but empty (a block list without entries) matches nothing; the classifier
    // takes an empty one for "any".
    void note_empty(std::string_view member, bool empty) {
        if (node_.has(member) && empty && !is_live(member)) out_.matches = false;
    }
    [[nodiscard]] bool is_live(std::string_view member) const {
        return node_[member].names_live_set();
    }
    [[nodiscard]] std::vector<Prefix> prefixes(std::string_view member) const {
        return is_live(member) ? std::vector<Prefix>{} : node_[member].as_prefixes();
    }
    // A live set of ports restricts a rule to protocols that have some, as every port does.
    [[nodiscard]] std::vector<config::PortRange> port_ranges(std::string_view member,
                                                             std::string_view pair) const {
        if (node_.has(member) && !is_live(member)) return node_[member].as_ports();
        if (is_live(member) || is_live(pair)) return {config::PortRange{0, 65535}};
        return {};
    }

    Status live() {
        for (size_t i = 0; i < kLiveMembers.size(); ++i)
            if (is_live(kLiveMembers[i].name))
                out_.live.push_back(
                    {static_cast<LiveField>(i), node_[kLiveMembers[i].name].as_text().substr(1)});
        return ok_status();
    }

    Status ports() {
        ClassifierRule& r = out_.rule;
        for (const auto& [member, to] : {std::pair{"in", &r.in_ports}, {"out", &r.out_ports}}) {
            for (const std::string& name : node_[member].as_names()) {
                const auto at = std::ranges::find(ports_, name);
                const bool out = to == &r.out_ports;
                if (name == "local" && out)
                    to->push_back(kLocalPort);
                else if (at != ports_.end())
                    to->push_back(static_cast<uint16_t>(at - ports_.begin()));
                else
                    return Error{fmt::format("{}: found '{}', expected {}{}", member, name,
                                             fmt::join(ports_, ", "), out ? " or local" : "")};
            }
            note_empty(member, to->empty());
        }
        return ok_status();
    }

    Status addresses() {
        ClassifierRule& r = out_.rule;
        r.sources = prefixes("from");
        r.destinations = prefixes("to");
        note_empty("from", r.sources.empty());
        note_empty("to", r.destinations.empty());
        const std::string& family = node_["family"].as_text();
        if (!family.empty()) r.family = family == "ip4" ? 4 : 6;
        const auto can_be = [&](bool v4) {
            const auto any = [&](const std::vector<Prefix>& set) {
                return set.empty() ||
                       std::ranges::any_of(set, [&](const Prefix& p) { return p.is_v4() == v4; });
            };
            return r.family != (v4 ? 6 : 4) && any(r.sources) && any(r.destinations);
        };
        if (!can_be(true) && !can_be(false))
            return Error{"can match nothing: from, to and family have no IP version in common"};
        return ok_status();
    }

    Status protocols() {
        std::vector<uint8_t>& to = out_.rule.protocols;
        const auto names = node_["protocol"].as_names();
        for (const std::string& name : names) {
            if (name == "any") {
                to.clear();
                return ok_status();
            }
            const auto number = protocol_of(name);
            if (!number)
                return Error{
                    fmt::format("protocol: found '{}', expected tcp, udp, icmp, icmp6, sctp, "
                                "esp, ah, gre, igmp, ospf, vrrp, any or 0 to 255",
                                name)};
            to.push_back(*number);
        }
        note_empty("protocol", to.empty());
        return ok_status();
    }

    Status transport() {
        ClassifierRule& r = out_.rule;
        r.source_ports = port_ranges("from-ports", "from-endpoint");
        r.destination_ports = port_ranges("to-ports", "to-endpoint");
        note_empty("from-ports", r.source_ports.empty());
        note_empty("to-ports", r.destination_ports.empty());
        const bool wanted = !r.source_ports.empty() || !r.destination_ports.empty();
        const auto has_ports = [](uint8_t p) {
            return p == net::kTcp || p == net::kUdp || p == net::kSctp;
        };
        if (wanted && !r.protocols.empty() && std::ranges::none_of(r.protocols, has_ports))
            return Error{"from-ports and to-ports need protocol tcp, udp or sctp"};
        return ok_status();
    }

    Status icmp() {
        std::vector<uint8_t> numbers;
        for (const std::string& text : node_["icmp-type-numbers"].as_names()) {
            const auto number = byte_of(text);
            if (!number)
                return Error{fmt::format("icmp-type-numbers: found '{}', expected 0 to 255", text)};
            numbers.push_back(*number);
        }
        const auto words = static_cast<uint64_t>(node_["icmp-types"].as_integer());
        const bool given = node_.has("icmp-types") || node_.has("icmp-type-numbers");
        if (!given) return ok_status();
        if (words == 0 && numbers.empty()) out_.matches = false;
        return place_icmp(words, numbers);
    }

    Status place_icmp(uint64_t words, const std::vector<uint8_t>& numbers) {
        ClassifierRule& r = out_.rule;
        const bool any = r.protocols.empty();
        const bool v4 = (any || holds(r.protocols, net::kIcmp)) && r.family != 6;
        const bool v6 = (any || holds(r.protocols, net::kIcmpv6)) && r.family != 4;
        if (!v4 && !v6) return Error{"icmp-types need protocol icmp or icmp6 of the rule's family"};
        std::vector<uint8_t> types4 = v4 ? numbers : std::vector<uint8_t>{};
        std::vector<uint8_t> types6 = v6 ? numbers : std::vector<uint8_t>{};
        for (size_t i = 0; i < kIcmpTypes.size(); ++i) {
            if ((words >> i & 1) == 0) continue;
            if (v4 && kIcmpTypes[i].icmp >= 0)
                types4.push_back(static_cast<uint8_t>(kIcmpTypes[i].icmp));
            if (v6 && kIcmpTypes[i].icmp6 >= 0)
                types6.push_back(static_cast<uint8_t>(kIcmpTypes[i].icmp6));
        }
        if (types4.empty() && types6.empty() && out_.matches)
            return Error{"icmp-types: none of them exists in the rule's protocol"};
        r.protocols = {types4.empty() ? uint8_t{net::kIcmpv6} : uint8_t{net::kIcmp}};
        r.icmp_types = types4.empty() ? types6 : types4;
        if (!types4.empty()) out_.icmp6_types = types6;
        return ok_status();
    }

    Status states() {
        if (!node_.has("state")) {
            out_.rule.states = kUsualStates;
            return ok_status();
        }
        out_.rule.states = static_cast<uint8_t>(node_["state"].as_integer());
        if (out_.rule.states == 0) out_.matches = false;
        if (out_.rule.states == kStateEstablished && out_.action != Action::kAccept)
            return Error{
                "state: packets of an accepted flow meet no rule, so established cannot be denied"};
        return ok_status();
    }

    Status extra() {
        auto read = read_extra(node_);
        if (!read) return std::move(read.error());
        out_.extra = std::move(*read);
        out_.window = node_["tcp-window"].as_text();
        note_empty("dscp", out_.extra.conditions.dscp == 0);
        return out_.extra.conditions.tcp_mask != 0 ? tcp_only("tcp-flags need") : ok_status();
    }

    Status proxy() {
        auto read = read_syn_proxy(node_);
        if (!read) return std::move(read.error());
        out_.proxy = *read;
        return out_.proxy ? tcp_only("syn-proxy needs") : ok_status();
    }

    Status tcp_only(std::string_view what) {
        std::vector<uint8_t>& protocols = out_.rule.protocols;
        if (!protocols.empty() && !holds(protocols, net::kTcp))
            return Error{fmt::format("{} protocol tcp", what)};
        protocols = {net::kTcp};
        return ok_status();
    }

    const config::Node& node_;
    const std::vector<std::string>& ports_;
    NamedRule out_;
};

}  // namespace

Result<NamedRule> read_rule(const config::Node& node, const std::vector<std::string>& port_names) {
    return RuleReader(node, port_names).read();
}

}  // namespace ravelin::firewall
