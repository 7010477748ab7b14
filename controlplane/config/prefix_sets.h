// SPDX-License-Identifier: Apache-2.0
// Prefix sets: resolves `@name`, {file: path} and lists to sorted prefixes without repeats. Live
// sets are only declared; their names stay names.
#pragma once
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "controlplane/config/context.h"
#include "dataplane/config/node.h"

namespace ravelin::config {

/// Prefixes of one document, all uses of all sets added up: 272 MB of tree. A set used by twenty
/// rules stands twenty times in the tree.
constexpr uint64_t kMaxPrefixes = 16'000'000;
constexpr unsigned kMaxSetDepth = 64;  ///< sets that refer to sets that refer to sets

class PrefixSets {
  public:
    explicit PrefixSets(Context& context) : context_(context) {}

    /// Reads what a live set is declared with.
    using ReadLive = std::function<Result<Node>(const Raw&)>;
    /// Reads every named set of the document's `sets:` map (null: none), in any order of reference.
    Status load(const Raw& sets, std::string_view field, const ReadLive& read_live);
    /// Takes sets as they stand in a tree that was read before.
    void load(const Node& sets);
    /// "@name" of a live set.
    [[nodiscard]] bool names_live(const Raw& value) const;
    /// The same where nothing else may stand.
    Result<Node> live(const Raw& value);
    /// The blob of one prefix set value.
    Result<std::string> read(const Raw& value);
    /// The sets as a map of name to blob, by name.
    [[nodiscard]] Node as_node();
    /// Adds a warning for each set that nothing refers to.
    void warn_unused();

  private:
    enum class State : uint8_t { kWaiting, kResolving, kDone };
    struct Named {
        const Raw* value = nullptr;
        State state = State::kWaiting;
        bool used = false;
        std::string blob;
        Node live;  // what it is declared with, if it is a live one
    };
    using Sets = std::map<std::string, Named, std::less<>>;

    Status index(const Raw& sets);
    Status resolve(Sets::value_type& set);
    Status append(const Raw& value, std::string& out);
    Status append_scalar(const Raw& value, std::string& out);
    Status append_named(const Raw& value, std::string& out);
    Status append_file(const Raw& value, std::string& out);
    Status append_blob(const Raw& at, const std::string& blob, std::string& out);
    [[nodiscard]] Error cycle(const Raw& at, std::string_view name) const;
    [[nodiscard]] Error unknown(const Raw& at, std::string_view name) const;

    Context& context_;
    std::string field_;  // name of the `sets:` field
    Sets sets_;
    std::map<std::string, std::string> files_;  // path -> prefixes, so that a file is read once
    std::vector<std::string_view> resolving_;
    uint64_t prefixes_ = 0;
};

}  // namespace ravelin::config
