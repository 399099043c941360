// SPDX-License-Identifier: Apache-2.0
#include "ui/tasks/plan_view.h"

#include "ui/parts/tones.h"
#include "ui/text/plain.h"

#include <QListWidget>
#include <QToolButton>
#include <QVBoxLayout>

#include <algorithm>

namespace carrel::ui {

namespace {

constexpr int kMostShown = 7; // without scrolling

QString signOf(PlanStep::Status status) {
    switch (status) {
    case PlanStep::Status::Completed:
        return QStringLiteral("✓");
    case PlanStep::Status::UnderWay:
        return QStringLiteral("▸");
    case PlanStep::Status::Pending:
        break;
    }
    return QStringLiteral("○");
}

} // namespace

PlanView::PlanView(QWidget* parent)
    : QWidget(parent)
    , m_line(new QToolButton(this))
    , m_steps(new QListWidget(this)) {
    setObjectName("plan");
    m_line->setObjectName("planLine");
    m_line->setAccessibleName(tr("The agent's plan"));
    m_line->setAutoRaise(true);
    m_line->setToolButtonStyle(Qt::ToolButtonTextBesideIcon);
    m_line->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Fixed); // it is cut where there is no room
    m_steps->setObjectName("planSteps");
    m_steps->setAccessibleName(tr("The steps of the agent's plan"));
    m_steps->setFrameShape(QFrame::NoFrame);
    m_steps->setSelectionMode(QAbstractItemView::NoSelection);
    m_steps->setVerticalScrollMode(QAbstractItemView::ScrollPerPixel);
    m_steps->setWordWrap(true);
    m_steps->viewport()->setAutoFillBackground(false);
    auto* const all = new QVBoxLayout(this);
    all->setContentsMargins(0, 0, 0, 0);
    all->setSpacing(2);
    all->addWidget(m_line);
    all->addWidget(m_steps);
    connect(m_line, &QToolButton::clicked, this, [this] {
        m_opened = !m_opened;
        fill();
    });
    setVisible(false);
}

void PlanView::setPlan(const QVector<PlanStep>& plan) {
    if (m_plan != plan) {
        m_plan = plan;
        fill();
    }
    setVisible(!m_plan.isEmpty());
}

void PlanView::fill() {
    const auto done = std::count_if(m_plan.begin(), m_plan.end(), [](const PlanStep& each) { return each.status == PlanStep::Status::Completed; });
    const auto now = std::find_if(m_plan.begin(), m_plan.end(), [](const PlanStep& each) { return each.status == PlanStep::Status::UnderWay; });
    auto line = tr("The agent's plan: %1 of %n step(s) done", nullptr, static_cast<int>(m_plan.size())).arg(done);
    if (now != m_plan.end() && !m_opened) {
        line = tr("%1; now: %2").arg(line, lineOf(now->text, 120));
    }
    m_line->setText(line);
    m_line->setAccessibleName(line);
    m_line->setArrowType(m_opened ? Qt::DownArrow : Qt::RightArrow);
    m_steps->setVisible(m_opened);
    while (m_steps->count() > m_plan.size()) {
        delete m_steps->takeItem(m_steps->count() - 1);
    }
    for (int row = 0; row < m_plan.size(); ++row) {
        const auto& step = m_plan.at(row);
        auto* item = m_steps->item(row);
        if (item == nullptr) {
            item = new QListWidgetItem(m_steps);
            item->setFlags(Qt::ItemIsEnabled | Qt::ItemIsSelectable);
        }
        const auto text = lineOf(step.text);
        const auto status = step.status == PlanStep::Status::Completed ? tr("done") : step.status == PlanStep::Status::UnderWay ? tr("under way") : tr("to come");
        item->setText(signOf(step.status) + QStringLiteral("  ") + text);
        item->setToolTip(toolTipOf(text));
        item->setData(Qt::AccessibleTextRole, status + QStringLiteral(": ") + text);
        auto font = m_steps->font();
        font.setBold(step.status == PlanStep::Status::UnderWay);
        item->setFont(font);
    }
    const int rows = std::min<int>(kMostShown, static_cast<int>(m_plan.size()));
    m_steps->setFixedHeight(rows * std::max(m_steps->sizeHintForRow(0), fontMetrics().height()) + 2);
}

} // namespace carrel::ui
