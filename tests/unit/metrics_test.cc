// SPDX-License-Identifier: Apache-2.0
#include "controlplane/metrics/endpoint.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <sstream>

#include "controlplane/metrics/names.h"
#include "dataplane/counters.h"

namespace ravelin::metrics {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string file_text(const std::string& path) {
    std::ifstream in(path);
    std::stringstream text;
    text << in.rdbuf();
    return text.str();
}

/// A counter segment in a file, as a data plane would leave it.
class SegmentFile {
  public:
    SegmentFile(const std::string& path, const std::vector<CounterSpec>& specs, unsigned workers,
                uint64_t started_unix_ms = 1'700'000'000'000)
        : path_(path),
          bytes_(CounterSegment::bytes_for(specs.size(), workers, 64)),
          memory_(std::aligned_alloc(64, bytes_)) {
        std::memset(memory_, 0, bytes_);
        segment_.emplace(memory_, specs, workers, 64, started_unix_ms);
    }
    ~SegmentFile() { std::free(memory_); }
    SegmentFile(const SegmentFile&) = delete;
    SegmentFile& operator=(const SegmentFile&) = delete;

    [[nodiscard]] WorkerCounters worker(unsigned w) const { return segment_->worker(w); }
    /// Puts a new file in the old one's place.
    void publish() const {
        const std::string fresh = path_ + ".new";
        std::ofstream(fresh, std::ios::binary)
            .write(static_cast<const char*>(memory_), static_cast<std::streamsize>(bytes_));
        std::filesystem::rename(fresh, path_);
    }

  private:
    std::string path_;
    size_t bytes_;
    void* memory_;
    std::optional<CounterSegment> segment_;
};

std::string http_get(int port, const std::string& path) {
    const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<uint16_t>(port));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    std::string answer;
    if (::connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0) {
        const std::string ask = "GET " + path + " HTTP/1.0\r\n\r\n";
        if (::send(fd, ask.data(), ask.size(), 0) == static_cast<ssize_t>(ask.size())) {
            char buffer[4096];
            for (ssize_t n; (n = ::recv(fd, buffer, sizeof buffer, 0)) > 0;)
                answer.append(buffer, static_cast<size_t>(n));
        }
    }
    ::close(fd);
    return answer;
}

const std::vector<CounterSpec> kSpecs{
    {"pipeline.none", "Never counted."},
    {"drop.parse.truncated", "Frames shorter than their headers say."},
    {"worker.busy_ns", "Nanoseconds in loop turns that moved packets."},
    {"flows.entries", "Flows in the table.", CounterKind::kGauge},
    {"port.lan.7.rx_packets", "Packets received."},
    {"route.no_neighbour", "Packets that waited for a neighbour."},
};

/// One endpoint for all tests: closing one takes seconds.
class Metrics : public ::testing::Test {
  protected:
    static void SetUpTestSuite() {
        char name[] = "/tmp/ravelin-metrics-XXXXXX";
        directory_ = mkdtemp(name);
        auto started = MetricsEndpoint::start("127.0.0.1:0", shared_.source());
        ASSERT_TRUE(started.ok()) << started.error().message;
        endpoint_ = std::move(*started);
    }
    static void TearDownTestSuite() {
        endpoint_.reset();
        std::filesystem::remove_all(directory_);
    }
    void SetUp() override {
        snapshot_ = {};
        snapshot_.counters_path = segment_path();
        std::filesystem::remove(segment_path());
    }
    static std::string segment_path() { return directory_ + "/counters"; }
    static std::string scrape() {
        shared_.set(snapshot_);
        return http_get(endpoint_->port(), "/metrics");
    }

    static inline std::string directory_;
    static inline Snapshot snapshot_;
    static inline SharedSnapshot shared_;
    static inline std::unique_ptr<MetricsEndpoint> endpoint_;
};

TEST_F(Metrics, NamesADropByStageAndReason) {
    const SegmentFile segment(segment_path(), kSpecs, 2);
    segment.worker(0).add(1, 5);
    segment.worker(1).add(1, 7);
    segment.publish();
    const std::string text = scrape();
    EXPECT_THAT(text, HasSubstr("# TYPE ravelin_drop_packets_total counter\n"));
    EXPECT_THAT(text,
                HasSubstr("ravelin_drop_packets_total{stage=\"parse\",reason=\"truncated\"} 12\n"));
    EXPECT_THAT(text, HasSubstr("ravelin_counter_info{counter=\"drop.parse.truncated\","
                                "help=\"Frames shorter than their headers say.\"} 1\n"));
}

TEST_F(Metrics, CountsWorkersAndFlowsByWorkerInSeconds) {
    const SegmentFile segment(segment_path(), kSpecs, 2);
    segment.worker(1).add(2, 2'500'000'000);
    segment.worker(1).set(3, 42);
    segment.publish();
    const std::string text = scrape();
    EXPECT_THAT(text, HasSubstr("ravelin_worker_busy_seconds_total{worker=\"1\"} 2.5\n"));
    EXPECT_THAT(text, HasSubstr("# TYPE ravelin_flows_entries gauge\n"));
    EXPECT_THAT(text, HasSubstr("ravelin_flows_entries{worker=\"0\"} 0\n"));
    EXPECT_THAT(text, HasSubstr("ravelin_flows_entries{worker=\"1\"} 42\n"));
}

TEST_F(Metrics, NamesPortsAndStageEvents) {
    const SegmentFile segment(segment_path(), kSpecs, 1);
    segment.worker(0).add(4, 3);
    segment.worker(0).add(5, 4);
    segment.publish();
    const std::string text = scrape();
    EXPECT_THAT(text, HasSubstr("# HELP ravelin_port_rx_packets_total Packets received.\n"));
    EXPECT_THAT(text, HasSubstr("ravelin_port_rx_packets_total{port=\"lan.7\"} 3\n"));
    EXPECT_THAT(
        text, HasSubstr("ravelin_stage_events_total{stage=\"route\",event=\"no_neighbour\"} 4\n"));
    EXPECT_THAT(text, Not(HasSubstr("stage=\"pipeline\",event=\"none\"")));
}

TEST_F(Metrics, CountsARuleFromWhenItTookItsSlot) {
    const SegmentFile segment(segment_path(), kSpecs, 1);
    segment.worker(0).hit_rule(9, 100, 6000);
    segment.publish();
    snapshot_.rules = {
        {.name = "allow-web", .slot = 9, .packets_before = 40, .bytes_before = 1000},
        {.name = "restarted", .slot = 9, .packets_before = 400, .bytes_before = 60000}};
    const std::string text = scrape();
    EXPECT_THAT(text, HasSubstr("ravelin_rule_packets_total{rule=\"allow-web\"} 60\n"));
    EXPECT_THAT(text, HasSubstr("ravelin_rule_bytes_total{rule=\"allow-web\"} 5000\n"));
    EXPECT_THAT(text, HasSubstr("ravelin_rule_packets_total{rule=\"restarted\"} 100\n"));
}

TEST_F(Metrics, CountsWhatRulesOfNatTranslate) {
    const SegmentFile segment(segment_path(), kSpecs, 1);
    segment.worker(0).hit_rule(9, 100, 6000);
    segment.worker(0).hit_rule(10, 7, 0);
    segment.publish();
    snapshot_.nat_rules = {{.passed = {.name = "out", .slot = 9, .packets_before = 40},
                            .fresh = {.name = "out", .slot = 10, .packets_before = 2}}};
    const std::string text = scrape();
    EXPECT_THAT(text, HasSubstr("ravelin_nat_rule_packets_total{rule=\"out\"} 60\n"));
    EXPECT_THAT(text, HasSubstr("ravelin_nat_rule_bytes_total{rule=\"out\"} 6000\n"));
    EXPECT_THAT(text, HasSubstr("ravelin_nat_rule_translations_total{rule=\"out\"} 5\n"));
    EXPECT_THAT(text, Not(HasSubstr("ravelin_rule_packets_total{rule=\"out\"}")));
}

TEST_F(Metrics, EscapesLabelValues) {
    const SegmentFile segment(segment_path(), kSpecs, 1);
    segment.publish();
    snapshot_.rules = {{.name = "a\"b\\c\nd", .slot = 1}};
    EXPECT_THAT(scrape(), HasSubstr("ravelin_rule_packets_total{rule=\"a\\\"b\\\\c\\nd\"} 0\n"));
}

TEST_F(Metrics, TellsTheStateOfBothProcesses) {
    snapshot_.dataplane_up = true;
    snapshot_.generation = 17;
    snapshot_.confirm_deadline_unix_ms = 1;  // long past
    snapshot_.ports = {{.name = "lan", .link_up = true}};
    snapshot_.tables = {{.name = "routes", .bytes = 1024, .entries = 10, .capacity = 20},
                        {.name = "flows.0", .bytes = 4096, .huge_bytes = 2048}};
    const std::string text = scrape();
    for (const char* line :
         {"ravelin_dataplane_up 1", "ravelin_generation 17",
          "ravelin_confirm_remaining_seconds 0\n", "ravelin_port_link_up{port=\"lan\"} 1",
          "ravelin_uptime_seconds{process=\"controlplane\"} 1",
          "ravelin_table_capacity{table=\"routes\"} 20",
          "ravelin_table_huge_bytes{table=\"flows.0\"} 2048", "ravelin_info{version=\""})
        EXPECT_THAT(text, HasSubstr(line));
    EXPECT_THAT(text, Not(HasSubstr("ravelin_table_huge_bytes{table=\"routes\"")));
}

TEST_F(Metrics, GoesWithoutASegmentThatIsNotThere) {
    const std::string text = scrape();
    EXPECT_THAT(text, HasSubstr("200 OK"));
    EXPECT_THAT(text, HasSubstr("ravelin_dataplane_up 0\n"));
    EXPECT_THAT(text, Not(HasSubstr("ravelin_workers")));
}

TEST_F(Metrics, FollowsASegmentThatARestartReplaced) {
    const SegmentFile first(segment_path(), kSpecs, 1);
    first.worker(0).add(1, 5);
    first.publish();
    EXPECT_THAT(scrape(), HasSubstr("reason=\"truncated\"} 5\n"));
    const SegmentFile second(segment_path(), kSpecs, 1);
    second.worker(0).add(1, 1);
    second.publish();
    EXPECT_THAT(scrape(), HasSubstr("reason=\"truncated\"} 1\n"));
}

TEST_F(Metrics, HasAHelpSentenceForEachFamily) {
    const SegmentFile segment(segment_path(), kSpecs, 1);
    segment.publish();
    snapshot_.rules = {{.name = "web"}};
    std::istringstream text(scrape());
    std::set<std::string> helped, families;
    for (std::string line; std::getline(text, line);) {
        std::smatch m;
        if (std::regex_match(line, m, std::regex("# HELP (ravelin\\S+) [A-Z1].+\\.\r?")))
            helped.insert(m[1]);
        if (std::regex_search(line, m, std::regex("^(ravelin_\\w+)[ {]"))) families.insert(m[1]);
    }
    EXPECT_GE(families.size(), 12u);
    for (const std::string& family : families)
        EXPECT_TRUE(helped.contains(family) || family == "ravelin_info") << family;
}

TEST_F(Metrics, RefusesAnAddressInUse) {
    const auto second = MetricsEndpoint::start("127.0.0.1:" + std::to_string(endpoint_->port()),
                                               {.snapshot = [] { return Snapshot{}; }});
    ASSERT_FALSE(second.ok());
    EXPECT_THAT(second.error().message, HasSubstr("cannot listen on 127.0.0.1:"));
}

/// The engine's own counters, read from its source: it cannot be linked without DPDK.
std::vector<CounterSpec> engine_specs() {
    const std::string source = file_text(RAVELIN_SOURCE_ROOT "/dataplane/engine_counters.cc");
    std::vector<CounterSpec> specs;
    const std::regex entry(R"re(\{"([a-z_.]+)",\s*"([^"]+)"(, CounterKind::kGauge)?\})re");
    for (std::sregex_iterator it(source.begin(), source.end(), entry), end; it != end; ++it) {
        const std::string name = (*it)[1];
        const bool port = name.find('.') == std::string::npos;
        specs.push_back({port ? "port.lan." + name : name, (*it)[2],
                         (*it)[3].matched ? CounterKind::kGauge : CounterKind::kCounter});
    }
    return specs;
}

TEST_F(Metrics, HasEveryMetricThatTheDashboardNames) {
    auto specs = engine_specs();
    ASSERT_GT(specs.size(), 20u);
    specs.push_back({"route.no_neighbour", "Packets that waited for a neighbour."});
    const SegmentFile segment(segment_path(), specs, 1);
    segment.publish();
    snapshot_.dataplane_up = true;
    snapshot_.rules = {{.name = "web"}};
    snapshot_.ports = {{.name = "lan"}};
    snapshot_.tables = {{.name = "routes", .capacity = 1}};
    const std::string text = scrape();
    const std::string dashboard = file_text(RAVELIN_SOURCE_ROOT "/configs/grafana-dashboard.json");
    ASSERT_TRUE(nlohmann::json::accept(dashboard));
    std::set<std::string> named;
    const std::regex metric("ravelin_[a-z_]+");
    for (std::sregex_iterator it(dashboard.begin(), dashboard.end(), metric), end; it != end; ++it)
        named.insert(it->str());
    EXPECT_GE(named.size(), 10u);
    for (const std::string& name : named)
        EXPECT_THAT(text, HasSubstr("# TYPE " + name + " ")) << "the dashboard names " << name;
}

TEST(MetricName, IsMadeOfAllowedCharacters) {
    const auto name = metric_name("worker.odd-name", CounterKind::kGauge);
    ASSERT_TRUE(name.has_value());
    EXPECT_EQ(name->family, "ravelin_worker_odd_name");
    EXPECT_EQ(metric_name("lonely", CounterKind::kCounter), std::nullopt);
}

}  // namespace
}  // namespace ravelin::metrics
