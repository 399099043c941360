// SPDX-License-Identifier: Apache-2.0
#include "ui/text/languages.h"

#include <QCoreApplication>
#include <QLibraryInfo>
#include <QLocale>
#include <QTranslator>

// In no namespace, as the macro wants it. Of a library: the linker drops what nobody names.
static void makeKnown() {
    Q_INIT_RESOURCE(translations);
}

namespace carrel::ui {

void installLanguages() {
    makeKnown();
    auto* const application = QCoreApplication::instance();
    const auto add = [application](auto load) {
        auto* const translator = new QTranslator(application);
        if (load(*translator)) {
            QCoreApplication::installTranslator(translator);
        } else {
            delete translator;
        }
    };
    // The last one is asked first.
    add([](QTranslator& qtOwn) { return qtOwn.load(QLocale(), "qtbase", "_", QLibraryInfo::path(QLibraryInfo::TranslationsPath)); });
    add([](QTranslator& english) { return english.load(":/translations/carrel_en.qm"); });
    add([](QTranslator& own) { return own.load(QLocale(), "carrel", "_", ":/translations"); });
}

} // namespace carrel::ui
