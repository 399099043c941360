// SPDX-License-Identifier: Apache-2.0
// What an agent is given to do, and how that stands. A task is one conversation with one agent program: what was asked first, and what was
// said since.
//
//   scheduled → (a task of its own each time, or queued)
//   queued → starting (machine, program) → working ⇄ waiting (for the owner) → done, failed, cancelled → queued, by something more to say
//
// Thread: values, pure functions.
#pragma once

#include "guest/protocol/agent_update.h"
#include "guest/protocol/result.h"

#include <boost/json/object.hpp>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace carrel::tasks {

inline constexpr std::size_t kMaxTitleBytes = 240;
inline constexpr std::size_t kMaxSummaryBytes = 4096;
inline constexpr std::size_t kMaxUnsaid = 16; // by the user; what Carrel says in between comes on top
inline constexpr std::size_t kMaxAsks = 16;

enum class TaskState { Scheduled, Queued, Starting, Working, Waiting, Done, Failed, Cancelled };
[[nodiscard]] std::string_view toString(TaskState state);
[[nodiscard]] std::optional<TaskState> taskStateFrom(std::string_view text);
// Nothing goes on by itself any more.
[[nodiscard]] bool isOver(TaskState state);

enum class WaitsFor { Permission, Budget, Machine, Provider };
[[nodiscard]] std::string_view toString(WaitsFor what);
[[nodiscard]] std::optional<WaitsFor> waitsForFrom(std::string_view text);

// What an agent program asks leave for inside its machine: allowed, for its machine is the boundary, or asked of the owner.
enum class Permissions { Allow, Ask };
[[nodiscard]] std::string_view toString(Permissions permissions);
[[nodiscard]] std::optional<Permissions> permissionsFrom(std::string_view text);

struct Waiting {
    WaitsFor what = WaitsFor::Machine;
    std::string text, hint;
    std::uint64_t request = 0; // of a permission, as the agent program's number
    bool question = false;     // of a permission: it asks what the owner wants, and no leave
    std::vector<talk::Option> options;
};

struct Trouble {
    std::string message, hint;
};

struct Saying {
    std::string text;
    std::vector<std::string> files; // in the machine
};

// Each optional: no bound.
struct TaskBudget {
    std::optional<std::uint64_t> tokens, microDollars, wallSeconds, cpuSeconds;
    [[nodiscard]] bool isEmpty() const { return !tokens && !microDollars && !wallSeconds && !cpuSeconds; }
};

struct TaskRecord {
    std::uint64_t id = 0; // 1 …, of its agent
    std::string title;
    TaskState state = TaskState::Queued;
    std::string program, provider;
    Permissions permissions = Permissions::Allow;
    std::int64_t createdMs = 0, begunMs = 0, endedMs = 0; // 0: not yet
    std::int64_t queuedMs = 0;  // whose turn it is among those of its agent
    std::uint64_t workedMs = 0; // of turns that are over
    std::uint64_t turns = 0;    // that were begun; the last of them may go on
    std::vector<Saying> unsaid;
    std::uint64_t run = 0;   // of the agent program that works, or worked last, on it; 0: none yet
    bool gone = false;       // that program has ended
    bool stray = false;      // it works although the task was cancelled, for its machine could not be told
    std::string session;     // that program's own name of the conversation; empty: none that could be gone on with
    bool open = false;       // a turn goes on
    bool told = false;       // and the program has been told of it; else it is the first of `unsaid`
    std::vector<talk::PlanEntry> plan;
    std::optional<Waiting> waiting; // for anything but a permission, which comes before those
    std::vector<Waiting> asks;      // permissions that its program asked for, and nobody has answered
    bool cancelling = false;        // the owner has cancelled it, and the turn goes on until its program heeds that
    std::optional<Trouble> trouble;
    std::string summary;
    std::uint64_t firstEvent = 0, lastEvent = 0;
    std::uint64_t staged = 0;
    std::int64_t nextMs = 0;  // of a scheduled one
    std::uint64_t everyS = 0; // 0: once
    TaskBudget budget;
};

// What the owner is to look at first; null: nothing.
[[nodiscard]] const Waiting* waitsFor(const TaskRecord& task);
// The beginning of what was asked, in one line.
[[nodiscard]] std::string titleOf(std::string_view text);

[[nodiscard]] Status save(const TaskRecord& record, const std::filesystem::path& file);
// Malformed, Unsupported (of a newer version): with what to do.
[[nodiscard]] Result<TaskRecord> loadTask(const std::filesystem::path& file);

} // namespace carrel::tasks
