// SPDX-License-Identifier: Apache-2.0
// Runs every tests/stages/<stage>/*.yaml as a test case. The format stands in README.md.
#include <gtest/gtest.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <filesystem>
#include <stdexcept>

#include "controlplane/config/quantity.h"
#include "dataplane/net/packet_text.h"
#include "tests/stages/expect.h"
#include "tests/support/stage_fixture.h"

namespace ravelin::test {
namespace {

namespace fs = std::filesystem;
using Counts = std::map<std::string, uint64_t>;

[[noreturn]] void refuse(const YAML::Node& at, const std::string& what) {
    throw std::runtime_error("line " + std::to_string(at.Mark().line + 1) + ": " + what);
}

void only_keys(const YAML::Node& map, const std::vector<std::string>& known) {
    for (const auto& member : map)
        if (const auto key = member.first.as<std::string>(); std::ranges::find(known, key) == known.end()) {
            std::string all;
            for (const std::string& k : known) all += " " + k;
            refuse(member.first, "found '" + key + "', expected one of" + all);
        }
}

/// The configuration as text; a port's device does not matter here and may go unsaid.
std::string config_text(const YAML::Node& config) {
    YAML::Node whole = YAML::Clone(config);
    for (YAML::Node port : whole["ports"])
        if (!port["device"]) port["device"] = "null";
    return YAML::Dump(whole);
}

uint64_t milliseconds(const YAML::Node& node) {
    const auto ns = config::parse_quantity(config::Type::kDuration, node.as<std::string>());
    if (!ns) refuse(node, "found '" + node.as<std::string>() + "', expected a time like 2s");
    return static_cast<uint64_t>(*ns) / 1'000'000;
}

Counts counts(const YAML::Node& map) {
    Counts out;
    for (const auto& member : map) out[member.first.as<std::string>()] = member.second.as<uint64_t>();
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

class Case {
  public:
    explicit Case(const YAML::Node& file) : file_(file), fixture_(config_text(file["config"])) {}

    void run() {
        for (const YAML::Node& step : file_["steps"]) {
            only_keys(step, {"name", "in", "advance", "apply", "out", "drops", "rules", "counters"});
            const std::string name = step["name"] ? step["name"].as<std::string>() : "a step";
            SCOPED_TRACE("line " + std::to_string(step.Mark().line + 1) + ": " + name);
            const Counts drops = fixture_.drops(), rules = rule_hits(), before = named(step["counters"]);
            act(step);
            check_sent(step["out"]);
            EXPECT_EQ(difference(fixture_.drops(), drops), counts(step["drops"])) << "drops";
            EXPECT_EQ(difference(rule_hits(), rules), counts(step["rules"])) << "rules";
            for (const auto& [counter, expected] : counts(step["counters"]))
                EXPECT_EQ(fixture_.counter(counter) - before.at(counter), expected) << counter;
        }
    }

  private:
    void act(const YAML::Node& step) {
        if (step["apply"]) fixture_.apply(config_text(step["apply"]));
        if (step["advance"]) fixture_.advance(milliseconds(step["advance"]));
        std::string port;
        std::vector<Bytes> burst;  // neighbours in the list on one port arrive together
        for (const YAML::Node& text : step["in"]) {
            auto packet = parse_packet_text(text.as<std::string>(), defaults());
            if (!packet) refuse(text, packet.error().message);
            if (packet->port != port && !burst.empty()) fixture_.receive(port, std::exchange(burst, {}));
            port = packet->port;
            burst.push_back(std::move(packet->frame));
        }
        if (!burst.empty()) fixture_.receive(port, burst);
    }

    PacketTextDefaults defaults() {
        PacketTextDefaults out;
        for (const PortPolicy& port : fixture_.context().policy->ports)
            out.port_macs.push_back({port.name, port.mac});
        out.port = out.port_macs.front().port;
        return out;
    }

    /// Per port in order; between ports order has no meaning.
    void check_sent(const YAML::Node& expected) {
        std::map<std::string, std::vector<Bytes>> sent;
        for (Sent& s : fixture_.sent()) sent[s.port].push_back(std::move(s.frame));
        std::map<std::string, size_t> taken;
        for (const YAML::Node& node : expected) {
            const auto line = node.as<std::string>();
            const size_t colon = line.find(": ");
            if (colon == std::string::npos) refuse(node, "found '" + line + "', expected 'PORT: packet'");
            const std::string port = line.substr(0, colon), text = line.substr(colon + 2);
            const size_t at = taken[port]++;
            if (at >= sent[port].size()) ADD_FAILURE() << "nothing left by " << line;
            else if (const auto why = mismatch(text, sent[port][at]); !why.empty()) ADD_FAILURE() << line << "\n" << why;
        }
        for (const auto& [port, frames] : sent)
            for (size_t i = taken[port]; i < frames.size(); ++i)
                ADD_FAILURE() << "nobody expected " << port << ": " << describe_frame(frames[i]);
    }

    Counts rule_hits() {
        Counts out;
        for (const RuleInfo& rule : fixture_.context().policy->rules)
            out[rule.name] = fixture_.context().counters.rule(rule.slot).packets;
        return out;
    }

    Counts named(const YAML::Node& map) {
        Counts out;
        for (const auto& [name, ignored] : counts(map)) out[name] = fixture_.counter(name);
        return out;
    }

    YAML::Node file_;
    StageFixture fixture_;
};

class StageCase : public ::testing::Test {
  public:
    explicit StageCase(fs::path path) : path_(std::move(path)) {}

    void TestBody() override {
        SCOPED_TRACE(path_.string());
        const YAML::Node file = YAML::LoadFile(path_.string());
        only_keys(file, {"about", "config", "steps", "error"});
        if (!file["error"]) return Case(file).run();
        try {
            StageFixture refused(config_text(file["config"]));
            ADD_FAILURE() << "the configuration was accepted";
        } catch (const std::exception& e) {
            EXPECT_NE(std::string(e.what()).find(file["error"].as<std::string>()), std::string::npos) << e.what();
        }
    }

  private:
    fs::path path_;
};

void register_cases() {
    std::vector<fs::path> files;
    for (const auto& entry : fs::recursive_directory_iterator(fs::path(RAVELIN_SOURCE_ROOT) / "tests/stages"))
        if (entry.path().extension() == ".yaml") files.push_back(entry.path());
    std::ranges::sort(files);
    for (const fs::path& file : files)
        ::testing::RegisterTest(file.parent_path().filename().c_str(), file.stem().c_str(), nullptr, nullptr,
                                file.c_str(), 1, [file]() -> ::testing::Test* { return new StageCase(file); });
}

}  // namespace
}  // namespace ravelin::test

int main(int argc, char** argv) {
    ::testing::InitGoogleTest(&argc, argv);
    ravelin::test::register_cases();
    return RUN_ALL_TESTS();
}
