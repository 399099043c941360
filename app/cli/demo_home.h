// SPDX-License-Identifier: Apache-2.0
// What the guided walk-through keeps, in a folder beside the data folder (what lies in that cannot be
// shared): <data folder>-demo/agent-id (which agent it made; also the mark that the folder is ours to delete)
// and <data folder>-demo/<n>/ (a sample folder per run, so that no run touches what an earlier one left).
// Thread: main.
#pragma once

#include "app/api/home.h"
#include "guest/protocol/result.h"

#include <boost/json.hpp>

#include <filesystem>
#include <string>

namespace carrel::cli {

inline constexpr const char* kDemoAgent = "demo";

class DemoHome {
public:
    explicit DemoHome(const api::Home& home)
        : m_folder(home.folder.string() + "-demo") {}

    // Makes the folder, before anything else. Refused: something of that name is there that no walk-through
    // made.
    [[nodiscard]] Status prepare() const;
    // True: the agent named demo is one that a walk-through made, known by its id, or by its only shares
    // lying in our folder (a run that was cut short wrote no id).
    [[nodiscard]] bool made(const boost::json::object& agent) const;
    [[nodiscard]] Status remember(const boost::json::object& agent);
    [[nodiscard]] Result<std::filesystem::path> newSampleFolder();
    // Deletes the sample folders of all runs, and the id. Folders that were chosen with --folder stay.
    [[nodiscard]] Status clean();
    [[nodiscard]] const std::filesystem::path& folder() const { return m_folder; }

private:
    [[nodiscard]] std::filesystem::path mark() const { return m_folder / "agent-id"; }

    std::filesystem::path m_folder;
};

} // namespace carrel::cli
