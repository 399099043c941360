// SPDX-License-Identifier: Apache-2.0
#include "ui/parts/message_bar.h"

#include "ui/parts/tones.h"
#include "ui/text/plain.h"

#include <QHBoxLayout>
#include <QPainter>
#include <QPushButton>
#include <QStyle>
#include <QToolButton>
#include <QVBoxLayout>

namespace carrel::ui {

// A round "i", a triangle with "!", a square with "×".
class MessageBar::Sign : public QWidget {
public:
    using QWidget::QWidget;
    Kind kind = Kind::Note;
    [[nodiscard]] QSize sizeHint() const override {
        const int side = fontMetrics().height() + 6;
        return {side, side};
    }

protected:
    void paintEvent(QPaintEvent* /*event*/) override {
        QPainter painter(this);
        painter.setRenderHint(QPainter::Antialiasing);
        const int side = fontMetrics().height() + 4;
        const QRectF box(1, 1, side, side);
        painter.setPen(Qt::NoPen);
        painter.setBrush(toneColour(kind == Kind::Note ? Tone::Note : kind == Kind::Warning ? Tone::Warning : Tone::Bad, palette()));
        if (kind == Kind::Note) {
            painter.drawEllipse(box);
        } else if (kind == Kind::Warning) {
            painter.drawPolygon(QPolygonF({{box.center().x(), box.top()}, box.bottomRight(), box.bottomLeft()}));
        } else {
            painter.drawRoundedRect(box, 3, 3);
        }
        auto bold = font();
        bold.setBold(true);
        painter.setFont(bold);
        painter.setPen(Qt::white);
        painter.drawText(kind == Kind::Warning ? box.translated(0, 2) : box, Qt::AlignCenter,
                         kind == Kind::Note ? QStringLiteral("i") : kind == Kind::Warning ? QStringLiteral("!") : QStringLiteral("×"));
    }
};

MessageBar::MessageBar(QWidget* parent)
    : QFrame(parent)
    , m_sign(new Sign(this))
    , m_what(new PlainLabel({}, this))
    , m_more(new PlainLabel({}, this))
    , m_action(new QPushButton(this))
    , m_close(new QToolButton(this)) {
    setFrameShape(QFrame::StyledPanel);
    setAutoFillBackground(true);
    auto* texts = new QVBoxLayout;
    texts->setSpacing(2);
    texts->addWidget(m_what);
    texts->addWidget(m_more);
    m_close->setIcon(style()->standardIcon(QStyle::SP_TitleBarCloseButton));
    m_close->setAutoRaise(true);
    m_close->setAccessibleName(tr("Close this message"));
    m_close->setVisible(false);
    m_action->setVisible(false);
    auto* row = new QHBoxLayout(this);
    row->setContentsMargins(10, 8, 10, 8);
    row->setSpacing(10);
    row->addWidget(m_sign, 0, Qt::AlignTop);
    row->addLayout(texts, 1);
    row->addWidget(m_action, 0, Qt::AlignVCenter);
    row->addWidget(m_close, 0, Qt::AlignTop);
    connect(m_action, &QPushButton::clicked, this, &MessageBar::acted);
    connect(m_close, &QToolButton::clicked, this, &MessageBar::clear);
    setVisible(false);
}

void MessageBar::say(Kind kind, const QString& what, const QString& more) {
    offer({}); // of what was said before
    m_sign->kind = kind;
    m_sign->update();
    m_what->setText(what);
    m_more->setText(more);
    m_more->setVisible(!more.isEmpty());
    const auto word = kind == Kind::Note ? tr("Note") : kind == Kind::Warning ? tr("Warning") : tr("Error");
    setAccessibleName(word + ": " + text());
    setVisible(true);
}

void MessageBar::say(const Error& error) {
    say(Kind::Error, whatHappened(error), whatToDo(error));
}

void MessageBar::offer(const QString& action) {
    m_action->setText(action);
    m_action->setVisible(!action.isEmpty());
}

void MessageBar::setClosable(bool closable) {
    m_close->setVisible(closable);
}

void MessageBar::clear() {
    setVisible(false);
    m_what->clear();
    m_more->clear();
    offer({});
}

QString MessageBar::text() const {
    return m_more->text().isEmpty() ? m_what->text() : m_what->text() + ' ' + m_more->text();
}

} // namespace carrel::ui
