// SPDX-License-Identifier: Apache-2.0
// What the box answers to packets it does not let through: ICMP errors (RFC 792, RFC 4443) and TCP
// resets (RFC 9293). Used by rewrite, neighbour, local, and the firewall's reject. Off the usual
// path: one new frame of at most 1,280 bytes each.
#pragma once
#include <array>
#include <cstdint>

#include "dataplane/stage.h"
#include "pipelines/net/rate_limit.h"

namespace ravelin {

/// What to tell the sender; the codes of both families follow from it.
enum class IcmpError : uint8_t {
    kNetUnreachable,
    kHostUnreachable,
    kProtocolUnreachable,
    kPortUnreachable,
    kAdminProhibited,
    kTimeExceeded,
    kTooBig,
    kReassemblyTime,
};

/// Whether an error about this packet may be sent at all: RFC 1122 section 3.2.2, RFC 1812 section
/// 4.3.2.7, RFC 4443 section 2.4 (e). Never about ICMP errors and redirects, later fragments,
/// packets to groups or broadcast, from sources that are not one host, or from the box itself.
/// IPv6 kTooBig alone may answer a packet to a group.
bool icmp_error_allowed(const PacketMeta& meta, IcmpError error) noexcept;

/// The finished error frame, or null (no buffer, or no address to send it from). It quotes what
/// fits 576 bytes (RFC 1812 section 4.3.2.3) or 1,280 (RFC 4443 section 2.4). Router mode: from an
/// address of the receiving port. Wire mode: from the packet's destination, MACs swapped, tags
/// kept.
rte_mbuf* build_icmp_error(const Packet& packet, const PacketMeta& meta, IcmpError error,
                           uint32_t mtu, const WorkerContext& context) noexcept;

/// The reset a closed port would send (RFC 9293 section 3.10.7.1), or null: not TCP, a reset
/// itself, a fragment, a group address, no buffer.
rte_mbuf* build_tcp_reset(const Packet& packet, const PacketMeta& meta,
                          const WorkerContext& context) noexcept;

/// An address of the box for packets to `peer` out of `port`: one that shares its network, else
/// one of its scope on the port, else any of its family. False if the box has none.
bool source_address(const PolicySnapshot& policy, PortId port, const IpAddress& peer,
                    IpAddress& out) noexcept;

/// The link-local address that a port always has (RFC 4291 section 2.5.6, appendix A).
IpAddress link_local_of(const MacAddress& mac) noexcept;
/// Whether `address` is one of `port`'s own, its link-local one included if it speaks IPv6.
bool owns(const PortPolicy& port, const IpAddress& address) noexcept;

/// One stage instance's replies, paced: `rate` a second in all, and a tenth of it (10 to 100) for
/// each destination by hash, so that one flooding host does not use up everybody's.
class Replies {
  public:
    enum class Outcome : uint8_t { kSent, kForbidden, kLimited, kNoFrame };

    /// Emits an ICMP error about the packet as it came: address translation is undone in the frame,
    /// which is of no use afterwards. `mtu` for kTooBig. Does nothing in a dry run.
    Outcome icmp(const Packet& packet, const PacketMeta& meta, IcmpError error, uint32_t rate,
                 WorkerContext& context, uint32_t mtu = 0) noexcept;
    /// Emits a reset for a TCP segment.
    Outcome reset(const Packet& packet, const PacketMeta& meta, uint32_t rate,
                  WorkerContext& context) noexcept;

  private:
    bool paced(const IpAddress& to, uint32_t rate, const WorkerContext& context) noexcept;
    RateLimit total_;
    std::array<RateLimit, 256> each_;
};

}  // namespace ravelin
