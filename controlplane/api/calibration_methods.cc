// SPDX-License-Identifier: Apache-2.0
// calibrated, calibration: what the machine was found to be able to do.
#include "controlplane/api/services.h"
#include "controlplane/compile/worker_cycles.h"

namespace ravelin::control {
namespace {

void calibrated(Services& s, const CallPtr& call) {
    if (Status kept = s.calibration.keep(call->value("calibration")); !kept)
        return call->fail(FailureKind::kInvalid, "calibration: " + kept.error().message);
    set_calibrated_cycles(s.calibration.worker_cycles());
    call->result(Json::object());
}

}  // namespace

void add_calibration_methods(Server& server, Services& services) {
    Services* s = &services;
    server.add("calibrated", [s](const CallPtr& call) { calibrated(*s, call); });
    server.add("calibration", [s](const CallPtr& call) {
        call->result({{"calibration", s->calibration.told()}});
    });
}

}  // namespace ravelin::control
