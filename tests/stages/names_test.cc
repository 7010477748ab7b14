// SPDX-License-Identifier: Apache-2.0
// One name in five places: the YAML key, kStage.name, the file, the test folder, the counter
// prefix.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "dataplane/engine_counters.h"
#include "dataplane/stage.h"

namespace ravelin {
namespace {

namespace fs = std::filesystem;
const fs::path kRoot = RAVELIN_SOURCE_ROOT;

TEST(StageNames, EachStageHasAFileATestFolderAndASchemaOfItsName) {
    const auto& stages = StageRegistry::get().stages();
    ASSERT_GE(stages.size(), 3u) << "the linker dropped stages: link_whole";
    for (const StageDecl* stage : stages) {
        const std::string name(stage->name);
        EXPECT_TRUE(fs::exists(kRoot / "pipelines/stages" / (name + ".cc"))) << name;
        EXPECT_TRUE(fs::is_directory(kRoot / "tests/stages" / name)) << name;
        EXPECT_EQ(stage->schema->name, "stage " + name);
        EXPECT_EQ(StageRegistry::schema_of(name), stage->schema);
    }
}

TEST(StageNames, EachFileIsAStageOrAPartOfOne) {
    const auto& stages = StageRegistry::get().stages();
    for (const auto& file : fs::directory_iterator(kRoot / "pipelines/stages")) {
        if (file.path().extension() != ".cc") continue;
        const std::string name = file.path().stem();
        EXPECT_TRUE(std::ranges::any_of(stages, [&](const StageDecl* s) {
            return name == s->name || name.starts_with(std::string(s->name) + "_");
        })) << name;
    }
}

TEST(StageNames, CountersAndDropsAreNamedAndExplained) {
    const auto specs = counter_specs({"lan"});
    for (const StageDecl* stage : StageRegistry::get().stages()) {
        for (const CounterDecl& drop : stage->drops) {
            const std::string full =
                "drop." + std::string(stage->name) + "." + std::string(drop.name);
            EXPECT_EQ(std::ranges::count(specs, full, &CounterSpec::name), 1) << full;
        }
        for (const CounterDecl& counter : stage->counters) {
            const std::string full = std::string(stage->name) + "." + std::string(counter.name);
            EXPECT_EQ(std::ranges::count(specs, full, &CounterSpec::name), 1) << full;
        }
    }
    for (const CounterSpec& spec : specs) {
        EXPECT_LT(spec.name.size(), sizeof CounterName{}.name) << spec.name;
        EXPECT_LT(spec.help.size(), sizeof CounterName{}.help) << spec.name;
        EXPECT_TRUE(spec.help.ends_with('.')) << spec.name << ": " << spec.help;
    }
}

}  // namespace
}  // namespace ravelin
