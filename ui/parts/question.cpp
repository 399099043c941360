// SPDX-License-Identifier: Apache-2.0
#include "ui/parts/question.h"

#include "ui/text/plain.h"

#include <QDialogButtonBox>
#include <QFrame>
#include <QPushButton>
#include <QVBoxLayout>

namespace carrel::ui {

Question::Question(const QString& title, const QString& words, const QString& about, const QString& yes, QWidget* parent)
    : QDialog(parent) {
    setAttribute(Qt::WA_DeleteOnClose);
    setObjectName("question");
    setWindowTitle(title);
    auto* all = new QVBoxLayout(this);
    auto* heading = new PlainLabel(title, this);
    auto bold = heading->font();
    bold.setBold(true);
    bold.setPointSizeF(bold.pointSizeF() * 1.15);
    heading->setFont(bold);
    all->addWidget(heading);
    if (!about.isEmpty()) {
        auto* frame = new QFrame(this);
        frame->setFrameShape(QFrame::StyledPanel);
        auto* inner = new QVBoxLayout(frame);
        inner->addWidget(new PlainLabel(about, frame));
        all->addWidget(frame);
    }
    all->addWidget(new PlainLabel(words, this));
    all->addStretch();
    auto* buttons = new QDialogButtonBox(QDialogButtonBox::Cancel, this);
    auto* agree = buttons->addButton(yes, QDialogButtonBox::AcceptRole);
    agree->setObjectName("agree");
    agree->setAutoDefault(false);
    auto* no = buttons->button(QDialogButtonBox::Cancel);
    no->setDefault(true);
    all->addWidget(buttons);
    connect(buttons, &QDialogButtonBox::rejected, this, &QDialog::reject);
    connect(buttons, &QDialogButtonBox::accepted, this, [this] {
        emit agreed();
        accept();
    });
    setMinimumWidth(460);
    no->setFocus();
}

} // namespace carrel::ui
