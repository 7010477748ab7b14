// SPDX-License-Identifier: Apache-2.0
// A client and a server on both sides of the SYN proxy, who write their packets down.
#pragma once
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/stages/expect.h"
#include "tests/support/box_test.h"

namespace ravelin::test {

/// Where both stand, and what the box between them is.
struct Place {
    std::string name, config;
    std::string client, target;  ///< as on the client's side
    std::string peer, server;    ///< the client and the server as on the server's side
    std::string client_port = "wan", server_port = "lan", tag = "";
    unsigned mss = 1460;  ///< what the proxy promises
};
void PrintTo(const Place& place, std::ostream* out);

std::string wire(const std::string& proxy = "", const std::string& more = "");
std::string router(const std::string& proxy = "", const std::string& more = "");
const std::vector<Place>& places();
Place wire_place(const std::string& proxy = "", const std::string& more = "");

/// The number behind `key` in a packet's text.
uint32_t number_in(const std::string& text, const std::string& key);

class SynProxyTest : public BoxTest {
  protected:
    void begin(const Place& place) {
        place_ = place;
        start(place.config);
    }
    /// Packets of either side; their texts say what stands behind the addresses.
    void client(const std::string& text) {
        in(place_.client_port,
           fmt::format("{} tcp {} > {} {}", place_.tag, place_.client, place_.target, text));
    }
    void server(const std::string& text) {
        in(place_.server_port,
           fmt::format("{} tcp {} > {} {}", place_.tag, place_.server, place_.peer, text));
    }
    /// What left by each side since; nothing else may have.
    void expect(const std::vector<std::string>& to_client,
                const std::vector<std::string>& to_server);
    [[nodiscard]] std::string last(const std::string& port) const;
    /// The SYN, its cookie, and the ACK that brings it back. Options as in a SYN's text.
    void shake(const std::string& options, uint32_t syn = 1000);
    /// The same and the server's answer.
    void connect(const std::string& options, const std::string& answer, uint32_t syn = 1000);
    [[nodiscard]] uint32_t cookie() const { return cookie_; }
    [[nodiscard]] uint32_t time() const { return time_; }

    static constexpr const char* kAll = "mss=1460 wscale=8 sack-permitted ts=111/0";
    static constexpr const char* kAnswer =
        "seq=5000 ack=1001 win=28960 mss=1460 sack-permitted wscale=7 ts=777/112";

    Place place_;

  private:
    uint32_t cookie_ = 0, time_ = 0;
    std::vector<Sent> left_;
};

}  // namespace ravelin::test
