// SPDX-License-Identifier: Apache-2.0
#include "controlplane/metrics/other_principals.h"

namespace ravelin::metrics {

void OtherPrincipals::count(std::vector<PrincipalState>& all) {
    if (all.empty() || all.back().name != "others") return before_.clear();
    PrincipalState& now = all.back();
    std::vector<std::string> named;
    for (const PrincipalState& one : all) named.push_back(one.name);
    const bool same = named == before_;
    const auto add = [&](auto PrincipalState::*what) {
        if (!any_)
            told_.*what = now.*what;
        else if (same && now.*what > seen_.*what)
            told_.*what += now.*what - seen_.*what;
    };
    add(&PrincipalState::packets);
    add(&PrincipalState::bytes);
    add(&PrincipalState::drops);
    add(&PrincipalState::seconds);
    any_ = true;
    seen_ = now;
    before_ = std::move(named);
    told_.name = now.name;
    told_.flows = now.flows;
    now = told_;
}

}  // namespace ravelin::metrics
