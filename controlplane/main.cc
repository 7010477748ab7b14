// SPDX-License-Identifier: Apache-2.0
// ravelin-controlplane: reads the command line and runs the daemon.
#include <CLI/CLI.hpp>
#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

#include "controlplane/config/reference.h"
#include "controlplane/daemon.h"
#include "controlplane/loop/log.h"
#include "dataplane/stage.h"
#include "pipelines/model/schema.h"

namespace {

/// The data plane installed or built beside us: in the same folder, or in the build tree's own.
std::string default_dataplane() {
    std::error_code error;
    const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
    const auto beside = self.parent_path() / "ravelin-dataplane";
    const auto built =
        self.parent_path().parent_path() / "dataplane" / "process" / "ravelin-dataplane";
    return std::filesystem::exists(beside, error) || !std::filesystem::exists(built, error)
               ? beside.string()
               : built.string();
}

/// docs/configuration.md: what the loader itself knows of every key.
std::string reference() {
    std::vector<const ravelin::config::Schema*> stages;
    for (const ravelin::StageDecl* stage : ravelin::StageRegistry::get().stages())
        stages.push_back(stage->schema);
    return ravelin::config::reference_markdown(ravelin::model::kConfigSchema, stages);
}

void add_sandbox_options(CLI::App& app, ravelin::control::DaemonOptions& options) {
    app.add_flag("!--no-sandbox", options.sandbox,
                 "Keep all privileges, here and in the supervised data plane; for debugging");
    app.add_option("--readable", options.readable,
                   "Directory whose prefix files configurations may name, beside the one of "
                   "--config and /etc/ravelin; may be repeated")
        ->allow_extra_args(false);
    app.add_option("--writable", options.writable,
                   "Directory for a rule log outside of the state directory; may be repeated")
        ->allow_extra_args(false);
}

void add_options(CLI::App& app, ravelin::control::DaemonOptions& options, bool& foreground) {
    app.add_option("--config", options.config_file,
                   "YAML to apply if nothing was ever committed in the state directory");
    app.add_option("--state-dir", options.state_dir, "Journal, history and rule log")
        ->capture_default_str();
    app.add_option("--run-dir", options.run_dir, "Sockets: control.sock (ours), dataplane.sock")
        ->capture_default_str();
    app.add_flag("--supervise", options.supervise,
                 "Start the data plane and start it again when it dies");
    app.add_option("--dataplane", options.dataplane, "Program to supervise")->capture_default_str();
    app.add_option("--dataplane-arg", options.dataplane_arguments,
                   "One more argument for it; may be repeated")
        ->allow_extra_args(false);
    app.add_flag("--leave-dataplane", options.leave_dataplane,
                 "Let the supervised data plane run on after SIGTERM");
    app.add_flag("--salvage-journal", options.salvage_journal,
                 "Start with what is whole of a damaged journal, putting the damaged one aside");
    app.add_flag("--foreground", foreground,
                 "Log single lines to stderr; the only way it runs, for units that say so");
    app.footer(
        "Example:\n  ravelin-controlplane --supervise --config configs/edge.yaml --state-dir "
        "/var/lib/ravelin --run-dir /run/ravelin");
}

}  // namespace

int main(int argc, char** argv) {
    ravelin::control::DaemonOptions options;
    options.dataplane = default_dataplane();
    bool foreground = true;
    CLI::App app("Ravelin's control plane: compiles policy, commits it, supervises the data plane.",
                 "ravelin-controlplane");
    add_options(app, options, foreground);
    add_sandbox_options(app, options);
    bool print_reference = false;
    app.add_flag("--reference", print_reference,
                 "Print the configuration reference (docs/configuration.md) and exit");
    CLI11_PARSE(app, argc, argv);
    if (print_reference) {
        std::cout << reference();
        return 0;
    }
    ravelin::control::block_signals();
    auto daemon = ravelin::control::Daemon::create(options);
    if (!daemon) {
        ravelin::control::log_error(daemon.error().message);
        return 1;
    }
    (*daemon)->run();
    return 0;
}
