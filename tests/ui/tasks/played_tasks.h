// SPDX-License-Identifier: Apache-2.0
// The verbs of tasks and of model providers as a window sees them: tasks and stories that the test makes up, and what is asked of them.
// Every request and answer is held against its schema, where the schema is there.
#pragma once

#include "app/api/answers.h"
#include "app/api/server.h"
#include "tests/support/json_schema.h"

#include <condition_variable>
#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace carrel::ui::test {

namespace json = boost::json;

inline json::object taskItem(std::uint64_t number, const char* kind, const std::string& text) {
    return {{"item", number}, {"kind", kind}, {"turn", 1}, {"time", "2026-03-01T12:00:00.000Z"}, {"text", text}};
}
inline json::object toolItem(std::uint64_t number, const std::string& title, const char* status = "completed", const char* kind = "execute") {
    auto out = taskItem(number, "tool", "what it printed");
    out["title"] = title;
    out["status"] = status;
    out["tool_kind"] = kind;
    return out;
}

class PlayedTasks {
public:
    using Answer = std::function<Result<json::value>(const json::object& params)>;

    // They last as long as this does.
    void addTo(api::Handlers& to) {
        for (const char* verb : {"task.add", "task.say", "task.list", "task.wait", "task.watch", "task.cancel", "task.answer", "task.programs", "provider.list",
                                 "provider.presets", "provider.add", "provider.use"}) {
            to[verb] = [this](api::Call& call) { return answer(call); };
        }
    }

    // A task of the agent desk; its number.
    std::uint64_t give(const std::string& title, const char* state = "queued") {
        const std::lock_guard lock(m_mutex);
        return make("desk", title, state);
    }
    void change(std::uint64_t id, const std::function<void(json::object&)>& how) {
        const std::lock_guard lock(m_mutex);
        how(m_tasks.at(id).task);
        touch(m_tasks.at(id));
    }
    void set(std::uint64_t id, const char* key, json::value value) {
        change(id, [&](json::object& task) { task[key] = std::move(value); });
    }
    void tell(std::uint64_t id, std::vector<json::object> items) {
        const std::lock_guard lock(m_mutex);
        for (auto& each : items) {
            put(m_tasks.at(id), std::move(each));
        }
        m_news.notify_all();
    }
    // There is a provider, and these agents use it.
    void addProvider(const std::string& name, std::vector<std::string> agents) {
        const std::lock_guard lock(m_mutex);
        m_providers[name] = provider(name, "https://models.example.org/v1", "large-1", true);
        m_providers[name]["agents"] = json::value_from(agents);
    }
    void setAnswer(const std::string& verb, Answer answer) {
        const std::lock_guard lock(m_mutex);
        m_answers[verb] = std::move(answer);
    }
    [[nodiscard]] std::vector<json::object> asked(const std::string& verb) const {
        const std::lock_guard lock(m_mutex);
        const auto at = m_asked.find(verb);
        return at == m_asked.end() ? std::vector<json::object>() : at->second;
    }
    [[nodiscard]] json::object task(std::uint64_t id) const {
        const std::lock_guard lock(m_mutex);
        return m_tasks.at(id).task;
    }
    // What of the requests or answers does not fit its schema; empty: all do.
    [[nodiscard]] std::string problems() const {
        const std::lock_guard lock(m_mutex);
        return m_problems;
    }

private:
    struct Told {
        json::object task;
        std::map<std::uint64_t, json::object> items; // by when it changed last
        std::map<std::uint64_t, std::uint64_t> when; // of an item's number
        std::uint64_t mark = 0;
    };

    std::uint64_t make(const std::string& agent, const std::string& title, const char* state) {
        const auto id = m_tasks.empty() ? 1 : m_tasks.rbegin()->first + 1;
        auto example = m_schemas.load("task.add.json").at("examples").as_array().at(0).at("result").at("task").as_object();
        example["agent"] = agent;
        example["id"] = id;
        example["title"] = title;
        example["state"] = state;
        if (std::string_view(state) != "queued" && std::string_view(state) != "scheduled") {
            example["begun"] = "2026-03-01T12:00:00.000Z";
        }
        m_tasks[id].task = std::move(example);
        touch(m_tasks[id]);
        return id;
    }
    void touch(Told& told) {
        ++told.mark;
        ++m_mark;
        m_news.notify_all();
    }
    void put(Told& told, json::object item) {
        const auto number = api::numberAt(item, "item");
        if (const auto before = told.when.find(number); before != told.when.end()) {
            told.items.erase(before->second);
        }
        touch(told);
        told.when[number] = told.mark;
        told.items[told.mark] = std::move(item);
    }
    static json::object provider(const std::string& name, const std::string& url, const std::string& model, bool key) {
        const bool here = url.starts_with("http://localhost");
        return {{"name", name},
                {"api", "openai"},
                {"url", url},
                {"guest_url", url},
                {"host", here ? "host.carrel.internal" : "models.example.org"},
                {"port", here ? 11434 : 443},
                {"this_computer", here},
                {"model", model},
                {"window", nullptr},
                {"credential", key ? json::value(name) : json::value(nullptr)},
                {"agents", json::array{}}};
    }
    void hold(const std::string& verb, const json::value& value, const char* part) {
        if (!std::filesystem::exists(CARREL_SOURCE_DIR "/app/api/schema/" + verb + ".json")) {
            return;
        }
        const auto schema = m_schemas.load(verb + ".json").as_object();
        const auto problem = m_schemas.check(value, schema.at("properties").as_object().at(part).as_object());
        if (!problem.empty() && m_problems.empty()) {
            m_problems = verb + " " + part + ": " + problem + " in " + json::serialize(value);
        }
    }
    Result<json::value> answer(api::Call& call) {
        std::unique_lock lock(m_mutex);
        const std::string verb(call.verb());
        m_asked[verb].push_back(call.params());
        hold(verb, call.params(), "params");
        auto out = answerTo(verb, call, lock);
        if (out) {
            hold(verb, *out, "result");
        }
        return out;
    }
    Result<json::value> answerTo(const std::string& verb, api::Call& call, std::unique_lock<std::mutex>& lock) {
        const auto& params = call.params();
        if (const auto own = m_answers.find(verb); own != m_answers.end()) {
            return own->second(params);
        }
        if (verb == "task.list") {
            return list(params);
        }
        if (verb == "task.wait") {
            const auto known = api::numberAt(params, "mark");
            if (!m_news.wait(lock, call.stop(), [&] { return m_mark != known; })) {
                return fail(ErrorCode::Cancelled, "called off");
            }
            return json::object{{"mark", m_mark}};
        }
        if (verb == "task.watch") {
            return watch(params, call, lock);
        }
        if (verb == "task.add") {
            const auto id = make(api::textAt(params, "agent"), api::textAt(params, "text"), "queued");
            put(m_tasks[id], taskItem(1, "user", api::textAt(params, "text")));
            return json::object{{"task", m_tasks[id].task}};
        }
        if (verb == "task.programs") {
            const auto program = [](const char* name, const char* title, json::value installed) {
                return json::object{{"name", name}, {"title", title}, {"about", "about it"}, {"apis", json::array{"openai"}}, {"memory_mib", 1024}, {"installed", std::move(installed)}, {"install", nullptr}};
            };
            return json::object{{"programs", json::array{program("carrel", "Carrel's own agent", true), program("opencode", "OpenCode", false)}}};
        }
        if (verb.starts_with("task.")) {
            return onTask(verb, params);
        }
        return onProvider(verb, params);
    }
    Result<json::value> list(const json::object& params) {
        json::array out;
        for (auto each = m_tasks.rbegin(); each != m_tasks.rend(); ++each) {
            if (each->second.task.at("agent") == params.at("agent")) {
                out.push_back(each->second.task);
            }
        }
        return json::object{{"tasks", std::move(out)}, {"mark", m_mark}};
    }
    Result<json::value> watch(const json::object& params, api::Call& call, std::unique_lock<std::mutex>& lock) {
        const auto at = m_tasks.find(api::numberAt(params, "task"));
        if (at == m_tasks.end()) {
            return fail(ErrorCode::NotFound, "there is no such task");
        }
        auto& told = at->second;
        const auto after = api::numberAt(params, "after");
        if (api::flagAt(params, "wait") && !m_news.wait(lock, call.stop(), [&] { return told.mark > after; })) {
            return fail(ErrorCode::Cancelled, "called off");
        }
        constexpr std::size_t kPage = 200;
        json::array items;
        auto mark = told.mark;
        auto next = told.items.upper_bound(after);
        for (; next != told.items.end() && items.size() < kPage; ++next) {
            items.push_back(next->second);
            mark = next->first;
        }
        const bool more = next != told.items.end();
        return json::object{{"task", told.task}, {"items", std::move(items)}, {"mark", more ? mark : told.mark}, {"more", more}};
    }
    Result<json::value> onTask(const std::string& verb, const json::object& params) {
        const auto at = m_tasks.find(api::numberAt(params, "task"));
        if (at == m_tasks.end()) {
            return fail(ErrorCode::NotFound, "there is no such task");
        }
        auto& told = at->second;
        if (verb == "task.say") {
            put(told, taskItem(told.when.empty() ? 1 : told.when.rbegin()->first + 1, "user", api::textAt(params, "text")));
        } else if (verb == "task.cancel") {
            told.task["state"] = "cancelled";
        } else {
            told.task["state"] = "working";
            told.task["waits_for"] = nullptr;
        }
        touch(told);
        return json::object{{"task", told.task}};
    }
    Result<json::value> onProvider(const std::string& verb, const json::object& params) {
        const bool preview = api::flagAt(params, "preview");
        if (verb == "provider.list") {
            json::array out;
            for (const auto& [name, each] : m_providers) {
                out.push_back(each);
            }
            return json::object{{"providers", std::move(out)}};
        }
        if (verb == "provider.presets") {
            const auto preset = [](const char* name, const char* about, const char* url, json::value model, bool key) {
                return json::object{{"name", name}, {"about", about}, {"api", "openai"}, {"url", url}, {"model", std::move(model)}, {"window", nullptr}, {"key", key}};
            };
            return json::object{{"presets", json::array{preset("hosted", "Large, by Example", "https://models.example.org/v1", "large-1", true),
                                                        preset("ollama", "Ollama on this computer", "http://localhost:11434/v1", nullptr, false)}}};
        }
        if (verb == "provider.add") {
            const bool hosted = api::textAt(params, "preset") == "hosted";
            const auto model = params.contains("model") ? api::textAt(params, "model") : hosted ? std::string("large-1") : std::string();
            if (model.empty()) {
                return fail(ErrorCode::InvalidArgument, "which model is meant is not said", "Name it as its server does");
            }
            const auto url = params.contains("url") ? api::textAt(params, "url") : hosted ? std::string("https://models.example.org/v1") : std::string("http://localhost:11434/v1");
            const bool key = params.contains("key") ? api::flagAt(params, "key") : hosted;
            auto made = provider(api::textAt(params, "name"), url, model, key);
            if (!preview) {
                if (key && !params.contains("secret")) {
                    return fail(ErrorCode::InvalidArgument, "a key is needed");
                }
                m_providers[api::textAt(params, "name")] = made;
            }
            return json::object{{"provider", made}, {"key", key ? json::value{{"header", "Authorization"}, {"format", "Bearer {}"}, {"kept", "keyring"}} : json::value(nullptr)}};
        }
        const auto name = api::textAt(params, "provider");
        const auto agent = api::textAt(params, "agent");
        if (!preview) {
            for (auto& [each, one] : m_providers) {
                json::array users;
                for (const auto& other : one.at("agents").as_array()) {
                    if (other != json::value(agent)) {
                        users.push_back(other);
                    }
                }
                if (each == name) {
                    users.emplace_back(agent);
                }
                one["agents"] = std::move(users);
            }
        }
        return json::object{{"agent", agent}, {"provider", m_providers.at(name)}, {"before", nullptr}, {"mode_before", "offline"}, {"mode", "allowlist"},
                            {"rules", json::array{}}, {"gone", json::array{}}, {"there", 1}};
    }

    carrel::test::Schemas m_schemas{CARREL_SOURCE_DIR "/app/api/schema"};
    mutable std::mutex m_mutex;
    std::condition_variable_any m_news;
    std::map<std::uint64_t, Told> m_tasks;
    std::uint64_t m_mark = 1;
    std::map<std::string, json::object> m_providers;
    std::map<std::string, Answer> m_answers;
    std::map<std::string, std::vector<json::object>> m_asked;
    std::string m_problems;
};

} // namespace carrel::ui::test
