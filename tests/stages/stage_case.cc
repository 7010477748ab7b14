// SPDX-License-Identifier: Apache-2.0
#include "tests/stages/stage_case.h"

#include <gtest/gtest.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <filesystem>
#include <stdexcept>

#include "controlplane/config/quantity.h"
#include "controlplane/config/yaml_loader.h"
#include "dataplane/net/packet_text.h"
#include "pipelines/model/tree_codec.h"
#include "pipelines/stages/firewall_schema.h"
#include "tests/stages/sent.h"
#include "tests/support/box_test.h"

namespace ravelin::test {
namespace {

namespace fs = std::filesystem;
using Counts = std::map<std::string, uint64_t>;

[[noreturn]] void refuse(const YAML::Node& at, const std::string& what) {
    throw std::runtime_error("line " + std::to_string(at.Mark().line + 1) + ": " + what);
}

void only_keys(const YAML::Node& map, const std::vector<std::string>& known) {
    for (const auto& member : map)
        if (const auto key = member.first.as<std::string>();
            std::ranges::find(known, key) == known.end()) {
            std::string all;
            for (const std::string& k : known) all += " " + k;
            refuse(member.first, "found '" + key + "', expected one of" + all);
        }
}

/// The configuration as text; a port's device does not matter here and may go unsaid.
std::string config_text(const YAML::Node& config) {
    YAML::Node whole = YAML::Clone(config);
    for (YAML::Node port : whole["ports"])
        if (!port["device"] && !port["parent"] && !port["vxlan"]) port["device"] = "null";
    return YAML::Dump(whole);
}

uint64_t milliseconds(const YAML::Node& node) {
    const auto ns = config::parse_quantity(config::Type::kDuration, node.as<std::string>());
    if (!ns) refuse(node, "found '" + node.as<std::string>() + "', expected a time like 2s");
    return static_cast<uint64_t>(*ns) / 1'000'000;
}

Counts counts(const YAML::Node& map) {
    Counts out;
    for (const auto& member : map)
        out[member.first.as<std::string>()] = member.second.as<uint64_t>();
    return out;
}

/// What is new in `now`; nothing that is zero.
Counts difference(const Counts& now, const Counts& before) {
    Counts out;
    for (const auto& [name, n] : now) {
        const auto old = before.find(name);
        const uint64_t was = old == before.end() ? 0 : old->second;
        if (n != was) out[name] = n - was;
    }
    return out;
}

std::unique_ptr<TestBox> make(const YAML::Node& file, const Backend& backend) {
    const bool steer = !file["steer"] || file["steer"].as<bool>();
    return backend.make(config_text(file["config"]), steer);
}

class Case {
  public:
    Case(const YAML::Node& file, const Backend& backend)
        : file_(file), backend_(backend), box_(make(file, backend)) {}

    void run() {
        box_->settle();
        const std::vector<Sent> greeting = box_->sent();
        if (file_["boot"]) check_sent(file_["boot"], greeting, backend_.ordered);
        for (const YAML::Node& step : file_["steps"]) {
            only_keys(step, {"name", "in", "advance", "apply", "set-add", "set-del", "timeout",
                             "rule-add", "rule-del", "merge", "out", "drops", "rules", "counters",
                             "charged"});
            const std::string name = step["name"] ? step["name"].as<std::string>() : "a step";
            SCOPED_TRACE("line " + std::to_string(step.Mark().line + 1) + ": " + name);
            const Counts drops = box_->drops(), rules = rule_hits(),
                         before = named(step["counters"]), charged = box_->charged();
            act(step);
            check_sent(step["out"], box_->sent(), backend_.ordered);
            EXPECT_EQ(difference(box_->drops(), drops), counts(step["drops"])) << "drops";
            EXPECT_EQ(difference(rule_hits(), rules), counts(step["rules"])) << "rules";
            if (step["charged"]) {
                EXPECT_EQ(difference(box_->charged(), charged), counts(step["charged"]))
                    << "charged";
            }
            for (const auto& [counter, expected] : counts(step["counters"]))
                EXPECT_EQ(box_->counter(counter) - before.at(counter), expected) << counter;
        }
    }

  private:
    void act(const YAML::Node& step) {
        if (step["apply"]) {
            box_->apply(config_text(step["apply"]));
            box_->settle();
        }
        edit(step, "set-add");
        edit(step, "set-del");
        for (const YAML::Node& added : step["rule-add"]) add_rule(added);
        for (const YAML::Node& name : step["rule-del"]) remove_rule(name.as<std::string>());
        if (step["merge"]) box_->merge_rules();
        if (step["advance"]) box_->advance(milliseconds(step["advance"]));
        std::string port;
        std::vector<Bytes> burst;  // neighbours in the list on one port arrive together
        for (const YAML::Node& text : step["in"]) {
            auto packet = parse_packet_text(text.as<std::string>(), defaults_of(box_->policy()));
            if (!packet) refuse(text, packet.error().message);
            if (packet->port != port && !burst.empty())
                box_->receive(port, std::exchange(burst, {}));
            port = packet->port;
            burst.push_back(std::move(packet->frame));
        }
        if (!burst.empty()) box_->receive(port, burst);
    }

    void edit(const YAML::Node& step, const char* key) {
        for (const auto& member : step[key])
            box_->edit({member.first.as<std::string>(),
                        member.second.as<std::vector<std::string>>(),
                        std::string_view(key) == "set-add",
                        step["timeout"] ? milliseconds(step["timeout"]) : 0});
    }

    // Live sets are all that a rule added later may name here.
    [[nodiscard]] config::Node sets() const {
        config::Node out = config::Node::map();
        for (const auto& set : box_->policy().sets) {
            config::Node one = config::Node::map();
            const auto type = static_cast<size_t>(set->decl().type);
            one.set("type", config::Node::text(std::string(kSetTypes[type])));
            out.set(set->decl().name, std::move(one));
        }
        return out;
    }

    void add_rule(const YAML::Node& added) {
        only_keys(added, {"rule", "first", "before", "after"});
        YAML::Emitter text;
        text << YAML::Flow << added["rule"];
        auto rule = config::load_map(text.c_str(), "rule", firewall::kRuleSchema, sets());
        if (!rule) refuse(added, rule.error().message);
        const RuleInfo* known = box_->policy().rules.find((*rule)["name"].as_text());
        rule->set("slot", config::Node::integer(known != nullptr ? known->slot : next_slot_++));
        firewall::RuleChanges changes;
        model::RuleChange& change = *changes.Add();
        model::encode(*rule, *change.mutable_add());
        using Place = model::RuleChange;
        change.set_place(added["first"]    ? Place::FIRST
                         : added["before"] ? Place::BEFORE
                         : added["after"]  ? Place::AFTER
                                           : Place::LAST);
        for (const char* key : {"before", "after"})
            if (added[key]) change.set_anchor(added[key].as<std::string>());
        box_->change_rules(changes);
    }

    void remove_rule(const std::string& name) {
        firewall::RuleChanges changes;
        changes.Add()->set_remove(name);
        box_->change_rules(changes);
    }

    Counts rule_hits() {
        Counts out;
        for (const RuleInfo& rule : box_->policy().rules.all())
            out[rule.name] = box_->rule(rule.name).packets;
        return out;
    }

    Counts named(const YAML::Node& map) {
        Counts out;
        for (const auto& [name, ignored] : counts(map)) out[name] = box_->counter(name);
        return out;
    }

    YAML::Node file_;
    const Backend& backend_;
    std::unique_ptr<TestBox> box_;
    uint32_t next_slot_ = 5000;  // behind those of the configuration
};

class StageCase : public ::testing::Test {
  public:
    StageCase(fs::path path, const Backend& backend) : path_(std::move(path)), backend_(backend) {}

    void TestBody() override {
        SCOPED_TRACE(path_.string());
        const YAML::Node file = YAML::LoadFile(path_.string());
        only_keys(file, {"about", "config", "boot", "steps", "error", "steer", "one-worker"});
        if (file["one-worker"] && backend_.name != "fixture")
            GTEST_SKIP() << file["one-worker"].as<std::string>();
        if (!file["error"]) return Case(file, backend_).run();
        try {
            const auto refused = make(file, backend_);
            ADD_FAILURE() << "the configuration was accepted";
        } catch (const std::exception& e) {
            EXPECT_NE(std::string(e.what()).find(file["error"].as<std::string>()),
                      std::string::npos)
                << e.what();
        }
    }

  private:
    fs::path path_;
    const Backend& backend_;
};

}  // namespace

void register_cases(const Backend& backend) {
    std::vector<fs::path> files;
    for (const auto& entry :
         fs::recursive_directory_iterator(fs::path(RAVELIN_SOURCE_ROOT) / "tests/stages"))
        if (entry.path().extension() == ".yaml") files.push_back(entry.path());
    std::ranges::sort(files);
    for (const fs::path& file : files) {
        const std::string suite = backend.name + "/" + file.parent_path().filename().string();
        ::testing::RegisterTest(
            suite.c_str(), file.stem().c_str(), nullptr, nullptr, file.c_str(), 1,
            [file, &backend]() -> ::testing::Test* { return new StageCase(file, backend); });
    }
}

}  // namespace ravelin::test
