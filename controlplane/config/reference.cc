// SPDX-License-Identifier: Apache-2.0
#include "controlplane/config/reference.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

#include "controlplane/config/quantity.h"

namespace ravelin::config {
namespace {

constexpr std::string_view kIntroduction =
    "# Configuration reference\n\n"
    "<!-- Generated from the schemas in the source; do not edit. -->\n\n"
    "One YAML document. An unknown key, a missing required one or a number without its unit is an\n"
    "error with file, line and column. An empty map may be left out after its key.\n";

constexpr std::string_view kValues =
    "\n## How values are written\n\n"
    "| type | written as |\n|---|---|\n"
    "| duration | `10ms`, `5s`, `1.5h`; units ns, us, ms, s, m, h, d |\n"
    "| size | `1500B`, `64KB` (64,000), `4MiB`; units B, KB, KiB, MB, MiB, GB, GiB |\n"
    "| rate | bits per second: `10Mbit`, `1.5Gbit`; units bit, Kbit, Mbit, Gbit |\n"
    "| packet rate | packets per second: `100pps`, `10kpps`; units pps, kpps, Mpps |\n"
    "| cycle rate | cycles of the CPU's time-stamp counter per second: `200Mcyc/s`, `1.5Gcyc/s`; "
    "units cyc/s, kcyc/s, Mcyc/s, Gcyc/s |\n"
    "| name | 1 to 63 letters, digits and `-` `_` `.` `/` |\n"
    "| prefix | `192.0.2.0/24`, `2001:db8::/32`; a bare address is a host; no host bits |\n"
    "| interface address | `192.0.2.1/24`; host bits kept |\n"
    "| prefix set | a prefix, `\"@name\"` of a set (quotes needed), `{file: path}`, or a list of "
    "these |\n"
    "| port set | `80`, `1000-2000`, or a list of these |\n\n"
    "A prefix file holds one prefix a line, `#` comments and blank lines; it may be gzipped. Its\n"
    "path is relative to the YAML file.\n";

std::string anchor(std::string_view heading) {
    std::string out;
    for (const char c : heading) {
        if (c == ' ')
            out += '-';
        else if (c >= 'A' && c <= 'Z')
            out += static_cast<char>(c - 'A' + 'a');
        else if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_')
            out += c;
    }
    return out;
}

std::string cell(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c == '|') out += '\\';
        out += c == '\n' ? ' ' : c;
    }
    return out;
}

std::string link(const Field& field) {
    if (field.nested == nullptr) return "map";
    return fmt::format("[{}](#{})", field.nested->name, anchor(field.nested->name));
}

std::string words(const Field& field) {
    return fmt::format("`{}`", fmt::join(field.words, "`, `"));
}

struct TypeName {
    Type type;
    std::string_view name;
};
constexpr std::array kTypeNames{
    TypeName{Type::kBool, "`true` or `false`"},
    TypeName{Type::kInteger, "integer"},
    TypeName{Type::kText, "text"},
    TypeName{Type::kName, "name"},
    TypeName{Type::kDuration, "duration"},
    TypeName{Type::kSize, "size"},
    TypeName{Type::kRate, "rate"},
    TypeName{Type::kPacketRate, "packet rate"},
    TypeName{Type::kCycleRate, "cycle rate"},
    TypeName{Type::kAddress, "address"},
    TypeName{Type::kPrefix, "prefix"},
    TypeName{Type::kInterface, "interface address"},
    TypeName{Type::kInterfaceSet, "interface address or list of these"},
    TypeName{Type::kMac, "MAC address"},
    TypeName{Type::kPrefixSet, "prefix set"},
    TypeName{Type::kPortSet, "port set"},
    TypeName{Type::kNameSet, "name or list of names"},
    TypeName{Type::kTextSet, "text or list of texts"},
    TypeName{Type::kLiveSet, "`\"@name\"` of a live set"},
    TypeName{Type::kStages, "list of stages"},
    TypeName{Type::kSets, "map of name to prefix set"},
};

std::string type_name(const Field& field) {
    switch (field.type) {
        case Type::kEnum:
            return "one of " + words(field);
        case Type::kEnumSet:
            return "any of " + words(field);
        case Type::kMap:
            return link(field);
        case Type::kList:
            return "list of " + link(field);
        case Type::kSets:
            if (field.nested == nullptr) break;
            return "map of name to prefix set or to " + link(field);
        default:
            break;
    }
    std::string name(std::ranges::find(kTypeNames, field.type, &TypeName::type)->name);
    return field.live ? name + ", or `\"@name\"` of a live set" : name;
}

std::string row(const Field& field) {
    std::string type = type_name(field);
    const bool counted = field.type == Type::kInteger || !units_of(field.type).empty();
    const std::string range = counted ? format_range(field) : std::string();
    if (!range.empty()) type += ", " + range;
    std::string fallback = field.fallback.empty() ? "" : fmt::format("`{}`", field.fallback);
    if (field.required && field.fallback.empty()) fallback = "**required**";
    return fmt::format("| `{}` | {} | {} | {} |\n", field.name, cell(type), cell(fallback),
                       cell(field.help));
}

/// `schema` and all it nests, outer before inner, each name once.
void collect(const Schema& schema, std::vector<const Schema*>& out) {
    const auto same = [&](const Schema* s) { return s->name == schema.name; };
    if (std::ranges::any_of(out, same)) return;
    out.push_back(&schema);
    for (const Field& field : schema.fields)
        if (field.nested != nullptr) collect(*field.nested, out);
}

std::string section(const Schema& schema) {
    std::string out = fmt::format("\n## {}\n\n{}\n", schema.name, schema.help);
    if (schema.fields.empty()) return out + "\nNo settings.\n";
    out += "\n| field | type | default | meaning |\n|---|---|---|---|\n";
    for (const Field& field : schema.fields) out += row(field);
    return out;
}

}  // namespace

std::string reference_markdown(const Schema& top, std::span<const Schema* const> stages) {
    std::vector<const Schema*> schemas;
    collect(top, schemas);
    for (const Schema* stage : stages) collect(*stage, schemas);
    std::string out(kIntroduction);
    for (const Schema* schema : schemas) out += section(*schema);
    out += kValues;
    return out;
}

}  // namespace ravelin::config
