// SPDX-License-Identifier: Apache-2.0
#include "ui/changes/progress_row.h"

#include "ui/text/plain.h"

#include <QHBoxLayout>
#include <QProgressBar>
#include <QPushButton>

namespace carrel::ui {

ProgressRow::ProgressRow(QWidget* parent)
    : QWidget(parent)
    , m_text(new PlainLabel({}, this))
    , m_bar(new QProgressBar(this))
    , m_cancel(new QPushButton(tr("Cancel"), this)) {
    m_cancel->setObjectName(QStringLiteral("cancel"));
    m_bar->setTextVisible(false);
    m_bar->setFixedWidth(160);
    m_text->setWordWrap(false);
    m_text->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred); // a long name does not widen the window
    auto* const row = new QHBoxLayout(this);
    row->setContentsMargins(0, 0, 0, 0);
    row->addWidget(m_text, 1);
    row->addWidget(m_bar);
    row->addWidget(m_cancel);
    connect(m_cancel, &QPushButton::clicked, this, &ProgressRow::cancelled);
    setVisible(false);
}

void ProgressRow::tell(const QString& text, double fraction) {
    m_text->setText(text);
    m_bar->setRange(0, fraction < 0 ? 0 : 1000);
    m_bar->setValue(static_cast<int>(fraction * 1000));
    m_bar->setAccessibleName(text);
}

void ProgressRow::end() {
    setVisible(false);
}

} // namespace carrel::ui
