// SPDX-License-Identifier: Apache-2.0
// Shell completion and the manual page, written from the tree of commands itself: neither can
// fall behind it.
#pragma once
#include <CLI/CLI.hpp>
#include <string>

namespace ravelin::cli {

std::string bash_completion(const CLI::App& root);
std::string zsh_completion(const CLI::App& root);
/// troff, section 1.
std::string manual_page(const CLI::App& root);

}  // namespace ravelin::cli
