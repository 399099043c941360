// SPDX-License-Identifier: Apache-2.0
#include "ui/agents/state_sign.h"

#include "ui/parts/tones.h"

#include <QPainter>

namespace carrel::ui {

void paintState(QPainter& painter, const QRectF& box, AgentState state, const QPalette& palette) {
    painter.save();
    painter.setRenderHint(QPainter::Antialiasing);
    const auto disc = box.adjusted(1, 1, -1, -1);
    const auto width = box.width() / 7;
    const auto grey = palette.color(QPalette::Disabled, QPalette::Text);
    const auto ring = [&](const QColor& colour) {
        painter.setBrush(Qt::NoBrush);
        painter.setPen(QPen(colour, width));
        painter.drawEllipse(disc.adjusted(width / 2, width / 2, -width / 2, -width / 2));
    };
    const auto filled = [&](const QColor& colour) {
        painter.setPen(Qt::NoPen);
        painter.setBrush(colour);
    };
    switch (state) {
    case AgentState::Ready:
    case AgentState::Working:
        filled(toneColour(Tone::Good, palette));
        painter.drawEllipse(disc);
        break;
    case AgentState::Starting:
    case AgentState::Stopping:
        ring(toneColour(Tone::Note, palette));
        filled(toneColour(Tone::Note, palette));
        painter.drawPie(disc, 90 * 16, state == AgentState::Starting ? -180 * 16 : 180 * 16);
        break;
    case AgentState::Paused:
    case AgentState::Standby:
    case AgentState::Hibernated: {
        filled(toneColour(Tone::Warning, palette));
        const auto bar = disc.width() / 3;
        painter.drawRect(QRectF(disc.left(), disc.top(), bar, disc.height()));
        painter.drawRect(QRectF(disc.right() - bar, disc.top(), bar, disc.height()));
        break;
    }
    case AgentState::Failed:
        painter.setPen(QPen(toneColour(Tone::Bad, palette), width * 1.5, Qt::SolidLine, Qt::RoundCap));
        painter.drawLine(disc.topLeft(), disc.bottomRight());
        painter.drawLine(disc.topRight(), disc.bottomLeft());
        break;
    case AgentState::Created:
    case AgentState::Stopped:
    case AgentState::Unknown:
        ring(grey);
        break;
    }
    painter.restore();
}

} // namespace carrel::ui
