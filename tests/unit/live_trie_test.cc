// SPDX-License-Identifier: Apache-2.0
#include "pipelines/tables/live_trie.h"

#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <random>
#include <thread>

namespace ravelin {
namespace {

/// Prefixes as (length, first key), the simplest way to be right.
template <typename Key>
class Model {
  public:
    using Trie = LiveTrie<Key>;
    static constexpr unsigned kWidth = sizeof(Key) * 8;

    static Key first_of(Key key, unsigned length) {
        return length == 0 ? Key{0} : key >> (kWidth - length) << (kWidth - length);
    }
    typename Trie::Match lookup(Key key, unsigned longest = kWidth, unsigned shortest = 0) const {
        for (unsigned length = longest + 1; length-- > shortest;)
            if (const auto at = all_.find({length, first_of(key, length)}); at != all_.end())
                return {at->second, static_cast<int>(length)};
        return {};
    }
    void set(Trie& trie, Key key, unsigned length, uint32_t value) {
        const bool fresh = all_.insert_or_assign({length, first_of(key, length)}, value).second;
        ASSERT_TRUE(trie.set(first_of(key, length), length, value, fresh));
    }
    void remove(Trie& trie, Key key, unsigned length) {
        if (all_.erase({length, first_of(key, length)}) == 0) return;
        const unsigned shortest = Trie::first_in_node(length);
        trie.remove(first_of(key, length), length,
                    length == 0 ? typename Trie::Match{} : lookup(key, length - 1, shortest));
    }
    const auto& all() const { return all_; }

  private:
    std::map<std::pair<unsigned, Key>, uint32_t> all_;
};

template <typename Key>
Key some_key(std::mt19937_64& random) {
    // Few different keys, so that prefixes nest; some bits are free, so that lookups miss too.
    const Key wide = static_cast<Key>(random()) << (sizeof(Key) * 8 - 32);
    return (wide & ~(Key{0x3fff} << (sizeof(Key) * 8 - 14))) | static_cast<Key>(random() % 4);
}

template <typename Key>
void random_changes(unsigned seed, unsigned rounds) {
    std::mt19937_64 random(seed);
    LiveTrie<Key> trie;
    Model<Key> model;
    for (unsigned round = 0; round < rounds; ++round) {
        const Key key = some_key<Key>(random);
        const auto length = static_cast<unsigned>(random() % (sizeof(Key) * 8 + 1));
        if (random() % 3 != 0)
            model.set(trie, key, length, static_cast<uint32_t>(random() % 1000));
        else if (!model.all().empty()) {
            auto victim = model.all().lower_bound({length, Model<Key>::first_of(key, length)});
            if (victim == model.all().end()) victim = model.all().begin();
            const auto [gone, first] = victim->first;
            model.remove(trie, first, gone);
        }
        if (round % 7 == 0) trie.reclaim();
        for (unsigned i = 0; i < 4; ++i) {
            const Key probe = i == 0 ? key : some_key<Key>(random);
            const auto expected = model.lookup(probe), found = trie.lookup(probe);
            ASSERT_EQ(found.length, expected.length) << "round " << round;
            ASSERT_EQ(found.value, expected.value) << "round " << round;
        }
    }
}

TEST(LiveTrie, AgreesWithAMapUnderRandomChangesIpv4) { random_changes<uint32_t>(1, 40'000); }
TEST(LiveTrie, AgreesWithAMapUnderRandomChangesIpv6) { random_changes<Uint128>(2, 20'000); }

TEST(LiveTrie, GivesEveryNodeBack) {
    LiveTrie<uint32_t> trie;
    Model<uint32_t> model;
    const size_t empty = trie.memory_bytes();
    size_t full = 0;
    for (unsigned round = 0; round < 5; ++round) {
        for (uint32_t i = 0; i < 3000; ++i) model.set(trie, i << 12, 32, i);
        if (full == 0) full = trie.memory_bytes();
        EXPECT_EQ(trie.memory_bytes(), full) << "a round needs no more than the first";
        while (!model.all().empty()) {
            const auto [length, first] = model.all().begin()->first;
            model.remove(trie, first, length);
        }
        EXPECT_TRUE(trie.has_retired());
        trie.reclaim();
        EXPECT_EQ(trie.lookup(5u << 12).length, -1);
    }
    EXPECT_GT(full, empty);
}

// A reader sees a prefix that stays, whatever goes on below and above it; and a value that was
// never given is never seen. The reader says at the top of each turn that it holds nothing, as a
// worker does; nodes are reused only after that.
TEST(LiveTrie, IsReadWhileItChanges) {
    LiveTrie<uint32_t> trie;
    Model<uint32_t> model;
    model.set(trie, 0x0a000000, 8, 7);
    std::atomic<uint64_t> turns{0};
    std::atomic<bool> stop{false}, wrong{false};
    std::thread reader([&] {
        std::mt19937 random(3);
        while (!stop.load()) {
            turns.fetch_add(1);
            for (unsigned i = 0; i < 32; ++i) {
                const auto found =
                    trie.lookup(static_cast<uint32_t>(0x0a000000 | (random() & 0x00ffffff)));
                const bool fits =
                    found.length >= 8 &&
                    (found.length == 8 ? found.value == 7
                                       : found.value == 100u + static_cast<unsigned>(found.length));
                if (!fits) wrong.store(true);
            }
        }
    });
    std::mt19937 random(4);
    for (unsigned round = 0; round < 20'000 && !wrong.load(); ++round) {
        const auto length = static_cast<unsigned>(9 + random() % 24);
        const auto key = static_cast<uint32_t>(0x0a000000 | (random() & 0x00ffffff));
        if (random() % 2 != 0)
            model.set(trie, key, length, 100 + length);
        else if (model.all().size() > 1)
            model.remove(trie, std::prev(model.all().end())->first.second,
                         std::prev(model.all().end())->first.first);
        if (round % 64 == 0 && trie.has_retired()) {
            const uint64_t then = turns.load();
            while (turns.load() < then + 2) std::this_thread::yield();
            trie.reclaim();
        }
    }
    stop.store(true);
    reader.join();
    EXPECT_FALSE(wrong.load());
}

}  // namespace
}  // namespace ravelin
