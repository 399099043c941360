// SPDX-License-Identifier: Apache-2.0
#include "ui/terminal/guest_strip.h"

#include "ui/parts/tones.h"
#include "ui/text/plain.h"

#include <QApplication>
#include <QEvent>
#include <QVBoxLayout>

namespace carrel::ui {

GuestStrip::GuestStrip(const QString& words, QWidget* parent)
    : QFrame(parent)
    , m_label(new PlainLabel(words, this)) {
    setObjectName(QStringLiteral("drawnByTheGuest"));
    setAutoFillBackground(true);
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(10, 3, 10, 3);
    layout->addWidget(m_label);
    colour();
}

void GuestStrip::say(const QString& words) {
    m_label->setText(words);
}

void GuestStrip::changeEvent(QEvent* event) {
    QFrame::changeEvent(event);
    if (event->type() == QEvent::ApplicationPaletteChange || event->type() == QEvent::ThemeChange) {
        colour();
    }
}

void GuestStrip::colour() {
    const auto window = QApplication::palette();
    auto own = window;
    own.setColor(QPalette::Window, toneBackground(Tone::Claim, window));
    own.setColor(QPalette::WindowText, toneColour(Tone::Claim, window));
    setPalette(own);
}

} // namespace carrel::ui
