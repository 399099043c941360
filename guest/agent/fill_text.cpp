// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/fill_text.h"

#include <algorithm>

namespace carrel::agent {

std::string filled(std::string_view text, const std::vector<std::pair<std::string_view, std::string_view>>& places) {
    std::string out;
    while (!text.empty()) {
        const auto place = std::find_if(places.begin(), places.end(), [&](const auto& each) { return text.starts_with(each.first); });
        out += place == places.end() ? text.substr(0, 1) : place->second;
        text.remove_prefix(place == places.end() ? 1 : place->first.size());
    }
    return out;
}

} // namespace carrel::agent
