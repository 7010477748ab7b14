// SPDX-License-Identifier: Apache-2.0
// The canonical text of a typed tree, for `diff`: every default written out, sets expanded, the
// largest exact unit, one list item a line.
#pragma once
#include <string>

#include "dataplane/config/node.h"
#include "dataplane/config/schema.h"

namespace ravelin::config {

/// YAML that load_text reads back as the same tree. `tree` must conform to `schema`; members the
/// schema does not know are left out.
std::string to_yaml(const Node& tree, const Schema& schema, StageSchemas stages);

}  // namespace ravelin::config
