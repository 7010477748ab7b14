// SPDX-License-Identifier: Apache-2.0
#include "dataplane/process/rule_proof.h"

#include <algorithm>
#include <functional>
#include <map>

#include "dataplane/port_policies.h"
#include "dataplane/process/describe.h"
#include "dataplane/process/rule_match.h"
#include "pipelines/stages/firewall_live.h"
#include "pipelines/stages/firewall_policy.h"

namespace ravelin {
namespace {

using firewall::Action;
using firewall::NamedRule;

constexpr unsigned kMostDraws = 384;  // of a rule that does not decide: about a millisecond
constexpr unsigned kEnough = 6;       // packets that met the rule and were denied
constexpr unsigned kOutside = 48;     // packets beside a rule that accepts

/// Takes only some of the packets it is written for, and which is not for a dry run to say.
bool depends_on_rates(const NamedRule& rule) {
    return rule.extra.limit.has_value() || rule.extra.connections.per_source != 0;
}

/// What other rules accept is theirs; the default denies only what they leave.
bool denies_its_own(const NamedRule& rule) {
    return rule.action != Action::kAccept && !depends_on_rates(rule) &&
           rule.name != firewall::kDefaultRule;
}

class Prover {
  public:
    Prover(SparePipeline& spare, const PolicySnapshot& policy, std::vector<NamedRule> rules,
           const Now& now)
        : spare_(spare), policy_(policy), rules_(std::move(rules)), now_(now) {
        for (size_t i = 0; i < rules_.size(); ++i) order_[rules_[i].name] = i;
        order_[std::string(firewall::kDefaultRule)] = rules_.size();
    }
    [[nodiscard]] size_t size() const { return rules_.size() + 1; }

    Result<RuleProof> prove(size_t index, Action otherwise) {
        NamedRule any;
        any.name = firewall::kDefaultRule;
        any.action = otherwise;
        any.slot = firewall::kDefaultSlot;
        const NamedRule& rule = index < rules_.size() ? rules_[index] : any;
        RuleProof out{
            rule.name, std::string(firewall::action_name(rule.action)), Proof::kOff, {}, {}, 0};
        if (!rule.matches) return out;
        // ARP has no classifier key; explain shows what becomes of it.
        if (rule.arp) {
            out.proof = Proof::kUnproved;
            return out;
        }
        PacketMaker maker(policy_, rule.slot);
        Seen seen;
        const MadePacket* met = nullptr;
        for (unsigned draw = 0; draw < kMostDraws && seen.met < kEnough; ++draw) {
            auto packet = maker.draw(rule);
            if (!packet) continue;
            auto tried = spare_.run(policy_, maker.frame(*packet), packet->port, now_);
            if (!tried) return std::move(tried.error());
            ++out.tried;
            note(rule, index, *packet, *tried, seen);
            if (seen.broken) break;
        }
        if (seen.example) met = &*seen.example;
        conclude(rule, maker, seen, out);
        if (met != nullptr && out.proof == Proof::kHolds && rule.action == Action::kAccept)
            if (auto s = prove_outside(rule, *met, maker, out); !s) return std::move(s.error());
        return out;
    }

  private:
    struct Seen {
        unsigned met = 0, passed = 0, denied = 0;
        bool broken = false;
        std::optional<MadePacket> example, passing, denying;
        std::string passed_by, denied_by, broken_by;
    };

    [[nodiscard]] std::string by(const Tried& tried) const {
        return decider(spare_, policy_, tried);
    }
    void note(const NamedRule& rule, size_t index, const MadePacket& packet, const Tried& tried,
              Seen& seen) {
        const bool dropped = tried.verdict == Verdict::kDrop;
        const RuleInfo* by_rule = policy_.rules.find(tried.meta.rule);
        const std::string name = by_rule != nullptr ? by_rule->name : "";
        if (by_rule != nullptr && name == rule.name) {
            if (seen.met++ == 0) seen.example = packet;
            if (rule.action != Action::kAccept && !dropped)
                seen.broken = true, seen.broken_by = by(tried), seen.example = packet;
            return;
        }
        const auto at = order_.find(name);
        const bool later = by_rule != nullptr && at != order_.end() && at->second > index;
        if (!takes(rule, tried.meta)) return;
        if (later && !depends_on_rates(rule) && denied_otherwise(rule, tried)) {
            seen.broken = true, seen.broken_by = name, seen.example = packet;
        } else if (dropped) {
            if (seen.denied++ == 0) seen.denying = packet, seen.denied_by = by(tried);
        } else if (seen.passed++ == 0) {
            seen.passing = packet, seen.passed_by = by(tried);
        }
    }
    /// A packet of the rule was decided by a later one: wrong, unless both deny, when a rule that
    /// only an orphan's state chose may come first.
    static bool denied_otherwise(const NamedRule& rule, const Tried& tried) {
        return (rule.action != Action::kAccept) != (tried.verdict == Verdict::kDrop);
    }

    static void conclude(const NamedRule& rule, const PacketMaker& maker, const Seen& seen,
                         RuleProof& out) {
        const std::optional<MadePacket>* shown = &seen.example;
        if (seen.broken) {
            out.proof = Proof::kBroken;
            out.by = seen.broken_by;
        } else if (seen.met != 0) {
            out.proof = Proof::kHolds;
        } else if (seen.passed != 0 && denies_its_own(rule)) {
            out.proof = Proof::kShadowed;
            out.by = seen.passed_by;
            shown = &seen.passing;
        } else if (depends_on_rates(rule) || seen.passed + seen.denied == 0) {
            out.proof = Proof::kUnproved;
        } else {
            out.proof = Proof::kCovered;
            out.by = seen.denied != 0 ? seen.denied_by : seen.passed_by;
            shown = seen.denied != 0 ? &seen.denying : &seen.passing;
        }
        if (*shown) out.packet = maker.text(**shown);
    }

    /// Packets like one that met the rule, but for one thing the rule asks for.
    Status prove_outside(const NamedRule& rule, const MadePacket& met, PacketMaker& maker,
                         RuleProof& out) {
        for (const MadePacket& packet : outside(rule, met)) {
            auto tried = spare_.run(policy_, maker.frame(packet), packet.port, now_);
            if (!tried) return std::move(tried.error());
            ++out.tried;
            const RuleInfo* by_rule = policy_.rules.find(tried->meta.rule);
            if (by_rule == nullptr || by_rule->name != rule.name) continue;
            out.proof = Proof::kBroken;
            out.by = rule.name;
            out.packet = maker.text(packet);
            return ok_status();
        }
        return ok_status();
    }

    static void beside(const std::vector<Prefix>& set, const IpAddress& now,
                       const std::function<void(const IpAddress&)>& use) {
        for (const Prefix& p : set) {
            if (p.is_v4() != now.is_v4() || p.length == 0) continue;
            // The network that differs in the last bit of the prefix.
            IpAddress sibling = now;
            const unsigned bit = (p.is_v4() ? 96u : 0u) + p.length - 1;
            sibling.bytes[bit / 8] ^= static_cast<uint8_t>(0x80 >> bit % 8);
            const auto inside = [&](const Prefix& other) { return other.contains(sibling); };
            if (std::ranges::none_of(set, inside)) use(sibling);
        }
    }
    static void beside(const std::vector<config::PortRange>& ranges,
                       const std::function<void(uint16_t)>& use) {
        const auto try_it = [&](int port) {
            if (port < 0 || port > 65535) return;
            const auto inside = [&](const config::PortRange& r) {
                return r.low <= port && port <= r.high;
            };
            if (std::ranges::none_of(ranges, inside)) use(static_cast<uint16_t>(port));
        };
        for (const config::PortRange& r : ranges) try_it(r.low - 1), try_it(r.high + 1);
    }
    std::vector<MadePacket> outside(const NamedRule& rule, const MadePacket& met) {
        std::vector<MadePacket> out;
        const auto add = [&](auto change) {
            if (out.size() >= kOutside) return;
            out.push_back(met);
            change(out.back());
        };
        const ClassifierRule& r = rule.rule;
        beside(r.sources, met.spec.source,
               [&](const IpAddress& a) { add([&](MadePacket& p) { p.spec.source = a; }); });
        beside(r.destinations, met.spec.destination,
               [&](const IpAddress& a) { add([&](MadePacket& p) { p.spec.destination = a; }); });
        beside(r.source_ports,
               [&](uint16_t port) { add([&](MadePacket& p) { p.spec.source_port = port; }); });
        beside(r.destination_ports,
               [&](uint16_t port) { add([&](MadePacket& p) { p.spec.destination_port = port; }); });
        for (size_t port = 0; port < policy_.ports.size() && !r.in_ports.empty(); ++port)
            if (std::ranges::find(r.in_ports, port) == r.in_ports.end())
                add([&](MadePacket& p) { p.port = static_cast<PortId>(port); });
        return out;
    }

    SparePipeline& spare_;
    const PolicySnapshot& policy_;
    std::vector<NamedRule> rules_;
    Now now_;
    std::map<std::string, size_t, std::less<>> order_;
};

}  // namespace

std::string_view name_of(Proof proof) {
    static constexpr std::array<std::string_view, 6> kNames{"holds",  "covered", "shadowed",
                                                            "broken", "off",     "unproved"};
    return kNames[static_cast<size_t>(proof)];
}

std::shared_ptr<const config::Node> firewall_config(const PolicySnapshot& policy) {
    const int index = StageRegistry::get().index("firewall");
    const auto step = std::ranges::find(policy.steps, index, &PolicySnapshot::Step::stage);
    if (step == policy.steps.end()) return nullptr;
    const auto& firewall = static_cast<const firewall::FirewallPolicy&>(*step->policy);
    if (firewall.delta == nullptr) return step->config;
    auto edited = firewall::with_edits(*step->config, firewall.delta->edits);
    return edited ? std::make_shared<const config::Node>(std::move(*edited)) : step->config;
}

Result<std::vector<NamedRule>> rules_of(const PolicySnapshot& policy,
                                        const config::Node& firewall_config) {
    return firewall::rules_of(firewall_config, names_of(policy.ports),
                              policy.mode == PolicySnapshot::Mode::kWire);
}

std::string decider(const SparePipeline& spare, const PolicySnapshot& policy, const Tried& tried) {
    if (tried.verdict == Verdict::kDrop && !denied_by_rule(spare, tried))
        return Describer(policy, spare.box().specs()).reason(tried.reason);
    if (const RuleInfo* rule = policy.rules.find(tried.meta.rule)) return rule->name;
    return Describer::verdict(tried.verdict);
}

bool denied_by_rule(const SparePipeline& spare, const Tried& tried) {
    if (tried.verdict != Verdict::kDrop) return false;
    const std::string& name = spare.box().specs()[tried.reason].name;
    return name == "drop.firewall.rule" || name == "drop.firewall.default" ||
           name == "drop.firewall.reject";
}

Result<Proofs> prove_rules(SparePipeline& spare, const PolicySnapshot& policy, uint32_t first,
                           uint64_t budget_ns, Clock clock) {
    const auto config = firewall_config(policy);
    if (config == nullptr) return Error{"the policy in force has no firewall stage"};
    auto rules = rules_of(policy, *config);
    if (!rules) return std::move(rules.error());
    const Now start = clock();
    const std::string& word = (*config)["default"].as_text();
    const Action otherwise = word == "accept"   ? Action::kAccept
                             : word == "reject" ? Action::kReject
                                                : Action::kDrop;
    Prover prover(spare, policy, std::move(*rules), start);
    Proofs out;
    for (uint32_t at = first; at < prover.size(); ++at) {
        auto proof = prover.prove(at, otherwise);
        if (!proof) return std::move(proof.error());
        out.rules.push_back(std::move(*proof));
        if (at + 1 < prover.size() && clock().ns - start.ns >= budget_ns) {
            out.next = at + 1;
            break;
        }
    }
    return out;
}

}  // namespace ravelin
