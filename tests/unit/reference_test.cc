// SPDX-License-Identifier: Apache-2.0
// docs/configuration.md is what the schemas say, today.
#include "controlplane/config/reference.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <vector>

#include "dataplane/stage.h"
#include "pipelines/model/schema.h"

namespace ravelin {
namespace {

TEST(Reference, TheCommittedPageIsWhatTheLoaderKnows) {
    std::vector<const config::Schema*> stages;
    for (const StageDecl* stage : StageRegistry::get().stages()) stages.push_back(stage->schema);
    ASSERT_FALSE(stages.empty());
    std::ifstream file(std::string(RAVELIN_SOURCE_ROOT) + "/docs/configuration.md");
    std::stringstream page;
    page << file.rdbuf();
    EXPECT_EQ(page.str(), config::reference_markdown(model::kConfigSchema, stages))
        << "print it anew: ravelin-controlplane --reference > docs/configuration.md";
}

}  // namespace
}  // namespace ravelin
