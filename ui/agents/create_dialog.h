// SPDX-License-Identifier: Apache-2.0
// A new agent: its name, the folders it is given and how, its machine. A folder that is chosen in the system's dialog is granted by
// that. Nothing is made before the engine says so; what it refuses is said in the dialog, and nothing typed is lost.
// Thread: the window's.
#pragma once

#include "ui/engine/engine_link.h"

#include <QDialog>

class QCheckBox;
class QLineEdit;
class QPushButton;
class QSpinBox;
class QTableWidget;

namespace carrel::ui {

class MessageBar;

class CreateDialog : public QDialog {
    Q_OBJECT
public:
    CreateDialog(EngineLink& link, QWidget* parent);

    // Adds a folder as if it had been chosen; the system's dialog ends here. Where no name is typed, it is called like its folder.
    void addFolder(const QString& directory);
    void avoid(const QStringList& names); // of agents that there are
    [[nodiscard]] static bool isName(const QString& name);

signals:
    // `notes`: what there is to tell of the folders, one line each; empty mostly.
    void created(const QString& name, bool start, const QStringList& notes);

private:
    void suggestName(const QString& directory);
    void removeFolder();
    void check();
    void create();

    EngineLink& m_link;
    QStringList m_taken;
    QLineEdit* m_name;
    QTableWidget* m_folders;
    QPushButton* m_remove;
    QSpinBox* m_memory;
    QSpinBox* m_cpus;
    QCheckBox* m_start;
    QPushButton* m_create;
    MessageBar* m_bar;
    QPointer<Request> m_request;
};

} // namespace carrel::ui
