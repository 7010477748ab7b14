// SPDX-License-Identifier: Apache-2.0
// Datagram: what both sides did with a packet that came in fragments. The kernel reassembles,
// judges and cuts again, Ravelin judges fragments as they come: only what a receiver could put
// together at the end can be compared.
#pragma once
#include <map>
#include <set>
#include <string>
#include <vector>

#include "tests/oracle/runner.h"

namespace ravelin::oracle {

class Datagram {
  public:
    /// One fragment, and what either side sent when it came. Outcomes in `o` are not looked at.
    void add(const Observation& o, const test::Bytes& frame, const std::vector<test::Sent>& kernel,
             const std::vector<test::Sent>& ravelin);
    /// The last fragment's observation, with what became of all of them.
    Observation observe();

  private:
    /// Pieces of one datagram by offset, as they came.
    struct Pieces {
        std::map<uint32_t, test::Bytes> at;
        std::vector<std::pair<uint32_t, uint32_t>> ranges;  ///< [begin, end) of all
        uint32_t end = 0;
        void add(const FrameFacts& f, const test::Bytes& frame);
        [[nodiscard]] bool overlap() const;
        /// The payload if it is all there without gap or overlap.
        [[nodiscard]] bool join(test::Bytes& out) const;
    };
    struct Side {
        Pieces pieces;
        Outcome answer;  ///< where it was answered instead
        void add(const test::Bytes& frame, const std::vector<test::Sent>& sent);
        Outcome outcome() const;
    };
    Observation last_;
    Pieces input_;
    Side kernel_, ravelin_;
    std::set<std::string> drops_;
};

}  // namespace ravelin::oracle
