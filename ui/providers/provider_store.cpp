// SPDX-License-Identifier: Apache-2.0
#include "ui/providers/provider_store.h"

#include "app/api/answers.h"

#include <algorithm>

namespace carrel::ui {

ProviderStore::ProviderStore(EngineLink& link)
    : m_link(link) {
    connect(&m_link, &EngineLink::ready, this, [this] {
        delete m_list; // of an engine that is gone
        refresh();
    });
}

void ProviderStore::refresh() {
    if (m_list) {
        m_again = true;
        return;
    }
    if (m_link.state() != EngineLink::State::Ready) { // it is read when the engine comes
        return;
    }
    m_again = false;
    m_list = m_link.ask("provider.list", {}, this, [this](const Answer& answer) { take(answer); });
}

void ProviderStore::take(const Answer& answer) {
    m_list = nullptr;
    if (m_again) {
        refresh();
    }
    if (!answer) { // whoever wants to use one hears why
        return;
    }
    QVector<ProviderInfo> now;
    for (const auto& each : api::listAt(*answer, "providers")) {
        if (each.is_object()) {
            now.push_back(providerFrom(each.get_object()));
        }
    }
    if (!m_known || now != m_all) {
        m_known = true;
        m_all = std::move(now);
        emit changed();
    }
}

const ProviderInfo* ProviderStore::usedBy(const QString& agent) const {
    const auto name = agent.toStdString();
    const auto at = std::find_if(m_all.begin(), m_all.end(), [&](const ProviderInfo& each) { return each.isUsedBy(name); });
    return at == m_all.end() ? nullptr : &*at;
}

} // namespace carrel::ui
