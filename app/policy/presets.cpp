// SPDX-License-Identifier: Apache-2.0
#include "app/policy/presets.h"

#include "app/policy/preset_texts.h"

#include <algorithm>

namespace carrel::policy {

Error noSuchPreset(std::string_view name, std::span<const std::string_view> known) {
    std::string all;
    for (const auto each : known) {
        all += (all.empty() ? "" : ", ") + std::string(each);
    }
    return Error{ErrorCode::NotFound, "No set of rules is called \"" + std::string(name) + "\"", "There are: " + all, 0, nullptr};
}

Result<Preset> preset(std::string_view name) {
    const auto text = presetText(name);
    return text.empty() ? Result<Preset>(fail(noSuchPreset(name, kPresets))) : presetFrom(name, text);
}

Result<Preset> presetFrom(std::string_view name, std::string_view text) {
    auto set = rulesFrom(text);
    if (!set) {
        return fail(std::move(set).error());
    }
    Preset out{std::string(name), {}, std::move(*set)};
    // The comment at the top, after the line of the licence.
    for (std::size_t at = 0; at < text.size() && text[at] == '#';) {
        const auto end = std::min(text.find('\n', at), text.size());
        const auto line = text.substr(at, end - at);
        if (line.starts_with("# ") && !line.starts_with("# SPDX-")) {
            out.description += (out.description.empty() ? "" : " ") + std::string(line.substr(2));
        }
        at = end + 1;
    }
    return out;
}

} // namespace carrel::policy
