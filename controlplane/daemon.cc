// SPDX-License-Identifier: Apache-2.0
#include "controlplane/daemon.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/stat.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>
#include <sstream>
#include <utility>

#include "controlplane/compile/worker_cycles.h"
#include "controlplane/loop/log.h"

namespace ravelin::control {
namespace {

using std::chrono::milliseconds;

sigset_t handled_signals() {
    sigset_t set;
    sigemptyset(&set);
    for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, signal);
    return set;
}

Status make_run_directory(const std::string& path) {
    if (::mkdir(path.c_str(), 0755) == 0 || errno == EEXIST) return ok_status();
    return Error{fmt::format("{}: mkdir: {}", path, std::strerror(errno))};
}

std::string login_name() {
    const char* user = std::getenv("USER");
    return user == nullptr ? "ravelin-controlplane" : user;
}

}  // namespace

void block_signals() {
    const sigset_t set = handled_signals();
    ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
    ::signal(SIGPIPE, SIG_IGN);
}

Result<std::unique_ptr<Daemon>> Daemon::create(const DaemonOptions& options) {
    static commit::FileOps files;
    if (Status made = make_run_directory(options.run_dir); !made) return std::move(made.error());
    auto store = PolicyStore::open(
        options.state_dir, files,
        options.salvage_journal ? commit::OnDamage::salvage : commit::OnDamage::refuse);
    if (!store) return std::move(store.error());
    std::unique_ptr<Daemon> daemon(new Daemon(options, std::move(*store)));
    if (Status read = daemon->live_.open(options.state_dir, files, options.salvage_journal); !read)
        return std::move(read.error());
    if (Status read = daemon->calibration_.open(options.state_dir, files); !read)
        log_warning(read.error().message + "; nothing is known of the machine");
    if (Status started = daemon->start(); !started) return std::move(started.error());
    set_calibrated_cycles(daemon->calibration_.worker_cycles());
    return daemon;
}

Daemon::Daemon(DaemonOptions options, std::unique_ptr<PolicyStore> store)
    : options_(std::move(options)),
      store_(std::move(store)),
      link_(loop_, options_.run_dir + "/dataplane.sock"),
      flow_(loop_, link_, *store_, compiler_),
      live_(loop_, link_, *store_, flow_),
      kernel_(loop_, link_, options_.sandbox),
      watches_(link_),
      services_{
          loop_,        link_,     *store_,
          compiler_,    flow_,     counters_,
          rule_log_,    watches_,  live_,
          calibration_, unix_ms(), [this] { return supervisor_ ? supervisor_->restarts() : 0u; },
          sandbox_,     kernel_},
      server_(loop_) {}

Daemon::~Daemon() { metrics_endpoint_.reset(); }

Status Daemon::start() {
    if (options_.supervise) make_supervisor();  // forks: before anything makes a thread
    store_->set_slot_reader([this](uint32_t slot) { return counters_.read_slot(slot); });
    flow_.on_change([this] { policy_changed(); });
    flow_.send_along([this](uint64_t generation) { return live_.sync(generation); });
    compiler_.set_reserved([this] { return live_.reserved(); });
    add_change_methods(server_, services_);
    add_state_methods(server_, services_);
    add_lookup_methods(server_, services_);
    add_live_methods(server_, services_);
    add_rule_methods(server_, services_);
    add_calibration_methods(server_, services_);
    add_reservation_methods(server_, services_);
    add_watch_methods(server_, services_);
    if (Status s = server_.listen(options_.run_dir + "/control.sock"); !s) return s;
    if (Status s = watch_signals(); !s) return s;
    policy_changed();
    refresh_metrics();
    start_dataplane();
    confine();
    return ok_status();
}

Status Daemon::watch_signals() {
    const sigset_t set = handled_signals();
    signals_.reset(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!signals_) return Error{fmt::format("signalfd: {}", std::strerror(errno))};
    loop_.watch(signals_.get(), POLLIN, [this](short) {
        signalfd_siginfo info{};
        while (::read(signals_.get(), &info, sizeof info) == sizeof info)
            if (info.ssi_signo != SIGHUP) shut_down();
    });
    return ok_status();
}

void Daemon::make_supervisor() {
    std::vector<std::string> command{options_.dataplane, "--run-dir", options_.run_dir};
    if (!options_.sandbox) command.emplace_back("--no-sandbox");
    command.insert(command.end(), options_.dataplane_arguments.begin(),
                   options_.dataplane_arguments.end());
    supervisor_ = std::make_unique<Supervisor>(loop_, command, [this](const std::string& how) {
        link_.drop(how);
        loop_.after(milliseconds(0), [this] { link_.retry_now(); });
    });
}

/// Everything that takes a privilege has been done: sockets, threads, the launcher. From here on a
/// configuration that asks for one is refused.
void Daemon::confine() {
    if (!options_.sandbox) {
        sandbox_ = sandbox::off("--no-sandbox").text();
        return log_warning("sandbox: " + sandbox_);
    }
    territory_ = {.writable = options_.writable, .readable = options_.readable};
    territory_.writable.insert(territory_.writable.end(), {options_.state_dir, options_.run_dir});
    const std::string& log = store_->in_force().tree["control"]["rule-log"].as_text();
    if (!log.empty()) territory_.writable.push_back(directory_of(log));
    territory_.readable.emplace_back("/etc/ravelin");
    if (!options_.config_file.empty())
        territory_.readable.push_back(directory_of(options_.config_file));
    const sandbox::Report report = sandbox::enter(confinement(territory_));
    sandbox_ = report.text();
    if (report.state == "off") return log_warning("sandbox: " + sandbox_);
    compiler_.set_gate([this](const config::Node& tree) {
        return permits(territory_, tree["control"], metrics_address_);
    });
    if (report.state != "on") log_warning("sandbox: " + sandbox_);
}

void Daemon::start_dataplane() {
    link_.listen({.connected = [this](const auto& status) { connected(status); },
                  .lost =
                      [this](const std::string& why) {
                          log_warning(why);
                          kernel_.lost();
                          flow_.connection_lost();
                      },
                  .event = [this](const auto& event) { take_event(event); },
                  // From the first moment on: one left by an earlier control plane may be dying.
                  .attached =
                      [this](Peer peer) {
                          if (supervisor_) supervisor_->adopt(std::move(peer));
                      },
                  .unreachable =
                      [this] {
                          if (supervisor_) supervisor_->ensure_running();
                      }});
    link_.start();
}

void Daemon::connected(const model::DataplaneStatus& status) {
    log_info(fmt::format("connected to data plane {} with generation {}", status.pid(),
                         status.generation()));
    counters_.set_path(status.counters_path());
    if (std::exchange(dataplane_started_, status.started_unix_ms()) != status.started_unix_ms())
        rule_log_.dataplane_restarted();
    watches_.reconnected();
    kernel_.connected();
    flow_.reconcile(status);
    apply_first_config();
}

void Daemon::take_event(const model::FromDataplane& event) {
    if (event.has_log()) return rule_log_.take(event.log(), RuleLog::Clock::now());
    if (event.has_notice()) {
        const model::Notice& notice = event.notice();
        log_info(fmt::format("data plane: {}: {}", notice.kind(), notice.text()));
        return flow_.look_again();
    }
    watches_.take(event);
}

void Daemon::policy_changed() {
    const Policy& policy = store_->in_force();
    set_log_generation(policy.generation);
    // The first Apply boots the data plane; only then are there counters.
    counters_.set_path(link_.last_status().counters_path());
    if (policy.generation == 0) return;
    live_.policy_changed();
    configure_rule_log(policy.tree["control"]);
    configure_metrics(policy.tree["control"]);
    kernel_.policy_changed(policy.tree);
}

void Daemon::configure_rule_log(const config::Node& control) {
    const std::string& path = control["rule-log"].as_text();
    RuleLog::Options options;
    options.path = path.empty() ? options_.state_dir + "/rules.log" : path;
    options.syslog = control["syslog"].as_bool();
    if (control.has("rule-log-rate"))
        options.lines_per_second = static_cast<uint64_t>(control["rule-log-rate"].as_integer());
    rule_log_.configure(options);
}

void Daemon::configure_metrics(const config::Node& control) {
    const std::string& address = control["metrics"].as_text();
    if (address.empty() || address == metrics_address_) return;
    metrics_endpoint_.reset();
    metrics_address_ = address;
    if (address == "off") return;
    auto endpoint =
        metrics::MetricsEndpoint::start(address, {.snapshot = [this] { return metrics_.get(); }});
    if (endpoint)
        metrics_endpoint_ = std::move(*endpoint);
    else
        log_error("metrics: " + endpoint.error().message);
}

void Daemon::apply_first_config() {
    if (options_.config_file.empty() || std::exchange(first_config_tried_, true)) return;
    if (store_->state().current != 0)
        return log_info(
            fmt::format("generation {} is committed: {} is not applied; use `ravelin apply`",
                        store_->state().current, options_.config_file));
    std::ifstream file(options_.config_file);
    if (!file) return log_error(fmt::format("{}: {}", options_.config_file, std::strerror(errno)));
    std::ostringstream text;
    text << file.rdbuf();
    auto compiled = compiler_.compile(text.str(), options_.config_file, store_->slots());
    if (!compiled) return log_error(compiled.error().message);
    for (const std::string& warning : compiled->warnings) log_warning(warning);
    flow_.apply({std::move(compiled->tree), text.str(), 0, login_name(), "first configuration"},
                [](const ChangeFlow::Outcome& outcome) {
                    if (const auto* failed = std::get_if<Failure>(&outcome))
                        log_error(failed->message);
                });
}

void Daemon::shut_down() {
    if (std::exchange(shutting_down_, true)) return loop_.stop();  // asked twice: now
    log_info("shutting down");
    if (!supervisor_ || options_.leave_dataplane) return loop_.stop();
    kernel_.release();
    supervisor_->stop([this] { loop_.stop(); });
}

}  // namespace ravelin::control
