// SPDX-License-Identifier: Apache-2.0
// Running a tool as the loop does, from the JSON that a model writes, and files to run it on.
#pragma once

#include "guest/agent/tool.h"
#include "tests/guest/agent/turn_words.h"

#include <QTemporaryDir>

#include <fstream>
#include <iterator>

namespace carrel::agent::test {

// `input`: see j().
inline ToolOutcome use(Tool& tool, const std::string& input, const std::stop_token& stop = {}) {
    return tool.run(boost::json::parse(j(input)).as_object(), stop);
}

inline bool has(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

class Folder {
public:
    [[nodiscard]] std::string path() const { return m_folder.path().toStdString(); }
    [[nodiscard]] std::string at(const std::string& name) const { return path() + "/" + name; }
    void put(const std::string& name, std::string_view text) const { std::ofstream(at(name), std::ios::binary) << text; }
    [[nodiscard]] std::string get(const std::string& name) const {
        std::ifstream file(at(name), std::ios::binary);
        return {std::istreambuf_iterator<char>(file), {}};
    }

private:
    QTemporaryDir m_folder;
};

} // namespace carrel::agent::test
