// SPDX-License-Identifier: Apache-2.0
#include "ui/providers/provider_info.h"

#include "app/api/answers.h"
#include "ui/text/network_words.h"
#include "ui/text/plain.h"

#include <QCoreApplication>

#include <algorithm>

namespace carrel::ui {

namespace json = boost::json;
using namespace api;

namespace {
struct ProviderWords {
    Q_DECLARE_TR_FUNCTIONS(ProviderWords)
};
} // namespace

bool ProviderInfo::isUsedBy(const std::string& agent) const {
    return std::find(agents.begin(), agents.end(), agent) != agents.end();
}

ProviderInfo providerFrom(const json::object& provider) {
    ProviderInfo out;
    out.name = textAt(provider, "name");
    out.api = textAt(provider, "api");
    out.url = textAt(provider, "url");
    out.host = textAt(provider, "host");
    out.port = numberAt(provider, "port");
    out.thisComputer = flagAt(provider, "this_computer");
    out.model = textAt(provider, "model");
    out.credential = textAt(provider, "credential");
    for (const auto& each : listAt(provider, "agents")) {
        if (each.is_string()) {
            out.agents.emplace_back(each.get_string());
        }
    }
    return out;
}

ProviderPreset presetFrom(const json::object& preset) {
    return {textAt(preset, "name"), textAt(preset, "about"), textAt(preset, "api"), textAt(preset, "url"), textAt(preset, "model"), flagAt(preset, "key")};
}

QString modelText(const ProviderInfo& provider) {
    return ProviderWords::tr("%1 by %2").arg(lineOf(provider.model, 80), lineOf(provider.name, 40));
}

QString providerPlace(const ProviderInfo& provider) {
    return provider.thisComputer ? ProviderWords::tr("this computer, port %1").arg(provider.port)
                                 : placeText(provider.host, std::to_string(provider.port));
}

} // namespace carrel::ui
