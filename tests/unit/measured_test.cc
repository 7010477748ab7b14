// SPDX-License-Identifier: Apache-2.0
// What `ravelin reserve --cpu auto` reserves, and when it says no.
#include "controlplane/api/measured.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ravelin::control {
namespace {

using config::Node;
using ::testing::HasSubstr;

constexpr int64_t kWithNext = 2;

Node tree(int64_t work) {
    Node function = Node::map(), principal = Node::map(), plain = Node::map(), out = Node::map();
    function.set("name", Node::text("f"));
    function.set("work", Node::integer(work));
    principal.set("name", Node::text("org"));
    principal.set("function", Node::text("f"));
    plain.set("name", Node::text("plain"));
    Node functions = Node::list(), principals = Node::list(), last = function;
    last.set("name", Node::text("g"));
    if (work == kWithNext) function.set("next", Node::text("g"));
    functions.add(std::move(function));
    functions.add(std::move(last));
    principals.add(std::move(plain));
    principals.add(std::move(principal));
    out.set("functions", std::move(functions));
    out.set("principals", std::move(principals));
    return out;
}
Result<std::vector<Measured>> all_measured(uint64_t packets, uint64_t most, int64_t work,
                                           const char* principal) {
    google::protobuf::RepeatedPtrField<model::FunctionRecord> functions;
    model::FunctionRecord& g = *functions.Add();
    g.set_name("g");
    g.set_packets(packets);
    g.set_most(most + 8);
    model::FunctionRecord& f = *functions.Add();
    f.set_name("f");
    f.set_packets(packets);
    f.set_most(most);
    return measure(tree(work), principal, functions);
}
Result<Measured> measured(uint64_t packets, uint64_t most, int64_t work = 1,
                          const char* principal = "org") {
    auto all = all_measured(packets, most, work, principal);
    if (!all) return std::move(all.error());
    EXPECT_EQ(all->size(), 1u);
    return std::move(all->front());
}

TEST(Measured, IsAQuarterMoreThanAllButOneInAThousandTook) {
    const auto found = measured(10'000, 4'001);
    ASSERT_TRUE(found.ok()) << found.error().message;
    EXPECT_EQ(found->function, "f");
    EXPECT_EQ(found->most, 4'001u);
    EXPECT_EQ(found->cycles, 5'002u);
    EXPECT_EQ(measured(10'000, 4'000, 8'000)->cycles, 8'000u) << "no less than it states";
}

TEST(Measured, IsOfEachThatPacketsGoThrough) {
    const auto all = all_measured(10'000, 4'000, kWithNext, "org");
    ASSERT_TRUE(all.ok()) << all.error().message;
    ASSERT_EQ(all->size(), 2u);
    EXPECT_EQ((*all)[0].function, "f");
    EXPECT_EQ((*all)[0].cycles, 5'000u);
    EXPECT_EQ((*all)[1].function, "g");
    EXPECT_EQ((*all)[1].cycles, 5'010u);
}

TEST(Measured, SaysNoWhereThereIsTooLittleToGoBy) {
    EXPECT_EQ(measured(9'999, 4'000).error().message,
              "cpu: function 'f' has been run for 9999 packets, expected at least 10000 to measure "
              "it by");
    for (const char* nobody : {"plain", "gone"})
        EXPECT_THAT(measured(10'000, 4'000, 1, nobody).error().message,
                    HasSubstr("which has no function"));
}

}  // namespace
}  // namespace ravelin::control
