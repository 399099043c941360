// SPDX-License-Identifier: Apache-2.0
#include "ui/parts/folder_chooser.h"

#include <QCoreApplication>
#include <QFileDialog>

namespace carrel::ui {

namespace {
struct ChooserWords {
    Q_DECLARE_TR_FUNCTIONS(ChooserWords)
};
} // namespace

void chooseFolder(QWidget* parent, std::function<void(const QString& directory)> chosen) {
    auto* const dialog = new QFileDialog(parent, ChooserWords::tr("Choose a folder for the agent"));
    dialog->setAttribute(Qt::WA_DeleteOnClose);
    dialog->setFileMode(QFileDialog::Directory);
    dialog->setOption(QFileDialog::ShowDirsOnly);
    QObject::connect(dialog, &QFileDialog::fileSelected, parent, std::move(chosen));
    dialog->open();
}

} // namespace carrel::ui
