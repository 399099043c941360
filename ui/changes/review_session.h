// SPDX-License-Identifier: Apache-2.0
// What a person looks at: one frozen review of one agent, whole, and whether there is something newer. What is shown stays as it is
// until look(): the agent's going on changes nothing of it, and newer() is said instead. Watches only while active, by
// changes.wait; nothing is asked again and again. Owner: the page. Thread: the window's.
//
//   state     what it means                                             becomes
//   Idle      nothing was looked at yet                                 Looking, Stopped
//   Looking   a review is being frozen, or its pages come               Shown, Empty, Failed
//   Shown     there is one, whole                                       Looking
//   Empty     nothing was staged. Something that comes is looked at     Looking, Stopped
//             by itself, as there is nothing on the screen to keep
//   Failed    it could not be looked at, and why. Where the engine or   Looking, Stopped
//             the machine was away it is left by itself
//   Stopped   the machine does not run, and nothing is shown. Is left   Looking
//             by itself when it runs
#pragma once

#include "ui/changes/change_entry.h"
#include "ui/engine/engine_link.h"

#include <QObject>
#include <QPointer>
#include <QTimer>

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace carrel::ui {

class ReviewSession : public QObject {
    Q_OBJECT
public:
    enum class State { Idle, Looking, Shown, Empty, Failed, Stopped };
    Q_ENUM(State)

    struct Totals {
        std::uint64_t changes = 0;
        std::uint64_t bytes = 0;
        std::uint64_t highRisk = 0;
        std::uint64_t conflicts = 0;
    };
    // Raw texts.
    struct Notes {
        std::vector<std::pair<std::string, std::string>> leftOut;   // path, why
        std::vector<std::pair<std::string, std::string>> notListed; // share, why
        std::vector<std::pair<std::string, std::string>> autoFull;  // share, until (RFC 3339)
    };

    ReviewSession(EngineLink& link, QString agent, QObject* parent);

    // Begins and ends the watching.
    void setActive(bool active);
    // Freezes what is staged now, and shows that.
    void look();
    // Of look(): back to what was there, if it is there still.
    void cancel();
    // While something is applied or discarded, which is no news.
    void setQuiet(bool quiet);

    [[nodiscard]] State state() const { return m_state; }
    [[nodiscard]] const std::string& review() const { return m_review; } // of what is shown
    [[nodiscard]] const Totals& totals() const { return m_totals; }
    [[nodiscard]] const Notes& notes() const { return m_notes; }
    [[nodiscard]] const std::optional<Error>& trouble() const { return m_trouble; } // Failed
    [[nodiscard]] bool newer() const { return m_newer; }
    [[nodiscard]] bool running() const { return m_running; } // as the engine last said

signals:
    void stateChanged();
    void began();                                               // the list is empty now; pages follow
    void page(std::vector<carrel::ui::ChangeEntry> entries);
    void newerChanged();
    void runningChanged();
    void staged(); // what is staged, or whether the machine runs, is another than it was: what else shows it asks again
    void progressed(const QString& text, double fraction); // below 0: not known

private:
    void become(State state);
    void wait();
    void waited(const Answer& answer);
    void news();
    void probe();
    void fetch(std::uint64_t after);
    void fetched(const Answer& answer, bool first);
    void takeFirst(const boost::json::object& answer);
    void setNewer(bool newer);

    EngineLink& m_link;
    QString m_agent;
    State m_state = State::Idle;
    bool m_active = false;
    bool m_quiet = false;
    bool m_fresh = false; // something was staged that was not yet looked into
    bool m_retry = false; // Failed, and the next news may be that it works again
    bool m_newer = false;
    bool m_running = true;
    std::string m_mark;
    std::string m_review;
    std::uint64_t m_got = 0;
    Totals m_totals;
    Notes m_notes;
    std::optional<Error> m_trouble;
    QPointer<Request> m_wait;
    QPointer<Request> m_probe;
    QPointer<Request> m_fetch;
    QTimer m_later; // after an error of the watching
};

} // namespace carrel::ui
