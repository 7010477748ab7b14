// SPDX-License-Identifier: Apache-2.0
// Chains as one list of decisions in order, first match wins: jumps, goto and RETURN are gone.
#pragma once
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "controlplane/import/iptables.h"
#include "dataplane/result.h"

namespace ravelin::import {

struct Decision {
    enum class Kind : uint8_t { kAccept, kDrop, kReject, kLog, kTranslate };
    Kind kind = Kind::kDrop;
    Box box;
    std::map<std::string, std::string> members;  ///< as in Match
    std::string name;
    const Line* line = nullptr;  ///< null: a chain's policy
    bool log = false;
    int limit_line = 0;         ///< as in Match
    bool limit_shared = false;  ///< the limit counts other packets as well
    [[nodiscard]] bool denies() const { return kind == Kind::kDrop || kind == Kind::kReject; }
    [[nodiscard]] bool exact() const { return members.empty(); }
};

class Flattener {
  public:
    enum class Use : uint8_t {
        kFilter,   ///< all verdicts
        kDenials,  ///< of raw, mangle and security: what denies, the policy last
        /// Of nat: translations, each followed by kDrop of all that it may take in the source.
        kTranslate,
    };
    Flattener(const File& file, const std::string& table, Use use, Remarks& remarks);

    /// Decisions of a built-in chain for packets of `start`, without filter's policy. An accept
    /// that cannot be said is left out, a denial that cannot is said wider; both are remarked.
    std::vector<Decision> run(const std::string& chain, const Box& start);

  private:
    /// Packets that may come to a line, and those that do for certain. What accepts is for the
    /// latter, what denies for the former.
    struct Reach {
        Region may, must;
    };
    void walk(const std::string& chain, Reach reach, const Match& outer, unsigned depth);
    void line(const Line& line, const std::string& chain, Reach& reach, const Match& outer,
              unsigned depth);
    void verdict(const Line& line, const std::string& chain, Decision::Kind kind,
                 const Reach& reach, const Match& match);
    void exempt(const Line& line, const Reach& reach, const Match& match);
    void deny(const Line& line, const std::string& chain, Decision::Kind kind, const Reach& reach,
              const Match& match);
    void translate(const Line& line, const std::string& chain, const Reach& reach,
                   const Match& match);
    void jump(const Line& line, Reach& reach, const Match& match, unsigned depth);
    void leave(const Line& line, Reach& reach, const Match& match);
    /// Of `box`, what no ACCEPT before has exempted.
    Region denied(const Line& line, const Reach& reach, const Box& box);
    void add_policy(const std::string& chain, const Box& start);
    void emit(const Line& line, const std::string& chain, Decision::Kind kind, Region region,
              const Match& match);

    std::string table_;
    const std::map<std::string, Chain>* chains_ = nullptr;
    Use use_;
    Remarks& remarks_;
    std::vector<Decision> out_;
    std::map<int, Region> limited_;  // what a line's limit counts
    // But for filter: what ACCEPT keeps from denials and translations for certain.
    std::vector<Box> exempt_;
    std::vector<Box> spared_;                           // nat: what it may keep from translation
    std::vector<std::pair<const Line*, Box>> unclear_;  // what only perhaps is kept from denials
};

/// Taking more boxes than this apart is given up.
inline constexpr size_t kMostBoxes = 256;

}  // namespace ravelin::import
