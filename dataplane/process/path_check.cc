// SPDX-License-Identifier: Apache-2.0
#include "dataplane/process/path_check.h"

#include <fmt/format.h>

#include <algorithm>

#include "dataplane/port_policies.h"
#include "dataplane/process/describe.h"
#include "dataplane/process/lasting.h"
#include "dataplane/process/made_packets.h"
#include "dataplane/process/rule_overlap.h"
#include "dataplane/process/rule_proof.h"
#include "dataplane/process/spare_pipeline.h"
#include "pipelines/model/tree_codec.h"
#include "pipelines/stages/firewall_rule_reader.h"
#include "pipelines/stages/route.h"
#include "pipelines/stages/route_learned.h"

namespace ravelin {
namespace {

using firewall::NamedRule;

/// How many packets are tried.
struct Draws {
    unsigned path;  ///< of a path
    unsigned both;  ///< of a path and a rule that meets it
};
constexpr Draws kOfPolicy{64, 16}, kOfEdit{0, 64};
constexpr uint64_t kSeed = 64;
// For all paths. Meanwhile nobody looks at deadlines, links and events, and who asked waits 10 s.
constexpr uint64_t kBudgetNs = 2'000'000'000;

bool at_edge(const std::vector<Prefix>& set, const IpAddress& address) {
    return std::ranges::any_of(set, [&](const Prefix& p) {
        return p.mapped_length() < 127 && (p.first() == address || p.last() == address);
    });
}

bool has_address(const PolicySnapshot& policy, const IpAddress& address) {
    return std::ranges::any_of(policy.ports, [&](const PortPolicy& port) {
        return std::ranges::find(port.addresses, address, &Prefix::address) != port.addresses.end();
    });
}

std::vector<NamedRule> denying_rules(const PolicySnapshot& policy) {
    std::vector<NamedRule> out;
    const auto config = firewall_config(policy);
    if (config == nullptr) return out;
    auto rules = rules_of(policy, *config);
    if (!rules) return out;
    for (NamedRule& rule : *rules)
        if (rule.action != firewall::Action::kAccept && rule.matches && !rule.arp)
            out.push_back(std::move(rule));
    return out;
}

/// The packets and how long there is to try them.
struct Trial {
    Now time;  ///< of the packets
    Clock clock;
    bool later;  ///< what did not pass before is not cut
};

class PathCheck {
  public:
    PathCheck(const Appliance& box, const PolicySnapshot& next, const PolicySnapshot* now,
              const Trial& trial)
        : box_(box),
          next_(next),
          now_(now),
          trial_(trial),
          deadline_ns_(trial.clock().ns + kBudgetNs) {}

    /// `rules`: those that may deny some of the path.
    Status check(const model::Path& path, std::span<const NamedRule> rules, Draws draws) {
        auto node = model::decode(path.rule());
        if (!node) return std::move(node.error()).within(path.name());
        auto of_path = firewall::read_rule(*node, names_of(next_.ports));
        if (!of_path) return std::move(of_path.error()).within(path.name());
        if (!of_path->matches) return draws.path == 0 ? ok_status() : no_packet(path);
        if (of_path->rule.in_ports.empty())
            if (auto s = take_ports(path, *of_path); !s) return s;
        PacketMaker maker(next_, kSeed);
        const auto tried = draw(path, maker, *of_path, draws.path);
        if (!tried) return tried.error();
        if (*tried == 0 && draws.path != 0) return no_packet(path);
        for (size_t i = 0; i < rules.size(); ++i) {
            if (trial_.clock().ns >= deadline_ns_) return out_of_time(path, i, rules.size());
            const auto both = overlap(*of_path, rules[i]);
            if (!both) continue;
            if (const auto more = draw(path, maker, *both, draws.both); !more) return more.error();
        }
        return ok_status();
    }

  private:
    static Status no_packet(const model::Path& path) {
        return Error{fmt::format("{}: no packet can be made of it", path.name())};
    }
    static Status out_of_time(const model::Path& path, size_t tried, size_t all) {
        return Error{fmt::format(
            "{}: may be cut: {} of {} rules that deny were tried against it when the {} s for all "
            "paths were over; refused unless forced",
            path.name(), tried, all, kBudgetNs / 1'000'000'000)};
    }
    // The ports by which the sources are reached, so by which they come. A session that comes by
    // none does not come through the box.
    Status take_ports(const model::Path& path, NamedRule& rule) {
        const PolicySnapshot& by = path.session() && now_ != nullptr ? *now_ : next_;
        const auto* routes = policy_of<RoutePolicy>(by, "route");
        if (routes == nullptr || rule.rule.sources.empty()) return ok_status();
        for (const Prefix& source : rule.rule.sources) {
            const PortId port = port_of(*routes, source);
            if (port < next_.ports.size())
                rule.rule.in_ports.push_back(port);
            else if (!path.session())
                return Error{fmt::format("{}: would be cut: no route leads to {}", path.name(),
                                         source.to_string())};
        }
        return ok_status();
    }
    // The first and last address of a connected network are nobody's, the next may be the box's.
    [[nodiscard]] PortId port_of(const RoutePolicy& routes, const Prefix& source) const {
        PortId port = port_of(routes, source.last());
        for (uint8_t host = 1; host <= 2 && source.mapped_length() < 127; ++host) {
            IpAddress address = source.first();
            address.bytes[15] |= host;
            if (port >= next_.ports.size()) port = port_of(routes, address);
        }
        return port;
    }
    [[nodiscard]] PortId port_of(const RoutePolicy& routes, const IpAddress& address) const {
        const RouteView view = routes.lookup(address);
        const auto learned = box_.learned().view(address);
        const bool none = view.hop.kind == RouteKind::kNone;
        if (!learned.hops.empty() && (none || learned.prefix.length > view.prefix.length))
            return learned.hops.front().hop.port;
        return none ? kNoPort : view.hop.port;
    }

    /// Packets that were tried, none of which would be cut.
    Result<unsigned> draw(const model::Path& path, PacketMaker& maker, const NamedRule& rule,
                          unsigned times) {
        if (times != 0 && spare_ == nullptr) {
            auto made = SparePipeline::make(box_);
            if (!made) return std::move(made.error());
            spare_ = std::move(*made);
        }
        unsigned tried = 0;
        for (unsigned i = 0; i < times; ++i) {
            const auto packet = maker.draw(rule);
            if (!packet) continue;
            ++tried;
            const auto frame = maker.frame(*packet);
            auto after = spare_->run(next_, frame, packet->port, trial_.time);
            if (!after) return std::move(after.error());
            if (after->verdict != Verdict::kDrop) continue;
            // No host has a network's first or last address, or the box's own; who claims to may be
            // a martian.
            if (!denied_by_rule(*spare_, *after) &&
                (at_edge(rule.rule.sources, packet->spec.source) ||
                 at_edge(rule.rule.destinations, packet->spec.destination) ||
                 has_address(next_, packet->spec.source)))
                continue;
            auto cut = is_cut(path, frame, *packet, *after);
            if (!cut) return std::move(cut.error());
            if (*cut) return refusal(path, maker.text(*packet), *after);
        }
        return tried;
    }
    Result<bool> is_cut(const model::Path& path, const std::vector<uint8_t>& frame,
                        const MadePacket& packet, const Tried& after) {
        if (now_ == nullptr) return !path.session();
        auto before = spare_->run(*now_, frame, packet.port, trial_.time);
        if (!before) return std::move(before.error());
        if (before->verdict != Verdict::kDrop) return before->meta.out_port != packet.port;
        return !trial_.later && !path.session() &&
               (before->reason != after.reason || denied_by_rule(*spare_, after));
    }
    [[nodiscard]] Error refusal(const model::Path& path, const std::string& packet,
                                const Tried& after) const {
        const std::string by = decider(*spare_, next_, after);
        const std::string who = !denied_by_rule(*spare_, after) ? fmt::format("drop {}", by)
                                : by == firewall::kDefaultRule  ? "the firewall's default"
                                                                : fmt::format("rule '{}'", by);
        return Error{fmt::format("{}: would be cut: {} would deny {}", path.name(), who, packet)};
    }

    const Appliance& box_;
    const PolicySnapshot &next_, *now_;
    Trial trial_;
    uint64_t deadline_ns_;
    std::unique_ptr<SparePipeline> spare_;  // once a packet is to be tried
};

/// What of the paths is tried.
struct Subject {
    const Paths& paths;
    std::span<const NamedRule> rules;  ///< that may deny some of them
    Draws draws;
};

Status try_all(PathCheck check, const Subject& subject) {
    for (const model::Path& path : subject.paths)
        if (auto s = check.check(path, subject.rules, subject.draws); !s) return s;
    return ok_status();
}

bool any_meet(std::span<const NamedRule> paths, std::span<const NamedRule> rules) {
    return std::ranges::any_of(paths, [&](const NamedRule& path) {
        return std::ranges::any_of(
            rules, [&](const NamedRule& rule) { return overlap(path, rule).has_value(); });
    });
}

// Nothing lasting may be made to hang by a timeout: what `next` lets pass when all are over, if
// `now` would have then.
Status try_later(const Appliance& box, const PolicySnapshot& next, const PolicySnapshot& now,
                 const Subject& subject, Trial trial) {
    const auto paths = rules_of_paths(subject.paths, names_of(next.ports));
    if (!paths) return paths.error();
    if (subject.draws.path == 0 && !any_meet(*paths, subject.rules)) return ok_status();
    const auto after = when_timeouts_are_over(next, *paths);
    if (!after) return after.error();
    const auto before = when_timeouts_are_over(now, *paths);
    if (!before) return before.error();
    if (*after == nullptr && *before == nullptr) return ok_status();
    trial.later = true;
    const auto s = try_all(PathCheck(box, *after != nullptr ? **after : next,
                                     *before != nullptr ? before->get() : &now, trial),
                           subject);
    return s ? s : Status(Error{"once timeouts are over: " + s.error().message});
}

Status try_now_and_later(const Appliance& box, const PolicySnapshot& next,
                         const PolicySnapshot* now, const Subject& subject, const Trial& trial) {
    if (auto s = try_all(PathCheck(box, next, now, trial), subject); !s) return s;
    return now == nullptr ? ok_status() : try_later(box, next, *now, subject, trial);
}

}  // namespace

Status paths_pass(const Appliance& box, const PolicySnapshot& next, const PolicySnapshot* now,
                  const Paths& paths, const Now& time, Clock clock) {
    if (paths.empty()) return ok_status();
    const auto rules = denying_rules(next);
    return try_now_and_later(box, next, now, {paths, rules, kOfPolicy}, {time, clock, false});
}

Status paths_pass_edit(const Appliance& box, const PolicySnapshot& next, const PolicySnapshot& now,
                       std::span<const NamedRule> edited, const Paths& paths, const Now& time,
                       Clock clock) {
    if (edited.empty()) return ok_status();
    Paths passing = paths;
    for (model::Path& path : passing) path.set_session(true);  // what did not pass is not cut
    return try_now_and_later(box, next, &now, {passing, edited, kOfEdit}, {time, clock, false});
}

}  // namespace ravelin
