// SPDX-License-Identifier: Apache-2.0
// Live changes through the real ravelin-controlplane, on a data plane that only speaks the
// protocol.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <optional>

#include "tests/support/control_client.h"
#include "tests/support/edge_yaml.h"
#include "tests/support/fake_dataplane.h"

namespace ravelin::control {
namespace {

using test::ControlClient;
using test::Json;
using ::testing::HasSubstr;

std::string with_set(const std::string& set = "bad: {type: prefixes, size: 3}") {
    return "sets: {" + set + "}\n" +
           test::edge_yaml("        - {name: web, action: accept, protocol: tcp, to-ports: 80}\n");
}

class ControlLive : public ::testing::Test {
  protected:
    ControlLive() {
        std::string pattern = "/tmp/ravelin-live-XXXXXX";
        directory_ = ::mkdtemp(pattern.data());
        dataplane_.emplace(directory_ + "/dataplane.sock");
        process_.emplace(directory_);
    }
    ~ControlLive() override {
        client_.reset();
        process_.reset();
        dataplane_.reset();
        std::filesystem::remove_all(directory_);
    }
    void start(const std::string& crash_at = "") {
        if (crash_at.empty())
            process_->start();
        else
            process_->start(crash_at);
        client_.emplace(process_->socket());
        for (int i = 0; i < 500; ++i) {
            if (client_->call("status")["result"]["ready"] == true) break;
            ::usleep(5'000);
        }
    }
    void restart(const std::string& crash_at = "") {
        client_.reset();
        process_->kill();
        start(crash_at);
    }
    void apply(const std::string& yaml) {
        const Json answer = client_->call("apply", {{"text", yaml}});
        ASSERT_TRUE(answer.contains("result")) << answer;
    }
    Json add(const std::vector<std::string>& elements, Json more = Json::object()) {
        more["set"] = "bad";
        more["elements"] = elements;
        return client_->call("set-add", more);
    }
    Json listed() {
        Json out = Json::array();
        const Json answer = client_->call("set-list", {{"set", "bad"}});
        for (const Json& e : answer["result"]["list"]) out.push_back(e["element"]);
        return out;
    }
    Json add_rule(const std::string& rule, const std::string& place = "last",
                  const std::string& anchor = "") {
        return client_->call("rule-add", {{"rule", rule}, {"place", place}, {"anchor", anchor}});
    }
    Json rule_names() {
        Json out = Json::array();
        const Json answer = client_->call("rules");
        for (const Json& rule : answer["result"]["rules"])
            if (rule["builtin"] == false) out.push_back(rule["name"]);
        return out;
    }
    Json reserve(const std::string& principal, const std::string& rate, bool dry_run = false) {
        return client_->call(
            "reserve",
            {{"reservation", "{name: " + principal + ", principal: " + principal +
                                 ", out: wan, bytes: 1500B, rate: " + rate + ", deadline: 5ms}"},
             {"dry_run", dry_run}});
    }
    Json reserved() {
        Json out = Json::array();
        const Json answer = client_->call("reservations");
        for (const Json& one : answer["result"]["reservations"])
            if (one["live"] == true) out.push_back(one["name"]);
        return out;
    }
    size_t in_dataplane() { return dataplane_->elements("bad").size() / 40; }
    void wait_for(size_t elements) {
        for (int i = 0; i < 500 && in_dataplane() != elements; ++i) ::usleep(10'000);
        EXPECT_EQ(in_dataplane(), elements);
    }

    std::string directory_;
    std::optional<test::FakeDataplane> dataplane_;
    std::optional<test::ControlplaneProcess> process_;
    std::optional<ControlClient> client_;
};

TEST_F(ControlLive, AddsDeletesListsAndFlushes) {
    start();
    apply(with_set());
    const Json added = add({"192.0.2.0/24", "2001:db8::1", "192.0.2.0/24"})["result"];
    EXPECT_EQ(added["changed"], 2);
    EXPECT_EQ(added["generation"], 1);
    EXPECT_EQ(listed(), Json({"192.0.2.0/24", "2001:db8::1/128"}));
    EXPECT_EQ(add({"10.0.0.1", "10.0.0.2"})["error"]["kind"], "refused") << "two more do not fit";
    EXPECT_EQ(add({"10.0.0.1"})["result"]["elements"], 3);
    EXPECT_EQ(
        client_->call("set-del", {{"set", "bad"},
                                  {"elements", {"10.0.0.1", "10.0.0.7"}}})["result"]["changed"],
        1);
    EXPECT_EQ(in_dataplane(), 2u);
    EXPECT_EQ(client_->call("set-flush", {{"set", "bad"}})["result"]["changed"], 2);
    EXPECT_EQ(in_dataplane(), 0u);
    EXPECT_EQ(client_->call("set-list")["result"]["sets"][0]["elements"], 0);
    EXPECT_EQ(client_->call("status")["result"]["generation"], 1) << "no new generation";
}

TEST_F(ControlLive, SaysWhatIsWrong) {
    start();
    apply(with_set());
    EXPECT_THAT(add({"192.0.2.7/24"})["error"]["message"].get<std::string>(),
                HasSubstr("did you mean 192.0.2.0/24?"));
    EXPECT_THAT(
        client_->call("set-add", {{"set", "x"}, {"elements", {"1.2.3.4"}}})["error"]["message"]
            .get<std::string>(),
        HasSubstr("expected a live set of the policy in force: bad"));
    EXPECT_EQ(client_->call("set-add", {{"set", "bad"}, {"elements", 3}})["error"]["kind"],
              "invalid");
    EXPECT_EQ(add({"192.0.2.1"}, {{"timeout_ms", 10}})["error"]["kind"], "invalid");
    EXPECT_EQ(in_dataplane(), 0u);
}

TEST_F(ControlLive, ARefusalLeavesNothingBehind) {
    start();
    apply(with_set());
    dataplane_->refuse_live = true;
    EXPECT_EQ(add({"192.0.2.1"})["error"]["message"], "no room");
    dataplane_->refuse_live = false;
    EXPECT_EQ(add({"192.0.2.2"})["result"]["changed"], 1);
    restart();
    EXPECT_EQ(listed(), Json({"192.0.2.2/32"}));
}

TEST_F(ControlLive, ARestartedDataPlaneGetsTheElementsWithItsPolicy) {
    start();
    apply(with_set());
    add({"192.0.2.1"});
    add({"192.0.2.2"}, {{"timeout_ms", 3'600'000}});
    dataplane_->restart();
    wait_for(2);
    EXPECT_EQ(dataplane_->requests(model::ToDataplane::kLive), 2u) << "no sync was needed";
}

TEST_F(ControlLive, ElementsExpireAcrossARestart) {
    start();
    apply(with_set());
    add({"192.0.2.1"});
    add({"192.0.2.2"}, {{"timeout_ms", 1000}});
    restart();
    for (int i = 0; i < 500 && listed().size() == 2; ++i) ::usleep(10'000);
    EXPECT_EQ(listed(), Json({"192.0.2.1/32"}));
}

TEST_F(ControlLive, ElementsStayAsLongAsTheirSetIsDeclared) {
    start();
    apply(with_set());
    add({"192.0.2.1"});
    apply(with_set("bad: {type: prefixes, size: 30}"));
    EXPECT_EQ(listed().size(), 1u);
    apply(with_set("other: {type: ports}"));
    apply(with_set());
    EXPECT_EQ(listed().size(), 0u);
    restart();
    EXPECT_EQ(listed().size(), 0u) << "nor do they come back";
}

TEST_F(ControlLive, RulesComeAndGoWithoutAGeneration) {
    start();
    apply(with_set());
    EXPECT_EQ(add_rule("{name: stop, action: drop, from: 192.0.2.66}", "first")["result"]["rule"],
              "stop");
    EXPECT_EQ(add_rule("{name: next, action: drop, from: '@bad'}", "after",
                       "stop")["result"]["generation"],
              1);
    EXPECT_EQ(rule_names(), Json({"stop", "next", "web"}));
    EXPECT_TRUE(client_->call("rule-del", {{"name", "web"}}).contains("result"));
    restart();
    EXPECT_EQ(rule_names(), Json({"stop", "next"}));
    const Json live = client_->call("rule-list")["result"];
    EXPECT_EQ(live["rules"].size(), 2u);
    EXPECT_EQ(live["deleted"], Json({"web"}));
    const Json warned = client_->call("diff", {{"text", with_set()}})["result"]["warnings"];
    EXPECT_THAT(warned.dump(), HasSubstr("live rule 'stop'"));
    EXPECT_EQ(client_->call("status")["result"]["generation"], 1);
    apply(with_set());
    EXPECT_EQ(rule_names(), Json({"web"}));
}

TEST_F(ControlLive, ARuleThatTheDataPlaneCouldNotTakeIsNotWrittenDown) {
    start();
    apply(with_set());
    const auto error = [this](const std::string& rule, const std::string& place = "last",
                              const std::string& anchor = "") {
        const Json answer = add_rule(rule, place, anchor);
        return answer.contains("error") ? answer["error"]["message"].get<std::string>() : "";
    };
    EXPECT_THAT(error("{name: a, action: drop, to-ports: '@bad'}"),
                HasSubstr("'@bad' is a set of prefixes, expected one of ports"));
    EXPECT_THAT(
        error("{name: a, action: drop, connections: {per-source: 1, of: nobody, over: true}}"),
        HasSubstr("connections.of: found 'nobody'"));
    EXPECT_THAT(error("{name: a, action: drop, principal: nobody}"),
                HasSubstr("principal: found 'nobody', expected one declared"));
    EXPECT_THAT(error("{name: a, action: drop, in: moon}"), HasSubstr("in: found 'moon'"));
    EXPECT_THAT(error("{name: a, action: dropp}"), HasSubstr("rule:1:"));
    EXPECT_THAT(error("{name: web, action: drop}"), HasSubstr("already"));
    EXPECT_THAT(error("{name: a, action: drop}", "before", "nobody"), HasSubstr("nobody"));
    EXPECT_THAT(error("{name: a, action: drop}", "somewhere"), HasSubstr("place: found"));
    dataplane_->refuse_live = true;
    EXPECT_EQ(error("{name: a, action: drop}"), "no room");
    dataplane_->refuse_live = false;
    EXPECT_EQ(rule_names(), Json({"web"}));
    restart();
    EXPECT_EQ(rule_names(), Json({"web"}));
}

TEST_F(ControlLive, RuleChangesNameThePathsThatTheyMayNotCut) {
    start();
    apply("management: [{name: ops, from: 192.0.2.0/24, to: 198.51.100.1, to-ports: 22}]\n" +
          with_set());
    using Names = std::vector<std::string>;
    const Json session{{"session", "192.0.2.9 50123 192.0.2.1 22"}};
    Json rule{{"rule", "{name: stop, action: drop}"}, {"place", "first"}};
    rule.update(session);
    ASSERT_TRUE(client_->call("rule-add", rule).contains("result"));
    EXPECT_EQ(dataplane_->kept(), Names({"management 'ops'", "your session from 192.0.2.9:50123"}));
    ASSERT_TRUE(client_->call("rule-del", {{"name", "stop"}, {"force", true}}).contains("result"));
    EXPECT_EQ(dataplane_->kept(), Names());
    ASSERT_TRUE(client_->call("rule-del", {{"name", "web"}}).contains("result"));
    EXPECT_EQ(dataplane_->kept(), Names({"management 'ops'"}));
    const Json wrong = client_->call("rule-del", {{"name", "web"}, {"session", "nonsense"}});
    EXPECT_EQ(wrong["error"]["kind"], "invalid");
}

TEST_F(ControlLive, ElementsAreTriedAgainstThePathsToo) {
    start();
    apply("management: [{name: ops, from: 192.0.2.0/24, to: 198.51.100.1, to-ports: 22}]\n" +
          with_set());
    using Names = std::vector<std::string>;
    const Json session{{"session", "192.0.2.9 50123 192.0.2.1 22"}};
    const Names both{"management 'ops'", "your session from 192.0.2.9:50123"};
    ASSERT_TRUE(add({"192.0.2.9"}, session).contains("result"));
    EXPECT_EQ(dataplane_->kept(), both);
    ASSERT_TRUE(add({"192.0.2.10"}, {{"force", true}}).contains("result"));
    EXPECT_EQ(dataplane_->kept(), Names());
    Json params = session;
    params["set"] = "bad";
    ASSERT_TRUE(client_->call("set-flush", params).contains("result"));
    EXPECT_EQ(dataplane_->kept(), both);
    params["elements"] = Json::array({"192.0.2.9"});
    ASSERT_TRUE(client_->call("set-del", params).contains("result"));
    EXPECT_EQ(dataplane_->kept(), both);
    dataplane_->refuse_tried = true;
    EXPECT_EQ(add({"192.0.2.11"}, session)["error"]["message"], "would be cut");
    EXPECT_EQ(listed(), Json::array());
    EXPECT_EQ(add({"192.0.2.11"}, {{"session", "nonsense"}})["error"]["kind"], "invalid");
}

TEST_F(ControlLive, WhatTheGuardRefusesIsNeverWrittenDown) {
    start();
    apply("management: [{name: ops, from: 192.0.2.0/24, to: 198.51.100.1, to-ports: 22}]\n" +
          with_set());
    restart("live-journaled");  // dies as soon as a change is
    dataplane_->refuse_tried = true;
    EXPECT_EQ(add_rule("{name: stop, action: drop}", "first")["error"]["message"], "would be cut");
    EXPECT_EQ(add({"192.0.2.9"})["error"]["message"], "would be cut");
    restart();
    EXPECT_EQ(rule_names(), Json({"web"}));
    EXPECT_EQ(listed(), Json::array());
    EXPECT_EQ(dataplane_->status().live().serial(), 0u);
}

TEST_F(ControlLive, DiffAndApplySayWhichElementsTheyDrop) {
    start();
    apply(with_set());
    add({"192.0.2.1", "192.0.2.2"});
    const auto warned = [&](const char* method, const std::string& yaml) {
        return client_->call(method, {{"text", yaml}})["result"]["warnings"].dump();
    };
    const std::string dropped =
        "live set 'bad' is not in this configuration: applying it drops "
        "its 2 elements";
    EXPECT_THAT(warned("diff", with_set("other: {type: ports}")), HasSubstr(dropped));
    EXPECT_THAT(warned("diff", with_set("bad: {type: ports}")), HasSubstr(dropped));
    EXPECT_THAT(warned("diff", with_set()), ::testing::Not(HasSubstr("drops its")));
    EXPECT_THAT(warned("apply", with_set("other: {type: ports}")), HasSubstr(dropped));
    EXPECT_THAT(warned("apply", with_set()), ::testing::Not(HasSubstr("drops its")));
}

TEST_F(ControlLive, WhileAGenerationAwaitsConfirmationRulesStay) {
    start();
    apply(with_set());
    add_rule("{name: stop, action: drop}", "first");
    ASSERT_TRUE(
        client_->call("apply", {{"text", with_set()}, {"confirm_ms", 60'000}}).contains("result"));
    EXPECT_EQ(rule_names(), Json({"web"}));
    EXPECT_THAT(add_rule("{name: more, action: drop}")["error"]["message"].get<std::string>(),
                HasSubstr("expected confirm or rollback"));
    ASSERT_TRUE(client_->call("rollback").contains("result"));
    EXPECT_EQ(rule_names(), Json({"stop", "web"}));
}

std::string with_rate(const std::string& more = "", const std::string& rate = ", rate: 1Gbit") {
    return "principals: [{name: a}, {name: b}]\n" + more +
           "ports:\n"
           "  - {name: lan, device: \"null\", addresses: 10.0.0.1/24}\n"
           "  - {name: wan, device: \"null\", addresses: 192.0.2.1/24" +
           rate +
           "}\n"
           "pipeline:\n"
           "  - parse: {}\n"
           "  - route: {routes: [{to: 0.0.0.0/0, via: 192.0.2.254}]}\n"
           "  - classify: {}\n"
           "control: {metrics: \"off\"}\n";
}

TEST_F(ControlLive, ReservationsComeAndGoWithoutAGeneration) {
    start();
    apply(with_rate());
    const Json done = reserve("a", "40kpps");
    ASSERT_TRUE(done.contains("result")) << done;
    EXPECT_EQ(done["result"]["generation"], 1);
    EXPECT_EQ(dataplane_->reservations(), std::vector<std::string>{"a"});
    EXPECT_EQ(reserved(), Json({"a"}));
    const Json more = reserve("b", "40kpps", true);
    EXPECT_EQ(more["error"]["kind"], "refused");
    EXPECT_THAT(more["error"]["message"].get<std::string>(),
                HasSubstr("live reservation b: port wan has not 1538 bytes on the wire"));
    EXPECT_TRUE(reserve("b", "37kpps", true).contains("result")) << "dry run";
    EXPECT_EQ(reserved(), Json({"a"}));
    EXPECT_EQ(reserve("b", "37")["error"]["kind"], "invalid") << "no unit";
    EXPECT_EQ(client_->call("release", {{"name", "b"}})["error"]["kind"], "invalid");
    EXPECT_TRUE(client_->call("release", {{"name", "a"}}).contains("result"));
    EXPECT_EQ(dataplane_->reservations(), std::vector<std::string>{});
    EXPECT_TRUE(reserve("b", "77kpps").contains("result"));
}

TEST_F(ControlLive, ReservationsStayOverRestartsAndConfigurations) {
    start();
    apply(with_rate());
    reserve("a", "40kpps");
    restart();
    EXPECT_EQ(reserved(), Json({"a"}));
    dataplane_->restart();
    for (int i = 0; i < 500 && dataplane_->reservations().empty(); ++i) ::usleep(10'000);
    EXPECT_EQ(dataplane_->reservations(), std::vector<std::string>{"a"}) << "with its policy";
    const Json cut = client_->call("apply", {{"text", with_rate("", "")}});
    EXPECT_THAT(cut["error"]["message"].get<std::string>(),
                HasSubstr("live reservation a: out: port wan has no rate"));
    const Json full = client_->call(
        "check", {{"text", with_rate("reservations: [{name: f, principal: b, out: wan, bytes: "
                                     "1500B, rate: 40kpps, deadline: 5ms}]\n")}});
    EXPECT_THAT(full["error"]["message"].get<std::string>(), HasSubstr("live reservation a: "));
    apply(with_rate("", ", rate: 2Gbit"));
    EXPECT_EQ(reserved(), Json({"a"}));
    EXPECT_EQ(dataplane_->reservations(), std::vector<std::string>{"a"});
    EXPECT_TRUE(reserve("b", "80kpps").contains("result")) << "of the new rate";
}

TEST_F(ControlLive, WhatTheDataPlaneRefusesIsNotReserved) {
    start();
    apply(with_rate());
    dataplane_->refuse_live = true;
    EXPECT_EQ(reserve("a", "40kpps")["error"]["kind"], "refused");
    dataplane_->refuse_live = false;
    EXPECT_EQ(reserved(), Json::array());
    EXPECT_TRUE(reserve("b", "77kpps").contains("result")) << "nothing was taken";
}

std::string with_rate_and(const std::string& reservation_rate) {
    return with_rate(
        "reservations: [{name: f, principal: b, out: wan, bytes: 1500B, deadline: 5ms, rate: " +
        reservation_rate + "}]\n");
}

// The data plane may have it already, and would carry it over into the next generation.
TEST_F(ControlLive, AConfigurationLeavesRoomForAReservationThatIsNotAnsweredYet) {
    start();
    apply(with_rate());
    dataplane_->hold_live = true;
    ControlClient other(process_->socket());
    other.send({{"method", "reserve"},
                {"params",
                 {{"reservation",
                   "{name: a, principal: a, out: wan, bytes: 1500B, rate: 40kpps, deadline: "
                   "5ms}"}}}});
    for (int i = 0; i < 500 && dataplane_->requests(model::ToDataplane::kLive) == 0; ++i)
        ::usleep(10'000);
    const Json both = client_->call("apply", {{"text", with_rate_and("40kpps")}});
    EXPECT_THAT(both.dump(), HasSubstr("live reservation a: port wan has not 1538 bytes"));
    apply(with_rate_and("10kpps"));
    dataplane_->hold_live = false;
    EXPECT_TRUE(other.next().contains("result"));
    EXPECT_EQ(reserved(), Json({"a"}));
    EXPECT_EQ(dataplane_->applied(), (std::vector<uint64_t>{1, 2}));
    EXPECT_THAT(client_->call("check", {{"text", with_rate_and("40kpps")}}).dump(),
                HasSubstr("live reservation a: port wan"))
        << "and it is counted once";
    apply(with_rate_and("11kpps"));
}

TEST_F(ControlLive, AReservationThatWasRefusedMeanwhileNeedsNoRoom) {
    start();
    apply(with_rate());
    dataplane_->refuse_live = true;
    EXPECT_EQ(reserve("a", "40kpps")["error"]["kind"], "refused");
    apply(with_rate_and("40kpps"));
}

TEST_F(ControlLive, WhileAGenerationAwaitsConfirmationReservationsStay) {
    start();
    apply(with_rate());
    reserve("a", "1kpps");
    ASSERT_TRUE(
        client_->call("apply", {{"text", with_rate()}, {"confirm_ms", 60'000}}).contains("result"));
    EXPECT_EQ(reserve("b", "1kpps")["error"]["kind"], "refused");
    EXPECT_EQ(client_->call("release", {{"name", "a"}})["error"]["kind"], "refused");
    ASSERT_TRUE(client_->call("rollback").contains("result"));
    EXPECT_EQ(reserved(), Json({"a"}));
}

/// The older configuration in force again, for the files of the one with `rate` are damaged; of
/// that the live reservation a, 77,000 packets a second.
class LiveOlder : public ControlLive {
  protected:
    void come_back_to(const std::string& older) {
        start();
        apply(with_rate("", older));
        apply(with_rate());
        ASSERT_TRUE(reserve("a", "77kpps").contains("result"));
        client_.reset();
        process_->kill();
        std::filesystem::remove(directory_ + "/state/history/2.snapshot");
        dataplane_->restart();
        start();
        for (int i = 0; i < 500 && status()["generation"] != 3; ++i) ::usleep(10'000);
        EXPECT_EQ(status()["generation"], 3);
    }
    Json status() { return client_->call("status")["result"]; }
    Json told() { return client_->call("reservations")["result"]["reservations"][0]; }
    void wait_for_names(const std::vector<std::string>& names) {
        for (int i = 0; i < 500 && dataplane_->reservations() != names; ++i) ::usleep(10'000);
        EXPECT_EQ(dataplane_->reservations(), names);
    }
};

TEST_F(LiveOlder, WhatTheLinkCannotKeepIsInTheBooksUntilItIsReleased) {
    come_back_to(", rate: 500Mbit");
    wait_for_names({"a"});
    EXPECT_EQ(told()["name"], "a");
    EXPECT_EQ(told()["kept"], false);
    EXPECT_THAT(told()["why"].get<std::string>(),
                HasSubstr("live reservation a: port wan has not"));
    EXPECT_EQ(reserve("b", "1pps")["error"]["kind"], "refused");
    EXPECT_THAT(client_->call("apply", {{"text", with_rate("", ", rate: 500Mbit")}}).dump(),
                HasSubstr("live reservation a: port wan has not"));
    apply(with_rate());
    EXPECT_EQ(told()["kept"], true);
    EXPECT_TRUE(client_->call("release", {{"name", "a"}}).contains("result"));
    EXPECT_TRUE(reserve("b", "77kpps").contains("result"));
}

TEST_F(LiveOlder, WhatNoLinkCanTakeIsToldAndComesBackWithItsPort) {
    come_back_to("");
    wait_for_names({});
    restart();
    EXPECT_EQ(told()["name"], "a");
    EXPECT_EQ(told()["kept"], false);
    EXPECT_THAT(told()["why"].get<std::string>(), HasSubstr("port wan has no rate"));
    EXPECT_THAT(client_->call("apply", {{"text", with_rate("", "")}}).dump(),
                HasSubstr("live reservation a: out: port wan has no rate"));
    apply(with_rate());
    wait_for_names({"a"});
    EXPECT_EQ(told()["kept"], true);
    restart();
    EXPECT_EQ(reserved(), Json({"a"})) << "nor is it gone from the journal";
}

TEST_F(LiveOlder, WhatNoLinkCanTakeIsReleasedAllTheSame) {
    come_back_to("");
    EXPECT_TRUE(client_->call("release", {{"name", "a"}}).contains("result"));
    EXPECT_EQ(reserved(), Json::array());
    apply(with_rate("", ""));
    restart();
    EXPECT_EQ(reserved(), Json::array());
}

class LiveCrash : public ControlLive, public ::testing::WithParamInterface<const char*> {};

TEST_P(LiveCrash, AnAcknowledgedElementIsThereAfterwards) {
    start();
    apply(with_set());
    add({"192.0.2.1"});
    restart(GetParam());
    const Json told = add({"192.0.2.2"});
    EXPECT_EQ(process_->wait(), SIGKILL) << told;
    start();
    const size_t there = listed().size();
    if (told.is_object() && told.contains("result")) {
        EXPECT_EQ(there, 2u);
    }
    wait_for(there);
    EXPECT_EQ(add({"192.0.2.3"})["result"]["changed"], 1);
    EXPECT_EQ(in_dataplane(), there + 1);
}

TEST_P(LiveCrash, AnAcknowledgedRuleIsThereAfterwards) {
    start();
    apply(with_set());
    add_rule("{name: one, action: drop}");
    restart(GetParam());
    const Json told = add_rule("{name: two, action: drop}");
    EXPECT_EQ(process_->wait(), SIGKILL) << told;
    start();
    const Json there = rule_names();
    if (told.is_object() && told.contains("result")) {
        EXPECT_EQ(there, Json({"web", "one", "two"}));
    }
    EXPECT_TRUE(add_rule("{name: three, action: drop}").contains("result"));
    EXPECT_EQ(rule_names().size(), there.size() + 1);
}

TEST_P(LiveCrash, AnAcknowledgedReservationIsThereAfterwards) {
    start();
    apply(with_rate());
    reserve("a", "1kpps");
    restart(GetParam());
    const Json told = reserve("b", "1kpps");
    EXPECT_EQ(process_->wait(), SIGKILL) << told;
    start();
    const Json there = reserved();
    if (told.is_object() && told.contains("result")) {
        EXPECT_EQ(there, Json({"a", "b"}));
    }
    for (int i = 0; i < 500 && dataplane_->reservations().size() != there.size(); ++i)
        ::usleep(10'000);
    EXPECT_EQ(dataplane_->reservations().size(), there.size());
}

INSTANTIATE_TEST_SUITE_P(EveryStep, LiveCrash,
                         ::testing::Values("live-journaled", "live-in-force", "live-acknowledged"));

}  // namespace
}  // namespace ravelin::control
