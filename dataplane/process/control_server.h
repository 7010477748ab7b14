// SPDX-License-Identifier: Apache-2.0
// ControlServer: the data plane's only door, a Unix socket. One control plane at a time; a new one
// replaces the old, which may be a corpse. Runs on the control thread, which also builds policies,
// watches the confirm deadline and carries the workers' records out.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "control.pb.h"
#include "dataplane/process/learn.h"
#include "dataplane/process/policy_store.h"
#include "dataplane/process/trace_assembler.h"
#include "dataplane/watch.h"
#include "pipelines/model/frame.h"

namespace ravelin {

class ControlServer {
  public:
    ControlServer(PolicyStore& store, std::string run_dir);
    ~ControlServer();
    ControlServer(const ControlServer&) = delete;
    ControlServer& operator=(const ControlServer&) = delete;

    /// Takes the run directory (one data plane each) and binds `<run_dir>/dataplane.sock`, mode
    /// 0600.
    Status listen();
    /// Serves until `stop_fd` is readable. 0: asked to stop; 3: the first policy could not be
    /// booted, and EAL starts once a process.
    int run(int stop_fd);

  private:
    void accept_client();
    void drop_client();
    void serve_client();
    void handle(const std::string& frame);
    void answer(const model::ToDataplane& request, model::Reply& reply);
    /// What a request changes, if it does; the answer is added by answer().
    Status act(const model::ToDataplane& request, model::Reply& reply);
    void apply(const model::Apply& request, const Paths& keep, model::Reply& reply);
    void watch(const model::Watch& request, bool capture, model::Reply& reply);
    void unwatch();
    void drain_events();
    void keep_watch(const Now& now);
    void carry(const uint8_t* record, size_t length);
    void tell(const model::TraceEvent& story);
    void send(const model::FromDataplane& message);
    void notify(const char* kind, const std::string& text, uint64_t generation);

    PolicyStore& store_;
    std::string run_dir_;
    uint64_t started_unix_ms_;
    uint64_t received_ns_ = 0;  // of the request being answered
    int lock_ = -1, listener_ = -1, client_ = -1;
    model::FrameReader reader_;
    model::FrameWriter writer_;
    TraceAssembler traces_;
    RouteLearner routes_;
    std::unique_ptr<WatchSpec> watch_;  // workers read it while set
    // Ended, but a worker that did not answer may read them; until all do.
    std::vector<std::unique_ptr<WatchSpec>> still_read_;
    uint64_t events_dropped_ = 0;  // because the control plane did not read
    uint32_t links_ms_ = 0;        // when the ports' links were looked at
    bool boot_failed_ = false;
    uint64_t next_loss_count_ns_ = 0;  // CLOCK_MONOTONIC
};

}  // namespace ravelin
