// SPDX-License-Identifier: Apache-2.0
// ravelin-dataplane: moves packets under the policy it was last given. Reads no YAML, opens no
// network socket, waits for nobody.
#include <fmt/format.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>

#include "dataplane/process/control_server.h"
#include "dataplane/process/policy_store.h"

namespace {

/// Workers inherit the mask, so that only the control thread sees these signals.
int stop_signals() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app{
        "Ravelin's data plane. Started by ravelin-controlplane --supervise or by systemd.\n"
        "Example: ravelin-dataplane --run-dir /run/ravelin"};
    std::string run_dir = "/run/ravelin";
    app.add_option("--run-dir", run_dir, "Directory of the control socket and the shared segments")
        ->capture_default_str();
    CLI11_PARSE(app, argc, argv);

    const int stop_fd = stop_signals();
    ravelin::PolicyStore store(run_dir);
    ravelin::ControlServer server(store, run_dir);
    if (auto s = server.listen(); !s) {
        fmt::print(stderr, "ravelin-dataplane: {}\n", s.error().message);
        return 1;
    }
    return server.run(stop_fd);
}
