// SPDX-License-Identifier: Apache-2.0
// Asks before a text is typed into a terminal that a person may not have looked at: shows it with what does not show written out,
// says what was taken out and what its line ends do. The default is no. Owner: its parent; it deletes itself when it is closed.
// Thread: the window's.
#pragma once

#include <QDialog>

namespace carrel::ui {

struct PasteReview;

class PasteDialog : public QDialog {
    Q_OBJECT
public:
    PasteDialog(const PasteReview& review, QWidget* parent);
};

} // namespace carrel::ui
