// SPDX-License-Identifier: Apache-2.0
// Bad documents -> the exact line the operator reads.
#include <gtest/gtest.h>

#include "tests/unit/yaml_test_schema.h"

namespace ravelin::config::testing {
namespace {

struct Case {
    std::string_view yaml, error;
};

const Case kCases[] = {
    {"x", "edge.yaml:1:1: found 'x', expected a document map"},
    // -- keys --
    {"port: []",
     "edge.yaml:1:1: unknown key 'port'; did you mean 'ports'? known: sets, ports, limits, "
     "pipeline"},
    {"ports: [{name: a, speed: 1}]",
     "edge.yaml:1:19: ports[0]: unknown key 'speed'; known: name, mtu, address, extra, mac, "
     "rate, note, labels"},
    {"ports:\n- {name: a, name: b}", "edge.yaml:2:13: ports[0]: the key 'name' stands here twice"},
    {"ports: []\nports: []", "edge.yaml:2:1: the key 'ports' stands here twice"},
    {"ports:\n  - name: a\n  - mtu: 1500B\n",
     "edge.yaml:3:5: ports[1]: 'name' is missing, expected a name of 1 to 63 letters, "
     "digits and - _ . /"},
    {"[a]: b", "edge.yaml:1:1: found a list as a key, expected a word"},
    {"? {a: b}\n: c", "edge.yaml:1:3: found a map as a key, expected a word"},
    {"~: x", "edge.yaml:1:1: found nothing as a key, expected a word"},
    {"ports: {name: a}", "edge.yaml:1:8: ports: found a map, expected a list of port maps"},
    {"ports: [a]", "edge.yaml:1:9: ports[0]: found 'a', expected a port map"},
    {"limits: [1]", "edge.yaml:1:9: limits: found a list, expected a limits map"},
    {"- a", "edge.yaml:1:1: found a list, expected a document map"},
    {"<<: {}", "edge.yaml:1:1: unknown key '<<'; known: sets, ports, limits, pipeline"},
    // -- units --
    {"ports:\n  - name: a\n    mtu: 1500\n",
     "edge.yaml:3:10: ports[0].mtu: found '1500', expected a size with a unit, like 1500B, "
     "64KB or 4MiB"},
    {"ports: [{name: a, mtu: 1500b}]",
     "edge.yaml:1:24: ports[0].mtu: found '1500b', expected one of the units B, KB, KiB, "
     "MB, MiB, GB, GiB; did you mean 'B'?"},
    {"ports: [{name: a, mtu: 1.5B}]",
     "edge.yaml:1:24: ports[0].mtu: found '1.5B', which is not a whole number of B"},
    {"ports: [{name: a, mtu: 10B}]",
     "edge.yaml:1:24: ports[0].mtu: found '10B', expected 64B to 9KB"},
    {"ports: [{name: a, mtu: 64KiB}]",
     "edge.yaml:1:24: ports[0].mtu: found '64KiB', expected 64B to 9KB"},
    {"ports: [{name: a, mtu: 99999999999GiB}]",
     "edge.yaml:1:24: ports[0].mtu: found '99999999999GiB', which is too large"},
    {"ports: [{name: a, mtu: 0.0000000000000000001GiB}]",
     "edge.yaml:1:24: ports[0].mtu: found '0.0000000000000000001GiB', which has too many "
     "decimals"},
    {"ports: [{name: a, mtu: -1B}]",
     "edge.yaml:1:24: ports[0].mtu: found '-1B', expected a size with a unit, like 1500B, "
     "64KB or 4MiB"},
    {"ports: [{name: a, mtu: .5KB}]",
     "edge.yaml:1:24: ports[0].mtu: found '.5KB', expected a size with a unit, like 1500B, "
     "64KB or 4MiB"},
    {"ports: [{name: a, mtu: 1.KB}]",
     "edge.yaml:1:24: ports[0].mtu: found '1.KB', expected a size with a unit, like 1500B, "
     "64KB or 4MiB"},
    {"ports: [{name: a, mtu: }]",
     "edge.yaml:1:19: ports[0].mtu: found nothing, expected a size with a unit, like 1500B, "
     "64KB or 4MiB"},
    {"ports: [{name: a, mtu: [1B]}]",
     "edge.yaml:1:24: ports[0].mtu: found a list, expected a size with a unit, like 1500B, "
     "64KB or 4MiB"},
    {"ports: [{name: a, rate: 10mbit}]",
     "edge.yaml:1:25: ports[0].rate: found '10mbit', expected one of the units bit, Kbit, "
     "Mbit, Gbit; did you mean 'Mbit'?"},
    {"ports: [{name: a, rate: 10}]",
     "edge.yaml:1:25: ports[0].rate: found '10', expected a rate with a unit, like 10Mbit "
     "or 1.5Gbit"},
    {"pipeline: [firewall: {idle: 5}]",
     "edge.yaml:1:29: pipeline.firewall.idle: found '5', expected a duration with a unit, "
     "like 10ms, 5s or 2h"},
    {"pipeline: [firewall: {idle: 10ms}]",
     "edge.yaml:1:29: pipeline.firewall.idle: found '10ms', expected at least 1s"},
    {"pipeline: [police: {limit: 100}]",
     "edge.yaml:1:28: pipeline.police.limit: found '100', expected a packet rate with a "
     "unit, like 100pps or 10kpps"},
    {"pipeline: [police: {limit: 2Mpps}]",
     "edge.yaml:1:28: pipeline.police.limit: found '2Mpps', expected at most 1Mpps"},
    {"pipeline: [police: {limit: 5kps}]",
     "edge.yaml:1:28: pipeline.police.limit: found '5kps', expected one of the units pps, "
     "kpps, Mpps; did you mean 'pps'?"},
    {"limits: {cycles: 200}",
     "edge.yaml:1:18: limits.cycles: found '200', expected cycles a second with a unit, like "
     "200Mcyc/s or 1.5Gcyc/s"},
    {"limits: {cycles: 200Mcyc}",
     "edge.yaml:1:18: limits.cycles: found '200Mcyc', expected one of the units cyc/s, kcyc/s, "
     "Mcyc/s, Gcyc/s"},
    {"limits: {cycles: 2.1Gcyc/s}",
     "edge.yaml:1:18: limits.cycles: found '2.1Gcyc/s', expected 1Mcyc/s to 2Gcyc/s"},
    // -- scalars --
    {"limits: {flows: 0}", "edge.yaml:1:17: limits.flows: found '0', expected at least 1"},
    {"limits: {flows: 1.5}", "edge.yaml:1:17: limits.flows: found '1.5', expected a whole number"},
    {"limits: {flows: 010}", "edge.yaml:1:17: limits.flows: found '010', expected a whole number"},
    {"limits: {flows: 99999999999999999999}",
     "edge.yaml:1:17: limits.flows: found '99999999999999999999', which is too large"},
    {"limits: {server: 10.0.0.256}",
     "edge.yaml:1:18: limits.server: found '10.0.0.256', expected an address like 192.0.2.1 "
     "or 2001:db8::1"},
    {"limits: {network: 10.0.0.1/8}",
     "edge.yaml:1:19: limits.network: '10.0.0.1/8' has host bits; did you mean 10.0.0.0/8?"},
    {"limits: {network: 2001:db8::1/32}",
     "edge.yaml:1:19: limits.network: '2001:db8::1/32' has host bits; did you mean "
     "2001:db8::/32?"},
    {"limits: {network: 10.0.0.0/33}",
     "edge.yaml:1:19: limits.network: found '10.0.0.0/33', expected a prefix like "
     "192.0.2.0/24 or 2001:db8::/32"},
    {"ports: [{name: a b}]",
     "edge.yaml:1:16: ports[0].name: found 'a b', expected a name of 1 to 63 letters, "
     "digits and - _ . /"},
    {"ports: [{name: }]",
     "edge.yaml:1:10: ports[0].name: found nothing, expected a name of 1 to 63 letters, "
     "digits and - _ . /"},
    {"ports: [{name: a, mac: 02:00}]",
     "edge.yaml:1:24: ports[0].mac: found '02:00', expected a MAC address like "
     "02:00:5e:10:00:01"},
    {"ports: [{name: a, address: x}]",
     "edge.yaml:1:28: ports[0].address: found 'x', expected an address with a length, like "
     "192.0.2.1/24"},
    {"ports: [{name: a, extra: [10.0.0.1/8, 10.0.0.1/8]}]",
     "edge.yaml:1:39: ports[0].extra[1]: the address '10.0.0.1/8' stands here twice"},
    {"ports: [{name: a, extra: [x]}]",
     "edge.yaml:1:27: ports[0].extra[0]: found 'x', expected an address with a length, like "
     "192.0.2.1/24, or a list of these"},
    {"ports: [{name: a, note: {}}]", "edge.yaml:1:25: ports[0].note: found a map, expected text"},
    {"ports: [{name: \"a\\nb\"}]",
     "edge.yaml:1:16: ports[0].name: found 'a?b', expected a name of 1 to 63 letters, "
     "digits and - _ . /"},
    // -- rules --
    {"pipeline: [firewall: {rules: [{action: alow}]}]",
     "edge.yaml:1:40: pipeline.firewall.rules[0].action: found 'alow', expected one of "
     "allow, deny, reset; did you mean 'allow'?"},
    {"pipeline: [firewall: {rules: [{log: yes}]}]",
     "edge.yaml:1:37: pipeline.firewall.rules[0].log: found 'yes', expected true or false"},
    {"pipeline: [firewall: {rules: [{protocol: 256}]}]",
     "edge.yaml:1:42: pipeline.firewall.rules[0].protocol: found '256', expected 0 to 255"},
    {"pipeline: [firewall: {rules: [{state: [new, stale]}]}]",
     "edge.yaml:1:45: pipeline.firewall.rules[0].state[1]: found 'stale', expected one of "
     "new, established, related"},
    {"pipeline: [firewall: {rules: [{ports: http}]}]",
     "edge.yaml:1:39: pipeline.firewall.rules[0].ports: found 'http', expected a port 0 to "
     "65535 or a range like 1000-2000"},
    {"pipeline: [firewall: {rules: [{ports: [80, 65536]}]}]",
     "edge.yaml:1:44: pipeline.firewall.rules[0].ports[1]: found '65536', expected a port 0 "
     "to 65535 or a range like 1000-2000"},
    {"pipeline: [firewall: {rules: [{ports: 2000-1000}]}]",
     "edge.yaml:1:39: pipeline.firewall.rules[0].ports: found '2000-1000', expected the "
     "lower port first, 1000-2000"},
    {"pipeline: [firewall: {rules: [{ports: {}}]}]",
     "edge.yaml:1:39: pipeline.firewall.rules[0].ports: found a map, expected a port, a "
     "range like 1000-2000 or a list of these"},
    {"pipeline: [firewall: {rules: [{ports: [[80]]}]}]",
     "edge.yaml:1:40: pipeline.firewall.rules[0].ports[0]: found a list, expected a port, a "
     "range like 1000-2000 or a list of these"},
    {"pipeline: [firewall: {rules: [{inputs: [a, 'b c']}]}]",
     "edge.yaml:1:44: pipeline.firewall.rules[0].inputs[1]: found 'b c', expected a name of "
     "1 to 63 letters, digits and - _ . /"},
    {"pipeline: [firewall: {rules: [{inputs: [a, a]}]}]",
     "edge.yaml:1:44: pipeline.firewall.rules[0].inputs[1]: the name 'a' stands here twice"},
    {"pipeline: [firewall: {rules: [{source: 10.0.0.1/8}]}]",
     "edge.yaml:1:40: pipeline.firewall.rules[0].source: '10.0.0.1/8' has host bits; did "
     "you mean 10.0.0.0/8?"},
    {"pipeline: [firewall: {rules: [{source: }]}]",
     "edge.yaml:1:32: pipeline.firewall.rules[0].source: found nothing, expected a prefix, "
     "\"@set\", {file: path} or a list of these"},
    // -- stages --
    {"pipeline: [firewal]",
     "edge.yaml:1:12: pipeline: no stage 'firewal'; did you mean 'firewall'? known: parse, "
     "firewall, police"},
    {"pipeline: [xyz: {}]",
     "edge.yaml:1:12: pipeline: no stage 'xyz'; known: parse, firewall, police"},
    {"pipeline: [parse, parse: {}]",
     "edge.yaml:1:19: pipeline: the stage 'parse' stands here twice"},
    {"pipeline:\n  - firewall:\n    rules: []\n",
     "edge.yaml:2:5: pipeline: found 2 keys in one entry, expected one stage; indent the "
     "settings of 'firewall' deeper"},
    {"pipeline: [police]",
     "edge.yaml:1:12: pipeline.police: 'limit' is missing, expected a packet rate with a "
     "unit, like 100pps or 10kpps"},
    {"pipeline: [[parse]]",
     "edge.yaml:1:12: pipeline: found a list, expected a stage, or a stage with its settings"},
    {"pipeline: [~]",
     "edge.yaml:1:12: pipeline: found nothing, expected a stage, or a stage with its "
     "settings"},
    {"pipeline: {parse: {}}", "edge.yaml:1:11: pipeline: found a map, expected a list of stages"},
    {"pipeline: [parse: {x: 1}]",
     "edge.yaml:1:20: pipeline.parse: unknown key 'x'; there are none"},
    {"pipeline: [parse: x]",
     "edge.yaml:1:19: pipeline.parse: found 'x', expected a stage parse map"},
    // -- sets --
    {"sets: [a]", "edge.yaml:1:7: sets: found a list, expected a map of names to prefix sets"},
    {"sets: {a b: 10.0.0.0/8}",
     "edge.yaml:1:8: sets: found 'a b', expected a name of 1 to 63 letters, digits and - _ "
     ". /"},
    {"sets: {a: 10.0.0.0/8, a: []}", "edge.yaml:1:23: sets: the key 'a' stands here twice"},
    {"sets: {a: '@b'}", "edge.yaml:1:11: sets.a: no set 'b'; known: a"},
    {"sets: {bogons: [], mine: '@bogon'}",
     "edge.yaml:1:26: sets.mine: no set 'bogon'; did you mean 'bogons'? known: bogons, mine"},
    {"sets: {a: '@a'}", "edge.yaml:1:11: sets.a: the set refers to itself: a -> a"},
    {"sets: {a: ['@b'], b: [10.0.0.0/8, '@c'], c: '@a'}",
     "edge.yaml:1:45: sets.c: the set refers to itself: a -> b -> c -> a"},
    {"sets: {a: }",
     "edge.yaml:1:8: sets.a: found nothing, expected a prefix, \"@set\", {file: path} or a "
     "list of these"},
    {"pipeline: [firewall: {rules: [{source: '@a'}]}]",
     "edge.yaml:1:40: pipeline.firewall.rules[0].source: no set 'a'; there are none"},
    {"sets:\n  a: @b\n",
     "edge.yaml:2:6: YAML reserves a leading '@': put the set's name in quotes, like "
     "\"@name\""},
    {"sets: {a: {file: /no/such/file}}",
     "edge.yaml:1:18: sets.a: cannot read '/no/such/file': No such file or directory"},
    {"sets: {a: {file: /tmp}}", "edge.yaml:1:18: sets.a: cannot read '/tmp': not a regular file"},
    {"sets: {a: {fil: x}}",
     "edge.yaml:1:11: sets.a: found a map, expected only the key 'file' with a path, like "
     "{file: bad.txt}"},
    {"sets: {a: {file: []}}",
     "edge.yaml:1:11: sets.a: found a map, expected only the key 'file' with a path, like "
     "{file: bad.txt}"},
    // -- YAML --
    {"ports: [", "edge.yaml:1:9: YAML syntax: end of sequence flow not found"},
    {"a: b: c", "edge.yaml:1:5: YAML syntax: illegal map value"},
    {"ports:\n\t- a", "edge.yaml:2:2: YAML syntax: illegal block entry"},
    {"ports: []\n---\nports: []\n", "edge.yaml:2:1: a second document starts, expected only one"},
    {"ports: *p", "edge.yaml:1:8: YAML syntax: the referenced anchor is not defined"},
    {"ports: &p [*p]", "edge.yaml:1:12: an alias stands inside its own anchor"},
    {"ports: !!seq []", "edge.yaml:1:8: found the tag 'tag:yaml.org,2002:seq', expected none"},
    {"ports: 'x", "edge.yaml:1:10: YAML syntax: illegal EOF in scalar"},
    {"ports: \"\\0\"", "edge.yaml:1:8: a value holds a NUL byte"},
    {"ports: \"\\N\"",
     "edge.yaml:1:8: an escape in a value gives no UTF-8 text; write \\u0085 and \\u00a0"},
    {"ports: []\nlimits: \x04\n", "edge.yaml:2:9: holds the control character 0x04"},
    {"ports: \xff\n", "edge.yaml:1:8: is not UTF-8 text"},
    {std::string_view("ports: \0", 8), "edge.yaml:1:8: holds the control character 0x00"},
};

TEST(YamlErrors, AreExactlyTheseLines) {
    for (const Case& c : kCases) {
        const auto loaded = load(c.yaml);
        ASSERT_FALSE(loaded.ok()) << c.yaml;
        EXPECT_EQ(loaded.error().message, c.error) << c.yaml;
    }
}

}  // namespace
}  // namespace ravelin::config::testing
