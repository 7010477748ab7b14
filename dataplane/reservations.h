// SPDX-License-Identifier: Apache-2.0
// The reservations of a configuration, and those made while it runs: which principal's packets have
// had what cycles, and leave which port, by when. Whether all can be kept is decided by
// controlplane/compile/promises.h; a PacedLink and each worker's Invocations keep them.
#pragma once
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "dataplane/any_worker.h"
#include "dataplane/config/node.h"
#include "dataplane/result.h"
#include "dataplane/sched/deadline_servers.h"
#include "dataplane/verdict.h"

namespace ravelin {

/// What is reserved of one port. Packets leave by any of those of a reservation, all of them by one
/// if they like: each keeps the whole rate.
struct ReservedLink {
    PortId port = kNoPort;     ///< with the rate: the one named, or what it stands on
    sched::Contract contract;  ///< wire bytes a packet; no work: it shares another's
    uint64_t frame_bytes = 0;  ///< of a packet, as queues count them
    std::string shared_with;   ///< principal whose bytes of this port it shares
    // Of one that shares: found by ReservationReader::resolve.
    std::string referent, payer;  ///< as of cycles
};

/// One of the functions that packets go through, each run on what the one before left of the same
/// cycles.
struct ReservedRun {
    std::string function;
    uint64_t cycles = 0;  ///< a packet's, as reserved; 0: only those of all together are said
};

/// What each run costs a worker beside the function's own cycles: its turn, two readings of the
/// clock, and the way of a packet through the rest of the pipeline. An estimate, not measured.
inline constexpr uint64_t kAroundRun = 3'000;

/// Functions behind each other on one worker: one claim of its cycles, with a part of the deadline
/// that is counted from when a packet comes there.
struct ReservedPart {
    WorkerId worker = kAnyWorker;  ///< kAnyWorker: any, and each keeps all of it
    size_t runs = 0;
    sched::Contract contract;  ///< cycles of its functions; no work: they are another's

    /// Cycles that its runs cost the worker beside.
    [[nodiscard]] uint64_t around() const { return runs * kAroundRun; }
};

struct Reservation {
    std::string name, principal;
    std::vector<ReservedLink> links;  ///< as `out` names them; none: cycles alone
    std::vector<ReservedRun> runs;    ///< of cycles of its own, in the order of packets
    std::vector<ReservedPart> parts;  ///< the same by worker, in that order; at least one
    sched::Contract cycles;           ///< of all parts together; no work: none
    std::string shared_with;          ///< principal whose cycles it shares in place of its own
    // Of one that shares: found by ReservationReader::resolve.
    std::string referent;      ///< the reservation of `shared_with`
    std::string payer;         ///< principal at the end of the chain, who has reserved the cycles
    uint64_t deadline_ns = 0;  ///< of cycles and any of the ports together
    uint64_t bytes = 0;        ///< of a packet's IP
    std::string relaxation;    ///< the criterion by which admission splits the deadline
    std::string place;         ///< as errors call it: "reservations[2]", "live reservation calls"

    /// Cycles of its own, or shared ones.
    [[nodiscard]] bool has_cycles() const { return cycles.work != 0 || !shared_with.empty(); }
    /// Reservations that it refers to, of cycles and of ports; some may be alike.
    [[nodiscard]] std::vector<std::string> referents() const;
};

/// Cycles a packet of `cpu: 600cyc/pkt`. Error: "cpu: found ..., expected ...".
Result<uint64_t> cycles_of(const std::string& text);
/// The principal of `cpu: shared-with org/transcoder`; empty: it says something else.
std::string shared_with_of(const std::string& cpu);
/// Whether nothing above `principal`, nor itself, has a cap on `what`. Error: "OF: found for ...".
Status check_uncapped(const config::Node& principals, const std::string& principal,
                      const std::string& of, const std::string& what);

/// Reads `cpu` into `to`, whose principal is known: cycles of its own or whose it shares. Of its
/// own the functions take no more, and those of all others no longer than can be reckoned with.
/// Error: "cpu: ...".
Status read_cycles(const config::Node& cpu, const config::Node& config, Reservation& to);
/// Whether the functions of `principal` can run on what was reserved as `parts` for another's.
/// Error: "cpu: ...".
Status check_shared(const config::Node& config, const std::string& principal,
                    const std::vector<ReservedPart>& parts);
/// How cycles of several workers have a deadline, one for each part, ns; no such split: evenly.
void split_cycles(const config::Node& parts, uint64_t deadline_ns, Reservation& to);

/// What stands in `list`, in either form: before there could be several it was a text.
std::vector<std::string> texts_of(const config::Node& list);

/// How errors call one that was made while it runs: "live reservation NAME".
std::string place_of_live(const config::Node& node);

/// Reads them one by one. No two may have the same name, nor the same principal at a port or of
/// cycles.
class ReservationReader {
  public:
    /// `config` outlives it.
    explicit ReservationReader(const config::Node& config) : config_(&config) {}
    /// `place`: as errors call it.
    /// One that shares cycles is to be resolved when those it may refer to were read.
    Result<Reservation> read(const config::Node& node, const std::string& place);
    /// Whose cycles and bytes it shares, all the way. Errors: nobody reserved them; the chain has
    /// no end, and which; its packets take more than was reserved.
    Status resolve(Reservation& one) const;
    /// It may be read again.
    void forget(const Reservation& reservation);

  private:
    /// What a principal has of a port or, at kNoPort, of the processor.
    struct Held {
        std::string reservation, shared_with;
        uint64_t frame_bytes = 0;
        std::vector<ReservedPart> parts = {};  ///< of cycles
        std::string cycles;  ///< principal whose cycles packets of it have; empty: none
    };
    /// Where references lead.
    struct End {
        std::string referent, payer;
        const Held* held = nullptr;
    };
    static std::map<PortId, Held> places_of(const Reservation& one);
    Status take(const Reservation& one);
    Result<End> follow(const std::string& from, const std::string& with, PortId place) const;
    [[nodiscard]] std::string paid_by(std::string cycles) const;
    Status resolve_cycles(Reservation& one) const;
    Status resolve_link(const Reservation& one, ReservedLink& link) const;
    const config::Node* config_;
    std::set<std::string> names_;
    std::map<std::pair<std::string, PortId>, Held> held_;  // by principal
};

/// Those of a configuration in their order, resolved, then those of `live`, a list of the same form
/// or nothing. Errors: "reservations[2]: out: found ..., expected ...".
Result<std::vector<Reservation>> read_reservations(const config::Node& config,
                                                   const config::Node& live = {});

}  // namespace ravelin
