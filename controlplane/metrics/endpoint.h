// SPDX-License-Identifier: Apache-2.0
// The Prometheus endpoint: answers GET /metrics from the data plane's shared counters and from what
// the control plane knows. Reads both at scrape time; costs nothing in between.
//
//   SharedSnapshot shared;                        // set() it whenever something changed
//   auto metrics = MetricsEndpoint::start("127.0.0.1:9477", shared.source());
//   if (!metrics) return metrics.error();
//
// Keep one in a process, for its whole life: closing waits up to two seconds for its threads.
#pragma once
#include <memory>
#include <string>

#include "controlplane/metrics/source.h"
#include "dataplane/result.h"

namespace ravelin::metrics {

class MetricsEndpoint {
  public:
    /// `listen` is ADDRESS:PORT; port 0 takes a free one. Error: what could not be bound.
    static Result<std::unique_ptr<MetricsEndpoint>> start(const std::string& listen,
                                                          MetricsSource source);
    ~MetricsEndpoint();
    MetricsEndpoint(const MetricsEndpoint&) = delete;
    MetricsEndpoint& operator=(const MetricsEndpoint&) = delete;

    /// The port in use.
    [[nodiscard]] int port() const;

  private:
    struct Server;
    explicit MetricsEndpoint(std::unique_ptr<Server> server);
    std::unique_ptr<Server> server_;
};

}  // namespace ravelin::metrics
