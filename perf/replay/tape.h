// SPDX-License-Identifier: Apache-2.0
// Tape: what the replay port plays, and what it saw while it did. A file in memory, so that another
// program with the same port (testpmd, by `-d`) plays the same and is measured by the same clock.
#pragma once
#include <array>
#include <cstdint>
#include <span>
#include <string>

#include "dataplane/address.h"
#include "dataplane/bytes.h"

namespace ravelin::perf {

/// One flow, as the side behind `lan` sends it: addresses and ports, which of the tape's sizes its
/// frames have, and the checksum that its IPv4 header has then. Protocol: TCP or UDP. On tapes of
/// IPv6 an address is behind 16 bits of its side and before 80 that all have (v6_of).
struct Descriptor {
    be32 source, destination;
    be16 source_port, destination_port;
    uint8_t protocol = 6;
    uint8_t size = 0;  ///< index into TapeHead::sizes
    be16 checksum;
};
static_assert(sizeof(Descriptor) == 16);

/// What stands below the transport header of all of a tape's frames.
struct Layout {
    bool v6 = false;
    bool tagged = false;  ///< by TapeHead::vlans
};

/// In which order packets come.
enum class Program : uint32_t {
    kOneWay,    ///< all by lan, one after the other, again and again
    kBothWays,  ///< every flow's sides take turns, a packet a lap; sequence numbers advance
    kSteps,     ///< blocks of connections go through the steps of TCP's life (frame.h)
};
/// What the port looks for in frames that leave.
enum class Check : uint32_t {
    kNone,
    kSame,  ///< nothing was changed
    /// Routed: MACs of the next hop and the way out's tag, TTL less one, checksum right, the rest
    /// as it was.
    kForwarded,
};

struct TapeHead {
    static constexpr uint64_t kMagic = 0x33657061742d7672;
    static constexpr unsigned kQueues = 16, kWindows = 8192, kSizes = 16;

    uint64_t magic = kMagic;
    uint64_t count = 0;       ///< descriptors, which follow the head
    uint32_t queues = 1;      ///< queue q plays descriptors first[q] to first[q + 1]
    uint32_t buffers = 2048;  ///< frames that go round, of each queue
    std::array<uint32_t, kQueues + 1> first{};
    Program program = Program::kOneWay;
    Check check = Check::kNone;
    uint32_t step_from = 0, step_to = 0;       ///< kSteps: from one to before the other
    uint32_t block = 256;                      ///< kSteps: connections that go together
    uint32_t laps = 0;                         ///< kSteps: silence after so many; 0: never
    uint32_t burst = 64;                       ///< most packets of one receive call
    uint32_t window = 1 << 14;                 ///< packets between two readings of the clock
    std::array<uint16_t, kSizes> sizes{};      ///< bytes of a frame without its check sequence
    std::array<MacAddress, 2> macs, gateways;  ///< of lan and wan: the port's, the next hop's
    std::array<uint16_t, 2> vlans{100, 200};   ///< of lan and wan, where frames are tagged
    Layout layout{};
    /// IPv4 whose sources the box translates: what comes by wan goes to where they seem to be.
    bool translated = false;

    /// Of one queue, written by the port. Windows beyond kWindows are not kept.
    struct Seen {
        uint64_t received = 0, sent = 0, checked = 0, wrong = 0;
        uint32_t windows = 0, wrong_length = 0;
        std::array<uint32_t, kWindows> cycles;    ///< TSC, of each window
        std::array<uint8_t, 96> expected, found;  ///< of the first wrong frame
    };
    std::array<Seen, kQueues> seen;
};

class Tape {
  public:
    /// A new file, all flows zero. Throws nothing; ends the process with the reason if it cannot.
    static Tape create(const std::string& path, uint64_t count);
    static Tape open(const std::string& path);
    Tape(Tape&& other) noexcept;
    Tape(const Tape&) = delete;
    Tape& operator=(const Tape&) = delete;
    ~Tape();

    [[nodiscard]] TapeHead& head() const { return *head_; }
    [[nodiscard]] std::span<Descriptor> flows() const {
        return {reinterpret_cast<Descriptor*>(head_ + 1), head_->count};
    }
    [[nodiscard]] const std::string& path() const { return path_; }

  private:
    Tape(std::string path, int file, uint64_t bytes);
    std::string path_;
    TapeHead* head_ = nullptr;
    uint64_t bytes_ = 0;
};

}  // namespace ravelin::perf
