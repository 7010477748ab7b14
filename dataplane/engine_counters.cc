// SPDX-License-Identifier: Apache-2.0
#include "dataplane/engine_counters.h"

#include <array>

namespace ravelin {
namespace {

struct Spec {
    const char* name;
    const char* help;
    CounterKind kind = CounterKind::kCounter;
};

constexpr std::array<Spec, kEngineCounters> kEngine{{
    {"pipeline.none", "Never counted: id 0 means no reason."},
    {"drop.pipeline.no_output", "Packets that reached the end of the pipeline with no way out."},
    {"drop.pipeline.stale_handoff",
     "Packets handed over after a stage that the policy no longer has."},
    {"drop.pipeline.handoff_full", "Packets lost because the ring to another worker was full."},
    {"drop.pipeline.overload",
     "Packets of no proven flow given up because a port's receive ring filled faster than it "
     "emptied."},
    {"drop.pipeline.tx_full", "Packets a port's transmit queue did not take."},
    {"drop.pipeline.no_buffer", "Frames not made because the buffer pool was empty."},
    {"drop.pipeline.emit_full",
     "Frames of the box itself lost because too many were made in one burst."},
    {"drop.link.queue_full",
     "Packets for a port with a rate whose principal has its queue there full."},
    {"drop.link.pool_full",
     "Packets for a port with a rate whose principal holds its part of what may wait there in "
     "all."},
    {"drop.link.withdrawn", "Packets that waited for a port when it lost its rate."},
    {"drop.port.rx_missed",
     "Frames no port received because the receive ring was full: port.NAME.rx_missed of each."},
    {"drop.port.rx_no_buffer",
     "Frames no port received because the buffer pool was empty: port.NAME.rx_no_buffer of each."},
    {"drop.port.rx_errors",
     "Frames no port received because they were damaged: port.NAME.rx_errors of each."},
    {"drop.principal.over_cap",
     "Packets of a principal that is beyond its cap on bandwidth, or one above it."},
    {"drop.principal.over_cpu",
     "Packets of a principal that is beyond its cap on cpu, or one above it."},
    {"drop.invoke.queue_full",
     "Packets for a function that has as many invocations of their principal waiting as may."},
    {"drop.invoke.pool_full",
     "Packets for a function whose principal holds its part of what may wait in all."},
    {"drop.invoke.stale_reference", "Packets that waited for a function when it was taken away."},
    {"drop.invoke.suspended",
     "Packets for a function that took more than its stated work again and again."},
    {"drop.invoke.late", "Packets whose deadline had passed before their function ran."},
    {"drop.invoke.refused", "Packets for a function that nobody of their principal may call."},
    {"drop.invoke.thinned", "Packets left out by a function of type thin."},
    {"drop.invoke.withdrawn",
     "Packets that a function had when a policy came by which they may not leave."},
    {"pipeline.consumed", "Packets a stage took out of the pipeline: handed over, held, answered."},
    {"pipeline.emitted", "Frames the box itself made."},
    {"kernel.sent", "Packets given to the kernel by a port's TAP."},
    {"kernel.received", "Frames that came from the kernel."},
    {"kernel.refused", "Packets the kernel did not take, as its TAP is down."},
    {"kernel.lost", "Frames of the kernel lost because worker 0 did not fetch them in time."},
    {"pipeline.handed_over", "Packets given to another worker."},
    {"pipeline.taken_over", "Packets taken from another worker."},
    {"link.marked", "Packets marked as having met congestion (RFC 3168) at a port with a rate."},
    {"invoke.packets", "Packets given to functions."},
    {"invoke.runs", "Runs of functions, each a control point of the worker."},
    {"invoke.copies", "Copies of packets that functions made."},
    {"invoke.lost_us", "Time of functions' runs that the machine took and nobody pays for, us."},
    {"worker.loops", "Turns of the worker's loop."},
    {"worker.busy_ns", "Nanoseconds in loop turns that moved packets."},
    {"worker.idle_ns", "Nanoseconds in loop turns that found none, sleep included."},
    {"worker.sleeps", "Times an adaptive worker slept."},
    {"worker.events_lost", "Trace, capture and log records lost because the ring was full."},
    {"flows.entries", "Flows in the table.", CounterKind::kGauge},
    {"flows.unproven", "Flows whose other side has not answered yet.", CounterKind::kGauge},
    {"flows.created", "Flows created."},
    {"flows.expired", "Flows that timed out or closed."},
    {"flows.shed", "Unproven flows given up because the table was full."},
    {"flows.refused", "New flows refused because the table was full of proven ones."},
    {"flows.adopted", "Flows taken over from a data plane that died."},
}};

constexpr std::array<Spec, kPortCounters> kPort{{
    {"rx_packets", "Packets received."},
    {"rx_bytes", "Bytes received."},
    {"tx_packets", "Packets sent."},
    {"tx_bytes", "Bytes sent."},
    {"rx_missed", "Frames lost before a worker saw them: the receive ring was full."},
    {"rx_no_buffer", "Frames lost before a worker saw them: the buffer pool was empty."},
    {"rx_errors", "Frames lost before a worker saw them: damaged on the wire."},
}};

}  // namespace

std::vector<CounterSpec> counter_specs(const std::vector<std::string>& port_names) {
    std::vector<CounterSpec> specs;
    for (const Spec& s : kEngine) specs.push_back({s.name, s.help, s.kind});
    for (const std::string& port : port_names)
        for (const Spec& s : kPort)
            specs.push_back({"port." + port + "." + s.name, s.help, s.kind});
    StageRegistry::get().append_counters(specs);
    return specs;
}

}  // namespace ravelin
