// SPDX-License-Identifier: Apache-2.0
// LiveFlow: a live change from the request to its acknowledgement: checked, journaled, in force in
// the data plane, answered. One at a time, in the order asked for. Brings a data plane that lacks
// changes up to date whenever it is met.
#pragma once
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <variant>

#include "controlplane/change/change_flow.h"
#include "controlplane/compile/promises.h"
#include "controlplane/live/live_journal.h"
#include "controlplane/live/live_state.h"
#include "controlplane/live/rule_list.h"

namespace ravelin::control {

struct LiveDone {
    uint64_t generation = 0, serial = 0;
    uint64_t live_ns = 0;   ///< data plane: receipt to the last worker's confirmation
    uint64_t fsync_ns = 0;  ///< journal
};

class LiveFlow {
  public:
    using Outcome = std::variant<LiveDone, Failure>;
    using Done = std::function<void(Outcome)>;
    /// Fills what depends on the state when the change's turn comes, or says what is wrong.
    using Prepare = std::function<std::optional<Failure>(model::LiveChange& change)>;

    LiveFlow(EventLoop& loop, DataplaneLink& link, PolicyStore& store, ChangeFlow& flow)
        : loop_(loop), link_(link), store_(store), flow_(flow) {}
    ~LiveFlow() {
        loop_.cancel(retry_);
        loop_.cancel(save_);
    }
    LiveFlow(const LiveFlow&) = delete;
    LiveFlow& operator=(const LiveFlow&) = delete;

    /// Reads the live journal. A damaged one is put aside if `salvage`, with a warning.
    Status open(const std::string& directory, commit::FileOps& files, bool salvage);

    /// Calls `done` once, when the change is in force and durable, or will not be. `guard`: what it
    /// may not cut.
    void change(Prepare prepare, Done done, Guard guard = {});
    /// Another generation may be in force, or the data plane is a new one.
    void policy_changed();

    /// As of now: what has expired is not in it.
    const LiveState& state();
    /// The configuration in force with its live rules in their places. After each change of rules
    /// it is made anew, for who asks for all of it.
    const config::Node& tree();
    /// Whether the rules in force can be changed so.
    Status fits(const firewall::RuleChanges& changes);
    /// For a policy that is sent again.
    model::LiveChange sync(uint64_t generation);
    /// What the configuration in force and live reservations promise. After a change of the
    /// configuration it is made anew, else it costs what changes.
    Promises& promises();
    /// Reservations that could not be promised any more when that was last asked.
    [[nodiscard]] size_t uncovered() const { return uncovered_; }
    /// The live reservations that a configuration must leave room for, as a list: also one that the
    /// data plane was asked for and has not answered. It may have it, and carries it over.
    config::Node reserved();

  private:
    struct Request {
        Prepare prepare;
        Done done;
        Guard guard;
        uint64_t since_ms = 0;
    };
    void pump();
    void retry_later();
    void begin(const Request& request);
    void attempt(model::LiveChange change, std::vector<model::Path> keep);
    void carry_out(model::LiveChange change);
    void take(const model::LiveChange& change);
    void changed(const model::LiveChange& change, uint64_t fsync_ns, Result<model::Reply> reply);
    void refused(const model::LiveChange& change, uint64_t size, const std::string& why);
    void finish(const Outcome& outcome);
    void forget_undeclared();
    void adopt_rules();
    void adopt(const firewall::RuleChanges& changes);
    void keep_promises(const model::LiveChange& change);
    void ask_for(const model::LiveChange& change);
    [[nodiscard]] config::Node granted() const;
    void tell_uncovered();
    void note_left_out();
    [[nodiscard]] bool lacks_promises();
    void save_later();
    RuleList& list();
    void shorten_rules();
    void send_sync();
    void compact();

    EventLoop& loop_;
    DataplaneLink& link_;
    PolicyStore& store_;
    ChangeFlow& flow_;
    LiveState state_;
    std::optional<LiveJournal> journal_;
    std::deque<Request> queue_;
    bool busy_ = false, sync_due_ = false;
    Done done_;
    /// What something was made of: a generation and its rule changes.
    struct Version {
        uint64_t generation = 0, serial = 0;
        bool operator==(const Version&) const = default;
    };
    [[nodiscard]] Version version() const;
    RuleList list_;
    config::Node tree_;
    Version list_of_, tree_of_;
    [[nodiscard]] Version promises_version() const;
    std::optional<Promises> promises_;
    Version promises_of_;
    std::string told_uncovered_;
    size_t uncovered_ = 0;
    std::set<std::string> left_out_;             // of the last sync: no link could take them then
    config::Node asked_ = config::Node::list();  // grants that the data plane has not answered
    static constexpr size_t kShortenAt = 1024;   // changes of rules
    size_t shorten_at_ = kShortenAt;
    EventLoop::TimerId retry_ = EventLoop::kNoTimer, save_ = EventLoop::kNoTimer;
    uint64_t unsaved_since_ms_ = 0;
};

}  // namespace ravelin::control
