// SPDX-License-Identifier: Apache-2.0
// What is asked for and what is granted (requirements S33 to S53).
#pragma once
#include <string>
#include <variant>
#include <vector>

#include "controlplane/admission/choice.h"

namespace ravelin::admission {

using ResourceId = uint32_t;  ///< dense, in the order of add_resource

/// What a request wants of one resource: work of its own (absolute), or to share what another
/// principal reserved there (symbolic, S46). Sharing is per resource (S49).
struct Claim {
    ResourceId resource = 0;
    Work work = 0;                 ///< units a packet
    std::string shared_with = {};  ///< principal; empty: absolute
};

/// One contract of one principal, claims in the order in which a packet meets the resources. The
/// deadline is of the packet, from its arrival to the end of its last claim; the split is found.
/// A packet that comes before its rate allows has its deadline from when the rate allows it.
struct Request {
    std::string principal;
    Nanoseconds period = 0;    ///< between packets: one over the rate, rounded down
    Nanoseconds deadline = 0;  ///< may be longer than the period
    uint32_t burst = 1;        ///< packets that may come at once
    std::vector<Claim> claims = {};
    Relaxation relaxation = {};  ///< of what its deadline leaves; empty: as Rules have it
};

/// Rate (packets/s, > 0) to period, against the applicant.
constexpr Nanoseconds period_of(uint64_t packets_per_second) {
    return kSecond / static_cast<Nanoseconds>(packets_per_second);
}

/// What one claim was granted. Packets are due there, from their arrival, after the sum of the
/// times up to here: that is the deadline for which the schedulers order them.
struct Hold {
    ResourceId resource = 0;
    Nanoseconds time = 0;  ///< its part of the deadline; of a shared claim the referent's
    bool shared = false;
};

struct Reservation {
    Request request;
    std::vector<Hold> holds;  ///< in the order of the claims; empty while suspended
    Test by = Test::kPaper;   ///< that admitted it
    bool suspended = false;   ///< the referent was withdrawn: nothing is reserved
};

struct Refusal {
    enum class Kind : uint8_t {
        kInvalid,    ///< wrong in itself
        kReference,  ///< what it refers to is not there, suspended, or refers back
        kRate,       ///< a resource has not the units/s, whatever the deadline
        kTime,       ///< the deadline is too short
        kUndecided,  ///< it could not be shown within the effort of one decision
    };
    Kind kind = Kind::kInvalid;
    std::string text;    ///< one line: what binds, what was found, what was expected
    size_t binding = 0;  ///< of kRate, kTime, kUndecided: the claim that needs the most
};

/// A refusal, or the reservation as it stands now.
using Decision = std::variant<Reservation, Refusal>;
inline bool granted(const Decision& decision) { return decision.index() == 0; }

}  // namespace ravelin::admission
