// SPDX-License-Identifier: Apache-2.0
// What hostile or broken documents must not do: grow without end, hang, or break the error line.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/yaml_test_schema.h"

namespace ravelin::config::testing {
namespace {

TEST(YamlBounds, NestingIsBounded) {
    const std::string deep = "limits: " + std::string(64, '[') + std::string(64, ']');
    EXPECT_EQ(load(deep).error().message, "edge.yaml:1:72: nested deeper than 64 levels");
    const auto far = load(std::string(100'000, '['));
    EXPECT_FALSE(far.ok());
}

TEST(YamlBounds, AliasExpansionIsBounded) {
    std::string laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
    for (int i = 1; i < 10; ++i) {
        const std::string before = "*a" + std::to_string(i - 1);
        laughs += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
        for (int k = 0; k < 10; ++k) laughs += before + (k < 9 ? ", " : "]\n");
    }
    EXPECT_EQ(load(laughs).error().message,
              "edge.yaml:7:20: more than 4000000 values, aliases expanded");
    std::string text = "a: [&t " + std::string(1 << 20, 'x');
    for (int i = 0; i < 300; ++i) text += ", *t";
    EXPECT_NE(load(text + "]").error().message.find("more than 256 MiB of text"),
              std::string::npos);
}

TEST(YamlBounds, SetExpansionIsBounded) {
    std::string sets = "sets:\n  s0: [10.0.0.0, 10.0.0.1]\n";
    for (int i = 1; i < 40; ++i) {
        const std::string before = "'@s" + std::to_string(i - 1) + "'";
        sets += "  s" + std::to_string(i) + ": [" + before + ", " + before + "]\n";
    }
    EXPECT_TRUE(load(sets).ok()) << "repeats fall away";
    std::string many = "sets:\n  s: [10.0.0.0";
    for (int i = 1; i < 1000; ++i) many += ", " + IpAddress::v4(0x0a000000u + i).to_string();
    many += "]\n  t: [";
    for (int i = 0; i < 20'000; ++i) many += "'@s', ";
    const auto loaded = load(many + "]\n");
    ASSERT_FALSE(loaded.ok());
    EXPECT_NE(loaded.error().message.find("more than 16000000 prefixes"), std::string::npos);
}

TEST(YamlBounds, ADocumentIsAtMost64MiB) {
    EXPECT_EQ(load(std::string((64 << 20) + 1, ' ')).error().message,
              "edge.yaml:1:1: is larger than 64 MiB");
}

TEST(YamlBounds, AFileThatIsNotThere) {
    EXPECT_EQ(load_file("/no/edge.yaml", kTop, stage_schema, kStageNames).error().message,
              "/no/edge.yaml:1:1: cannot be read: No such file or directory");
    EXPECT_FALSE(load_file("/tmp", kTop, stage_schema, kStageNames).ok());
}

/// Every way to cut a document short either loads or gives one line that starts with a position.
TEST(YamlBounds, EveryTruncationIsOneLine) {
    const std::string_view yaml =
        "sets: {a: [10.0.0.0/8, '@b'], b: 192.0.2.0/24}\nports:\n  - {name: a, mtu: 9KB}\n"
        "pipeline:\n  - parse\n  - firewall:\n      rules:\n        - {ports: [80, 90-99], source: "
        "'@a'}\n";
    for (size_t size = 0; size <= yaml.size(); ++size) {
        const auto loaded = load(yaml.substr(0, size));
        if (loaded) continue;
        EXPECT_TRUE(loaded.error().message.starts_with("edge.yaml:")) << loaded.error().message;
        EXPECT_EQ(std::ranges::count(loaded.error().message, '\n'), 0) << loaded.error().message;
    }
}

}  // namespace
}  // namespace ravelin::config::testing
