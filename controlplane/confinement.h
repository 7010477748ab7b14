// SPDX-License-Identifier: Apache-2.0
// What a control plane that has started still needs: its two directories, the files that
// configurations name, its sockets. It starts the data plane through Launcher, which was there
// before.
#pragma once
#include <string>
#include <vector>

#include "dataplane/config/node.h"
#include "dataplane/result.h"
#include "dataplane/sandbox/sandbox.h"

namespace ravelin::control {

struct Territory {
    std::vector<std::string> writable;  ///< state and run directory, --writable, the rule log's
    std::vector<std::string> readable;  ///< the configuration's directory, /etc/ravelin, --readable
};

/// The directory a file is in; "." of a bare name.
std::string directory_of(const std::string& file);

sandbox::Plan confinement(const Territory& territory);
/// Whether `control`, the section of a configuration, asks for what confinement() has taken away: a
/// rule log elsewhere, one of the system's ports for metrics other than `bound`, which is open. The
/// error names the member and the way out.
Status permits(const Territory& territory, const config::Node& control, const std::string& bound);

}  // namespace ravelin::control
