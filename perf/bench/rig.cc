// SPDX-License-Identifier: Apache-2.0
#include "perf/bench/rig.h"

#include <fmt/format.h>
#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <thread>
#include <utility>

#include "dataplane/rss.h"

namespace ravelin::perf {
namespace {

constexpr uint32_t kLeastWindows = 16;
constexpr uint16_t kCheckSequence = 4;

// Each queue's flows together, in the order they had: as NICs spread them, dataplane/rss.h.
void spread(Tape& tape, unsigned queues) {
    constexpr uint32_t kEntries = 128;  // of net_null's redirection table
    const auto queue_of = [&](const Descriptor& f) {
        return rss::toeplitz(IpAddress::v4(f.source.host()), IpAddress::v4(f.destination.host()),
                             f.source_port.host(), f.destination_port.host()) %
               kEntries % queues;
    };
    TapeHead& head = tape.head();
    head.queues = queues;
    auto begin = tape.flows().begin();
    for (unsigned q = 0; q + 1 < queues; ++q) {
        begin = std::stable_partition(begin, tape.flows().end(),
                                      [&](const Descriptor& f) { return queue_of(f) == q; });
        head.first[q + 1] = static_cast<uint32_t>(begin - tape.flows().begin());
    }
    head.first[queues] = static_cast<uint32_t>(head.count);
}

std::string next_path() {
    static unsigned number = 0;
    return fmt::format("/dev/shm/ravelin-tape-{}.{}", getpid(), number++);
}

cpu_set_t allowed() {
    cpu_set_t set;
    sched_getaffinity(0, sizeof set, &set);
    return set;
}

void pin() {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(measuring_cpu(), &set);
    sched_setaffinity(0, sizeof set, &set);
}

}  // namespace

std::string hex(std::span<const uint8_t> bytes) {
    std::string text;
    for (const uint8_t b : bytes) text += fmt::format("{:02x}", b);
    return text;
}

Tape record(const Playlist& playlist, const std::string& path) {
    Tape tape = Tape::create(path, playlist.flows);
    TapeHead& head = tape.head();
    head.layout = playlist.layout;
    head.translated = playlist.translated;
    for (size_t i = 0; i < playlist.sizes.size() && i < TapeHead::kSizes; ++i)
        head.sizes[i] = static_cast<uint16_t>(frame_bytes(playlist, i) - kCheckSequence);
    head.macs = kReplayMacs;
    head.gateways = kGatewayMacs;
    head.program = playlist.program;
    playlist.write(tape.flows());
    if (playlist.workers > 1) spread(tape, playlist.workers);
    for (size_t i = 0; i < tape.flows().size(); ++i) {
        Descriptor& flow = tape.flows()[i];
        flow.size = static_cast<uint8_t>(i % playlist.sizes.size());
        flow.checksum = checksum_of(flow, head.sizes[flow.size], head.layout);
    }
    return tape;
}

uint32_t frame_bytes(const Playlist& playlist, size_t i) {
    const uint32_t tag = playlist.layout.tagged ? sizeof(net::VlanTag) : 0;
    return std::max(Offsets::of(playlist.layout).least_frame() + kCheckSequence,
                    playlist.sizes[i] + tag);
}

std::vector<uint16_t> imix() { return {64, 570, 64, 64, 570, 64, 1518, 64, 570, 64, 570, 64}; }

int measuring_cpu() {
    static const int last = [] {
        cpu_set_t set;
        sched_getaffinity(0, sizeof set, &set);
        int cpu = CPU_SETSIZE - 1;
        while (cpu > 0 && !CPU_ISSET(cpu, &set)) --cpu;
        return cpu;
    }();
    return last;
}

uint64_t lap_of(const Playlist& playlist) { return std::min<uint64_t>(playlist.flows, 1 << 24); }

Rig::Rig(const Playlist& playlist, const config::Node& config, Check check, Clock clock)
    : tape_(std::make_unique<Tape>(record(playlist, next_path()))),
      playlist_(playlist),
      check_(check),
      cpus_before_(allowed()) {
    start_environment();
    pin();
    make_replay_ports(*tape_);
    box_ = std::make_unique<Box>(config, clock, Box::Wires::kReplay);
    if (playlist.open) open_all();
}

Rig::~Rig() {
    testpmd_.reset();
    box_.reset();
    remove_replay_ports();
    std::error_code ignored;
    std::filesystem::remove(tape_->path(), ignored);
    sched_setaffinity(0, sizeof cpus_before_, &cpus_before_);
}

// Windows are what the port saw; the wall clock only says when there are enough.
template <typename Turn>
double Rig::windows(double seconds, Turn turn) {
    using Clock = std::chrono::steady_clock;
    forget_replay();
    const auto end = Clock::now() + std::chrono::duration<double>(seconds);
    do
        for (int i = 0; i < 256; ++i) turn();
    while (Clock::now() < end || seen().windows < kLeastWindows);
    const uint32_t n = std::min(seen().windows, TapeHead::kWindows);
    std::vector<double> cycles(seen().cycles.begin(), seen().cycles.begin() + n);
    return median_of(std::move(cycles)) / 256;
}

double Rig::measure(double seconds, bool drops) {
    head().check = check_;
    bool first = true;  // behind something else
    const double cycles = windows(seconds, [&] {
        if (std::exchange(first, false)) return turn();
        for (const auto& worker : box_->appliance().workers()) worker->next_turn();
    });
    verify("box", drops);
    checked_ = seen().checked;
    return cycles;
}

double Rig::measure_io(double seconds) {
    const ReplayPosition before = replay_position();
    head().check = Check::kSame;
    const double cycles = windows(seconds, [this] { turn_io(); });
    verify("io", false);
    leave_out(before);
    return cycles;
}

// Of packets that go one way none depends on another: the tape goes on, or what is played next
// would be in caches.
void Rig::leave_out(const ReplayPosition& since) {
    if (head().program != Program::kOneWay) return_to(since);
}

double Rig::measure_testpmd(double seconds) {
    if (!Testpmd::installed()) return 0;
    head().check = Check::kSame;
    forget_replay();
    if (!testpmd_) testpmd_ = std::make_unique<Testpmd>(*tape_);
    testpmd_->play(seconds, kLeastWindows);
    verify("testpmd", false);
    return median_of({seen().cycles.begin(), seen().cycles.begin() + seen().windows}) / 256;
}

void Rig::verify(const char* who, bool drops) {
    const TapeHead::Seen& s = seen();
    if (s.wrong != 0)
        give_up(
            fmt::format("{}: {} of {} frames looked at are wrong, the first:\n  expected {}\n"
                        "  found    {} ({} bytes)",
                        who, s.wrong, s.checked, hex(s.expected), hex(s.found), s.wrong_length));
    // Frames on their way when counting began and ended.
    constexpr uint64_t kUnderWay = 4096;
    if (!drops && s.sent + kUnderWay < s.received)
        give_up(
            fmt::format("{}: {} of {} packets left; {}", who, s.sent, s.received, box_->drops()));
}

void Rig::turn() {
    for (const auto& worker : box_->appliance().workers()) worker->turn();
}

void Rig::turn_io() {
    for (const PortId port : {kLan, kWan}) {
        rte_mbuf* frames[limits::kArrivals];
        const uint16_t n = rte_eth_rx_burst(replay_device(port), 0, frames, limits::kArrivals);
        if (n != 0) rte_eth_tx_burst(replay_device(1 - port), 0, frames, n);
    }
}

uint64_t Rig::total(uint64_t TapeHead::Seen::*what) {
    uint64_t sum = 0;
    for (unsigned q = 0; q < head().queues; ++q) sum += head().seen[q].*what;
    return sum;
}

uint64_t Rig::play(uint64_t packets) {
    forget_replay();
    while (total(&TapeHead::Seen::received) < packets) turn();
    if (head().queues > 1) turn();  // what was handed over
    return total(&TapeHead::Seen::sent);
}

std::vector<double> Rig::measure_workers(double seconds) {
    forget_replay();
    head().check = check_;
    sched_setaffinity(0, sizeof cpus_before_, &cpus_before_);
    for (const auto& worker : box_->appliance().workers()) worker->start();
    std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
    for (const auto& worker : box_->appliance().workers()) worker->stop();
    pin();
    std::vector<double> out;
    for (unsigned q = 0; q < head().queues; ++q) {
        const TapeHead::Seen& s = head().seen[q];
        const uint32_t n = std::min(s.windows, TapeHead::kWindows);
        if (n == 0 || s.wrong != 0)
            give_up(fmt::format("worker {}: {} windows, {} wrong frames", q, n, s.wrong));
        out.push_back(median_of({s.cycles.begin(), s.cycles.begin() + n}) / 256);
    }
    return out;
}

void Rig::insert(const Playlist& playlist) {
    position_ = replay_position();
    other_ = std::make_unique<Tape>(record(playlist, next_path()));
    load_replay(*other_);
}

void Rig::take_out() {
    std::error_code ignored;
    std::filesystem::remove(other_->path(), ignored);
    other_.reset();
    load_replay(*tape_);
    return_to(position_);
}

void Rig::open_all() {
    TapeHead& tape = head();
    const Program then = tape.program;
    tape.program = Program::kSteps;
    tape.step_from = 0;
    tape.step_to = kHandshake;
    tape.laps = 1;
    rewind_replay();
    const uint64_t packets = tape.count * kHandshake;
    if (const uint64_t sent = play(packets); sent < packets)
        give_up(
            fmt::format("{} of {} packets of handshakes left; {}", sent, packets, box_->drops()));
    tape.program = then;
    tape.laps = 0;
    rewind_replay();
}

void Rig::apply(const std::string& yaml) {
    box_->apply(yaml);
    play(lap_of(playlist_));
}

// Ways that the shortcut takes are each side's own, and sides take turns from lap to lap. Without
// connections nothing but caches have to fill again.
void Rig::swap() {
    constexpr uint64_t kWarm = 1 << 20;
    box_->swap();
    play(playlist_.open ? 2 * lap_of(playlist_) : std::min(kWarm, lap_of(playlist_)));
}

}  // namespace ravelin::perf
