// SPDX-License-Identifier: Apache-2.0
// Box: the real appliance with one worker and no thread. Whoever measures turns the worker by hand,
// so that nothing but the worker's own work lies between two readings of the TSC. Its ports are
// rings in this process, or the ports of perf/replay, which make and check what passes themselves.
#pragma once
#include <rte_mbuf.h>
#include <rte_ring.h>

#include <array>
#include <memory>
#include <string>

#include "dataplane/process/appliance.h"

namespace ravelin::perf {

/// How the two ports of every measurement are called, and their numbers.
inline constexpr std::array<const char*, 2> kPortNames{"lan", "wan"};
inline constexpr PortId kLan = 0, kWan = 1;

/// Starts DPDK, once; before that the TSC's frequency is unknown. Every Box sees to it.
void start_environment();

class Box {
  public:
    static constexpr unsigned kRing = 1024;  ///< slots of a port, as a NIC has descriptors

    /// kDeepRings: what leaves may be taken late, by another thread that is kept from it.
    enum class Wires : uint8_t { kRings, kDeepRings, kReplay };
    static constexpr unsigned kDeepRing = 16 * kRing;
    /// Boots a configuration with ports lan and wan on net_ring_lan and net_ring_wan, or net_null_
    /// where replay ports are already there; ends the process with the error of one refused. One
    /// box at a time. What sends and receives here is for rings.
    explicit Box(const std::string& yaml, Clock clock = &Now::read);
    Box(const config::Node& config, Clock clock, Wires wires,
        Account::Clock cycles = &Account::tsc);
    ~Box();
    Box(const Box&) = delete;
    Box& operator=(const Box&) = delete;

    /// A new generation under the worker's feet; the one before the last is gone then.
    void apply(const std::string& yaml);
    /// Back to the generation before, as it was: what it judged and keeps counts still. Both stay.
    void swap();
    /// The next generation of it, which any thread may build while the worker turns.
    [[nodiscard]] std::unique_ptr<PolicySnapshot> build(
        std::shared_ptr<const config::Node> config) const;
    /// The worker's next turn is under it. The one before the last is freed.
    void publish(std::unique_ptr<PolicySnapshot> policy);
    Worker& worker() { return *appliance_->workers().front(); }
    Appliance& appliance() { return *appliance_; }
    [[nodiscard]] uint16_t device(PortId port) const { return appliance_->ports()[port]->device(); }
    [[nodiscard]] rte_mempool* pool() { return worker().context().pool; }
    [[nodiscard]] MacAddress mac(PortId port) const { return appliance_->port_facts().macs[port]; }

    /// Buffers for frames; ends the process if the pool is empty.
    void take_buffers(rte_mbuf** frames, unsigned n);
    /// Puts frames on the wire towards `port`; how many found room.
    unsigned send(PortId port, rte_mbuf* const* frames, unsigned n);
    /// Whether the ports tell how full their rings are, as a NIC's driver does (Intake).
    void tell_depths(bool yes);
    [[nodiscard]] bool waiting() const;  ///< frames that the worker has not taken yet
    /// Turns until it has taken them all; TSC cycles spent.
    uint64_t run();
    /// What left by `port`, at most `n`. The caller frees it.
    unsigned receive(PortId port, rte_mbuf** frames, unsigned n);
    /// Frees what left by either port; how many.
    unsigned drain();
    /// Receive and transmit calls alone, and what a NIC's driver writes into each buffer: TSC
    /// cycles.
    uint64_t run_ports_alone();

    /// Sum of all drops.
    [[nodiscard]] uint64_t dropped();
    /// Names and numbers of the drops that happened, for messages.
    [[nodiscard]] std::string drops();

  private:
    struct Wire {
        rte_ring *into = nullptr, *out = nullptr;
    };
    void make_wires(unsigned out);
    void put_in_force();
    std::array<Wire, 2> wires_;
    std::unique_ptr<PolicySnapshot> current_, previous_;
    uint64_t generation_ = 0;
    std::unique_ptr<Appliance> appliance_;
};

/// The YAML of a box; ends the process with the error if it is wrong.
config::Node load(const std::string& yaml);

/// What the router of most figures is made of.
struct RouterOptions {
    uint32_t flows = 65536;
    std::string rules = "{name: out, action: accept, in: lan}";  ///< of the firewall, by commas
    std::string firewall = "";                                   ///< other members of it
    bool sections = false;    ///< a probe after each stage (probe_stages.h)
    bool filters = true;      ///< has a firewall
    std::string routes = "";  ///< beside those below, by commas
    Box::Wires wires = Box::Wires::kRings;
    unsigned workers = 1;
    /// lan and wan are sub-interfaces of a port each, with the tags of TapeHead::vlans.
    bool tagged = false;
};
/// MACs of lan and wan on replay ports, which have none of their own.
inline constexpr std::array<MacAddress, 2> kReplayMacs{MacAddress{{2, 0, 0, 0, 0, 1}},
                                                       MacAddress{{2, 0, 0, 0, 0, 2}}};
/// lan 10.0.0.1/24 and fd00:1::1/64, wan 192.0.2.1/24 and fd00:2::1/64. 10/8 and fd01::/16 lie
/// behind lan, the rest behind wan; the gateways' MACs are fixed.
std::string router(const RouterOptions& options);

/// MACs of the gateways on lan and wan.
inline constexpr std::array<MacAddress, 2> kGatewayMacs{MacAddress{{2, 0, 0, 0, 1, 1}},
                                                        MacAddress{{2, 0, 0, 0, 1, 2}}};

[[noreturn]] void give_up(const std::string& message);

}  // namespace ravelin::perf
