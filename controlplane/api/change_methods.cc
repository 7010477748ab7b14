// SPDX-License-Identifier: Apache-2.0
// check, diff, apply, confirm, rollback, history, show.
#include <fmt/format.h>

#include "controlplane/api/services.h"
#include "controlplane/compile/tree_diff.h"

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

Json checked(Services& s, const Compiled& compiled) {
    const Policy& now = s.store.in_force();
    const auto changes =
        now.generation == 0 ? std::vector<Change>{} : diff(now.tree, compiled.tree);
    return {{"warnings", compiled.warnings},
            {"rules", json_of(compiled.rules)},
            {"changes", json_of(changes)},
            {"text", to_text(changes)},
            {"against", now.generation}};
}

void check(Services& s, const CallPtr& call) {
    if (auto compiled = compile(s, *call)) call->result(checked(s, *compiled));
}

void answer(const CallPtr& call, Json extra, const ChangeFlow::Outcome& outcome) {
    if (const auto* failed = std::get_if<Failure>(&outcome)) return call->fail(*failed);
    const auto& changed = std::get<Changed>(outcome);
    extra["generation"] = changed.generation;
    extra["provisional"] = changed.provisional;
    extra["deadline_unix_ms"] = changed.deadline_unix_ms;
    call->result(std::move(extra));
}

/// From params force and session; answers the call itself where they are wrong.
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
    Json about = checked(s, *compiled);
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
    call->result({{"generation", generation}, {"text", stored->yaml}});
}

}  // namespace

void add_change_methods(Server& server, Services& services) {
    Services* s = &services;
    server.add("check", [s](const CallPtr& call) { check(*s, call); });
    server.add("diff", [s](const CallPtr& call) { check(*s, call); });
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
