// SPDX-License-Identifier: Apache-2.0
#include "app/providers/presets.h"

#include "app/providers/preset_texts.h"

#include <algorithm>
#include <set>
#include <toml++/toml.h>

namespace carrel::providers {

namespace {

constexpr std::int64_t kVersion = 1;

tl::unexpected<Error> malformed(const std::string& what) {
    return fail(ErrorCode::Malformed, "What Carrel knows of model providers cannot be read: " + what, "This build of Carrel is damaged: install it again");
}

// The keys of one table. The first that is wrong is kept; whatever is not asked for is wrong, too.
class Keys {
public:
    Keys(const toml::table& table, const char* what)
        : m_table(table)
        , m_what(what) {}
    template <class Value> std::optional<Value> optional(std::string_view key) {
        m_known.insert(std::string(key));
        const auto* node = m_table.get(key);
        auto value = node == nullptr ? std::nullopt : node->value_exact<Value>();
        if (node != nullptr && !value) {
            problem(key, "is of another kind");
        }
        return value;
    }
    template <class Value> Value get(std::string_view key) {
        auto value = optional<Value>(key);
        if (!value) {
            problem(key, "is missing");
        }
        return value.value_or(Value());
    }
    relay::ModelApi api(std::string_view key) {
        const auto value = relay::modelApiFrom(get<std::string>(key));
        if (!value) {
            problem(key, "is no interface that is known");
        }
        return value.value_or(relay::ModelApi::OpenAi);
    }
    void problem(std::string_view key, std::string_view why) {
        if (m_problem.empty()) {
            m_problem = std::string(m_what) + ": " + std::string(key) + " " + std::string(why);
        }
    }
    Status finish() {
        for (const auto& [key, node] : m_table) {
            if (!m_known.contains(std::string(key.str()))) {
                problem(key.str(), "is nothing that is known");
            }
        }
        return m_problem.empty() ? Status() : malformed(m_problem);
    }

private:
    const toml::table& m_table;
    const char* m_what;
    std::set<std::string> m_known;
    std::string m_problem;
};

Result<ProviderPreset> presetFrom(const toml::table& table) {
    Keys keys(table, "a preset");
    const auto name = keys.get<std::string>("name");
    const auto about = keys.get<std::string>("about");
    const auto api = keys.api("api");
    const auto url = ModelUrl::parse(keys.get<std::string>("url"));
    auto model = keys.optional<std::string>("model");
    const auto window = keys.optional<std::int64_t>("window");
    const auto needsKey = keys.get<bool>("key");
    if (!url) {
        keys.problem("url", "is none");
    }
    CARREL_TRY(keys.finish());
    ProviderPreset out{name, about, api, *url, std::move(model), {}, needsKey};
    if (window) {
        out.window = static_cast<std::uint64_t>(std::max<std::int64_t>(*window, 0));
    }
    // As a provider it must be one that could be kept.
    CARREL_TRY(check(Provider{name, api, *url, out.model.value_or("a-model"), out.window, needsKey ? std::optional(name) : std::nullopt, 0}));
    return out;
}

template <class Take> Status each(const toml::table& table, std::string_view list, Take&& take) {
    const auto* all = table.get_as<toml::array>(list);
    for (std::size_t i = 0; all != nullptr && i < all->size(); ++i) {
        const auto* one = all->get(i)->as_table();
        if (one == nullptr) {
            return malformed(std::string(list) + " is no list of tables");
        }
        CARREL_TRY(take(*one));
    }
    return {};
}

} // namespace

Result<ProviderPresets> providerPresetsFrom(std::string_view text) {
    toml::table table;
    try {
        table = toml::parse(text);
    } catch (const toml::parse_error& error) {
        return malformed("line " + std::to_string(error.source().begin.line) + ": " + std::string(error.description()));
    }
    if (table.get_as<std::int64_t>("version") == nullptr || table.get_as<std::int64_t>("version")->get() != kVersion || table.size() != 3) {
        return malformed("it is of another version, or holds something else");
    }
    ProviderPresets out;
    CARREL_TRY(each(table, "api", [&](const toml::table& one) -> Status {
        Keys keys(one, "an interface");
        const auto api = keys.api("name");
        out.keys.emplace_back(api, KeyField{keys.get<std::string>("header"), keys.get<std::string>("format")});
        return keys.finish();
    }));
    CARREL_TRY(each(table, "preset", [&](const toml::table& one) -> Status {
        auto preset = presetFrom(one);
        if (!preset) {
            return fail(std::move(preset).error());
        }
        out.presets.push_back(std::move(*preset));
        return {};
    }));
    for (const auto api : relay::kModelApis) {
        if (std::count_if(out.keys.begin(), out.keys.end(), [&](const auto& key) { return key.first == api; }) != 1) {
            return malformed("the header field of " + std::string(toString(api)) + " stands there not once");
        }
    }
    return out;
}

Result<ProviderPresets> providerPresets() {
    static const auto kAll = providerPresetsFrom(providerPresetsText());
    return kAll;
}

Result<ProviderPreset> providerPreset(std::string_view name) {
    const auto all = providerPresets();
    if (!all) {
        return fail(all.error());
    }
    std::string known;
    for (const auto& each : all->presets) {
        if (each.name == name) {
            return each;
        }
        known += (known.empty() ? "" : ", ") + each.name;
    }
    return fail(ErrorCode::NotFound, "Nothing is known by itself of a model provider \"" + std::string(name) + "\"",
                "There are: " + known + ". For another one say --api and --url");
}

Result<KeyField> keyFieldOf(relay::ModelApi api) {
    const auto all = providerPresets();
    if (!all) {
        return fail(all.error());
    }
    return std::find_if(all->keys.begin(), all->keys.end(), [&](const auto& key) { return key.first == api; })->second; // there is one each
}

} // namespace carrel::providers
