// SPDX-License-Identifier: Apache-2.0
// Port: one network device, opened, configured and started through DPDK's ethdev.
#pragma once
#include <rte_mempool.h>

#include <memory>
#include <optional>
#include <span>
#include <string>

#include "dataplane/address.h"
#include "dataplane/result.h"
#include "dataplane/verdict.h"

namespace ravelin {

/// How to open a device.
struct PortConfig {
    std::string name;
    std::string device;   ///< af_packet:IFACE, ... as in pipelines/model/schema.h, or a DPDK name
    uint32_t mtu = 1500;  ///< bytes of L3
    std::optional<MacAddress> mac;
    unsigned queues = 1;  ///< wanted; the device may have fewer
    /// kAuto: symmetric RSS where the driver has it; kOff: never; kDevice: the device is set up for
    /// it already (dataplane/rss.h), though its driver cannot tell.
    enum class Rss : uint8_t { kAuto, kOff, kDevice } rss = Rss::kAuto;
    bool promiscuous = false;  ///< wire mode takes frames for any MAC
};

class Port {
  public:
    /// Probes and configures the device; receive queue q takes buffers of pools[q % pools.size()].
    /// The error says what the device string named and what is likely wrong.
    static Result<std::unique_ptr<Port>> open(const PortConfig& config, PortId id,
                                              std::span<rte_mempool* const> pools);
    /// Takes a device that exists already, such as a ring of a test.
    static Result<std::unique_ptr<Port>> adopt(const PortConfig& config, uint16_t device,
                                               std::span<rte_mempool* const> pools);
    ~Port();
    Port(const Port&) = delete;
    Port& operator=(const Port&) = delete;

    [[nodiscard]] const PortConfig& config() const { return config_; }
    [[nodiscard]] uint16_t device() const { return device_; }
    [[nodiscard]] uint16_t rx_queues() const { return rx_queues_; }
    [[nodiscard]] uint16_t tx_queues() const { return tx_queues_; }
    /// Descriptors of each receive queue: what was asked for, as far as the device has them.
    [[nodiscard]] uint16_t rx_slots() const { return rx_slots_; }
    /// Entries of the redirection table by which the device spreads flows over its queues with
    /// both directions on the same one; 0: it does not.
    [[nodiscard]] uint16_t rss_entries() const { return rss_entries_; }
    /// Sends frames that lie in several buffers.
    [[nodiscard]] bool takes_segments() const { return takes_segments_; }
    /// The kernel's interface, behind a packet socket: it does not tell how full its ring is.
    [[nodiscard]] bool is_interface() const { return !interface_.empty(); }
    [[nodiscard]] MacAddress mac() const;
    [[nodiscard]] bool link_up() const;
    /// What the driver says the link carries, Mbit/s; 0: it does not know, or the kernel has it.
    [[nodiscard]] uint32_t link_mbps() const;

  private:
    Port(const PortConfig& config, uint16_t device) : config_(config), device_(device) {}
    Status configure(std::span<rte_mempool* const> pools);
    Status set_mtu(uint32_t admitted);
    Status set_up_queues(std::span<rte_mempool* const> pools);
    void accept_frames();
    void watch_interface();
    PortConfig config_;
    uint16_t device_;
    std::string interface_;  // the kernel's, behind a packet socket; empty: none
    int asking_ = -1;        // a socket to ask the kernel for its link
    uint16_t rx_queues_ = 1, tx_queues_ = 1, rx_slots_ = 0;
    uint16_t rss_entries_ = 0;
    bool takes_segments_ = false;
    bool created_ = false;  // by open(), not found
};

/// The PCI address in a device string, or empty: EAL wants to know them before it starts.
std::string pci_address_of(std::string_view device);
/// Bytes of data room a buffer needs for an IP packet of `mtu` bytes with tags.
uint32_t buffer_room(uint32_t mtu);

}  // namespace ravelin
