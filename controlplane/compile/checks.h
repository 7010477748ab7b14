// SPDX-License-Identifier: Apache-2.0
// What a schema cannot say: that parts of a configuration fit together.
#pragma once
#include <string>

#include "controlplane/config/positions.h"
#include "dataplane/config/node.h"
#include "dataplane/result.h"

namespace ravelin::control {

/// Ports, pipeline and the control plane's own section. What concerns one stage alone is left to
/// its compile(). The error is positioned.
Status check_configuration(const config::Node& tree, const config::Positions& positions);

/// Host and port of `control.metrics`.
struct Endpoint {
    std::string host;
    uint16_t port = 0;
};
/// "127.0.0.1:9477", "[::1]:9477". Error: what was expected.
Result<Endpoint> parse_endpoint(const std::string& text);

}  // namespace ravelin::control
