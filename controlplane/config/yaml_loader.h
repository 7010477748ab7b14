// SPDX-License-Identifier: Apache-2.0
// YAML text -> the typed configuration tree both processes exchange. Checks everything a schema
// can say, fills defaults, and explains the first mistake in one line: file:line:column: path:
// what.
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "controlplane/config/positions.h"
#include "dataplane/config/node.h"
#include "dataplane/config/schema.h"
#include "dataplane/result.h"

namespace ravelin::config {

/// A document that is right as far as its schema can tell.
struct Loaded {
    Node tree;                          ///< typed, defaults filled, members in schema order
    std::vector<std::string> warnings;  ///< each with its position
    Positions positions;
};

/// Loads one document. `file_name` stands in messages; {file: ...} is relative to its folder.
/// `stage_names` are what an unknown stage is told about.
Result<Loaded> load_text(std::string_view yaml, const std::string& file_name, const Schema& schema,
                         StageSchemas stages, std::span<const std::string_view> stage_names);

/// Reads one map, such as a rule, along its schema. It may name the sets of `sets`, a member of a
/// tree that was loaded before.
Result<Node> load_map(std::string_view yaml, const std::string& file_name, const Schema& schema,
                      const Node& sets);

/// Reads the regular file at `path`, at most 64 MiB, and loads it.
Result<Loaded> load_file(const std::string& path, const Schema& schema, StageSchemas stages,
                         std::span<const std::string_view> stage_names);

}  // namespace ravelin::config
