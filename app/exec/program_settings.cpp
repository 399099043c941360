// SPDX-License-Identifier: Apache-2.0
#include "app/exec/program_settings.h"

#include <algorithm>

namespace carrel::exec {
namespace {

constexpr std::array<std::string_view, 3> kModes{"observe", "deny", "allow"}; // from the widest to the narrowest
constexpr std::array<std::string_view, 2> kUnknown{"ask", "refuse"};

template <class Enum, std::size_t N> std::optional<Enum> from(const std::array<std::string_view, N>& names, std::string_view text) {
    const auto at = std::find(names.begin(), names.end(), text);
    return at == names.end() ? std::nullopt : std::optional(static_cast<Enum>(at - names.begin()));
}

} // namespace

std::string_view toString(Mode mode) {
    return kModes.at(static_cast<std::size_t>(mode));
}

std::string_view toString(Unknown unknown) {
    return kUnknown.at(static_cast<std::size_t>(unknown));
}

std::optional<Mode> modeFrom(std::string_view text) {
    return from<Mode>(kModes, text);
}

std::optional<Unknown> unknownFrom(std::string_view text) {
    return from<Unknown>(kUnknown, text);
}

bool givesMore(const Settings& from, const Settings& to) {
    return to.mode < from.mode || (to.unknown == Unknown::Ask && from.unknown == Unknown::Refuse);
}

} // namespace carrel::exec
