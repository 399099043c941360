// SPDX-License-Identifier: Apache-2.0
#include "ui/window/application_icon.h"

#include <QDirIterator>

namespace carrel::ui {

QIcon applicationIcon() {
    return QIcon::fromTheme("carrel-desktop", carriedIcon());
}

QIcon carriedIcon() {
    QIcon icon;
    QDirIterator files(":/icons", QDir::Files, QDirIterator::Subdirectories); // a size each, or the drawing
    while (files.hasNext()) {
        icon.addFile(files.next());
    }
    return icon;
}

} // namespace carrel::ui
