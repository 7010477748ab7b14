// SPDX-License-Identifier: Apache-2.0
// The built command, run by a shell against a fake control plane.
#pragma once
#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <string>

#include "tests/support/fake_api.h"

namespace ravelin::cli {

struct Outcome {
    int code = -1;
    std::string out;
    std::string err;
};

inline std::string file_text(const std::string& path) {
    std::ifstream in(path);
    std::stringstream text;
    text << in.rdbuf();
    return text.str();
}

class Cli : public ::testing::Test {
  protected:
    /// `arguments` as the shell reads them.
    Outcome run(const std::string& arguments) {
        const std::string errors = api_.directory() + "/stderr";
        const std::string command = "cd " + api_.directory() + " && " + RAVELIN_BINARY +
                                    " --run-dir " + api_.directory() + " " + arguments + " 2>" +
                                    errors;
        Outcome result;
        std::FILE* pipe = popen(command.c_str(), "r");
        std::array<char, 4096> buffer{};
        for (size_t n; (n = std::fread(buffer.data(), 1, buffer.size(), pipe)) > 0;)
            result.out.append(buffer.data(), n);
        result.code = WEXITSTATUS(pclose(pipe));
        result.err = file_text(errors);
        return result;
    }
    void SetUp() override { std::ofstream(api_.directory() + "/edge.yaml") << "mode: wire\n"; }
    FakeApi api_;
};

}  // namespace ravelin::cli
