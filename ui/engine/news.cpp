// SPDX-License-Identifier: Apache-2.0
#include "ui/engine/news.h"

namespace carrel::ui {

namespace json = boost::json;

namespace {
constexpr std::chrono::seconds kAfterAnError{2};
} // namespace

News::News(EngineLink& link, const char* verb, QObject* parent)
    : QObject(parent)
    , m_link(link)
    , m_verb(verb) {
    m_later.setSingleShot(true);
    connect(&m_later, &QTimer::timeout, this, &News::wait);
    connect(&m_link, &EngineLink::ready, this, [this] {
        m_mark = nullptr;
        wait();
        emit told();
    });
}

// Without a mark it answers at once with the one of now, which is of a moment before whatever is read after told().
void News::wait() {
    m_later.stop();
    delete m_request;
    json::object params;
    if (!m_mark.is_null()) {
        params["mark"] = m_mark;
    }
    m_request = m_link.ask(m_verb, std::move(params), this, [this](const Answer& answer) {
        m_request = nullptr;
        if (!answer) { // where the engine is gone, its return begins anew
            m_later.start(kAfterAnError);
            return;
        }
        if (const auto* const mark = answer->if_contains("mark")) {
            m_mark = *mark;
        }
        wait();
        emit told();
    });
}

} // namespace carrel::ui
