// SPDX-License-Identifier: Apache-2.0
// Reader, continued: values that are one item or a list of items.
#include <algorithm>
#include <unordered_set>

#include "controlplane/config/reader.h"
#include "controlplane/config/scalars.h"
#include "controlplane/config/wording.h"

namespace ravelin::config {
namespace {

/// Calls `each` for the one scalar, or for every scalar of a list. `expected` words the error.
template <typename Each>
Status for_each_scalar(Context& context, const Raw& raw, std::string_view expected, Each each) {
    const auto item = [&](const Raw& at) -> Status {
        if (!at.is_scalar()) return context.unexpected(at, expected);
        Status s = each(at);
        return s ? ok_status() : Status(context.error(at, s.error().message));
    };
    if (!raw.is_list()) return item(raw);
    for (size_t i = 0; i < raw.items.size(); ++i) {
        Step step(context, i);
        if (auto s = item(*raw.items[i]); !s) return s;
    }
    return ok_status();
}

}  // namespace

Result<Node> Reader::enum_set(const Raw& raw, const Field& field) {
    uint64_t bits = 0;
    const auto add = [&](const Raw& at) -> Status {
        const auto word = parse_word(field, at.text);
        if (!word) return word.error();
        bits |= uint64_t{1} << *word;
        return ok_status();
    };
    if (auto s = for_each_scalar(context_, raw, expectation_of(field), add); !s) return s.error();
    return Node::integer(static_cast<int64_t>(bits));
}

Result<Node> Reader::interface_set(const Raw& raw, const Field& field) {
    std::string blob;
    std::unordered_set<std::string> seen;
    const auto add = [&](const Raw& at) -> Status {
        const auto prefix = Prefix::parse(at.text);
        if (!prefix)
            return Error{
                fmt::format("found {}, expected {}", shown(at.text), expectation_of(field))};
        const std::string bytes = Node::encode(*prefix);
        if (!seen.insert(bytes).second)
            return Error{fmt::format("the address {} stands here twice", shown(at.text))};
        blob += bytes;  // in the order written: the first is the primary one
        return ok_status();
    };
    if (auto s = for_each_scalar(context_, raw, expectation_of(field), add); !s) return s.error();
    return Node::blob(std::move(blob));
}

Result<Node> Reader::port_set(const Raw& raw, const Field& field) {
    std::vector<PortRange> ranges;
    const auto add = [&](const Raw& at) -> Status {
        const auto range = parse_ports(at.text);
        if (!range) return range.error();
        ranges.push_back(*range);
        return ok_status();
    };
    if (auto s = for_each_scalar(context_, raw, expectation_of(field), add); !s) return s.error();
    const auto key = [](PortRange r) { return uint32_t{r.low} << 16 | r.high; };
    std::ranges::sort(ranges, {}, key);
    ranges.erase(std::unique(ranges.begin(), ranges.end()), ranges.end());
    return Node::blob(Node::encode(ranges));
}

Result<Node> Reader::name_set(const Raw& raw, const Field& field) {
    Node out = Node::list();
    std::unordered_set<std::string_view> seen;
    const auto add = [&](const Raw& at) -> Status {
        if (!is_name(at.text))
            return Error{
                fmt::format("found {}, expected a name of 1 to 63 letters, digits and - _ . /",
                            shown(at.text))};
        if (!seen.insert(at.text).second)
            return Error{fmt::format("the name {} stands here twice", shown(at.text))};
        out.add(Node::text(at.text));
        return ok_status();
    };
    if (auto s = for_each_scalar(context_, raw, expectation_of(field), add); !s) return s.error();
    return out;
}

Result<Node> Reader::text_set(const Raw& raw, const Field& field) {
    Node out = Node::list();
    const auto add = [&](const Raw& at) -> Status {
        out.add(Node::text(at.text));
        return ok_status();
    };
    if (auto s = for_each_scalar(context_, raw, expectation_of(field), add); !s) return s.error();
    return out;
}

}  // namespace ravelin::config
