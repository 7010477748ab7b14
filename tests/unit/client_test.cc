// SPDX-License-Identifier: Apache-2.0
#include "controlplane/cli/client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>

#include "controlplane/cli/failure.h"
#include "tests/support/fake_api.h"

namespace ravelin::cli {
namespace {

using ::testing::HasSubstr;

TEST(Client, HandsBackTheResult) {
    FakeApi api;
    api.answer("status", {{"generation", 7}});
    Client client(api.directory());
    EXPECT_EQ(number(client.call("status"), "generation"), 7u);
    EXPECT_EQ(number(client.call("status"), "generation"), 7u);  // the connection stays
}

TEST(Client, ThrowsTheControlPlanesWords) {
    FakeApi api;
    api.fail("confirm", "refused", "nothing to confirm");
    Client client(api.directory());
    try {
        client.call("confirm");
        FAIL() << "no failure";
    } catch (const Failure& failure) {
        EXPECT_STREQ(failure.what(), "nothing to confirm");
        EXPECT_EQ(failure.code, kFailed);
        EXPECT_EQ(failure.kind, "refused");
    }
}

TEST(Client, SaysWhenNobodyListens) {
    try {
        Client client("/nowhere");
        FAIL() << "no failure";
    } catch (const Failure& failure) {
        EXPECT_EQ(failure.code, kUnreachable);
        EXPECT_THAT(failure.what(), HasSubstr("/nowhere/control.sock: No such file or directory"));
    }
}

TEST(Client, HandsOverEventsUntilTheTotals) {
    FakeApi api;
    api.on("trace", [](const Json&) {
        return std::vector<Json>{{{"event", 1}}, {{"event", 2}}, {{"result", {{"packets", 2}}}}};
    });
    Client client(api.directory());
    const Interrupt interrupt;
    int seen = 0;
    const auto totals =
        client.stream("trace", Json::object(), interrupt, [&](const Json&) { ++seen; });
    EXPECT_EQ(seen, 2);
    ASSERT_TRUE(totals.has_value());
    EXPECT_EQ(number(*totals, "packets"), 2u);
}

TEST(Client, StopsTheStreamWhenInterrupted) {
    FakeApi api;
    api.on("trace", [](const Json&) { return std::vector<Json>{{{"event", 1}}}; });
    Client client(api.directory());
    const Interrupt interrupt;
    const auto totals =
        client.stream("trace", Json::object(), interrupt, [](const Json&) { ::raise(SIGINT); });
    EXPECT_TRUE(totals.has_value());
}

TEST(Fields, ReadWhatIsMissingAsNothing) {
    const Json answer = Json::parse(R"({"n":"18446744073709551615","t":5,"b":1,"l":{}})");
    EXPECT_EQ(number(answer, "n"), UINT64_MAX);
    EXPECT_EQ(number(answer, "none"), 0u);
    EXPECT_EQ(text(answer, "t"), "5");
    EXPECT_FALSE(flag(answer, "b"));
    EXPECT_TRUE(list(answer, "l").empty());
    EXPECT_EQ(number(Json(), "n"), 0u);
}

}  // namespace
}  // namespace ravelin::cli
