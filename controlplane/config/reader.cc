// SPDX-License-Identifier: Apache-2.0
#include "controlplane/config/reader.h"

#include <algorithm>

#include "controlplane/config/scalars.h"
#include "controlplane/config/wording.h"

namespace ravelin::config {
namespace {

constexpr unsigned kMaxSchemaDepth = 2 * kMaxDepth;  // a schema whose default holds itself

bool is_one_scalar(Type type) {
    switch (type) {
        case Type::kEnumSet:
        case Type::kInterfaceSet:
        case Type::kPrefixSet:
        case Type::kPortSet:
        case Type::kNameSet:
        case Type::kTextSet:
        case Type::kLiveSet:
        case Type::kMap:
        case Type::kList:
        case Type::kStages:
        case Type::kSets:
            return false;
        default:
            return true;
    }
}

}  // namespace

Result<Node> Reader::map(const Raw& raw, const Schema& schema) {
    if (!raw.is_map() && !raw.is_null())
        return context_.unexpected(raw, fmt::format("a {} map", schema.name));
    if (depth_ >= kMaxSchemaDepth) return context_.error(raw, "the schema's defaults never end");
    ++depth_;
    Given given(schema.fields.size());
    if (auto s = match_keys(raw, schema, given); !s) return s.error();
    Node out = Node::map();
    out.members().reserve(schema.fields.size());
    for (size_t i = 0; i < schema.fields.size(); ++i) {
        const Field& field = schema.fields[i];
        if (given[i] == nullptr && field.fallback.empty()) continue;
        Step step(context_, field.name);
        if (given[i] != nullptr) context_.record(*given[i]);
        auto node = given[i] != nullptr ? value(*given[i], field) : fallback(raw, schema, field);
        if (!node) return node;
        out.members().emplace_back(field.name, std::move(*node));
    }
    --depth_;
    return out;
}

Status Reader::match_keys(const Raw& raw, const Schema& schema, Given& given) {
    for (size_t i = 0; i < raw.member_count(); ++i) {
        const Raw& key = raw.key(i);
        const Field* field = schema.find(key.text);
        if (field == nullptr) return unknown_key(key, schema);
        const Raw*& slot = given[static_cast<size_t>(field - schema.fields.data())];
        if (slot != nullptr)
            return context_.error(key,
                                  fmt::format("the key {} stands here twice", shown(key.text)));
        slot = &raw.member(i);
    }
    for (size_t i = 0; i < given.size(); ++i)
        if (given[i] == nullptr && schema.fields[i].required && schema.fields[i].fallback.empty())
            return context_.error(raw,
                                  fmt::format("'{}' is missing, expected {}", schema.fields[i].name,
                                              expectation_of(schema.fields[i])));
    return ok_status();
}

Error Reader::unknown_key(const Raw& key, const Schema& schema) const {
    std::vector<std::string_view> names;
    for (const Field& field : schema.fields) names.push_back(field.name);
    return context_.error(key, "unknown key " + not_among(key.text, names));
}

Result<Node> Reader::value(const Raw& raw, const Field& field) {
    if (is_one_scalar(field.type)) {
        if (!raw.is_scalar()) return context_.unexpected(raw, expectation_of(field));
        auto node = parse_scalar(field, raw.text);
        if (!node) return context_.error(raw, node.error().message);
        return node;
    }
    if (field.type == Type::kLiveSet || (field.live && sets_.names_live(raw)))
        return sets_.live(raw);
    switch (field.type) {
        case Type::kMap:
            return map(raw, *field.nested);
        case Type::kList:
            return list(raw, field);
        case Type::kStages:
            return stage_list(raw, field);
        case Type::kEnumSet:
            return enum_set(raw, field);
        case Type::kInterfaceSet:
            return interface_set(raw, field);
        case Type::kPortSet:
            return port_set(raw, field);
        case Type::kNameSet:
            return name_set(raw, field);
        case Type::kTextSet:
            return text_set(raw, field);
        case Type::kSets:
            return sets_.as_node();  // resolved before the walk
        default:
            break;
    }
    auto blob = sets_.read(raw);
    if (!blob) return blob.error();
    return Node::blob(std::move(*blob));
}

Result<Node> Reader::fallback(const Raw& map, const Schema& schema, const Field& field) {
    const auto known = fallbacks_.find(&field);
    if (known != fallbacks_.end()) return known->second;
    const auto wrong = [&](const Error& e) {
        return context_.error(
            map, fmt::format("the schema '{}' has a wrong default ({})", schema.name, e.message));
    };
    const auto raw = parse_raw(field.fallback, "default");
    if (!raw) return wrong(raw.error());
    const bool outer = std::exchange(context_.in_default, true);
    auto node = value(*raw->root, field);
    context_.in_default = outer;
    if (!node) return wrong(node.error());
    fallbacks_.emplace(&field, *node);
    return node;
}

Result<Node> Reader::list(const Raw& raw, const Field& field) {
    if (!raw.is_list() && !raw.is_null()) return context_.unexpected(raw, expectation_of(field));
    Node out = Node::list();
    out.items().reserve(raw.items.size());
    for (size_t i = 0; i < raw.items.size(); ++i) {
        Step step(context_, i);
        context_.record(*raw.items[i]);
        auto item = map(*raw.items[i], *field.nested);
        if (!item) return item;
        out.add(std::move(*item));
    }
    return out;
}

Result<Node> Reader::stage_list(const Raw& raw, const Field& field) {
    if (!raw.is_list() && !raw.is_null()) return context_.unexpected(raw, expectation_of(field));
    Node out = Node::list();
    std::vector<std::string> seen;
    for (const Raw* entry : raw.items) {
        auto node = stage(*entry, seen);
        if (!node) return node;
        out.add(std::move(*node));
    }
    return out;
}

Result<Node> Reader::stage(const Raw& entry, std::vector<std::string>& seen) {
    if (entry.is_map() && entry.member_count() > 1)
        return context_.error(entry,
                              fmt::format("found {} keys in one entry, expected one stage; indent "
                                          "the settings of {} deeper",
                                          entry.member_count(), shown(entry.key(0).text)));
    if (!entry.is_scalar() && (!entry.is_map() || entry.member_count() != 1))
        return context_.unexpected(entry, "a stage, or a stage with its settings");
    const Raw& name = entry.is_map() ? entry.key(0) : entry;
    const Schema* schema = stages_ == nullptr ? nullptr : stages_(name.text);
    if (schema == nullptr)
        return context_.error(name, "no stage " + not_among(name.text, stage_names_));
    if (std::ranges::find(seen, name.text) != seen.end())
        return context_.error(name,
                              fmt::format("the stage {} stands here twice", shown(name.text)));
    seen.push_back(name.text);
    Raw settings;  // `- stage`: an empty map where the name stands
    settings.line = name.line;
    settings.column = name.column;
    Step step(context_, name.text);
    context_.record(name);
    auto config = map(entry.is_map() ? entry.member(0) : settings, *schema);
    if (!config) return config;
    Node out = Node::map();
    out.set(name.text, std::move(*config));
    return out;
}

}  // namespace ravelin::config
