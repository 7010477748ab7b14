// SPDX-License-Identifier: Apache-2.0
// The table nat as rules of the stage nat. What is left out is not translated; the firewall judges
// it all the same.
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
    std::string ports;
};

std::optional<To> to_of(const std::string& text) {
    To out;
    const size_t colon = text.find(':');
    const std::string addresses = text.substr(0, colon);
    if (colon != text.npos) out.ports = text.substr(colon + 1);
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

class NatRules {
  public:
    NatRules(const File& file, const Interfaces& interfaces, Names& names, Remarks& remarks)
        : file_(file), interfaces_(interfaces), names_(names), remarks_(remarks) {}

    std::vector<std::string> run() {
        const auto table = file_.tables.find("nat");
        if (table == file_.tables.end()) return {};
        if (file_.v6) {
            for (const auto& [name, chain] : table->second)
                for (const Line& line : chain.lines) remarks_.on(line, "IPv6 is not translated");
            return {};
        }
        for (const char* chain : {"OUTPUT", "INPUT"})
            if (const auto found = table->second.find(chain); found != table->second.end())
                for (const Line& line : found->second.lines)
                    remarks_.on(line, "what the box itself sends or gets is not translated");
        const Box all = universe(interfaces_, false);
        for (const char* chain : {"PREROUTING", "POSTROUTING"}) {
            Flattener flattener(file_, "nat", Flattener::Use::kTranslate, remarks_);
            for (const Decision& d : flattener.run(chain, all)) translate(d);
        }
        return std::move(out_);
    }

  private:
    static std::string option(const Decision& d, const char* name) {
        const auto found = d.line->options.find(name);
        return found == d.line->options.end() ? "" : found->second;
    }
    void translate(const Decision& d) {
        if (d.kind == Decision::Kind::kLog) return remarks_.on(*d.line, "nat does not log");
        if (d.kind != Decision::Kind::kTranslate) return remarks_.on(*d.line, "nat denies nothing");
        if (!d.members.empty())
            return remarks_.on(*d.line, fmt::format("left out: nat does not match by {}",
                                                    d.members.begin()->first));
        if (!d.box.in[kState].holds(kNew))
            return remarks_.on(*d.line, "left out: no flow begins so");
        if (d.box.in[kIcmpType] != Numbers(0, 255))
            return remarks_.on(*d.line, "left out: nat does not match by ICMP type");
        const std::string& target = d.line->target;
        if (target == "MASQUERADE") return source(d, "masquerade", {}, option(d, "--to-ports"));
        if (target == "SNAT") {
            const auto to = to_of(option(d, "--to-source"));
            if (!to) return remarks_.on(*d.line, "left out: expected an IPv4 address or range");
            return source(d, "source", to->addresses, to->ports);
        }
        if (target == "DNAT") return destination(d);
        remarks_.on(*d.line, fmt::format("left out: nat has no {}", target));
    }
    void source(const Decision& d, const char* kind, const Numbers& addresses,
                const std::string& ports) {
        Box box = d.box;
        box.in[kOut] = box.in[kOut].without({interfaces_.local(), interfaces_.local()});
        if (box.in[kOut] == universe(interfaces_, false)
                                .in[kOut]
                                .without({interfaces_.local(), interfaces_.local()}))
            box.in[kOut] = universe(interfaces_, false).in[kOut];
        if (box.in[kOut].empty()) return remarks_.on(*d.line, "left out: it leaves by no port");
        std::string line = begin(d, kind, box);
        if (!addresses.empty()) line += ", address: " + prefixes_text(addresses, false);
        if (!ports.empty()) line += ", ports: " + ports;
        out_.push_back(line + "}");
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
        if (!to->ports.empty()) line += ", ports: " + to->ports;
        out_.push_back(line + "}");
    }
    std::string begin(const Decision& d, const char* kind, const Box& box) {
        return fmt::format("{{name: {}, kind: {}", names_.unique(d.name), kind) +
               members_of(box, interfaces_, false);
    }

    const File& file_;
    const Interfaces& interfaces_;
    Names& names_;
    Remarks& remarks_;
    std::vector<std::string> out_;
};

}  // namespace

std::vector<std::string> nat_rules(const File& file, const Interfaces& interfaces, Names& names,
                                   Remarks& remarks) {
    return NatRules(file, interfaces, names, remarks).run();
}

}  // namespace ravelin::import
