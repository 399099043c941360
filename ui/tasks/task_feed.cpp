// SPDX-License-Identifier: Apache-2.0
#include "ui/tasks/task_feed.h"

#include "app/api/answers.h"
#include "ui/tasks/story_model.h"

namespace carrel::ui {

namespace json = boost::json;
using namespace api;

namespace {
constexpr std::chrono::milliseconds kFrame{33};
constexpr std::chrono::seconds kAfterAnError{2};
constexpr std::size_t kMostPending = 2000; // of a long story that is read at first: shown in between
} // namespace

TaskFeed::TaskFeed(EngineLink& link, const QString& agent, StoryModel& story, QObject* parent)
    : QObject(parent)
    , m_link(link)
    , m_agent(agent)
    , m_story(story) {
    m_frame.setSingleShot(true);
    m_later.setSingleShot(true);
    connect(&m_frame, &QTimer::timeout, this, &TaskFeed::flush);
    connect(&m_later, &QTimer::timeout, this, &TaskFeed::ask);
    connect(&m_link, &EngineLink::ready, this, [this] {
        m_caughtUp = false; // the answer that was waited for is of an engine that is gone
        ask();
    });
}

void TaskFeed::setTask(std::uint64_t task) {
    if (m_task == task) {
        return;
    }
    m_task = task;
    m_mark = 0;
    m_caughtUp = false;
    m_pending.clear();
    m_frame.stop();
    m_story.clear();
    ask();
}

void TaskFeed::setActive(bool active) {
    m_active = active;
    m_caughtUp = false;
    ask();
}

void TaskFeed::ask() {
    delete m_request; // whatever it is about to say is older, or another's
    m_later.stop();
    if (!m_active || m_task == 0) {
        return;
    }
    json::object params{{"agent", m_agent.toStdString()}, {"task", m_task}, {"after", m_mark}};
    if (m_caughtUp) {
        params["wait"] = true;
    }
    m_request = m_link.ask("task.watch", std::move(params), this, [this](const Answer& answer) { answered(answer); });
}

void TaskFeed::answered(const Answer& answer) {
    m_request = nullptr;
    if (!answer) {
        m_caughtUp = false;
        m_later.start(kAfterAnError);
        emit troubled(answer.error());
        return;
    }
    for (const auto& each : listAt(*answer, "items")) {
        if (each.is_object()) {
            m_pending.push_back(storyItemFrom(each.get_object()));
        }
    }
    const auto mark = numberAt(*answer, "mark");
    const bool more = flagAt(*answer, "more") && mark > m_mark; // else it would be asked the same for ever
    m_mark = mark;
    m_caughtUp = !more;
    if (const auto& task = objectAt(*answer, "task"); !task.empty()) {
        emit told(taskFrom(task));
    }
    if (more && m_pending.size() < kMostPending) {
        ask();
    } else if (!m_frame.isActive()) {
        m_frame.start(kFrame);
    }
}

void TaskFeed::flush() {
    if (!m_pending.empty()) {
        m_story.take(std::exchange(m_pending, {}));
    }
    ask();
}

} // namespace carrel::ui
