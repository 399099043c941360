// SPDX-License-Identifier: Apache-2.0
#include "app/tasks/program_template.h"

#include <boost/json/serialize.hpp>

namespace carrel::tasks {

namespace json = boost::json;

namespace {

constexpr std::string_view kWindow = "{window}";

// What the text at `at` names, and how long that name is.
struct Named {
    std::string value;
    std::size_t length = 0;
    bool known = true;
};

std::optional<Named> namedAt(std::string_view text, const TemplateWords& words) {
    if (text.starts_with(kWindow)) {
        return Named{words.window ? std::to_string(*words.window) : std::string(), kWindow.size(), words.window.has_value()};
    }
    const std::pair<std::string_view, const std::string*> all[] = {
        {"{url}", &words.url}, {"{model}", &words.model}, {"{key}", &words.key}, {"{provider}", &words.provider}, {"{dir}", &words.dir}};
    for (const auto& [name, value] : all) {
        if (text.starts_with(name)) {
            return Named{*value, name.size()};
        }
    }
    return std::nullopt;
}

std::optional<json::value> filledValue(const json::value& value, const TemplateWords& words) {
    if (const auto* text = value.if_string()) {
        if (std::string_view(*text) == kWindow) {
            return words.window ? std::optional<json::value>(*words.window) : std::nullopt;
        }
        auto out = filled(*text, words);
        return out ? std::optional<json::value>(json::value(std::move(*out))) : std::nullopt;
    }
    if (const auto* list = value.if_array()) {
        json::array out;
        for (const auto& each : *list) {
            auto one = filledValue(each, words);
            if (!one) {
                return std::nullopt;
            }
            out.push_back(std::move(*one));
        }
        return json::value(std::move(out));
    }
    if (const auto* object = value.if_object()) {
        json::object out;
        for (const auto& each : *object) {
            const auto name = filled(each.key(), words);
            auto one = filledValue(each.value(), words);
            if (!name || !one) {
                return std::nullopt;
            }
            out[*name] = std::move(*one);
        }
        return json::value(std::move(out));
    }
    return value;
}

} // namespace

std::optional<std::string> filled(std::string_view text, const TemplateWords& words) {
    std::string out;
    while (!text.empty()) {
        const auto named = text.front() == '{' ? namedAt(text, words) : std::nullopt;
        if (named && !named->known) {
            return std::nullopt;
        }
        out += named ? named->value : std::string(1, text.front());
        text.remove_prefix(named ? named->length : 1);
    }
    return out;
}

std::optional<std::string> filledJson(const json::value& value, const TemplateWords& words) {
    const auto out = filledValue(value, words);
    return out ? std::optional(json::serialize(*out)) : std::nullopt;
}

} // namespace carrel::tasks
