// SPDX-License-Identifier: Apache-2.0
// What a change may not cut: the paths of `management:` and the session of who asks. The data plane
// tries them against the new policy before that comes into force (model::Path).
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control.pb.h"
#include "dataplane/config/node.h"
#include "dataplane/result.h"

namespace ravelin::control {

struct Guard {
    bool force = false;  ///< cut what you like
    std::optional<model::Path>
        session;  ///< nothing: not asked for through the box, as far as known
};

/// The path of an SSH session, from what sshd leaves in SSH_CONNECTION: "CLIENT PORT SERVER PORT".
/// Error: what was expected.
Result<model::Path> session_path(std::string_view ssh_connection);

/// All paths to keep when `next` follows `in_force` (either may be null). Those of `management:`
/// are next's; where it has none, those in force, so that leaving the section out cuts nothing
/// unseen.
std::vector<model::Path> kept_paths(const Guard& guard, const config::Node& next,
                                    const config::Node& in_force);

}  // namespace ravelin::control
