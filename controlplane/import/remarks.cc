// SPDX-License-Identifier: Apache-2.0
#include "controlplane/import/remarks.h"

#include "controlplane/import/iptables.h"

namespace ravelin::import {

void Remarks::on(const Line& line, const std::string& why, bool lost) {
    add(line.number, line.text, why, lost);
}

void Remarks::on(const std::string& what, const std::string& why, bool lost) {
    add(0, what, why, lost);
}

void Remarks::add(int line, const std::string& text, const std::string& why, bool lost) {
    const std::string place = line == 0 ? text : std::to_string(line);
    if (said_.emplace(place, why).second) all_.push_back({file_, line, text, why, lost});
}

}  // namespace ravelin::import
