// SPDX-License-Identifier: Apache-2.0
// What the tapes of the figures hold, and the policies that go with it. All of it is seeded: the
// same in every run and on every machine.
#pragma once
#include <cstdint>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "perf/replay/tape.h"
#include "pipelines/tables/classifier.h"

namespace ravelin::perf {

inline constexpr uint32_t kClients = 0x0a010000;  ///< 10.1.0.0 and on

/// TCP connections of clients behind lan with servers behind wan, in an order that no prefetcher
/// guesses; or UDP.
void write_conversations(std::span<Descriptor> flows, uint8_t protocol = 6);
/// How often each prefix comes: all alike, or few most of the time, as destinations do on real
/// links (that of rank k with about 1/k of the first one's packets).
enum class Popularity : uint8_t { kUniform, kZipf };
/// UDP from `sources` clients (0: as many as flows) to random hosts of random prefixes.
void write_to_prefixes(std::span<Descriptor> flows, const std::vector<Prefix>& prefixes,
                       uint32_t sources = 0, Popularity popularity = Popularity::kUniform);
/// Headers that meet the rules in turn, every one different; those that ports or addresses keep
/// from being forwarded here are left out. Ends the process if no rule can be met.
void write_to_rules(std::span<Descriptor> flows, const std::vector<ClassifierRule>& rules);

/// N permit rules as in ../shared/baselines.md: sources /32 30 %, /24 40 %, /16 30 %;
/// destinations /32 or /24; TCP or UDP; destination port exact 70 %, a range up to 1,000 wide 30 %.
std::vector<ClassifierRule> mixed_rules(uint32_t n, uint32_t seed = 1);
/// 131,072 random prefixes and the like: /24 60 %, /23 10 %, /22 12 %, the rest /16 to /21.
std::vector<Prefix> mixed_prefixes(uint32_t n, uint32_t seed = 1);
/// The IPv4 prefixes of a file, one a line, gzip or plain; empty where it is not there.
std::vector<Prefix> prefixes_of(const std::string& path);

/// Rules as the firewall reads them, by commas: each accepts what it matches.
std::string rule_text(const std::vector<ClassifierRule>& rules, const std::string& members = "");
/// A file of prefixes for `to: {file: ...}`; it goes with the process.
std::string prefix_file(const std::vector<Prefix>& prefixes);

/// Forwarded between networks: neither martian, multicast, loopback nor the box's own.
bool is_forwarded(uint32_t address);

}  // namespace ravelin::perf
