// SPDX-License-Identifier: Apache-2.0
// Connection: two TCP ends that speak by script. Numbers move on with client() and server(), not
// with the ..._at() forms, which say exactly what they are told.
#pragma once
#include <string>
#include <vector>

#include "tests/oracle/generate.h"

namespace ravelin::oracle {

struct Segment {
    bool by_client = true;
    std::string flags;
    uint32_t seq = 0, ack = 0;
    unsigned length = 0, window = 0;
    std::string options;
    bool operator==(const Segment&) const = default;
};

class Connection {
  public:
    explicit Connection(Random& rng);

    void client(const std::string& flags, unsigned length = 0) {
        client_at(flags, client_next, server_next, length);
        client_next += length + (flags.starts_with("fin") ? 1 : 0);
    }
    void server(const std::string& flags, unsigned length = 0) {
        server_at(flags, server_next, client_next, length);
        server_next += length + (flags.starts_with("fin") ? 1 : 0);
    }
    void client_at(const std::string& flags, uint32_t seq, uint32_t ack, unsigned length = 0,
                   const std::string& options = "") {
        segments.push_back({true, flags, seq, ack, length, window, options});
    }
    void server_at(const std::string& flags, uint32_t seq, uint32_t ack, unsigned length = 0,
                   const std::string& options = "") {
        segments.push_back({false, flags, seq, ack, length, window, options});
    }
    /// The three-way handshake, from client_next and server_next.
    void open(Random& rng);
    /// FINs both ways; at the same time, or one after the other.
    void close(bool simultaneous);
    /// " mss=1460 wscale=7" and the like.
    static std::string options(Random& rng);
    /// In the packet language.
    [[nodiscard]] std::string text(const Segment& s) const;

    std::vector<Segment> segments;
    uint32_t client_next = 0, server_next = 0;
    unsigned window = 65535;

  private:
    std::string client_end_, server_end_;
};

}  // namespace ravelin::oracle
