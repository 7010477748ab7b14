// SPDX-License-Identifier: Apache-2.0
#include "controlplane/config/prefix_sets.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>

#include "controlplane/config/prefix_file.h"
#include "controlplane/config/scalars.h"
#include "controlplane/config/wording.h"

namespace ravelin::config {
namespace {

constexpr size_t kPrefixBytes = 17;
constexpr std::string_view kExpected = "a prefix, \"@set\", {file: path} or a list of these";
using Cell = std::array<char, kPrefixBytes>;

bool before(const Cell& a, const Cell& b) { return std::memcmp(a.data(), b.data(), a.size()) < 0; }

/// Ascending by address, then length, without repeats.
void canonicalize(std::string& blob) {
    std::vector<Cell> cells(blob.size() / kPrefixBytes);
    if (cells.size() < 2) return;
    std::memcpy(cells.data(), blob.data(), blob.size());
    if (!std::ranges::is_sorted(cells, before)) std::ranges::sort(cells, before);
    cells.erase(std::unique(cells.begin(), cells.end()), cells.end());
    blob.assign(cells.front().data(), cells.size() * kPrefixBytes);
}

std::string beside(const std::string& document, const std::string& path) {
    return (std::filesystem::path(document).parent_path() / path).lexically_normal().string();
}

bool declares_live(const Raw& value) {
    for (size_t i = 0; value.is_map() && i < value.member_count(); ++i)
        if (value.key(i).text == "type") return true;
    return false;
}

}  // namespace

Status PrefixSets::load(const Raw& sets, std::string_view field, const ReadLive& read_live) {
    field_ = field;
    Step step(context_, field);
    if (!sets.is_map() && !sets.is_null())
        return context_.unexpected(sets, "a map of names to prefix sets");
    if (auto s = index(sets); !s) return s;
    for (auto& [name, set] : sets_) {
        if (!declares_live(*set.value)) continue;
        Step inside(context_, name);
        auto live = read_live(*set.value);
        if (!live) return std::move(live.error());
        set.live = std::move(*live);
        set.state = State::kDone;
    }
    for (auto& set : sets_)
        if (auto s = resolve(set); !s) return s;
    return ok_status();
}

void PrefixSets::load(const Node& sets) {
    field_ = "sets";
    for (const auto& [name, node] : sets.members()) {
        Named& named = sets_[name];
        named.state = State::kDone;
        named.used = true;
        if (node.kind() == Node::Kind::kMap)
            named.live = node;
        else
            named.blob = node.as_blob();
    }
}

bool PrefixSets::names_live(const Raw& value) const {
    if (!value.is_scalar() || !value.text.starts_with('@')) return false;
    const auto set = sets_.find(std::string_view(value.text).substr(1));
    return set != sets_.end() && !set->second.live.is_null();
}

Result<Node> PrefixSets::live(const Raw& value) {
    if (!value.is_scalar() || !value.text.starts_with('@'))
        return context_.unexpected(value, "\"@name\" of a live set");
    const std::string_view name = std::string_view(value.text).substr(1);
    const auto set = sets_.find(name);
    if (set == sets_.end()) return unknown(value, name);
    if (set->second.live.is_null())
        return context_.error(value,
                              fmt::format("{} is a set of prefixes by value, expected a live "
                                          "set: {{type: ..., size: ...}}",
                                          shown(value.text)));
    set->second.used = true;
    return Node::text(value.text);
}

Status PrefixSets::index(const Raw& sets) {
    for (size_t i = 0; i < sets.member_count(); ++i) {
        const Raw& key = sets.key(i);
        if (!is_name(key.text))
            return context_.unexpected(key, "a name of 1 to 63 letters, digits and - _ . /");
        const auto [at, is_new] =
            sets_.try_emplace(key.text, Named{.value = &sets.member(i), .blob = {}, .live = {}});
        if (!is_new)
            return context_.error(key,
                                  fmt::format("the key {} stands here twice", shown(key.text)));
        Step step(context_, key.text);
        context_.record(sets.member(i));
    }
    return ok_status();
}

Status PrefixSets::resolve(Sets::value_type& set) {
    Named& named = set.second;
    if (named.state == State::kDone) return ok_status();
    std::string path = fmt::format("{}.{}", field_, set.first);
    std::swap(context_.path, path);
    if (resolving_.size() >= kMaxSetDepth)
        return context_.error(*named.value,
                              fmt::format("sets refer to sets more than {} deep", kMaxSetDepth));
    named.state = State::kResolving;
    resolving_.push_back(set.first);
    if (auto s = append(*named.value, named.blob); !s) return s;  // loading ends: path stays
    resolving_.pop_back();
    std::swap(context_.path, path);
    canonicalize(named.blob);
    named.state = State::kDone;
    return ok_status();
}

Result<std::string> PrefixSets::read(const Raw& value) {
    std::string out;
    if (auto s = append(value, out); !s) return s.error();
    canonicalize(out);
    return out;
}

Status PrefixSets::append(const Raw& value, std::string& out) {
    if (value.is_scalar()) return append_scalar(value, out);
    if (value.is_map()) return append_file(value, out);
    if (!value.is_list()) return context_.unexpected(value, kExpected);
    for (size_t i = 0; i < value.items.size(); ++i) {
        Step step(context_, i);
        if (auto s = append(*value.items[i], out); !s) return s;
    }
    return ok_status();
}

Status PrefixSets::append_scalar(const Raw& value, std::string& out) {
    if (value.text.starts_with('@')) return append_named(value, out);
    const auto prefix = parse_prefix(value.text);
    if (!prefix) return context_.error(value, prefix.error().message);
    return append_blob(value, Node::encode(*prefix), out);
}

Status PrefixSets::append_named(const Raw& value, std::string& out) {
    const auto set = sets_.find(std::string_view(value.text).substr(1));
    if (set == sets_.end()) return unknown(value, std::string_view(value.text).substr(1));
    if (!set->second.live.is_null())
        return context_.error(
            value,
            fmt::format("{} is a live set, expected it alone and in a rule", shown(value.text)));
    if (set->second.state == State::kResolving) return cycle(value, set->first);
    if (auto s = resolve(*set); !s) return s;
    set->second.used = true;
    return append_blob(value, set->second.blob, out);
}

Status PrefixSets::append_file(const Raw& value, std::string& out) {
    if (value.member_count() != 1 || value.key(0).text != "file" || !value.member(0).is_scalar())
        return context_.unexpected(value, "only the key 'file' with a path, like {file: bad.txt}");
    const std::string path = beside(context_.file, value.member(0).text);
    auto known = files_.find(path);
    if (known == files_.end()) {
        auto blob = read_prefix_file(path, kMaxPrefixes);
        if (!blob) {
            const std::string& message = blob.error().message;
            return message.starts_with("cannot read ") ? context_.error(value.member(0), message)
                                                       : Error{message};
        }
        canonicalize(*blob);
        if (blob->empty())
            context_.warnings.push_back(
                context_.error(value.member(0), fmt::format("{} holds no prefixes", shown(path)))
                    .message);
        known = files_.emplace(path, std::move(*blob)).first;
    }
    return append_blob(value, known->second, out);
}

Status PrefixSets::append_blob(const Raw& at, const std::string& blob, std::string& out) {
    prefixes_ += blob.size() / kPrefixBytes;
    if (prefixes_ > kMaxPrefixes)
        return context_.error(at,
                              fmt::format("the document's sets hold more than {} prefixes, every "
                                          "use counted",
                                          kMaxPrefixes));
    out += blob;
    return ok_status();
}

Error PrefixSets::cycle(const Raw& at, std::string_view name) const {
    const auto from = std::ranges::find(resolving_, name);
    return context_.error(at, fmt::format("the set refers to itself: {} -> {}",
                                          fmt::join(from, resolving_.end(), " -> "), name));
}

Error PrefixSets::unknown(const Raw& at, std::string_view name) const {
    std::vector<std::string_view> names;
    for (const auto& [known, set] : sets_) names.push_back(known);
    return context_.error(at, "no set " + not_among(name, names));
}

Node PrefixSets::as_node() {
    Node out = Node::map();
    for (const auto& [name, set] : sets_)
        out.members().emplace_back(name, set.live.is_null() ? Node::blob(set.blob) : set.live);
    return out;
}

void PrefixSets::warn_unused() {
    for (const auto& [name, set] : sets_)
        if (!set.used)
            context_.warnings.push_back(fmt::format("{}:{}:{}: {}.{}: nothing refers to this set",
                                                    context_.file, set.value->line,
                                                    set.value->column, field_, name));
}

}  // namespace ravelin::config
