// SPDX-License-Identifier: Apache-2.0
// A configuration schema as constexpr data. A stage declares its own; the control plane validates
// YAML with it, the data plane decodes the received tree with it, docs/configuration.md is
// generated from it. One declaration, three uses.
#pragma once
#include <cstdint>
#include <span>
#include <string_view>

namespace ravelin::config {

/// What a field holds; how YAML writes it -> how the typed tree (Node) carries it.
enum class Type : uint8_t {
    kBool,          ///< true | false                       -> integer 0 or 1
    kInteger,       ///< 42                                  -> integer
    kText,          ///< any scalar                          -> text
    kName,          ///< letters, digits, - _ . / ; 1-63     -> text
    kEnum,          ///< one of `words`                      -> text (the word)
    kEnumSet,       ///< word or [word, ...]                 -> integer, bit i = words[i]
    kDuration,      ///< 10ms, 5s, 2m, 1h (unit required)    -> integer, nanoseconds
    kSize,          ///< 1500B, 64KB, 4MiB (unit required)   -> integer, bytes
    kRate,          ///< 10Mbit, 1Gbit (unit required)       -> integer, bits per second
    kPacketRate,    ///< 100pps, 10kpps (unit required)      -> integer, packets per second
    kCycleRate,     ///< 200Mcyc/s, 1Gcyc/s (unit required)  -> integer, cycles per second
    kAddress,       ///< 192.0.2.1 | 2001:db8::1             -> blob, 16 bytes (IpAddress)
    kPrefix,        ///< 192.0.2.0/24 (no host bits)         -> blob, 17 bytes (address, length)
    kInterface,     ///< 192.0.2.1/24 (host bits kept)       -> blob, 17 bytes
    kInterfaceSet,  ///< interface | [interface, ...]     -> blob, 17 bytes each
    kMac,           ///< 02:00:00:00:00:01                   -> blob, 6 bytes
    kPrefixSet,     ///< prefix | @set | {file: F} | a list  -> blob, 17 bytes each
    kPortSet,       ///< 80 | 1000-2000 | a list of these    -> blob, 4 bytes each (low, high; BE)
    kNameSet,       ///< name | [name, ...]                  -> list of text
    kTextSet,       ///< scalar | [scalar, ...]              -> list of text, some may be alike
    kLiveSet,       ///< "@name" of a live set               -> text ("@name")
    kMap,           ///< a map described by `nested`         -> map
    kList,          ///< a list of maps described by `nested` -> list of map
    kStages,        ///< the pipeline: list of one-key maps  -> list of map {stage name: its config}
    kSets,          ///< {name: prefix set, ...}             -> map of name to blob (17 bytes each);
                    ///< {name: {type: ...}} is a live set   -> map described by `nested`
};

struct Schema;

struct Field {
    std::string_view name;
    Type type = Type::kText;
    std::string_view help;           ///< one sentence for the operator, ends with a full stop
    std::string_view fallback = {};  ///< default as YAML text; empty: absent unless given
    bool required = false;
    std::span<const std::string_view> words = {};      ///< kEnum, kEnumSet
    const Schema* nested = nullptr;                    ///< kMap, kList
    int64_t minimum = INT64_MIN, maximum = INT64_MAX;  ///< integers, in the tree's unit
    bool live = false;  ///< kPrefixSet, kPortSet: may be "@name" of a live set, as kLiveSet
};

struct Schema {
    std::string_view name;  ///< as in the reference: "rule", "stage firewall"
    std::string_view help;
    std::span<const Field> fields;

    [[nodiscard]] constexpr const Field* find(std::string_view field) const {
        for (const Field& f : fields)
            if (f.name == field) return &f;
        return nullptr;
    }
};

}  // namespace ravelin::config
