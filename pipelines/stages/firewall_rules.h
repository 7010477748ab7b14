// SPDX-License-Identifier: Apache-2.0
// The firewall's rules, from the configuration tree to what the classifier takes, without EAL: the
// control plane uses this as well (check, rules).
#pragma once
#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/config/node.h"
#include "dataplane/limits.h"
#include "dataplane/live_set.h"
#include "dataplane/result.h"
#include "pipelines/stages/firewall_conditions.h"
#include "pipelines/tables/classifier.h"

namespace ravelin::firewall {

/// What a packet is to the flow table. Bit i = word i of `state:`; PacketMeta::flow_state holds one
/// of them, or 0 where the firewall did not look.
enum StateBit : uint8_t {
    kStateNew = 1,
    kStateEstablished = 2,
    kStateRelated = 4,     ///< an ICMP error about a packet of a flow
    kStateInvalid = 8,     ///< no flow could have such a packet
    kStateUntracked = 16,  ///< of a kind that has no flows: neighbour discovery, multicast groups
};
/// "new", "established", ...; empty for anything but one StateBit.
std::string_view state_name(uint8_t state);

enum class Action : uint8_t { kAccept, kDrop, kReject };
std::string_view action_name(Action action);

/// A rule that is there without being configured. It comes before the configured ones; one of the
/// same name takes its place.
struct BuiltinRule {
    std::string_view name, help;
    std::string_view protocol;  ///< empty: ARP, which no classifier sees
    std::vector<uint8_t> icmp_types{};
    uint8_t states = 0;
    uint8_t hop_limit = 0;    ///< 0: any
    bool link_scope = false;  ///< router mode: to the box only, never forwarded
};
/// In order of precedence.
std::span<const BuiltinRule> builtin_rules();
/// Whether a built-in rule is called so.
bool is_builtin(std::string_view name);
/// The rule that ARP meets.
inline constexpr std::string_view kArpRule = "builtin/arp";
/// What decides where no rule matches is called so in counters and traces.
inline constexpr std::string_view kDefaultRule = "default";

/// Built-in rules count in the slots from the top down, the default below them.
constexpr uint32_t builtin_slot(size_t index) {
    return limits::kMaxRules - 1 - static_cast<uint32_t>(index);
}
/// Slots from here on are not for configured rules.
inline constexpr uint32_t kReservedSlots = limits::kMaxRules - 16;
inline constexpr uint32_t kDefaultSlot = kReservedSlots;

/// What a rule looks up in a live set. Order of kLiveMembers.
enum class LiveField : uint8_t {
    kFrom,
    kTo,
    kFromPorts,
    kToPorts,
    kFromEndpoint,
    kToEndpoint,
    kFromTo
};
/// The rule's member, and the type of set it takes.
struct LiveMember {
    std::string_view name;
    SetType type;
};
inline constexpr std::array<LiveMember, 7> kLiveMembers{{{"from", SetType::kPrefixes},
                                                         {"to", SetType::kPrefixes},
                                                         {"from-ports", SetType::kPorts},
                                                         {"to-ports", SetType::kPorts},
                                                         {"from-endpoint", SetType::kEndpoints},
                                                         {"to-endpoint", SetType::kEndpoints},
                                                         {"from-to", SetType::kPairs}}};
struct LiveRef {
    LiveField field = LiveField::kFrom;
    std::string set;
};

/// One rule as configured or built in.
struct NamedRule {
    std::string name;
    Action action = Action::kAccept;
    uint32_t slot = 0;
    uint8_t hop_limit = 0;  ///< checked after the classifier; 0: any
    bool stateful = true, log = false;
    /// False: disabled, or one of its sets is empty. The classifier must not have it.
    bool matches = true;
    /// ARP's: decides, but not by the classifier.
    bool arp = false;
    ClassifierRule rule{};
    /// Set where `icmp-types` has different numbers in ICMP and ICMPv6: `rule` is for the former,
    /// and this, placed next, for the latter.
    std::vector<uint8_t> icmp6_types{};
    /// Live sets that must hold the packet as well, checked after the classifier.
    std::vector<LiveRef> live{};
    RuleExtra extra{};
    std::optional<SynProxy> proxy{};
    std::string window{};     ///< `tcp-window`; empty: as the stage says
    std::string principal{};  ///< that is charged; empty: whom prefix or port say

    /// Whether `rule` says all of it, so that it takes whatever another rule within it would take.
    [[nodiscard]] bool exact() const {
        return matches && !arp && hop_limit == 0 && live.empty() && extra.empty();
    }
};

/// All rules in the order they are tried, for a configuration that conforms to kSchema. Port i is
/// port_names[i]. Errors name the rule and what was expected.
Result<std::vector<NamedRule>> rules_of(const config::Node& firewall_config,
                                        const std::vector<std::string>& port_names,
                                        bool wire = false);

/// `rules` as the classifier takes them, and for each of those the index into `rules`.
struct ClassifierInput {
    std::vector<ClassifierRule> rules;
    std::vector<uint32_t> origin;
};
ClassifierInput classifier_input(std::span<const NamedRule> rules);

}  // namespace ravelin::firewall
