// SPDX-License-Identifier: Apache-2.0
#include "ui/engine/engine_link.h"
#include "ui/text/languages.h"
#include "ui/window/application_icon.h"
#include "ui/window/main_window.h"

#include <QApplication>

int main(int argc, char** argv) {
    QApplication application(argc, argv);
    QApplication::setApplicationName("carrel-desktop");
    QApplication::setApplicationDisplayName("Carrel");
    QApplication::setOrganizationName("carrel");
    QApplication::setApplicationVersion(CARREL_VERSION);
    QApplication::setDesktopFileName("carrel-desktop");
    QApplication::setWindowIcon(carrel::ui::applicationIcon());
    carrel::ui::installLanguages();
    carrel::ui::EngineLink link;
    carrel::ui::MainWindow window(link);
    window.show();
    link.start();
    return QApplication::exec();
}
