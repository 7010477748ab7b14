// SPDX-License-Identifier: Apache-2.0
// What `ravelin import` makes of a file against the kernel that has restored the very same file:
// whatever Ravelin lets pass or in, the kernel must have. usage: import_oracle FILE...
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <random>
#include <sstream>
#include <utility>

#include "controlplane/import/import.h"
#include "tests/oracle/frame_facts.h"
#include "tests/oracle/kernel_side.h"
#include "tests/oracle/topology.h"
#include "tests/support/stage_fixture.h"

namespace ravelin::oracle {
namespace {

using test::Sent;
using test::StageFixture;

constexpr int kExchanges = 400;
constexpr uint32_t kFlows = 1u << 14;

/// Packets of the kinds that filters tell apart, from one seed the same.
class Packets {
  public:
    explicit Packets(unsigned seed) : random_(seed) {}

    /// A few that belong together, the answers among them.
    std::vector<std::string> next() {
        const bool out = random_() % 2 == 0;
        const std::string there = out ? "in=lan" : "in=wan", back = out ? "in=wan" : "in=lan";
        const std::string from = one_of(out ? kLan : kWan);
        std::string to = one_of(out ? kWan : kLan);
        if (random_() % 3 == 0) to = one_of(kOwn);
        const std::string a = from + ":" + one_of(kPortNumbers),
                          b = to + ":" + one_of(kPortNumbers);
        const std::string hops = " ttl=" + one_of(kHops);
        switch (random_() % 6) {
            case 0:
                return {there + " tcp " + a + " > " + b + " syn seq=1" + hops,
                        back + " tcp " + b + " > " + a + " syn,ack seq=1 ack=2",
                        there + " tcp " + a + " > " + b + " ack seq=2 ack=2 data=hello" + hops};
            case 1:
                return {there + " tcp " + a + " > " + b + " " + one_of(kFlags) + " seq=7 ack=9"};
            case 2:
                return {there + " udp " + a + " > " + b + " len=20" + hops,
                        back + " udp " + b + " > " + a + " len=30",
                        back + " icmp " + to + " > " + from + " unreachable/1 quoting (udp " + a +
                            " > " + b + " len=20)"};
            case 3:
                return {there + " icmp " + from + " > " + to + " type=" + one_of(kTypes) +
                        " code=0 len=12"};
            case 4:
                return {
                    there + " icmp " + from + " > " + to + " echo-request id=5 seq=1 len=16" + hops,
                    back + " icmp " + to + " > " + from + " echo-reply id=5 seq=1 len=16"};
            default:
                // Of GRE the version that Linux does not look into.
                return {there + " ip proto=" + one_of(kProtocols) + " " + from + " > " + to +
                        " hex=0000080000000000" + hops};
        }
    }

  private:
    using Texts = std::vector<std::string>;
    const std::string& one_of(const Texts& texts) { return texts[random_() % texts.size()]; }

    inline static const Texts kLan{"10.0.0.5", "10.0.1.9", "10.9.0.7", "10.1.0.1", "10.2.0.1"},
        kWan{"192.0.2.7", "198.51.100.9", "203.0.113.5"}, kOwn{"198.18.0.1", "198.18.0.5"},
        kPortNumbers{"22", "53", "80", "443", "514", "1024", "3128", "8080", "40000"},
        kHops{"2", "4", "5", "6", "8", "64", "101", "102", "255"},
        kFlags{"ack", "rst", "fin", "fin,ack", "syn,ack", "rst,ack", "syn,fin", "psh"},
        kTypes{"0", "1", "3", "9", "10", "11", "13", "14", "15", "16", "17", "18", "40"},
        kProtocols{"2", "47", "50", "89"};
    std::mt19937 random_;
};

/// Whether what came in by `port` has left by the other.
bool forwarded(unsigned port, const FrameFacts& in, const std::vector<Sent>& sent) {
    for (const Sent& s : sent) {
        const auto out = read_frame(s.frame);
        const bool same =
            out && out->protocol == in.protocol && (!in.icmp() || out->icmp_type == in.icmp_type);
        if (s.port == kPorts[1 - port].name && same) return true;
    }
    return false;
}

class Comparison {
  public:
    Comparison(const std::string& file, KernelSide& kernel, const std::string& imported)
        : file_(file), kernel_(kernel), box_(imported_yaml(imported), kFlows) {
        box_.settle();
        (void)box_.sent();
        drops_ = box_.drops();
    }

    /// Packets that Ravelin alone has accepted.
    int run() {
        Packets packets(1);
        for (int i = 0; i < kExchanges; ++i)
            for (const std::string& text : packets.next()) one(text);
        std::printf(
            "%s: %d packets, %d accepted by both, %d by the kernel alone, %d by Ravelin "
            "alone\n",
            file_.c_str(), packets_, both_, kernel_alone_, ravelin_alone_);
        return ravelin_alone_;
    }
    /// One that decides nothing compares nothing.
    bool decided() const { return both_ > 0 && both_ < packets_; }

  private:
    void one(const std::string& text) {
        const Arrival in = arrival(text);
        const auto facts = read_frame(in.frame);
        if (!facts) throw std::runtime_error("not IP: " + text);
        const bool kernel = kernel_accepts(in, *facts);
        std::string drop;
        const bool ravelin = ravelin_accepts(in, *facts, drop);
        ++packets_;
        both_ += kernel && ravelin ? 1 : 0;
        kernel_alone_ += kernel && !ravelin ? 1 : 0;
        if (kernel || !ravelin) return;
        ++ravelin_alone_;
        std::printf("MORE OPEN %s: %s (%s)\n", file_.c_str(), text.c_str(), drop.c_str());
    }
    bool kernel_accepts(const Arrival& in, const FrameFacts& facts) {
        if (forwarded(in.port, facts, kernel_.receive(in.port, in.frame))) return true;
        const auto taken = kernel_.taken_in();
        if (!taken) throw std::runtime_error(taken.error().message);
        return std::exchange(taken_, *taken) != *taken;
    }
    // What came to the box and was denied by nobody was let in, whatever became of it then.
    bool ravelin_accepts(const Arrival& in, const FrameFacts& facts, std::string& names) {
        box_.receive(kPorts[in.port].name, {in.frame});
        const auto sent = box_.sent();
        auto now = box_.drops();
        for (const auto& [name, count] : now)
            if (const auto old = drops_.find(name); old == drops_.end() || old->second != count)
                names += (names.empty() ? "" : "+") + name;
        drops_ = std::move(now);
        if (forwarded(in.port, facts, sent)) return true;
        for (const char* stage : {"parse.", "steer.", "nat.", "route.", "firewall."})
            if (names.find(stage) != names.npos) return false;
        return true;
    }

    std::string file_;
    KernelSide& kernel_;
    StageFixture box_;
    std::map<std::string, uint64_t> drops_;
    uint64_t taken_ = 0;
    int packets_ = 0, both_ = 0, kernel_alone_ = 0, ravelin_alone_ = 0;
};

/// False: more open, or nothing compared.
bool compare(const std::string& file, KernelSide& kernel) {
    std::ifstream in(file);
    std::stringstream text;
    text << in.rdbuf();
    const auto imported = import::import_iptables({{file, text.str(), false}});
    if (!imported) throw std::runtime_error(imported.error().message);
    if (auto s = kernel.restore(text.str()); !s) {
        std::printf("SKIPPED %s: %s\n", file.c_str(), s.error().message.c_str());
        return true;
    }
    Comparison comparison(file.substr(file.rfind('/') + 1), kernel, imported->yaml);
    const bool fine = comparison.run() == 0;
    if (!comparison.decided()) std::printf("NOTHING DECIDED %s\n", file.c_str());
    return fine && comparison.decided();
}

int run(int files, char** file) {
    auto kernel = KernelSide::enter();
    if (!kernel || std::system("iptables-nft-restore --version >/dev/null 2>&1") != 0) {
        std::fprintf(stderr, "import_oracle: cannot run here: %s\n",
                     kernel ? "no iptables-nft-restore" : kernel.error().message.c_str());
        return 4;
    }
    bool fine = true;
    for (int i = 0; i < files; ++i) fine = compare(file[i], *kernel) && fine;
    return fine ? 0 : 1;
}

}  // namespace
}  // namespace ravelin::oracle

int main(int argc, char** argv) {
    try {
        return ravelin::oracle::run(argc - 1, argv + 1);
    } catch (const std::exception& e) {
        std::fprintf(stderr, "import_oracle: %s\n", e.what());
        return 1;
    }
}
