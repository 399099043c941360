// SPDX-License-Identifier: Apache-2.0
#include "ui/approvals/approvals_page.h"

#include "ui/approvals/approval_delegate.h"
#include "ui/approvals/approvals_model.h"
#include "ui/approvals/request_view.h"
#include "ui/parts/empty_state.h"
#include "ui/parts/message_bar.h"

#include <QListView>
#include <QSplitter>
#include <QVBoxLayout>

namespace carrel::ui {

ApprovalsPage::ApprovalsPage(EngineLink& link, ApprovalStore& store, QWidget* parent)
    : QWidget(parent)
    , m_store(store)
    , m_model(new ApprovalsModel(store, this))
    , m_list(new QListView(this))
    , m_request(new RequestView(link, this))
    , m_empty(new EmptyState(this))
    , m_trouble(new MessageBar(this))
    , m_notices(new MessageBar(this)) {
    setObjectName("approvalsPage");
    m_list->setObjectName("requests");
    m_list->setAccessibleName(tr("Requests of your agents"));
    m_list->setModel(m_model);
    m_list->setItemDelegate(new ApprovalDelegate(m_list));
    m_list->setUniformItemSizes(true);
    m_trouble->setObjectName("rulesTrouble");
    m_notices->setObjectName("notices");
    m_empty->setObjectName("nothingWaits");
    auto* right = new QWidget(this);
    auto* rightLayout = new QVBoxLayout(right);
    rightLayout->setContentsMargins(0, 0, 0, 0);
    rightLayout->addWidget(m_empty, 1);
    rightLayout->addWidget(m_request, 1);
    auto* splitter = new QSplitter(this);
    splitter->addWidget(m_list);
    splitter->addWidget(right);
    splitter->setStretchFactor(1, 1);
    splitter->setSizes({300, 700});
    splitter->setChildrenCollapsible(false);
    auto* all = new QVBoxLayout(this);
    all->addWidget(m_trouble);
    all->addWidget(m_notices);
    all->addWidget(splitter, 1);
    connect(m_list->selectionModel(), &QItemSelectionModel::currentChanged, this, [this](const QModelIndex& index) { choose(index); });
    connect(m_request, &RequestView::decided, &store, &ApprovalStore::refresh);
    connect(&store, &ApprovalStore::changed, this, &ApprovalsPage::storeChanged);
    storeChanged();
}

void ApprovalsPage::showEvent(QShowEvent* event) {
    QWidget::showEvent(event);
    storeChanged();
}

void ApprovalsPage::choose(const QModelIndex& index) {
    const auto id = index.isValid() ? index.data(ApprovalsModel::IdRole).toULongLong() : 0;
    if (id != m_current) {
        m_current = id;
        m_request->look(id);
    }
    m_request->setVisible(id != 0);
    m_empty->setVisible(id == 0);
}

void ApprovalsPage::storeChanged() {
    if (m_store.trouble().isEmpty()) {
        m_trouble->clear();
    } else {
        m_trouble->say(MessageBar::Kind::Error, tr("The rules cannot be used; while that is so, everything is denied."), m_store.trouble());
    }
    if (m_store.notices().isEmpty()) {
        m_notices->clear();
    } else {
        m_notices->say(MessageBar::Kind::Warning, m_store.notices().join('\n'));
    }
    if (m_store.approvals().isEmpty()) {
        m_empty->say(tr("No agent has asked for anything."), {});
    } else if (m_store.openCount() == 0) {
        m_empty->say(tr("Nothing waits for you."), tr("Choose a request to look back at it."));
    } else {
        m_empty->say(tr("Choose a request to look at it."), {});
    }
    if (!isVisible()) {
        return; // what nobody sees is not counted as shown
    }
    // The one that was looked at stays so, wherever it is now; else the first that waits.
    auto index = m_model->indexOf(m_current);
    if (!index.isValid() && m_model->rowCount() > 0 && m_model->index(0).data(ApprovalsModel::OpenRole).toBool()) {
        index = m_model->index(0);
    }
    m_list->setCurrentIndex(index);
    choose(index);
    for (const auto& approval : m_store.approvals()) {
        if (approval.id == m_current) {
            m_request->changed(approval);
        }
    }
}

} // namespace carrel::ui
