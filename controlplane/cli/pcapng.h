// SPDX-License-Identifier: Apache-2.0
// Writes pcapng (draft-ietf-opsawg-pcapng): one section, an interface for each port with its name
// and nanosecond timestamps, the frames, and at the end how many the capture lost.
#pragma once
#include <cstdint>
#include <cstdio>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "dataplane/result.h"

namespace ravelin::cli {

struct PcapngFrame {
    uint64_t unix_ns = 0;
    std::string port;
    uint32_t length = 0;  ///< on the wire; `data` may be shorter
    std::span<const uint8_t> data;
    std::string comment;  ///< empty: none
};

class PcapngWriter {
  public:
    /// Writes to `out`, which stays the caller's. Nothing is written yet.
    PcapngWriter(std::FILE* out, std::string application, uint32_t snap_bytes);

    /// The section header. Error: errno text, here and below.
    Status begin();
    /// One frame, and first its interface where the port is new.
    Status write(const PcapngFrame& frame);
    /// Interface statistics: frames written, and `lost` on the first interface.
    Status finish(uint64_t lost);
    Status flush();

  private:
    struct Interface {
        uint32_t id;
        uint64_t frames;
    };
    Status interface_for(const std::string& port, uint32_t& id);
    Status put_block(uint32_t type, std::string_view body);

    std::FILE* out_;
    std::string application_;
    uint32_t snap_bytes_;
    uint64_t last_ns_ = 0;
    std::map<std::string, Interface> interfaces_;
};

}  // namespace ravelin::cli
