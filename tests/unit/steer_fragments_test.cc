// SPDX-License-Identifier: Apache-2.0
// FragmentTable against a map of bytes, and its shares: whose datagrams go when room runs out.
#include "pipelines/stages/steer_fragments.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

#include "dataplane/net/packet_text.h"
#include "pipelines/net/parse.h"
#include "tests/support/frames.h"

namespace ravelin::test {
namespace {

using Kind = FragmentTable::Ruling::Kind;

constexpr unsigned kPool = 8191;

class Fragments : public testing::Test {
  protected:
    ~Fragments() override {
        table_.reset();
        EXPECT_EQ(rte_mempool_in_use_count(test_eal()), 0u);
    }

    struct Result {
        FragmentTable::Ruling ruling;
        PacketMeta meta;
        std::vector<uint16_t> released;  // offsets
        bool ports_told = true;          // to all released
    };

    /// One fragment in the packet language.
    Result take(const std::string& text, PortId port = 0, bool whole = false, uint32_t zone = 0) {
        auto parsed = parse_packet_text(text, {});
        if (!parsed) throw std::runtime_error(parsed.error().message);
        rte_mbuf* frame = exact_frame(parsed->frame);
        Result r{.ruling = {Kind::kDrop}, .meta = {}, .released = {}};
        const auto reason =
            net::parse_frame(Packet(frame), r.meta, {.port_mac = {}, .router = false});
        EXPECT_EQ(reason, net::ParseDrop::kNone) << text;
        EXPECT_TRUE(r.meta.has(PacketMeta::kFragment)) << text;
        r.meta.in_port = port;
        FragmentTable::Released released;
        r.ruling = table_->take(frame, r.meta, {.zone = zone, .now_ms = now_ms_, .whole = whole},
                                released);
        if (r.ruling.kind != Kind::kHeld) rte_pktmbuf_free(frame);
        for (unsigned i = 0; i < released.count; ++i) {
            const PacketMeta& meta = *travelling_meta(released.frames[i]);
            r.released.push_back(meta.fragment_offset);
            r.ports_told &=
                meta.has(PacketMeta::kPorts) && meta.source_port == 1 && meta.destination_port == 2;
            rte_pktmbuf_free(released.frames[i]);
        }
        return r;
    }
    /// How many first fragments it released.
    unsigned expire(uint32_t now_ms) {
        FragmentTable::Released released;
        table_->expire(now_ms, released);
        for (unsigned i = 0; i < released.count; ++i) rte_pktmbuf_free(released.frames[i]);
        return released.count;
    }
    uint32_t dropped(FragmentDrop why) {
        const auto now = table_->take_drops();
        for (size_t i = 0; i < now.size(); ++i) drops_[i] += now[i];
        return drops_[static_cast<size_t>(why)];
    }
    /// A first fragment of 8 bytes, or a later one of 8 at 8 * `at`, of datagram `id`.
    static std::string piece(const std::string& source, unsigned id, unsigned at,
                             bool more = true) {
        const char* to = source.find(':') == std::string::npos ? "10.9.9.9" : "2001:db8::9";
        const std::string tail = fmt::format("id={}{}", id, more ? " mf" : "");
        if (at == 0)
            return source.find(':') == std::string::npos
                       ? fmt::format("udp {}:1 > {}:2 {}", source, to, tail)
                       : fmt::format("udp [{}]:1 > [{}]:2 {}", source, to, tail);
        return fmt::format("ip proto=17 {} > {} frag={} len=8 {}", source, to, at * 8, tail);
    }

    std::unique_ptr<FragmentTable> table_ =
        (test_eal(), std::make_unique<FragmentTable>());  // the pool outlives it
    uint32_t now_ms_ = 1000;
    FragmentTable::Drops drops_{};
};

// What has come of one datagram, byte by byte.
struct Model {
    std::vector<bool> come = std::vector<bool>(70'000);
    size_t end = 0, highest = 0, bytes = 0;
    FragmentDrop spoiled = FragmentDrop::kCount;

    /// kCount: it is new.
    FragmentDrop add(size_t start, size_t stop, bool last) {
        if (spoiled != FragmentDrop::kCount) return spoiled;
        if ((last && stop < highest) || (end != 0 && (last ? stop != end : stop > end)))
            return spoiled = FragmentDrop::kLength;
        const auto from = come.begin() + long(start), to = come.begin() + long(stop);
        if (std::all_of(from, to, [](bool b) { return b; })) return FragmentDrop::kDuplicate;
        if (std::any_of(from, to, [](bool b) { return b; }))
            return spoiled = FragmentDrop::kOverlap;
        std::fill(from, to, true);
        highest = std::max(highest, stop);
        bytes += stop - start;
        if (last) end = stop;
        return FragmentDrop::kCount;
    }
    [[nodiscard]] bool complete() const { return end != 0 && bytes == end; }
};

struct Cut {
    unsigned start, stop;  // in 8 bytes
    bool last;
};

std::vector<Cut> random_cuts(std::mt19937& engine) {
    const auto random = [&] { return static_cast<unsigned>(engine()); };
    const unsigned length = 2 + random() % 60;
    std::vector<Cut> cuts;
    for (unsigned at = 0; at < length;) {
        const unsigned stop = std::min<unsigned>(length, at + 1 + random() % 9);
        cuts.push_back({at, stop, stop == length});
        at = stop;
    }
    if (random() % 3 != 0) std::ranges::shuffle(cuts, engine);
    for (unsigned n = random() % 4; n > 0; --n) {  // again, moved, longer, ending elsewhere
        Cut c = cuts[random() % cuts.size()];
        if (random() % 2 == 0) c.start = std::min(c.stop - 1, c.start + (random() % 2));
        if (random() % 3 == 0) c.stop += random() % 3;
        if (random() % 5 == 0) c.last = !c.last;
        cuts.insert(cuts.begin() + long(random() % (cuts.size() + 1)), c);
    }
    return cuts;
}

TEST_F(Fragments, EveryOrderDoublingAndOverlapIsJudgedAsAMapOfBytesDoes) {
    std::mt19937 random(7);
    unsigned wholes = 0;
    std::array<unsigned, size_t(FragmentDrop::kCount) + 1> seen{};
    for (unsigned id = 1; id <= 3000; ++id) {
        const bool v6 = id % 3 == 0, whole = id % 2 == 0;
        const std::string from = v6 ? "2001:db8::1" : "10.0.0.1",
                          to = v6 ? "2001:db8::9" : "10.9.9.9";
        Model model;
        bool first_come = false;
        std::vector<uint16_t> waiting;
        for (const Cut& c : random_cuts(random)) {
            const std::string tail = fmt::format("id={}{}", id, c.last ? "" : " mf");
            const std::string text =
                c.start == 0
                    ? v6 ? fmt::format("udp [{}]:1 > [{}]:2 len={} {}", from, to, c.stop * 8 - 8,
                                       tail + (c.last ? " frag=0" : ""))
                         : fmt::format("udp {}:1 > {}:2 len={} {}", from, to, c.stop * 8 - 8, tail)
                    : fmt::format("ip proto=17 {} > {} frag={} len={} {}", from, to, c.start * 8,
                                  (c.stop - c.start) * 8, tail);
            if (c.start == 0 && c.last) break;  // that is no fragment
            const Result r = take(text, 0, whole);
            const FragmentDrop why = model.add(c.start * 8, c.stop * 8, c.last);
            ++seen[size_t(why)];
            SCOPED_TRACE(text);
            if (why != FragmentDrop::kCount) {
                ASSERT_EQ(r.ruling.kind, Kind::kDrop);
                ASSERT_EQ(r.ruling.drop, why);
                ASSERT_TRUE(r.released.empty());
                if (why != FragmentDrop::kDuplicate) waiting.clear();
                continue;
            }
            first_come |= c.start == 0;
            const bool held = whole || !first_come;
            ASSERT_EQ(r.ruling.kind, held ? Kind::kHeld : Kind::kPass);
            if (held) waiting.push_back(static_cast<uint16_t>(c.start * 8));
            if (whole ? model.complete() : first_come) {
                std::ranges::sort(waiting);
                ASSERT_EQ(r.released, waiting);
                ASSERT_TRUE(r.ports_told);
                waiting.clear();
            } else {
                ASSERT_TRUE(r.released.empty());
            }
            ASSERT_TRUE(r.ruling.kind != Kind::kPass || r.meta.destination_port == 2);
            if (model.complete()) {
                ++wholes;
                break;  // forgotten: the same number may be used again at once
            }
        }
        ASSERT_EQ(table_->held(), waiting.size()) << id;
        now_ms_ += 60'000;
        for (int i = 0; i < 2; ++i) expire(++now_ms_);
        ASSERT_EQ(table_->size(), 0u);
    }
    EXPECT_GT(wholes, 500u);
    for (const auto why : {FragmentDrop::kOverlap, FragmentDrop::kDuplicate, FragmentDrop::kLength})
        EXPECT_GT(seen[size_t(why)], 100u);
}

TEST_F(Fragments, OfAWholeDatagramNothingIsRemembered) {
    for (unsigned i = 0; i < 3; ++i) {
        EXPECT_EQ(take(piece("10.0.0.1", 5, 0)).ruling.kind, Kind::kPass);
        EXPECT_EQ(take(piece("10.0.0.1", 5, 1, false)).ruling.kind, Kind::kPass);
        EXPECT_EQ(table_->size(), 0u);
    }
}

TEST_F(Fragments, HeadersBehindTheFragmentHeaderAreBytesOfTheDatagram) {
    // Eight bytes of destination options, then UDP with eight of data: 24 in all.
    const std::string ends = "ip proto=60 2001:db8::1 > 2001:db8::9 id=4 ";
    const auto first = take(ends + "mf hex=110001040000000000010002001800000000000000000000");
    EXPECT_EQ(first.ruling.kind, Kind::kPass);
    EXPECT_EQ(first.meta.protocol, 17);
    EXPECT_EQ(take(ends + "frag=16 mf len=8").ruling.drop, FragmentDrop::kDuplicate);
    const auto rest = take(ends + "frag=24 len=8");
    EXPECT_EQ(rest.ruling.kind, Kind::kPass);
    EXPECT_EQ(rest.meta.protocol, 17);
    EXPECT_EQ(table_->size(), 0u) << "whole";
}

TEST_F(Fragments, EachFamilyHasItsTime) {
    EXPECT_EQ(take(piece("10.0.0.1", 1, 1)).ruling.kind, Kind::kHeld);
    EXPECT_EQ(take(piece("2001:db8::1", 1, 1)).ruling.kind, Kind::kHeld);
    expire(now_ms_ + 29'999);
    EXPECT_EQ(table_->size(), 2u);
    expire(now_ms_ + 30'000);
    EXPECT_EQ(table_->size(), 1u);
    EXPECT_EQ(dropped(FragmentDrop::kTimeout), 1u);
    expire(now_ms_ + 59'999);
    EXPECT_EQ(table_->size(), 1u);
    expire(now_ms_ + 60'000);
    EXPECT_EQ(table_->size(), 0u);
    EXPECT_EQ(dropped(FragmentDrop::kTimeout), 2u);
}

TEST_F(Fragments, TheFirstOfAnUnfinishedIpv6PacketIsReleasedToBeAnswered) {
    for (const char* source : {"10.0.0.1", "2001:db8::1"})
        EXPECT_EQ(take(piece(source, 1, 0), 0, true).ruling.kind, Kind::kHeld);
    for (const char* source : {"10.0.0.1", "2001:db8::1", "2001:db8::2"})
        EXPECT_EQ(take(piece(source, 1, 2), 0, true).ruling.kind, Kind::kHeld);
    EXPECT_EQ(expire(now_ms_ + 30'000), 0u);
    EXPECT_EQ(dropped(FragmentDrop::kTimeout), 2u);
    EXPECT_EQ(expire(now_ms_ + 60'000), 1u) << "of the third the first has not come";
    EXPECT_EQ(dropped(FragmentDrop::kTimeout), 4u);
}

TEST_F(Fragments, EqualAddressesInTwoZonesAreTwoDatagrams) {
    EXPECT_EQ(take(piece("10.0.0.1", 1, 0), 0, false, 1).ruling.kind, Kind::kPass);
    EXPECT_EQ(take(piece("10.0.0.1", 1, 1), 0, false, 2).ruling.kind, Kind::kHeld);
    EXPECT_EQ(take(piece("10.0.0.1", 1, 0), 0, false, 2).ruling.kind, Kind::kPass);
    EXPECT_EQ(table_->size(), 2u);
}

TEST_F(Fragments, OneSourceLosesItsOwnAndNobodyElses) {
    EXPECT_EQ(take(piece("10.0.0.2", 1, 0)).ruling.kind, Kind::kPass);
    for (unsigned id = 1; id <= 3 * FragmentTable::kDatagrams; ++id, ++now_ms_)
        ASSERT_EQ(take(piece("10.0.0.1", id, 0)).ruling.kind, Kind::kPass);
    EXPECT_EQ(table_->size(), FragmentTable::kPerSource + 1);
    EXPECT_EQ(take(piece("10.0.0.2", 1, 1, false)).ruling.kind, Kind::kPass);
    EXPECT_EQ(table_->size(), FragmentTable::kPerSource);
}

TEST_F(Fragments, OneSourceHoldsAQuarterOfTheFramesAtMost) {
    const unsigned limit = FragmentTable::held_limit(kPool, 1);
    table_->limit_held(limit);
    EXPECT_EQ(take(piece("10.0.0.2", 1, 1, false)).ruling.kind, Kind::kHeld);
    for (unsigned id = 1; id <= FragmentTable::kPerSource; ++id, ++now_ms_)
        for (unsigned at = 1; at <= 8; ++at)
            ASSERT_EQ(take(piece("10.0.0.1", id, at)).ruling.kind, Kind::kHeld);
    EXPECT_LE(table_->held(), limit / 4 + 1);
    EXPECT_GE(table_->held(), limit / 4 - 8) << "one datagram goes at a time";
    EXPECT_EQ(dropped(FragmentDrop::kSourceShare),
              FragmentTable::kPerSource * 8 + 1 - table_->held());
    EXPECT_EQ(take(piece("10.0.0.2", 1, 0)).released, std::vector<uint16_t>{8});
}

TEST_F(Fragments, AThousandSourcesOfOnePortCannotPushOutWhatAnotherPortSends) {
    table_->limit_held(512);
    EXPECT_EQ(take(piece("10.0.0.2", 1, 1, false), 1).ruling.kind, Kind::kHeld);
    EXPECT_EQ(take(piece("2001:db8::2", 1, 0, true), 1).ruling.kind, Kind::kPass);
    for (unsigned n = 0; n < 4 * FragmentTable::kDatagrams; ++n, ++now_ms_) {
        const std::string from = fmt::format("10.1.{}.{}", n / 250 % 250, n % 250 + 1);
        ASSERT_NE(take(piece(from, n % 60'000, n % 2), 0).ruling.kind, Kind::kDrop);
    }
    EXPECT_EQ(table_->held(), 512u);
    EXPECT_LE(table_->size(), FragmentTable::kDatagrams);
    EXPECT_GT(table_->take_given_up(), FragmentTable::kDatagrams);
    EXPECT_EQ(take(piece("10.0.0.2", 1, 0), 1).released, std::vector<uint16_t>{8});
    EXPECT_EQ(take(piece("2001:db8::2", 1, 1, false), 1).ruling.kind, Kind::kPass);
}

TEST_F(Fragments, WhoHasMostReplacesHisOwnAtABoundedRate) {
    constexpr unsigned kMore = 1000;
    unsigned refused = 0;
    for (unsigned n = 0; n < FragmentTable::kDatagrams + kMore; ++n) {
        const std::string from = fmt::format("10.1.{}.{}", n / 250 % 250, n % 250 + 1);
        const auto ruling = take(piece(from, n, 0), 0).ruling;
        refused += ruling.kind == Kind::kDrop && ruling.drop == FragmentDrop::kTableFull ? 1 : 0;
    }
    EXPECT_EQ(refused, kMore - FragmentTable::kReplacedPerMs);
    EXPECT_EQ(take(piece("10.0.0.2", 1, 0), 1).ruling.kind, Kind::kPass) << "another port";
    EXPECT_EQ(take(piece("10.1.0.1", 0, 1, false), 0).ruling.kind, Kind::kDrop) << "replaced";
    const unsigned known = FragmentTable::kDatagrams - 1;
    EXPECT_EQ(take(piece(fmt::format("10.1.{}.{}", known / 250, known % 250 + 1), known, 1, false))
                  .ruling.kind,
              Kind::kPass);
    ++now_ms_;
    EXPECT_EQ(take(piece("10.3.0.1", 1, 0), 0).ruling.kind, Kind::kPass);
}

TEST_F(Fragments, ADatagramOfTooManyPiecesIsSpoiled) {
    for (unsigned i = 0; i < PiecePool::kMostPieces; ++i)
        ASSERT_EQ(take(piece("10.0.0.1", 1, 1 + 2 * i)).ruling.kind, Kind::kHeld);
    const auto more = take(piece("10.0.0.1", 1, 1 + 2 * PiecePool::kMostPieces));
    EXPECT_EQ(more.ruling.drop, FragmentDrop::kPieces);
    EXPECT_EQ(dropped(FragmentDrop::kPieces), PiecePool::kMostPieces);
    EXPECT_EQ(take(piece("10.0.0.1", 1, 0)).ruling.drop, FragmentDrop::kPieces);
    EXPECT_EQ(table_->held(), 0u);
}

}  // namespace
}  // namespace ravelin::test
