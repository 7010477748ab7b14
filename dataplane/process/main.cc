// SPDX-License-Identifier: Apache-2.0
// ravelin-dataplane: moves packets under the policy it was last given. Reads no YAML, opens no
// network socket, waits for nobody.
#include <fmt/format.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>

#include "dataplane/process/confinement.h"
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

/// Gives up what a booted data plane does not need; returns what `ravelin status` shows.
std::string confine(const ravelin::config::Node& booted) {
    std::string text = ravelin::sandbox::enter(ravelin::confinement_of(booted)).text();
    if (text != "on") fmt::print(stderr, "ravelin-dataplane: warning: sandbox: {}\n", text);
    return text;
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app{
        "Ravelin's data plane. Started by ravelin-controlplane --supervise or by systemd.\n"
        "Example: ravelin-dataplane --run-dir /run/ravelin"};
    std::string run_dir = "/run/ravelin";
    app.add_option("--run-dir", run_dir, "Directory of the control socket and the shared segments")
        ->capture_default_str();
    bool no_sandbox = false;
    app.add_flag("--no-sandbox", no_sandbox, "Keep all privileges after boot, for debugging");
    CLI11_PARSE(app, argc, argv);

    const int stop_fd = stop_signals();
    ravelin::PolicyStore store(run_dir);
    store.before_workers([no_sandbox](const ravelin::config::Node& booted) {
        return no_sandbox ? ravelin::sandbox::off("--no-sandbox").text() : confine(booted);
    });
    ravelin::ControlServer server(store, run_dir);
    if (auto s = server.listen(); !s) {
        fmt::print(stderr, "ravelin-dataplane: {}\n", s.error().message);
        return 1;
    }
    return server.run(stop_fd);
}
