// SPDX-License-Identifier: Apache-2.0
// TapMirror: what the kernel knows of a port is what the policy says: MTU, addresses, that it is
// up. The data plane makes the TAP with the port's MAC and tells its link state; the rest is done
// here by netlink. Where the port's device is an interface of the kernel as well (af_packet,
// af_xdp), that is told to take nothing for the box: it would pass the firewall by. Addresses of a
// TAP that are not the port's are taken away; the kernel's own link-local one stays, it is the
// port's too.
#pragma once
#include <string>
#include <vector>

#include "controlplane/kernel/tap_keeper.h"
#include "dataplane/address.h"
#include "dataplane/config/node.h"

struct nl_sock;

namespace ravelin::control {

struct TapPort {
    std::string port, tap;
    std::string interface;  ///< the kernel's own name of the port's device, if it has one
    uint32_t mtu = 0;
    std::vector<Prefix> addresses;
};
/// The ports of a configuration that have a TAP, in order. PortId = index of the port in `ports`.
std::vector<TapPort> taps_of(const config::Node& tree);

class TapMirror {
  public:
    TapMirror() = default;
    ~TapMirror();
    TapMirror(const TapMirror&) = delete;
    TapMirror& operator=(const TapMirror&) = delete;

    /// Makes the kernel agree; all of them are tried. Error: the first thing that failed, such as a
    /// TAP that is not there yet. Needs CAP_NET_ADMIN.
    Status sync(const std::vector<TapPort>& ports);
    /// The appliance ends for good: its TAPs go with the data plane.
    void release() { keeper_.release(); }

  private:
    Status connect();
    Status sync_one(const TapPort& port);
    Status sync_addresses(const TapPort& port, int index);
    nl_sock* socket_ = nullptr;
    TapKeeper keeper_;
};

}  // namespace ravelin::control
