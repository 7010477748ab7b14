// SPDX-License-Identifier: Apache-2.0
// trace and explain: what the stages do to real packets, and would do to an imagined one.
#include <fmt/format.h>

#include <algorithm>

#include "controlplane/cli/command.h"

namespace ravelin::cli {
namespace {

/// Stages one below the other: name, verdict, detail.
std::string steps(const Json& of, const Context& context) {
    size_t widest = 0;
    for (const Json& step : list(of, "steps"))
        widest = std::max(widest, text(step, "stage").size());
    std::string out;
    for (const Json& step : list(of, "steps")) {
        const std::string verdict = text(step, "verdict");
        const char* colour = verdict == "drop" ? "31" : "32";
        out += fmt::format("  {:<{}}  {}  {}\n", text(step, "stage"), widest,
                           context.paint(fmt::format("{:<8}", verdict), colour),
                           printable(text(step, "detail")));
    }
    return out;
}

/// ", rule web, route 10.0.0.0/8, out wan" of what the answer names.
std::string named(const Json& of) {
    std::string out;
    for (const auto& [key, word] : {std::pair{"reason", "reason"},
                                    {"rule", "rule"},
                                    {"route", "route"},
                                    {"next_hop", "next hop"},
                                    {"out_port", "out"},
                                    {"principal", "principal"},
                                    {"flow", "flow"}})
        if (const std::string value = text(of, key); !value.empty())
            out += fmt::format(", {} {}", word, printable(value));
    return out;
}

std::string verdict(const Json& of, const Context& context) {
    const std::string word = text(of, "verdict");
    return context.paint(word, word == "drop" || word == "reject" ? "31" : "32") + named(of);
}

ExitCode explain(const Context& context, const std::vector<std::string>& words) {
    const std::string packet = fmt::format("{}", fmt::join(words, " "));
    const Json answer = context.connect().call("explain", {{"packet", packet}});
    if (context.printed_json(answer)) return kOk;
    context.print(printable(text(answer, "packet")) + "\n" + steps(answer, context));
    context.print(fmt::format("{}\nworker {}, generation {}\n", verdict(answer, context),
                              number(answer, "worker"), number(answer, "generation")));
    return kOk;
}

struct Trace {
    std::vector<std::string> filter;
    std::string port;
    uint32_t count = 0;
};

class Tracer {
  public:
    explicit Tracer(const Context& context) : context_(context) {}

    void take(const Json& event) {
        ++seen_;
        const std::string word = text(event, "verdict");
        if (word == "drop" || word == "reject") ++refused_;
        if (context_.json)
            context_.print_json(event);
        else
            print(event);
    }
    [[nodiscard]] std::string totals() const {
        return fmt::format("{} packets, {} dropped or rejected\n", seen_, refused_);
    }

  private:
    void print(const Json& event) const {
        const std::string head =
            fmt::format("{}  {}  {}", clock_time(number(event, "unix_ns")), text(event, "port"),
                        printable(text(event, "summary")));
        context_.print(fmt::format("{}\n{}  -> {}, worker {}, generation {}\n",
                                   context_.paint(head, "1"), steps(event, context_),
                                   verdict(event, context_), number(event, "worker"),
                                   number(event, "generation")));
    }
    const Context& context_;
    uint64_t seen_ = 0, refused_ = 0;
};

ExitCode trace(const Context& context, const Trace& options) {
    const Interrupt interrupt;
    Tracer tracer(context);
    const Json params{{"filter", fmt::format("{}", fmt::join(options.filter, " "))},
                      {"port", options.port},
                      {"limit", options.count}};
    const auto end = context.connect().stream("trace", params, interrupt,
                                              [&](const Json& event) { tracer.take(event); });
    fmt::print(stderr, "{}", tracer.totals());
    if (!end) throw Failure(kUnreachable, "the control plane ended the trace");
    return kOk;
}

}  // namespace

void add_trace_commands(CLI::App& root, Context& context) {
    auto options = std::make_shared<Trace>();
    CLI::App& command =
        add_command(root, "trace", "Follow real packets stage by stage",
                    "ravelin trace 'tcp port 443 and host 192.0.2.7' --port lan --count 10",
                    context, [&context, options] { return trace(context, *options); });
    command.add_option("FILTER", options->filter,
                       "Which packets, in tcpdump's language; default: all");
    command.add_option("--port", options->port, "Only packets received on this port")
        ->type_name("NAME");
    command.add_option("--count", options->count, "End after so many packets; default: at Ctrl-C");

    auto words = std::make_shared<std::vector<std::string>>();
    CLI::App& explain_command = add_command(
        root, "explain", "Say what would become of a packet, by the fast path's own code",
        "ravelin explain 'in=lan tcp 10.0.0.1:1234 > 192.0.2.7:80 syn'", context,
        [&context, words] { return explain(context, *words); });
    explain_command.add_option("PACKET", *words, "The packet in words, with in=PORT")->required();
}

}  // namespace ravelin::cli
