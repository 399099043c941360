// SPDX-License-Identifier: Apache-2.0
#include "ui/engine/engine_link.h"

#include "app/api/answers.h"
#include "app/api/launcher.h"
#include "app/api/wire.h"

#include <mutex>
#include <thread>

namespace carrel::ui {

namespace json = boost::json;

EngineLink::EngineLink()
    : EngineLink(Pace()) {}

EngineLink::EngineLink(Pace pace)
    : m_pace(pace) {
    m_next.setSingleShot(true);
    m_patience.setSingleShot(true);
    connect(&m_next, &QTimer::timeout, this, &EngineLink::look);
    connect(&m_patience, &QTimer::timeout, this, [this] {
        if (m_state == State::Ready || m_state == State::Looking) {
            become(State::Silent);
        }
    });
}

// Starting waits for locks and for the engine's first word: on a thread, which nobody waits for, not even the end of the window.
struct EngineLink::Starter {
    std::mutex mutex;
    EngineLink* link; // null: it is gone
};

EngineLink::~EngineLink() {
    if (m_starter) {
        const std::lock_guard lock(m_starter->mutex);
        m_starter->link = nullptr;
    }
}

void EngineLink::become(State state, Error trouble) {
    const bool isNew = state != m_state || trouble.message != m_trouble.message;
    const bool came = state == State::Ready && !m_known;
    m_known = state == State::Ready || (state == State::Silent && m_known);
    m_state = state;
    m_trouble = std::move(trouble);
    if (isNew) {
        emit changed();
    }
    if (came) {
        emit ready();
    }
}

void EngineLink::start() {
    if (m_state == State::Looking) {
        return;
    }
    become(State::Looking);
    m_next.stop();
    delete m_looking;
    m_patience.start(m_pace.patience);
    if (auto root = api::refuseRoot(); !root) {
        become(State::Absent, std::move(root).error());
        return;
    }
    auto home = api::openHome();
    if (!home) {
        become(State::Absent, std::move(home).error());
        return;
    }
    m_home = std::move(*home);
    auto socket = api::socketPath(m_home);
    if (!socket) {
        become(State::Absent, std::move(socket).error());
        return;
    }
    m_socket = std::move(*socket);
    m_starter = std::make_shared<Starter>();
    m_starter->link = this;
    std::thread([starter = m_starter, home = m_home] {
        Status how;
        if (auto client = api::connectEngine(home, api::Start::IfNeeded); !client) {
            how = fail(std::move(client).error());
        }
        const std::lock_guard lock(starter->mutex);
        if (auto* const link = starter->link) {
            QMetaObject::invokeMethod(link, [link, how] { link->found(how); }, Qt::QueuedConnection);
        }
    }).detach();
}

void EngineLink::found(const Status& how) {
    m_starter.reset();
    if (!how) {
        m_patience.stop();
        become(State::Absent, how.error());
        m_next.start(m_pace.look); // somebody else may start it
        return;
    }
    look();
}

void EngineLink::restart() {
    if (m_state == State::Looking) {
        return;
    }
    become(State::Looking);
    m_next.stop();
    delete m_looking;
    m_patience.start(m_pace.patience);
    // It answers, then ends and lets go of its lock; starting waits for that.
    ask("engine.stop", {}, this, [this](const Answer&) {
        m_state = State::Absent;
        start();
    });
}

void EngineLink::look() {
    if (m_looking) {
        return;
    }
    if (m_state == State::Ready || m_state == State::Looking) {
        m_patience.start(m_pace.patience);
    }
    m_looking = ask("engine.info", {}, this, [this](const Answer& answer) { looked(answer); });
}

void EngineLink::looked(const Answer& answer) {
    m_looking = nullptr;
    m_patience.stop();
    m_next.start(m_pace.look);
    if (!answer) {
        const bool gone = answer.error().code == ErrorCode::Unavailable;
        if (gone && m_state == State::Absent) {
            return; // and why it did not start says more than that it is not there
        }
        m_newer = false;
        become(gone ? State::Absent : State::Other, answer.error());
        return;
    }
    m_version = QString::fromStdString(api::textAt(*answer, "version"));
    const auto version = api::numberAt(*answer, "api");
    m_newer = version > api::kApiVersion;
    if (version != api::kApiVersion) {
        const bool older = version < api::kApiVersion;
        become(State::Other,
               Error{ErrorCode::Unsupported,
                     (older ? tr("the engine that runs is older than this window") : tr("the engine that runs is newer than this window"))
                         .toStdString(),
                     (older ? tr("Start the engine again: the machines go on, and what they work on is kept.")
                            : tr("Close this window and open the newer one."))
                         .toStdString(),
                     0,
                     {}});
        return;
    }
    become(State::Ready);
}

Request* EngineLink::ask(const char* verb, json::object params, QObject* parent) {
    auto* request = new Request(m_socket, verb, std::move(params), parent);
    // Whoever finds the engine gone need not wait for the next look to have it told.
    connect(request, &Request::finished, this, [this](const Answer& answer) {
        if (!answer && answer.error().code == ErrorCode::Unavailable && m_state == State::Ready) {
            look();
        }
    });
    return request;
}

Request* EngineLink::ask(const char* verb, json::object params, QObject* parent, std::function<void(const Answer&)> then) {
    auto* request = ask(verb, std::move(params), parent);
    connect(request, &Request::finished, parent, [then = std::move(then)](const Answer& answer) { then(answer); });
    return request;
}

} // namespace carrel::ui
