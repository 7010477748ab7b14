// SPDX-License-Identifier: Apache-2.0
// LiveState: what live changes have made of sets, rules and reservations so far, in memory.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "control.pb.h"
#include "dataplane/config/node.h"
#include "dataplane/live_set.h"

namespace ravelin::control {

class LiveState {
  public:
    /// Elements as they travel, each with the Unix milliseconds it expires at; 0: never.
    using Elements = std::unordered_map<std::string, uint64_t>;

    /// Takes one change that is in force. Remaining times count from its unix_ms.
    void take(const model::LiveChange& change);
    /// Removes elements whose time is up.
    void expire(uint64_t now_unix_ms);

    [[nodiscard]] uint64_t serial() const { return serial_; }
    [[nodiscard]] const std::map<std::string, Elements>& sets() const { return sets_; }
    /// Null: no element was ever added.
    [[nodiscard]] const Elements* find(const std::string& set) const;
    /// Rule changes of this generation, in order.
    [[nodiscard]] const std::vector<model::RuleChange>& rules(uint64_t generation) const;
    /// Of the last change that changed rules.
    [[nodiscard]] uint64_t rules_serial() const { return rules_serial_; }
    /// Reservations by name, as the configuration has them.
    [[nodiscard]] const std::map<std::string, config::Node>& reservations() const {
        return reservations_;
    }
    /// Of the last change that changed reservations.
    [[nodiscard]] uint64_t reservations_serial() const { return reservations_serial_; }
    /// Others to the same effect.
    void set_rules(uint64_t generation, std::vector<model::RuleChange> rules) {
        rules_generation_ = generation;
        rules_ = std::move(rules);
    }
    /// All of it as one change; what is no more is not in it.
    [[nodiscard]] model::LiveChange whole(uint64_t generation, uint64_t now_unix_ms) const;

  private:
    void take(const model::SetChange& change, uint64_t unix_ms);
    void take(const model::ReservationChange& change);

    uint64_t serial_ = 0;
    std::map<std::string, Elements> sets_;
    uint64_t rules_generation_ = 0, rules_serial_ = 0;
    std::vector<model::RuleChange> rules_;
    std::map<std::string, config::Node> reservations_;
    uint64_t reservations_serial_ = 0;
};

}  // namespace ravelin::control
