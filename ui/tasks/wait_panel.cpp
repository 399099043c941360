// SPDX-License-Identifier: Apache-2.0
#include "ui/tasks/wait_panel.h"

#include "ui/parts/flow_layout.h"
#include "ui/parts/tones.h"
#include "ui/text/plain.h"

#include <QPushButton>
#include <QVBoxLayout>

#include <algorithm>

namespace carrel::ui {

namespace {

QString titleOf(TaskWait::Kind kind) {
    switch (kind) {
    case TaskWait::Kind::Permission:
        return WaitPanel::tr("The agent asks leave for something inside its machine");
    case TaskWait::Kind::Budget:
        return WaitPanel::tr("Its budget is used up");
    case TaskWait::Kind::Machine:
        return WaitPanel::tr("Its machine does not run");
    case TaskWait::Kind::Provider:
        return WaitPanel::tr("Its model cannot be reached");
    case TaskWait::Kind::Unknown:
        break;
    }
    return WaitPanel::tr("It waits for something that this window does not know");
}

} // namespace

WaitPanel::WaitPanel(QWidget* before, QWidget* parent)
    : QFrame(parent)
    , m_before(before)
    , m_title(new PlainLabel({}, this))
    , m_text(new PlainLabel({}, this))
    , m_hint(new PlainLabel({}, this))
    , m_row(new QWidget(this))
    , m_buttons(new FlowLayout(m_row)) {
    setObjectName("waitPanel");
    m_title->setObjectName("waitTitle");
    m_text->setObjectName("waitText");
    m_hint->setObjectName("waitHint");
    setFrameShape(QFrame::StyledPanel);
    auto bold = font();
    bold.setBold(true);
    m_title->setFont(bold);
    auto* const all = new QVBoxLayout(this);
    all->addWidget(m_title);
    all->addWidget(m_text);
    all->addWidget(m_hint);
    all->addWidget(m_row);
    setVisible(false);
}

QPushButton* WaitPanel::addButton(const QString& text, const char* name) {
    auto* const out = new QPushButton(QString(text).replace('&', QStringLiteral("&&")), m_row);
    out->setObjectName(name);
    out->setAutoDefault(false);
    out->setMaximumWidth(420);
    m_buttons->addWidget(out);
    return out;
}

void WaitPanel::setWait(const std::optional<TaskWait>& wait) {
    if (m_wait == wait) {
        setVisible(wait.has_value());
        return;
    }
    m_wait = wait;
    qDeleteAll(m_row->findChildren<QPushButton*>(Qt::FindDirectChildrenOnly));
    setVisible(wait.has_value());
    if (!wait) {
        return;
    }
    const bool permission = wait->kind == TaskWait::Kind::Permission;
    m_title->setText(titleOf(wait->kind));
    m_text->setText(brokenText(blockOf(wait->text)));
    m_text->setVisible(!wait->text.empty());
    auto colours = palette();
    if (permission) { // the agent's words
        colours.setColor(QPalette::WindowText, toneColour(Tone::Claim, colours));
    }
    m_text->setPalette(colours);
    m_hint->setText(lineOf(wait->hint, kWholeColumns));
    m_hint->setVisible(!wait->hint.empty());
    if (permission) {
        for (const auto& option : wait->options) {
            const bool named = std::count_if(wait->options.begin(), wait->options.end(), [&](const auto& each) { return each.kind == option.kind; }) > 1;
            auto* const button = addButton(optionText(option, named), "waitOption");
            button->setToolTip(toolTipOf(tr("The agent calls it “%1”").arg(lineOf(option.name, 120))));
            connect(button, &QPushButton::clicked, this, [this, request = wait->request, id = option.id] { emit optionChosen(request, id); });
        }
        connect(addButton(tr("None of these"), "waitNone"), &QPushButton::clicked, this, [this, request = wait->request] { emit refused(request); });
    } else {
        const auto goOn = wait->kind == TaskWait::Kind::Budget ? tr("Give it as much again") : tr("Try again");
        connect(addButton(goOn, "waitGoOn"), &QPushButton::clicked, this, &WaitPanel::goOnWanted);
        if (wait->kind == TaskWait::Kind::Provider) {
            connect(addButton(tr("Choose a model…"), "waitProvider"), &QPushButton::clicked, this, &WaitPanel::providerWanted);
        }
    }
    QWidget* before = m_before;
    for (int i = 0; i < m_buttons->count(); ++i) {
        setTabOrder(before, m_buttons->itemAt(i)->widget());
        before = m_buttons->itemAt(i)->widget();
    }
    setAccessibleName(m_title->text() + QStringLiteral(": ") + m_text->text());
}

void WaitPanel::setAnswering(bool answering) {
    m_row->setEnabled(!answering);
}

} // namespace carrel::ui
