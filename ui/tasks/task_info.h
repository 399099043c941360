// SPDX-License-Identifier: Apache-2.0
// A task of an agent as the engine tells it (task, common.json), read so that a later engine's shows less and never fails, and its
// words for a person. Texts that the agent chose stay raw here, except those that are made for the window by the functions below.
// Thread: values, pure functions.
#pragma once

#include <boost/json/object.hpp>

#include <QString>
#include <QVector>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace carrel::ui {

// Unknown: of a later engine.
enum class TaskState { Scheduled, Queued, Starting, Working, Waiting, Done, Failed, Cancelled, Unknown };

struct PlanStep {
    enum class Status { Pending, UnderWay, Completed };
    std::string text; // raw, the agent's
    Status status = Status::Pending;
    bool operator==(const PlanStep&) const = default;
};

// What the owner is to answer.
struct TaskWait {
    enum class Kind { Permission, Budget, Machine, Provider, Unknown };
    struct Option {
        enum class Kind { AllowOnce, AllowAlways, RejectOnce, RejectAlways, Unknown };
        std::string id;
        std::string name; // raw, the agent's
        Kind kind = Kind::Unknown;
        bool operator==(const Option&) const = default;
    };
    Kind kind = Kind::Unknown;
    std::string text; // raw; of a permission the agent's words, else the engine's
    std::string hint; // raw
    std::uint64_t request = 0;
    QVector<Option> options;
    bool operator==(const TaskWait&) const = default;
};

struct TaskUsage {
    std::uint64_t requests = 0;
    std::uint64_t inputTokens = 0;
    std::uint64_t outputTokens = 0;
    std::optional<std::string> cost; // US dollars, 0.012345; nothing: some model has no price
    bool estimated = false;
    bool operator==(const TaskUsage&) const = default;
};

struct TaskInfo {
    std::uint64_t id = 0; // of this agent's; 0: none
    std::string title;    // raw, of the user's own words
    TaskState state = TaskState::Unknown;
    std::string program;
    std::string provider;
    std::string created, begun, ended; // RFC 3339; empty: not yet
    std::chrono::milliseconds worked{};
    std::uint64_t unsaid = 0;
    QVector<PlanStep> plan;
    std::optional<TaskWait> waitsFor;
    std::optional<std::pair<std::string, std::string>> error; // message and hint, raw
    TaskUsage usage;
    std::uint64_t staged = 0;
    std::string next; // RFC 3339; empty: not scheduled
    std::chrono::seconds every{};

    // Something of it goes on or will, so that it can be stopped.
    [[nodiscard]] bool isOpen() const;
    // A turn of it goes on, so that its time runs.
    [[nodiscard]] bool works() const { return state == TaskState::Working; }
    [[nodiscard]] bool isOver() const { return state == TaskState::Done || state == TaskState::Failed || state == TaskState::Cancelled; }
    bool operator==(const TaskInfo&) const = default;
};

[[nodiscard]] TaskInfo taskFrom(const boost::json::object& task);

// In the user's language.
[[nodiscard]] QString taskTitle(const TaskInfo& task); // one line
[[nodiscard]] QString taskStateText(TaskState state);  // "Works"
// How it stands, in one line: "Waits for you: a permission", "Begins on … and then every day".
[[nodiscard]] QString taskStandsText(const TaskInfo& task);
// Whose program and model, and when: a line each.
[[nodiscard]] QString taskDetails(const TaskInfo& task);
[[nodiscard]] QString waitWords(TaskWait::Kind kind);    // "a permission"
[[nodiscard]] QString everyText(std::chrono::seconds every); // "every day", "every 90 min"
[[nodiscard]] QString workedText(std::chrono::milliseconds worked); // "3 min 12 s"
// Tokens and money, as the engine counted them: "12,345 tokens read, 678 written, $0.012 (estimated)".
[[nodiscard]] QString usageText(const TaskUsage& usage);
// What a button that gives this answer says. The agent's name for it stands beside, in quotation marks, where `named`.
[[nodiscard]] QString optionText(const TaskWait::Option& option, bool named);

} // namespace carrel::ui
