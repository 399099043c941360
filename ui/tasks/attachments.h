// SPDX-License-Identifier: Apache-2.0
// The files that go with what is typed, each as a chip that takes it off again. Copies of them are shown to the agent, to be read.
// Thread: the window's.
#pragma once

#include <QStringList>
#include <QWidget>

class QMimeData;

namespace carrel::ui {

class FlowLayout;

class Attachments : public QWidget {
    Q_OBJECT
public:
    explicit Attachments(QWidget* parent);

    // Absolute paths. What of them cannot be attached is told by refused().
    void add(const QStringList& paths);
    void add(const QMimeData* dropped);
    [[nodiscard]] const QStringList& paths() const { return m_paths; }
    void clear();
    [[nodiscard]] static bool takes(const QMimeData* dropped); // there is a file of this computer in it

signals:
    void changed();
    void refused(const QString& why);

private:
    void addChip(const QString& path);
    void remove(const QString& path);

    QStringList m_paths;
    FlowLayout* m_chips;
};

} // namespace carrel::ui
