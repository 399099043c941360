// SPDX-License-Identifier: Apache-2.0
// All model providers, and which agent uses which. Read when the engine comes and when somebody says that they may be others.
// Owner: the window. Thread: the window's.
#pragma once

#include "ui/engine/engine_link.h"
#include "ui/providers/provider_info.h"

#include <QObject>
#include <QPointer>

namespace carrel::ui {

class ProviderStore : public QObject {
    Q_OBJECT
public:
    explicit ProviderStore(EngineLink& link);

    void refresh();
    // They were read at least once from the engine that there is.
    [[nodiscard]] bool known() const { return m_known; }
    [[nodiscard]] const QVector<ProviderInfo>& all() const { return m_all; }
    [[nodiscard]] const ProviderInfo* usedBy(const QString& agent) const; // null: none; until changed()

signals:
    void changed();

private:
    void take(const Answer& answer);

    EngineLink& m_link;
    QVector<ProviderInfo> m_all;
    bool m_known = false;
    bool m_again = false;
    QPointer<Request> m_list;
};

} // namespace carrel::ui
