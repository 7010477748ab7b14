// SPDX-License-Identifier: Apache-2.0
// What `ravelin reserve --cpu auto` reserves, and when it says no.
#include "controlplane/api/measured.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ravelin::control {
namespace {

using config::Node;
using ::testing::HasSubstr;

Node tree(int64_t work) {
    Node function = Node::map(), principal = Node::map(), plain = Node::map(), out = Node::map();
    function.set("name", Node::text("f"));
    function.set("work", Node::integer(work));
    principal.set("name", Node::text("org"));
    principal.set("function", Node::text("f"));
    plain.set("name", Node::text("plain"));
    Node functions = Node::list(), principals = Node::list();
    functions.add(std::move(function));
    principals.add(std::move(plain));
    principals.add(std::move(principal));
    out.set("functions", std::move(functions));
    out.set("principals", std::move(principals));
    return out;
}
Result<Measured> measured(uint64_t packets, uint64_t most, int64_t work = 1,
                          const char* principal = "org") {
    google::protobuf::RepeatedPtrField<model::FunctionRecord> functions;
    functions.Add()->set_name("g");
    model::FunctionRecord& f = *functions.Add();
    f.set_name("f");
    f.set_packets(packets);
    f.set_most(most);
    return measure(tree(work), principal, functions);
}

TEST(Measured, IsAQuarterMoreThanAllButOneInAThousandTook) {
    const auto found = measured(10'000, 4'001);
    ASSERT_TRUE(found.ok()) << found.error().message;
    EXPECT_EQ(found->function, "f");
    EXPECT_EQ(found->most, 4'001u);
    EXPECT_EQ(found->cycles, 5'002u);
    EXPECT_EQ(measured(10'000, 4'000, 8'000)->cycles, 8'000u) << "no less than it states";
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
