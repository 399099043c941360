// SPDX-License-Identifier: Apache-2.0
// The icon of Carrel's windows: the theme's, where Carrel is installed or a theme has one of its own, else the one that the
// program carries. Thread: the window's.
#pragma once

#include <QIcon>

namespace carrel::ui {

[[nodiscard]] QIcon applicationIcon();
[[nodiscard]] QIcon carriedIcon();

} // namespace carrel::ui
