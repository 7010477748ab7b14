// SPDX-License-Identifier: Apache-2.0
// flows: what the firewall follows, and forgetting it.
#include <fmt/format.h>

#include "controlplane/cli/command.h"

namespace ravelin::cli {
namespace {

constexpr uint32_t kMostSearched = 100'000;  // flows looked through by --host, --port and the like

struct Flows {
    uint32_t limit = 50;
    std::string host, protocol, principal;
    uint16_t port = 0;
    bool remove = false;
};

std::string endpoint(const Json& flow, const char* address, const char* port) {
    const std::string& host = text(flow, address);
    const uint64_t number_of_port = number(flow, port);
    if (number_of_port == 0) return host;
    return host.find(':') == std::string::npos ? fmt::format("{}:{}", host, number_of_port)
                                               : fmt::format("[{}]:{}", host, number_of_port);
}

bool wanted(const Json& flow, const Flows& options) {
    const bool host = options.host.empty() || text(flow, "source") == options.host ||
                      text(flow, "destination") == options.host;
    const bool port = options.port == 0 || number(flow, "source_port") == options.port ||
                      number(flow, "destination_port") == options.port;
    // A principal stands for all below it.
    const std::string of = text(flow, "principal");
    const bool principal = options.principal.empty() || of == options.principal ||
                           of.starts_with(options.principal + "/");
    const bool protocol = options.protocol.empty() || text(flow, "protocol") == options.protocol;
    return host && port && principal && protocol;
}

/// The answer with the flows that are wanted, `limit` at most.
Json search(const Context& context, const Flows& options) {
    const bool searching = !options.host.empty() || options.port != 0 ||
                           !options.protocol.empty() || !options.principal.empty();
    Json answer =
        context.connect().call("flows", {{"limit", searching ? kMostSearched : options.limit}});
    Json found = Json::array();
    uint64_t matching = 0;
    for (const Json& flow : list(answer, "flows"))
        if (wanted(flow, options) && ++matching <= options.limit) found.push_back(flow);
    if (searching) answer["matching"] = matching;
    answer["flows"] = std::move(found);
    return answer;
}

ExitCode remove(const Context& context, const Flows& options) {
    const Json answer = context.connect().call("delete-flows", {{"address", options.host}});
    if (!context.printed_json(answer))
        context.print(
            fmt::format("{} flows of {} deleted\n", number(answer, "deleted"), options.host));
    return kOk;
}

ExitCode flows(const Context& context, const Flows& options) {
    if (options.remove) return remove(context, options);
    const Json answer = search(context, options);
    if (context.printed_json(answer)) return kOk;
    const Json& found = list(answer, "flows");
    // Both sides of a translated flow: inner ends, and behind them the outer ones.
    const auto end = [](const Json& f, const char* address, const char* port, const char* outer) {
        const std::string& outside = text(f, outer);
        const std::string inside = endpoint(f, address, port);
        return outside.empty() ? inside : fmt::format("{} ({})", inside, outside);
    };
    Table table({{"PROTO"},
                 {"FROM"},
                 {"TO"},
                 {"STATE"},
                 {"RULE"},
                 {"PRINCIPAL"},
                 {"GEN", Align::kRight},
                 {"OUT", Align::kRight},
                 {"BACK", Align::kRight},
                 {"EXPIRES", Align::kRight},
                 {"WORKER", Align::kRight}});
    for (const Json& f : found)
        table.add({text(f, "protocol"), end(f, "source", "source_port", "outer_source"),
                   end(f, "destination", "destination_port", "outer_destination"), text(f, "state"),
                   text(f, "rule"), text(f, "principal"), std::to_string(number(f, "generation")),
                   bytes(number(f, "bytes_out")), bytes(number(f, "bytes_back")),
                   duration(number(f, "expires_ms")), std::to_string(number(f, "worker"))});
    context.print(table);
    const uint64_t all = number(answer, answer.contains("matching") ? "matching" : "total");
    if (all > found.size())
        context.print(
            fmt::format("{} of {} flows; --limit shows more\n", found.size(), grouped(all)));
    return kOk;
}

}  // namespace

void add_flows_command(CLI::App& root, Context& context) {
    auto options = std::make_shared<Flows>();
    CLI::App& command = add_command(
        root, "flows", "List the flows that the firewall follows",
        "ravelin flows --host 192.0.2.7 --protocol tcp\nravelin flows --delete --host 192.0.2.66",
        context, [&context, options] { return flows(context, *options); });
    command.add_option("--limit", options->limit, "Flows to show at most")->capture_default_str();
    CLI::Option* host =
        command.add_option("--host", options->host, "Only flows of this address, at either end")
            ->type_name("ADDRESS");
    command
        .add_option("--port", options->port, "Only flows of this TCP or UDP port, at either end")
        ->type_name("NUMBER")
        ->check(CLI::Range(1, 65535));
    command.add_option("--protocol", options->protocol, "Only flows of this protocol, such as tcp")
        ->type_name("NAME");
    command
        .add_option("--principal", options->principal,
                    "Only flows charged to this principal or one below it")
        ->type_name("NAME");
    command
        .add_flag("--delete", options->remove,
                  "Forget all flows of --host; their next packets are judged anew")
        ->needs(host);
}

}  // namespace ravelin::cli
