// SPDX-License-Identifier: Apache-2.0
#include "controlplane/config/to_yaml.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

#include "controlplane/config/quantity.h"

namespace ravelin::config {
namespace {

constexpr size_t kIndent = 2;

/// Text that YAML reads back as the same scalar without quotes. Narrower than YAML allows.
bool is_plain(std::string_view text) {
    constexpr std::array<std::string_view, 4> kNulls{"null", "Null", "NULL", "~"};
    if (text.empty() || std::ranges::find(kNulls, text) != kNulls.end()) return false;
    const auto is_word = [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
               c == '_';
    };
    if ((!is_word(text.front()) && text.front() != '/') || text.back() == ':') return false;
    return std::ranges::all_of(text, [&](char c) {
        return is_word(c) || c == '-' || c == '.' || c == '/' || c == ':' || c == '+';
    });
}

std::string scalar(std::string_view text) {
    if (is_plain(text)) return std::string(text);
    std::string out = "\"";
    for (const char c : text) {
        const auto byte = static_cast<uint8_t>(c);
        if (c == '"' || c == '\\')
            (out += '\\') += c;
        else if (byte < 0x20 || byte == 0x7f)
            out += fmt::format("\\x{:02x}", byte);
        else
            out += c;
    }
    return out + '"';
}

std::string scalar_of(const Node& value, const Field& field) {
    switch (field.type) {
        case Type::kBool:
            return value.as_bool() ? "true" : "false";
        case Type::kText:
        case Type::kName:
        case Type::kEnum:
        case Type::kLiveSet:
            return scalar(value.as_text());
        case Type::kAddress:
            return scalar(value.as_address().to_string());
        case Type::kPrefix:
        case Type::kInterface:
            return scalar(value.as_prefix().to_string());
        case Type::kMac:
            return value.as_mac().to_string();
        default:
            return format_quantity(field.type, value.as_integer());
    }
}

std::vector<std::string> scalars_of(const Node& value, Type type, const Field& field) {
    std::vector<std::string> out;
    if (value.names_live_set()) return {scalar(value.as_text())};
    if (type == Type::kPrefixSet || type == Type::kInterfaceSet)
        for (const Prefix& p : value.as_prefixes()) out.push_back(scalar(p.to_string()));
    if (type == Type::kNameSet || type == Type::kTextSet)
        for (const Node& name : value.items()) out.push_back(scalar(name.as_text()));
    if (type == Type::kPortSet)
        for (const PortRange r : value.as_ports())
            out.push_back(r.low == r.high ? fmt::format("{}", r.low)
                                          : fmt::format("{}-{}", r.low, r.high));
    if (type == Type::kEnumSet)
        for (size_t i = 0; i < field.words.size(); ++i)
            if ((value.as_integer() >> i & 1) != 0) out.push_back(scalar(field.words[i]));
    return out;
}

class Writer {
  public:
    explicit Writer(StageSchemas stages) : stages_(stages) {}
    [[nodiscard]] std::string take() { return std::move(out_); }

    /// The members, one a line; nothing where there are none.
    void members(const Node& map, const Schema& schema, size_t indent) {
        for (const auto& [name, value] : map.members())
            if (const Field* field = schema.find(name); field != nullptr)
                member(name, value, *field, indent);
    }

  private:
    void member(std::string_view name, const Node& value, const Field& field, size_t indent) {
        out_.append(indent, ' ').append(scalar(name)) += ':';
        switch (field.type) {
            case Type::kMap:
                return nested(value, *field.nested, indent + kIndent);
            case Type::kList:
                return maps(value, *field.nested, indent + kIndent);
            case Type::kStages:
                return stage_list(value, indent + kIndent);
            case Type::kSets:
                return sets(value, field, indent + kIndent);
            case Type::kPrefixSet:
            case Type::kInterfaceSet:
            case Type::kPortSet:
            case Type::kNameSet:
            case Type::kTextSet:
            case Type::kEnumSet:
                return scalars(scalars_of(value, field.type, field), indent + kIndent);
            default:
                (out_ += ' ').append(scalar_of(value, field)) += '\n';
        }
    }
    /// After "name:": the map below it, or "{}" beside it.
    void nested(const Node& map, const Schema& schema, size_t indent) {
        if (map.members().empty()) {
            out_ += " {}\n";
            return;
        }
        out_ += '\n';
        members(map, schema, indent);
    }
    void maps(const Node& list, const Schema& schema, size_t indent) {
        out_ += list.items().empty() ? " []\n" : "\n";
        for (const Node& item : list.items()) {
            const size_t start = out_.size();
            members(item, schema, indent + kIndent);
            if (out_.size() == start)
                out_.append(indent, ' ') += "- {}\n";
            else
                out_[start + indent] = '-';
        }
    }
    void stage_list(const Node& list, size_t indent) {
        out_ += list.items().empty() ? " []\n" : "\n";
        for (const Node& entry : list.items()) {
            const auto& [name, config] = entry.members().front();
            const Schema* schema = stages_ == nullptr ? nullptr : stages_(name);
            if (schema == nullptr) continue;
            out_.append(indent, ' ').append("- ").append(scalar(name));
            if (!config.members().empty()) out_ += ':';
            config.members().empty() ? void(out_ += '\n')
                                     : nested(config, *schema, indent + 2 * kIndent);
        }
    }
    void sets(const Node& map, const Field& field, size_t indent) {
        out_ += map.members().empty() ? " {}\n" : "\n";
        for (const auto& [name, set] : map.members()) {
            out_.append(indent, ' ').append(scalar(name)) += ':';
            if (set.kind() == Node::Kind::kMap && field.nested != nullptr)
                nested(set, *field.nested, indent + kIndent);
            else
                scalars(scalars_of(set, Type::kPrefixSet, field), indent + kIndent);
        }
    }
    /// One item beside the key, more below it.
    void scalars(const std::vector<std::string>& items, size_t indent) {
        if (items.empty())
            out_ += " []\n";
        else if (items.size() == 1)
            (out_ += ' ').append(items.front()) += '\n';
        else {
            out_ += '\n';
            for (const std::string& item : items)
                out_.append(indent, ' ').append("- ").append(item) += '\n';
        }
    }

    StageSchemas stages_;
    std::string out_;
};

}  // namespace

std::string to_yaml(const Node& tree, const Schema& schema, StageSchemas stages) {
    if (tree.members().empty()) return "{}\n";
    Writer writer(stages);
    writer.members(tree, schema, 0);
    return writer.take();
}

}  // namespace ravelin::config
