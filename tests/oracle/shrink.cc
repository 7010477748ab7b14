// SPDX-License-Identifier: Apache-2.0
#include "tests/oracle/shrink.h"

#include <fmt/format.h>

#include <algorithm>

#include "tests/oracle/differences.h"
#include "tests/oracle/topology.h"

namespace ravelin::oracle {
namespace {

constexpr unsigned kMostRuns = 80;

class Shrinker {
  public:
    Shrinker(std::string signature, KernelSide& kernel)
        : signature_(std::move(signature)), kernel_(kernel) {}

    Case run(Case c, const Observation& o) {
        c.packets.resize(o.index + 1);
        Case near = c;
        std::erase_if(near.packets, [&](const std::string& p) { return !related(p, o.facts); });
        if (shows(near)) c = std::move(near);
        thin_out(c, &Case::packets);
        thin_out(c, &Case::rules);
        return c;
    }

  private:
    // The same pair of hosts, either way, or a packet that mentions one of them.
    static bool related(const std::string& text, const FrameFacts& f) {
        return text.find(f.source.to_string()) != std::string::npos ||
               text.find(f.destination.to_string()) != std::string::npos;
    }

    bool shows(const Case& c) {
        if (runs_++ >= kMostRuns) return false;
        const auto run = run_case(c, kernel_);
        if (!run) return false;
        const std::span<const Observation> all(run->observations);
        for (size_t i = 0; i < all.size(); ++i)
            if (!all[i].agree() && signature(all[i]) == signature_ &&
                explain({c, all[i], all.first(i)}) == nullptr)
                return true;
        return false;
    }

    void thin_out(Case& c, std::vector<std::string> Case::*list) {
        for (size_t step = std::max<size_t>((c.*list).size() / 2, 1);; step /= 2) {
            for (size_t at = 0; at < (c.*list).size();) {
                Case less = c;
                auto& items = less.*list;
                const size_t end = std::min(items.size(), at + step);
                items.erase(items.begin() + static_cast<long>(at),
                            items.begin() + static_cast<long>(end));
                if (shows(less))
                    c = std::move(less);
                else
                    at += step;
            }
            if (step <= 1) return;
        }
    }

    std::string signature_;
    KernelSide& kernel_;
    unsigned runs_ = 0;
};

}  // namespace

Case shrink(const Case& c, const Observation& o, const std::string& signature, KernelSide& kernel) {
    return Shrinker(signature, kernel).run(c, o);
}

std::string reproduction(const Case& c, const std::string& signature, KernelSide& kernel) {
    std::string out = fmt::format("## {}\n\nkind: {}\n\n{}\n", signature, c.kind, firewall_yaml(c));
    const auto run = run_case(c, kernel);
    if (!run) return out + run.error().message + "\n";
    out += run->nft + "\n";
    for (size_t i = 0; i < c.packets.size(); ++i) {
        out += c.packets[i] + "\n";
        for (const Observation& o : run->observations)
            if (o.index == i)
                out += fmt::format("    kernel {}, ravelin {}{}{}\n", o.kernel.text(),
                                   o.ravelin.text(), o.drop.empty() ? "" : " (" + o.drop + ")",
                                   o.agree() ? "" : "   <- differs");
    }
    return out;
}

}  // namespace ravelin::oracle
