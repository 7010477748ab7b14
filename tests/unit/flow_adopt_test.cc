// SPDX-License-Identifier: Apache-2.0
// What a new process makes of the flow table a killed one left.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstring>
#include <random>
#include <vector>

#include "dataplane/shared_segment.h"
#include "tests/unit/flow_support.h"

namespace ravelin {
namespace {
using test::kBootTag;
using test::key_of;
using test::TableOf;

Result<FlowTable> adopt(void* memory, uint32_t capacity, uint32_t now, AdoptReport& report) {
    return FlowTable::adopt(memory, FlowTable::bytes_for(capacity), capacity, kBootTag, now,
                            report);
}

// Every entry is found under its own key, counts agree, and the table still works to the brim.
void expect_sound(FlowTable& table, const AdoptReport& report, uint32_t now) {
    ASSERT_EQ(table.size(), report.adopted);
    uint32_t cursor = 0;
    uint32_t seen = 0;
    table.for_each(cursor, table.capacity(), [&](Flow& f) {
        ++seen;
        ASSERT_EQ(table.find(f.key, f.key.hash()), &f);
        ASSERT_FALSE(f.expired(now));
    });
    ASSERT_EQ(seen, report.adopted);
    for (uint32_t n = 0; table.size() < table.capacity(); ++n) {
        const FlowKey key = key_of(0x400000 + n);
        ASSERT_NE(table.insert(key, key.hash(), now), nullptr);
    }
    while (Flow* f = table.oldest_unproven()) table.remove(*f);
}

TEST(FlowAdopt, TakesOverWhatIsValid) {
    TableOf t(1000);
    for (uint32_t n = 0; n < 500; ++n) {
        Flow* f = t.insert(n, 1000 + n);
        f->rule = n;
        if (n % 2 == 0) t.table.prove(*f);
        if (n % 5 == 0) t.table.touch(*f, 1000, 10);
    }
    AdoptReport report;
    auto again = adopt(t.memory.get(), 1000, 2000, report);
    ASSERT_TRUE(again.ok()) << again.error().message;
    EXPECT_EQ(report.adopted, 400u);
    EXPECT_EQ(report.expired, 100u);
    EXPECT_EQ(report.invalid + report.duplicate, 0u);
    EXPECT_EQ(again->oldest_unproven()->rule, 1u);  // the order of age is kept
    const Flow* f = again->find(key_of(7), key_of(7).hash());
    ASSERT_NE(f, nullptr);
    EXPECT_EQ(f->rule, 7u);
    EXPECT_FALSE(f->proven());
    expect_sound(*again, report, 2000);
    EXPECT_EQ(again->expire(10'000'000, 100'000), 200u);
}

TEST(FlowAdopt, RefusesForeignTables) {
    TableOf t(100);
    AdoptReport report;
    void* m = t.memory.get();
    const size_t bytes = FlowTable::bytes_for(100);
    EXPECT_TRUE(FlowTable::adopt(m, bytes, 100, kBootTag, 0, report).ok());
    EXPECT_FALSE(FlowTable::adopt(m, bytes, 100, kBootTag + 1, 0, report).ok());
    EXPECT_FALSE(FlowTable::adopt(m, bytes, 99, kBootTag, 0, report).ok());
    EXPECT_FALSE(FlowTable::adopt(m, bytes - 1, 100, kBootTag, 0, report).ok());
    for (size_t i = 0; i < 48; ++i) {  // every byte of the header counts
        auto* byte = static_cast<unsigned char*>(m) + i;
        *byte ^= 0x10;
        EXPECT_FALSE(FlowTable::adopt(m, bytes, 100, kBootTag, 0, report).ok()) << i;
        *byte ^= 0x10;
    }
    std::memset(m, 0, bytes);
    EXPECT_FALSE(FlowTable::adopt(m, bytes, 100, kBootTag, 0, report).ok());
}

// Where the table keeps them: flows behind a header as long as one, marks behind the flows.
Flow* flows_of(TableOf& t) {
    return reinterpret_cast<Flow*>(static_cast<char*>(t.memory.get()) + sizeof(Flow));
}
uint32_t* marks_of(TableOf& t) {
    return reinterpret_cast<uint32_t*>(flows_of(t) + t.table.capacity());
}

TEST(FlowAdopt, DropsEachKindOfDamage) {
    const std::vector<void (*)(Flow&)> damage = {
        [](Flow& f) { f.key.first_port ^= 1; },
        [](Flow& f) { f.state = static_cast<FlowState>(200); },
        [](Flow& f) { f.state = FlowState::tcp_established; },  // of a UDP flow
        [](Flow& f) { f.flags = 0xf0; },
        [](Flow& f) { f.window_scale[1] = 15; },
        [](Flow& f) { f.tcp_flags[0] = 0x80; },
        [](Flow& f) { f.timeout_ms = ~0u; },
        [](Flow& f) { f.last_seen_ms += 100'000; },
    };
    for (size_t i = 0; i < damage.size(); ++i) {
        TableOf t(10);
        t.insert(1);
        damage[i](*t.insert(2));
        AdoptReport report;
        auto again = adopt(t.memory.get(), 10, 100, report);
        ASSERT_TRUE(again.ok());
        EXPECT_EQ(report.invalid, 1u) << i;
        EXPECT_EQ(report.adopted, 1u) << i;
        expect_sound(*again, report, 100);
    }
}

TEST(FlowAdopt, DropsWhatIsNotMarkedAsItself) {
    TableOf t(10);
    t.insert(1);
    const Flow* flow = t.insert(2);
    marks_of(t)[flow - flows_of(t)] ^= 1;
    AdoptReport report;
    auto again = adopt(t.memory.get(), 10, 100, report);
    ASSERT_TRUE(again.ok());
    EXPECT_EQ(report.invalid, 1u);
    EXPECT_EQ(report.adopted, 1u);
}

// A way is a number in a table of the process that is no more.
TEST(FlowAdopt, ForgetsWays) {
    TableOf t(10);
    t.insert(1)->ways = {.stamp = 1, .way = {2, 3}};
    AdoptReport report;
    auto again = adopt(t.memory.get(), 10, 100, report);
    ASSERT_TRUE(again.ok());
    const Flow* flow = again->find(key_of(1), key_of(1).hash());
    ASSERT_NE(flow, nullptr);
    EXPECT_EQ(flow->ways.stamp, 0u);
}

TEST(FlowAdopt, DropsEntriesOutOfPlaceAndTwins) {
    TableOf t(10);
    Flow* a = t.insert(1);
    Flow* b = t.insert(2);
    *b = *a;  // b's mark does not fit a's key
    AdoptReport report;
    ASSERT_TRUE(adopt(t.memory.get(), 10, 1, report).ok());
    EXPECT_EQ(report.invalid, 1u);
    flows_of(t)[9] = *a;
    marks_of(t)[9] = flow_mark(a->key, 9);
    auto again = adopt(t.memory.get(), 10, 1, report);
    EXPECT_EQ(report.duplicate, 1u);
    expect_sound(*again, report, 1);
}

// A copy taken at any moment, with any bytes spoilt, is adopted without harm.
TEST(FlowAdopt, SurvivesRandomCorruption) {
    constexpr uint32_t kCapacity = 200;
    const size_t bytes = FlowTable::bytes_for(kCapacity);
    std::mt19937 random(4);
    TableOf t(kCapacity);
    unsigned invalid = 0;
    for (uint32_t round = 0; round < 1500; ++round) {
        for (int i = 0; i < 20; ++i) {
            const uint32_t n = static_cast<uint32_t>(random()) % 400;
            Flow* f = t.find(n);
            if (f == nullptr)
                f = t.insert(n, round);
            else if (n % 3 == 0)
                t.table.remove(*f), f = nullptr;
            if (f != nullptr && n % 2 == 0) t.table.prove(*f);
        }
        if (t.table.size() == kCapacity) t.table.remove(*t.table.oldest_unproven());
        test::Memory copy = test::memory_for(kCapacity);
        std::memcpy(copy.get(), t.memory.get(), bytes);
        const auto spoilt = static_cast<unsigned>(random() % 400);
        for (unsigned i = 0; i < spoilt; ++i)
            static_cast<unsigned char*>(copy.get())[64 + random() % (bytes - 64)] =
                static_cast<unsigned char>(random());
        AdoptReport report;
        auto again = adopt(copy.get(), kCapacity, round, report);
        ASSERT_TRUE(again.ok());
        ASSERT_TRUE(spoilt != 0 || report.adopted == t.table.size());
        invalid += report.invalid;
        expect_sound(*again, report, round);
    }
    EXPECT_GT(invalid, 1000u);
}

[[noreturn]] void write_forever(void* memory, uint32_t capacity, unsigned seed) {
    auto table = FlowTable::create(memory, FlowTable::bytes_for(capacity), capacity, kBootTag);
    std::mt19937 random(seed);
    for (;;) {
        const FlowKey key = key_of(static_cast<uint32_t>(random()) % (capacity * 2));
        Flow* f = table->find(key, key.hash());
        if (f == nullptr) {
            f = table->insert(key, key.hash(), 0);
            if (f != nullptr) f->rule = key.hash() % 4096, f->epoch = key.hash();
        } else if (random() % 2 == 0) {
            table->remove(*f);
        } else {
            table->prove(*f);
            if (random() % 3 == 0) table->remove(*f);
        }
    }
}

TEST(FlowAdopt, SurvivesSigkillAtAnyMoment) {
    constexpr uint32_t kCapacity = 300;
    const std::string path = testing::TempDir() + "flow_adopt." + std::to_string(getpid());
    unsigned adopted = 0;
    for (unsigned round = 0; round < 100; ++round) {
        auto segment = SharedSegment::open(path, FlowTable::bytes_for(kCapacity));
        ASSERT_TRUE(segment.ok()) << segment.error().message;
        EXPECT_EQ(segment->created(), round == 0);
        const pid_t child = fork();
        ASSERT_GE(child, 0);
        if (child == 0) write_forever(segment->data(), kCapacity, round);
        usleep(1000 + round * 37 % 1700);  // not a wait for anything: the moment is meant random
        kill(child, SIGKILL);
        int status = 0;
        ASSERT_EQ(waitpid(child, &status, 0), child);
        ASSERT_TRUE(WIFSIGNALED(status));
        AdoptReport report;
        auto table = adopt(segment->data(), kCapacity, 1, report);
        if (!table) continue;  // killed within create(): nothing to take over
        EXPECT_EQ(report.invalid + report.duplicate, 0u) << "a half-written entry was marked";
        adopted += report.adopted;
        uint32_t cursor = 0;
        table->for_each(cursor, kCapacity,
                        [](Flow& f) { EXPECT_TRUE(f.rule == 0 || f.rule == f.key.hash() % 4096); });
        expect_sound(*table, report, 1);
    }
    EXPECT_GT(adopted, 1000u);
    std::remove(path.c_str());
}

TEST(FlowAdopt, MillionFlows) {
    constexpr uint32_t kCapacity = 1'000'000;
    TableOf t(kCapacity);
    for (uint32_t n = 0; n < kCapacity; ++n) t.insert(n);
    const auto start = std::chrono::steady_clock::now();
    AdoptReport report;
    auto again = adopt(t.memory.get(), kCapacity, 1, report);
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
    ASSERT_TRUE(again.ok());
    EXPECT_EQ(report.adopted, kCapacity);
    RecordProperty("adopt_ms", std::to_string(took.count()));
    std::printf("adopted 1M unproven flows in %.0f ms\n", took.count());
}

TEST(SharedSegment, KeepsContentAndLocks) {
    const std::string path = testing::TempDir() + "segment." + std::to_string(getpid());
    {
        auto a = SharedSegment::open(path, 8192);
        ASSERT_TRUE(a.ok()) << a.error().message;
        EXPECT_TRUE(a->created());
        std::memcpy(a->data(), "hello", 6);
        auto b = SharedSegment::open(path, 8192);
        ASSERT_FALSE(b.ok());
        EXPECT_NE(b.error().message.find(path), std::string::npos);
        auto reader = SharedSegment::open_reader(path);
        ASSERT_TRUE(reader.ok());
        EXPECT_STREQ(static_cast<const char*>(reader->data()), "hello");
    }
    {
        auto a = SharedSegment::open(path, 8192);
        ASSERT_TRUE(a.ok());
        EXPECT_FALSE(a->created());
        EXPECT_STREQ(static_cast<const char*>(a->data()), "hello");
    }
    auto grown = SharedSegment::open(path, 16384);
    ASSERT_TRUE(grown.ok());
    EXPECT_TRUE(grown->created());
    EXPECT_EQ(static_cast<const char*>(grown->data())[0], 0);
    std::remove(path.c_str());
    EXPECT_FALSE(SharedSegment::open("/nonexistent/x", 4096).ok());
    EXPECT_FALSE(SharedSegment::open_reader(path).ok());
}

// Large ones stand where huge pages can, and are none the less what they were.
TEST(SharedSegment, KeepsLargeContent) {
    constexpr size_t kHugePage = 2u << 20, kBytes = 2 * kHugePage + 12'345;
    const std::string path = "/dev/shm/segment." + std::to_string(getpid());
    const auto byte_at = [](size_t i) { return static_cast<unsigned char>(i * 7 + i / 4096); };
    {
        auto made = SharedSegment::open(path, kBytes);
        ASSERT_TRUE(made.ok()) << made.error().message;
        EXPECT_EQ(reinterpret_cast<uintptr_t>(made->data()) % kHugePage, 0u);
        EXPECT_EQ(made->huge_bytes() % kHugePage, 0u);
        EXPECT_LE(made->huge_bytes(), kBytes);
        auto* bytes = static_cast<unsigned char*>(made->data());
        for (size_t i = 0; i < kBytes; ++i) {
            ASSERT_EQ(bytes[i], 0u) << i;
            bytes[i] = byte_at(i);
        }
    }
    auto again = SharedSegment::open(path, kBytes);
    auto reader = SharedSegment::open_reader(path);
    std::remove(path.c_str());
    ASSERT_TRUE(again.ok() && reader.ok());
    EXPECT_FALSE(again->created());
    for (const auto* s : {&*again, &*reader})
        for (size_t i = 0; i < kBytes; ++i)
            ASSERT_EQ(static_cast<const unsigned char*>(s->data())[i], byte_at(i)) << i;
}

}  // namespace
}  // namespace ravelin
