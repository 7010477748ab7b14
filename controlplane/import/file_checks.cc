// SPDX-License-Identifier: Apache-2.0
#include "controlplane/import/file_checks.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace ravelin::import {
namespace {

constexpr unsigned kDeepest = 1000;  // a recursion

class ChainSizes {
  public:
    explicit ChainSizes(const std::map<std::string, Chain>& chains) : chains_(chains) {}

    /// Rules of a chain, jumps resolved, at most one more than kMostRules; nothing: it comes back
    /// to itself, or jumps deeper than anybody does.
    std::optional<size_t> of(const std::string& name, unsigned depth = 0) {
        if (depth > kDeepest) return std::nullopt;
        const auto [at, fresh] = sizes_.try_emplace(name);
        if (!fresh) return at->second;  // empty while it is being counted
        size_t size = 0;
        for (const Line& line : chains_.at(name).lines) {
            ++size;
            if (!chains_.contains(line.target)) continue;
            const auto inner = of(line.target, depth + 1);
            if (!inner) return std::nullopt;
            size = std::min(size + *inner, kMostRules + 1);
        }
        return sizes_[name] = size;
    }

  private:
    const std::map<std::string, Chain>& chains_;
    std::map<std::string, std::optional<size_t>> sizes_;
};

}  // namespace

Status check_chains(const File& file) {
    for (const auto& [table, chains] : file.tables) {
        ChainSizes sizes(chains);
        for (const auto& [name, chain] : chains) {
            const int line = chain.lines.empty() ? 1 : chain.lines.front().number;
            const auto size = sizes.of(name);
            if (!size)
                return Error{
                    fmt::format("{}:{}:1: chain {} of *{} comes back to itself or jumps too deep",
                                file.name, line, name, table)};
            if (*size > kMostRules)
                return Error{fmt::format(
                    "{}:{}:1: chain {} of *{} has more than {} rules with those it jumps to",
                    file.name, line, name, table, kMostRules)};
        }
    }
    return ok_status();
}

void distrust_changed_fields(File& file) {
    static const std::map<std::string, std::string> kChanges{
        {"DSCP", "dscp"}, {"TOS", "dscp"}, {"TTL", "ttl"}, {"HL", "ttl"}};
    std::set<std::string> changed;
    for (const auto& [table, chains] : file.tables)
        for (const auto& [name, chain] : chains)
            for (const Line& line : chain.lines)
                if (const auto found = kChanges.find(line.target); found != kChanges.end())
                    changed.insert(found->second);
    for (auto& [table, chains] : file.tables)
        for (auto& [name, chain] : chains)
            for (Line& line : chain.lines)
                for (const std::string& field : changed)
                    if (line.match.members.erase(field) != 0 && line.match.unknown.empty())
                        line.match.unknown = field + ", which a target changes";
}

}  // namespace ravelin::import
