// SPDX-License-Identifier: Apache-2.0
// The key=value words and the bare words of the packet language.
#pragma once
#include "dataplane/net/packet_spec.h"
#include "dataplane/net/packet_tokens.h"

namespace ravelin::net {

/// Applies a key=value word.
Status apply_option(PacketSpec& spec, const Token& token);
/// Applies a bare word (a TCP flag list, an ICMP type, df, ...); false where it is none of these.
Result<bool> apply_word(PacketSpec& spec, const Token& token);

}  // namespace ravelin::net
