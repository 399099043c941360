// SPDX-License-Identifier: Apache-2.0
#include "ui/terminal/paste_dialog.h"

#include "ui/terminal/paste_guard.h"
#include "ui/text/plain.h"

#include <QDialogButtonBox>
#include <QFontDatabase>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QVBoxLayout>

namespace carrel::ui {

PasteDialog::PasteDialog(const PasteReview& review, QWidget* parent)
    : QDialog(parent) {
    setAttribute(Qt::WA_DeleteOnClose);
    setObjectName(QStringLiteral("pasteDialog"));
    setWindowTitle(tr("Paste into the terminal"));
    auto* layout = new QVBoxLayout(this);
    QStringList words;
    if (review.tooLong) {
        words << tr("The text is too long to be typed: more than a million characters.")
              << tr("Put it into a file in a folder that is shared with the agent.");
    } else {
        // One and many are said apart: no translation stands between this and English.
        if (review.lineEnds > 0) {
            words << (review.lineEnds == 1 ? tr("The text has a line end. It acts like the Enter key, so that what stands before it may be "
                                                "carried out at once.")
                                           : tr("The text has %1 line ends. Each of them acts like the Enter key, so that what stands before "
                                                "it may be carried out at once.")
                                                 .arg(review.lineEnds));
        }
        if (review.removed > 0) {
            words << (review.removed == 1 ? tr("A control character in it will not be pasted.")
                                          : tr("%1 control characters in it will not be pasted.").arg(review.removed));
        }
        if (review.hidden > 0) {
            words << (review.hidden == 1 ? tr("A character in it does not show, or changes what shows. It is written out here.")
                                         : tr("%1 characters in it do not show, or change what shows. They are written out here.")
                                               .arg(review.hidden));
        }
    }
    auto* what = new PlainLabel(words.join(' '), this);
    what->setObjectName(QStringLiteral("pasteWords"));
    layout->addWidget(what);
    auto* buttons = new QDialogButtonBox(this);
    auto* no = buttons->addButton(review.tooLong ? tr("Close") : tr("Do not paste"), QDialogButtonBox::RejectRole);
    no->setObjectName(QStringLiteral("pasteNo"));
    if (!review.tooLong) {
        auto* text = new QPlainTextEdit(shownPaste(review), this);
        text->setObjectName(QStringLiteral("pasteText"));
        text->setAccessibleName(tr("The text to be pasted"));
        text->setReadOnly(true);
        text->setFont(QFontDatabase::systemFont(QFontDatabase::FixedFont));
        text->setTabChangesFocus(true);
        layout->addWidget(text, 1);
        auto* yes = buttons->addButton(tr("Paste"), QDialogButtonBox::AcceptRole);
        yes->setObjectName(QStringLiteral("pasteYes"));
        yes->setAutoDefault(false);
    }
    no->setDefault(true);
    no->setFocus();
    layout->addWidget(buttons);
    connect(buttons, &QDialogButtonBox::accepted, this, &QDialog::accept);
    connect(buttons, &QDialogButtonBox::rejected, this, &QDialog::reject);
    resize(560, review.tooLong ? sizeHint().height() : 320);
}

} // namespace carrel::ui
