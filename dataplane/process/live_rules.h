// SPDX-License-Identifier: Apache-2.0
// LiveRules: the live edits of the generation in force that its compiled tables do not have yet. A
// background merge compiles tables that have them; neither verdicts nor the generation change by
// it. Control thread, but for the merge.
#pragma once
#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "control.pb.h"
#include "dataplane/snapshot.h"
#include "pipelines/stages/firewall_live.h"
#include "pipelines/stages/firewall_wire.h"

namespace ravelin {

using firewall::RuleChanges;

class LiveRules {
  public:
    using Next = Result<std::unique_ptr<PolicySnapshot>>;

    LiveRules() = default;
    ~LiveRules() { forget(); }
    LiveRules(const LiveRules&) = delete;
    LiveRules& operator=(const LiveRules&) = delete;

    /// A snapshot as `now` with `changes` on top, beside the tables. It counts once accept() says
    /// that it is in force. Error: the change that does not fit; `now` goes on.
    Next edited(const PolicySnapshot& now, const RuleChanges& changes);
    /// Rules of `changes` that may deny what passed: those that come and deny, those that go and
    /// accept.
    [[nodiscard]] std::vector<firewall::NamedRule> suspects(const PolicySnapshot& now,
                                                            const RuleChanges& changes) const;
    /// The same with `changes` on what the generation was given, and nothing else; in the tables.
    /// Takes as long as a compilation. forget() when it is in force.
    static Next rebuilt(const PolicySnapshot& now, const RuleChanges& changes);
    void accept();
    /// No edits beside the tables; what is being merged is dropped.
    void forget();

    /// Begins to merge if there is something to merge and no merge is under way.
    void start_merge(const PolicySnapshot& now);
    /// A snapshot as `now` with merged tables, if a merge has ended; accept() when it is in force.
    /// Null: none.
    std::unique_ptr<PolicySnapshot> take_merged(const PolicySnapshot& now);
    /// Waits for the merge under way.
    void wait();
    [[nodiscard]] bool merging() const { return merge_ != nullptr; }
    /// Gives the merge under way its share of the CPU; before, it takes what nobody else wants.
    void hurry();
    /// Edits beside the tables.
    [[nodiscard]] size_t waiting() const { return edits_.size(); }
    /// Why the last merge failed; empty: it did not.
    [[nodiscard]] const std::string& problem() const { return problem_; }

  private:
    using Firewall = std::shared_ptr<const firewall::FirewallPolicy>;
    struct Merge {
        firewall::HeldEdits edits;
        std::vector<std::string> ports;
        std::shared_ptr<const StagePolicy> before;
        std::shared_ptr<const config::Node> config;
        Result<Firewall> after = Error{"a merge that never ended"};
        std::shared_ptr<const config::Node> merged;
        RuleNames names;
        std::atomic<bool> done{false};
        std::thread thread;
    };
    static Status run(Merge& merge);
    void cancel();
    void clear_away();
    [[nodiscard]] std::optional<firewall::NamedRule> find(const PolicySnapshot& now,
                                                          const std::string& name) const;

    firewall::HeldEdits edits_, wanted_;  // in force; of the snapshot made last
    std::unique_ptr<Merge> merge_;
    // Replaced by a merge: freeing them takes milliseconds, which no live change is to wait for.
    std::vector<std::shared_ptr<const void>> spent_;
    std::thread cleaner_;
    std::string problem_;
};

}  // namespace ravelin
