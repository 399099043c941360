// SPDX-License-Identifier: Apache-2.0
#include "ui/parts/empty_state.h"

#include "ui/text/plain.h"

#include <QPushButton>
#include <QVBoxLayout>

namespace carrel::ui {

EmptyState::EmptyState(QWidget* parent)
    : QWidget(parent)
    , m_title(new PlainLabel({}, this))
    , m_words(new PlainLabel({}, this))
    , m_action(new QPushButton(this)) {
    m_action->setObjectName(QStringLiteral("emptyAction"));
    auto large = m_title->font();
    large.setBold(true);
    large.setPointSizeF(large.pointSizeF() * 1.3);
    m_title->setFont(large);
    // As wide as is read well, and narrower where there is less; each line as high as its words need.
    auto* const middle = new QWidget(this);
    middle->setMaximumWidth(fontMetrics().averageCharWidth() * 72);
    auto* const column = new QVBoxLayout(middle);
    column->setSpacing(10);
    column->addStretch(2);
    for (auto* label : {m_title, m_words}) {
        label->setAlignment(Qt::AlignCenter);
        column->addWidget(label);
    }
    column->addSpacing(6);
    column->addWidget(m_action, 0, Qt::AlignHCenter);
    column->addStretch(3);
    auto* const all = new QHBoxLayout(this);
    all->addStretch(1);
    all->addWidget(middle, 100);
    all->addStretch(1);
    connect(m_action, &QPushButton::clicked, this, &EmptyState::acted);
}

void EmptyState::say(const QString& title, const QString& words, const QString& action) {
    m_title->setText(title);
    m_words->setText(words);
    m_words->setVisible(!words.isEmpty());
    m_action->setText(action);
    m_action->setVisible(!action.isEmpty());
    setAccessibleName(text());
}

QString EmptyState::text() const {
    return m_title->text() + ' ' + m_words->text();
}

} // namespace carrel::ui
