// SPDX-License-Identifier: Apache-2.0
// Where the programs and files are that came with the one that runs. A build has all programs in one folder, an installation has
// what people start in <prefix>/bin and the rest in <prefix>/lib/carrel; in both, files are in <prefix>/share/carrel. Nothing here
// knows where Carrel was built. Thread: any.
#pragma once

#include "guest/protocol/result.h"

#include <array>
#include <filesystem>
#include <string_view>

namespace carrel::api {

class OwnPlaces {
public:
    // Of a program, by its own path without symbolic links.
    explicit OwnPlaces(const std::filesystem::path& program);
    [[nodiscard]] static Result<OwnPlaces> ofThisProgram();

    // NotFound: there is none that may be run.
    [[nodiscard]] Result<std::filesystem::path> program(std::string_view name) const;
    // A file or folder of <prefix>/share/carrel, without symbolic links. NotFound names it.
    [[nodiscard]] Result<std::filesystem::path> data(std::string_view name) const;

private:
    std::array<std::filesystem::path, 2> m_programs; // the first that has it counts
    std::filesystem::path m_data;
};

// OwnPlaces::program() of the one that runs.
[[nodiscard]] Result<std::filesystem::path> ownProgram(std::string_view name);

} // namespace carrel::api
