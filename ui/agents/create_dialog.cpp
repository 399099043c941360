// SPDX-License-Identifier: Apache-2.0
#include "ui/agents/create_dialog.h"

#include "app/api/answers.h"
#include "guest/protocol/change_report.h"
#include "ui/agents/agent_info.h"
#include "ui/agents/share_words.h"
#include "ui/parts/folder_chooser.h"
#include "ui/parts/message_bar.h"
#include "ui/text/plain.h"

#include <QCheckBox>
#include <QComboBox>
#include <QDialogButtonBox>
#include <QFileInfo>
#include <QFormLayout>
#include <QHeaderView>
#include <QLineEdit>
#include <QPushButton>
#include <QRegularExpression>
#include <QSpinBox>
#include <QTableWidget>
#include <QVBoxLayout>

namespace carrel::ui {

namespace json = boost::json;

namespace {
constexpr int kDirectoryRole = Qt::UserRole;
constexpr int kMaxFolders = 64; // agent.create.json
} // namespace

CreateDialog::CreateDialog(EngineLink& link, QWidget* parent)
    : QDialog(parent)
    , m_link(link)
    , m_name(new QLineEdit(this))
    , m_folders(new QTableWidget(0, 2, this))
    , m_remove(new QPushButton(tr("&Remove"), this))
    , m_memory(new QSpinBox(this))
    , m_cpus(new QSpinBox(this))
    , m_start(new QCheckBox(tr("&Start it at once"), this))
    , m_bar(new MessageBar(this)) {
    setWindowTitle(tr("New agent"));
    setObjectName("createDialog");
    m_name->setObjectName("name");
    m_name->setMaxLength(32);
    m_name->setPlaceholderText(tr("for example: desk"));
    m_name->setAccessibleDescription(tr("Lower-case letters, digits and hyphens, beginning with a letter"));
    m_folders->setObjectName("folders");
    m_folders->setAccessibleName(tr("Folders that the agent is given"));
    m_folders->setHorizontalHeaderLabels({tr("Folder"), tr("What becomes of changes")});
    m_folders->horizontalHeader()->setSectionResizeMode(0, QHeaderView::Stretch);
    m_folders->horizontalHeader()->setSectionResizeMode(1, QHeaderView::ResizeToContents);
    m_folders->verticalHeader()->setVisible(false);
    m_folders->setSelectionBehavior(QAbstractItemView::SelectRows);
    m_folders->setEditTriggers(QAbstractItemView::NoEditTriggers);
    m_folders->setTabKeyNavigation(false);
    m_memory->setRange(128, 1048576);
    m_memory->setSingleStep(256);
    m_memory->setValue(1024);
    m_memory->setSuffix(tr(" MiB"));
    m_memory->setAccessibleName(tr("Memory of the machine"));
    m_cpus->setRange(1, 256);
    m_cpus->setValue(2);
    m_cpus->setAccessibleName(tr("Processors of the machine"));
    m_start->setChecked(true);

    auto* add = new QPushButton(tr("&Add folder…"), this);
    add->setObjectName("addFolder");
    auto* beside = new QHBoxLayout;
    beside->addWidget(add);
    beside->addWidget(m_remove);
    beside->addStretch();
    auto* form = new QFormLayout;
    form->addRow(tr("&Name:"), m_name);
    form->addRow(tr("&Memory:"), m_memory);
    form->addRow(tr("&Processors:"), m_cpus);
    auto* buttons = new QDialogButtonBox(QDialogButtonBox::Cancel, this);
    m_create = buttons->addButton(tr("&Create"), QDialogButtonBox::AcceptRole);
    m_create->setObjectName("create");
    m_create->setDefault(true);
    auto* explained = new PlainLabel(tr("The agent gets a machine of its own. It sees the folders that you choose here and nothing else of this "
                                        "computer; what it changes in them waits until you have looked at it."),
                                     this);
    auto* all = new QVBoxLayout(this);
    all->addWidget(explained);
    all->addLayout(form);
    all->addWidget(m_folders, 1);
    all->addLayout(beside);
    all->addWidget(m_start);
    all->addWidget(m_bar);
    all->addWidget(buttons);
    resize(640, 480);

    connect(add, &QPushButton::clicked, this, [this] { chooseFolder(this, [this](const QString& directory) { addFolder(directory); }); });
    connect(m_remove, &QPushButton::clicked, this, &CreateDialog::removeFolder);
    connect(m_name, &QLineEdit::textChanged, this, &CreateDialog::check);
    connect(m_folders, &QTableWidget::itemSelectionChanged, this, &CreateDialog::check);
    connect(buttons, &QDialogButtonBox::rejected, this, &QDialog::reject);
    connect(buttons, &QDialogButtonBox::accepted, this, &CreateDialog::create);
    check();
}

bool CreateDialog::isName(const QString& name) {
    static const QRegularExpression form(QStringLiteral("^[a-z]([a-z0-9-]{0,30}[a-z0-9])?$"));
    return form.match(name).hasMatch();
}

void CreateDialog::check() {
    const bool wrong = !m_name->text().isEmpty() && !isName(m_name->text());
    if (wrong) {
        m_bar->say(MessageBar::Kind::Note, tr("A name has lower-case letters, digits and hyphens, begins with a letter and does not end with a hyphen."));
    } else {
        m_bar->clear();
    }
    m_create->setEnabled(isName(m_name->text()) && !m_request);
    m_remove->setEnabled(!m_folders->selectedItems().isEmpty());
}

void CreateDialog::addFolder(const QString& directory) {
    if (m_folders->rowCount() >= kMaxFolders) {
        m_bar->say(MessageBar::Kind::Warning, tr("An agent has at most %n folder(s).", nullptr, kMaxFolders));
        return;
    }
    for (int row = 0; row < m_folders->rowCount(); ++row) {
        if (m_folders->item(row, 0)->data(kDirectoryRole).toString() == directory) {
            m_folders->selectRow(row);
            return;
        }
    }
    const int row = m_folders->rowCount();
    m_folders->insertRow(row);
    auto* item = new QTableWidgetItem(lineOf(QFile::encodeName(directory).toStdString()));
    item->setData(kDirectoryRole, directory);
    m_folders->setItem(row, 0, item);
    auto* modes = new QComboBox(m_folders);
    for (const auto mode : {ShareMode::Review, ShareMode::ReadOnly, ShareMode::Auto}) {
        modes->addItem(modeText(mode), static_cast<int>(mode));
        modes->setItemData(modes->count() - 1, toolTipOf(modeExplained(mode)), Qt::ToolTipRole);
    }
    modes->setAccessibleName(tr("What becomes of changes in %1").arg(item->text()));
    m_folders->setCellWidget(row, 1, modes);
    m_folders->selectRow(row);
    suggestName(directory);
    check();
}

void CreateDialog::avoid(const QStringList& names) {
    m_taken = names;
}

void CreateDialog::suggestName(const QString& directory) {
    if (!m_name->text().isEmpty()) {
        return;
    }
    QString name;
    for (const auto each : QFileInfo(directory).fileName().toLower()) {
        const bool letter = each >= u'a' && each <= u'z';
        if (letter || (!name.isEmpty() && each >= u'0' && each <= u'9')) {
            name += each;
        } else if (!name.isEmpty() && !name.endsWith('-')) {
            name += '-';
        }
    }
    name.truncate(24);
    while (name.endsWith('-')) {
        name.chop(1);
    }
    auto free = name;
    for (int number = 2; m_taken.contains(free); ++number) {
        free = name + '-' + QString::number(number);
    }
    if (isName(free)) {
        m_name->setText(free);
    }
}

void CreateDialog::removeFolder() {
    m_folders->removeRow(m_folders->currentRow());
    check();
}

void CreateDialog::create() {
    if (m_request || !isName(m_name->text())) {
        return;
    }
    json::object params{{"name", m_name->text().toStdString()},
                        {"memory_mib", m_memory->value()},
                        {"cpus", m_cpus->value()}};
    json::array shares;
    for (int row = 0; row < m_folders->rowCount(); ++row) {
        const auto bytes = QFile::encodeName(m_folders->item(row, 0)->data(kDirectoryRole).toString()).toStdString();
        const auto mode = static_cast<ShareMode>(qobject_cast<QComboBox*>(m_folders->cellWidget(row, 1))->currentData().toInt());
        json::object share{{"mode", modeKey(mode)}};
        putPath(share, "dir", bytes);
        shares.push_back(std::move(share));
    }
    params["shares"] = std::move(shares);
    m_bar->say(MessageBar::Kind::Note, tr("The agent is being made…"));
    m_request = m_link.ask("agent.create", std::move(params), this, [this](const Answer& answer) {
        m_request = nullptr;
        if (!answer) {
            check();
            m_bar->say(answer.error());
            return;
        }
        QStringList notes;
        const auto& agent = api::objectAt(*answer, "agent");
        for (const auto& share : api::listAt(agent, "shares")) {
            if (share.is_object()) {
                notes += chosenNotes(share.get_object());
            }
        }
        emit created(QString::fromStdString(api::textAt(agent, "name")), m_start->isChecked(), notes);
        accept();
    });
    m_create->setEnabled(false);
}

} // namespace carrel::ui
