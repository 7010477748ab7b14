// SPDX-License-Identifier: Apache-2.0
// Where system tests kill the control plane: between every two steps of a change.
#pragma once
#include <string_view>

namespace ravelin::control {

/// Kills this process with SIGKILL if the environment has RAVELIN_CRASH_AT=<step>, or <step>:<n> to
/// die the n-th time only. Steps in order:
///   apply:    history intent sent applied provisional|committed acknowledged
///   confirm:  confirming confirmed committed acknowledged
///   rollback of an unconfirmed change: rolling-back rolled-back recorded acknowledged
///   reconcile: reconciling reconciled resending resent
void crash_point(std::string_view step);

}  // namespace ravelin::control
