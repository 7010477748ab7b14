// SPDX-License-Identifier: Apache-2.0
// reservations, reserve, release: whose packets leave which port by when, and what ports have left
// to promise.
#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "controlplane/cli/command.h"

namespace ravelin::cli {
namespace {

struct Wish {
    std::string name, principal, bytes, rate, deadline, relaxation;
    std::vector<std::string> cpu, out;
    bool dry_run = false, force = false;
};

std::string rate_text(uint64_t bits) { return scaled(static_cast<double>(bits), "bit/s"); }

std::string deadline_text(const Json& of, const char* what = "deadline_ns") {
    if (!of.contains(what)) return "-";
    constexpr double kNsPerMs = 1e6;
    return fmt::format("{:.4g} ms", static_cast<double>(number(of, what)) / kNsPerMs);
}

/// What came of it; "-" where the data plane did not say.
std::string count_text(const Json& reservation, const char* what) {
    return reservation.contains(what) ? grouped(number(reservation, what)) : "-";
}

std::string names_text(const Json& reservation, const char* what) {
    std::string out;
    for (const Json& name : list(reservation, what))
        out += (out.empty() ? "" : ",") + name.get<std::string>();
    return out.empty() ? "-" : out;
}

/// Its own, or whose.
std::string cycles_text(const Json& reservation) {
    const std::string of = text(reservation, "shared_with");
    return of.empty() ? count_text(reservation, "cycles") : "of " + of;
}

/// Of several resources each has a line below: what is reserved of it, its part of the deadline,
/// what came of it. Functions behind each other on one worker have theirs together.
void add_resources(const Json& r, Table& table) {
    const Json runs = list(r, "runs"), links = list(r, "links");
    const bool shares = !text(r, "shared_with").empty();
    if (runs.size() + links.size() + (shares ? 1 : 0) < 2) return;
    const auto add = [&](const std::string& name, const std::string& cycles, const Json& of,
                         const std::string& deadline) {
        const std::string whose = text(of, "shared_with");
        table.add({"  " + name, "", cycles, text(of, "port"), whose.empty() ? "" : "of " + whose,
                   "", deadline, count_text(of, "sent"), count_text(of, "used"),
                   count_text(of, "late"), count_text(of, "dropped"), ""});
    };
    for (const Json& run : runs) {
        const std::string on =
            run.contains("worker") ? fmt::format(" on worker {}", number(run, "worker")) : "";
        add(text(run, "function") + on, count_text(run, "cycles"), {},
            run.contains("deadline_ns") ? deadline_text(run) : deadline_text(r, "cpu_deadline_ns"));
    }
    if (shares) add("cpu", cycles_text(r), {}, deadline_text(r, "cpu_deadline_ns"));
    for (const Json& link : links) add("port", "", link, deadline_text(link));
}

/// Of each worker that functions name, and of all others, which are alike.
void show_cycles(const Json& answer, const Context& context) {
    const Json workers = list(answer, "workers");
    for (const Json& use : workers)
        if (number(use, "reserved") != 0)
            context.print(
                fmt::format("{}: {} of {} cycles/s reserved, {} kept for the core\n",
                            use.contains("worker") ? fmt::format("worker {}", number(use, "worker"))
                            : workers.size() == 1  ? "each worker"
                                                   : "each other worker",
                            grouped(number(use, "reserved")), grouped(number(use, "per_second")),
                            grouped(number(use, "core"))));
}

ExitCode show(const Context& context) {
    const Json answer = context.connect().call("reservations");
    if (context.printed_json(answer)) return kOk;
    Table table({{"RESERVATION"},
                 {"PRINCIPAL"},
                 {"CYCLES", Align::kRight},
                 {"OUT"},
                 {"BYTES", Align::kRight},
                 {"RATE", Align::kRight},
                 {"DEADLINE", Align::kRight},
                 {"SENT", Align::kRight},
                 {"USED", Align::kRight},
                 {"LATE", Align::kRight},
                 {"DROPPED", Align::kRight},
                 {"BY"}});
    for (const Json& r : list(answer, "reservations")) {
        const std::string out = names_text(r, "out");
        table.add({text(r, "name"), text(r, "principal"), cycles_text(r), out,
                   out == "-" ? "-" : fmt::format("{} B", number(r, "bytes")),
                   scaled(static_cast<double>(number(r, "rate_pps")), "pps"), deadline_text(r),
                   count_text(r, "sent"), count_text(r, "used"), count_text(r, "late"),
                   count_text(r, "dropped"), flag(r, "live") ? "reserve" : "apply"});
        add_resources(r, table);
    }
    context.print(table);
    for (const Json& r : list(answer, "reservations"))
        if (r.contains("kept") && !flag(r, "kept"))
            context.print("not kept: " + printable(text(r, "why")) + "\n");
    for (const Json& p : list(answer, "ports"))
        context.print(fmt::format("port {}: {} of {} reserved, {} for the box itself\n",
                                  text(p, "port"), rate_text(number(p, "reserved")),
                                  rate_text(number(p, "rate")), rate_text(number(p, "box"))));
    show_cycles(answer, context);
    if (const std::string problem = text(answer, "problem"); !problem.empty())
        context.print("the data plane did not say what came of them: " + printable(problem) + "\n");
    return kOk;
}

/// As the configuration has it: a JSON text in quotes is a YAML text.
std::string yaml_of(const Wish& wish) {
    const bool bare = !wish.bytes.empty() &&
                      std::ranges::all_of(wish.bytes, [](char c) { return c >= '0' && c <= '9'; });
    std::string out;
    for (const auto& [member, value] : {std::pair("name", wish.name),
                                        {"principal", wish.principal},
                                        {"bytes", wish.bytes + (bare ? "B" : "")},
                                        {"rate", wish.rate},
                                        {"deadline", wish.deadline},
                                        {"relaxation", wish.relaxation}})
        if (!value.empty())
            out += fmt::format("{}{}: {}", out.empty() ? "{" : ", ", member, Json(value).dump());
    if (!wish.cpu.empty()) out += fmt::format(", cpu: {}", Json(wish.cpu).dump());
    if (!wish.out.empty()) out += fmt::format(", out: {}", Json(wish.out).dump());
    return out + "}";
}

ExitCode reserve(const Context& context, const Wish& wish) {
    const Json answer = context.connect().call(
        "reserve", {{"reservation", yaml_of(wish)}, {"dry_run", wish.dry_run}});
    if (context.printed_json(answer)) return kOk;
    for (const Json& measured : list(answer, "measured"))
        context.print(fmt::format(
            "of {} packets of {} 99.9 % took at most {} cycles: {} are reserved for each\n",
            grouped(number(measured, "packets")), printable(text(measured, "function")),
            grouped(number(measured, "most_cycles")), grouped(number(measured, "cycles"))));
    context.print(wish.dry_run ? "it fits; nothing was reserved\n"
                               : fmt::format("granted; in force on all workers within {:.0f} us\n",
                                             answer.value("live_us", 0.0)));
    return kOk;
}

ExitCode release(const Context& context, const Wish& wish) {
    const Json answer =
        context.connect().call("release", {{"name", wish.name}, {"force", wish.force}});
    if (context.printed_json(answer)) return kOk;
    for (const Json& name : list(answer, "released_too"))
        context.print("released too: " + printable(name.get<std::string>()) + "\n");
    context.print(fmt::format("released; in force on all workers within {:.0f} us\n",
                              answer.value("live_us", 0.0)));
    return kOk;
}

}  // namespace

void add_reservations_commands(CLI::App& root, Context& context) {
    add_command(root, "reservations",
                "List whose packets leave which port by when, and what ports have left to promise",
                "ravelin reservations", context, [&context] { return show(context); });
    auto wish = std::make_shared<Wish>();
    CLI::App& reserve_command = add_command(
        root, "reserve",
        "Reserve a deadline for a principal's packets, of cycles, a port with a rate, or both, "
        "until it is released",
        "ravelin reserve calls --principal org/voice --bytes 200 --rate 1kpps --deadline 5ms "
        "--out wan",
        context, [&context, wish] { return reserve(context, *wish); });
    const auto text_option = [&](const char* option, std::string& value, const char* help) {
        return reserve_command.add_option(option, value, help)->type_name("TEXT");
    };
    reserve_command.add_option("NAME", wish->name, "What it is called; no two have the same")
        ->required();
    text_option("--principal", wish->principal, "Whose packets it is for")->required();
    const auto list_option = [&](const char* option, std::vector<std::string>& values,
                                 const char* help) {
        return reserve_command.add_option(option, values, help)
            ->type_name("TEXT")
            ->allow_extra_args(false);
    };
    list_option("--cpu", wish->cpu,
                "Cycles that its functions take for a packet, such as 600cyc/pkt, again for each "
                "of functions that pass packets on, or those of another, such as \"shared-with "
                "org/transcoder\"; auto: a quarter more than 99.9 % of its packets have taken");
    CLI::Option* out =
        list_option("--out", wish->out,
                    "Port they leave by, one with a rate, or on what another has of it, such as "
                    "\"wan shared-with org/a\"; again for others");
    text_option("--bytes", wish->bytes, "Of the longest IP packet, with --out")->needs(out);
    text_option("--rate", wish->rate, "Packets a second, such as 10kpps")->required();
    text_option(
        "--deadline", wish->deadline,
        "From when a packet comes to its function, or to the port's queue, until it has left, "
        "such as 2ms; default: one over the rate");
    text_option("--relaxation", wish->relaxation,
                "What becomes of the part of the deadline that its resources do not need: "
                "equal-utilisation (default), fixed or proportional");
    reserve_command.add_flag("--dry-run", wish->dry_run,
                             "Say whether it fits, and reserve nothing");
    auto gone = std::make_shared<Wish>();
    CLI::App& release_command = add_command(
        root, "release", "Give back what was reserved by ravelin reserve", "ravelin release calls",
        context, [&context, gone] { return release(context, *gone); });
    release_command.add_option("NAME", gone->name, "Of the reservation")->required();
    release_command.add_flag("--force", gone->force, "Release those that share of it as well");
}

}  // namespace ravelin::cli
