// SPDX-License-Identifier: Apache-2.0
// What changes between two configurations, by path, as an operator reads it.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/config/node.h"
#include "dataplane/config/schema.h"

namespace ravelin::control {

struct Change {
    enum class Kind : uint8_t { kAdded, kRemoved, kChanged, kMoved } kind = Kind::kChanged;
    std::string path;  ///< "pipeline.firewall.rules.web.action"; list entries by their name
    std::string before, after;  ///< as YAML text; of large sets what went and what came
};
std::string_view name_of(Change::Kind kind);

/// In the order of the new tree, removals last in each list. Entries with a `name` are the same
/// entry wherever they stand; kMoved tells that their order changed. Rule slots are left out: they
/// are nobody's wish. Both trees conform to `schema`.
std::vector<Change> diff(const config::Node& before, const config::Node& after,
                         const config::Schema& schema, config::StageSchemas stages);
/// Of the whole configuration.
std::vector<Change> diff(const config::Node& before, const config::Node& after);

/// "+ path: after", "- path: before", "~ path: before -> after", one a line.
std::string to_text(const std::vector<Change>& changes);

}  // namespace ravelin::control
