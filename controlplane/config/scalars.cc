// SPDX-License-Identifier: Apache-2.0
#include "controlplane/config/scalars.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "controlplane/config/quantity.h"
#include "controlplane/config/wording.h"

namespace ravelin::config {
namespace {

Error unexpected(std::string_view text, std::string_view expected) {
    return Error{fmt::format("found {}, expected {}", shown(text), expected)};
}

Result<Node> number(const Field& field, std::string_view text) {
    const auto value = parse_quantity(field.type, text);
    if (!value) return value.error();
    if (*value < field.minimum || *value > field.maximum)
        return unexpected(text, format_range(field));
    return Node::integer(*value);
}

Result<Node> boolean(std::string_view text) {
    if (text != "true" && text != "false") return unexpected(text, "true or false");
    return Node::integer(text == "true" ? 1 : 0);
}

Result<Node> address(const Field& field, std::string_view text) {
    const auto parsed = IpAddress::parse(text);
    if (!parsed) return unexpected(text, expectation_of(field));
    return Node::blob(std::string(reinterpret_cast<const char*>(parsed->bytes.data()), 16));
}

Result<Node> interface(const Field& field, std::string_view text) {
    const auto parsed = Prefix::parse(text);
    if (!parsed) return unexpected(text, expectation_of(field));
    return Node::blob(Node::encode(*parsed));
}

Result<Node> prefix(std::string_view text) {
    const auto parsed = parse_prefix(text);
    if (!parsed) return parsed.error();
    return Node::blob(Node::encode(*parsed));
}

Result<Node> mac(const Field& field, std::string_view text) {
    const auto parsed = MacAddress::parse(text);
    if (!parsed) return unexpected(text, expectation_of(field));
    return Node::blob(std::string(reinterpret_cast<const char*>(parsed->bytes.data()), 6));
}

std::string_view nested_name(const Field& field) {
    return field.nested == nullptr ? std::string_view("nested") : field.nested->name;
}

}  // namespace

Result<Prefix> parse_prefix(std::string_view text) {
    auto parsed = Prefix::parse(text);
    if (!parsed) return unexpected(text, "a prefix like 192.0.2.0/24 or 2001:db8::/32");
    if (!parsed->is_canonical())
        return Error{fmt::format("{} has host bits; did you mean {}?", shown(text),
                                 Prefix{parsed->first(), parsed->length}.to_string())};
    return *parsed;
}

Result<PortRange> parse_ports(std::string_view text) {
    const size_t dash = text.find('-');
    const auto port = [](std::string_view digits, uint16_t& out) {
        const char* end = digits.data() + digits.size();
        const auto [at, status] = std::from_chars(digits.data(), end, out);
        return status == std::errc{} && at == end;
    };
    PortRange range{0, 0};
    if (!port(text.substr(0, dash), range.low))
        return unexpected(text, "a port 0 to 65535 or a range like 1000-2000");
    range.high = range.low;
    if (dash != std::string_view::npos && !port(text.substr(dash + 1), range.high))
        return unexpected(text, "a port 0 to 65535 or a range like 1000-2000");
    if (range.low > range.high)
        return unexpected(text, fmt::format("the lower port first, {}-{}", range.high, range.low));
    return range;
}

Result<size_t> parse_word(const Field& field, std::string_view word) {
    const auto at = std::ranges::find(field.words, word);
    if (at != field.words.end()) return static_cast<size_t>(at - field.words.begin());
    return unexpected(
        word, fmt::format("one of {}{}", join(field.words), did_you_mean(word, field.words)));
}

namespace {

struct Expectation {
    Type type;
    std::string_view text;
};
constexpr std::array kExpectations{
    Expectation{Type::kBool, "true or false"},
    Expectation{Type::kText, "text"},
    Expectation{Type::kName, "a name of 1 to 63 letters, digits and - _ . /"},
    Expectation{Type::kAddress, "an address like 192.0.2.1 or 2001:db8::1"},
    Expectation{Type::kPrefix, "a prefix like 192.0.2.0/24 or 2001:db8::/32"},
    Expectation{Type::kInterface, "an address with a length, like 192.0.2.1/24"},
    Expectation{Type::kInterfaceSet,
                "an address with a length, like 192.0.2.1/24, or a list of these"},
    Expectation{Type::kMac, "a MAC address like 02:00:5e:10:00:01"},
    Expectation{Type::kPrefixSet, "a prefix, \"@set\", {file: path} or a list of these"},
    Expectation{Type::kPortSet, "a port, a range like 1000-2000 or a list of these"},
    Expectation{Type::kNameSet, "a name or a list of names"},
    Expectation{Type::kTextSet, "text or a list of texts"},
    Expectation{Type::kLiveSet, "\"@name\" of a live set"},
    Expectation{Type::kStages, "a list of stages"},
    Expectation{Type::kSets, "a map of names to prefix sets"},
};

}  // namespace

std::string expectation_of(const Field& field) {
    switch (field.type) {
        case Type::kEnum:
            return fmt::format("one of {}", join(field.words));
        case Type::kEnumSet:
            return fmt::format("a list of {}", join(field.words));
        case Type::kMap:
            return fmt::format("a {} map", nested_name(field));
        case Type::kList:
            return fmt::format("a list of {} maps", nested_name(field));
        default:
            break;
    }
    const auto* known = std::ranges::find(kExpectations, field.type, &Expectation::type);
    if (known != kExpectations.end()) return std::string(known->text);
    std::string message = parse_quantity(field.type, "").error().message;  // "found '', expected X"
    return message.substr(message.find("expected ") + 9);
}

Result<Node> parse_scalar(const Field& field, std::string_view text) {
    switch (field.type) {
        case Type::kBool:
            return boolean(text);
        case Type::kText:
            return Node::text(std::string(text));
        case Type::kName:
            if (!is_name(text)) return unexpected(text, expectation_of(field));
            return Node::text(std::string(text));
        case Type::kEnum:
            if (const auto word = parse_word(field, text); !word) return word.error();
            return Node::text(std::string(text));
        case Type::kAddress:
            return address(field, text);
        case Type::kPrefix:
            return prefix(text);
        case Type::kInterface:
            return interface(field, text);
        case Type::kMac:
            return mac(field, text);
        default:
            break;
    }
    const bool numeric = field.type == Type::kInteger || !units_of(field.type).empty();
    return numeric ? number(field, text) : unexpected(text, expectation_of(field));
}

}  // namespace ravelin::config
