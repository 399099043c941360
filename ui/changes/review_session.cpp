// SPDX-License-Identifier: Apache-2.0
#include "ui/changes/review_session.h"

#include "app/api/answers.h"
#include "ui/text/plain.h"

namespace carrel::ui {

namespace json = boost::json;

namespace {

constexpr std::chrono::seconds kAfterAnError{2};
constexpr std::uint64_t kPage = 1000;

std::vector<std::pair<std::string, std::string>> pairsOf(const json::object& answer, std::string_view list, std::string_view first,
                                                         std::string_view second) {
    std::vector<std::pair<std::string, std::string>> out;
    for (const auto& each : api::listAt(answer, list)) {
        if (each.is_object()) {
            out.emplace_back(api::pathAt(each.get_object(), first), api::textAt(each.get_object(), second));
        }
    }
    return out;
}

} // namespace

ReviewSession::ReviewSession(EngineLink& link, QString agent, QObject* parent)
    : QObject(parent)
    , m_link(link)
    , m_agent(std::move(agent)) {
    m_later.setSingleShot(true);
    connect(&m_later, &QTimer::timeout, this, &ReviewSession::wait);
    connect(&m_link, &EngineLink::ready, this, [this] {
        m_mark.clear();
        if (m_active) {
            wait();
        }
    });
}

void ReviewSession::become(State state) {
    m_state = state;
    emit stateChanged();
    news();
}

void ReviewSession::setActive(bool active) {
    if (active == m_active) {
        return;
    }
    m_active = active;
    m_later.stop();
    if (active) {
        wait();
    } else {
        delete m_wait;
        delete m_probe;
    }
}

void ReviewSession::setQuiet(bool quiet) {
    m_quiet = quiet;
    news();
}

void ReviewSession::wait() {
    delete m_wait;
    json::object params{{"agent", m_agent.toStdString()}};
    if (!m_mark.empty()) {
        params["mark"] = m_mark;
    }
    m_wait = m_link.ask("changes.wait", std::move(params), this, [this](const Answer& answer) { waited(answer); });
}

void ReviewSession::waited(const Answer& answer) {
    m_wait = nullptr;
    if (!answer) {
        if (answer.error().code == ErrorCode::NotFound) { // it is deleted, and the page with it
            return;
        }
        if (m_state == State::Idle) {
            m_trouble = answer.error();
            m_retry = true;
            become(State::Failed);
        }
        m_later.start(kAfterAnError); // a lost engine's return begins anew before
        return;
    }
    m_mark = api::textAt(*answer, "mark");
    const bool running = api::flagAt(*answer, "running");
    if (running != m_running) {
        m_running = running;
        emit runningChanged();
    }
    m_fresh = true;
    wait();
    emit staged();
    news();
}

// What is staged is not what it was. What that means goes by what is on the screen.
void ReviewSession::news() {
    if (!m_fresh || !m_active || m_quiet || m_state == State::Looking) {
        return;
    }
    m_fresh = false;
    if (m_state == State::Shown) {
        if (m_running && !m_newer) {
            probe();
        }
    } else if (m_running) {
        if (m_state != State::Failed || m_retry) {
            look();
        }
    } else if (m_state != State::Stopped) {
        become(State::Stopped);
    }
}

// The name of what is staged now: the same bytes have the same name.
void ReviewSession::probe() {
    delete m_probe;
    m_probe = m_link.ask("changes", {{"agent", m_agent.toStdString()}, {"watching", true}, {"limit", 0}}, this, [this](const Answer& answer) {
        m_probe = nullptr;
        if (answer && m_state == State::Shown && api::textAt(*answer, "review") != m_review) {
            setNewer(true);
        }
    });
}

void ReviewSession::setNewer(bool newer) {
    if (newer != m_newer) {
        m_newer = newer;
        emit newerChanged();
    }
}

void ReviewSession::look() {
    delete m_probe;
    delete m_fetch;
    m_fresh = false;
    m_retry = false;
    m_got = 0;
    m_state = State::Looking;
    m_fetch = m_link.ask("changes", {{"agent", m_agent.toStdString()}, {"limit", kPage}}, this,
                         [this](const Answer& answer) { fetched(answer, true); });
    connect(m_fetch, &Request::progress, this, [this](const api::Progress& told) {
        emit progressed(lineOf(told.text), told.fraction.value_or(-1));
    });
    emit stateChanged();
}

void ReviewSession::cancel() {
    if (m_state != State::Looking) {
        return;
    }
    delete m_fetch;
    const bool first = m_got == 0; // nothing of the new one was shown yet
    if (first && !m_review.empty()) {
        m_fresh = true;
        become(State::Shown);
        return;
    }
    if (!first) {
        emit began();
        m_review.clear();
    }
    m_trouble = Error{ErrorCode::Cancelled, tr("you called the looking off").toStdString(), tr("Look again when you want to.").toStdString(), 0, {}};
    become(State::Failed);
}

void ReviewSession::fetch(std::uint64_t after) {
    m_fetch = m_link.ask("changes",
                         {{"agent", m_agent.toStdString()}, {"review", m_review}, {"after", after}, {"limit", kPage}}, this,
                         [this](const Answer& answer) { fetched(answer, false); });
}

void ReviewSession::takeFirst(const json::object& answer) {
    m_review = api::textAt(answer, "review");
    m_notes.leftOut = pairsOf(answer, "left_out", "path", "reason");
    m_notes.notListed = pairsOf(answer, "not_listed", "share", "why");
    m_notes.autoFull = pairsOf(answer, "auto_full", "share", "until");
    const auto& totals = api::objectAt(answer, "totals");
    m_totals = {api::numberAt(totals, "changes"), api::numberAt(totals, "bytes"), api::numberAt(totals, "high_risk"),
                api::numberAt(totals, "conflicts")};
    setNewer(false);
    emit began();
}

void ReviewSession::fetched(const Answer& answer, bool first) {
    m_fetch = nullptr;
    if (!answer) {
        m_trouble = answer.error();
        m_retry = answer.error().code == ErrorCode::Unavailable;
        m_review.clear();
        emit began();
        become(State::Failed);
        return;
    }
    if (first) {
        takeFirst(*answer);
        if (m_review.empty()) {
            become(State::Empty);
            return;
        }
    }
    std::vector<ChangeEntry> entries;
    bool readable = true;
    const auto& list = api::listAt(*answer, "changes");
    for (const auto& each : list) {
        auto entry = each.is_object() ? changeFrom(each.get_object()) : std::nullopt;
        readable = readable && entry.has_value();
        if (entry) {
            entries.push_back(std::move(*entry));
        }
    }
    m_got += entries.size();
    const auto* const next = answer->if_contains("next");
    const bool more = next != nullptr && !next->is_null();
    // What is not on the screen must not be applied with what is.
    if (!readable || (more && list.empty()) || (!more && m_got != m_totals.changes)) {
        m_trouble = Error{ErrorCode::Malformed, tr("the engine's list of the changes is not whole").toStdString(),
                          tr("Look again. If it stays so, this window and the engine may be of different versions: end both.").toStdString(), 0, {}};
        m_review.clear();
        emit began();
        become(State::Failed);
        return;
    }
    emit page(std::move(entries));
    if (more) {
        emit progressed(tr("%1 of %2 changes are listed").arg(m_got).arg(m_totals.changes),
                        static_cast<double>(m_got) / static_cast<double>(std::max<std::uint64_t>(1, m_totals.changes)));
        fetch(api::numberAt(*answer, "next"));
        return;
    }
    become(State::Shown);
}

} // namespace carrel::ui
