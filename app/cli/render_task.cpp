// SPDX-License-Identifier: Apache-2.0
#include "app/cli/render_task.h"

#include "app/api/display_text.h"
#include "app/cli/render_approval.h"
#include "guest/protocol/amount_words.h"

#include <ctime>
#include <utility>

namespace carrel::cli {

namespace json = boost::json;

namespace {

constexpr std::string_view kMark = "▸ "; // of Carrel's own lines
constexpr std::string_view kAgent = "│ "; // of an agent's

std::string numbered(const json::object& task) {
    return "Task " + std::to_string(numberAt(task, "id")) + " of agent " + shown(textAt(task, "agent"), 40);
}

std::string usageText(const json::object& task) {
    const auto& usage = objectAt(task, "usage");
    const auto tokens = numberAt(usage, "input_tokens") + numberAt(usage, "output_tokens");
    std::string out = timeWords(std::chrono::seconds(numberAt(task, "worked_ms") / 1000)) + " of work, " + countWords(tokens) + " tokens";
    const auto cost = moneyFrom(textAt(usage, "cost"));
    out += cost ? ", " + moneyText(*cost) : ", at a cost that is not known";
    return out + (flagAt(usage, "estimated") ? " (partly a guess)" : "");
}

std::string stateWords(const json::object& task) {
    const auto state = textAt(task, "state");
    if (state == "waiting") {
        const auto kind = textAt(objectAt(task, "waits_for"), "kind");
        return kind == "permission" ? "asks" : kind == "budget" ? "budget used up" : kind == "provider" ? "needs a model" : "waits for its machine";
    }
    return shown(state, 20);
}

std::string stepMark(std::string_view status) {
    return status == "completed" ? "[x] " : status == "in_progress" ? "[>] " : "[ ] ";
}

} // namespace

std::string taskListText(const json::object& result) {
    const auto& all = listAt(result, "tasks");
    if (all.empty()) {
        return "There are no tasks. Give one: carrel task NAME \"…\"\n";
    }
    Table table({"AGENT", "ID", "STATE", "CREATED", "NEXT", "WORK", "TOKENS", "COST", "WHAT"});
    for (const auto& value : all) {
        if (!value.is_object()) {
            continue;
        }
        const auto& task = value.get_object();
        const auto& usage = objectAt(task, "usage");
        const auto next = textAt(task, "next");
        const auto cost = moneyFrom(textAt(usage, "cost"));
        table.add({shown(textAt(task, "agent"), 40), std::to_string(numberAt(task, "id")), stateWords(task), timeText(textAt(task, "created")),
                   next.empty() ? "" : timeText(next), spanText(static_cast<std::int64_t>(numberAt(task, "worked_ms") / 1000)),
                   countWords(numberAt(usage, "input_tokens") + numberAt(usage, "output_tokens")), cost ? moneyText(*cost) : "?",
                   shown(textAt(task, "title"), 60)});
    }
    return table.text();
}

std::string givenText(const json::object& task) {
    const auto state = textAt(task, "state");
    const auto id = std::to_string(numberAt(task, "id"));
    const auto agent = shown(textAt(task, "agent"), 40);
    std::string out = numbered(task);
    if (state == "scheduled") {
        out += " begins " + timeText(textAt(task, "next"));
        const auto every = numberAt(task, "every_s");
        out += every == 0 ? ".\n" : ", and again every " + timeWords(std::chrono::seconds(every)) + ", while the engine runs.\n";
        return out + "Take it off: carrel task cancel " + agent + " " + id + "\n";
    }
    return out + ": " + stateWords(task) + ".\nFollow it: carrel task show " + agent + " " + id + " --follow\n";
}

std::string optionsText(const json::object& waitsFor) {
    const bool question = flagAt(waitsFor, "question"); // which yes and no do not answer
    std::string out = question ? "Answer with " : "Answer with --yes or --no";
    bool first = question;
    for (const auto& each : listAt(waitsFor, "options")) {
        if (each.is_object()) {
            out += std::string(std::exchange(first, false) ? "" : ", or ") + "--option " + shown(textAt(each.get_object(), "id"), 60) + " (" + shown(textAt(each.get_object(), "name"), 60) + ")";
        }
    }
    return out;
}

std::optional<std::string> timeArgument(const std::string& text) {
    const auto moment = [](std::tm parts) -> std::optional<std::string> {
        parts.tm_isdst = -1;
        const std::time_t at = std::mktime(&parts);
        std::tm utc{};
        if (at == -1 || ::gmtime_r(&at, &utc) == nullptr) {
            return std::nullopt;
        }
        char out[32];
        return std::strftime(out, sizeof out, "%Y-%m-%dT%H:%M:%SZ", &utc) == 0 ? std::nullopt : std::optional<std::string>(out);
    };
    const std::time_t now = std::time(nullptr);
    std::tm parts{};
    ::localtime_r(&now, &parts);
    const auto whole = [](const char* end) { return end != nullptr && *end == '\0'; };
    if (std::tm clock = parts; whole(::strptime(text.c_str(), "%H:%M", &clock))) {
        clock.tm_sec = 0;
        if (clock.tm_hour * 60 + clock.tm_min <= parts.tm_hour * 60 + parts.tm_min) {
            ++clock.tm_mday; // tomorrow
        }
        return moment(clock);
    }
    for (const char* form : {"%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S"}) {
        std::tm at{};
        if (whole(::strptime(text.c_str(), form, &at))) {
            return moment(at);
        }
    }
    return momentOf(text) ? std::optional(text) : std::nullopt;
}

std::string TaskTeller::own(const std::string& line) {
    std::string out = m_lineOpen ? "\n" : "";
    m_lineOpen = false;
    return out + (m_colour == Colour::Yes ? "\x1b[1m" : "") + std::string(kMark) + line + (m_colour == Colour::Yes ? "\x1b[0m" : "") + "\n";
}

std::string TaskTeller::line(const std::string& text) {
    std::string out = m_lineOpen ? "\n" : "";
    m_lineOpen = false;
    return out + std::string(kAgent) + text + "\n";
}

// Each of its lines behind a bar, so that none can stand where Carrel's own stand.
std::string TaskTeller::agents(std::string_view text) {
    std::string out;
    const auto fit = api::DisplayText::block(text);
    for (const char c : fit.text()) {
        if (!m_lineOpen) {
            out += kAgent;
            m_lineOpen = true;
        }
        out += c;
        m_lineOpen = c != '\n';
    }
    return out;
}

std::string TaskTeller::itemText(const json::object& item) {
    const auto kind = textAt(item, "kind");
    const auto text = textAt(item, "text");
    auto& told = m_told[numberAt(item, "item")];
    if (kind == "text") {
        const auto fresh = std::string_view(text).substr(std::min(told.bytes, text.size()));
        told.bytes = text.size();
        return agents(fresh);
    }
    if (kind == "tool") {
        const auto status = textAt(item, "status");
        if (status == told.status) {
            return {};
        }
        const bool first = told.status.empty();
        told.status = status;
        const auto title = shown(textAt(item, "title"), 100);
        if (status == "completed" || status == "failed") {
            return line(std::string(status == "completed" ? "✓ " : "✗ ") + title);
        }
        return first && status == "in_progress" ? line("… " + title) : std::string();
    }
    if (told.bytes != 0 && kind != "permission") {
        return {};
    }
    told.bytes = 1;
    if (kind == "user") {
        return own("You: " + shown(text, 400));
    }
    if (kind == "note") {
        return own(shown(text, 400));
    }
    if (kind == "permission") {
        const auto answer = textAt(item, "answer");
        if (answer == told.status && !answer.empty()) {
            return {};
        }
        told.status = answer;
        return own("It asks: " + shown(textAt(item, "title"), 200) + (answer.empty() ? "" : " (" + shown(answer, 80) + ")"));
    }
    return {}; // thoughts, and what is not known: in the window, and with --json
}

std::string TaskTeller::tell(const json::object& news) {
    std::string out;
    for (const auto& each : listAt(news, "items")) {
        if (each.is_object()) {
            out += itemText(each.get_object());
        }
    }
    std::string plan;
    for (const auto& each : listAt(objectAt(news, "task"), "plan")) {
        if (each.is_object()) {
            plan += std::string(kAgent) + stepMark(textAt(each.get_object(), "status")) + shown(textAt(each.get_object(), "text"), 160) + "\n";
        }
    }
    if (!plan.empty() && plan != m_plan) {
        m_plan = plan;
        out += (m_lineOpen ? "\n" : "") + plan;
        m_lineOpen = false;
    }
    return out;
}

std::string TaskTeller::end(const json::object& task) {
    const auto state = textAt(task, "state");
    const auto agent = shown(textAt(task, "agent"), 40);
    const auto id = std::to_string(numberAt(task, "id"));
    std::string out;
    if (state == "waiting") {
        const auto& waits = objectAt(task, "waits_for");
        const bool asks = textAt(waits, "kind") == "permission";
        out += own(numbered(task) + (flagAt(waits, "question") ? " asks you: " : asks ? " asks leave inside its machine: " : " waits: ") +
                   shown(textAt(waits, "text"), flagAt(waits, "question") ? 1000 : 300));
        out += own(asks ? optionsText(waits) + ": carrel task answer " + agent + " " + id : shown(textAt(waits, "hint"), 300) + " Then: carrel task answer " + agent + " " + id + " --go-on");
        return out;
    }
    out += own(numbered(task) + ": " + stateWords(task) + (numberAt(task, "turns") == 0 ? "." : ", after " + usageText(task) + "."));
    if (const auto* error = task.if_contains("error"); error != nullptr && error->is_object()) {
        out += own(shown(textAt(error->get_object(), "message"), 600));
        if (const auto hint = textAt(error->get_object(), "hint"); !hint.empty()) {
            out += own(shown(hint, 600));
        }
    }
    if (const auto staged = numberAt(task, "staged"); staged > 0 && (state == "done" || state == "failed" || state == "cancelled")) {
        out += own(countText(staged, "change waits", "changes wait") + " for your review: carrel changes " + agent + ", then carrel apply " + agent);
    }
    return out;
}

} // namespace carrel::cli
