// SPDX-License-Identifier: Apache-2.0
// status, ports, rules, routes, neighbours: what is in force and what it knows.
#include <fmt/format.h>

#include "controlplane/cli/command.h"

namespace ravelin::cli {
namespace {

/// One line where all processes say the same.
std::string sandboxes(const Json& s) {
    std::string out = text(s, "sandbox");
    const auto add = [&s, &out, control = out](const char* key, const char* who) {
        const auto process = s.find(key);
        if (process == s.end() || !process->is_object()) return;
        if (const std::string state = text(*process, "sandbox"); !state.empty() && state != control)
            out += fmt::format("; {} {}", who, state);
    };
    add("dataplane", "data plane");
    add("kernel", "TAP process");
    return out;
}

/// One line of `status`: the names in a column.
void print_fact(const Context& context, const char* name, const std::string& value) {
    context.print(fmt::format("{:<15}{}\n", name, value));
}

std::string since(uint64_t unix_ms_then) {
    const uint64_t now = unix_ms();
    return duration(now > unix_ms_then ? now - unix_ms_then : 0);
}

void print_dataplane(const Context& context, const Json& d) {
    print_fact(context, "data plane",
               fmt::format("{}, pid {}, for {}", context.paint("up", "32"), number(d, "pid"),
                           since(number(d, "started_unix_ms"))));
    print_fact(context, "workers", std::to_string(number(d, "workers")));
    if (const std::string variant = text(d, "variant"); !variant.empty())
        print_fact(context, "CPU variant", printable(variant));
    if (const uint64_t left = number(d, "confirm_remaining_ms"); left > 0)
        print_fact(context, "unconfirmed",
                   fmt::format("rolls back to generation {} in {}; to keep it: ravelin confirm",
                               number(d, "previous"), duration(left)));
    if (const uint64_t from = number(d, "rolled_back_from"); from > 0)
        print_fact(context, "rolled back",
                   fmt::format("from generation {}, which nobody confirmed", from));
    if (const uint64_t adopted = number(d, "adopted_flows"); adopted > 0)
        print_fact(context, "adopted", grouped(adopted) + " flows of the data plane before it");
    if (const std::string warning = text(d, "warning"); !warning.empty())
        print_fact(context, "warning", printable(warning));
}

/// Routes learned, and what keeps the kernel from seeing the ports.
void print_kernel(const Context& context, const Json& k) {
    if (flag(k, "learning"))
        print_fact(
            context, "kernel routes",
            fmt::format("{} of {} learned; {} beyond the limit, {} refused, "
                        "{} by no TAP of ours{}",
                        grouped(number(k, "in_dataplane")), grouped(number(k, "in_kernel")),
                        grouped(number(k, "beyond_limit")), grouped(number(k, "refused")),
                        grouped(number(k, "unusable")), flag(k, "synced") ? "" : "; under way"));
    if (const std::string problem = text(k, "problem"); !problem.empty())
        print_fact(context, "kernel side", printable(problem));
}

void print_state(const Context& context, const Json& s) {
    print_fact(context, "control plane",
               fmt::format("up for {}", since(number(s, "started_unix_ms"))));
    const auto dataplane = s.find("dataplane");
    if (dataplane != s.end() && dataplane->is_object())
        print_dataplane(context, *dataplane);
    else
        print_fact(context, "data plane",
                   context.paint("down", "31") + ": " + printable(text(s, "problem")));
    if (const std::string sandbox = sandboxes(s); !sandbox.empty())
        print_fact(context, "sandbox", printable(sandbox));
    print_kernel(context, s.value("kernel", Json::object()));
    print_fact(context, "generation",
               number(s, "generation") == 0 ? "none yet" : std::to_string(number(s, "generation")));
    if (const uint64_t restarts = number(s, "dataplane_restarts"); restarts > 0)
        print_fact(context, "restarts", grouped(restarts) + " of the data plane");
}

void print_ports(const Context& context, const Json& s) {
    Table ports({{"PORT"},
                 {"DEVICE"},
                 {"LINK"},
                 {"MAC"},
                 {"MTU", Align::kRight},
                 {"QUEUES", Align::kRight},
                 {"MISSED", Align::kRight}});
    for (const Json& p : list(s, "ports"))
        ports.add({text(p, "name"), text(p, "device"), flag(p, "link_up") ? "up" : "down",
                   text(p, "mac"), fmt::format("{} B", number(p, "mtu")),
                   std::to_string(number(p, "queues")), grouped(number(p, "rx_missed"))});
    if (!ports.empty()) context.print("\n" + ports.text(context.colour));
}

/// Who had what of the ports with a rate.
void print_shares(const Context& context, const Json& answer) {
    Table shares({{"PORT"},
                  {"PRINCIPAL"},
                  {"PACKETS", Align::kRight},
                  {"BYTES", Align::kRight},
                  {"DROPPED", Align::kRight},
                  {"MARKED", Align::kRight},
                  {"LATE", Align::kRight}});
    for (const Json& p : list(answer, "ports"))
        for (const Json& s : list(p, "shares"))
            shares.add({text(p, "name"), text(s, "principal"), grouped(number(s, "packets")),
                        bytes(number(s, "bytes")), grouped(number(s, "dropped")),
                        grouped(number(s, "marked")), grouped(number(s, "late"))});
    if (!shares.empty()) context.print("\n" + shares.text(context.colour));
}

ExitCode ports(const Context& context) {
    const Json answer = context.connect().call("ports");
    if (context.printed_json(answer)) return kOk;
    Table table({{"PORT"},
                 {"LINK"},
                 {"RECEIVED", Align::kRight},
                 {"SENT", Align::kRight},
                 {"RATE", Align::kRight},
                 {"WAIT", Align::kRight},
                 {"BYTES", Align::kRight}});
    for (const Json& p : list(answer, "ports")) {
        const bool paced = p.contains("rate");
        table.add({text(p, "name"), flag(p, "link_up") ? "up" : "down",
                   grouped(number(p, "rx_packets")), grouped(number(p, "tx_packets")),
                   paced ? scaled(static_cast<double>(number(p, "rate")), "bit/s") : "",
                   paced ? grouped(number(p, "queue_frames")) : "",
                   paced ? bytes(number(p, "queue_bytes")) : ""});
    }
    context.print(table);
    print_shares(context, answer);
    return kOk;
}

void print_memory(const Context& context, const Json& dataplane) {
    Table memory({{"TABLE"},
                  {"ENTRIES", Align::kRight},
                  {"CAPACITY", Align::kRight},
                  {"MEMORY", Align::kRight},
                  {"IN HUGE PAGES", Align::kRight}});
    uint64_t all = 0;
    for (const Json& m : list(dataplane, "memory")) {
        all += number(m, "bytes");
        memory.add({text(m, "table"), grouped(number(m, "entries")),
                    number(m, "capacity") == 0 ? "" : grouped(number(m, "capacity")),
                    bytes(number(m, "bytes")),
                    m.contains("huge_bytes") ? bytes(number(m, "huge_bytes")) : ""});
    }
    if (!memory.empty()) memory.add({"total", "", "", bytes(all), ""});
    if (!memory.empty()) context.print("\n" + memory.text(context.colour));
}

/// How long live changes took, as the data plane's histogram tells.
void print_live(const Context& context, const Json& dataplane) {
    const Json live = dataplane.is_object() ? dataplane.value("live", Json()) : Json();
    uint64_t changes = 0, within = 0;
    double bound = 0;
    for (const Json& bucket : list(live, "latency")) changes += number(bucket, "changes");
    if (changes == 0) return;
    for (const Json& bucket : list(live, "latency")) {
        within += number(bucket, "changes");
        bound = bucket.value("at_most_us", 0.0);
        if (within * 100 >= changes * 99) break;
    }
    print_fact(context, "live changes",
               bound == 0 ? fmt::format("{}, 99 % not within any bound", grouped(changes))
                          : fmt::format("{}, 99 % within {} us", grouped(changes), bound));
}

ExitCode status(const Context& context) {
    const Json s = context.connect().call("status");
    if (context.printed_json(s)) return kOk;
    print_state(context, s);
    print_live(context, s.value("dataplane", Json()));
    print_ports(context, s);
    print_memory(context, s.value("dataplane", Json()));
    return kOk;
}

ExitCode rules(const Context& context) {
    const Json answer = context.connect().call("rules");
    if (context.printed_json(answer)) return kOk;
    Table table({{"RULE"}, {"ACTION"}, {"PACKETS", Align::kRight}, {"BYTES", Align::kRight}});
    for (const Json& r : list(answer, "rules"))
        table.add({text(r, "name"), text(r, "action"), grouped(number(r, "packets")),
                   bytes(number(r, "bytes"))});
    context.print(table);
    const Json& translating = list(answer, "nat");
    if (translating.empty()) return kOk;
    Table nat({{"NAT RULE"},
               {"KIND"},
               {"NEW FLOWS", Align::kRight},
               {"PACKETS", Align::kRight},
               {"BYTES", Align::kRight}});
    for (const Json& r : translating)
        nat.add({text(r, "name"), text(r, "kind"), grouped(number(r, "translations")),
                 grouped(number(r, "packets")), bytes(number(r, "bytes"))});
    context.print(nat);
    return kOk;
}

struct Routes {
    std::string address;
    uint32_t limit = 50;
};

ExitCode routes(const Context& context, const Routes& options) {
    Json params{{"limit", options.limit}};
    if (!options.address.empty()) params["address"] = options.address;
    const Json answer = context.connect().call("routes", params);
    if (context.printed_json(answer)) return kOk;
    const Json& found = list(answer, "routes");
    if (!options.address.empty() && found.empty())
        throw Failure(kFailed, options.address + ": no route");
    Table table({{"PREFIX"},
                 {"VIA"},
                 {"PORT"},
                 {"KIND"},
                 {"ORIGIN"},
                 {"WEIGHT", Align::kRight},
                 {"STATE"},
                 {"MTU", Align::kRight},
                 {"TABLE"}});
    size_t shown = 0;
    std::string last;
    for (const Json& r : found) {
        if (std::string prefix = text(r, "prefix") + text(r, "table");
            shown == 0 || prefix != last) {
            ++shown;
            last = std::move(prefix);
        }
        const uint64_t weight = number(r, "weight"), mtu = number(r, "mtu");
        table.add({text(r, "prefix"), text(r, "via"), text(r, "port"), text(r, "kind"),
                   text(r, "origin"), weight == 0 ? "" : std::to_string(weight), text(r, "state"),
                   mtu == 0 ? "" : fmt::format("{} B", mtu), text(r, "table")});
    }
    context.print(table);
    if (options.address.empty() && number(answer, "total") > shown)
        context.print(fmt::format("{} of {} routes; --limit shows more\n", shown,
                                  grouped(number(answer, "total"))));
    return kOk;
}

ExitCode neighbours(const Context& context) {
    const Json answer = context.connect().call("neighbours");
    if (context.printed_json(answer)) return kOk;
    Table table({{"ADDRESS"}, {"PORT"}, {"MAC"}, {"STATE"}, {"AGE", Align::kRight}});
    for (const Json& n : list(answer, "neighbours"))
        table.add({text(n, "address"), text(n, "port"), text(n, "mac"), text(n, "state"),
                   duration(number(n, "age_ms"))});
    context.print(table);
    return kOk;
}

}  // namespace

void add_look_commands(CLI::App& root, Context& context) {
    add_command(root, "status", "Show both processes, the generation in force, ports and tables",
                "ravelin status", context, [&context] { return status(context); });
    add_command(root, "ports",
                "List the ports with what they moved, and who had what of those with a rate",
                "ravelin ports", context, [&context] { return ports(context); });
    add_command(root, "rules", "List the rules in order with what they decided", "ravelin rules",
                context, [&context] { return rules(context); });
    auto options = std::make_shared<Routes>();
    CLI::App& command =
        add_command(root, "routes", "List the routes, or the one that an address takes",
                    "ravelin routes 198.51.100.9\nravelin routes --limit 20", context,
                    [&context, options] { return routes(context, *options); });
    command.add_option("ADDRESS", options->address, "Show the route to this address")
        ->type_name("ADDRESS");
    command.add_option("--limit", options->limit, "Routes to show at most")->capture_default_str();
    add_command(root, "neighbours", "List the neighbours of each port", "ravelin neighbours",
                context, [&context] { return neighbours(context); });
}

}  // namespace ravelin::cli
