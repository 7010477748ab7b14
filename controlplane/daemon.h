// SPDX-License-Identifier: Apache-2.0
// Daemon: the control plane's parts and how they hear of each other. One thread.
#pragma once
#include <memory>
#include <optional>
#include <string>

#include "controlplane/api/services.h"
#include "controlplane/confinement.h"
#include "controlplane/kernel/kernel_side.h"
#include "controlplane/link/supervisor.h"
#include "controlplane/metrics/endpoint.h"
#include "controlplane/metrics/other_principals.h"
#include "controlplane/reservations/calibration.h"

namespace ravelin::control {

struct DaemonOptions {
    std::string config_file;  ///< applied if nothing is committed yet; may be empty
    std::string state_dir = "/var/lib/ravelin";
    std::string run_dir = "/run/ravelin";
    bool supervise = false;
    std::string dataplane;                         ///< program to supervise
    std::vector<std::string> dataplane_arguments;  ///< beside --run-dir
    bool leave_dataplane = false;                  ///< on SIGTERM
    bool salvage_journal = false;
    bool sandbox = true;                          ///< give up privileges after the start
    std::vector<std::string> readable, writable;  ///< directories beside the usual ones
};

class Daemon {
  public:
    /// Opens state and sockets, connects or starts the data plane. Error: what stood in the way.
    static Result<std::unique_ptr<Daemon>> create(const DaemonOptions& options);
    ~Daemon();
    Daemon(const Daemon&) = delete;
    Daemon& operator=(const Daemon&) = delete;

    /// Until SIGTERM or SIGINT. Signals must be blocked before (block_signals()).
    void run() { loop_.run(); }
    EventLoop& loop() { return loop_; }

  private:
    Daemon(DaemonOptions options, std::unique_ptr<PolicyStore> store);
    Status start();
    Status watch_signals();
    void make_supervisor();
    void start_dataplane();
    void confine();
    void connected(const model::DataplaneStatus& status);
    void take_event(const model::FromDataplane& event);
    void policy_changed();
    void configure_rule_log(const config::Node& control);
    void configure_metrics(const config::Node& control);
    void apply_first_config();
    void refresh_metrics();
    [[nodiscard]] metrics::Snapshot metrics_now();
    void shut_down();

    DaemonOptions options_;
    EventLoop loop_;
    std::unique_ptr<PolicyStore> store_;
    Compiler compiler_;
    Territory territory_;
    std::string sandbox_;  // what status tells
    DataplaneLink link_;
    ChangeFlow flow_;
    LiveFlow live_;
    Calibration calibration_;
    KernelSide kernel_;
    CounterView counters_;
    RuleLog rule_log_;
    WatchHub watches_;
    Services services_;
    Server server_;
    std::unique_ptr<Supervisor> supervisor_;
    UniqueFd signals_;
    uint64_t dataplane_started_ = 0;  // of the data plane last met
    bool first_config_tried_ = false, shutting_down_ = false;
    metrics::SharedSnapshot metrics_;
    metrics::OtherPrincipals other_principals_;
    std::string metrics_address_;
    std::unique_ptr<metrics::MetricsEndpoint> metrics_endpoint_;
};

/// SIGTERM, SIGINT and SIGHUP are read from a descriptor; SIGPIPE is ignored. Before any thread.
void block_signals();

}  // namespace ravelin::control
