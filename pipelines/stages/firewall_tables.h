// SPDX-License-Identifier: Apache-2.0
// FirewallTables: what the firewall's rules are compiled into. Immutable; shared by all workers and
// by the policies that live changes make of one generation.
#pragma once
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "dataplane/live_set.h"
#include "dataplane/snapshot.h"
#include "dataplane/tcp_tracker.h"
#include "pipelines/stages/firewall_packet.h"
#include "pipelines/stages/firewall_rules.h"
#include "pipelines/tables/classifier.h"
#include "pipelines/tables/cut_trees.h"

namespace ravelin {
class SourceCounts;
}

namespace ravelin::firewall {

using LiveSets = std::vector<std::shared_ptr<LiveSet>>;
/// By slot of the rule. Mutable state, shared with the policies before and after that have the same
/// limit; LimitTable is safe for all workers.
using LimitTables = std::vector<std::pair<uint32_t, std::shared_ptr<LimitTable>>>;

/// How a rule's SYNs are answered, and which.
struct CompiledProxy {
    SynProxy spec;
    LimitTable* above = nullptr;  ///< null: all of them
};

/// What is left of a rule once the classifier has found it.
struct CompiledRule {
    uint32_t slot = 0;  ///< hit counter, and PacketMeta::rule
    Action action = Action::kDrop;
    uint8_t hop_limit = 0;  ///< 0: any
    bool stateful = true, log = false;
    bool counted = false;  ///< its flows count for their source
    uint32_t extra = 0;    ///< extras[extra - 1] must hold as well; 0: none
    uint32_t live = 0;     ///< live sets to ask: live_tests[live - 1] and on; 0: none
    const CompiledProxy* proxy = nullptr;  ///< answers SYNs; null: none

    /// The classifier has asked all it asks.
    [[nodiscard]] bool plain() const noexcept { return (hop_limit | extra | live) == 0; }
};

/// The rule without what it asks beyond the classifier.
CompiledRule compiled(const NamedRule& rule);

/// What a rule does to a packet without a flow, as far as no more has to be known of it.
struct RuleWord {
    /// The rule itself is to be asked; it passes the packet, drops it, opens a flow.
    enum Kind : uint8_t { kAsks, kAccepts, kDrops, kKeeps };
    uint16_t slot = 0;
    Kind kind = kAsks;
};
static_assert(limits::kMaxRules == 1 << 16, "slots in 16 bits");
RuleWord word_of(const CompiledRule& rule) noexcept;

/// One live set a rule asks.
struct LiveTest {
    const LiveSet* set = nullptr;
    LiveField field = LiveField::kFrom;
    bool last = false;  ///< of its rule's

    [[nodiscard]] bool holds(const ClassifierKey& key) const noexcept;
};

/// What a rule asks once the classifier has found it (firewall_limits.cc).
struct CompiledExtra {
    Conditions conditions{};
    LimitTable* limit = nullptr;
    uint32_t per_source = 0;    ///< live flows; 0: any number
    uint32_t counted_slot = 0;  ///< of the rule whose flows count
    bool over = false;
};

/// What limits are asked with, and what they answer.
struct Ask {
    uint64_t now_ns = 0;
    SourceCounts* counts = nullptr;
    /// Taken of what the rule found is bound to: nothing where it may not be obeyed; tokens; and
    /// one flow of its number, which the caller is then to open or to give back.
    enum class Take : uint8_t { kNothing, kTokens, kFlow } take = Take::kNothing;
    bool counted = false;  ///< answer: that was done, for the rule returned
    bool no_room = false;  ///< answer: a limit had no room for this packet's key
    bool limited = false;  ///< answer: a limit was asked, of this rule or of one before it
};

/// Rules behind one classifier.
struct RuleTables {
    Classifier classifier;
    CutTrees trees;                   ///< of the same rules; covers nothing beside others' tables
    std::vector<RuleWord> words;      ///< of `rules`, where there are trees
    bool takes_invalid = true;        ///< some rule is for packets that no flow could have
    std::vector<CompiledRule> rules;  ///< by the classifier's index
    std::vector<LiveTest> live_tests;
    std::vector<CompiledExtra> extras;
    LimitTables limits;
    std::vector<std::unique_ptr<const CompiledProxy>> proxies;
    LimitTables proxy_rates;  ///< of CompiledProxy::above

    /// As a hop limit: a flow is judged again on its responder's packet. Of the rules that depend
    /// on it, those that accept are then taken to match, as one did before.
    static constexpr int kHopLimitUnknown = -1;
    /// The first rule that takes the packet; null: none.
    [[nodiscard]] const CompiledRule* match(const RuleKey& key, int hop_limit,
                                            Ask& ask) const noexcept {
        uint32_t first = Classifier::kNoMatch;
        if (trees.covers(key)) {
            first = key.first != kNotAsked ? key.first : trees.match(key);
            if (first == Classifier::kNoMatch) return nullptr;
            if (takes(rules[first], key, hop_limit, ask)) return &rules[first];
        }
        // Nobody is asked twice.
        const auto taken = [&](uint32_t at) {
            return at != first && takes(rules[at], key, hop_limit, ask);
        };
        const uint32_t at = classifier.find(key, taken);
        return at != Classifier::kNoMatch ? &rules[at] : nullptr;
    }
    /// What the classifier cannot know of a rule that it found. What `ask` takes comes last: only a
    /// rule that is matched takes anything.
    [[nodiscard]] bool takes(const CompiledRule& rule, const RuleKey& key, int hop_limit,
                             Ask& ask) const noexcept {
        if (rule.live != 0 && !live_holds(rule, key)) return false;
        const bool unknown = hop_limit == kHopLimitUnknown && rule.action == Action::kAccept;
        if (rule.hop_limit != 0 && rule.hop_limit != hop_limit && !unknown) return false;
        return rule.extra == 0 || extra_holds(rule, key, hop_limit, ask);
    }
    [[nodiscard]] size_t memory_bytes() const;
    /// Of what rules ask beyond the classifier; not part of memory_bytes().
    [[nodiscard]] size_t limit_bytes() const;

  private:
    [[nodiscard]] bool live_holds(const CompiledRule& rule,
                                  const ClassifierKey& key) const noexcept;
    [[nodiscard]] bool extra_holds(const CompiledRule& rule, const RuleKey& key, int hop_limit,
                                   Ask& ask) const noexcept;
};

/// Compiled configured rules, and what live edits have to know of them.
struct FirewallTables {
    RuleTables rules;
    std::vector<TcpWindow> windows;  ///< by slot; empty: no rule has its own
    /// Whom rules charge, by slot, kNoPrincipal: nobody; empty: none does.
    std::vector<sched::PrincipalId> principals;
    /// Configured rules in order, built-in ones left out.
    struct Place {
        std::string name;
        uint32_t slot = 0;
        uint32_t first = 0, end = 0;  ///< of its entries in the classifier
        bool counted = false;         ///< its flows count for their source
        std::string counts_of;        ///< the other rule whose flows it asks for; empty: none
    };
    std::vector<Place> order;
    std::vector<uint32_t> asking;                        ///< places with counts_of
    std::unordered_map<std::string, uint32_t> place_of;  ///< by name, index into `order`
    uint32_t end = 0;                                    ///< classifier index behind the last rule
    std::unordered_set<uint32_t> slots;                  ///< of `order`

    [[nodiscard]] size_t memory_bytes() const;
};

struct HeldEdit;

/// Live edits beside the tables.
struct FirewallDelta {
    std::vector<std::shared_ptr<const HeldEdit>> edits;  ///< in order
    std::vector<bool> gone;  ///< by the tables' classifier index; empty: none
    RuleTables added;        ///< at most kChunkRules entries
    /// By added's classifier index: stands before that entry of the tables. Ascending.
    std::vector<uint32_t> before;
    /// By slot, of added rules; empty: neither they nor the tables' rules have their own.
    std::vector<std::pair<uint32_t, TcpWindow>> windows;
    /// The same of whom they charge.
    std::vector<std::pair<uint32_t, sched::PrincipalId>> principals;

    [[nodiscard]] bool hides(uint32_t rule) const noexcept { return !gone.empty() && gone[rule]; }
    [[nodiscard]] size_t memory_bytes() const;
};

/// Of a word of the schema; strict where there is none.
TcpWindow window_named(std::string_view word);

}  // namespace ravelin::firewall
