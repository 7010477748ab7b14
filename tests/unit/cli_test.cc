// SPDX-License-Identifier: Apache-2.0
// The built command against a fake control plane: what it prints and how it exits.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <fstream>
#include <sstream>

#include "controlplane/cli/failure.h"
#include "tests/support/cli_run.h"

namespace ravelin::cli {
namespace {

using Json = nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

TEST_F(Cli, EveryCommandsHelpEndsWithAnExample) {
    for (const char* name :
         {"check",    "diff",       "apply",    "confirm",   "rollback",     "history",
          "show",     "status",     "ports",    "top",       "flows",        "drops",
          "routes",   "neighbours", "counters", "rules",     "trace",        "explain",
          "capture",  "completion", "selftest", "import",    "rule",         "rule add",
          "rule del", "rule list",  "bench",    "calibrate", "reservations", "reserve",
          "release"}) {
        const Outcome help = run(std::string(name) + " --help");
        EXPECT_EQ(help.code, kOk) << name;
        const size_t example = help.out.find("Example:\n  ravelin ");
        ASSERT_NE(example, std::string::npos) << name;
        EXPECT_EQ(help.out.find("\n\n", example), std::string::npos)
            << name << ": something follows the example";
    }
}

TEST_F(Cli, ApplySendsTheTextAndSaysHowToConfirm) {
    api_.answer("apply", {{"generation", 18},
                          {"provisional", true},
                          {"deadline_unix_ms", 99999999999999},
                          {"warnings", {"rule b never matches: a comes first"}},
                          {"text", "+ x: 1\n"}});
    const Outcome done = run("apply edge.yaml --confirm 60s --comment 'open 443'");
    EXPECT_EQ(done.code, kOk) << done.err;
    EXPECT_THAT(done.out, AllOf(HasSubstr("warning: rule b never matches"), HasSubstr("+ x: 1\n"),
                                HasSubstr("generation 18 in force\n"),
                                HasSubstr("to keep it: ravelin confirm")));
    const Json params = api_.last_params();
    EXPECT_EQ(params["text"], "mode: wire\n");
    EXPECT_EQ(params["confirm_ms"], 60000);
    EXPECT_EQ(params["comment"], "open 443");
    EXPECT_THAT(params["author"].get<std::string>(), HasSubstr("@"));
}

TEST_F(Cli, CheckStrictExitsWithFourOnWarnings) {
    api_.answer("check", {{"warnings", {"rule b is shadowed by a"}}});
    EXPECT_EQ(run("check edge.yaml").code, kOk);
    const Outcome strict = run("check --strict edge.yaml");
    EXPECT_EQ(strict.code, kWarnings);
    EXPECT_THAT(strict.out, AllOf(HasSubstr("warning: rule b is shadowed by a"),
                                  HasSubstr("correct, 1 warning")));
}

TEST_F(Cli, CheckPrintsPlacedErrorsForEditors) {
    api_.fail("check", "invalid", "edge.yaml:1:7: found 'wier', expected router or wire");
    const Outcome done = run("check - < edge.yaml");
    EXPECT_EQ(done.code, kFailed);
    EXPECT_EQ(done.err, "edge.yaml:1:7: found 'wier', expected router or wire\n");
}

TEST_F(Cli, RefusalsAreOneLineAndOne) {
    api_.fail("confirm", "refused", "nothing to confirm");
    const Outcome done = run("confirm");
    EXPECT_EQ(done.code, kFailed);
    EXPECT_EQ(done.err, "ravelin: nothing to confirm\n");
    EXPECT_EQ(done.out, "");
    const Outcome json = run("--json confirm");
    EXPECT_EQ(Json::parse(json.out)["error"]["kind"], "refused");
}

TEST_F(Cli, WrongCommandLinesAreTwo) {
    for (const char* wrong : {"", "frobnicate", "apply", "apply edge.yaml --confirm 60", "show x",
                              "rollback -1", "completion fish", "flows --delete", "capture"}) {
        const Outcome done = run(wrong);
        EXPECT_EQ(done.code, kUsage) << wrong;
        EXPECT_EQ(std::count(done.err.begin(), done.err.end(), '\n'), 1) << done.err;
    }
}

TEST_F(Cli, NoControlPlaneIsThree) {
    const Outcome done = run("status --run-dir /nowhere");
    EXPECT_EQ(done.code, kUnreachable);
    EXPECT_THAT(done.err, HasSubstr("is ravelin-controlplane running?"));
}

TEST_F(Cli, MissingFilesAreOne) {
    const Outcome done = run("apply none.yaml");
    EXPECT_EQ(done.code, kFailed);
    EXPECT_EQ(done.err, "ravelin: none.yaml: No such file or directory\n");
}

TEST_F(Cli, StatusTellsADownDataPlane) {
    api_.answer("status", {{"generation", 4},
                           {"dataplane", nullptr},
                           {"problem", "not started"},
                           {"started_unix_ms", 1}});
    EXPECT_THAT(run("status").out, AllOf(HasSubstr("data plane     down: not started\n"),
                                         HasSubstr("generation     4\n")));
}

TEST_F(Cli, JsonIsTheAnswerInOneObject) {
    const Json rows = Json::array({Json::object()});
    for (const char* name : {"history", "rules", "neighbours", "routes", "flows", "counters",
                             "drops", "status", "show"}) {
        api_.answer(name, {{"rules", rows}, {"flows", rows}, {"total", 1}, {"text", "x"}});
        const Outcome done = run(std::string("--json ") + name);
        EXPECT_EQ(done.code, kOk) << name << done.err;
        EXPECT_TRUE(Json::accept(done.out)) << name << ": " << done.out;
        EXPECT_EQ(run(name).code, kOk) << name;
    }
}

TEST_F(Cli, PortsShowRatesQueuesAndWhoHadWhat) {
    api_.answer("ports", Json::parse(R"({"ports":[
        {"name":"lan","link_up":true,"rx_packets":7,"tx_packets":8},
        {"name":"wan","link_up":true,"rate":95000000,"queue_bytes":3000,"queue_frames":2,
         "shares":[{"principal":"org","bytes":1000,"packets":10,"dropped":3,"marked":4,"late":5}]}]})"));
    EXPECT_THAT(run("ports").out,
                AllOf(HasSubstr("lan   up           7     8"), HasSubstr("95.0 Mbit/s     2"),
                      HasSubstr("wan   org             10  1000 B        3       4     5")));
    EXPECT_EQ(Json::parse(run("--json ports").out)["ports"][1]["shares"][0]["dropped"], 3);
}

TEST_F(Cli, ReservationsAreListedWithWhatPortsHaveLeft) {
    api_.answer("reservations", Json::parse(R"({"generation":3,"reservations":[
        {"name":"calls","principal":"org/voice","out":["wan"],"bytes":200,"rate_pps":1000,
         "deadline_ns":2500000,"sent":4000,"used":3000,"late":2,"dropped":1},
        {"name":"bulk","principal":"org/bulk","out":["wan"],"bytes":1500,"rate_pps":100,
         "deadline_ns":10000000}],
        "ports":[{"port":"wan","rate":95000000,"reserved":3134400,"box":4750000}]})"));
    EXPECT_THAT(
        run("reservations").out,
        AllOf(HasSubstr("calls        org/voice       -  wan   200 B  1.00 kpps    2.5 ms  4,000  "
                        "3,000     2        1"),
              HasSubstr("100 pps     10 ms      -      -     -        -"),
              HasSubstr("port wan: 3.13 Mbit/s of 95.0 Mbit/s reserved, 4.75 Mbit/s for "
                        "the box itself")));
    EXPECT_EQ(Json::parse(run("--json reservations").out)["reservations"].size(), 2u);
}

TEST_F(Cli, EachResourceOfAReservationHasALine) {
    api_.answer("reservations", Json::parse(R"({"generation":3,"reservations":[
        {"name":"video","principal":"org","out":["wan","lab"],"bytes":200,"rate_pps":1000,
         "cycles":800,"cpu_deadline_ns":1500000,"deadline_ns":5000000,
         "runs":[{"function":"scale","cycles":600},{"function":"pack","cycles":200}],
         "links":[{"port":"wan","deadline_ns":3500000,"sent":7,"used":6,"late":5,"dropped":4},
                  {"port":"lab","deadline_ns":3500000}]}],"ports":[]})"));
    EXPECT_THAT(
        run("reservations").out,
        AllOf(
            HasSubstr("video        org           800  wan,lab  200 B  1.00 kpps      5 ms"),
            HasSubstr("\n  scale                    600                               1.5 ms"),
            HasSubstr("\n  pack                     200                               1.5 ms"),
            HasSubstr("\n  port                          wan                          3.5 ms     7 "
                      "    6     5        4\n"),
            HasSubstr("\n  port                          lab                          3.5 ms     - "
                      "    -     -        -\n")));
}

TEST_F(Cli, EachWorkerOfAReservationHasItsPart) {
    api_.answer("reservations", Json::parse(R"({"generation":3,"reservations":[
        {"name":"video","principal":"org","out":[],"rate_pps":1000,"cycles":800,
         "cpu_deadline_ns":5000000,"deadline_ns":5000000,
         "runs":[{"function":"scale","cycles":600,"worker":1,"deadline_ns":3500000},
                 {"function":"pack","cycles":200,"worker":0,"deadline_ns":1500000}]}],"ports":[],
        "workers":[{"worker":0,"reserved":3200000,"per_second":1000,"core":500},
                   {"worker":1,"reserved":3600000,"per_second":1000,"core":500},
                   {"reserved":7,"per_second":1000,"core":500}]})"));
    EXPECT_THAT(run("reservations").out,
                AllOf(HasSubstr("\n  scale on worker 1                600"), HasSubstr("  3.5 ms"),
                      HasSubstr("\n  pack on worker 0                 200"), HasSubstr("  1.5 ms"),
                      HasSubstr("worker 0: 3,200,000 of 1,000 cycles/s reserved, 500 kept"),
                      HasSubstr("worker 1: 3,600,000 of 1,000"),
                      HasSubstr("each other worker: 7 of 1,000")));
}

TEST_F(Cli, ReserveAsksAsAConfigurationWould) {
    api_.answer("reserve", Json::parse(R"({"generation":3,"serial":7,"live_us":812.0})"));
    api_.answer("release", Json::parse(R"({"generation":3,"serial":8,"live_us":90.0})"));
    EXPECT_THAT(run("reserve calls --principal org/voice --bytes 200 --rate 1kpps --deadline 5ms "
                    "--out wan")
                    .out,
                HasSubstr("granted; in force on all workers within 812 us"));
    EXPECT_EQ(api_.last_params()["reservation"],
              R"({name: "calls", principal: "org/voice", bytes: "200B", )"
              R"(rate: "1kpps", deadline: "5ms", out: ["wan"]})");
    EXPECT_EQ(api_.last_params()["dry_run"], false);
    EXPECT_THAT(run("reserve x --principal y --bytes 1KB --rate 1pps --out wan --dry-run").out,
                HasSubstr("it fits; nothing was reserved"));
    EXPECT_EQ(api_.last_params()["reservation"],
              R"({name: "x", principal: "y", bytes: "1KB", rate: "1pps", out: ["wan"]})");
    run("reserve x --principal y --cpu 'shared-with z' --bytes 1KB --rate 1pps --out wan --out "
        "lab");
    EXPECT_EQ(api_.last_params()["reservation"],
              R"({name: "x", principal: "y", bytes: "1KB", rate: "1pps", )"
              R"(cpu: ["shared-with z"], out: ["wan","lab"]})");
    run("reserve x --principal y --cpu 600cyc/pkt --cpu 200cyc/pkt --rate 1pps");
    EXPECT_EQ(api_.last_params()["reservation"],
              R"({name: "x", principal: "y", rate: "1pps", cpu: ["600cyc/pkt","200cyc/pkt"]})");
    EXPECT_THAT(run("release calls").out, HasSubstr("released"));
    EXPECT_EQ(api_.last_params()["name"], "calls");
    EXPECT_EQ(api_.last_params()["force"], false);
    api_.answer("release", Json::parse(R"({"live_us":90.0,"released_too":["x"]})"));
    EXPECT_THAT(run("release calls --force").out, HasSubstr("released too: x"));
    EXPECT_EQ(api_.last_params()["force"], true);
    EXPECT_EQ(run("reserve calls --out wan").code, kUsage);
}

TEST_F(Cli, FunctionsAreListedAndMeasuredByReserve) {
    api_.answer("functions", Json::parse(R"({"functions":[
        {"name":"thin-video","type":"thin","runs":5,"packets":12000,"not_run":7,"cycles":24000000,
         "longest":90000,"half_cycles":1919,"most_cycles":4095},
        {"name":"copy","type":"mirror","worker":3}]})"));
    EXPECT_THAT(
        run("functions").out,
        AllOf(HasSubstr("thin-video  thin       any     5   12,000        7  24.0 M       90,000"),
              HasSubstr("1,919          4,095"), HasSubstr("copy        mirror       3     0")));
    api_.answer("reserve", Json::parse(R"({"live_us":812.0,"measured":[{"function":"thin-video",
        "packets":12000,"most_cycles":4095,"cycles":5119}]})"));
    EXPECT_THAT(run("reserve v --principal guests --cpu auto --rate 1kpps").out,
                HasSubstr("of 12,000 packets of thin-video 99.9 % took at most 4,095 cycles: 5,119 "
                          "are reserved for each"));
    EXPECT_EQ(api_.last_params()["reservation"],
              R"({name: "v", principal: "guests", rate: "1kpps", cpu: ["auto"]})");
}

TEST_F(Cli, FlowsAreFilteredAtEitherEnd) {
    Json list = Json::array();
    for (const char* host : {"10.0.0.1", "10.0.0.2"})
        list.push_back({{"protocol", "tcp"},
                        {"source", host},
                        {"source_port", 5},
                        {"destination", "2001:db8::1"},
                        {"destination_port", 80}});
    api_.answer("flows", {{"flows", list}, {"total", 2}});
    const Outcome done = run("flows --host 10.0.0.2 --port 80");
    EXPECT_THAT(done.out, AllOf(HasSubstr("10.0.0.2:5"), HasSubstr("[2001:db8::1]:80"),
                                Not(HasSubstr("10.0.0.1"))));
}

TEST_F(Cli, TopShowsRatesWithoutEscapesInAPipe) {
    api_.answer("status", {{"generation", 4}, {"dataplane", {{"started_unix_ms", 1}}}});
    auto packets = std::make_shared<int>(0);
    api_.on("ports", [packets](const Json&) {
        *packets += 1000000;
        const Json port{{"name", "lan"}, {"rx_packets", *packets}};
        return std::vector<Json>{{{"result", {{"ports", Json::array({port})}}}}};
    });
    api_.answer("workers",
                Json::parse(R"({"workers":[{"worker":0,"counters":{"flows.entries":12}}]})"));
    api_.answer("drops", {{"drops", Json::array()}});
    api_.answer("rules", {{"rules", Json::array()}});
    const Outcome done = run("top --count 1 --interval 10ms");
    EXPECT_EQ(done.code, kOk) << done.err;
    EXPECT_THAT(done.out, AllOf(HasSubstr("flows 12"), HasSubstr("Mpps"), Not(HasSubstr("\x1b"))));
    const Json line = Json::parse(run("--json top --count 1 --interval 10ms").out);
    EXPECT_GT(line["ports"][0]["rx_pps"], 0);
}

TEST_F(Cli, TraceStreamsALineAPacketAndTotals) {
    const Json event{{"port", "lan"},
                     {"summary", "tcp a > b"},
                     {"verdict", "drop"},
                     {"reason", "firewall.denied"},
                     {"steps", Json::array({Json{{"stage", "parse"}, {"verdict", "pass"}}})}};
    api_.on("trace", [event](const Json&) {
        return std::vector<Json>{
            {{"event", event}}, {{"event", event}}, {{"result", {{"packets", 2}}}}};
    });
    const Outcome done = run("trace 'tcp port 80' --port lan --count 2");
    EXPECT_EQ(done.code, kOk);
    EXPECT_THAT(done.out,
                AllOf(HasSubstr("tcp a > b"), HasSubstr("-> drop, reason firewall.denied")));
    EXPECT_EQ(done.err, "2 packets, 2 dropped or rejected\n");
    EXPECT_EQ(api_.last_params()["filter"], "tcp port 80");
    std::istringstream lines(run("--json trace").out);
    for (std::string line; std::getline(lines, line);) EXPECT_TRUE(Json::accept(line)) << line;
}

TEST_F(Cli, CaptureWritesAFileThatBeginsAsPcapng) {
    api_.on("capture", [](const Json&) {
        return std::vector<Json>{
            {{"event", {{"port", "lan"}, {"data", "AAECAwQF"}, {"length", 6}, {"unix_ns", 1}}}},
            {{"result", {{"packets", 1}, {"lost", 0}}}}};
    });
    const Outcome done = run("--json capture udp -w x.pcapng --count 1");
    EXPECT_EQ(done.code, kOk) << done.err;
    EXPECT_EQ(Json::parse(done.out)["frames"], 1);
    EXPECT_EQ(file_text(api_.directory() + "/x.pcapng").substr(0, 4), "\x0a\x0d\x0d\x0a");
}

TEST_F(Cli, ExplainNamesRuleAndGeneration) {
    api_.answer("explain", {{"packet", "in=lan tcp"},
                            {"verdict", "pass"},
                            {"rule", "web"},
                            {"generation", 9},
                            {"out_port", "wan"}});
    const Outcome done = run("explain 'in=lan tcp 10.0.0.1:1234 > 192.0.2.7:80 syn'");
    EXPECT_THAT(done.out, AllOf(HasSubstr("pass, rule web, out wan"), HasSubstr("generation 9")));
    EXPECT_EQ(api_.last_params()["packet"], "in=lan tcp 10.0.0.1:1234 > 192.0.2.7:80 syn");
}

TEST_F(Cli, SelfTestNamesWhatDoesNotHoldAndFailsForIt) {
    const Json good{{"rule", "web"}, {"action", "accept"}, {"proof", "holds"}, {"failed", false}};
    const Json covered{
        {"rule", "dns"}, {"action", "drop"}, {"proof", "covered"}, {"failed", false}};
    const Json bad{{"rule", "telnet"},    {"action", "drop"},
                   {"proof", "shadowed"}, {"failed", true},
                   {"by", "all-tcp"},     {"packet", "in=lan tcp 10.0.0.1:1 > 10.0.0.2:23 syn"}};
    api_.answer("selftest", {{"generation", 4}, {"failed", 0}, {"rules", {good, covered}}});
    const Outcome holds = run("selftest");
    EXPECT_EQ(holds.code, kOk) << holds.err;
    EXPECT_THAT(holds.out, AllOf(HasSubstr("2 rules of generation 4: 1 covered, 1 holds"),
                                 HasSubstr("dns"), Not(HasSubstr("web"))));
    api_.answer("selftest", {{"generation", 4}, {"failed", 1}, {"rules", {good, bad}}});
    const Outcome fails = run("selftest");
    EXPECT_EQ(fails.code, kFailed);
    EXPECT_THAT(fails.out, AllOf(HasSubstr("telnet"), HasSubstr("all-tcp"), HasSubstr(":23 syn")));
    EXPECT_EQ(run("selftest --json").code, kFailed);
}

TEST_F(Cli, AChangeTellsTheSessionThatAsks) {
    api_.answer("apply", {{"generation", 2}});
    EXPECT_EQ(run("apply edge.yaml").code, kOk);
    EXPECT_EQ(api_.last_params()["force"], false);
    setenv("SSH_CONNECTION", "10.0.0.5 50123 10.0.0.1 22", 1);
    EXPECT_EQ(run("apply edge.yaml --force").code, kOk);
    EXPECT_EQ(api_.last_params()["force"], true);
    EXPECT_EQ(api_.last_params()["session"], "10.0.0.5 50123 10.0.0.1 22");
    api_.answer("rule-add", {{"rule", "stop"}, {"live_us", 41.7}});
    EXPECT_EQ(run("rule add --before web --force '{name: stop, action: drop}'").out,
              "added; in force on all workers within 42 us\n");
    EXPECT_EQ(api_.last_params()["session"], "10.0.0.5 50123 10.0.0.1 22");
    EXPECT_EQ(api_.last_params()["place"], "before");
    EXPECT_EQ(api_.last_params()["force"], true);
    // As sudo does; the shell above still has it.
    EXPECT_EQ(run("apply edge.yaml; env -u SSH_CONNECTION " RAVELIN_BINARY " --run-dir " +
                  api_.directory() + " apply edge.yaml")
                  .code,
              kOk);
    EXPECT_EQ(api_.last_params()["session"], "10.0.0.5 50123 10.0.0.1 22");
    unsetenv("SSH_CONNECTION");
}

TEST_F(Cli, BrokenPipesAreQuiet) {
    api_.answer("show", {{"text", std::string(1 << 20, 'x')}});
    const Outcome done = run("show | head -c 1");
    EXPECT_EQ(done.out, "x");
    EXPECT_EQ(done.err, "");
}

TEST_F(Cli, CompletionIsAcceptedByTheShell) {
    EXPECT_EQ(run("completion bash | bash -n").code, 0);
    EXPECT_THAT(run("completion zsh").out, HasSubstr("#compdef ravelin"));
}

TEST_F(Cli, ManualPageIsUpToDate) {
    EXPECT_EQ(run("man").out, file_text(RAVELIN_SOURCE_ROOT "/docs/ravelin.1"))
        << "run: ravelin man > docs/ravelin.1";
}

}  // namespace
}  // namespace ravelin::cli
