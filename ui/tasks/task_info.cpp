// SPDX-License-Identifier: Apache-2.0
#include "ui/tasks/task_info.h"

#include "app/api/answers.h"
#include "ui/text/plain.h"

#include <QCoreApplication>
#include <QLocale>

#include <algorithm>
#include <array>
#include <utility>

namespace carrel::ui {

namespace json = boost::json;
using namespace api;

namespace {

struct TaskWords {
    Q_DECLARE_TR_FUNCTIONS(TaskWords)
};

template <class Enum, std::size_t N> Enum named(const std::array<std::pair<std::string_view, Enum>, N>& names, std::string_view text, Enum otherwise) {
    const auto at = std::find_if(names.begin(), names.end(), [&](const auto& each) { return each.first == text; });
    return at == names.end() ? otherwise : at->second;
}

constexpr std::array<std::pair<std::string_view, TaskState>, 8> kStates{{{"scheduled", TaskState::Scheduled},
                                                                         {"queued", TaskState::Queued},
                                                                         {"starting", TaskState::Starting},
                                                                         {"working", TaskState::Working},
                                                                         {"waiting", TaskState::Waiting},
                                                                         {"done", TaskState::Done},
                                                                         {"failed", TaskState::Failed},
                                                                         {"cancelled", TaskState::Cancelled}}};
constexpr std::array<std::pair<std::string_view, TaskWait::Kind>, 4> kWaits{{{"permission", TaskWait::Kind::Permission},
                                                                            {"budget", TaskWait::Kind::Budget},
                                                                            {"machine", TaskWait::Kind::Machine},
                                                                            {"provider", TaskWait::Kind::Provider}}};
using OptionKind = TaskWait::Option::Kind;
constexpr std::array<std::pair<std::string_view, OptionKind>, 4> kOptions{{{"allow_once", OptionKind::AllowOnce},
                                                                          {"allow_always", OptionKind::AllowAlways},
                                                                          {"reject_once", OptionKind::RejectOnce},
                                                                          {"reject_always", OptionKind::RejectAlways}}};
constexpr std::array<std::pair<std::string_view, PlanStep::Status>, 2> kSteps{
    {{"in_progress", PlanStep::Status::UnderWay}, {"completed", PlanStep::Status::Completed}}};

TaskWait waitFrom(const json::object& from) {
    TaskWait out;
    out.kind = named(kWaits, textAt(from, "kind"), TaskWait::Kind::Unknown);
    out.text = textAt(from, "text");
    out.hint = textAt(from, "hint");
    out.request = numberAt(from, "request");
    for (const auto& each : listAt(from, "options")) {
        if (each.is_object()) {
            const auto& one = each.get_object();
            out.options.push_back({textAt(one, "id"), textAt(one, "name"), named(kOptions, textAt(one, "kind"), OptionKind::Unknown)});
        }
    }
    return out;
}

TaskUsage usageFrom(const json::object& from) {
    TaskUsage out;
    out.requests = numberAt(from, "requests");
    out.inputTokens = numberAt(from, "input_tokens");
    out.outputTokens = numberAt(from, "output_tokens");
    if (const auto* const cost = from.if_contains("cost"); cost != nullptr && cost->is_string()) {
        out.cost = std::string(cost->get_string());
    }
    out.estimated = flagAt(from, "estimated");
    return out;
}

// As few digits as tell it: whole cents from ten cents on, else down to what is not nothing.
QString moneyText(const std::string& dollars) {
    bool isNumber = false;
    const double amount = QString::fromStdString(dollars).toDouble(&isNumber);
    if (!isNumber) {
        return lineOf(dollars, 32);
    }
    const int digits = amount == 0 || amount >= 0.1 ? 2 : amount >= 0.01 ? 3 : amount >= 0.001 ? 4 : 6;
    return TaskWords::tr("$%1").arg(QLocale().toString(amount, 'f', digits));
}

} // namespace

bool TaskInfo::isOpen() const {
    return state == TaskState::Scheduled || state == TaskState::Queued || state == TaskState::Starting || state == TaskState::Working ||
           state == TaskState::Waiting;
}

TaskInfo taskFrom(const json::object& task) {
    TaskInfo out;
    out.id = numberAt(task, "id");
    out.title = textAt(task, "title");
    out.state = named(kStates, textAt(task, "state"), TaskState::Unknown);
    out.program = textAt(task, "program");
    out.provider = textAt(task, "provider");
    out.created = textAt(task, "created");
    out.begun = textAt(task, "begun");
    out.ended = textAt(task, "ended");
    out.worked = std::chrono::milliseconds(numberAt(task, "worked_ms"));
    out.unsaid = numberAt(task, "unsaid");
    for (const auto& each : listAt(task, "plan")) {
        if (each.is_object()) {
            const auto& one = each.get_object();
            out.plan.push_back({textAt(one, "text"), named(kSteps, textAt(one, "status"), PlanStep::Status::Pending)});
        }
    }
    if (const auto& waits = objectAt(task, "waits_for"); !waits.empty()) {
        out.waitsFor = waitFrom(waits);
    }
    if (const auto& error = objectAt(task, "error"); !error.empty()) {
        out.error = {textAt(error, "message"), textAt(error, "hint")};
    }
    out.usage = usageFrom(objectAt(task, "usage"));
    out.staged = numberAt(task, "staged");
    out.next = textAt(task, "next");
    out.every = std::chrono::seconds(numberAt(task, "every_s"));
    return out;
}

QString taskTitle(const TaskInfo& task) {
    const auto title = lineOf(task.title);
    return title.isEmpty() ? TaskWords::tr("Task %1").arg(task.id) : title;
}

QString taskStateText(TaskState state) {
    switch (state) {
    case TaskState::Scheduled:
        return TaskWords::tr("Scheduled");
    case TaskState::Queued:
        return TaskWords::tr("Waits for its turn");
    case TaskState::Starting:
        return TaskWords::tr("Is being begun");
    case TaskState::Working:
        return TaskWords::tr("Works");
    case TaskState::Waiting:
        return TaskWords::tr("Waits for you");
    case TaskState::Done:
        return TaskWords::tr("Done");
    case TaskState::Failed:
        return TaskWords::tr("Failed");
    case TaskState::Cancelled:
        return TaskWords::tr("Stopped");
    case TaskState::Unknown:
        break;
    }
    return TaskWords::tr("In a state that this window does not know");
}

QString waitWords(TaskWait::Kind kind) {
    switch (kind) {
    case TaskWait::Kind::Permission:
        return TaskWords::tr("a permission");
    case TaskWait::Kind::Budget:
        return TaskWords::tr("its budget is used up");
    case TaskWait::Kind::Machine:
        return TaskWords::tr("its machine");
    case TaskWait::Kind::Provider:
        return TaskWords::tr("its model");
    case TaskWait::Kind::Unknown:
        break;
    }
    return TaskWords::tr("something that this window does not know");
}

QString taskStandsText(const TaskInfo& task) {
    auto out = taskStateText(task.state);
    if (task.state == TaskState::Waiting && task.waitsFor) {
        out += QStringLiteral(": ") + waitWords(task.waitsFor->kind);
    }
    if (task.state == TaskState::Scheduled && !task.next.empty()) {
        out = TaskWords::tr("Begins %1").arg(momentText(task.next));
    }
    if (task.every.count() > 0) {
        out += QStringLiteral(", ") + everyText(task.every);
    }
    return out;
}

QString taskDetails(const TaskInfo& task) {
    QStringList out;
    const auto add = [&](const QString& words, const QString& value) {
        if (!value.isEmpty()) {
            out << words.arg(value);
        }
    };
    add(TaskWords::tr("Program: %1"), lineOf(task.program, 64));
    add(TaskWords::tr("Model by: %1"), lineOf(task.provider, 64));
    add(TaskWords::tr("Given: %1"), task.created.empty() ? QString() : momentText(task.created));
    add(TaskWords::tr("Begun: %1"), task.begun.empty() ? QString() : momentText(task.begun));
    add(TaskWords::tr("Ended: %1"), task.ended.empty() ? QString() : momentText(task.ended));
    return out.join('\n');
}

QString everyText(std::chrono::seconds every) {
    const auto count = every.count();
    constexpr long kMinute = 60, kHour = 60 * kMinute, kDay = 24 * kHour;
    if (count % kDay == 0) {
        return TaskWords::tr("every %n day(s)", nullptr, static_cast<int>(count / kDay));
    }
    if (count % kHour == 0) {
        return TaskWords::tr("every %n hour(s)", nullptr, static_cast<int>(count / kHour));
    }
    if (count % kMinute == 0) {
        return TaskWords::tr("every %n minute(s)", nullptr, static_cast<int>(count / kMinute));
    }
    return TaskWords::tr("every %n second(s)", nullptr, static_cast<int>(count));
}

QString workedText(std::chrono::milliseconds worked) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(worked).count();
    if (seconds < 60) {
        return TaskWords::tr("%1 s").arg(seconds);
    }
    if (seconds < 3600) {
        return TaskWords::tr("%1 min %2 s").arg(seconds / 60).arg(seconds % 60);
    }
    return TaskWords::tr("%1 h %2 min").arg(seconds / 3600).arg(seconds / 60 % 60);
}

QString usageText(const TaskUsage& usage) {
    if (usage.requests == 0) {
        return TaskWords::tr("no model asked yet");
    }
    const QLocale locale;
    auto out = TaskWords::tr("%1 tokens read, %2 written").arg(locale.toString(static_cast<qulonglong>(usage.inputTokens)),
                                                              locale.toString(static_cast<qulonglong>(usage.outputTokens)));
    out += QStringLiteral(", ") + (usage.cost ? moneyText(*usage.cost) : TaskWords::tr("cost unknown: the model has no price here"));
    return usage.estimated ? TaskWords::tr("%1 (estimated)").arg(out) : out;
}

QString optionText(const TaskWait::Option& option, bool named) {
    QString own;
    switch (option.kind) {
    case OptionKind::AllowOnce:
        own = TaskWords::tr("Allow once");
        break;
    case OptionKind::AllowAlways:
        own = TaskWords::tr("Allow from now on");
        break;
    case OptionKind::RejectOnce:
        own = TaskWords::tr("Refuse");
        break;
    case OptionKind::RejectAlways:
        own = TaskWords::tr("Refuse from now on");
        break;
    case OptionKind::Unknown:
        own = TaskWords::tr("Answer");
        named = true;
        break;
    }
    return named ? TaskWords::tr("%1: “%2”").arg(own, lineOf(option.name, 60)) : own;
}

} // namespace carrel::ui
