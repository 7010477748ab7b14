// SPDX-License-Identifier: Apache-2.0
// One YAML scalar to one typed value. Errors say what was found and expected, without a position.
#pragma once
#include <string_view>

#include "dataplane/address.h"
#include "dataplane/config/node.h"
#include "dataplane/config/schema.h"
#include "dataplane/result.h"

namespace ravelin::config {

/// The value of a field that one scalar can hold: kBool to kMac. Checks words and ranges.
Result<Node> parse_scalar(const Field& field, std::string_view text);

/// A prefix without host bits; a bare address is a host prefix.
Result<Prefix> parse_prefix(std::string_view text);

/// "80" or "1000-2000".
Result<PortRange> parse_ports(std::string_view text);

/// Position of `word` in the field's words, or an error that lists them.
Result<size_t> parse_word(const Field& field, std::string_view word);

/// What a value of the field looks like, for "expected ...": "a list of rule maps", "true or
/// false".
std::string expectation_of(const Field& field);

}  // namespace ravelin::config
