// SPDX-License-Identifier: Apache-2.0
// What a person decided about changes, being done: apply, discard, undo. One at a time. Owner: the page. Thread: the window's.
#pragma once

#include "ui/engine/engine_link.h"

#include <QObject>
#include <QPointer>

#include <optional>
#include <string>
#include <vector>

namespace carrel::ui {

enum class DeedKind { Apply, KeepBoth, Discard, Undo };

// As the engine told it. Raw texts.
struct DeedOutcome {
    struct Item {
        std::string path;
        std::string outcome; // "conflict", "refused", "failed", "kept", "done"
        std::string reason;
    };
    DeedKind kind = DeedKind::Apply;
    std::optional<std::uint64_t> number; // for undo; none: nothing was done
    std::uint64_t undone = 0;            // Undo: what was taken back
    std::uint64_t done = 0;
    std::uint64_t kept = 0;
    std::uint64_t notDone = 0;
    std::vector<Item> told; // what was not done, and what was done with something to say of it
};

class Deeds : public QObject {
    Q_OBJECT
public:
    Deeds(EngineLink& link, QString agent, QObject* parent);

    // No paths: the whole review. Refused: too many single paths for one request, and what to do; nothing was sent then.
    [[nodiscard]] std::optional<Error> decide(DeedKind kind, const std::string& review, const std::vector<std::string>& paths);
    void undo(std::uint64_t number);
    // Waits no longer. What was done until then stays done.
    void cancel();
    [[nodiscard]] bool busy() const { return m_request != nullptr; }

signals:
    void began(carrel::ui::DeedKind kind);
    void progressed(const QString& text, double fraction); // below 0: not known
    void finished(const carrel::ui::DeedOutcome& outcome);
    void failed(const carrel::Error& error);

private:
    void send(DeedKind kind, const char* verb, boost::json::object params);

    EngineLink& m_link;
    QString m_agent;
    QPointer<Request> m_request;
};

} // namespace carrel::ui
