// SPDX-License-Identifier: Apache-2.0
#include "app/clerk/placeholders.h"

#include <array>

namespace carrel::clerk {

namespace {

struct Known {
    Placeholder kind;
    std::string_view ending;
    std::string_view program;
};
constexpr std::array kKnown{Known{Placeholder::Nextcloud, ".nextcloud", "Nextcloud"},
                            Known{Placeholder::OwnCloud, ".owncloud", "ownCloud"}};
constexpr std::uint64_t kMostBytes = 1; // one blank; none while it is being made

} // namespace

std::optional<Placeholder> placeholderOf(std::string_view name, std::uint64_t size) {
    for (const Known& known : kKnown) {
        if (size <= kMostBytes && name.size() > known.ending.size() && name.ends_with(known.ending)) {
            return known.kind;
        }
    }
    return std::nullopt;
}

std::string_view programOf(Placeholder kind) {
    for (const Known& known : kKnown) {
        if (known.kind == kind) {
            return known.program;
        }
    }
    return {};
}

} // namespace carrel::clerk
