// SPDX-License-Identifier: Apache-2.0
// From configured rules to a NatPolicy; every refusal says what was expected instead.
#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>

#include "dataplane/net/headers.h"
#include "dataplane/port_policies.h"
#include "dataplane/stage.h"
#include "pipelines/stages/firewall_rule_reader.h"
#include "pipelines/stages/nat_check.h"
#include "pipelines/stages/nat_policy.h"

namespace ravelin::nat {
namespace {

constexpr size_t kMostPrefixes = 4096;  // each is compared with each to join what is known of both
constexpr uint16_t kFirstPort = 1024, kLastPort = 65535;

uint32_t host_mask(const Prefix& prefix) {
    return prefix.length == 0 ? UINT32_MAX : (1u << (32 - prefix.length)) - 1;
}

}  // namespace

class Compiler {
  public:
    explicit Compiler(const CompileContext& context)
        : context_(context), port_names_(names_of(context.snapshot.ports)) {}

    Result<std::shared_ptr<const StagePolicy>> compile(const config::Node& config) {
        std::unordered_set<std::string> names;
        const auto& nodes = config["rules"].items();
        for (size_t i = 0; i < nodes.size(); ++i) {
            const std::string& name = nodes[i]["name"].as_text();
            Status s = ok_status();
            if (!names.insert(name).second)
                s = Error{"name: two rules have it"};
            else if (!nodes[i]["disabled"].as_bool())
                s = add(nodes[i]);
            if (s) count(nodes[i]);
            if (!s) return std::move(s.error()).within(fmt::format("rules[{}] '{}'", i, name));
        }
        std::ranges::sort(policy_->slots_);
        know_ports(NatPolicy::kOwn, {});
        if (auto s = join_known(); !s) return std::move(s.error());
        if (auto s = build(inbound_, policy_->inbound_); !s) return std::move(s.error());
        if (auto s = build(outbound_, policy_->outbound_); !s) return std::move(s.error());
        return std::shared_ptr<const StagePolicy>(std::move(policy_));
    }

  private:
    static uint16_t slot_of(const config::Node& node, std::string_view member) {
        return node.has(member) ? static_cast<uint16_t>(node[member].as_integer())
                                : CompiledRule::kNoSlot;
    }
    // Both halves of a static rule count as one.
    void count(const config::Node& node) {
        const uint16_t slot = slot_of(node, "slot"), fresh = slot_of(node, "new-slot");
        for (; counted_ < policy_->rules_.size(); ++counted_) policy_->rules_[counted_].slot = slot;
        if (slot != CompiledRule::kNoSlot) policy_->slots_.emplace_back(slot, fresh);
    }
    Status add(const config::Node& node) {
        if (auto s = check_rule(node); !s) return s;
        auto read = firewall::read_rule(node, port_names_);
        if (!read) return std::move(read.error());
        ClassifierRule match = std::move(read->rule);
        match.states = 0;
        match.family = 4;
        const bool matches = read->matches;
        if (!matches) return ok_status();  // one of its sets is empty
        switch (kind_of(node)) {
            case Kind::kMasquerade:
            case Kind::kSource:
                return add_source(node, std::move(match));
            case Kind::kDestination:
                return add_destination(node, std::move(match));
            case Kind::kStatic:
                break;
        }
        return add_static(node, std::move(match));
    }

    Status add_source(const config::Node& node, ClassifierRule match) {
        CompiledRule rule{.kind = kind_of(node), .low = kFirstPort, .high = kLastPort};
        if (node.has("ports")) {
            const auto ranges = node["ports"].as_ports();
            if (ranges.size() != 1 || ranges[0].low == 0)
                return Error{"ports: expected one range within 1-65535"};
            rule.low = ranges[0].low;
            rule.high = ranges[0].high;
        }
        if (rule.kind == Kind::kMasquerade) {
            know_ports(NatPolicy::kDynamic, match.out_ports);
        } else {
            rule.pool = node["address"].as_prefixes();
            uint64_t size = 0;
            for (const Prefix& p : rule.pool) {
                size += uint64_t{host_mask(p)} + 1;
                know(p, NatPolicy::kDynamic | NatPolicy::kPublic);
            }
            if (size == 0 || size > UINT16_MAX)
                return Error{
                    fmt::format("address: found {} addresses, expected 1 to {}", size, UINT16_MAX)};
            rule.pool_size = static_cast<uint32_t>(size);
        }
        place(outbound_, std::move(match), policy_->outbound_rules_, std::move(rule));
        return ok_status();
    }

    Status add_destination(const config::Node& node, ClassifierRule match) {
        auto rule = mapping(node, "address", "to");
        if (!rule) return std::move(rule.error());
        if (auto s = refuse_own(node["address"].as_prefixes()); !s) return s;
        if (auto s = new_ports(node, match, *rule); !s) return s;
        const auto to = node["to"].as_prefixes();
        const bool hairpin = node["hairpin"].as_bool();
        // Rules with to-ports take TCP, UDP and SCTP alone.
        const bool shareable =
            match.protocols.empty() || std::ranges::any_of(match.protocols, has_translated_ports);
        const bool whole = match.destination_ports.empty() && shareable;
        for (const Prefix& p : to) know_rule(p, whole, hairpin);
        for (const config::PortRange& range : match.destination_ports)
            for (unsigned port = range.low; port <= range.high; ++port)
                policy_->forwarded_.set(port);
        if (hairpin) match.in_ports.clear();
        place(inbound_, std::move(match), policy_->inbound_rules_, std::move(*rule));
        return ok_status();
    }

    Status add_static(const config::Node& node, ClassifierRule match) {
        auto in = mapping(node, "address", "to");
        if (!in) return std::move(in.error());
        const Prefix to = node["to"].as_prefix(), inner = node["address"].as_prefix();
        if (node["to"].as_prefixes().size() != 1 || to.length != inner.length)
            return Error{fmt::format("address: found {} for {}, expected prefixes of one length",
                                     inner.to_string(), to.to_string())};
        if (auto s = refuse_own({inner}); !s) return s;
        const bool hairpin = node["hairpin"].as_bool();
        know_rule(to, true, hairpin);
        CompiledRule out{
            .kind = Kind::kStatic, .to = to.address.v4_host(), .host_bits = host_mask(to)};
        ClassifierRule leaving;
        leaving.sources = {inner};
        leaving.out_ports = match.in_ports;
        leaving.family = 4;
        place(outbound_, std::move(leaving), policy_->outbound_rules_, std::move(out));
        if (hairpin) match.in_ports.clear();
        place(inbound_, std::move(match), policy_->inbound_rules_, std::move(*in));
        return ok_status();
    }

    /// What the box itself answers leaves with the address it was sent to.
    [[nodiscard]] Status refuse_own(const std::vector<Prefix>& inner) const {
        for (const PortPolicy& port : context_.snapshot.ports)
            for (const Prefix& own : port.addresses)
                if (std::ranges::find(inner, Prefix{own.address, 32}) != inner.end())
                    return Error{fmt::format(
                        "address: found {}, an address of '{}', whose answers are not translated; "
                        "expected a host's",
                        own.address.to_string(), port.name)};
        return ok_status();
    }

    /// All of `from_member` to one address, or a prefix to one of its length bit by bit.
    static Result<CompiledRule> mapping(const config::Node& node, std::string_view to_member,
                                        std::string_view from_member) {
        const auto to = node[to_member].as_prefixes(), from = node[from_member].as_prefixes();
        if (to.size() != 1)
            return Error{fmt::format("{}: found {} prefixes, expected one", to_member, to.size())};
        CompiledRule rule{.kind = kind_of(node), .to = to[0].address.v4_host()};
        if (to[0].length == 32) return rule;
        if (from.size() != 1 || from[0].length != to[0].length)
            return Error{
                fmt::format("{}: found {}, expected one address, or one prefix as long as "
                            "that of `{}`",
                            to_member, to[0].to_string(), from_member)};
        rule.host_bits = host_mask(to[0]);
        return rule;
    }

    static Status new_ports(const config::Node& node, const ClassifierRule& match,
                            CompiledRule& rule) {
        if (!node.has("ports")) return ok_status();
        const auto ranges = node["ports"].as_ports();
        const bool tcp_udp =
            !match.protocols.empty() && std::ranges::all_of(match.protocols, [](uint8_t p) {
                return p == net::kTcp || p == net::kUdp;
            });
        if (!tcp_udp) return Error{"ports: need protocol tcp or udp"};
        if (ranges.size() != 1 || ranges[0].low == 0)
            return Error{"ports: expected one port or range within 1-65535"};
        rule.low = ranges[0].low;
        rule.high = ranges[0].high;
        const auto& from = match.destination_ports;
        const bool alike = from.size() == 1 && from[0].high - from[0].low == rule.high - rule.low;
        if (rule.low != rule.high && !alike)
            return Error{
                fmt::format("ports: found {}-{}, expected one port, or as many as the one "
                            "range of to-ports",
                            rule.low, rule.high)};
        rule.first_port = alike ? from[0].low : uint16_t{0};
        return ok_status();
    }

    void know(const Prefix& prefix, uint32_t what) { known_.push_back({prefix, what}); }
    void know_rule(const Prefix& prefix, bool whole, bool hairpin) {
        uint32_t what = NatPolicy::kRule | NatPolicy::kPublic;
        if (whole) what |= NatPolicy::kWhole;
        if (hairpin) {
            what |= NatPolicy::kHairpin;
            // Whole addresses have no ports to spare: hairpins then leave with the port's address.
            if (whole)
                know_ports(NatPolicy::kDynamic, {});
            else
                what |= NatPolicy::kDynamic;
        }
        know(prefix, what);
    }
    /// The IPv4 addresses of these ports; none named: of all.
    void know_ports(uint32_t what, const std::vector<uint16_t>& ports) {
        for (size_t i = 0; i < context_.snapshot.ports.size(); ++i) {
            if (!ports.empty() && std::ranges::find(ports, i) == ports.end()) continue;
            for (const Prefix& own : context_.snapshot.ports[i].addresses)
                if (own.is_v4()) know({own.address, 32}, what);
        }
    }

    /// Of nested prefixes the longer one is found, so it must know what the others say.
    Status join_known() {
        if (known_.size() > kMostPrefixes)
            return Error{fmt::format("found {} outer prefixes, expected at most {}", known_.size(),
                                     kMostPrefixes)};
        std::vector<LpmEntry> joined = known_;
        for (LpmEntry& entry : joined) {
            for (const LpmEntry& other : known_)
                if (other.prefix.length <= entry.prefix.length &&
                    other.prefix.contains(entry.prefix.address))
                    entry.value |= other.value;
            constexpr uint32_t kClash = NatPolicy::kWhole | NatPolicy::kDynamic;
            if ((entry.value & kClash) == kClash)
                return Error{fmt::format(
                    "{} is translated whole and is also to be the source of other flows; give its "
                    "rule to-ports, or another address to the source",
                    entry.prefix.to_string())};
        }
        auto lpm = Lpm::build(joined);
        if (!lpm) return std::move(lpm.error());
        policy_->addresses_ = std::move(*lpm);
        return ok_status();
    }

    void place(std::vector<ClassifierRule>& list, ClassifierRule match,
               std::vector<uint32_t>& indices, CompiledRule rule) {
        list.push_back(std::move(match));
        indices.push_back(static_cast<uint32_t>(policy_->rules_.size()));
        policy_->rules_.push_back(std::move(rule));
    }
    static Status build(const std::vector<ClassifierRule>& rules, Classifier& out) {
        auto built = Classifier::build(rules);
        if (!built) return std::move(built.error());
        out = std::move(*built);
        return ok_status();
    }

    const CompileContext& context_;
    std::vector<std::string> port_names_;
    std::shared_ptr<NatPolicy> policy_ = std::make_shared<NatPolicy>();
    std::vector<ClassifierRule> inbound_, outbound_;
    std::vector<LpmEntry> known_;
    size_t counted_ = 0;  // rules of the policy that have their slot
};

Result<std::shared_ptr<const StagePolicy>> NatPolicy::compile(const config::Node& config,
                                                              CompileContext& context) {
    if (context.snapshot.mode != PolicySnapshot::Mode::kRouter) return Error{"needs mode: router"};
    const auto before = [&](std::string_view name) {
        return std::ranges::any_of(context.snapshot.steps, [&](const PolicySnapshot::Step& step) {
            return step.stage == StageRegistry::get().index(name);
        });
    };
    if (!before("steer") || before("route") || before("firewall"))
        return Error{"stands in the wrong place; expected it behind steer and before route"};
    name_counters(config, context.rules);
    if (context.unchanged != nullptr) return context.unchanged;
    return Compiler(context).compile(config);
}

}  // namespace ravelin::nat
