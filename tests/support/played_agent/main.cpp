// SPDX-License-Identifier: Apache-2.0
// played-agent FILE | --script TEXT: see played_agent.h.
#include "tests/support/played_agent/played_agent.h"

#include <fstream>
#include <iostream>
#include <iterator>

int main(int count, char** arguments) {
    if (count != 2 && count != 3) {
        std::cerr << "played-agent FILE | --script TEXT\n";
        return 2;
    }
    std::string text = arguments[count - 1];
    if (count == 2) {
        std::ifstream file(text);
        text.assign(std::istreambuf_iterator<char>(file), {});
    }
    boost::json::error_code error;
    const auto script = boost::json::parse(text, error);
    if (error || !script.is_array()) {
        std::cerr << "the script is no list of steps\n";
        return 2;
    }
    return carrel::test::PlayedAgent(script.get_array()).play();
}
