// SPDX-License-Identifier: Apache-2.0
// Rig: a box between two replay ports on one core. Three things play the same tape in turns and are
// measured by the port's own windows: the box, a loop that only receives and transmits, and
// testpmd.
#pragma once
#include <sched.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "perf/bench/box.h"
#include "perf/bench/figure.h"
#include "perf/bench/testpmd.h"
#include "perf/replay/frame.h"
#include "perf/replay/port.h"

namespace ravelin::perf {

/// What is played.
struct Playlist {
    uint64_t flows = 65536;
    std::function<void(std::span<Descriptor>)> write;  ///< checksums and sizes are filled in after
    Program program = Program::kOneWay;
    bool open = false;  ///< TCP: every flow's handshake first
    /// Bytes of the frames with check sequence and without a tag, in turns: 64 to 1518.
    std::vector<uint16_t> sizes = {64};
    unsigned workers = 1;
    Layout layout = {};
    bool translated = false;  ///< the box translates sources (perf/replay/outer.h)
};
/// Of its size `i`, as it is on the wire: with the tag, and large enough for the headers.
uint32_t frame_bytes(const Playlist& playlist, size_t i);
/// Its tape, in a file.
Tape record(const Playlist& playlist, const std::string& path);
/// As digits, for messages.
std::string hex(std::span<const uint8_t> bytes);
/// Simple IMIX: 7 of 64 bytes, 4 of 570, 1 of 1518.
std::vector<uint16_t> imix();

/// The CPU that generator, system and sink share: the last this process may use.
int measuring_cpu();

class Rig {
  public:
    /// Boots. One rig at a time in a process. `check`: of what leaves the box.
    Rig(const Playlist& playlist, const std::string& yaml) : Rig(playlist, load(yaml)) {}
    Rig(const Playlist& playlist, const config::Node& config, Check check = Check::kForwarded,
        Clock clock = &Now::read);
    ~Rig();
    Rig(const Rig&) = delete;
    Rig& operator=(const Rig&) = delete;

    Box& box() { return *box_; }
    TapeHead& head() { return (other_ ? other_ : tape_)->head(); }
    [[nodiscard]] const Playlist& playlist() const { return playlist_; }
    std::span<Descriptor> flows() { return (other_ ? other_ : tape_)->flows(); }
    TapeHead::Seen& seen() { return head().seen[0]; }
    /// Frames that were looked at in the box's last measurement.
    [[nodiscard]] uint64_t checked() const { return checked_; }
    /// Another generation; every flow there is passes once, so that all are judged by it.
    void apply(const std::string& yaml);
    /// The generation before, as it was; whoever follows connections has judged all again.
    void swap();
    /// TSC cycles a packet: the median of windows. Ends the process where frames that left were
    /// wrong, or, unless `drops`, where some did not leave.
    double measure(double seconds, bool drops = false);
    /// The same for receive and transmit calls alone, which is left out.
    double measure_io(double seconds);
    /// And for testpmd, which forwards from port to port; 0 where it is not installed. The first
    /// call starts it, which takes a second or two.
    double measure_testpmd(double seconds);
    /// The same with all workers on threads of their own, one value each.
    std::vector<double> measure_workers(double seconds);
    /// What was played since then must not have happened: who follows connections did not see it.
    void leave_out(const ReplayPosition& since);
    /// Another tape for a while, of one worker; the first goes on where it was.
    void insert(const Playlist& playlist);
    void take_out();
    /// Plays `packets`; what of them left.
    uint64_t play(uint64_t packets);
    /// One turn of all workers.
    void turn();
    /// And of a loop that only receives and transmits.
    void turn_io();
    /// Opens all connections of the tape there is: SYN, SYN-ACK, ACK of each.
    void open_all();

  private:
    template <typename Turn>
    double windows(double seconds, Turn turn);
    void verify(const char* who, bool drops);
    uint64_t total(uint64_t TapeHead::Seen::*what);
    std::unique_ptr<Tape> tape_, other_;
    ReplayPosition position_;
    std::unique_ptr<Box> box_;
    std::unique_ptr<Testpmd> testpmd_;
    Playlist playlist_;
    Check check_;
    uint64_t checked_ = 0;
    cpu_set_t cpus_before_;
};

/// A lap of so many packets, but not more than a few seconds' worth.
uint64_t lap_of(const Playlist& playlist);

}  // namespace ravelin::perf
