// SPDX-License-Identifier: Apache-2.0
#include "controlplane/metrics/endpoint.h"

#include <fmt/format.h>
#include <prometheus/collectable.h>
#include <prometheus/exposer.h>

#include <exception>
#include <mutex>
#include <optional>

#include "controlplane/metrics/families.h"

namespace ravelin::metrics {
namespace {

class Collector final : public prometheus::Collectable {
  public:
    explicit Collector(MetricsSource source) : source_(std::move(source)) {}

    [[nodiscard]] std::vector<prometheus::MetricFamily> Collect() const override {
        const std::lock_guard lock(mutex_);
        const Snapshot snapshot = source_.snapshot();
        return families(snapshot, reader(snapshot.counters_path));
    }

  private:
    /// The mapped segment, opened when first wanted and again when a restart replaced the file. A
    /// file that is gone or half made is no reader: the scrape goes without the data plane's part.
    const CounterReader* reader(const std::string& path) const {
        if (path.empty()) return nullptr;
        if (!reader_ || path != path_ || !reader_->current(path)) {
            reader_.reset();
            path_ = path;
            if (auto opened = CounterReader::open(path)) reader_.emplace(std::move(*opened));
        }
        return reader_ ? &*reader_ : nullptr;
    }

    MetricsSource source_;
    mutable std::mutex mutex_;  // the server has two threads
    mutable std::string path_;
    mutable std::optional<CounterReader> reader_;
};

}  // namespace

struct MetricsEndpoint::Server {
    std::shared_ptr<Collector> collector;
    prometheus::Exposer exposer;
};

MetricsEndpoint::MetricsEndpoint(std::unique_ptr<Server> server) : server_(std::move(server)) {}
MetricsEndpoint::~MetricsEndpoint() = default;

Result<std::unique_ptr<MetricsEndpoint>> MetricsEndpoint::start(const std::string& listen,
                                                                MetricsSource source) {
    try {
        auto collector = std::make_shared<Collector>(std::move(source));
        auto server = std::unique_ptr<Server>(new Server{collector, prometheus::Exposer{listen}});
        server->exposer.RegisterCollectable(collector);
        return std::unique_ptr<MetricsEndpoint>(new MetricsEndpoint(std::move(server)));
    } catch (const std::exception&) {  // civetweb does not say why
        return Error{fmt::format(
            "metrics: cannot listen on {}, expected a local ADDRESS:PORT that is free", listen)};
    }
}

int MetricsEndpoint::port() const {
    const auto ports = server_->exposer.GetListeningPorts();
    return ports.empty() ? 0 : ports.front();
}

}  // namespace ravelin::metrics
