// SPDX-License-Identifier: Apache-2.0
// Admission in an operator's words, and what is wrong with a request in itself.
#pragma once
#include "controlplane/admission/request.h"

namespace ravelin::admission {

/// "2.5 ms", exact.
std::string time_text(Nanoseconds time);

/// Empty: nothing. Beyond kLongestTime and kMostWork, works of 0, a resource twice, ...
std::string fault_of(const Request& request, const std::vector<Book>& books);

/// `claim`: of each part, its index in request.claims.
Refusal refusal_of(const Request& request, const std::vector<Part>& parts,
                   const std::vector<size_t>& claim, Nanoseconds time, const Choice& choice);

/// "; a deadline of 3 ms would fit; or one packet in 2 ms; ..." `binding`: the resource's name.
std::string nearest_text(const Nearest& nearest, const Request& request,
                         const std::string& binding);

}  // namespace ravelin::admission
