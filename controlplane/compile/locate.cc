// SPDX-License-Identifier: Apache-2.0
#include "controlplane/compile/locate.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>
#include <string_view>

namespace ravelin::control {
namespace {

using config::Node;

constexpr std::string_view kSeparator = ": ";

/// Walks from the document towards the element a message is about.
class Walk {
  public:
    explicit Walk(const Node& tree) : at_(&tree) {}
    [[nodiscard]] const std::string& path() const { return path_; }

    /// Whether `segment` of the message leads on from here.
    bool step(std::string_view segment) {
        if (path_.empty() && into_stage(segment)) return true;
        if (segment.starts_with("to ")) return into_route(segment.substr(3));
        const size_t end = segment.find_first_of("[ ");
        return into_member(segment.substr(0, end)) &&
               (end == segment.npos || segment[end] == ' ' || into_item(segment.substr(end + 1)));
    }
    /// "via 10.0.0.1: ..." is about `via`, but says more than that.
    void glance(std::string_view segment) { into_member(segment.substr(0, segment.find(' '))); }

  private:
    bool into_stage(std::string_view name) {
        for (const Node& stage : (*at_)["pipeline"].items())
            if (stage.members().size() == 1 && stage.members().front().first == name) {
                at_ = &stage.members().front().second;
                path_ = fmt::format("pipeline.{}", name);
                return true;
            }
        return false;
    }
    bool into_member(std::string_view name) {
        const Node& member = (*at_)[name];
        if (member.is_null()) return false;
        at_ = &member;
        path_ += fmt::format("{}{}", path_.empty() ? "" : ".", name);
        return true;
    }
    bool into_item(std::string_view number) {
        size_t index = 0;
        std::from_chars(number.data(), number.data() + number.size(), index);
        return into_item(index);
    }
    bool into_item(size_t index) {
        if (index >= at_->items().size()) return true;
        at_ = &at_->items()[index];
        path_ += fmt::format("[{}]", index);
        return true;
    }
    // A route has no name: it is told by its first prefix.
    bool into_route(std::string_view prefix) {
        prefix = prefix.substr(0, prefix.find(' '));
        for (size_t i = 0; i < at_->items().size(); ++i) {
            const Node& to = at_->items()[i]["to"];
            if (to.as_blob().size() >= 17 && to.as_prefix().to_string() == prefix)
                return into_item(i);
        }
        return false;
    }

    const Node* at_;
    std::string path_;
};

}  // namespace

Error locate(const Error& error, const Node& tree, const config::Positions& positions) {
    std::string_view rest = error.message;
    Walk walk(tree);
    for (;;) {
        const size_t end = rest.find(kSeparator);
        if (end == rest.npos) break;
        if (!walk.step(rest.substr(0, end))) break;
        rest.remove_prefix(end + kSeparator.size());
    }
    walk.glance(rest);
    return Error{fmt::format("{}: {}{}{}", positions.at(walk.path()), walk.path(),
                             walk.path().empty() ? "" : ": ", rest)};
}

}  // namespace ravelin::control
