// SPDX-License-Identifier: Apache-2.0
// capture: real frames into a pcapng file that tshark and Wireshark read.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include "controlplane/cli/base64.h"
#include "controlplane/cli/command.h"
#include "controlplane/cli/pcapng.h"

namespace ravelin::cli {
namespace {

struct Capture {
    std::vector<std::string> filter;
    std::string port, file;
    uint32_t count = 0;
    uint32_t snap_bytes = 65535;
};

void close_file(std::FILE* file) {
    if (file != stdout) (void)std::fclose(file);
}
using File = std::unique_ptr<std::FILE, void (*)(std::FILE*)>;

File open_file(const std::string& path) {
    if (path == "-") return {stdout, close_file};
    File file(std::fopen(path.c_str(), "wbe"), close_file);
    if (!file) throw Failure(kFailed, fmt::format("{}: {}", path, std::strerror(errno)));
    return file;
}

class Recorder {
  public:
    explicit Recorder(const Capture& options)
        : options_(options),
          file_(open_file(options.file)),
          writer_(file_.get(), std::string("ravelin ") + RAVELIN_VERSION, options.snap_bytes) {
        require(writer_.begin());
        require(writer_.flush());
    }

    void take(const Json& event) {
        const auto data = from_base64(text(event, "data"));
        if (!data) throw Failure(kFailed, "the control plane sent a frame that is not base64");
        const std::string verdict = text(event, "verdict");
        require(writer_.write({.unix_ns = number(event, "unix_ns"),
                               .port = text(event, "port"),
                               .length = static_cast<uint32_t>(number(event, "length")),
                               .data = *data,
                               .comment = verdict.empty() ? "" : "verdict " + verdict}));
        ++frames_;
        bytes_ += data->size();
        lost_ = std::max(lost_, number(event, "lost"));
    }
    void flush() { require(writer_.flush()); }
    void finish() { require(writer_.finish(lost_)); }
    [[nodiscard]] Json totals() const {
        return {{"file", options_.file}, {"frames", frames_}, {"bytes", bytes_}, {"lost", lost_}};
    }

  private:
    void require(const Status& status) const {
        if (!status) throw Failure(kFailed, options_.file + ": " + status.error().message);
    }
    const Capture& options_;
    File file_;
    PcapngWriter writer_;
    uint64_t frames_ = 0, bytes_ = 0, lost_ = 0;
};

void print_totals(const Context& context, const Capture& options, const Json& totals) {
    if (context.json && options.file != "-") return context.print_json(totals);
    fmt::print(stderr, "{}: {} frames, {}, {} lost\n", options.file, number(totals, "frames"),
               bytes(number(totals, "bytes")), number(totals, "lost"));
}

ExitCode capture(const Context& context, const Capture& options) {
    if (options.file == "-" && context.tty)
        throw Failure(kUsage, "the capture would go to the terminal; name a file, or pipe it on");
    const Interrupt interrupt;
    Client client = context.connect();
    Recorder recorder(options);
    const Json params{{"filter", fmt::format("{}", fmt::join(options.filter, " "))},
                      {"port", options.port},
                      {"limit", options.count},
                      {"snap", options.snap_bytes}};
    const auto end = client.stream(
        "capture", params, interrupt, [&](const Json& event) { recorder.take(event); },
        [&] { recorder.flush(); });
    recorder.finish();
    print_totals(context, options, recorder.totals());
    if (!end) throw Failure(kUnreachable, "the control plane ended the capture");
    return kOk;
}

}  // namespace

void add_capture_command(CLI::App& root, Context& context) {
    auto options = std::make_shared<Capture>();
    CLI::App& command =
        add_command(root, "capture", "Write real frames to a pcapng file",
                    "ravelin capture 'udp port 53' -w dns.pcapng --count 100\n"
                    "ravelin capture icmp -w - | tshark -r -",
                    context, [&context, options] { return capture(context, *options); });
    command.add_option("FILTER", options->filter,
                       "Which frames, in tcpdump's language; default: all");
    command.add_option("-w,--write", options->file, "File to write; - is standard output")
        ->required()
        ->type_name("FILE");
    command.add_option("--port", options->port, "Only frames received on this port")
        ->type_name("NAME");
    command.add_option("--count", options->count, "End after so many frames; default: at Ctrl-C");
    command.add_option("--snap", options->snap_bytes, "Bytes of each frame to keep at most")
        ->capture_default_str()
        ->check(CLI::Range(1, 65535));
}

}  // namespace ravelin::cli
