// SPDX-License-Identifier: Apache-2.0
// What a page has to say, in the page and not in a window in front of it: what happened, what to do, perhaps a button that does
// it. Plain text. A note does not look like a warning, a warning not like an error: each has a sign and a word of its own beside
// its colour. Thread: the window's.
#pragma once

#include "guest/protocol/result.h"

#include <QFrame>

class QLabel;
class QPushButton;
class QToolButton;

namespace carrel::ui {

class PlainLabel;

class MessageBar : public QFrame {
    Q_OBJECT
public:
    enum class Kind { Note, Warning, Error };

    explicit MessageBar(QWidget* parent = nullptr); // hidden until it says something

    void say(Kind kind, const QString& what, const QString& more = {});
    void say(const Error& error); // an error of the engine's
    // With what was just said: a button that emits acted(); empty: none.
    void offer(const QString& action);
    void setClosable(bool closable);
    void clear();
    [[nodiscard]] QString text() const;

signals:
    void acted();

private:
    class Sign;
    Sign* m_sign;
    PlainLabel* m_what;
    PlainLabel* m_more;
    QPushButton* m_action;
    QToolButton* m_close;
};

} // namespace carrel::ui
