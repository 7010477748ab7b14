// SPDX-License-Identifier: Apache-2.0
// The series `others`, of all principals beyond those that have one of their own: a counter, which
// may not fall, though principals leave it and come to it with what they have counted before.
#pragma once
#include <string>
#include <vector>

#include "controlplane/metrics/source.h"

namespace ravelin::metrics {

class OtherPrincipals {
  public:
    /// `all` as the data plane says, `others` last if there are any: its counters become what was
    /// counted while it was made of the same ones. Each time that the data plane was asked.
    void count(std::vector<PrincipalState>& all);

  private:
    std::vector<std::string> before_;  // who had a series of its own; empty: there was no `others`
    PrincipalState seen_, told_;
    bool any_ = false;
};

}  // namespace ravelin::metrics
