// SPDX-License-Identifier: Apache-2.0
#include "dataplane/process/trace_assembler.h"

namespace ravelin {

void TraceAssembler::join(model::TraceEvent& story, const model::TraceEvent& event) {
    story.mutable_steps()->MergeFrom(event.steps());
    story.set_unix_ns(event.unix_ns());
    story.set_worker(event.worker());
    story.set_generation(event.generation());
    story.set_summary(event.summary());
    story.set_verdict(event.verdict());
    story.set_reason(event.reason());
    story.set_rule(event.rule());
    story.set_port(event.port());  // the sub-interface, once its tags were read
    story.set_out_port(event.out_port());
    story.set_principal(event.principal());
}

}  // namespace ravelin
