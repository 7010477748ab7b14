// SPDX-License-Identifier: Apache-2.0
// A worker that does not answer: what it was to do and to look at is the asker's again, or stays.
#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <thread>

#include "dataplane/process/control_server.h"
#include "tests/support/box_test.h"
#include "tests/support/ring_box.h"
#include "tests/support/standing.h"

namespace ravelin::test {
namespace {

constexpr WorkerId kWorkers = 2;
constexpr const char* kConfig = R"(
mode: wire
workers: {count: 2, poll: adaptive, buffers: 1024, flows: 1024, hugepages: "off"}
ports: [{name: lan, device: net_ring_lan, queues: 2}, {name: wan, device: net_ring_wan, queues: 2}]
pipeline: [parse, steer, wire]
)";

class Note final : public Command {
  public:
    void run(Worker&) noexcept override { ran = true; }
    std::atomic<bool> ran{false};
};

class CommandTest : public ::testing::Test {
  protected:
    CommandTest() { box_.apply(kConfig); }
    Worker& second() { return *box_.store().appliance()->workers()[1]; }
    RingBox box_{{"lan", "wan"}, kWorkers, &Now::read, 2};
};

TEST_F(CommandTest, WhatIsNotBegunInTimeNeverRunsAndWhatIsBegunIsWaitedFor) {
    Standing standing(second());
    Note late, again;
    EXPECT_FALSE(second().execute(late));
    standing.let_go();
    EXPECT_TRUE(standing.done) << "it ran, if for longer than others wait";
    EXPECT_TRUE(box_.turn());
    EXPECT_FALSE(late.ran) << "its memory is the asker's";
    EXPECT_TRUE(second().execute(again));
    EXPECT_TRUE(again.ran);
}

TEST_F(CommandTest, WhoDoesNotAnswerIsWaitedForOnceNotForEveryCommand) {
    Standing standing(second());
    for (unsigned i = 0; i < 1000; ++i) {  // each its five seconds would be an hour
        Note late;
        EXPECT_FALSE(second().execute(late));
        EXPECT_TRUE(second().stuck());
    }
    PolicyStore& store = box_.store();
    for (unsigned i = 0; i < 100; ++i) {
        const Status swapped = box_.try_apply(kConfig);
        ASSERT_FALSE(swapped.ok());
        EXPECT_EQ(swapped.error().message, "worker 1 does not answer");
    }
    EXPECT_EQ(store.current()->generation, 1u);
    standing.let_go();
    EXPECT_TRUE(box_.turn());
    Note again;
    EXPECT_FALSE(second().stuck());
    EXPECT_TRUE(second().execute(again));
    const Status swapped = box_.try_apply(kConfig);
    EXPECT_TRUE(swapped.ok()) << swapped.error().message;
}

TEST_F(CommandTest, FlowsOfAnExpiredElementAreJudgedAnewOnceTheWorkerAnswers) {
    box_.apply(std::string("sets: {guests: {type: prefixes, size: 8}}") + kConfig);
    PolicyStore& store = box_.store();
    const Now now = Now::read();
    model::LiveChange change;
    change.set_generation(store.current()->generation);
    change.set_serial(store.live().serial() + 1);
    model::SetChange& guests = *change.add_sets();
    guests.set_set("guests");
    guests.set_action(model::SetChange::ADD);
    SetElement::parse(SetType::kPrefixes, "10.0.0.0/8")->append_to(*guests.mutable_elements());
    guests.add_remaining_ms(1);
    ASSERT_TRUE(store.change(change, now, now.ns).ok());
    const uint32_t before = store.current()->epoch;
    const Now later = Now::from_ns(now.ns + 1'000'000'000);
    {
        Standing standing(second());
        Note late;
        EXPECT_FALSE(second().execute(late));
        store.expire_elements(later);
        EXPECT_EQ(store.live().expired(), 1u);
        EXPECT_EQ(store.current()->epoch, before) << "nothing is published past a worker";
        standing.let_go();
    }
    EXPECT_TRUE(box_.turn());
    store.expire_elements(later);
    EXPECT_NE(store.current()->epoch, before);
    const uint32_t after = store.current()->epoch;
    store.expire_elements(later);
    EXPECT_EQ(store.current()->epoch, after) << "once";
}

TEST_F(CommandTest, HoweverManyHangAreWaitedForTogether) {
    const auto& workers = box_.store().appliance()->workers();
    Note first, second_note;
    const std::array<Command*, kWorkers> notes{&first, &second_note};
    {
        Standing one(*workers[0]), two(*workers[1]);
        const auto began = std::chrono::steady_clock::now();
        EXPECT_TRUE(execute_on_all(workers, notes).has_value());
        const auto took = std::chrono::steady_clock::now() - began;
        EXPECT_GE(took, Worker::kPatience);
        EXPECT_LT(took, 2 * Worker::kPatience) << "one after the other";
        EXPECT_TRUE(workers[0]->stuck() && workers[1]->stuck());
    }
    EXPECT_TRUE(box_.turn());
    EXPECT_FALSE(first.ran || second_note.ran);
    EXPECT_FALSE(execute_on_all(workers, notes).has_value());
    EXPECT_TRUE(first.ran && second_note.ran);
}

TEST_F(CommandTest, OneThatHangsKeepsNoOtherFromItsCommand) {
    const auto& workers = box_.store().appliance()->workers();
    Note first, second_note;
    const std::array<Command*, kWorkers> notes{&first, &second_note};
    Standing one(*workers[0]);
    EXPECT_EQ(execute_on_all(workers, notes), std::optional<WorkerId>(0));
    EXPECT_TRUE(!first.ran && second_note.ran);
}

/// A ControlServer on a thread of its own, and a control plane that asks it.
class Served {
  public:
    explicit Served(PolicyStore& store) : server_(store, directory_) {
        if (!server_.listen().ok()) std::abort();
        thread_ = std::thread([this] { server_.run(stop_); });
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        (directory_ + "/dataplane.sock").copy(address.sun_path, sizeof address.sun_path - 1);
        fd_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
            std::abort();
    }
    ~Served() {
        const uint64_t one = 1;
        [[maybe_unused]] const ssize_t n = ::write(stop_, &one, sizeof one);
        thread_.join();
        ::close(fd_);
        ::close(stop_);
        std::filesystem::remove_all(directory_);
    }
    Served(const Served&) = delete;
    Served& operator=(const Served&) = delete;

    void ask(model::ToDataplane request) {
        request.set_id(++id_);
        const std::string bytes = request.SerializeAsString();
        ASSERT_TRUE(
            model::write_frame(fd_, {reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()})
                .ok());
        while (true) {
            const model::FromDataplane message = next();
            if (message.has_trace()) ++traces_;
            if (!message.has_reply()) continue;
            EXPECT_EQ(message.reply().error(), "");
            return;
        }
    }
    void watch() {
        model::ToDataplane request;
        request.mutable_trace()->set_port("lan");
        ask(request);
    }
    void unwatch() {
        model::ToDataplane request;
        request.mutable_unwatch();
        ask(request);
    }
    /// Packets it has told of; what workers recorded is carried between two requests.
    unsigned traces() {
        model::ToDataplane request;
        request.mutable_status();
        ask(request);
        ask(request);
        return traces_;
    }

  private:
    model::FromDataplane next() {
        model::FromDataplane out;
        auto frame = reader_.next();
        while (!frame) {
            const auto got = model::receive(fd_, reader_);
            if (!got || *got == model::Received::kEnd) std::abort();
            frame = reader_.next();
        }
        EXPECT_TRUE(out.ParseFromString(*frame));
        return out;
    }
    char pattern_[32] = "/tmp/ravelin-served-XXXXXX";
    std::string directory_ = ::mkdtemp(pattern_);
    ControlServer server_;
    int stop_ = ::eventfd(0, EFD_CLOEXEC), fd_ = -1;
    uint64_t id_ = 0;
    unsigned traces_ = 0;
    model::FrameReader reader_;
    std::thread thread_;
};

TEST_F(CommandTest, AWorkerThatDoesNotAnswerMayStillReadAWatchThatEnded) {
    Served served(box_.store());
    uint16_t port = 1;
    while (owner_of_question(port, kWorkers) != 1) ++port;
    const PacketTextDefaults defaults{.port = "lan", .port_macs = {}};
    const auto send = [&] {
        box_.send(0, exact_frame(parse_packet_text(question(port), defaults)->frame), 1);
        EXPECT_TRUE(box_.settle());
        for (rte_mbuf* frame : box_.receive(1)) rte_pktmbuf_free(frame);
    };
    served.watch();
    send();
    EXPECT_EQ(served.traces(), 1u);
    {
        const Standing standing(second());
        served.unwatch();
    }
    send();  // it reads what it was told to look for
    served.unwatch();
    const unsigned before = served.traces();
    send();
    EXPECT_EQ(served.traces(), before) << "told when it answered again";
    served.watch();
    send();
    EXPECT_EQ(served.traces(), before + 1);
}

}  // namespace
}  // namespace ravelin::test
