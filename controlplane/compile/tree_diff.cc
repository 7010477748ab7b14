// SPDX-License-Identifier: Apache-2.0
#include "controlplane/compile/tree_diff.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <set>

#include "controlplane/config/to_yaml.h"
#include "dataplane/stage.h"
#include "pipelines/model/schema.h"

namespace ravelin::control {
namespace {

using config::Field;
using config::Node;
using config::Schema;
using config::Type;
using Kind = Change::Kind;

constexpr size_t kShown = 8;  // prefixes of a set that changed; the rest is counted

std::string joined(const std::string& path, std::string_view name) {
    return path.empty() ? std::string(name) : fmt::format("{}.{}", path, name);
}

std::string shorten(const std::vector<std::string>& words) {
    const size_t shown = std::min(words.size(), kShown);
    std::string out =
        fmt::format("{}", fmt::join(words.begin(), words.begin() + static_cast<long>(shown), ", "));
    return shown == words.size() ? out : fmt::format("{} and {} more", out, words.size() - shown);
}

/// Names of list entries that stand in another order: those outside the longest run that kept it.
std::vector<std::string> moved(const std::vector<std::string>& before,
                               const std::vector<std::string>& after) {
    std::vector<long> place;  // in `before`, of each common entry in order of `after`
    std::vector<std::string> names;
    std::map<std::string, long> index;
    for (size_t i = 0; i < before.size(); ++i) index[before[i]] = static_cast<long>(i);
    for (const std::string& name : after)
        if (const auto found = index.find(name); found != index.end()) {
            place.push_back(found->second);
            names.push_back(name);
        }
    std::vector<size_t> tails, previous(place.size(), SIZE_MAX);
    for (size_t i = 0; i < place.size(); ++i) {
        const auto at =
            std::ranges::lower_bound(tails, place[i], {}, [&](size_t t) { return place[t]; });
        if (at != tails.begin()) previous[i] = *(at - 1);
        if (at == tails.end())
            tails.push_back(i);
        else
            *at = i;
    }
    std::set<size_t> kept;
    for (size_t i = tails.empty() ? SIZE_MAX : tails.back(); i != SIZE_MAX; i = previous[i])
        kept.insert(i);
    std::vector<std::string> out;
    for (size_t i = 0; i < names.size(); ++i)
        if (!kept.contains(i)) out.push_back(names[i]);
    return out;
}

// Hit counters are the control plane's.
bool is_slot(const Field& field) { return field.name == "slot" || field.name == "new-slot"; }

class Differ {
  public:
    explicit Differ(config::StageSchemas schemas) : stages_(schemas) {}
    [[nodiscard]] std::vector<Change> take() { return std::move(changes_); }

    void maps(const Node& before, const Node& after, const Schema& schema,
              const std::string& path) {
        for (const Field& field : schema.fields)
            if (!is_slot(field))
                values(before[field.name], after[field.name], field, joined(path, field.name));
    }

  private:
    void values(const Node& before, const Node& after, const Field& field,
                const std::string& path) {
        if (before == after) return;
        switch (field.type) {
            case Type::kMap:
                return maps(before, after, *field.nested, path);
            case Type::kList:
                return lists(before, after, field, path);
            case Type::kStages:
                return stages(before, after, path);
            case Type::kSets:
                return sets(before, after, field, path);
            default:
                break;
        }
        if (before.is_null()) return add(Kind::kAdded, path, "", text(after, field));
        if (after.is_null()) return add(Kind::kRemoved, path, text(before, field), "");
        const bool live = before.names_live_set() || after.names_live_set();
        if (!live && (field.type == Type::kPrefixSet || field.type == Type::kInterfaceSet))
            return prefixes(before, after, path);
        add(Kind::kChanged, path, text(before, field), text(after, field));
    }

    /// One value as YAML writes it, on one line.
    [[nodiscard]] std::string text(const Node& value, const Field& field) const {
        const bool set = field.type == Type::kPrefixSet || field.type == Type::kInterfaceSet;
        if (set && !value.names_live_set()) return shorten(words(value));
        Node map = Node::map();
        map.set(field.name, value);
        std::string yaml = config::to_yaml(map, Schema{"value", "", std::span(&field, 1)}, stages_);
        yaml.erase(0, field.name.size() + 1);
        std::string out;
        for (const char c : yaml)
            if (c != '\n' && c != ' ')
                out.push_back(c);
            else if (!out.empty() && out.back() != ' ')
                out.push_back(' ');
        while (!out.empty() && out.back() == ' ') out.pop_back();
        return out;
    }

    static std::vector<std::string> words(const Node& set) {
        std::vector<std::string> out;
        for (const Prefix& p : set.as_prefixes()) out.push_back(p.to_string());
        return out;
    }

    void prefixes(const Node& before, const Node& after, const std::string& path) {
        auto old_set = before.as_prefixes(), new_set = after.as_prefixes();
        std::ranges::sort(old_set);
        std::ranges::sort(new_set);
        std::vector<Prefix> gone, come;
        std::ranges::set_difference(old_set, new_set, std::back_inserter(gone));
        std::ranges::set_difference(new_set, old_set, std::back_inserter(come));
        const auto list = [](const std::vector<Prefix>& set) {
            return shorten(words(Node::blob(Node::encode(set))));
        };
        add(gone.empty()   ? Kind::kAdded
            : come.empty() ? Kind::kRemoved
                           : Kind::kChanged,
            path, list(gone), list(come));
    }

    [[nodiscard]] std::string set_text(const Node& set, const Field& field) const {
        return is_live(set) ? describe_map(set, *field.nested) : shorten(words(set));
    }
    static bool is_live(const Node& set) { return set.kind() == Node::Kind::kMap; }

    void sets(const Node& before, const Node& after, const Field& field, const std::string& path) {
        for (const auto& [name, set] : after.members()) {
            const Node& old = before[name];
            const std::string at = joined(path, name);
            if (old.is_null())
                add(Kind::kAdded, at, "", set_text(set, field));
            else if (is_live(old) && is_live(set))
                maps(old, set, *field.nested, at);
            else if (is_live(old) || is_live(set))
                add(Kind::kChanged, at, set_text(old, field), set_text(set, field));
            else if (old != set)
                prefixes(old, set, at);
        }
        for (const auto& [name, set] : before.members())
            if (!after.has(name)) add(Kind::kRemoved, joined(path, name), set_text(set, field), "");
    }

    // Entries are known by `name`, by their stage, or by their place.
    using Entries = std::vector<std::pair<std::string, const Node*>>;
    static Entries entries_of(const Node& list) {
        Entries out;
        for (size_t i = 0; i < list.items().size(); ++i) {
            const std::string& name = list.items()[i]["name"].as_text();
            out.emplace_back(name.empty() ? fmt::format("[{}]", i) : name, &list.items()[i]);
        }
        return out;
    }

    template <typename Describe, typename Descend>
    void entries(const Entries& before, const Entries& after, const std::string& path,
                 Describe describe, Descend descend) {
        std::map<std::string, const Node*> old_entries(before.begin(), before.end());
        const std::map<std::string, const Node*> new_entries(after.begin(), after.end());
        for (const auto& [name, node] : after) {
            const auto old = old_entries.find(name);
            if (old == old_entries.end())
                add(Kind::kAdded, at(path, name), "", describe(name, *node));
            else
                descend(name, *old->second, *node);
        }
        for (const auto& [name, node] : before)
            if (!new_entries.contains(name))
                add(Kind::kRemoved, at(path, name), describe(name, *node), "");
        std::vector<std::string> old_names, new_names;
        for (const auto& [name, node] : before) old_names.push_back(name);
        for (const auto& [name, node] : after) new_names.push_back(name);
        for (const std::string& name : moved(old_names, new_names))
            add(Kind::kMoved, at(path, name), "", "");
    }

    static std::string at(const std::string& path, const std::string& name) {
        return name.front() == '[' ? path + name : joined(path, name);
    }

    [[nodiscard]] std::string describe_map(const Node& map, const Schema& schema) const {
        std::vector<std::string> parts;
        for (const Field& field : schema.fields) {
            const Node& value = map[field.name];
            const bool scalar = field.type < Type::kMap;
            if (value.is_null() || !scalar || is_slot(field)) continue;
            const std::string shown = text(value, field);
            if (shown != field.fallback) parts.push_back(fmt::format("{}: {}", field.name, shown));
        }
        return fmt::format("{{{}}}", fmt::join(parts, ", "));
    }

    void lists(const Node& before, const Node& after, const Field& field, const std::string& path) {
        entries(
            entries_of(before), entries_of(after), path,
            [&](const std::string&, const Node& node) { return describe_map(node, *field.nested); },
            [&](const std::string& name, const Node& a, const Node& b) {
                maps(a, b, *field.nested, at(path, name));
            });
    }

    void stages(const Node& before, const Node& after, const std::string& path) {
        const auto by_stage = [](const Node& list) {
            Entries out;
            for (const Node& stage : list.items())
                out.emplace_back(stage.members().front().first, &stage.members().front().second);
            return out;
        };
        entries(
            by_stage(before), by_stage(after), path,
            [&](const std::string& name, const Node& node) {
                return describe_map(node, *stages_(name));
            },
            [&](const std::string& name, const Node& a, const Node& b) {
                maps(a, b, *stages_(name), joined(path, name));
            });
    }

    void add(Kind kind, const std::string& path, std::string before, std::string after) {
        changes_.push_back({kind, path, std::move(before), std::move(after)});
    }

    config::StageSchemas stages_;
    std::vector<Change> changes_;
};

}  // namespace

std::string_view name_of(Kind kind) {
    constexpr std::string_view kNames[] = {"added", "removed", "changed", "moved"};
    return kNames[static_cast<size_t>(kind)];
}

std::vector<Change> diff(const Node& before, const Node& after, const Schema& schema,
                         config::StageSchemas stages) {
    Differ differ(stages);
    differ.maps(before, after, schema, "");
    return differ.take();
}

std::vector<Change> diff(const Node& before, const Node& after) {
    return diff(before, after, model::kConfigSchema, StageRegistry::schema_of);
}

std::string to_text(const std::vector<Change>& changes) {
    std::string out;
    for (const Change& c : changes) {
        if (c.kind == Kind::kAdded) out += fmt::format("+ {}: {}\n", c.path, c.after);
        if (c.kind == Kind::kRemoved) out += fmt::format("- {}: {}\n", c.path, c.before);
        if (c.kind == Kind::kChanged)
            out += fmt::format("~ {}: {} -> {}\n", c.path, c.before, c.after);
        if (c.kind == Kind::kMoved) out += fmt::format("~ {}: moved\n", c.path);
    }
    return out;
}

}  // namespace ravelin::control
