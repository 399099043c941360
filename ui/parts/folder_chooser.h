// SPDX-License-Identifier: Apache-2.0
// The system's dialog for a folder that an agent is to be given: choosing one there is granting it. Thread: the window's.
#pragma once

#include <QString>

#include <functional>

class QWidget;

namespace carrel::ui {

// Returns at once; `chosen` is called if a folder is, and not after `parent` is gone.
void chooseFolder(QWidget* parent, std::function<void(const QString& directory)> chosen);

} // namespace carrel::ui
