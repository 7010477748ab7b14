// SPDX-License-Identifier: Apache-2.0
#include "controlplane/api/json_of.h"

namespace ravelin::control {
namespace {

constexpr double kFirstLiveBoundUs = 62.5;  // of LiveStatus::latency

}  // namespace

std::string base64(std::string_view bytes) {
    static constexpr char kDigits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string out;
    out.reserve((bytes.size() + 2) / 3 * 4);
    for (size_t i = 0; i < bytes.size(); i += 3) {
        uint32_t group = 0;
        for (size_t j = 0; j < 3; ++j)
            group = group << 8 | (i + j < bytes.size() ? static_cast<uint8_t>(bytes[i + j]) : 0u);
        for (size_t j = 0; j < 4; ++j)
            out.push_back(i + j > bytes.size() ? '=' : kDigits[group >> (18 - 6 * j) & 63]);
    }
    return out;
}

Json json_of(const model::Step& step) {
    return {{"stage", step.stage()}, {"verdict", step.verdict()}, {"detail", step.detail()}};
}

Json json_of(const model::TraceEvent& e) {
    return {{"packet", e.packet()},
            {"worker", e.worker()},
            {"generation", e.generation()},
            {"unix_ns", e.unix_ns()},
            {"port", e.port()},
            {"summary", e.summary()},
            {"steps", json_list(e.steps())},
            {"verdict", e.verdict()},
            {"reason", e.reason()},
            {"rule", e.rule()},
            {"out_port", e.out_port()},
            {"principal", e.principal()}};
}

Json json_of(const model::CapturedFrame& f) {
    return {{"unix_ns", f.unix_ns()},   {"port", f.port()},       {"length", f.length()},
            {"data", base64(f.data())}, {"verdict", f.verdict()}, {"lost", f.lost()}};
}

Json json_of(const model::Explanation& e) {
    return {{"worker", e.worker()},
            {"generation", e.generation()},
            {"steps", json_list(e.steps())},
            {"verdict", e.verdict()},
            {"reason", e.reason()},
            {"rule", e.rule()},
            {"route", e.route()},
            {"flow", e.flow()},
            {"out_port", e.out_port()},
            {"next_hop", e.next_hop()},
            {"principal", e.principal()}};
}

Json json_of(const model::FlowRecord& f) {
    return {{"worker", f.worker()},
            {"protocol", f.protocol()},
            {"source", f.source()},
            {"source_port", f.source_port()},
            {"destination", f.destination()},
            {"destination_port", f.destination_port()},
            {"state", f.state()},
            {"rule", f.rule()},
            {"generation", f.generation()},
            {"packets_out", f.packets_out()},
            {"bytes_out", f.bytes_out()},
            {"packets_back", f.packets_back()},
            {"bytes_back", f.bytes_back()},
            {"expires_ms", f.expires_ms()},
            {"in_port", f.in_port()},
            {"outer_source", f.outer_source()},
            {"outer_destination", f.outer_destination()},
            {"principal", f.principal()}};
}

Json json_of(const model::FunctionRecord& f) {
    Json out{{"name", f.name()},       {"type", f.type()},        {"runs", f.runs()},
             {"packets", f.packets()}, {"cycles", f.cycles()},    {"longest", f.longest()},
             {"not_run", f.not_run()}, {"half_cycles", f.half()}, {"most_cycles", f.most()}};
    if (f.has_worker()) out["worker"] = f.worker();
    return out;
}

Json json_of(const model::PrincipalRecord& p) {
    return {{"name", p.name()},
            {"packets", p.packets()},
            {"bytes", p.bytes()},
            {"cycles", p.cycles()},
            {"drops", p.drops()},
            {"flows", p.flows()},
            {"memory", p.memory()},
            {"caps",
             {{"flows", p.flows_cap()},
              {"bandwidth", p.bandwidth_cap()},
              {"cpu", p.cpu_cap()},
              {"cycles", p.cycles_cap()},
              {"memory", p.memory_cap()}}}};
}

Json json_of(const model::NeighbourRecord& n) {
    return {{"port", n.port()},
            {"address", n.address()},
            {"mac", n.mac()},
            {"state", n.state()},
            {"age_ms", n.age_ms()}};
}

Json json_of(const model::RouteRecord& r) {
    return {{"prefix", r.prefix()}, {"via", r.via()},       {"port", r.port()},
            {"kind", r.kind()},     {"origin", r.origin()}, {"weight", r.weight()},
            {"state", r.state()},   {"table", r.table()},   {"mtu", r.mtu()}};
}

Json json_of(const model::RuleProof& p) {
    return {{"rule", p.rule()},     {"action", p.action()}, {"proof", p.proof()},
            {"failed", p.failed()}, {"by", p.by()},         {"packet", p.packet()},
            {"tried", p.tried()}};
}

Json json_of(const model::LinkShare& s) {
    return {{"principal", s.principal()},
            {"bytes", s.bytes()},
            {"packets", s.packets()},
            {"dropped", s.dropped()},
            {"marked", s.marked()},
            {"reserved", s.reserved()},
            {"late", s.late()}};
}

Json json_of(const model::PortStatus& p) {
    Json out{
        {"name", p.name()}, {"device", p.device()}, {"link_up", p.link_up()},    {"mac", p.mac()},
        {"mtu", p.mtu()},   {"queues", p.queues()}, {"link_mbps", p.link_mbps()}};
    if (p.rate() == 0) return out;
    out["rate"] = p.rate();
    out["queue_bytes"] = p.queue_bytes();
    out["queue_frames"] = p.queue_frames();
    out["shares"] = json_list(p.shares());
    return out;
}

Json json_of(const model::TableMemory& t) {
    Json out{{"table", t.table()},
             {"bytes", t.bytes()},
             {"entries", t.entries()},
             {"capacity", t.capacity()}};
    if (t.has_huge_bytes()) out["huge_bytes"] = t.huge_bytes();
    return out;
}

Json json_of(const model::LiveStatus& live) {
    Json latency = Json::array();
    double bound = kFirstLiveBoundUs;
    for (int i = 0; i < live.latency_size(); ++i, bound *= 2) {
        Json bucket{{"changes", live.latency(i)}};
        if (i + 1 < live.latency_size()) bucket["at_most_us"] = bound;
        latency.push_back(std::move(bucket));
    }
    return {{"serial", live.serial()},
            {"rules_waiting", live.rules_waiting()},
            {"merges", live.merges()},
            {"expired_elements", live.expired()},
            {"latency_sum_us", static_cast<double>(live.latency_sum_ns()) / 1e3},
            {"latency", std::move(latency)}};
}

Json json_of(const model::DataplaneStatus& s) {
    return {{"version", s.version()},
            {"generation", s.generation()},
            {"previous", s.previous()},
            {"confirm_remaining_ms", s.confirm_remaining_ms()},
            {"counters_path", s.counters_path()},
            {"pid", s.pid()},
            {"started_unix_ms", s.started_unix_ms()},
            {"workers", s.workers()},
            {"variant", s.variant()},
            {"hugepages", s.hugepages()},
            {"adopted_flows", s.adopted_flows()},
            {"rolled_back_from", s.rolled_back_from()},
            {"warning", s.warning()},
            {"sandbox", s.sandbox()},
            {"live", json_of(s.live())},
            {"memory", json_list(s.memory())}};
}

}  // namespace ravelin::control
