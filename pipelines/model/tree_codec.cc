// SPDX-License-Identifier: Apache-2.0
#include "pipelines/model/tree_codec.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <vector>

namespace ravelin::model {
namespace {

using Kind = config::Node::Kind;

Result<config::Node> decode_at(const Node& in, unsigned depth);

Result<config::Node> decode_list(const List& in, unsigned depth) {
    config::Node out = config::Node::list();
    out.items().reserve(static_cast<size_t>(in.items_size()));
    for (const Node& item : in.items()) {
        auto decoded = decode_at(item, depth);
        if (!decoded) return decoded;
        out.add(std::move(*decoded));
    }
    return out;
}

Error named_twice(std::string_view name) {
    return Error{fmt::format("tree: two members are named '{}'", name)};
}

Status check_names(const Map& in) {
    constexpr int kFew = 16;  // the usual: faster compared with each other than sorted
    for (int i = 1; i < in.members_size() && in.members_size() <= kFew; ++i)
        for (int j = 0; j < i; ++j)
            if (in.members(i).name() == in.members(j).name())
                return named_twice(in.members(i).name());
    if (in.members_size() <= kFew) return ok_status();
    std::vector<std::string_view> names;
    names.reserve(static_cast<size_t>(in.members_size()));
    for (const Member& member : in.members()) names.push_back(member.name());
    std::ranges::sort(names);
    const auto twice = std::ranges::adjacent_find(names);
    if (twice == names.end()) return ok_status();
    return named_twice(*twice);
}

Result<config::Node> decode_map(const Map& in, unsigned depth) {
    if (Status unique = check_names(in); !unique) return unique.error();
    config::Node out = config::Node::map();
    out.members().reserve(static_cast<size_t>(in.members_size()));
    for (const Member& member : in.members()) {
        auto decoded = decode_at(member.value(), depth);
        if (!decoded) return decoded;
        out.members().emplace_back(member.name(), std::move(*decoded));
    }
    return out;
}

Result<config::Node> decode_at(const Node& in, unsigned depth) {
    if (depth >= kMaxTreeDepth)
        return Error{fmt::format("tree: deeper than {} levels", kMaxTreeDepth)};
    switch (in.value_case()) {
        case Node::kInteger:
            return config::Node::integer(in.integer());
        case Node::kText:
            return config::Node::text(in.text());
        case Node::kBlob:
            return config::Node::blob(in.blob());
        case Node::kList:
            return decode_list(in.list(), depth + 1);
        case Node::kMap:
            return decode_map(in.map(), depth + 1);
        case Node::VALUE_NOT_SET:
            break;
    }
    return Error{"tree: a value of no known kind"};
}

}  // namespace

void encode(const config::Node& tree, Node& out) {
    switch (tree.kind()) {
        case Kind::kNull:
            out.clear_value();
            break;
        case Kind::kInteger:
            out.set_integer(tree.as_integer());
            break;
        case Kind::kText:
            out.set_text(tree.as_text());
            break;
        case Kind::kBlob:
            out.set_blob(tree.as_blob());
            break;
        case Kind::kList: {
            List& list = *out.mutable_list();
            for (const config::Node& item : tree.items()) encode(item, *list.add_items());
            break;
        }
        case Kind::kMap: {
            Map& map = *out.mutable_map();
            for (const auto& [name, value] : tree.members()) {
                if (value.is_null()) continue;
                Member& member = *map.add_members();
                member.set_name(name);
                encode(value, *member.mutable_value());
            }
            break;
        }
    }
}

Result<config::Node> decode(const Node& in) { return decode_at(in, 0); }

google::protobuf::ArenaOptions arena_for(size_t bytes) {
    constexpr size_t kSmallest = 4 << 10, kLargest = 1 << 20;
    google::protobuf::ArenaOptions options;
    options.start_block_size = options.max_block_size = std::clamp(2 * bytes, kSmallest, kLargest);
    return options;
}

}  // namespace ravelin::model
