// SPDX-License-Identifier: Apache-2.0
#include "ui/engine/request.h"

#include <QSocketNotifier>

#include <chrono>

namespace carrel::ui {

namespace json = boost::json;

namespace {
// The engine's queue of connections is full: it is busy, or stopped. Nothing tells when there is room.
constexpr std::chrono::milliseconds kTryAgainAfter{200};
} // namespace

Request::Request(std::filesystem::path socket, std::string verb, json::object params, QObject* parent)
    : QObject(parent)
    , m_socket(std::move(socket))
    , m_verb(std::move(verb))
    , m_params(std::move(params)) {
    m_start.setSingleShot(true);
    connect(&m_start, &QTimer::timeout, this, &Request::begin);
    m_start.start(0);
}

Request::~Request() = default;

void Request::begin() {
    auto call = api::AsyncCall::begin(m_socket, m_verb, m_params);
    if (!call && call.error().code == ErrorCode::LimitExceeded) {
        m_start.start(kTryAgainAfter);
        return;
    }
    if (!call) {
        end(Result<json::object>(fail(std::move(call).error())));
        return;
    }
    m_call = std::move(*call);
    m_readable = std::make_unique<QSocketNotifier>(m_call->descriptor(), QSocketNotifier::Read);
    connect(m_readable.get(), &QSocketNotifier::activated, this, &Request::read);
    if (m_call->wantsToWrite()) {
        m_writable = std::make_unique<QSocketNotifier>(m_call->descriptor(), QSocketNotifier::Write);
        connect(m_writable.get(), &QSocketNotifier::activated, this, [this] {
            m_call->writable();
            m_writable->setEnabled(m_call->wantsToWrite());
        });
    }
}

void Request::read() {
    api::Listener listener;
    listener.progress = [this](const api::Progress& told) { emit progress(told); };
    listener.event = [this](const json::object& told) {
        emit happened(told);
        return api::Flow::Continue;
    };
    auto answer = m_call->readable(listener);
    if (!answer) {
        return;
    }
    if (*answer && !(*answer)->is_object()) {
        *answer = fail(ErrorCode::Malformed, tr("the engine's answer has another form than this window expects").toStdString(),
                       tr("They may be of different versions: end both and start Carrel again.").toStdString());
    }
    if (*answer) {
        end(Result<json::object>(std::move(**answer).get_object()));
    } else {
        end(Result<json::object>(fail(std::move(*answer).error())));
    }
}

void Request::end(Answer answer) {
    m_start.stop();
    m_readable.reset();
    m_writable.reset();
    deleteLater();
    emit finished(answer); // last: whoever hears it may delete this
}

} // namespace carrel::ui
