// SPDX-License-Identifier: Apache-2.0
// Node: one value of the typed configuration tree that both processes exchange. Built by the
// control plane from YAML (which already fills defaults), checked again by the data plane.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dataplane/address.h"
#include "dataplane/config/schema.h"
#include "dataplane/result.h"

namespace ravelin::config {

struct PortRange {
    uint16_t low = 0, high = 0xffff;
    bool operator==(const PortRange&) const = default;
};

class Node {
  public:
    enum class Kind : uint8_t { kNull, kInteger, kText, kBlob, kList, kMap };
    using Member = std::pair<std::string, Node>;

    Node() = default;
    static Node integer(int64_t v) {
        Node n(Kind::kInteger);
        n.integer_ = v;
        return n;
    }
    static Node text(std::string v) {
        Node n(Kind::kText);
        n.bytes_ = std::move(v);
        return n;
    }
    static Node blob(std::string v) {
        Node n(Kind::kBlob);
        n.bytes_ = std::move(v);
        return n;
    }
    static Node list() { return Node(Kind::kList); }
    static Node map() { return Node(Kind::kMap); }

    [[nodiscard]] Kind kind() const { return kind_; }
    [[nodiscard]] bool is_null() const { return kind_ == Kind::kNull; }
    [[nodiscard]] int64_t as_integer() const { return integer_; }
    [[nodiscard]] bool as_bool() const { return integer_ != 0; }
    /// Text or blob bytes; empty for other kinds.
    [[nodiscard]] const std::string& as_text() const { return bytes_; }
    [[nodiscard]] const std::string& as_blob() const { return bytes_; }
    [[nodiscard]] IpAddress as_address() const;  ///< of a kAddress, kPrefix, kInterface
    [[nodiscard]] Prefix as_prefix() const;      ///< of a kPrefix, kInterface
    [[nodiscard]] MacAddress as_mac() const;
    [[nodiscard]] std::vector<Prefix> as_prefixes() const;  ///< of a kPrefixSet
    [[nodiscard]] std::vector<PortRange> as_ports() const;  ///< of a kPortSet
    [[nodiscard]] std::vector<std::string> as_names() const;
    /// "@name", where a live set may stand.
    [[nodiscard]] bool names_live_set() const {
        return kind_ == Kind::kText && bytes_.size() > 1 && bytes_.front() == '@';
    }

    /// List items.
    [[nodiscard]] const std::vector<Node>& items() const { return items_; }
    std::vector<Node>& items() { return items_; }
    /// Map members in the order they were added.
    [[nodiscard]] const std::vector<Member>& members() const { return members_; }
    std::vector<Member>& members() { return members_; }
    void add(Node item) { items_.push_back(std::move(item)); }
    void set(std::string_view name, Node value);
    /// The member, or a null node where absent.
    [[nodiscard]] const Node& operator[](std::string_view name) const;
    [[nodiscard]] bool has(std::string_view name) const { return !(*this)[name].is_null(); }
    bool operator==(const Node&) const = default;

    static std::string encode(const Prefix& p);                    ///< 17 bytes
    static std::string encode(const std::vector<Prefix>& set);     ///< 17 bytes each
    static std::string encode(const std::vector<PortRange>& set);  ///< 4 bytes each

  private:
    explicit Node(Kind kind) : kind_(kind) {}
    Kind kind_ = Kind::kNull;
    int64_t integer_ = 0;
    std::string bytes_;
    std::vector<Node> items_;
    std::vector<Member> members_;
};

/// Finds the schema of a stage by its name; null where there is none.
using StageSchemas = const Schema* (*)(std::string_view stage);

/// Checks a typed tree against its schema: kinds, blob sizes, ranges, words, required and unknown
/// members. For what crosses the process boundary; the message names the member's path.
Status conforms(const Node& tree, const Schema& schema, StageSchemas stages);

/// Trees of earlier builds: where the schema has a list of texts now and the tree one text, that
/// becomes a list of one. To be asked before conforms(), of what was stored or sent.
void widen_texts(Node& tree, const Schema& schema, StageSchemas stages);

}  // namespace ravelin::config
