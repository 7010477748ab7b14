// SPDX-License-Identifier: Apache-2.0
// set-add, set-del, set-flush, set-list: the elements of live sets.
#include <fmt/format.h>

#include <algorithm>
#include <tuple>
#include <unordered_set>

#include "controlplane/api/services.h"

namespace ravelin::control {
namespace {

constexpr uint64_t kLongestMs = 366ull * 86'400'000;
constexpr uint64_t kListed = 10'000;  // elements, unless more are asked for

Failure invalid(std::string what) { return {FailureKind::kInvalid, std::move(what)}; }

/// What the policy in force declares a live set with.
struct Declared {
    SetType type = SetType::kPrefixes;
    uint64_t size = 0, timeout_ms = 0;
};
std::optional<Declared> declared(const config::Node& sets, const std::string& name) {
    const config::Node& node = sets[name];
    const auto type = set_type_of(node["type"].as_text());
    if (!type) return std::nullopt;
    return Declared{*type, static_cast<uint64_t>(node["size"].as_integer()),
                    static_cast<uint64_t>(node["timeout"].as_integer()) / 1'000'000};
}

const config::Node& sets_of(const Services& s) { return s.store.in_force().tree["sets"]; }

std::string unknown_set(const Services& s, const std::string& name) {
    std::string known;
    for (const auto& [other, node] : sets_of(s).members())
        if (declared(sets_of(s), other)) known += (known.empty() ? "" : ", ") + other;
    return fmt::format("set: found '{}', expected a live set of the policy in force{}{}", name,
                       known.empty() ? "; there are none" : ": ", known);
}

/// The elements' bytes, each once, in the order given.
Result<std::vector<std::string>> bytes_of(const std::vector<std::string>& texts, SetType type) {
    std::vector<std::string> out;
    std::unordered_set<std::string> seen;
    for (const std::string& text : texts) {
        const auto element = SetElement::parse(type, text);
        if (!element) return element.error();
        std::string bytes;
        element->append_to(bytes);
        if (seen.insert(bytes).second) out.push_back(std::move(bytes));
    }
    return out;
}

struct Asked {
    std::string set;
    model::SetChange::Action action = model::SetChange::ADD;
    std::vector<std::string> elements;
    uint64_t timeout_ms = 0;
    bool has_timeout = false;
};

/// What an answer counts.
struct Counted {
    uint64_t changed = 0, elements = 0;
};

/// Runs when the change's turn comes: the policy may be another than when it was asked for.
std::optional<Failure> prepare(Services& s, const Asked& asked, Counted& counted,
                               model::LiveChange& change) {
    const auto decl = declared(sets_of(s), asked.set);
    if (!decl) return invalid(unknown_set(s, asked.set));
    const auto elements = bytes_of(asked.elements, decl->type);
    if (!elements) return invalid(elements.error().message);
    static const LiveState::Elements none;
    const LiveState::Elements* there = s.live.state().find(asked.set);
    if (there == nullptr) there = &none;
    const uint64_t timeout = asked.has_timeout ? asked.timeout_ms : decl->timeout_ms;
    model::SetChange& out = *change.add_sets();
    out.set_set(asked.set);
    out.set_action(asked.action);
    uint64_t known = 0;
    for (const std::string& element : *elements) {
        known += there->contains(element) ? 1u : 0u;
        *out.mutable_elements() += element;
        if (asked.action == model::SetChange::ADD) out.add_remaining_ms(timeout);
    }
    const bool add = asked.action == model::SetChange::ADD;
    const uint64_t fresh = elements->size() - known;
    if (add && there->size() + fresh > decl->size)
        return Failure{FailureKind::kRefused,
                       fmt::format("set '{}' has {} elements and room for {}; {} more do not fit",
                                   asked.set, there->size(), decl->size, fresh)};
    const bool flush = asked.action == model::SetChange::FLUSH;
    counted.changed = flush ? there->size() : add ? fresh : known;
    counted.elements = add ? there->size() + fresh : there->size() - counted.changed;
    return std::nullopt;
}

void change_set(Services& s, const CallPtr& call, model::SetChange::Action action) {
    Asked asked{call->text("set"), action, call->texts("elements"), call->number("timeout_ms"),
                call->has("timeout_ms")};
    if (!call->wrong().empty()) return call->fail(FailureKind::kInvalid, call->wrong());
    if (asked.timeout_ms > kLongestMs || (asked.has_timeout && asked.timeout_ms < 1000))
        return call->fail(FailureKind::kInvalid, "timeout_ms: expected 1s to 366 days");
    auto guard = guard_of(*call);
    if (!guard) return;
    auto counted = std::make_shared<Counted>();
    s.live.change(
        [&s, asked = std::move(asked), counted](model::LiveChange& change) {
            return prepare(s, asked, *counted, change);
        },
        answer_live(call,
                    [counted] {
                        return Json{{"changed", counted->changed}, {"elements", counted->elements}};
                    }),
        std::move(*guard));
}

Json summary(const Services& s, const std::string& name, const Declared& decl) {
    const LiveState::Elements* there = s.live.state().find(name);
    return {{"name", name},
            {"type", kSetTypes[static_cast<size_t>(decl.type)]},
            {"size", decl.size},
            {"timeout_ms", decl.timeout_ms},
            {"elements", there == nullptr ? 0 : there->size()}};
}

void list_all(const Services& s, const CallPtr& call) {
    Json out = Json::array();
    for (const auto& [name, node] : sets_of(s).members())
        if (const auto decl = declared(sets_of(s), name)) out.push_back(summary(s, name, *decl));
    call->result({{"sets", std::move(out)}});
}

void list_one(const Services& s, const CallPtr& call, const std::string& name, uint64_t limit) {
    const auto decl = declared(sets_of(s), name);
    if (!decl) return call->fail(invalid(unknown_set(s, name)));
    std::vector<std::pair<SetElement, uint64_t>> elements;
    if (const LiveState::Elements* there = s.live.state().find(name))
        for (const auto& [bytes, deadline] : *there)
            if (const auto element = SetElement::read(decl->type, bytes.data()))
                elements.emplace_back(*element, deadline);
    std::ranges::sort(elements, [](const auto& a, const auto& b) {
        const auto key = [](const SetElement& e) {
            return std::tie(e.first, e.second, e.low, e.high);
        };
        return key(a.first) < key(b.first);
    });
    Json out = summary(s, name, *decl), list = Json::array();
    const uint64_t now = unix_ms();
    for (const auto& [element, deadline] : elements) {
        if (list.size() >= limit) break;
        Json row{{"element", element.to_string(decl->type)}};
        if (deadline != 0) row["expires_ms"] = deadline > now ? deadline - now : 0;
        list.push_back(std::move(row));
    }
    out["list"] = std::move(list);
    call->result(std::move(out));
}

}  // namespace

std::optional<Failure> pending(const Services& s) {
    if (const uint64_t generation = s.store.state().pending; generation != 0)
        return Failure{FailureKind::kRefused,
                       fmt::format("generation {} waits for its confirmation, expected confirm or "
                                   "rollback first",
                                   generation)};
    return std::nullopt;
}

LiveFlow::Done answer_live(const CallPtr& call, std::function<Json()> said) {
    return [call, said = std::move(said)](const LiveFlow::Outcome& outcome) {
        if (const auto* failed = std::get_if<Failure>(&outcome)) return call->fail(*failed);
        const auto& done = std::get<LiveDone>(outcome);
        Json out = said();
        out["generation"] = done.generation;
        out["serial"] = done.serial;
        out["live_us"] = static_cast<double>(done.live_ns) / 1e3;
        out["fsync_us"] = static_cast<double>(done.fsync_ns) / 1e3;
        call->result(std::move(out));
    };
}

void add_live_methods(Server& server, Services& services) {
    Services* s = &services;
    using Change = model::SetChange;
    server.add("set-add", [s](const CallPtr& call) { change_set(*s, call, Change::ADD); });
    server.add("set-del", [s](const CallPtr& call) { change_set(*s, call, Change::REMOVE); });
    server.add("set-flush", [s](const CallPtr& call) { change_set(*s, call, Change::FLUSH); });
    server.add("set-list", [s](const CallPtr& call) {
        const std::string name = call->text("set");
        const uint64_t limit = call->number("limit", kListed);
        if (!call->wrong().empty()) return call->fail(FailureKind::kInvalid, call->wrong());
        if (name.empty()) return list_all(*s, call);
        list_one(*s, call, name, limit);
    });
}

}  // namespace ravelin::control
