// SPDX-License-Identifier: Apache-2.0
#include "dataplane/process/set_check.h"

#include <algorithm>
#include <map>
#include <unordered_set>

#include "dataplane/process/rule_proof.h"
#include "dataplane/stage.h"
#include "pipelines/model/tree_codec.h"
#include "pipelines/stages/firewall_live.h"
#include "pipelines/stages/firewall_policy.h"
#include "pipelines/stages/firewall_rule_reader.h"
#include "pipelines/tables/shadow.h"

namespace ravelin {
namespace {

using firewall::LiveField;
using firewall::LiveRef;
using firewall::NamedRule;

constexpr size_t kTogether = 16;  // elements of a rule that is tried: each is met by some packet

std::vector<std::string> port_names(const PolicySnapshot& policy) {
    std::vector<std::string> out;
    std::ranges::transform(policy.ports, std::back_inserter(out), &PortPolicy::name);
    return out;
}

Prefix prefix_of(const SetElement& e) {
    return {e.first, static_cast<uint8_t>(e.first.is_v4() ? e.low - 96 : e.low)};
}
Prefix host(const IpAddress& address) {
    return {address, static_cast<uint8_t>(address.is_v4() ? 32 : 128)};
}

bool meet(const std::vector<Prefix>& any, const Prefix& one) {
    return any.empty() || std::ranges::any_of(any, [&](const Prefix& p) {
               return p.is_v4() == one.is_v4() &&
                      (p.length <= one.length ? p.contains(one.address) : one.contains(p.address));
           });
}
bool meet(const std::vector<config::PortRange>& any, uint32_t low, uint32_t high) {
    return any.empty() || std::ranges::any_of(any, [&](const config::PortRange& r) {
               return r.low <= high && low <= r.high;
           });
}

/// Whether a packet of the path can have the element where some rule looks for it.
bool meets(const ClassifierRule& path, SetType type, const SetElement& e) {
    const auto end = [&](const Prefix& at, uint32_t low, uint32_t high) {
        return (meet(path.sources, at) && meet(path.source_ports, low, high)) ||
               (meet(path.destinations, at) && meet(path.destination_ports, low, high));
    };
    switch (type) {
        case SetType::kPrefixes:
            return end(prefix_of(e), 0, UINT16_MAX);
        case SetType::kPorts:
            return meet(path.source_ports, e.low, e.high) ||
                   meet(path.destination_ports, e.low, e.high);
        case SetType::kEndpoints:
            return end(host(e.first), e.low, e.low);
        case SetType::kPairs:
            return meet(path.sources, host(e.first)) && meet(path.destinations, host(e.second));
    }
    return true;
}

/// What a change does to one set, as far as it concerns the paths.
struct Turned {
    std::shared_ptr<LiveSet> set;
    std::vector<SetElement> come, gone;
};

class SetCheck {
  public:
    SetCheck(const PolicySnapshot& now, std::vector<NamedRule> paths)
        : now_(now), paths_(std::move(paths)) {}

    void take(const model::LiveChange& change) {
        for (const model::SetChange& one : change.sets())
            for (const auto& set : now_.sets)
                if (set->decl().name == one.set()) take(set, one);
        std::erase_if(turned_, [](const auto& each) {
            return each.second.come.empty() && each.second.gone.empty();
        });
    }
    [[nodiscard]] bool nothing() const { return turned_.empty(); }

    /// The policy in force with the sets as they would be, for packets of the paths.
    Result<std::unique_ptr<PolicySnapshot>> next(const config::Node& firewall_config) {
        auto out = std::make_unique<PolicySnapshot>(now_);
        for (auto& set : out->sets)
            if (const auto at = turned_.find(set->decl().name); at != turned_.end()) {
                auto made = copy(at->second);
                if (!made) return std::move(made.error());
                set = std::move(*made);
            }
        for (PolicySnapshot::Step& step : out->steps) {
            if (step.stage != StageRegistry::get().index("firewall")) continue;
            auto with = std::make_shared<firewall::FirewallPolicy>(
                static_cast<const firewall::FirewallPolicy&>(*step.policy));
            with->sets = out->sets;
            auto made = firewall::rebuild(*with, firewall_config, port_names(now_));
            if (!made) return std::move(made.error());
            step.policy = std::move(*made);
        }
        return out;
    }

    /// Rules with what came, where they deny, and with what went, where they accept, in the place
    /// of their sets; up to where every path is accepted whatever sets hold.
    [[nodiscard]] std::vector<NamedRule> suspects(std::span<const NamedRule> rules) const {
        std::vector<NamedRule> out;
        for (const NamedRule& rule : rules.first(reach(rules)))
            for (const LiveRef& ref : rule.live)
                if (const auto at = turned_.find(ref.set); at != turned_.end() && rule.matches)
                    add(rule, ref.field,
                        rule.action == firewall::Action::kAccept ? at->second.gone
                                                                 : at->second.come,
                        out);
        return out;
    }

  private:
    [[nodiscard]] bool concerns(SetType type, const SetElement& e) const {
        return std::ranges::any_of(
            paths_, [&](const NamedRule& path) { return meets(path.rule, type, e); });
    }
    /// So many rules can be met by a packet of some path.
    [[nodiscard]] size_t reach(std::span<const NamedRule> rules) const {
        size_t most = 0;
        for (const NamedRule& path : paths_) {
            const auto whole = std::ranges::find_if(rules, [&](const NamedRule& rule) {
                return rule.action == firewall::Action::kAccept && rule.exact() &&
                       covers(rule.rule, path.rule);
            });
            most = std::max(most, static_cast<size_t>(whole - rules.begin()));
        }
        return most;
    }
    void take(const std::shared_ptr<LiveSet>& set, const model::SetChange& change) {
        Turned& turned = turned_[set->decl().name];
        turned.set = set;
        const SetType type = set->decl().type;
        if (change.action() == model::SetChange::FLUSH)
            set->for_each([&](const SetElement& e, uint64_t) {
                if (concerns(type, e)) turned.gone.push_back(e);
            });
        const std::string& bytes = change.elements();
        for (size_t i = 0; i + SetElement::kBytes <= bytes.size(); i += SetElement::kBytes) {
            const auto e = SetElement::read(type, bytes.data() + i);
            if (!e || !concerns(type, *e)) continue;
            const bool removes = change.action() == model::SetChange::REMOVE;
            if (removes == set->has(*e)) (removes ? turned.gone : turned.come).push_back(*e);
        }
    }
    /// Of what meets a path.
    [[nodiscard]] Result<std::shared_ptr<LiveSet>> copy(const Turned& turned) const {
        std::unordered_set<std::string> gone;
        for (const SetElement& e : turned.gone) gone.insert(bytes_of(e));
        std::vector<SetElement> after = turned.come;
        turned.set->for_each([&](const SetElement& e, uint64_t) {
            if (concerns(turned.set->decl().type, e) && !gone.contains(bytes_of(e)))
                after.push_back(e);
        });
        SetDecl decl = turned.set->decl();
        decl.size = static_cast<uint32_t>(std::max<size_t>(1, after.size()));
        auto out = LiveSet::create(decl);
        if (!out) return std::move(out.error());
        for (const SetElement& e : after) (*out)->add(e, 0);
        return std::shared_ptr<LiveSet>(std::move(*out));
    }
    static std::string bytes_of(const SetElement& e) {
        std::string out;
        e.append_to(out);
        return out;
    }
    static void add(const NamedRule& rule, LiveField field, std::span<const SetElement> elements,
                    std::vector<NamedRule>& out) {
        const bool both_ends = field == LiveField::kFromEndpoint ||
                               field == LiveField::kToEndpoint || field == LiveField::kFromTo;
        const size_t together = both_ends ? 1 : kTogether;
        for (size_t i = 0; i < elements.size(); i += together) {
            NamedRule& made = out.emplace_back(rule);
            std::erase_if(made.live, [&](const LiveRef& ref) { return ref.field == field; });
            put(elements.subspan(i, std::min(together, elements.size() - i)), field, made.rule);
        }
    }
    static void put(std::span<const SetElement> elements, LiveField field, ClassifierRule& to) {
        const bool source = field == LiveField::kFrom || field == LiveField::kFromPorts ||
                            field == LiveField::kFromEndpoint || field == LiveField::kFromTo;
        auto& addresses = source ? to.sources : to.destinations;
        auto& ports = source ? to.source_ports : to.destination_ports;
        const bool of_ports = field == LiveField::kFromPorts || field == LiveField::kToPorts;
        const bool endpoint = field == LiveField::kFromEndpoint || field == LiveField::kToEndpoint;
        if (of_ports || endpoint) ports.clear();
        for (const SetElement& e : elements) {
            if (field == LiveField::kFrom || field == LiveField::kTo)
                addresses.push_back(prefix_of(e));
            if (of_ports)
                ports.push_back({static_cast<uint16_t>(e.low), static_cast<uint16_t>(e.high)});
            if (endpoint || field == LiveField::kFromTo) addresses.push_back(host(e.first));
            if (endpoint)
                ports.push_back({static_cast<uint16_t>(e.low), static_cast<uint16_t>(e.low)});
            if (field == LiveField::kFromTo) to.destinations.push_back(host(e.second));
        }
    }

    const PolicySnapshot& now_;
    std::vector<NamedRule> paths_;
    std::map<std::string, Turned, std::less<>> turned_;
};

Result<std::vector<NamedRule>> read_paths(const Paths& paths, const PolicySnapshot& now) {
    std::vector<NamedRule> out;
    for (const model::Path& path : paths) {
        auto node = model::decode(path.rule());
        if (!node) return std::move(node.error()).within(path.name());
        auto rule = firewall::read_rule(*node, port_names(now));
        if (!rule) return std::move(rule.error()).within(path.name());
        out.push_back(std::move(*rule));
    }
    return out;
}

}  // namespace

Status paths_pass_sets(const Appliance& box, const PolicySnapshot& now,
                       const model::LiveChange& change, const Paths& paths, const Now& time,
                       Clock clock) {
    auto of_paths = read_paths(paths, now);
    if (!of_paths) return std::move(of_paths.error());
    SetCheck check(now, std::move(*of_paths));
    check.take(change);
    if (check.nothing()) return ok_status();
    const auto config = firewall_config(now);
    if (config == nullptr) return ok_status();
    const auto rules =
        firewall::rules_of(*config, port_names(now), now.mode == PolicySnapshot::Mode::kWire);
    if (!rules) return rules.error();
    const auto suspects = check.suspects(*rules);
    if (suspects.empty()) return ok_status();
    const auto next = check.next(*config);
    if (!next) return next.error();
    return paths_pass_edit(box, **next, now, suspects, paths, time, clock);
}

}  // namespace ravelin
