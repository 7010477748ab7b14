// SPDX-License-Identifier: Apache-2.0
#include "controlplane/api/measured.h"

#include <fmt/format.h>

#include <algorithm>

namespace ravelin::control {
namespace {

constexpr uint64_t kEnough = 10'000;
// What the discipline of functions lets pass before it counts a strike.
constexpr uint64_t kMarginParts = 4;

const config::Node* named(const config::Node& list, const std::string& name) {
    const auto found = std::ranges::find(
        list.items(), name, [](const config::Node& one) { return one["name"].as_text(); });
    return found == list.items().end() ? nullptr : &*found;
}

}  // namespace

Result<Measured> measure(
    const config::Node& tree, const std::string& principal,
    const google::protobuf::RepeatedPtrField<model::FunctionRecord>& functions) {
    const config::Node* const who = named(tree["principals"], principal);
    if (who == nullptr || !who->has("function"))
        return Error{fmt::format(
            "cpu: nothing to measure for '{}', which has no function, expected one with",
            principal)};
    Measured out{.function = (*who)["function"].as_text()};
    for (const model::FunctionRecord& record : functions)
        if (record.name() == out.function) {
            out.packets = record.packets();
            out.most = record.most();
        }
    if (out.packets < kEnough)
        return Error{fmt::format(
            "cpu: function '{}' has been run for {} packets, expected at least {} to measure it by",
            out.function, out.packets, kEnough)};
    out.cycles = out.most + (out.most + kMarginParts - 1) / kMarginParts;
    // Less than its function states is refused, and need not be measured to be known.
    if (const config::Node* function = named(tree["functions"], out.function); function != nullptr)
        out.cycles = std::max(out.cycles, static_cast<uint64_t>((*function)["work"].as_integer()));
    return out;
}

}  // namespace ravelin::control
