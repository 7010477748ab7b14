// SPDX-License-Identifier: Apache-2.0
#include "tests/oracle/runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <map>

#include "dataplane/net/packet_text.h"
#include "tests/oracle/datagram.h"
#include "tests/oracle/nft.h"
#include "tests/oracle/topology.h"
#include "tests/support/stage_fixture.h"

namespace ravelin::oracle {
namespace {

using test::Bytes;
using test::Sent;
using test::StageFixture;

constexpr uint32_t kFlows = 1u << 15;
constexpr uint64_t kPerAnswerMs = 10;  // a tenth of the pace of answers to one host

const config::Node& firewall_of(const PolicySnapshot& policy) {
    for (const auto& step : policy.steps)
        if (StageRegistry::get().stages()[step.stage]->name == "firewall") return *step.config;
    static const config::Node none;
    return none;
}

class RavelinSide {
  public:
    explicit RavelinSide(const Case& c)
        : box_(router_yaml(firewall_yaml(c), c.reassemble), kFlows) {
        box_.settle();  // what it says by itself at boot
        (void)box_.sent();
        drops_ = box_.drops();
    }
    const PolicySnapshot& policy() const { return box_.policy(); }

    std::vector<Sent> receive(unsigned port, const Bytes& frame) {
        box_.receive(kPorts[port].name, {frame});
        return box_.sent();
    }
    /// Names of the drops since the last call. Time passes where an answer was due.
    std::string drops() {
        auto now = box_.drops();
        std::string names;
        for (const auto& [name, count] : now)
            if (const auto old = drops_.find(name); old == drops_.end() || old->second != count)
                names += (names.empty() ? "" : "+") + name;
        drops_ = std::move(now);
        if (names.find("reject") != std::string::npos) box_.advance(kPerAnswerMs);
        return names;
    }
    FlowState state_of(const FrameFacts& f) {
        bool swapped = false;
        const FlowKey key = FlowKey::make(f.source, f.destination, f.source_port,
                                          f.destination_port, f.protocol, 0, swapped);
        const Flow* flow = box_.context().flows->find(key, key.hash());
        return flow == nullptr ? FlowState::none : flow->state;
    }

  private:
    StageFixture box_;
    std::map<std::string, uint64_t> drops_;
};

class Runner {
  public:
    Runner(const Case& c, KernelSide& kernel, RavelinSide& ravelin)
        : case_(c), kernel_(kernel), ravelin_(ravelin) {}

    Run take() {
        for (size_t i = 0; i < case_.packets.size(); ++i) one(i);
        finish_datagrams();
        std::vector<Sent> late;
        if (!kernel_.marker(late)) run_.errors.emplace_back("the marker did not come through");
        for (const Sent& s : late) stray("kernel, late", s);
        std::ranges::sort(run_.observations, {}, &Observation::index);
        return std::move(run_);
    }

  private:
    void stray(const std::string& who, const Sent& s) {
        if (own_business(s)) return;
        run_.errors.push_back(
            fmt::format("{}: stray frame on {}: {}", who, s.port, describe_frame(s.frame)));
    }

    void one(size_t index) {
        const Arrival in = arrival(case_.packets[index]);
        const auto facts = read_frame(in.frame);
        if (!facts) throw std::runtime_error("not IP: " + case_.packets[index]);
        Observation o{.index = index, .facts = *facts, .kernel = {}, .ravelin = {}, .drop = {}};
        o.before = ravelin_.state_of(*facts);
        const auto theirs = kernel_.receive(in.port, in.frame);
        const auto ours = ravelin_.receive(in.port, in.frame);
        o.drop = ravelin_.drops();
        if (facts->fragment) {
            Datagram& d = datagrams_[{facts->source, facts->destination}];
            d.add(o, in.frame, theirs, ours);
            return;
        }
        std::vector<Sent> strays[2];
        o.kernel = outcome_of(in.frame, theirs, strays[0]);
        o.ravelin = outcome_of(in.frame, ours, strays[1]);
        for (const Sent& s : strays[0]) stray("kernel", s);
        for (const Sent& s : strays[1]) stray("ravelin", s);
        o.mangled = o.kernel.kind == Outcome::Kind::kForwarded && o.kernel.kind == o.ravelin.kind &&
                    o.kernel.frame != o.ravelin.frame;
        run_.observations.push_back(std::move(o));
    }

    void finish_datagrams() {
        for (auto& [key, datagram] : datagrams_) run_.observations.push_back(datagram.observe());
    }

    const Case& case_;
    KernelSide& kernel_;
    RavelinSide& ravelin_;
    std::map<std::pair<IpAddress, IpAddress>, Datagram> datagrams_;
    Run run_;
};

}  // namespace

Result<Run> run_case(const Case& c, KernelSide& kernel) {
    try {
        RavelinSide ravelin(c);
        auto nft = to_nft(firewall_of(ravelin.policy()));
        if (!nft) return std::move(nft.error());
        if (auto s = kernel.load(*nft, c.loose); !s) return Error{s.error().message + "\n" + *nft};
        Run run = Runner(c, kernel, ravelin).take();
        run.nft = std::move(*nft);
        return run;
    } catch (const std::exception& e) {
        return Error{e.what()};
    }
}

}  // namespace ravelin::oracle
