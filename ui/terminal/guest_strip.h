// SPDX-License-Identifier: Apache-2.0
// Says of what is below it whose it is: nothing there is Carrel's own word (invariant I11). Thread: the window's.
#pragma once

#include <QFrame>

namespace carrel::ui {

class PlainLabel;

class GuestStrip : public QFrame {
    Q_OBJECT
public:
    GuestStrip(const QString& words, QWidget* parent);
    void say(const QString& words);

protected:
    void changeEvent(QEvent* event) override;

private:
    void colour();

    PlainLabel* m_label;
};

} // namespace carrel::ui
