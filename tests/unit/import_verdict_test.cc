// SPDX-License-Identifier: Apache-2.0
// Imported policies against their source, packet by packet: an interpreter walks the chains as the
// kernel does, jumps and RETURN included. What it cannot judge (a mark, a MAC) falls as a coin
// does: what the outcome accepts must be accepted whichever way.
// It shares the importer's parser, so it proves nothing about what that makes of a line; it looks
// only at the table filter, at NEW packets, and passes over rules with header fields and rates.
// tests/oracle/import_oracle.cc asks the kernel.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>

#include "controlplane/compile/compiler.h"
#include "controlplane/import/import.h"
#include "pipelines/stages/firewall_rules.h"
#include "tests/support/data.h"

namespace ravelin::import {
namespace {

constexpr int kPackets = 20'000;

using Values = std::array<Wide, kDimensions>;

class Kernel {
  public:
    Kernel(const File& file, std::mt19937_64& random)
        : chains_(file.tables.at("filter")), random_(random) {}

    enum class Verdict { kAccept, kDeny, kNone, kSkip };
    Verdict judge(const std::string& chain, const Values& packet) {
        const Verdict v = walk(chain, packet);
        if (v != Verdict::kNone) return v;
        return chains_.at(chain).policy == "DROP" ? Verdict::kDeny : Verdict::kAccept;
    }

  private:
    static bool matches(const Box& box, const Values& packet) {
        for (size_t d = 0; d < kDimensions; ++d)
            if (!box.in[d].holds(packet[d])) return false;
        return true;
    }
    Verdict walk(const std::string& chain, const Values& packet) {
        for (const Line& line : chains_.at(chain).lines) {
            if (!matches(line.match.box, packet)) continue;
            if (!line.match.members.empty()) return Verdict::kSkip;
            if (!line.match.unknown.empty() && random_() % 2 == 0) continue;
            if (line.target == "ACCEPT") return Verdict::kAccept;
            if (line.target == "DROP" || line.target == "REJECT") return Verdict::kDeny;
            if (line.target == "RETURN") return Verdict::kNone;
            if (!chains_.contains(line.target)) continue;
            const Verdict inner = walk(line.target, packet);
            if (inner != Verdict::kNone || line.is_goto) return inner;
        }
        return Verdict::kNone;
    }
    const std::map<std::string, Chain>& chains_;
    std::mt19937_64& random_;
};

/// The firewall that the imported configuration makes.
class Outcome {
  public:
    explicit Outcome(const std::string& yaml) {
        control::Compiler compiler;
        auto compiled = compiler.compile(yaml, "imported.yaml", {});
        EXPECT_TRUE(compiled.ok()) << compiled.error().message;
        std::vector<std::string> ports;
        for (const config::Node& port : compiled->tree["ports"].items())
            ports.push_back(port["name"].as_text());
        for (const config::Node& stage : compiled->tree["pipeline"].items())
            if (stage.has("firewall")) rules_ = *firewall::rules_of(stage["firewall"], ports);
        input_ = firewall::classifier_input(rules_);
        classifier_ = std::move(*Classifier::build(input_.rules));
    }
    /// Null: the default.
    [[nodiscard]] const firewall::NamedRule* find(const ClassifierKey& key) const {
        const uint32_t at = classifier_.match(key);
        return at == Classifier::kNoMatch ? nullptr : &rules_[input_.origin[at]];
    }

  private:
    std::vector<firewall::NamedRule> rules_;
    firewall::ClassifierInput input_;
    Classifier classifier_;
};

class ImportVerdict : public ::testing::TestWithParam<const char*> {
  protected:
    Wide pick(const Numbers& from) {
        const Range& range = from.ranges()[random_() % from.ranges().size()];
        const Wide width = range.high - range.low;
        switch (random_() % 3) {
            case 0:
                return range.low;
            case 1:
                return range.high;
            default:
                return range.low + (width == ~Wide{0} ? Wide{random_()} : random_() % (width + 1));
        }
    }
    // Around the edges of a rule: each dimension of it, of its neighbour, or any at all.
    Values draw(const std::vector<const Box*>& boxes, const Box& all, bool input, Wide local) {
        Values out;
        const Box& near = *boxes[random_() % boxes.size()];
        for (size_t d = 0; d < kDimensions; ++d) {
            const Numbers& from = random_() % 8 == 0 || near.in[d].empty() ? all.in[d] : near.in[d];
            out[d] = pick(from);
        }
        out[kOut] = input ? local : out[kOut] == local ? out[kOut] - 1 : out[kOut];
        out[kState] = kNew;
        if (out[kProtocol] != 6 && out[kProtocol] != 17 && random_() % 2 == 0)
            out[kProtocol] = random_() % 2 == 0 ? 6 : 17;
        return out;
    }
    static ClassifierKey key_of(const Values& v, bool input) {
        ClassifierKey key;
        key.source = IpAddress::v4(static_cast<uint32_t>(v[kSource]));
        key.destination = IpAddress::v4(static_cast<uint32_t>(v[kDestination]));
        key.source_port = static_cast<uint16_t>(v[kSourcePort]);
        key.destination_port = static_cast<uint16_t>(v[kDestinationPort]);
        key.in_port = static_cast<uint16_t>(v[kIn]);
        key.out_port = input ? kLocalPort : static_cast<uint16_t>(v[kOut]);
        key.protocol = static_cast<uint8_t>(v[kProtocol]);
        key.icmp_type = static_cast<uint8_t>(v[kIcmpType]);
        key.state = firewall::kStateNew;
        return key;
    }
    std::mt19937_64 random_{7};
};

TEST_P(ImportVerdict, NothingIsAcceptedThatTheSourceWouldDeny) {
    const auto path = test::data_path(std::string("rules/iptables/") + GetParam());
    if (!path) GTEST_SKIP() << "needs shared/data";
    std::ifstream in(*path);
    std::stringstream text;
    text << in.rdbuf();
    const auto imported = import_iptables({{GetParam(), text.str(), false}});
    ASSERT_TRUE(imported.ok()) << imported.error().message;
    Interfaces interfaces;
    collect_interfaces(text.str(), interfaces);
    assume_interfaces(interfaces);
    const auto file = parse(text.str(), GetParam(), false, interfaces);
    ASSERT_TRUE(file.ok());
    if (!file->tables.contains("filter")) GTEST_SKIP() << "has no filter";
    const Box all = universe(interfaces, false);
    std::vector<const Box*> boxes{&all};
    for (const auto& [name, chain] : file->tables.at("filter"))
        for (const Line& line : chain.lines) boxes.push_back(&line.match.box);
    const Outcome outcome(imported->yaml);
    Kernel kernel(*file, random_);
    int same = 0, narrower = 0;
    for (int i = 0; i < kPackets; ++i) {
        const bool input = random_() % 2 == 0;
        const Values packet = draw(boxes, all, input, interfaces.local());
        const auto source = kernel.judge(input ? "INPUT" : "FORWARD", packet);
        if (source == Kernel::Verdict::kSkip) continue;
        const ClassifierKey key = key_of(packet, input);
        const firewall::NamedRule* rule = outcome.find(key);
        const bool accepted = rule != nullptr && rule->action == firewall::Action::kAccept;
        const bool accepts = source == Kernel::Verdict::kAccept;
        ASSERT_TRUE(accepts || !accepted)
            << "by " << rule->name << ": " << key.source.to_string() << ':' << key.source_port
            << " > " << key.destination.to_string() << ':' << key.destination_port << " protocol "
            << unsigned{key.protocol} << " in " << key.in_port << " out " << key.out_port;
        accepted == accepts ? ++same : ++narrower;
    }
    RecordProperty("same", same);
    RecordProperty("narrower", narrower);
    EXPECT_GT(same, kPackets / 4);
    if (imported->lost() == 0) {
        EXPECT_EQ(narrower, 0);
    }
    printf("%s: %d the same, %d denied by what cannot be said; %zu rules, %zu remarks of loss\n",
           GetParam(), same, narrower, imported->rules, imported->lost());
}

INSTANTIATE_TEST_SUITE_P(
    RealFiles, ImportVerdict,
    ::testing::Values("ferm_dmz_router.iptables-save", "ferm_dsl_router.iptables-save",
                      "ferm_webserver.iptables-save", "ferm_workstation.iptables-save",
                      "openlab_iptables-save.txt", "serverfault_758088.txt",
                      "serverfault_759927.txt", "serverfault_762193.txt", "serverfault_765855.txt",
                      "serverfault_766198.txt", "serverfault_769294.txt", "vpn_iptables.up.rules"));

}  // namespace
}  // namespace ravelin::import
