// SPDX-License-Identifier: Apache-2.0
#include "ui/changes/outcome_list.h"

#include "ui/changes/signs.h"
#include "ui/text/plain.h"

#include <QHeaderView>
#include <QToolButton>
#include <QTreeWidget>
#include <QVBoxLayout>

namespace carrel::ui {

namespace {

QString outcomeText(const std::string& outcome) {
    return outcome == "conflict"  ? OutcomeList::tr("Conflict")
           : outcome == "refused" ? OutcomeList::tr("Refused")
           : outcome == "failed"  ? OutcomeList::tr("Failed")
           : outcome == "kept"    ? OutcomeList::tr("Still staged")
           : outcome == "done"    ? OutcomeList::tr("Done")
                                  : lineOf(outcome, 40);
}

} // namespace

OutcomeList::OutcomeList(QWidget* parent)
    : QFrame(parent)
    , m_title(new PlainLabel({}, this))
    , m_list(new QTreeWidget(this)) {
    setFrameShape(QFrame::StyledPanel);
    setObjectName(QStringLiteral("outcomes"));
    m_list->setObjectName(QStringLiteral("outcomeList"));
    m_list->setAccessibleName(tr("What was not done, and why"));
    m_list->setColumnCount(3);
    m_list->setHeaderLabels({tr("File"), tr("What became of it"), tr("Why")});
    m_list->setRootIsDecorated(false);
    m_list->setUniformRowHeights(true);
    m_list->setFrameShape(QFrame::NoFrame);
    m_list->header()->setSectionResizeMode(QHeaderView::Interactive);
    m_list->header()->setStretchLastSection(true);
    auto* const close = new QToolButton(this);
    close->setAutoRaise(true);
    close->setIcon(style()->standardIcon(QStyle::SP_TitleBarCloseButton));
    close->setAccessibleName(tr("Close this list"));
    close->setObjectName(QStringLiteral("closeOutcomes"));
    auto* const head = new QHBoxLayout;
    head->addWidget(m_title, 1);
    head->addWidget(close);
    auto* const all = new QVBoxLayout(this);
    all->setContentsMargins(10, 6, 6, 6);
    all->addLayout(head);
    all->addWidget(m_list);
    connect(close, &QToolButton::clicked, this, &QWidget::hide);
    setVisible(false);
}

void OutcomeList::show(const DeedOutcome& outcome) {
    m_list->clear();
    for (const auto& item : outcome.told) {
        const auto path = lineOf(item.path, kWholeColumns);
        const auto why = lineOf(item.reason, kWholeColumns);
        auto* const row = new QTreeWidgetItem(m_list, {path, outcomeText(item.outcome), why});
        row->setToolTip(0, toolTipOf(path));
        row->setToolTip(2, toolTipOf(why));
        if (item.outcome != "done") {
            row->setIcon(1, markIcon(item.outcome == "failed" ? Mark::HighRisk : Mark::Conflict, palette()));
        }
    }
    const auto all = outcome.notDone + outcome.kept;
    m_title->setText(all > outcome.told.size() ? tr("Not everything was done. The first %n of them:", nullptr, static_cast<int>(outcome.told.size()))
                                               : tr("What was not done, or has something to say:"));
    for (int column = 0; column < 2; ++column) {
        m_list->resizeColumnToContents(column);
        m_list->setColumnWidth(column, std::min(m_list->columnWidth(column), 420));
    }
    const int rows = std::min(5, m_list->topLevelItemCount());
    m_list->setFixedHeight(m_list->header()->sizeHint().height() + rows * (fontMetrics().height() + 6) + 8);
    setVisible(!outcome.told.empty());
}

} // namespace carrel::ui
