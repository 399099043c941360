// SPDX-License-Identifier: Apache-2.0
#include "app/egress/presets.h"

#include "app/egress/preset_texts.h"

namespace carrel::egress {

Result<policy::Preset> networkPreset(std::string_view name) {
    const auto text = networkPresetText(name);
    return text.empty() ? Result<policy::Preset>(fail(policy::noSuchPreset(name, kNetworkPresets))) : policy::presetFrom(name, text);
}

} // namespace carrel::egress
