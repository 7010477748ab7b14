// SPDX-License-Identifier: Apache-2.0
// TCP options as packet text.
#include "dataplane/net/packet_describe.h"

namespace ravelin::net {
namespace {

std::string sack_blocks(Describer::View blocks) {
    std::string out;
    for (size_t i = 0; i + 8 <= blocks.size(); i += 8)
        out +=
            fmt::format("{}{}-{}", out.empty() ? "" : ",", Describer::at<be32>(blocks, i)->host(),
                        Describer::at<be32>(blocks, i + 4)->host());
    return out;
}

}  // namespace

void Describer::tcp_options(View options) {
    while (!options.empty() && options[0] != 0) {
        if (options[0] == 1) {
            options = options.subspan(1);
            continue;
        }
        if (options.size() < 2 || options[1] < 2 || options[1] > options.size()) return;
        if (options[0] == 2 && options[1] == 4) add("mss={}", options[2] << 8 | options[3]);
        if (options[0] == 3 && options[1] == 3) add("wscale={}", options[2]);
        if (options[0] == 4 && options[1] == 2) add("sack-permitted");
        if (options[0] == 8 && options[1] == 10)
            add("ts={}/{}", at<be32>(options, 2)->host(), at<be32>(options, 6)->host());
        if (options[0] == 5 && options[1] > 2 && options[1] % 8 == 2)
            add("sack={}", sack_blocks(options.subspan(2, options[1] - 2u)));
        options = options.subspan(options[1]);
    }
}

}  // namespace ravelin::net
