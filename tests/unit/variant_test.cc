// SPDX-License-Identifier: Apache-2.0
#include "dataplane/process/variant.h"
#include "dataplane/compiled_variant.h"

#include <gtest/gtest.h>

namespace ravelin {
namespace {

TEST(VariantTest, TheFirstThatRunsIsTaken) {
    const auto none = [](std::string_view) { return false; };
    const auto any = [](std::string_view) { return true; };
    const auto old = [](std::string_view variant) { return variant == "avx2"; };
    EXPECT_EQ(first_variant("avx512 avx2", any), "avx512");
    EXPECT_EQ(first_variant("avx512 avx2", old), "avx2");
    EXPECT_EQ(first_variant("avx512 avx2", none), "");
    EXPECT_EQ(first_variant("avx512", old), "");
    EXPECT_EQ(first_variant("", any), "");
}

TEST(VariantTest, ThisProgramsRunsHere) {
    EXPECT_TRUE(runs_here(compiled_variant()));
    EXPECT_TRUE(runs_here("avx2")) << "what runs AVX-512 runs this";
    EXPECT_FALSE(runs_here("sse"));
}

}  // namespace
}  // namespace ravelin
