// SPDX-License-Identifier: Apache-2.0
#include "dataplane/process/set_check.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "dataplane/port_policies.h"
#include "dataplane/process/element_overlap.h"
#include "dataplane/process/lasting.h"
#include "dataplane/process/rule_proof.h"
#include "pipelines/stages/firewall_live.h"
#include "pipelines/tables/shadow.h"

namespace ravelin {
namespace {

using firewall::LiveField;
using firewall::LiveRef;
using firewall::NamedRule;

// Elements of a rule that is tried: of its 64 packets each is met by some.
constexpr size_t kTogether = 4;
constexpr uint64_t kSomeTime = 1;  // of expiry: nothing expires in a trial, all that counts is that

/// What a change does to one set, as far as it concerns the paths.
struct Turned {
    std::shared_ptr<LiveSet> set;
    std::map<std::string, SetElement> come, gone;  // by their bytes
    // There all along: for good until now, with a timeout from now on; the other way round.
    std::map<std::string, SetElement> lapse, last;
    std::set<std::string> timed;                  // of those added
    std::optional<std::set<std::string>> ending;  // have a timeout until now; once asked for
    [[nodiscard]] bool nothing() const {
        return come.empty() && gone.empty() && lapse.empty() && last.empty();
    }
};

class SetCheck {
  public:
    SetCheck(const PolicySnapshot& now, std::vector<NamedRule> paths)
        : now_(now), paths_(std::move(paths)) {}

    void take(const model::LiveChange& change) {
        for (const model::SetChange& one : change.sets())
            for (const auto& set : now_.sets)
                if (set->decl().name == one.set()) take(set, one);
        std::erase_if(turned_, [](const auto& each) { return each.second.nothing(); });
    }
    [[nodiscard]] bool nothing() const { return turned_.empty(); }

    /// The sets as they would be; for packets of the paths.
    [[nodiscard]] Result<LiveSets> changed() const {
        LiveSets out = now_.sets;
        for (auto& set : out) {
            const auto at = turned_.find(set->decl().name);
            if (at == turned_.end()) continue;
            auto made = copy(at->second);
            if (!made) return std::move(made.error());
            set = std::move(*made);
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
                        rule.action == firewall::Action::kAccept
                            ? values_of(at->second.gone, at->second.lapse)
                            : values_of(at->second.come, at->second.last),
                        out);
        return out;
    }

  private:
    static std::vector<SetElement> values_of(const std::map<std::string, SetElement>& some,
                                             const std::map<std::string, SetElement>& more = {}) {
        std::vector<SetElement> out;
        for (const auto* elements : {&some, &more})
            for (const auto& [bytes, element] : *elements) out.push_back(element);
        return out;
    }
    [[nodiscard]] bool concerns(SetType type, const SetElement& e) const {
        return ravelin::concerns(paths_, type, e);
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
        if (change.action() == model::SetChange::FLUSH) {
            for (auto* each : {&turned.come, &turned.lapse, &turned.last}) each->clear();
            turned.timed.clear();
            set->for_each([&](const SetElement& e, uint64_t) {
                if (concerns(type, e)) turned.gone.emplace(bytes_of(e), e);
            });
        }
        const std::string& bytes = change.elements();
        for (size_t i = 0; i + SetElement::kBytes <= bytes.size(); i += SetElement::kBytes) {
            const auto e = SetElement::read(type, bytes.data() + i);
            if (!e || !concerns(type, *e)) continue;
            const auto n = static_cast<int>(i / SetElement::kBytes);
            const bool timed = n < change.remaining_ms_size() && change.remaining_ms(n) != 0;
            if (change.action() == model::SetChange::REMOVE)
                go(turned, *e);
            else
                come(turned, *e, timed);
        }
    }
    static void go(Turned& turned, const SetElement& e) {
        const std::string bytes = bytes_of(e);
        for (auto* each : {&turned.come, &turned.lapse, &turned.last}) each->erase(bytes);
        turned.timed.erase(bytes);
        if (turned.set->has(e)) turned.gone.emplace(bytes, e);
    }
    void come(Turned& turned, const SetElement& e, bool timed) const {
        const std::string bytes = bytes_of(e);
        for (auto* each : {&turned.gone, &turned.lapse, &turned.last}) each->erase(bytes);
        turned.timed.erase(bytes);
        if (timed) turned.timed.insert(bytes);
        if (!turned.set->has(e))
            turned.come.emplace(bytes, e);
        else if (timed != ends(turned, bytes))
            (timed ? turned.lapse : turned.last).emplace(bytes, e);
    }
    /// Of an element that is there: whether it has a timeout.
    [[nodiscard]] bool ends(Turned& turned, const std::string& bytes) const {
        if (!turned.ending) {
            turned.ending.emplace();
            turned.set->for_each([&](const SetElement& e, uint64_t expires_ms) {
                if (expires_ms != 0 && concerns(turned.set->decl().type, e))
                    turned.ending->insert(bytes_of(e));
            });
        }
        return turned.ending->contains(bytes);
    }
    /// Of what meets a path.
    [[nodiscard]] Result<std::shared_ptr<LiveSet>> copy(const Turned& turned) const {
        std::vector<TimedElement> after;
        const auto keep = [&](const SetElement& e, const std::string& bytes, bool timed) {
            after.emplace_back(e, turned.timed.contains(bytes) || timed ? kSomeTime : 0);
        };
        for (const auto& [bytes, e] : turned.come) keep(e, bytes, false);
        turned.set->for_each([&](const SetElement& e, uint64_t expires_ms) {
            if (!concerns(turned.set->decl().type, e)) return;
            const std::string bytes = bytes_of(e);
            if (!turned.gone.contains(bytes))
                keep(e, bytes, expires_ms != 0 && !turned.last.contains(bytes));
        });
        return set_of(turned.set->decl(), after);
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
                addresses.push_back(e.prefix());
            if (of_ports) ports.push_back(ports_of(SetType::kPorts, e));
            if (endpoint || field == LiveField::kFromTo) addresses.push_back(host(e.first));
            if (endpoint) ports.push_back(ports_of(SetType::kEndpoints, e));
            if (field == LiveField::kFromTo) to.destinations.push_back(host(e.second));
        }
    }

    const PolicySnapshot& now_;
    std::vector<NamedRule> paths_;
    std::map<std::string, Turned, std::less<>> turned_;
};

}  // namespace

Status paths_pass_sets(const Appliance& box, const PolicySnapshot& now,
                       const model::LiveChange& change, const Paths& paths, const Now& time,
                       Clock clock) {
    auto of_paths = rules_of_paths(paths, names_of(now.ports));
    if (!of_paths) return std::move(of_paths.error());
    SetCheck check(now, std::move(*of_paths));
    check.take(change);
    if (check.nothing()) return ok_status();
    const auto config = firewall_config(now);
    if (config == nullptr) return ok_status();
    const auto rules = rules_of(now, *config);
    if (!rules) return rules.error();
    const auto suspects = check.suspects(*rules);
    if (suspects.empty()) return ok_status();
    auto sets = check.changed();
    if (!sets) return std::move(sets.error());
    const auto next = with_sets(now, std::move(*sets));
    return next ? paths_pass_edit(box, **next, now, suspects, paths, time, clock)
                : Status(next.error());
}

}  // namespace ravelin
