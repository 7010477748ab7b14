// SPDX-License-Identifier: Apache-2.0
#include "tests/oracle/connection.h"

#include <fmt/format.h>

namespace ravelin::oracle {

Connection::Connection(Random& rng)
    : client_next(static_cast<uint32_t>(rng())), server_next(static_cast<uint32_t>(rng())) {
    const bool v4 = !one_in(4, rng);
    client_end_ = with_port(fresh_host(true, v4, rng), 1024 + static_cast<unsigned>(rng() % 60000));
    server_end_ = with_port(fresh_host(false, v4, rng), 80);
}

std::string Connection::options(Random& rng) {
    std::string out;
    if (one_in(2, rng)) out += " mss=1460";
    if (one_in(2, rng)) out += fmt::format(" wscale={}", any_of(std::array{0, 2, 7, 14}, rng));
    if (one_in(2, rng)) out += " sack-permitted";
    return out;
}

void Connection::open(Random& rng) {
    client_at("syn", client_next, 0, 0, options(rng));
    ++client_next;
    server_at("syn,ack", server_next, client_next, 0, options(rng));
    ++server_next;
    client("ack");
}

void Connection::close(bool simultaneous) {
    if (simultaneous) {
        const uint32_t seen = client_next;
        client("fin,ack");
        server_at("fin,ack", server_next++, seen);
        client("ack");
        server("ack");
    } else {
        client("fin,ack");
        server("ack");
        server("fin,ack");
        client("ack");
    }
}

std::string Connection::text(const Segment& s) const {
    return fmt::format("in={} tcp {} > {} {} seq={} ack={} win={}{}{}", s.by_client ? "lan" : "wan",
                       s.by_client ? client_end_ : server_end_,
                       s.by_client ? server_end_ : client_end_, s.flags, s.seq, s.ack, s.window,
                       s.length != 0 ? fmt::format(" len={}", s.length) : "", s.options);
}

}  // namespace ravelin::oracle
