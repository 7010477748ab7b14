// SPDX-License-Identifier: Apache-2.0
// The kernel's side of the oracle: a network namespace of this process' own in which Linux forwards
// between two TAP devices under an nftables ruleset. Writing a frame to a TAP runs the whole way
// through the kernel before write() returns (tun_get_user calls netif_receive_skb, and with no
// queueing discipline that waits, dev_queue_xmit ends in the other TAP's ring), so that what comes
// out can be read at once; marker() proves at the end of a case that nothing came late.
#pragma once
#include <string>
#include <vector>

#include "dataplane/result.h"
#include "tests/support/test_box.h"

namespace ravelin::oracle {

class KernelSide {
  public:
    /// Leaves the host's network namespace for good. Needs root.
    static Result<KernelSide> enter();
    ~KernelSide();
    KernelSide(KernelSide&& other) noexcept;
    KernelSide(const KernelSide&) = delete;
    KernelSide& operator=(const KernelSide&) = delete;
    KernelSide& operator=(KernelSide&&) = delete;

    /// Replaces the ruleset and forgets all connections. `loose`: nf_conntrack_tcp_loose.
    Status load(const std::string& nft, bool loose);
    /// The same with what iptables-save printed, by iptables-nft-restore.
    Status restore(const std::string& iptables);
    /// Packets that every hook of INPUT has let through since the last load or restore.
    Result<uint64_t> taken_in();
    /// A frame arrives on port 0 (lan) or 1 (wan); what left by either since the last call.
    std::vector<test::Sent> receive(unsigned port, const test::Bytes& frame);
    /// What is still under way; true if the marker came through behind it.
    bool marker(std::vector<test::Sent>& late);

  private:
    KernelSide() = default;
    void drain(std::vector<test::Sent>& out);
    Status forget_connections();
    int taps_[2] = {-1, -1};
    int netlink_ = -1;
};

}  // namespace ravelin::oracle
