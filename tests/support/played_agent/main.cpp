// SPDX-License-Identifier: Apache-2.0
// played-agent FILE: plays the script that is in it; see played_agent.h.
#include "tests/support/played_agent/played_agent.h"

#include <fstream>
#include <iostream>
#include <iterator>

int main(int count, char** arguments) {
    if (count != 2) {
        std::cerr << "played-agent FILE\n";
        return 2;
    }
    std::ifstream file(arguments[1]);
    const std::string text(std::istreambuf_iterator<char>(file), {});
    boost::json::error_code error;
    const auto script = boost::json::parse(text, error);
    if (error || !script.is_array()) {
        std::cerr << "the script is no list of steps\n";
        return 2;
    }
    return carrel::test::PlayedAgent(script.get_array()).play();
}
