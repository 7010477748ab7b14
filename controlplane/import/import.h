// SPDX-License-Identifier: Apache-2.0
// `ravelin import`: rule sets of others as a Ravelin configuration, never more open than the
// source, with a remark on all that could not be said.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "controlplane/import/iptables.h"

namespace ravelin::import {

struct Source {
    std::string name, text;
    bool v6 = false;
};

struct Imported {
    std::string yaml;
    std::vector<Remark> remarks;
    size_t rules = 0;
    [[nodiscard]] size_t lost() const;  ///< remarks on what is left out or said otherwise
};

/// iptables-save and ip6tables-save files, one of each family at most. A family without a file is
/// denied. Error: FILE:LINE:COLUMN, what was found and expected.
Result<Imported> import_iptables(const std::vector<Source>& sources);

}  // namespace ravelin::import
