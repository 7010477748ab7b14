// SPDX-License-Identifier: Apache-2.0
#include "dataplane/config/node.h"

#include <fmt/format.h>

#include <algorithm>

namespace ravelin::config {
namespace {

constexpr size_t kPrefixBytes = 17, kPortRangeBytes = 4;

Prefix decode_prefix(const char* at) {
    return Prefix{IpAddress::v6(reinterpret_cast<const uint8_t*>(at)),
                  static_cast<uint8_t>(at[16])};
}

bool prefixes_valid(const std::string& blob) {
    if (blob.size() % kPrefixBytes != 0) return false;
    for (size_t at = 0; at < blob.size(); at += kPrefixBytes) {
        const Prefix p = decode_prefix(blob.data() + at);
        if (p.length > (p.is_v4() ? 32 : 128)) return false;
    }
    return true;
}

bool ports_valid(const std::string& blob) {
    if (blob.size() % kPortRangeBytes != 0) return false;
    Node n = Node::blob(blob);
    return std::ranges::all_of(n.as_ports(), [](PortRange r) { return r.low <= r.high; });
}

Node::Kind kind_of(Type type) {
    switch (type) {
        case Type::kBool:
        case Type::kInteger:
        case Type::kEnumSet:
        case Type::kDuration:
        case Type::kSize:
        case Type::kRate:
        case Type::kPacketRate:
        case Type::kCycleRate:
            return Node::Kind::kInteger;
        case Type::kText:
        case Type::kName:
        case Type::kEnum:
        case Type::kLiveSet:
            return Node::Kind::kText;
        case Type::kNameSet:
        case Type::kTextSet:
        case Type::kList:
        case Type::kStages:
            return Node::Kind::kList;
        case Type::kMap:
        case Type::kSets:
            return Node::Kind::kMap;
        default:
            return Node::Kind::kBlob;
    }
}

/// What is wrong with bytes that should be a value of `type`; empty: nothing.
std::string_view blob_fault(Type type, const std::string& blob) {
    switch (type) {
        case Type::kAddress:
            return blob.size() == 16 ? "" : "not an address";
        case Type::kMac:
            return blob.size() == 6 ? "" : "not a MAC address";
        case Type::kPrefix:
        case Type::kInterface:
            return blob.size() == kPrefixBytes && prefixes_valid(blob) ? "" : "not a prefix";
        case Type::kInterfaceSet:
        case Type::kPrefixSet:
            return prefixes_valid(blob) ? "" : "not a prefix set";
        case Type::kPortSet:
            return ports_valid(blob) ? "" : "not a port set";
        default:
            return "";
    }
}

std::string_view fault(const Node& value, const Field& field) {
    const int64_t n = value.as_integer();
    switch (field.type) {
        case Type::kBool:
            return n == 0 || n == 1 ? "" : "not a boolean";
        case Type::kEnum:
            return std::ranges::find(field.words, value.as_text()) != field.words.end()
                       ? ""
                       : "not one of the words";
        case Type::kEnumSet:
            return n >= 0 && (field.words.size() >= 63 || n >> field.words.size() == 0)
                       ? ""
                       : "not a set of the words";
        case Type::kLiveSet:
            return value.names_live_set() ? "" : "not the name of a live set";
        case Type::kNameSet:
        case Type::kTextSet:
            return std::ranges::all_of(
                       value.items(),
                       [](const Node& item) { return item.kind() == Node::Kind::kText; })
                       ? ""
                       : "not a list of texts";
        default:
            return blob_fault(field.type, value.as_blob());
    }
}

Status scalar_conforms(const Node& value, const Field& field) {
    if (const std::string_view what = fault(value, field); !what.empty())
        return Error{fmt::format("{}: {}", field.name, what)};
    const int64_t n = value.as_integer();
    if (value.kind() == Node::Kind::kInteger && (n < field.minimum || n > field.maximum))
        return Error{
            fmt::format("{}: {} is outside {} to {}", field.name, n, field.minimum, field.maximum)};
    return ok_status();
}

Status stages_conform(const Node& list, StageSchemas stages) {
    for (const Node& stage : list.items()) {
        if (stage.kind() != Node::Kind::kMap || stage.members().size() != 1)
            return Error{"pipeline: an entry is not one stage"};
        const auto& [name, config] = stage.members().front();
        const Schema* schema = stages == nullptr ? nullptr : stages(name);
        if (schema == nullptr) return Error{fmt::format("pipeline: no stage '{}'", name)};
        if (auto s = conforms(config, *schema, stages); !s)
            return std::move(s.error()).within(name);
    }
    return ok_status();
}

Status sets_conform(const Node& sets, const Field& field, StageSchemas stages) {
    for (const auto& [name, set] : sets.members()) {
        if (set.kind() == Node::Kind::kMap && field.nested != nullptr) {
            if (auto s = conforms(set, *field.nested, stages); !s)
                return std::move(s.error()).within(fmt::format("{}.{}", field.name, name));
        } else if (set.kind() != Node::Kind::kBlob || !prefixes_valid(set.as_blob())) {
            return Error{fmt::format("{}: '{}' is not a prefix set", field.name, name)};
        }
    }
    return ok_status();
}

Status field_conforms(const Node& value, const Field& field, StageSchemas stages) {
    if (field.live && value.names_live_set()) return ok_status();
    if (value.kind() != kind_of(field.type))
        return Error{fmt::format("{}: has the wrong kind", field.name)};
    if (field.type == Type::kMap) return conforms(value, *field.nested, stages);
    if (field.type == Type::kStages) return stages_conform(value, stages);
    if (field.type == Type::kSets) return sets_conform(value, field, stages);
    if (field.type == Type::kList) {
        for (size_t i = 0; i < value.items().size(); ++i)
            if (auto s = conforms(value.items()[i], *field.nested, stages); !s)
                return std::move(s.error()).within(fmt::format("{}[{}]", field.name, i));
        return ok_status();
    }
    return scalar_conforms(value, field);
}

}  // namespace

void Node::set(std::string_view name, Node value) {
    for (auto& [key, old] : members_)
        if (key == name) {
            old = std::move(value);
            return;
        }
    members_.emplace_back(std::string(name), std::move(value));
}

const Node& Node::operator[](std::string_view name) const {
    static const Node null;
    for (const auto& [key, value] : members_)
        if (key == name) return value;
    return null;
}

IpAddress Node::as_address() const {
    return bytes_.size() < 16 ? IpAddress{}
                              : IpAddress::v6(reinterpret_cast<const uint8_t*>(bytes_.data()));
}

Prefix Node::as_prefix() const {
    return bytes_.size() < kPrefixBytes ? Prefix{} : decode_prefix(bytes_.data());
}

MacAddress Node::as_mac() const {
    MacAddress mac;
    if (bytes_.size() == mac.bytes.size()) std::memcpy(mac.bytes.data(), bytes_.data(), 6);
    return mac;
}

std::vector<Prefix> Node::as_prefixes() const {
    std::vector<Prefix> out;
    out.reserve(bytes_.size() / kPrefixBytes);
    for (size_t at = 0; at + kPrefixBytes <= bytes_.size(); at += kPrefixBytes)
        out.push_back(decode_prefix(bytes_.data() + at));
    return out;
}

std::vector<PortRange> Node::as_ports() const {
    std::vector<PortRange> out;
    for (size_t at = 0; at + kPortRangeBytes <= bytes_.size(); at += kPortRangeBytes) {
        be16 low, high;
        std::memcpy(&low, bytes_.data() + at, 2);
        std::memcpy(&high, bytes_.data() + at + 2, 2);
        out.push_back({low.host(), high.host()});
    }
    return out;
}

std::vector<std::string> Node::as_names() const {
    std::vector<std::string> out;
    for (const Node& n : items_) out.push_back(n.as_text());
    return out;
}

std::string Node::encode(const Prefix& p) {
    std::string out(reinterpret_cast<const char*>(p.address.bytes.data()), 16);
    out.push_back(static_cast<char>(p.length));
    return out;
}

std::string Node::encode(const std::vector<Prefix>& set) {
    std::string out;
    out.reserve(set.size() * kPrefixBytes);
    for (const Prefix& p : set) {
        out.append(reinterpret_cast<const char*>(p.address.bytes.data()), 16);
        out.push_back(static_cast<char>(p.length));
    }
    return out;
}

std::string Node::encode(const std::vector<PortRange>& set) {
    std::string out;
    for (const PortRange r : set) {
        const be16 low(r.low), high(r.high);
        out.append(reinterpret_cast<const char*>(&low), 2);
        out.append(reinterpret_cast<const char*>(&high), 2);
    }
    return out;
}

Status conforms(const Node& tree, const Schema& schema, StageSchemas stages) {
    if (tree.kind() != Node::Kind::kMap) return Error{fmt::format("{}: is not a map", schema.name)};
    for (const auto& [name, value] : tree.members()) {
        const Field* field = schema.find(name);
        if (field == nullptr)
            return Error{fmt::format("{}: unknown member '{}'", schema.name, name)};
        if (auto s = field_conforms(value, *field, stages); !s)
            return std::move(s.error()).within(std::string(schema.name));
    }
    for (const Field& field : schema.fields)
        if (field.required && !tree.has(field.name))
            return Error{fmt::format("{}: '{}' is missing", schema.name, field.name)};
    return ok_status();
}

void widen_texts(Node& tree, const Schema& schema, StageSchemas stages) {
    for (auto& [name, value] : tree.members()) {
        const Field* const field = schema.find(name);
        if (field == nullptr) continue;
        if (field->type == Type::kMap && field->nested != nullptr)
            widen_texts(value, *field->nested, stages);
        if (field->type == Type::kList && field->nested != nullptr)
            for (Node& item : value.items()) widen_texts(item, *field->nested, stages);
        if (field->type == Type::kStages && stages != nullptr)
            for (Node& stage : value.items())
                for (auto& [kind, config] : stage.members())
                    if (const Schema* const own = stages(kind); own != nullptr)
                        widen_texts(config, *own, stages);
        if (kind_of(field->type) != Node::Kind::kList || value.kind() != Node::Kind::kText)
            continue;
        Node list = Node::list();
        list.add(std::move(value));
        value = std::move(list);
    }
}

}  // namespace ravelin::config
