// SPDX-License-Identifier: Apache-2.0
// One request of the engine, on a connection of its own. Nothing of it blocks. It deletes itself after finished(); deleting it
// before, as its parent's end does, calls it off, and no signal comes any more. Thread: the window's.
#pragma once

#include "app/api/async_call.h"

#include <QObject>
#include <QTimer>

#include <memory>
#include <optional>

class QSocketNotifier;

namespace carrel::ui {

// A result that signals can carry: Qt would compare a Result, and errors are not compared.
class Answer {
public:
    Answer(Result<boost::json::object> result) // NOLINT(google-explicit-constructor): it is that result
        : m_result(std::move(result)) {}
    explicit operator bool() const { return m_result.has_value(); }
    [[nodiscard]] const boost::json::object& operator*() const { return *m_result; }
    [[nodiscard]] const boost::json::object* operator->() const { return &*m_result; }
    [[nodiscard]] const Error& error() const { return m_result.error(); }

private:
    Result<boost::json::object> m_result;
};

class Request : public QObject {
    Q_OBJECT
public:
    // Begins when the event loop gets to it, so that whoever asked can connect first.
    Request(std::filesystem::path socket, std::string verb, boost::json::object params, QObject* parent);
    ~Request() override;

    // After finished(): the descriptor that came with the answer.
    [[nodiscard]] UniqueFd takeDescriptor() { return m_call ? m_call->takeDescriptor() : UniqueFd(); }

signals:
    void progress(const carrel::api::Progress& progress);
    void happened(const boost::json::object& event);
    void finished(const carrel::ui::Answer& answer);

private:
    void begin();
    void read();
    void end(Answer answer);

    std::filesystem::path m_socket;
    std::string m_verb;
    boost::json::object m_params;
    QTimer m_start;
    std::optional<api::AsyncCall> m_call;
    std::unique_ptr<QSocketNotifier> m_readable;
    std::unique_ptr<QSocketNotifier> m_writable;
};

} // namespace carrel::ui
