// SPDX-License-Identifier: Apache-2.0
// The table nat as rules of the stage nat. What is left out is not translated; where that would
// have given it another destination, it is denied.
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "controlplane/import/filter_rules.h"
#include "controlplane/import/iptables_words.h"
#include "dataplane/address.h"

namespace ravelin::import {
namespace {

/// "192.0.2.1", "192.0.2.1-192.0.2.9", each with ":80" or ":1000-2000".
struct To {
    Numbers addresses;
    Numbers ports;  ///< empty: as they were
};

/// "80", "1000-2000".
bool add_ports(const std::string& text, Numbers& to) {
    const size_t dash = text.find('-');
    const auto low = number_of(text.substr(0, dash), 65535);
    const auto high = dash == text.npos ? low : number_of(text.substr(dash + 1), 65535);
    if (!low || !high || *high < *low) return false;
    to.add(*low, *high);
    return true;
}

std::optional<To> to_of(const std::string& text) {
    To out;
    const size_t colon = text.find(':');
    const std::string addresses = text.substr(0, colon);
    if (colon != text.npos && !add_ports(text.substr(colon + 1), out.ports)) return std::nullopt;
    const size_t dash = addresses.find('-');
    const auto low = IpAddress::parse(addresses.substr(0, dash));
    const auto high = dash == addresses.npos ? low : IpAddress::parse(addresses.substr(dash + 1));
    if (!low || !high || !low->is_v4() || !high->is_v4() || high->v4_host() < low->v4_host())
        return std::nullopt;
    out.addresses = {low->v4_host(), high->v4_host()};
    return out;
}

bool one(const Numbers& numbers) {
    return numbers.ranges().size() == 1 && numbers.ranges()[0].low == numbers.ranges()[0].high;
}

class Nat {
  public:
    Nat(const File& file, const Interfaces& interfaces, Names& names, Remarks& remarks)
        : file_(file), interfaces_(interfaces), names_(names), remarks_(remarks) {}

    NatRules run() {
        const auto table = file_.tables.find("nat");
        if (table == file_.tables.end()) return {};
        for (const char* chain : {"OUTPUT", "INPUT"})
            if (const auto found = table->second.find(chain); found != table->second.end())
                for (const Line& line : found->second.lines)
                    remarks_.on(line, "what the box itself sends or gets is not translated");
        Flattener flattener(file_, "nat", Flattener::Use::kTranslate, remarks_);
        const Box all = universe(interfaces_, file_.v6);
        for (const Decision& d : flattener.run("PREROUTING", all))
            d.denies() ? deny(d) : translate_rest(d);
        for (const Decision& d : flattener.run("POSTROUTING", all))
            if (!d.denies())
                translate(d);
            else if (!translates(d.line))
                deny_leaving(d);
        return std::move(out_);
    }

  private:
    static bool translates(const Line* line) {
        return line != nullptr && line->target != "DROP" && line->target != "REJECT";
    }
    static std::string option(const Decision& d, const char* name) {
        const auto found = d.line->options.find(name);
        return found == d.line->options.end() ? "" : found->second;
    }
    static Box fresh(Box box) {
        box.in[kState] = {kNew, kNew};
        return box;
    }
    // What a rule before, left out, would have taken is not for this one.
    void translate_rest(const Decision& d) {
        Region region{d.box};
        for (const Box& box : denied_)
            if (!take_away(region, box, kMostBoxes))
                return remarks_.on(*d.line, "left out: too many exceptions");
        for (Box& box : region) {
            Decision rest = d;
            rest.box = std::move(box);
            translate(rest);
        }
    }
    // All that has no rule here although the source's line may take it.
    void deny(const Decision& d) {
        if (!d.box.in[kState].holds(kNew)) return;
        Region region{fresh(d.box)};
        for (const Destination& to : out_.destinations)
            take_away(region, fresh(to.box), kMostBoxes);
        for (Box& box : region) {
            Decision denial = d;
            denial.box = box;
            if (translates(d.line)) {
                denial.name += "-untranslated";
                remarks_.on(*d.line, "denied: what is not translated would go where it never went");
            }
            out_.denials.push_back(std::move(denial));
            box.in[kState] = d.box.in[kState];
            denied_.push_back(std::move(box));
        }
    }
    void deny_leaving(const Decision& d) {
        if (!d.box.in[kState].holds(kNew)) return;
        Decision denial = d;
        denial.box = fresh(d.box);
        denial.box.in[kOut] = d.box.in[kOut].without({interfaces_.local(), interfaces_.local()});
        if (!denial.box.empty()) out_.denials.push_back(std::move(denial));
    }
    void translate(const Decision& d) {
        if (d.kind == Decision::Kind::kLog) return remarks_.on(*d.line, "nat does not log");
        if (file_.v6) return remarks_.on(*d.line, "left out: IPv6 is not translated");
        if (!d.members.empty())
            return remarks_.on(*d.line, fmt::format("left out: nat does not match by {}",
                                                    d.members.begin()->first));
        if (!d.box.in[kState].holds(kNew))
            return remarks_.on(*d.line, "left out: no flow begins so");
        if (d.box.in[kIcmpType] != Numbers(0, 255))
            return remarks_.on(*d.line, "left out: nat does not match by ICMP type");
        const std::string& target = d.line->target;
        if (target == "MASQUERADE") {
            To to;
            const std::string ports = option(d, "--to-ports");
            if (!ports.empty() && !add_ports(ports, to.ports))
                return remarks_.on(*d.line, "left out: expected a port or a range of them");
            return source(d, "masquerade", to);
        }
        if (target == "SNAT") {
            const auto to = to_of(option(d, "--to-source"));
            if (!to) return remarks_.on(*d.line, "left out: expected an IPv4 address or range");
            return source(d, "source", *to);
        }
        if (target == "DNAT") return destination(d);
        remarks_.on(*d.line, fmt::format("left out: nat has no {}", target));
    }
    void source(const Decision& d, const char* kind, const To& to) {
        Box box = d.box;
        const Numbers any = universe(interfaces_, false).in[kOut];
        const Numbers local(interfaces_.local(), interfaces_.local());
        box.in[kOut] = box.in[kOut].without(local);
        if (box.in[kOut] == any.without(local)) box.in[kOut] = any;
        if (box.in[kOut].empty()) return remarks_.on(*d.line, "left out: it leaves by no port");
        std::string line = begin(d, kind, box);
        if (!to.addresses.empty()) line += ", address: " + prefixes_text(to.addresses, false);
        if (!to.ports.empty()) line += ", ports: " + ports_text(to.ports);
        out_.lines.push_back(line + "}");
    }
    void destination(const Decision& d) {
        const auto to = to_of(option(d, "--to-destination"));
        if (!to || !one(to->addresses))
            return remarks_.on(*d.line, "left out: expected one IPv4 address to go to");
        const Box all = universe(interfaces_, false);
        if (d.box.in[kDestination] == all.in[kDestination])
            return remarks_.on(
                *d.line, "left out: it names no address that packets arrive for, which nat needs");
        if (!to->ports.empty() && d.box.in[kDestinationPort] == all.in[kDestinationPort])
            return remarks_.on(*d.line, "left out: a new port for packets to any port");
        if (!one(d.box.in[kDestination]))
            return remarks_.on(*d.line, "left out: several addresses go to one, which nat has not");
        Box box = d.box;
        box.in[kOut] = all.in[kOut];
        std::string line = begin(d, "destination", box);
        line += ", address: " + prefixes_text(to->addresses, false);
        if (!to->ports.empty()) line += ", ports: " + ports_text(to->ports);
        out_.lines.push_back(line + "}");
        out_.destinations.push_back({box, to->addresses, to->ports});
    }
    std::string begin(const Decision& d, const char* kind, const Box& box) {
        return fmt::format("{{name: {}, kind: {}", names_.unique(d.name), kind) +
               members_of(box, interfaces_, false);
    }

    const File& file_;
    const Interfaces& interfaces_;
    Names& names_;
    Remarks& remarks_;
    NatRules out_;
    Region denied_;  // of PREROUTING, in all states
};

}  // namespace

NatRules nat_rules(const File& file, const Interfaces& interfaces, Names& names, Remarks& remarks) {
    return Nat(file, interfaces, names, remarks).run();
}

}  // namespace ravelin::import
