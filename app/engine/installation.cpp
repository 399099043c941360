// SPDX-License-Identifier: Apache-2.0
#include "app/engine/installation.h"

namespace carrel::engine {

namespace fs = std::filesystem;

namespace {

Result<fs::path> firstOf(std::initializer_list<fs::path> places, std::string_view what) {
    std::error_code ignored;
    for (const auto& place : places) {
        if (fs::exists(place, ignored)) {
            return fs::weakly_canonical(place, ignored);
        }
    }
    return fail(ErrorCode::NotFound, "Carrel's own part " + std::string(what) + " is missing", "Install Carrel again");
}

} // namespace

Result<Installation> findInstallation() {
    std::error_code error;
    const fs::path self = fs::read_symlink("/proc/self/exe", error);
    if (error) {
        return failErrno("finding out where Carrel is installed", error.value());
    }
    const fs::path bin = self.parent_path();
    const fs::path lib = bin.parent_path() / "lib" / "carrel";
    Installation found;
    const auto take = [&](fs::path& into, const char* name) -> Status {
        auto place = firstOf({bin / name, lib / name}, name);
        if (!place) {
            return fail(std::move(place).error());
        }
        into = std::move(*place);
        return {};
    };
    CARREL_TRY(take(found.clerk, "carrel-clerk"));
    CARREL_TRY(take(found.qemu, "carrel-qemu"));
    CARREL_TRY(take(found.init, "carrel-init"));
    CARREL_TRY(take(found.guestd, "carrel-guestd"));
    CARREL_TRY(take(found.ask, "carrel-ask"));
    // The build sets where its own recipe is, so that a fresh build works without being installed.
    auto recipe = firstOf({bin.parent_path() / "share" / "carrel" / "image", CARREL_BUILD_RECIPE}, "the image recipe");
    if (!recipe) {
        return fail(std::move(recipe).error());
    }
    found.recipe = std::move(*recipe);
    return found;
}

} // namespace carrel::engine
