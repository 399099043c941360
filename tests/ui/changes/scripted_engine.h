// SPDX-License-Identifier: Apache-2.0
// An engine as the page of changes sees one: a review that the test makes up, what is asked of it, and answers that can be held
// back for as long as the test wants. Every request is held against its schema.
#pragma once

#include "app/api/answers.h"
#include "app/api/home.h"
#include "app/api/server.h"
#include "tests/support/json_schema.h"
#include "ui/agents/agent_store.h"
#include "ui/engine/engine_link.h"

#include <QStandardPaths>
#include <QStringLiteral>
#include <QTemporaryDir>
#include <QTest>

#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace carrel::ui::test {

namespace json = boost::json;

inline json::object change(const std::string& path, const char* kind = "modified", const char* type = "file") {
    return {{"share", path.substr(0, path.find('/'))},
            {"path", path},
            {"kind", kind},
            {"type", type},
            {"size", 1200},
            {"mode", "0644"},
            {"old_mode", "0644"},
            {"base", std::string(64, 'a')},
            {"content", std::string(type) == "file" && std::string(kind) != "deleted" ? json::value(std::string(64, 'b')) : json::value(nullptr)},
            {"risk", "normal"},
            {"conflict", nullptr}};
}
inline json::object risky(json::object of, const char* why = "git runs this file") {
    of["risk"] = "high";
    of["risk_reason"] = why;
    return of;
}
inline json::object inConflict(json::object of, const char* why = "the file changed on this computer since the agent read it") {
    of["conflict"] = why;
    return of;
}

class ScriptedEngine {
public:
    struct Asked {
        std::string verb;
        json::object params;
    };

    ScriptedEngine() {
        qputenv("XDG_RUNTIME_DIR", "");
        qputenv("CARREL_HOME", m_folder.filePath(QStringLiteral("home")).toUtf8());
        m_answers["apply"] = [this] { return done("apply", 4); };
        m_answers["discard"] = [this] { return done("discard", std::nullopt); };
        m_answers["undo"] = [this] {
            auto out = done("undo", 5);
            out.erase("review");
            out["undone"] = 4;
            return out;
        };
        m_answers["history"] = [] { return json::object{{"applies", json::array{}}, {"next", nullptr}}; };
        comeUp();
    }
    ~ScriptedEngine() { m_server.reset(); }

    void goDown() { m_server.reset(); }
    void comeUp() {
        api::Handlers handlers;
        for (const char* verb : {"engine.info", "agent.list", "agent.wait", "changes", "changes.wait", "diff", "apply", "discard", "undo", "history"}) {
            handlers[verb] = [this](api::Call& call) { return answer(call); };
        }
        m_server = std::move(api::Server::start(api::socketPath(api::openHome().value()).value(), std::move(handlers)).value());
    }

    // The staged work is this now, under that name; who watches hears of it.
    void stage(char review, std::vector<json::object> changes) {
        const std::lock_guard lock(m_mutex);
        m_changes = std::move(changes);
        m_review = std::string(64, review);
        m_mark = "mark " + std::to_string(++m_marks);
        m_reviews[m_review] = m_changes;
        m_news.notify_all();
    }
    void nothingStaged() { stage('0', {}); }
    void setRunning(bool running, const char* state) {
        const std::lock_guard lock(m_mutex);
        m_running = running;
        m_state = state;
        m_mark = "mark " + std::to_string(++m_marks);
        m_news.notify_all();
    }
    // Of the file at that path, beside "change".
    void setDiff(const std::string& path, json::object fields) {
        const std::lock_guard lock(m_mutex);
        m_diffs[path] = std::move(fields);
    }
    // Its answers are not held against the schema: an engine of another version has fields of its own.
    void doNotHold(const std::string& verb) {
        const std::lock_guard lock(m_mutex);
        m_unheld.insert(verb);
    }
    // Further fields of the next answers of "changes".
    void addToChanges(json::object fields) {
        const std::lock_guard lock(m_mutex);
        m_extra = std::move(fields);
    }
    void setAnswer(const std::string& verb, std::function<Result<json::value>()> answer) {
        const std::lock_guard lock(m_mutex);
        m_answers[verb] = std::move(answer);
    }
    void setAnswer(const std::string& verb, json::object answer) {
        setAnswer(verb, [answer]() -> Result<json::value> { return json::value(answer); });
    }
    // It tells how far it is and answers no more, until it is called off.
    void stall(const std::string& verb) {
        const std::lock_guard lock(m_mutex);
        m_stalled.insert(verb);
    }
    void goOn(const std::string& verb) {
        const std::lock_guard lock(m_mutex);
        m_stalled.erase(verb);
        m_news.notify_all();
    }

    // Those of that verb, since the beginning.
    [[nodiscard]] std::vector<json::object> asked(const std::string& verb) const {
        const std::lock_guard lock(m_mutex);
        std::vector<json::object> out;
        for (const auto& each : m_asked) {
            if (each.verb == verb) {
                out.push_back(each.params);
            }
        }
        return out;
    }
    [[nodiscard]] int calledOff(const std::string& verb) const {
        const std::lock_guard lock(m_mutex);
        const auto found = m_calledOff.find(verb);
        return found == m_calledOff.end() ? 0 : found->second;
    }
    // What of the requests or answers does not fit its schema; empty: all do.
    [[nodiscard]] std::string problems() const {
        const std::lock_guard lock(m_mutex);
        return m_problems;
    }

    [[nodiscard]] json::object done(const char* verb, std::optional<std::uint64_t> number) const {
        json::object out{{"review", m_review},
                         {"outcomes", json::array{}},
                         {"totals", {{"done", m_changes.size()}, {"conflicts", 0}, {"refused", 0}, {"failed", 0}, {"kept", 0}}}};
        if (std::string_view(verb) != "discard") {
            out["apply"] = number ? json::value(*number) : json::value(nullptr);
        }
        return out;
    }

private:
    void hold(const std::string& verb, const json::object& value, const char* part) {
        if (m_unheld.contains(verb)) {
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
        m_asked.push_back({verb, call.params()});
        hold(verb, call.params(), "params");
        if (m_stalled.contains(verb)) {
            call.progress("step", "Working on something", 0.25);
        }
        if (!m_news.wait(lock, call.stop(), [&] { return !m_stalled.contains(verb); })) {
            return calledOffNow(verb);
        }
        auto out = answerTo(verb, call, lock);
        if (out) {
            hold(verb, out->as_object(), "result");
        }
        return out;
    }
    Result<json::value> answerTo(const std::string& verb, api::Call& call, std::unique_lock<std::mutex>& lock) {
        if (const auto found = m_answers.find(verb); found != m_answers.end()) {
            return found->second();
        }
        if (verb == "agent.wait") {
            m_news.wait(lock, call.stop(), [] { return false; });
            return calledOffNow(verb);
        }
        if (verb == "changes.wait") {
            const auto known = api::textAt(call.params(), "mark");
            if (!m_news.wait(lock, call.stop(), [&] { return known != m_mark; })) {
                return calledOffNow(verb);
            }
            return json::value{{"mark", m_mark}, {"running", m_running}};
        }
        if (verb == "changes") {
            return list(call.params());
        }
        if (verb == "diff") {
            return diff(call.params());
        }
        auto example = m_schemas.load(verb + ".json").at("examples").as_array().at(0).at("result");
        if (verb == "agent.list") {
            auto& agent = example.as_object().at("agents").as_array().at(0).as_object();
            agent["name"] = "desk";
            agent["state"] = m_state;
        }
        return example;
    }
    Result<json::value> calledOffNow(const std::string& verb) {
        ++m_calledOff[verb];
        return fail(ErrorCode::Cancelled, "called off");
    }
    json::object totals(const std::vector<json::object>& changes) const {
        std::uint64_t high = 0;
        std::uint64_t conflicts = 0;
        std::uint64_t bytes = 0;
        for (const auto& each : changes) {
            high += each.at("risk") == "high" ? 1 : 0;
            conflicts += each.at("conflict").is_null() ? 0 : 1;
            bytes += each.at("content").is_null() ? 0 : api::numberAt(each, "size");
        }
        return {{"changes", changes.size()}, {"bytes", bytes}, {"high_risk", high}, {"conflicts", conflicts}};
    }
    Result<json::value> list(const json::object& params) {
        const auto review = params.contains("review") ? api::textAt(params, "review") : m_review;
        const auto found = m_reviews.find(review);
        if (found == m_reviews.end()) {
            return fail(ErrorCode::NotFound, "there is no such review", "Look again.");
        }
        const auto& changes = found->second;
        const auto after = api::numberAt(params, "after");
        const auto end = std::min<std::uint64_t>(changes.size(), after + api::numberAt(params, "limit"));
        json::array page;
        for (auto at = after; at < end; ++at) {
            page.push_back(changes[at]);
        }
        json::object out{{"review", changes.empty() ? json::value(nullptr) : json::value(review)},
                         {"changes", std::move(page)},
                         {"left_out", json::array{}},
                         {"totals", totals(changes)},
                         {"next", end < changes.size() ? json::value(end) : json::value(nullptr)}};
        for (const auto& [key, value] : m_extra) {
            out[key] = value;
        }
        return out;
    }
    Result<json::value> diff(const json::object& params) {
        const auto path = api::pathAt(params.at("paths").as_array().at(0).as_object(), "path");
        json::array files;
        for (const auto& each : m_reviews[api::textAt(params, "review")]) {
            if (api::pathAt(each, "path") == path) {
                json::object file{{"change", each}, {"diff", "@@ -1,2 +1,2 @@\n same\n-old words here\n+new words here\n"}};
                if (const auto found = m_diffs.find(path); found != m_diffs.end()) {
                    for (const auto& [key, value] : found->second) {
                        if (key != "three_way" || params.contains("three_way")) {
                            file[key] = value;
                        }
                    }
                }
                files.push_back(std::move(file));
            }
        }
        return json::object{{"review", params.at("review")}, {"files", std::move(files)}, {"totals", totals(m_changes)}, {"next", nullptr}};
    }

    QTemporaryDir m_folder{QStringLiteral("/tmp/carrel-changes-XXXXXX")};
    carrel::test::Schemas m_schemas{CARREL_SOURCE_DIR "/app/api/schema"};
    mutable std::mutex m_mutex;
    std::condition_variable_any m_news;
    std::vector<json::object> m_changes;
    std::map<std::string, std::vector<json::object>> m_reviews;
    std::string m_review = std::string(64, '0');
    std::string m_mark = "mark 0";
    int m_marks = 0;
    bool m_running = true;
    std::string m_state = "ready";
    std::map<std::string, json::object> m_diffs;
    json::object m_extra;
    std::map<std::string, std::function<Result<json::value>()>> m_answers;
    std::set<std::string> m_stalled;
    std::vector<Asked> m_asked;
    std::map<std::string, int> m_calledOff;
    std::string m_problems;
    std::set<std::string> m_unheld{"agent.wait"}; // no part of the page's agreement
    std::unique_ptr<api::Server> m_server;
};

// The widget of that name, which there has to be.
template <class Widget> Widget* find(const QObject& within, const char* name) {
    auto* const found = within.findChild<Widget*>(QString::fromLatin1(name));
    if (found == nullptr) {
        qFatal("there is no %s", name);
    }
    return found;
}

} // namespace carrel::ui::test
