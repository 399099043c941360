// SPDX-License-Identifier: Apache-2.0
// Model providers as the engine tells them (provider, common.json), and those that Carrel knows of by itself (provider.presets).
// Thread: values, pure functions.
#pragma once

#include <boost/json/object.hpp>

#include <QString>
#include <QVector>

#include <string>
#include <vector>

namespace carrel::ui {

struct ProviderInfo {
    std::string name;
    std::string api;
    std::string url;
    std::string host; // whom a machine asks for
    std::uint64_t port = 0;
    bool thisComputer = false;
    std::string model;
    std::string credential; // empty: it gets no key
    std::vector<std::string> agents; // that use it

    [[nodiscard]] bool isUsedBy(const std::string& agent) const;
    bool operator==(const ProviderInfo&) const = default;
};

struct ProviderPreset {
    std::string name;
    std::string about;
    std::string api;
    std::string url;
    std::string model; // empty: it has to be named
    bool key = false;  // one is needed
    bool operator==(const ProviderPreset&) const = default;
};

[[nodiscard]] ProviderInfo providerFrom(const boost::json::object& provider);
[[nodiscard]] ProviderPreset presetFrom(const boost::json::object& preset);

[[nodiscard]] QString modelText(const ProviderInfo& provider);     // "claude-sonnet-4-5 by anthropic"
[[nodiscard]] QString providerPlace(const ProviderInfo& provider); // "api.anthropic.com:443", "this computer, port 11434"

} // namespace carrel::ui
