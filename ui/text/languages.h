// SPDX-License-Identifier: Apache-2.0
// The user's language: what Qt says of its own, and what the desktop says, where somebody has translated it; the English texts have
// plurals of their own. Before any window is made. Thread: the window's.
#pragma once

namespace carrel::ui {

// For the life of the application.
void installLanguages();

} // namespace carrel::ui
