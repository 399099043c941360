// SPDX-License-Identifier: Apache-2.0
// What Carrel knows of providers by itself (resources/agent/providers.toml): their addresses, the header field that each interface wants
// a key in. Part of the program, so that nothing on the disk can change where a key goes.
// Thread: pure functions.
#pragma once

#include "app/providers/provider.h"

#include <string>
#include <string_view>
#include <vector>

namespace carrel::providers {

struct KeyField { // of a request
    std::string header;
    std::string format; // "{}" for the key
};
struct ProviderPreset {
    std::string name;
    std::string about; // in plain words
    relay::ModelApi api = relay::ModelApi::OpenAi;
    ModelUrl url;
    std::optional<std::string> model; // none: the owner has to name one
    std::optional<std::uint64_t> window;
    bool needsKey = false;
};
struct ProviderPresets {
    std::vector<ProviderPreset> presets;
    std::vector<std::pair<relay::ModelApi, KeyField>> keys; // one each
};

// Malformed: with what is wrong. For tests, whether it reads strictly.
[[nodiscard]] Result<ProviderPresets> providerPresetsFrom(std::string_view toml);
// Those of the program.
[[nodiscard]] Result<ProviderPresets> providerPresets();
// NotFound: none is called that; with what there is.
[[nodiscard]] Result<ProviderPreset> providerPreset(std::string_view name);
[[nodiscard]] Result<KeyField> keyFieldOf(relay::ModelApi api);

} // namespace carrel::providers
