// SPDX-License-Identifier: Apache-2.0
#include "ui/tasks/attachments.h"

#include "ui/parts/flow_layout.h"
#include "ui/text/plain.h"

#include <QFile>
#include <QFileInfo>
#include <QMimeData>
#include <QShortcut>
#include <QStyle>
#include <QToolButton>
#include <QUrl>

#include <algorithm>

namespace carrel::ui {

namespace {
constexpr int kMostFiles = 64; // task.add.json
} // namespace

Attachments::Attachments(QWidget* parent)
    : QWidget(parent)
    , m_chips(new FlowLayout(this)) {
    setObjectName("attachments");
    auto policy = QSizePolicy(QSizePolicy::Preferred, QSizePolicy::Fixed);
    policy.setHeightForWidth(true);
    setSizePolicy(policy);
    setVisible(false);
}

bool Attachments::takes(const QMimeData* dropped) {
    const auto urls = dropped->urls();
    return std::any_of(urls.begin(), urls.end(), [](const QUrl& each) { return each.isLocalFile(); });
}

void Attachments::add(const QMimeData* dropped) {
    QStringList paths;
    for (const auto& each : dropped->urls()) {
        if (each.isLocalFile()) {
            paths << each.toLocalFile();
        }
    }
    add(paths);
}

void Attachments::add(const QStringList& paths) {
    for (const auto& path : paths) {
        const QFileInfo file(path);
        const auto name = lineOf(QFile::encodeName(file.fileName()).toStdString(), 60);
        if (m_paths.contains(path)) {
            continue;
        }
        if (m_paths.size() >= kMostFiles) {
            emit refused(tr("At most %n file(s) go with one text.", nullptr, kMostFiles));
            break;
        }
        if (file.isDir()) {
            emit refused(tr("%1 is a folder. Folders are given to an agent on its page Folders.").arg(name));
            continue;
        }
        if (!file.isFile() || !file.isReadable()) {
            emit refused(tr("%1 is not a file that you may read.").arg(name));
            continue;
        }
        m_paths << path;
        addChip(path);
    }
    setVisible(!m_paths.isEmpty());
    emit changed();
}

void Attachments::addChip(const QString& path) {
    auto* const chip = new QToolButton(this);
    chip->setObjectName("chip");
    const auto name = lineOf(QFile::encodeName(QFileInfo(path).fileName()).toStdString(), 32);
    chip->setText(QString(name).replace('&', QStringLiteral("&&")) + QStringLiteral("  ×"));
    chip->setToolTip(toolTipOf(tr("%1\nA click takes it off again.").arg(lineOf(QFile::encodeName(path).toStdString()))));
    chip->setAccessibleName(tr("Take the file %1 off").arg(name));
    chip->setFocusPolicy(Qt::StrongFocus);
    m_chips->addWidget(chip);
    chip->show();
    const auto gone = [this, path, chip] {
        m_chips->removeWidget(chip);
        chip->deleteLater();
        chip->hide();
        remove(path);
    };
    connect(chip, &QToolButton::clicked, this, gone);
    connect(new QShortcut(QKeySequence::Delete, chip, nullptr, nullptr, Qt::WidgetShortcut), &QShortcut::activated, this, gone);
}

void Attachments::remove(const QString& path) {
    m_paths.removeAll(path);
    setVisible(!m_paths.isEmpty());
    emit changed();
}

void Attachments::clear() {
    m_paths.clear();
    for (auto* const chip : findChildren<QToolButton*>(Qt::FindDirectChildrenOnly)) {
        m_chips->removeWidget(chip);
        chip->hide();
        chip->deleteLater();
    }
    setVisible(false);
    emit changed();
}

} // namespace carrel::ui
