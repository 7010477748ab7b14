// SPDX-License-Identifier: Apache-2.0
// Reader: walks a raw document along its schema, checks every value and fills defaults.
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "controlplane/config/context.h"
#include "controlplane/config/prefix_sets.h"
#include "dataplane/config/node.h"

namespace ravelin::config {

class Reader {
  public:
    Reader(Context& context, PrefixSets& sets, StageSchemas stages,
           std::span<const std::string_view> stage_names)
        : context_(context), sets_(sets), stages_(stages), stage_names_(stage_names) {}

    /// A map with the schema's members, in the schema's order. A null counts as an empty map.
    Result<Node> map(const Raw& raw, const Schema& schema);

  private:
    using Given = std::vector<const Raw*>;  // by field, null where the document has none

    Status match_keys(const Raw& raw, const Schema& schema, Given& given);
    [[nodiscard]] Error unknown_key(const Raw& key, const Schema& schema) const;
    Result<Node> value(const Raw& raw, const Field& field);
    Result<Node> fallback(const Raw& map, const Schema& schema, const Field& field);
    Result<Node> list(const Raw& raw, const Field& field);
    Result<Node> stage_list(const Raw& raw, const Field& field);
    Result<Node> stage(const Raw& entry, std::vector<std::string>& seen);
    Result<Node> enum_set(const Raw& raw, const Field& field);
    Result<Node> interface_set(const Raw& raw, const Field& field);
    Result<Node> port_set(const Raw& raw, const Field& field);
    Result<Node> name_set(const Raw& raw, const Field& field);
    Result<Node> text_set(const Raw& raw, const Field& field);

    Context& context_;
    PrefixSets& sets_;
    StageSchemas stages_;
    std::span<const std::string_view> stage_names_;
    std::unordered_map<const Field*, Node> fallbacks_;  // each default is parsed once
    unsigned depth_ = 0;
};

}  // namespace ravelin::config
