// SPDX-License-Identifier: Apache-2.0
// The window's line to the engine: finds it, starts it, notices when it is gone, silent, or of another version, and makes the
// requests. A window can always be used: whatever the engine does, nothing here blocks. Thread: the window's.
//
//   state       what it means                                              becomes
//   Looking     the engine is looked for, or is being started              Ready, Silent, Absent, Other
//   Ready       it answers                                                 Silent, Absent, Other
//   Silent      it is there and has not answered for a while: busy, or     Ready, Absent, Other
//               stopped by somebody. Nothing is given up
//   Absent      none runs, and why                                         Looking (start()), Ready (somebody else started it)
//   Other       one runs whose interface this window does not speak        Looking (restart())
#pragma once

#include "app/api/home.h"
#include "ui/engine/request.h"

#include <QObject>
#include <QPointer>
#include <QTimer>

#include <functional>
#include <memory>

namespace carrel::ui {

class EngineLink : public QObject {
    Q_OBJECT
public:
    enum class State { Looking, Ready, Silent, Absent, Other };
    Q_ENUM(State)

    struct Pace {
        std::chrono::milliseconds look{5000};    // between two questions whether it is still there
        std::chrono::milliseconds patience{8000}; // an answer that takes longer: it is silent
    };

    EngineLink();
    explicit EngineLink(Pace pace);
    ~EngineLink() override;

    // Looks for the home's engine and starts it where none runs. Ends in Ready, Absent or Other, told by changed().
    void start();
    // Ends the engine that runs and starts the one that this window came with. The machines go on.
    void restart();

    [[nodiscard]] State state() const { return m_state; }
    // Why it is absent or another; plain words.
    [[nodiscard]] const Error& trouble() const { return m_trouble; }
    // Another that this window could replace: an older one, or one that cannot be understood.
    [[nodiscard]] bool canRestart() const { return m_state == State::Other && !m_newer; }
    [[nodiscard]] const QString& engineVersion() const { return m_version; }
    [[nodiscard]] const api::Home& home() const { return m_home; }

    // Owned by `parent`, ends with it.
    Request* ask(const char* verb, boost::json::object params, QObject* parent);
    // `then` is not called after `parent` is gone.
    Request* ask(const char* verb, boost::json::object params, QObject* parent, std::function<void(const Answer&)> then);

signals:
    void changed();
    // A new engine, or the same after it was away: what was being listened to has to be asked for anew.
    void ready();

private:
    void become(State state, Error trouble = {});
    void look();
    void looked(const Answer& answer);
    void found(const Status& how);

    Pace m_pace;
    State m_state = State::Absent;
    bool m_newer = false; // than this window
    bool m_known = false; // ready() was told of this engine
    Error m_trouble;
    QString m_version;
    api::Home m_home;
    std::filesystem::path m_socket;
    QTimer m_next;
    QTimer m_patience;
    QPointer<Request> m_looking;
    struct Starter;
    std::shared_ptr<Starter> m_starter; // of the thread that starts the engine, if one does
};

} // namespace carrel::ui
