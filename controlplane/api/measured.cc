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

using Records = google::protobuf::RepeatedPtrField<model::FunctionRecord>;

Result<Measured> measure_one(const config::Node& function, const Records& records) {
    Measured out{.function = function["name"].as_text()};
    for (const model::FunctionRecord& record : records)
        if (record.name() == out.function) {
            out.packets = record.packets();
            out.most = record.most();
        }
    if (out.packets < kEnough)
        return Error{fmt::format(
            "cpu: function '{}' has been run for {} packets, expected at least {} to measure it by",
            out.function, out.packets, kEnough)};
    // Less than it states is refused, and need not be measured to be known.
    out.cycles = std::max(out.most + (out.most + kMarginParts - 1) / kMarginParts,
                          static_cast<uint64_t>(function["work"].as_integer()));
    return out;
}

}  // namespace

Result<std::vector<Measured>> measure(const config::Node& tree, const std::string& principal,
                                      const Records& functions) {
    const config::Node* const who = named(tree["principals"], principal);
    if (who == nullptr || !who->has("function"))
        return Error{fmt::format(
            "cpu: nothing to measure for '{}', which has no function, expected one with",
            principal)};
    std::vector<Measured> out;
    const config::Node* at = named(tree["functions"], (*who)["function"].as_text());
    for (; at != nullptr; at = named(tree["functions"], (*at)["next"].as_text())) {
        auto one = measure_one(*at, functions);
        if (!one) return std::move(one.error());
        out.push_back(std::move(*one));
    }
    return out;
}

}  // namespace ravelin::control
