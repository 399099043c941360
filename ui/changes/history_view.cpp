// SPDX-License-Identifier: Apache-2.0
#include "ui/changes/history_view.h"

#include "ui/changes/decision_dialog.h"
#include "ui/parts/empty_state.h"
#include "ui/parts/message_bar.h"
#include "ui/text/plain.h"

#include <QHeaderView>
#include <QPushButton>
#include <QStackedWidget>
#include <QStyledItemDelegate>
#include <QTreeView>
#include <QVBoxLayout>

namespace carrel::ui {

namespace {

class RoomyRows : public QStyledItemDelegate {
public:
    using QStyledItemDelegate::QStyledItemDelegate;
    [[nodiscard]] QSize sizeHint(const QStyleOptionViewItem& option, const QModelIndex& index) const override {
        auto out = QStyledItemDelegate::sizeHint(option, index);
        out.setHeight(option.fontMetrics.height() + 8);
        return out;
    }
};

} // namespace

HistoryView::HistoryView(EngineLink& link, QString agent, QWidget* parent)
    : QWidget(parent)
    , m_model(new HistoryModel(link, std::move(agent), this))
    , m_trouble(new MessageBar(this))
    , m_stack(new QStackedWidget(this))
    , m_empty(new EmptyState(m_stack))
    , m_list(new QTreeView(m_stack))
    , m_undo(new QPushButton(tr("Take &back…"), this)) {
    m_list->setObjectName(QStringLiteral("historyList"));
    m_list->setAccessibleName(tr("What was applied and taken back"));
    m_list->setModel(m_model);
    m_list->setItemDelegate(new RoomyRows(m_list));
    m_list->setRootIsDecorated(false);
    m_list->setUniformRowHeights(true);
    m_list->setAllColumnsShowFocus(true);
    m_list->setAlternatingRowColors(true);
    m_list->setFrameShape(QFrame::NoFrame);
    auto* const header = m_list->header();
    header->setStretchLastSection(false);
    header->setSectionResizeMode(QHeaderView::ResizeToContents);
    header->setSectionResizeMode(HistoryModel::Files, QHeaderView::Stretch);
    header->setResizeContentsPrecision(100);
    m_undo->setObjectName(QStringLiteral("undoPast"));
    m_stack->addWidget(m_empty);
    m_stack->addWidget(m_list);
    auto* const row = new QHBoxLayout;
    row->setContentsMargins(10, 4, 10, 8);
    row->addWidget(new PlainLabel(tr("Each can be taken back, whatever came after it. A file that was changed again since is left as it is, and named."), this), 1);
    row->addWidget(m_undo);
    auto* const all = new QVBoxLayout(this);
    all->setContentsMargins(0, 0, 0, 0);
    all->addWidget(m_trouble);
    all->addWidget(m_stack, 1);
    all->addLayout(row);
    connect(m_model, &HistoryModel::loaded, this, [this] {
        m_trouble->clear();
        update();
    });
    connect(m_model, &HistoryModel::failed, this, [this](const Error& error) {
        m_trouble->say(error);
        m_empty->say(tr("The history cannot be shown now"), {});
    });
    connect(m_list->selectionModel(), &QItemSelectionModel::currentRowChanged, this, &HistoryView::update);
    connect(m_undo, &QPushButton::clicked, this, &HistoryView::askUndo);
    connect(m_list, &QTreeView::activated, this, &HistoryView::askUndo);
    m_empty->say(tr("Looking…"), {});
    update();
}

void HistoryView::setBusy(bool busy) {
    m_busy = busy;
    update();
}

void HistoryView::update() {
    if (m_model->known()) {
        m_empty->say(tr("Nothing was applied yet"), tr("What you apply is listed here, and can be taken back from here."));
    }
    m_stack->setCurrentWidget(m_model->rowCount() > 0 ? static_cast<QWidget*>(m_list) : m_empty);
    const auto* const past = m_model->at(m_list->currentIndex());
    m_undo->setEnabled(past != nullptr && past->undoneBy == 0 && !m_busy);
}

void HistoryView::askUndo() {
    const auto* const past = m_model->at(m_list->currentIndex());
    if (past == nullptr || !m_undo->isEnabled()) {
        return;
    }
    DecisionDialog::Question question;
    question.title = tr("Take back");
    question.question = past->undoes == 0 ? tr("Take back what was applied as number %1?").arg(past->number)
                                          : tr("Take back the undo with number %1, so that its changes are there again?").arg(past->number);
    question.more = tr("It made %n change(s), on %1. A file that was changed since stays as it is. This can be taken back, too.", nullptr,
                       countOf(past->done))
                        .arg(momentText(past->time));
    if (!past->first.empty()) {
        question.files.emplace_back(past->first, std::string());
    }
    question.yes = tr("&Take back");
    question.no = tr("&Leave it");
    auto* const dialog = new DecisionDialog(question, window());
    connect(dialog, &QDialog::accepted, this, [this, number = past->number] { emit undoWanted(number); });
    dialog->open();
}

} // namespace carrel::ui
