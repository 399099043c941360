// SPDX-License-Identifier: Apache-2.0
// A verb of the engine's that answers when something is other than it was (agent.wait, approval.wait), asked for as long as this is:
// a window never asks again and again. Begins when the engine comes, and anew when it comes back. Thread: the window's.
#pragma once

#include "ui/engine/engine_link.h"

#include <QObject>
#include <QPointer>
#include <QTimer>

namespace carrel::ui {

class News : public QObject {
    Q_OBJECT
public:
    News(EngineLink& link, const char* verb, QObject* parent);

signals:
    // Something is other than it was, or may be, as the engine is a new one. What is read after this is not older than it.
    void told();

private:
    void wait();

    EngineLink& m_link;
    const char* m_verb;
    boost::json::value m_mark;
    QPointer<Request> m_request;
    QTimer m_later; // after an error
};

} // namespace carrel::ui
