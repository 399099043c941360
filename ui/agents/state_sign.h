// SPDX-License-Identifier: Apache-2.0
// An agent's state as a shape, beside its word: a filled disc works or is ready, two bars are paused, an open ring is stopped, a
// disc half filled is on its way, a cross has failed. Thread: the window's.
#pragma once

#include "ui/agents/agent_info.h"

#include <QPalette>
#include <QPixmap>
#include <QRectF>

class QPainter;

namespace carrel::ui {

void paintState(QPainter& painter, const QRectF& box, AgentState state, const QPalette& palette);

} // namespace carrel::ui
