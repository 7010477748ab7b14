// SPDX-License-Identifier: Apache-2.0
// The real ravelin-controlplane over its socket, on a data plane that only speaks the protocol.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <optional>

#include "tests/support/control_client.h"
#include "tests/support/edge_yaml.h"
#include "tests/support/fake_dataplane.h"

namespace ravelin::control {
namespace {

using test::ControlClient;
using test::edge_yaml;
using test::Json;
using ::testing::HasSubstr;

class ControlApi : public ::testing::Test {
  protected:
    ControlApi() {
        std::string pattern = "/tmp/ravelin-api-XXXXXX";
        directory_ = ::mkdtemp(pattern.data());
        dataplane_.emplace(directory_ + "/dataplane.sock");
        process_.emplace(directory_);
        process_->start();
        client_.emplace(process_->socket());
        // "never applied" is the answer of one that is connected.
        for (int i = 0; i < 200; ++i)
            if (client_->call("status")["result"]["ready"] == true) break;
    }
    ~ControlApi() override {
        process_.reset();
        dataplane_.reset();
        std::filesystem::remove_all(directory_);
    }
    Json apply(const std::string& text, Json more = Json::object()) {
        more["text"] = text;
        more["file"] = "edge.yaml";
        more["author"] = "me";
        return client_->call("apply", more);
    }
    std::string directory_;
    std::optional<test::FakeDataplane> dataplane_;
    std::optional<test::ControlplaneProcess> process_;
    std::optional<ControlClient> client_;
};

TEST_F(ControlApi, AppliesShowsAndListsGenerations) {
    const Json first = apply(edge_yaml());
    ASSERT_TRUE(first.contains("result")) << first;
    EXPECT_EQ(first["result"]["generation"], 1);
    const Json second =
        apply(edge_yaml("        - {name: dns, action: accept, protocol: udp, to-ports: 53}\n"));
    EXPECT_THAT(second["result"]["text"].get<std::string>(),
                HasSubstr("+ pipeline.firewall.rules.dns"));
    EXPECT_EQ(client_->call("show", {{"generation", 1}})["result"]["text"], edge_yaml());
    const Json history = client_->call("history")["result"]["generations"];
    ASSERT_EQ(history.size(), 2u);
    EXPECT_EQ(history[0]["state"], "committed");
    EXPECT_EQ(history[0]["author"], "me");
    const Json back = client_->call("rollback");
    EXPECT_EQ(back["result"]["generation"], 3);
    EXPECT_EQ(client_->call("show")["result"]["text"], edge_yaml());
}

TEST_F(ControlApi, RefusesWhatTheDataPlaneRefuses) {
    apply(edge_yaml());
    dataplane_->refuse_apply = true;
    const Json refused = apply(edge_yaml(""));
    EXPECT_EQ(refused["error"]["kind"], "refused");
    EXPECT_EQ(refused["error"]["message"], "no such device");
    EXPECT_EQ(client_->call("status")["result"]["generation"], 1);
    EXPECT_EQ(client_->call("history")["result"]["generations"][0]["state"], "aborted");
}

TEST_F(ControlApi, ChecksWithoutApplying) {
    EXPECT_EQ(client_->call("check", {{"text", edge_yaml()}})["result"]["rules"].size(), 8u);
    const Json wrong = client_->call("check", {{"text", "ports: []\n"}, {"file", "x.yaml"}});
    EXPECT_EQ(wrong["error"]["kind"], "invalid");
    EXPECT_THAT(wrong["error"]["message"].get<std::string>(), HasSubstr("x.yaml:1:"));
    EXPECT_EQ(apply(edge_yaml(), {{"dry_run", true}})["result"]["dry_run"], true);
    EXPECT_TRUE(dataplane_->applied().empty());
}

TEST_F(ControlApi, ConfirmsAChange) {
    const Json applied = apply(edge_yaml(), {{"confirm_ms", 60000}});
    EXPECT_EQ(applied["result"]["provisional"], true);
    EXPECT_EQ(apply(edge_yaml(""))["error"]["kind"], "refused") << "one at a time";
    EXPECT_EQ(client_->call("confirm")["result"]["generation"], 1);
    EXPECT_EQ(client_->call("status")["result"]["committed"], 1);
    EXPECT_EQ(client_->call("confirm")["error"]["kind"], "refused");
}

TEST_F(ControlApi, RecordsThatAnUnconfirmedChangeWentBack) {
    apply(edge_yaml());
    apply(edge_yaml(""), {{"confirm_ms", 30}});
    for (int i = 0; i < 500 && client_->call("status")["result"]["pending"] != 0; ++i)
        ::usleep(10'000);
    const Json history = client_->call("history")["result"]["generations"];
    EXPECT_EQ(history[0]["state"], "rolled back");
    EXPECT_EQ(client_->call("status")["result"]["generation"], 1);
}

TEST_F(ControlApi, TakesAnUnconfirmedChangeBackWhenAsked) {
    apply(edge_yaml());
    apply(edge_yaml(""), {{"confirm_ms", 60000}});
    EXPECT_EQ(client_->call("rollback")["result"]["generation"], 1);
    EXPECT_EQ(dataplane_->status().generation(), 1u);
}

TEST_F(ControlApi, SendsTheCommittedPolicyToARestartedDataPlane) {
    apply(edge_yaml());
    dataplane_->restart();
    for (int i = 0; i < 500 && dataplane_->applied().size() < 2; ++i) ::usleep(10'000);
    EXPECT_THAT(dataplane_->applied(), ::testing::ElementsAre(1, 1));
    EXPECT_EQ(client_->call("wait-ready")["result"]["generation"], 1);
}

TEST_F(ControlApi, AnswersWhatBecameOfAnInterruptedChange) {
    apply(edge_yaml());
    dataplane_->die_on_apply = true;
    EXPECT_EQ(apply(edge_yaml(""))["error"]["kind"], "unavailable");
    EXPECT_EQ(client_->call("history")["result"]["generations"][0]["state"], "aborted");
    EXPECT_TRUE(apply(edge_yaml("")).contains("result"));
}

TEST_F(ControlApi, LooksThingsUp) {
    EXPECT_EQ(client_->call("flows", {{"filter", "tcp port 80"}})["result"]["total"], 1);
    EXPECT_THAT(
        client_->call("flows", {{"filter", "bogus ("}})["error"]["message"].get<std::string>(),
        HasSubstr("tcpdump"));
    EXPECT_EQ(client_->call(
                  "explain",
                  {{"packet", "in=lan tcp 10.0.0.2:1 > 192.0.2.7:80 syn"}})["result"]["verdict"],
              "pass");
    EXPECT_EQ(client_->call("explain", {{"packet", "nonsense"}})["error"]["kind"], "invalid");
    EXPECT_EQ(client_->call("routes", {{"address", "x"}})["error"]["kind"], "invalid");
    EXPECT_EQ(client_->call("counters")["error"]["kind"], "unavailable");
}

TEST_F(ControlApi, StreamsATraceUntilItsLimit) {
    client_->send({{"method", "trace"}, {"params", {{"filter", "tcp"}, {"limit", 2}}}});
    ControlClient second(process_->socket());
    for (int i = 0; i < 500 && dataplane_->requests(model::ToDataplane::kTrace) == 0; ++i)
        ::usleep(10'000);
    EXPECT_EQ(second.call("trace")["error"]["kind"], "refused");
    for (uint64_t packet : {1u, 2u}) {
        model::FromDataplane event;
        event.mutable_trace()->set_packet(packet);
        dataplane_->send_event(event);
        EXPECT_EQ(client_->next()["event"]["packet"], packet);
    }
    EXPECT_EQ(client_->next()["result"]["packets"], 2);
}

TEST_F(ControlApi, StopsACaptureWhenAsked) {
    client_->send({{"method", "capture"}, {"params", {{"snap", 64}}}});
    for (int i = 0; i < 500 && dataplane_->requests(model::ToDataplane::kCapture) == 0; ++i)
        ::usleep(10'000);
    model::FromDataplane event;
    event.mutable_frame()->set_data(std::string("\x00\x01\x02\x03", 4));
    dataplane_->send_event(event);
    EXPECT_EQ(client_->next()["event"]["data"], "AAECAw==");
    client_->send({{"stop", true}});
    EXPECT_EQ(client_->next()["result"]["packets"], 1);
}

TEST_F(ControlApi, SurvivesRubbish) {
    client_->send_text("not json");
    EXPECT_EQ(client_->next()["error"]["kind"], "invalid");
    client_->send_text("[1]");
    EXPECT_EQ(client_->next()["error"]["kind"], "invalid");
    EXPECT_EQ(client_->call("no-such")["error"]["kind"], "invalid");
    client_->send({{"method", "apply"}, {"params", 3}});
    EXPECT_EQ(client_->next()["error"]["kind"], "invalid");
    EXPECT_EQ(client_->call("apply", {{"text", 3}})["error"]["kind"], "invalid");
    ControlClient greedy(process_->socket());
    greedy.send_raw("\x7f\xff\xff\xff");
    EXPECT_EQ(greedy.next()["error"]["kind"], "invalid");
    EXPECT_EQ(greedy.next(), nullptr);
    EXPECT_TRUE(client_->call("status").contains("result"));
}

TEST_F(ControlApi, ServesNoMoreThan64Clients) {
    std::vector<std::unique_ptr<ControlClient>> crowd;
    for (int i = 0; i < 63; ++i) {
        crowd.push_back(std::make_unique<ControlClient>(process_->socket()));
        EXPECT_TRUE(crowd.back()->call("status").contains("result")) << i;
    }
    ControlClient late(process_->socket());
    EXPECT_EQ(late.next()["error"]["kind"], "unavailable");
}

}  // namespace
}  // namespace ravelin::control
