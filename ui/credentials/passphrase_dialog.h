// SPDX-License-Identifier: Apache-2.0
// The passphrase of the file of credentials: of the one that there is, or of a new one, which is typed twice. Which of the two, it asks
// the engine. What was typed is in no field any more once the button is pressed. Deletes itself. Thread: the window's.
#pragma once

#include "ui/engine/engine_link.h"

#include <QDialog>

class QPushButton;

namespace carrel::ui {

class MessageBar;
class PlainLabel;
class ProblemLabel;
class SecretEdit;

class PassphraseDialog : public QDialog {
    Q_OBJECT
public:
    PassphraseDialog(EngineLink& link, QWidget* parent);

signals:
    void opened(); // the file is; it deletes itself then

private:
    void found(const Answer& answer);
    void openFile();
    void complain(const QString& what);

    EngineLink& m_link;
    PlainLabel* m_words;
    SecretEdit* m_passphrase;
    SecretEdit* m_again;
    QWidget* m_againRow;
    ProblemLabel* m_problem;
    MessageBar* m_bar;
    QPushButton* m_open;
    bool m_isNew = false;
};

} // namespace carrel::ui
