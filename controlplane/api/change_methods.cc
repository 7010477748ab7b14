// SPDX-License-Identifier: Apache-2.0
// check, diff, apply, confirm, rollback, history, show.
#include <fmt/format.h>

#include <set>
#include <sstream>

#include "controlplane/api/services.h"
#include "controlplane/compile/tree_diff.h"
#include "controlplane/live/rule_script.h"

namespace ravelin::control {
namespace {

Json json_of(const std::vector<Change>& changes) {
    Json out = Json::array();
    for (const Change& c : changes)
        out.push_back({{"kind", name_of(c.kind)},
                       {"path", c.path},
                       {"before", c.before},
                       {"after", c.after}});
    return out;
}

Json json_of(const std::vector<CompiledRule>& rules) {
    Json out = Json::array();
    for (const CompiledRule& r : rules)
        out.push_back(
            {{"name", r.name}, {"action", r.action}, {"slot", r.slot}, {"builtin", r.builtin}});
    return out;
}

std::string file_of(Call& call) {
    const std::string file = call.text("file");
    return file.empty() ? "configuration" : file;
}

/// Compiles params text and file; answers the call itself where that fails.
std::optional<Compiled> compile(Services& s, Call& call) {
    const std::string text = call.text("text"), file = file_of(call);
    if (call.wrong().empty() && !call.has("text")) {
        call.fail(FailureKind::kInvalid, "text: is missing, expected the configuration");
        return std::nullopt;
    }
    if (!call.wrong().empty()) {
        call.fail(FailureKind::kInvalid, call.wrong());
        return std::nullopt;
    }
    auto compiled = s.compiler.compile(text, file, s.store.slots());
    if (compiled) return std::move(*compiled);
    call.fail(FailureKind::kInvalid, compiled.error().message);
    return std::nullopt;
}

/// What is live and would be gone with this configuration.
std::vector<std::string> live_warnings(Services& s, const config::Node& tree) {
    std::vector<std::string> out;
    const Policy& now = s.store.in_force();
    std::set<std::string_view> names;
    for (const config::Node& rule : rule_nodes(tree)) names.insert(rule["name"].as_text());
    for (const config::Node& rule : rule_nodes(now.tree)) names.insert(rule["name"].as_text());
    for (const config::Node& rule : rule_nodes(s.live.tree()))
        if (!names.contains(rule["name"].as_text()))
            out.push_back(
                fmt::format("live rule '{}' is not in this configuration: applying it "
                            "drops the rule",
                            rule["name"].as_text()));
    for (const auto& [name, elements] : s.live.state().sets())
        if (!elements.empty() && tree["sets"][name]["type"] != now.tree["sets"][name]["type"])
            out.push_back(
                fmt::format("live set '{}' is not in this configuration: applying it "
                            "drops its {} elements",
                            name, elements.size()));
    return out;
}

/// Live changes as comments behind the text they were made to.
std::string live_text(Services& s) {
    const auto& rules = s.live.state().rules(s.store.in_force().generation);
    if (rules.empty()) return {};
    std::string out = "# live since, dropped by the next apply unless its file has them:\n";
    std::istringstream lines(to_text(diff(s.store.in_force().tree, s.live.tree())));
    for (std::string line; std::getline(lines, line);) out += "# " + line + "\n";
    return out;
}

Json checked(Services& s, const Compiled& compiled) {
    const Policy& now = s.store.in_force();
    const auto changes =
        now.generation == 0 ? std::vector<Change>{} : diff(s.live.tree(), compiled.tree);
    return {{"warnings", compiled.warnings},
            {"rules", json_of(compiled.rules)},
            {"changes", json_of(changes)},
            {"text", to_text(changes)},
            {"against", now.generation}};
}

/// The same with what applying it would drop.
Json compared(Services& s, const Compiled& compiled) {
    Json out = checked(s, compiled);
    for (std::string& warning : live_warnings(s, compiled.tree))
        out["warnings"].push_back(std::move(warning));
    return out;
}

void check(Services& s, const CallPtr& call, bool compare) {
    if (auto compiled = compile(s, *call))
        call->result(compare ? compared(s, *compiled) : checked(s, *compiled));
}

void answer(const CallPtr& call, Json extra, const ChangeFlow::Outcome& outcome) {
    if (const auto* failed = std::get_if<Failure>(&outcome)) return call->fail(*failed);
    const auto& changed = std::get<Changed>(outcome);
    extra["generation"] = changed.generation;
    extra["provisional"] = changed.provisional;
    extra["deadline_unix_ms"] = changed.deadline_unix_ms;
    call->result(std::move(extra));
}

void apply(Services& s, const CallPtr& call) {
    const uint64_t confirm_ms = call->number("confirm_ms");
    const std::string author = call->text("author"), comment = call->text("comment");
    const bool dry_run = call->flag("dry_run");
    if (confirm_ms > UINT32_MAX)
        return call->fail(FailureKind::kInvalid, "confirm_ms: expected at most 2^32 - 1");
    auto guard = guard_of(*call);
    if (!guard) return;
    auto compiled = compile(s, *call);
    if (!compiled) return;
    Json about = compared(s, *compiled);
    about.erase("rules");
    about["dry_run"] = dry_run;
    if (dry_run) return call->result(std::move(about));
    s.flow.apply({std::move(compiled->tree), call->text("text"), static_cast<uint32_t>(confirm_ms),
                  author, comment, std::move(*guard)},
                 [call, about = std::move(about)](const ChangeFlow::Outcome& outcome) {
                     answer(call, about, outcome);
                 });
}

void rollback(Services& s, const CallPtr& call) {
    std::optional<uint64_t> generation;
    if (call->has("generation")) generation = call->number("generation");
    const std::string author = call->text("author"), comment = call->text("comment");
    auto guard = guard_of(*call);
    if (!guard) return;
    s.flow.rollback(
        generation, author, comment, std::move(*guard),
        [call](const ChangeFlow::Outcome& outcome) { answer(call, Json::object(), outcome); });
}

void history(Services& s, const CallPtr& call) {
    auto entries = s.store.history().list(s.store.state());
    if (!entries) return call->fail(FailureKind::kInternal, entries.error().message);
    Json out = Json::array();
    for (const commit::HistoryEntry& e : *entries)
        out.push_back({{"generation", e.generation},
                       {"current", e.current},
                       {"stored", e.stored},
                       {"state", commit::name_of(e.info.state)},
                       {"parent", e.info.parent},
                       {"applied_unix_ms", e.info.applied_unix_ms},
                       {"decided_unix_ms", e.info.decided_unix_ms},
                       {"confirm_deadline_ms", e.info.confirm_deadline_ms},
                       {"author", e.info.author},
                       {"comment", e.info.comment}});
    call->result({{"generations", std::move(out)}});
}

void show(Services& s, const CallPtr& call) {
    const uint64_t generation = call->number("generation", s.store.in_force().generation);
    if (!call->wrong().empty()) return call->fail(FailureKind::kInvalid, call->wrong());
    if (generation == 0) return call->fail(FailureKind::kRefused, "no generation is in force");
    auto stored = s.store.history().load(generation);
    if (!stored) return call->fail(FailureKind::kRefused, stored.error().message);
    const bool in_force = generation == s.store.in_force().generation;
    call->result({{"generation", generation},
                  {"text", stored->yaml},
                  {"live", in_force ? live_text(s) : std::string()}});
}

}  // namespace

std::optional<Guard> guard_of(Call& call) {
    Guard out{.force = call.flag("force"), .session = {}};
    const std::string session = call.text("session");
    if (!call.wrong().empty()) {
        call.fail(FailureKind::kInvalid, call.wrong());
        return std::nullopt;
    }
    if (session.empty()) return out;
    auto path = session_path(session);
    if (path) {
        out.session = std::move(*path);
        return out;
    }
    call.fail(FailureKind::kInvalid, "session: " + path.error().message);
    return std::nullopt;
}

void add_change_methods(Server& server, Services& services) {
    Services* s = &services;
    server.add("check", [s](const CallPtr& call) { check(*s, call, false); });
    server.add("diff", [s](const CallPtr& call) { check(*s, call, true); });
    server.add("apply", [s](const CallPtr& call) { apply(*s, call); });
    server.add("confirm", [s](const CallPtr& call) {
        s->flow.confirm(
            [call](const ChangeFlow::Outcome& outcome) { answer(call, Json::object(), outcome); });
    });
    server.add("rollback", [s](const CallPtr& call) { rollback(*s, call); });
    server.add("history", [s](const CallPtr& call) { history(*s, call); });
    server.add("show", [s](const CallPtr& call) { show(*s, call); });
}

}  // namespace ravelin::control
