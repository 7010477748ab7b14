// SPDX-License-Identifier: Apache-2.0
// The typed configuration tree <-> its protobuf form. No knowledge of schemas: check a decoded tree
// with config::conforms().
#pragma once
#include <google/protobuf/arena.h>

#include "control.pb.h"
#include "dataplane/config/node.h"
#include "dataplane/result.h"

namespace ravelin::model {

/// Deepest tree decode() takes. A configuration has about eight levels; protobuf itself stops at
/// 100 nested messages, which is three a level.
inline constexpr unsigned kMaxTreeDepth = 32;

/// Null members of maps are left out, as if absent.
void encode(const config::Node& tree, Node& out);
/// Error: deeper than kMaxTreeDepth, a value of no known kind, or a map with two members of one
/// name.
Result<config::Node> decode(const Node& in);

/// Of an arena that a message of so many bytes on the wire is parsed into: few blocks, and freed at
/// once.
google::protobuf::ArenaOptions arena_for(size_t bytes);

}  // namespace ravelin::model
