// SPDX-License-Identifier: Apache-2.0
#include "app/engine/installation.h"

#include <utility>

namespace carrel::engine {

namespace fs = std::filesystem;

Result<Installation> findInstallation(const api::OwnPlaces& places) {
    Installation found;
    const std::pair<fs::path*, const char*> programs[] = {{&found.clerk, "carrel-clerk"},
                                                          {&found.qemu, "carrel-qemu"},
                                                          {&found.init, "carrel-init"},
                                                          {&found.guestd, "carrel-guestd"},
                                                          {&found.recorder, "carrel-recorder"},
                                                          {&found.ask, "carrel-ask"},
                                                          {&found.agent, "carrel-agent"}};
    for (const auto& [into, name] : programs) {
        auto place = places.program(name);
        if (!place) {
            return fail(std::move(place).error());
        }
        *into = std::move(*place);
    }
    auto recipe = places.data("image");
    if (!recipe) {
        return fail(std::move(recipe).error());
    }
    found.recipe = std::move(*recipe);
    return found;
}

} // namespace carrel::engine
