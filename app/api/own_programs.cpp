// SPDX-License-Identifier: Apache-2.0
#include "app/api/own_programs.h"

#include <string>
#include <unistd.h>

namespace carrel::api {

namespace fs = std::filesystem;

namespace {

bool isPrivateFolder(const fs::path& folder) {
    return folder.filename() == "carrel" && folder.parent_path().filename() == "lib";
}

} // namespace

OwnPlaces::OwnPlaces(const fs::path& program) {
    const fs::path folder = program.parent_path();
    const fs::path prefix = isPrivateFolder(folder) ? folder.parent_path().parent_path() : folder.parent_path();
    m_programs = {folder, prefix / "lib" / "carrel"};
    m_data = prefix / "share" / "carrel";
}

Result<OwnPlaces> OwnPlaces::ofThisProgram() {
    std::error_code error;
    const fs::path self = fs::read_symlink("/proc/self/exe", error);
    if (error) {
        return failErrno("finding out where Carrel is installed", error.value());
    }
    return OwnPlaces(self);
}

Result<fs::path> OwnPlaces::program(std::string_view name) const {
    for (const fs::path& folder : m_programs) {
        const fs::path candidate = folder / name;
        std::error_code ignored;
        if (fs::is_regular_file(candidate, ignored) && ::access(candidate.c_str(), X_OK) == 0) {
            return fs::weakly_canonical(candidate, ignored);
        }
    }
    return fail(ErrorCode::NotFound,
                "Carrel's own program " + std::string(name) + " is neither in " + m_programs[0].string() + " nor in " +
                    m_programs[1].string(),
                "Install Carrel again");
}

Result<fs::path> OwnPlaces::data(std::string_view name) const {
    const fs::path place = m_data / name;
    std::error_code error;
    fs::path found = fs::canonical(place, error);
    if (error) {
        return fail(ErrorCode::NotFound, "a part of Carrel is missing: " + place.string(), "Install Carrel again");
    }
    return found;
}

Result<fs::path> ownProgram(std::string_view name) {
    auto places = OwnPlaces::ofThisProgram();
    if (!places) {
        return fail(std::move(places).error());
    }
    return places->program(name);
}

} // namespace carrel::api
