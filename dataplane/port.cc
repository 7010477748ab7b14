// SPDX-License-Identifier: Apache-2.0
#include "dataplane/port.h"

#include <fmt/format.h>
#include <net/if.h>
#include <rte_bus.h>
#include <rte_dev.h>
#include <rte_ethdev.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

#include "dataplane/rss.h"

namespace ravelin {
namespace {

constexpr uint16_t kDescriptors = 1024;
constexpr uint32_t kL2Overhead = RTE_ETHER_HDR_LEN + 2 * RTE_VLAN_HLEN + RTE_ETHER_CRC_LEN;

constexpr uint16_t kUsualRedirection = 128;  // entries, where a driver does not say

struct Vdev {
    std::string_view prefix, driver;
};
constexpr std::string_view kPacketSocket = "af_packet:";
constexpr std::array kVdevs{Vdev{kPacketSocket, "net_af_packet"}, Vdev{"af_xdp:", "net_af_xdp"},
                            Vdev{"tap:", "net_tap"}, Vdev{"memif:", "net_memif"},
                            Vdev{"pcap:", "net_pcap"}};

// Bytes of a packet socket's ring frame: the kernel's header (about 80) and the frame. The driver
// takes frames to lie without gaps, so that one longer than a page must be whole pages; and it
// wants buffers as long as they are.
uint32_t ring_frame(uint32_t mtu) {
    const uint32_t needed = mtu + kL2Overhead + 128;
    return needed <= 2048 ? 2048 : (needed + 4095) / 4096 * 4096;
}

std::string packet_socket_arguments(const std::string& interface, const PortConfig& config) {
    const uint32_t frame = ring_frame(config.mtu), block = std::max(frame, 4096u);
    return fmt::format("iface={},framesz={},blocksz={},framecnt={},qpairs={}", interface, frame,
                       block, frame > 2048 ? 1024 : 4096, config.queues);
}

/// DPDK's device name and arguments for a device string.
std::pair<std::string, std::string> dpdk_device(const PortConfig& config, PortId id) {
    const std::string& device = config.device;
    if (device == "null") return {fmt::format("net_null{}", id), "size=64"};
    for (const Vdev& v : kVdevs) {
        if (!device.starts_with(v.prefix)) continue;
        const std::string rest = device.substr(v.prefix.size());
        std::string name = fmt::format("{}{}", v.driver, id);
        if (v.driver == "net_af_packet") return {name, packet_socket_arguments(rest, config)};
        if (v.driver == "net_af_xdp" || v.driver == "net_tap") return {name, "iface=" + rest};
        return {name, rest};
    }
    const size_t comma = device.find(',');
    return {device.substr(0, comma), comma == std::string::npos ? "" : device.substr(comma + 1)};
}

bool is_pci(std::string_view device) {
    return device.size() >= 7 && device.substr(0, 12).find('.') != std::string_view::npos &&
           device.find_first_not_of("0123456789abcdefABCDEF:.") == std::string_view::npos;
}

/// The largest MTU that ethdev lets pass for this driver; more is an error on the console. Counted
/// as ethdev does: a driver that names no MTU adds Ethernet's header and checksum.
uint32_t admitted_mtu(const rte_eth_dev_info& info) {
    const bool named = info.max_mtu != UINT16_MAX && info.max_rx_pktlen > info.max_mtu;
    const uint32_t overhead =
        named ? info.max_rx_pktlen - info.max_mtu : RTE_ETHER_HDR_LEN + RTE_ETHER_CRC_LEN;
    const uint32_t longest = std::max(info.max_rx_pktlen, overhead) - overhead;
    return std::min<uint32_t>(longest, info.max_mtu);
}

/// net_af_packet admits to frames of 1518 bytes, yet carries whatever its ring frames hold. For
/// what is longer the interface is set here, as the driver does for what is not.
Status set_interface_mtu(const std::string& interface, uint32_t mtu) {
    ifreq request{};
    interface.copy(request.ifr_name, sizeof request.ifr_name - 1);
    const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const bool known = fd >= 0 && ioctl(fd, SIOCGIFMTU, &request) == 0;
    const bool right = known && request.ifr_mtu == static_cast<int>(mtu);
    request.ifr_mtu = static_cast<int>(mtu);
    const bool set = right || (known && ioctl(fd, SIOCSIFMTU, &request) == 0);
    const int error = errno;
    if (fd >= 0) close(fd);
    if (set) return ok_status();
    return Error{
        fmt::format("{} does not take an MTU of {} B: {}", interface, mtu, std::strerror(error))};
}

/// Asks for receive queues by symmetric hash; false: the device cannot.
bool spread_by_rss(const rte_eth_dev_info& info, std::span<uint8_t> key, rte_eth_conf& conf) {
    const uint64_t hash =
        info.flow_type_rss_offloads & (RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP);
    if (hash == 0 || info.hash_key_size > key.size()) return false;
    conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
    conf.rx_adv_conf.rss_conf = {
        .rss_key = key.data(),
        .rss_key_len = info.hash_key_size != 0 ? info.hash_key_size : uint8_t{40},
        .rss_hf = hash};
    return true;
}

/// Entry i of the redirection table to queue i modulo queues, which most drivers do unasked; one
/// that refuses is believed to.
void redirect(uint16_t device, uint16_t entries, uint16_t queues) {
    std::vector<rte_eth_rss_reta_entry64> table((entries + RTE_ETH_RETA_GROUP_SIZE - 1) /
                                                RTE_ETH_RETA_GROUP_SIZE);
    for (uint16_t i = 0; i < entries; ++i) {
        rte_eth_rss_reta_entry64& group = table[i / RTE_ETH_RETA_GROUP_SIZE];
        group.mask |= uint64_t{1} << (i % RTE_ETH_RETA_GROUP_SIZE);
        group.reta[i % RTE_ETH_RETA_GROUP_SIZE] = i % queues;
    }
    rte_eth_dev_rss_reta_update(device, table.data(), entries);
}

}  // namespace

std::string pci_address_of(std::string_view device) {
    const std::string_view head = device.substr(0, device.find(','));
    return is_pci(head) ? std::string(head) : std::string();
}

uint32_t buffer_room(uint32_t mtu) { return RTE_PKTMBUF_HEADROOM + ring_frame(mtu); }

Result<std::unique_ptr<Port>> Port::open(const PortConfig& config, PortId id,
                                         std::span<rte_mempool* const> pools) {
    uint16_t device = 0;
    const auto [name, arguments] = dpdk_device(config, id);
    // What EAL found on the PCI bus, or a test made from rings, is there already.
    const bool there = rte_eth_dev_get_port_by_name(name.c_str(), &device) == 0;
    if (!there && pci_address_of(config.device).empty() &&
        rte_eal_hotplug_add("vdev", name.c_str(), arguments.c_str()) != 0)
        return Error{
            fmt::format("port {}: '{}' could not be opened (is the interface there and up, "
                        "and has this process CAP_NET_RAW and CAP_NET_ADMIN?)",
                        config.name, config.device)};
    if (rte_eth_dev_get_port_by_name(name.c_str(), &device) != 0)
        return Error{fmt::format("port {}: no driver took '{}'", config.name, config.device)};
    auto port = adopt(config, device, pools);
    if (port)
        (*port)->created_ = !there;
    else if (!there)
        rte_eal_hotplug_remove("vdev", name.c_str());
    return port;
}

Result<std::unique_ptr<Port>> Port::adopt(const PortConfig& config, uint16_t device,
                                          std::span<rte_mempool* const> pools) {
    std::unique_ptr<Port> port(new Port(config, device));
    if (auto s = port->configure(pools); !s)
        return std::move(s.error()).within(fmt::format("port {}", config.name));
    return port;
}

Status Port::configure(std::span<rte_mempool* const> pools) {
    rte_eth_dev_info info{};
    if (rte_eth_dev_info_get(device_, &info) != 0) return Error{"the driver tells nothing"};
    const auto wanted = static_cast<uint16_t>(config_.queues);
    rx_queues_ = std::max<uint16_t>(1, std::min(wanted, info.max_rx_queues));
    tx_queues_ = std::max<uint16_t>(1, std::min(wanted, info.max_tx_queues));
    rte_eth_conf conf{};
    auto key = rss::kKey;  // the driver copies it while it configures
    const bool asked =
        config_.rss == PortConfig::Rss::kAuto && rx_queues_ > 1 && spread_by_rss(info, key, conf);
    if (asked || config_.rss == PortConfig::Rss::kDevice)
        rss_entries_ = info.reta_size != 0 ? info.reta_size : kUsualRedirection;
    conf.rxmode.mtu = std::min(config_.mtu, admitted_mtu(info));
    if (info.rx_offload_capa & RTE_ETH_RX_OFFLOAD_SCATTER)
        conf.rxmode.offloads |= RTE_ETH_RX_OFFLOAD_SCATTER;
    takes_segments_ = (info.tx_offload_capa & RTE_ETH_TX_OFFLOAD_MULTI_SEGS) != 0;
    if (takes_segments_) conf.txmode.offloads |= RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
    if (rte_eth_dev_configure(device_, rx_queues_, tx_queues_, &conf) != 0)
        return Error{fmt::format("cannot be configured with {} queues", rx_queues_)};
    if (auto s = set_up_queues(pools); !s) return s;
    if (auto s = set_mtu(admitted_mtu(info)); !s) return s;
    if (config_.mac) {
        rte_ether_addr mac;
        std::memcpy(mac.addr_bytes, config_.mac->bytes.data(), 6);
        // A device that cannot filter by another address can still take every frame; parse sorts.
        if (rte_eth_dev_default_mac_addr_set(device_, &mac) != 0) config_.promiscuous = true;
    }
    if (rte_eth_dev_start(device_) != 0) return Error{"does not start"};
    if (asked) {
        // Some drivers take the key only now, most took it with the configuration.
        rte_eth_dev_rss_hash_update(device_, &conf.rx_adv_conf.rss_conf);
        redirect(device_, rss_entries_, rx_queues_);
    }
    accept_frames();
    watch_interface();
    return ok_status();
}

Status Port::set_mtu(uint32_t admitted) {
    if (config_.mtu <= admitted)  // memif and rings know none
        rte_eth_dev_set_mtu(device_, static_cast<uint16_t>(config_.mtu));
    else if (config_.device.starts_with(kPacketSocket))
        return set_interface_mtu(config_.device.substr(kPacketSocket.size()), config_.mtu);
    return ok_status();
}

Status Port::set_up_queues(std::span<rte_mempool* const> pools) {
    uint16_t tx = kDescriptors;
    rx_slots_ = kDescriptors;
    rte_eth_dev_adjust_nb_rx_tx_desc(device_, &rx_slots_, &tx);
    const auto socket = static_cast<unsigned>(rte_eth_dev_socket_id(device_));
    for (uint16_t q = 0; q < rx_queues_; ++q)
        if (rte_eth_rx_queue_setup(device_, q, rx_slots_, socket, nullptr,
                                   pools[q % pools.size()]) != 0)
            return Error{fmt::format("receive queue {} cannot be set up", q)};
    for (uint16_t q = 0; q < tx_queues_; ++q)
        if (rte_eth_tx_queue_setup(device_, q, tx, socket, nullptr) != 0)
            return Error{fmt::format("transmit queue {} cannot be set up", q)};
    return ok_status();
}

void Port::accept_frames() {
    // Neighbour discovery needs groups. A driver that cannot do that alone takes everything, and
    // parse drops what is for others.
    if (config_.promiscuous || rte_eth_allmulticast_enable(device_) != 0)
        rte_eth_promiscuous_enable(device_);
}

void Port::watch_interface() {
    for (const std::string_view kind : {"af_packet:", "af_xdp:"})
        if (config_.device.starts_with(kind)) {
            const std::string rest = config_.device.substr(kind.size());
            interface_ = rest.substr(0, rest.find(','));
            asking_ = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        }
}

Port::~Port() {
    if (asking_ >= 0) close(asking_);
    rte_eth_dev_info info{};
    const bool known = rte_eth_dev_info_get(device_, &info) == 0;
    rte_eth_dev_stop(device_);
    rte_eth_dev_close(device_);
    // The bus would keep the name, and open() could not use it again.
    if (created_ && known) rte_dev_remove(info.device);
}

MacAddress Port::mac() const {
    rte_ether_addr address{};
    rte_eth_macaddr_get(device_, &address);
    MacAddress mac;
    std::memcpy(mac.bytes.data(), address.addr_bytes, 6);
    return config_.mac.value_or(mac);
}

bool Port::link_up() const {
    // net_af_packet and net_af_xdp say "up" whatever happens to the interface.
    if (asking_ >= 0) {
        ifreq request{};
        interface_.copy(request.ifr_name, IFNAMSIZ - 1);
        return ioctl(asking_, SIOCGIFFLAGS, &request) == 0 &&
               (request.ifr_flags & IFF_RUNNING) != 0;
    }
    rte_eth_link link{};
    return rte_eth_link_get_nowait(device_, &link) == 0 && link.link_status == RTE_ETH_LINK_UP;
}

uint32_t Port::link_mbps() const {
    rte_eth_link link{};
    if (asking_ >= 0 || rte_eth_link_get_nowait(device_, &link) != 0 ||
        link.link_status != RTE_ETH_LINK_UP || link.link_speed == RTE_ETH_SPEED_NUM_UNKNOWN)
        return 0;
    return link.link_speed;
}

}  // namespace ravelin
