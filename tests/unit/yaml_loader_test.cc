// SPDX-License-Identifier: Apache-2.0
// Good documents -> trees. What is refused is in yaml_errors_test.cc.
#include "controlplane/config/yaml_loader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "controlplane/config/reference.h"
#include "controlplane/config/to_yaml.h"
#include "tests/unit/yaml_test_schema.h"

namespace ravelin::config::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// Loads, and checks what holds of every good document: it conforms and survives a round trip.
Loaded good(std::string_view yaml, const std::string& file = "edge.yaml") {
    auto loaded = load(yaml, file);
    if (!loaded) {
        ADD_FAILURE() << loaded.error().message;
        return {};
    }
    const Status s = conforms(loaded->tree, kTop, stage_schema);
    EXPECT_TRUE(s.ok()) << (s ? "" : s.error().message);
    const std::string text = to_yaml(loaded->tree, kTop, stage_schema);
    const auto again = load(text);
    EXPECT_TRUE(again.ok()) << (again ? text : again.error().message + "\n" + text);
    EXPECT_TRUE(again.ok() && again->tree == loaded->tree) << text;
    return std::move(*loaded);
}

/// The one rule of a one-rule firewall, its members given in flow style.
Node rule(const std::string& members, const std::string& sets = "{}") {
    const Loaded doc =
        good("sets: " + sets + "\npipeline:\n  - firewall: {rules: [{" + members + "}]}\n");
    if (doc.tree["pipeline"].items().empty()) return {};
    return doc.tree["pipeline"].items()[0]["firewall"]["rules"].items().at(0);
}

std::vector<std::string> texts(const Node& prefixes) {
    std::vector<std::string> out;
    for (const Prefix& p : prefixes.as_prefixes()) out.push_back(p.to_string());
    return out;
}

/// A folder that goes away with the test.
class Folder {
  public:
    Folder() {
        char name[] = "/tmp/yaml_loader_test_XXXXXX";
        path_ = mkdtemp(name);
    }
    ~Folder() { std::filesystem::remove_all(path_); }
    std::string write(const std::string& name, const std::string& text) const {
        std::ofstream(path_ + "/" + name, std::ios::binary) << text;
        return path_ + "/" + name;
    }
    [[nodiscard]] std::string file(const std::string& name) const { return path_ + "/" + name; }

  private:
    std::string path_;
};

TEST(YamlLoader, FillsDefaultsAndLeavesTheRestAbsent) {
    const Loaded doc = good("ports: [{name: access}]");
    const Node& port = doc.tree["ports"].items().at(0);
    EXPECT_EQ(port["name"].as_text(), "access");
    EXPECT_EQ(port["mtu"].as_integer(), 1500);
    EXPECT_FALSE(port.has("mac"));
    EXPECT_EQ(doc.tree["limits"]["flows"].as_integer(), 1000);
    EXPECT_FALSE(doc.tree.has("pipeline"));
}

TEST(YamlLoader, AnEmptyDocumentIsAnEmptyMap) {
    EXPECT_EQ(good("").tree["limits"]["flows"].as_integer(), 1000);
    EXPECT_EQ(good("# nothing\n").tree, good("{}").tree);
    EXPECT_EQ(good("---\n...\n").tree, good("limits:\n").tree);
}

TEST(YamlLoader, NullCountsAsAnEmptyMapOrList) {
    const Loaded doc = good("sets:\nports:\nlimits: ~\npipeline:\n  - firewall:\n");
    EXPECT_EQ(doc.tree["ports"].kind(), Node::Kind::kList);
    EXPECT_EQ(doc.tree["pipeline"].items()[0]["firewall"]["idle"].as_integer(), 300'000'000'000);
}

TEST(YamlLoader, ReadsEveryScalarType) {
    const Loaded doc = good(
        "ports:\n- {name: eth0.1/x, mtu: 9KB, address: 192.0.2.1/24, extra: [192.0.2.9/24, "
        "192.0.2.2/24], mac: '02:00:00:00:00:01',\n"
        "   rate: 1.5Gbit, note: \"two\\nlines \\\"quoted\\\" \\x04\"}\n"
        "limits: {flows: 7, server: '2001:db8::', network: 10.0.0.0/8}\n");
    const Node& port = doc.tree["ports"].items().at(0);
    EXPECT_EQ(port["mtu"].as_integer(), 9000);
    EXPECT_EQ(port["address"].as_prefix().to_string(), "192.0.2.1/24");
    EXPECT_THAT(texts(port["extra"]), ElementsAre("192.0.2.9/24", "192.0.2.2/24"));
    EXPECT_EQ(port["mac"].as_mac().to_string(), "02:00:00:00:00:01");
    EXPECT_EQ(port["rate"].as_integer(), 1'500'000'000);
    EXPECT_EQ(port["note"].as_text(), "two\nlines \"quoted\" \x04");
    EXPECT_EQ(doc.tree["limits"]["server"].as_address().to_string(), "2001:db8::");
    EXPECT_EQ(doc.tree["limits"]["network"].as_prefix().to_string(), "10.0.0.0/8");
}

TEST(YamlLoader, ReadsSetsOfPortsWordsAndNames) {
    const Node r =
        rule("ports: [443, 1000-2000, 80, 80], state: related, inputs: [b, a], log: true");
    EXPECT_THAT(r["ports"].as_ports(),
                ElementsAre(PortRange{80, 80}, PortRange{443, 443}, PortRange{1000, 2000}));
    EXPECT_EQ(r["state"].as_integer(), 4);
    EXPECT_THAT(r["inputs"].as_names(), ElementsAre("b", "a"));
    EXPECT_TRUE(r["log"].as_bool());
    EXPECT_EQ(rule("").has("ports"), false);
    EXPECT_EQ(rule("ports: 22")["state"].as_integer(), 3);
}

TEST(YamlLoader, PrefixSetsAreSortedWithoutRepeats) {
    EXPECT_THAT(texts(rule("source: 10.0.0.1")["source"]), ElementsAre("10.0.0.1/32"));
    EXPECT_THAT(texts(rule("source: [10.2.0.0/16, '::/0', [10.1.0.0/16, 10.2.0.0/16]]")["source"]),
                ElementsAre("::/0", "10.1.0.0/16", "10.2.0.0/16"));
    EXPECT_THAT(texts(rule("source: []")["source"]), IsEmpty());
}

TEST(YamlLoader, SetsReferToSetsInAnyOrder) {
    const Node r = rule("source: ['@a', 10.9.0.0/16]", "{a: ['@z', 10.1.0.0/16], z: 10.2.0.0/16}");
    EXPECT_THAT(texts(r["source"]), ElementsAre("10.1.0.0/16", "10.2.0.0/16", "10.9.0.0/16"));
}

TEST(YamlLoader, WarnsOfASetThatNothingRefersTo) {
    EXPECT_THAT(good("sets:\n  old: 10.0.0.0/8\n").warnings,
                ElementsAre("edge.yaml:2:8: sets.old: nothing refers to this set"));
}

TEST(YamlLoader, ReadsPrefixFilesBesideTheDocument) {
    const Folder folder;
    folder.write("bad.txt", "# list\n10.0.0.0/8  # net\n\n  2001:db8::/32\r\n192.0.2.1");
    const std::string main = folder.write("edge.yaml", "sets: {bad: {file: bad.txt}}\n");
    const auto doc = load_file(main, kTop, stage_schema, kStageNames);
    ASSERT_TRUE(doc.ok()) << doc.error().message;
    EXPECT_THAT(texts(doc->tree["sets"]["bad"]),
                ElementsAre("10.0.0.0/8", "192.0.2.1/32", "2001:db8::/32"));
}

TEST(YamlLoader, ReadsGzipAndSaysWhenItIsCutShort) {
    const Folder folder;
    const std::string path = folder.file("bad.gz");
    gzFile out = gzopen(path.c_str(), "wb");
    gzputs(out, "10.0.0.0/8\n10.1.0.0/16\n");
    gzclose(out);
    EXPECT_EQ(texts(good("sets: {bad: {file: " + path + "}}").tree["sets"]["bad"]).size(), 2u);
    std::filesystem::resize_file(path, std::filesystem::file_size(path) - 9);
    const auto cut = load("sets: {bad: {file: " + path + "}}");
    ASSERT_FALSE(cut.ok());
    EXPECT_THAT(cut.error().message, HasSubstr("the gzip data ends too early"));
}

TEST(YamlLoader, NamesTheLineOfAPrefixFile) {
    const Folder folder;
    const std::string list = folder.write("bad.txt", "10.0.0.0/8\n\n10.0.0.1/8\n");
    EXPECT_EQ(load("sets: {bad: {file: " + list + "}}").error().message,
              list + ":3:1: '10.0.0.1/8' has host bits; did you mean 10.0.0.0/8?");
    folder.write("bad.txt", "10.0.0.0/8\n" + std::string(5000, '#') + "\n");
    EXPECT_EQ(load("sets: {bad: {file: " + list + "}}").error().message,
              list + ":2:1: the line has a NUL or more than 4094 bytes");
}

TEST(YamlLoader, KnowsWhereElementsStand) {
    const Loaded doc = good(
        "pipeline:\n  - parse\n  - firewall:\n      rules:\n        - log: true\n"
        "        - action: deny\n          ports: 80\nlimits:\n");
    EXPECT_EQ(doc.positions.at("pipeline.parse"), "edge.yaml:2:5");
    EXPECT_EQ(doc.positions.at("pipeline.firewall"), "edge.yaml:3:5");
    EXPECT_EQ(doc.positions.at("pipeline.firewall.rules[1]"), "edge.yaml:6:11");
    EXPECT_EQ(doc.positions.at("pipeline.firewall.rules[1].ports"), "edge.yaml:7:18");
    EXPECT_EQ(doc.positions.at("pipeline.firewall.rules[1].state"), "edge.yaml:6:11")
        << "a default";
    EXPECT_EQ(doc.positions.at("limits.flows"), "edge.yaml:8:1");
    EXPECT_EQ(doc.positions.at("ports[3].mtu"), "edge.yaml:1:1");
    EXPECT_EQ(doc.positions.at(""), "edge.yaml:1:1");
}

TEST(YamlLoader, ExpandsAliases) {
    const Loaded doc = good("ports: [&p {name: a}, *p]\nlimits: {flows: &n 5}\n");
    EXPECT_EQ(doc.tree["ports"].items()[0], doc.tree["ports"].items()[1]);
}

TEST(YamlLoader, QuotesTextThatYamlWouldRead) {
    for (const char* text :
         {"~",   "null", "",   " x", "a: b",    "- x",     "#",  "@x", "é", "a\\tb", "---",
          "...", "{",    "*a", "a:", "\\u2028", "\\ufeff", "%x", "!x", "1", "true",  "\\x85"})
        good("ports: [{name: a, note: \"" + std::string(text) + "\"}]");
}

TEST(YamlLoader, ReadsOneTextOrSeveral) {
    const Loaded doc =
        good("ports: [{name: a, labels: one two}, {name: b, labels: [x y, x y, 'c: d']}]");
    const auto& ports = doc.tree["ports"].items();
    EXPECT_THAT(ports.at(0)["labels"].as_names(), ElementsAre("one two"));
    EXPECT_THAT(ports.at(1)["labels"].as_names(), ElementsAre("x y", "x y", "c: d"));
    const auto wrong = load("ports:\n- name: a\n  labels: [x, {y: z}]\n");
    ASSERT_FALSE(wrong.ok());
    EXPECT_THAT(wrong.error().message, HasSubstr("expected text or a list of texts"));
}

TEST(YamlLoader, WritesCanonicalText) {
    const Loaded doc =
        good("pipeline: [parse, {firewall: {rules: [{ports: [80,443], source: '::/0'}]}}]");
    EXPECT_EQ(
        to_yaml(doc.tree, kTop, stage_schema),
        "limits:\n  flows: 1000\npipeline:\n  - parse\n  - firewall:\n      rules:\n"
        "        - action: allow\n          source: \"::/0\"\n          ports:\n            - 80\n"
        "            - 443\n          state:\n            - new\n            - established\n"
        "          log: false\n      idle: 5m\n");
}

TEST(YamlLoader, LoadsTenThousandRules) {
    std::string yaml = "pipeline:\n  - firewall:\n      rules:\n";
    for (int i = 0; i < 10'000; ++i)
        yaml += "        - action: deny\n          protocol: 6\n          source: [10." +
                std::to_string(i / 256) + "." + std::to_string(i % 256) +
                ".0/24, 192.0.2.0/24]\n          ports: [80, 443, 1000-2000]\n          inputs: "
                "[a, b]\n";
    const auto doc = load(yaml);
    ASSERT_TRUE(doc.ok()) << doc.error().message;
    EXPECT_EQ(doc->tree["pipeline"].items()[0]["firewall"]["rules"].items().size(), 10'000u);
}

TEST(YamlLoader, LoadsAMillionPrefixFile) {
    const Folder folder;
    std::string text;
    for (unsigned i = 0; i < 1'000'000; ++i)
        text += IpAddress::v4(0x0a000000u + i * 2654435761u % 0x1000000u).to_string() + "\n";
    const std::string path = folder.write("bad.txt", text);
    const auto doc = load("sets: {bad: {file: " + path + "}}");
    ASSERT_TRUE(doc.ok()) << doc.error().message;
    EXPECT_EQ(doc->tree["sets"]["bad"].as_blob().size(), 17'000'000u);
}

TEST(YamlReference, ListsEverySchemaOnce) {
    const std::array<const Schema*, 3> stages{&kParse, &kFirewall, &kPolice};
    const std::string text = reference_markdown(kTop, stages);
    EXPECT_THAT(text, HasSubstr("| `mtu` | size, 64B to 9KB | `1500B` | Largest frame. |\n"));
    EXPECT_THAT(text,
                HasSubstr("| `limit` | packet rate, at most 1Mpps | **required** | Packets. |\n"));
    EXPECT_THAT(text, HasSubstr("| `rules` | list of [rule](#rule) | `[]` | In order. |\n"));
    EXPECT_EQ(text.find("\n## rule\n"), text.rfind("\n## rule\n"));
    EXPECT_THAT(text, HasSubstr("\n## stage parse\n\nReads headers.\n\nNo settings.\n"));
}

}  // namespace
}  // namespace ravelin::config::testing
