// SPDX-License-Identifier: Apache-2.0
// docs/configuration.md, written from the schemas alone.
#pragma once
#include <span>
#include <string>

#include "dataplane/config/schema.h"

namespace ravelin::config {

/// Markdown: the document's schema, every schema nested in it, then each stage with its own. Each
/// schema is one section with a table of its fields. Schemas with the same name share a section.
std::string reference_markdown(const Schema& top, std::span<const Schema* const> stages);

}  // namespace ravelin::config
