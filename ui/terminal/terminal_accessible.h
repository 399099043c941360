// SPDX-License-Identifier: Apache-2.0
// A terminal for those who do not see it: its screen as a text, line by line, with the cursor in it. Thread: the window's.
#pragma once

class QAccessibleInterface;
class QObject;
class QString;

namespace carrel::ui {

// For QAccessible::installFactory(). Null: the object is no terminal.
[[nodiscard]] QAccessibleInterface* terminalAccessible(const QString& className, QObject* object);

} // namespace carrel::ui
