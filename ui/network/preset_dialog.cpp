// SPDX-License-Identifier: Apache-2.0
#include "ui/network/preset_dialog.h"

#include "app/api/answers.h"
#include "ui/parts/message_bar.h"
#include "ui/text/network_words.h"
#include "ui/text/plain.h"

#include <QDialogButtonBox>
#include <QFontDatabase>
#include <QHeaderView>
#include <QListWidget>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QSplitter>
#include <QTreeWidget>
#include <QVBoxLayout>

namespace carrel::ui {

namespace json = boost::json;
using namespace api;

namespace {

QString titleOf(const std::string& preset) {
    return preset == "package-registries" ? PresetDialog::tr("Package registries")
           : preset == "source-hosting"   ? PresetDialog::tr("Source hosting")
           : preset == "model-providers"  ? PresetDialog::tr("Model providers")
                                          : lineOf(preset, 64);
}

QString valuesOf(const json::object& rule, std::string_view field) {
    QStringList out;
    for (const auto& value : listAt(objectAt(rule, "fields"), field)) {
        out << (value.is_string() ? hostText(std::string_view(value.get_string())) : QString());
    }
    return out.join('\n'); // each whole, in a line of its own
}

// Which of them it lets go on.
QString requestsOf(const json::object& rule) {
    const auto textOf = [&](std::string_view field) {
        QStringList out;
        for (const auto& value : listAt(objectAt(rule, "fields"), field)) {
            out << (value.is_string() ? lineOf(std::string(value.get_string()), 253) : QString());
        }
        return out.join(QStringLiteral(", "));
    };
    const auto methods = textOf("method");
    const auto paths = textOf("path");
    if (methods.isEmpty() && paths.isEmpty()) {
        return PresetDialog::tr("anything");
    }
    const auto what = methods.isEmpty() ? PresetDialog::tr("any") : methods;
    return paths.isEmpty() ? what : PresetDialog::tr("%1 to %2").arg(what, paths);
}

} // namespace

PresetDialog::PresetDialog(EngineLink& link, const QString& agent, QWidget* parent)
    : QDialog(parent)
    , m_link(link)
    , m_agent(agent)
    , m_list(new QListWidget(this))
    , m_what(new PlainLabel({}, this))
    , m_rules(new QTreeWidget(this))
    , m_there(new PlainLabel({}, this))
    , m_toml(new QPlainTextEdit(this))
    , m_bar(new MessageBar(this))
    , m_keep(nullptr) {
    setAttribute(Qt::WA_DeleteOnClose);
    setObjectName("presetDialog");
    setWindowTitle(tr("Allow the agent %1 a set of destinations").arg(agent));
    m_list->setObjectName("presets");
    m_list->setAccessibleName(tr("Sets of destinations"));
    m_rules->setObjectName("presetRules");
    m_rules->setAccessibleName(tr("Rules that would be kept"));
    m_rules->setHeaderLabels({tr("What for"), tr("Hosts"), tr("Ports"), tr("Requests")});
    m_rules->setRootIsDecorated(false);
    m_rules->header()->setStretchLastSection(false);
    m_rules->header()->setSectionResizeMode(0, QHeaderView::ResizeToContents);
    m_rules->header()->setSectionResizeMode(1, QHeaderView::Stretch);
    m_rules->header()->setSectionResizeMode(2, QHeaderView::ResizeToContents);
    m_rules->header()->setSectionResizeMode(3, QHeaderView::ResizeToContents);
    m_toml->setObjectName("presetToml");
    m_toml->setReadOnly(true);
    m_toml->setTabChangesFocus(true);
    m_toml->setFont(QFontDatabase::systemFont(QFontDatabase::FixedFont));
    m_toml->setAccessibleName(tr("The rules in words, and as they would stand in the file"));
    auto* right = new QWidget(this);
    auto* column = new QVBoxLayout(right);
    column->setContentsMargins(0, 0, 0, 0);
    column->addWidget(m_what);
    column->addWidget(m_rules, 3);
    column->addWidget(m_there);
    column->addWidget(m_toml, 4);
    auto* splitter = new QSplitter(this);
    splitter->setChildrenCollapsible(false);
    splitter->addWidget(m_list);
    splitter->addWidget(right);
    splitter->setStretchFactor(1, 1);
    splitter->setSizes({170, 590});
    auto* buttons = new QDialogButtonBox(QDialogButtonBox::Cancel, this);
    m_keep = buttons->addButton(tr("&Keep these rules"), QDialogButtonBox::AcceptRole);
    m_keep->setObjectName("agree");
    m_keep->setAutoDefault(false);
    m_keep->setEnabled(false);
    buttons->button(QDialogButtonBox::Cancel)->setDefault(true);
    auto* all = new QVBoxLayout(this);
    all->addWidget(m_bar);
    all->addWidget(splitter, 1);
    all->addWidget(buttons);
    connect(buttons, &QDialogButtonBox::rejected, this, &QDialog::reject);
    connect(m_keep, &QPushButton::clicked, this, &PresetDialog::keep);
    connect(m_list, &QListWidget::currentRowChanged, this, &PresetDialog::look);
    resize(780, 540);
    m_link.ask("net.presets", {}, this, [this](const Answer& answer) { list(answer); });
}

void PresetDialog::list(const Answer& answer) {
    if (!answer) {
        m_bar->say(answer.error());
        return;
    }
    m_presets = listAt(*answer, "presets");
    for (const auto& value : m_presets) {
        m_list->addItem(titleOf(value.is_object() ? textAt(value.get_object(), "name") : std::string()));
    }
    m_list->setCurrentRow(0);
    m_list->setFocus();
}

void PresetDialog::look() {
    delete m_request;
    m_bar->clear();
    m_keep->setEnabled(false);
    for (auto* each : {m_what, m_there}) {
        each->clear();
    }
    m_rules->clear();
    m_toml->clear();
    const auto row = m_list->currentRow();
    if (row < 0 || !m_presets.at(static_cast<std::size_t>(row)).is_object()) {
        return;
    }
    const auto& preset = m_presets.at(static_cast<std::size_t>(row)).get_object();
    m_what->setText(lineOf(textAt(preset, "description"), kWholeColumns));
    m_request = m_link.ask("net.allow", {{"agent", m_agent.toStdString()}, {"preset", textAt(preset, "name")}, {"preview", true}}, this,
                           [this](const Answer& previewed) { preview(previewed); });
}

// The very rules, as they would come now.
void PresetDialog::preview(const Answer& answer) {
    m_request = nullptr;
    if (!answer) {
        m_bar->say(answer.error());
        return;
    }
    QStringList text;
    for (const auto& value : listAt(*answer, "rules")) {
        if (!value.is_object()) {
            continue;
        }
        const auto& rule = value.get_object();
        auto* item = new QTreeWidgetItem(m_rules, {lineOf(textAt(rule, "note")), valuesOf(rule, "host"), valuesOf(rule, "port"), requestsOf(rule)});
        for (int each = 0; each < m_rules->columnCount(); ++each) {
            item->setToolTip(each, toolTipOf(item->text(each)));
        }
        text << QStringLiteral("# ") + lineOf(textAt(rule, "words"), kWholeColumns) + '\n' + blockOf(textAt(rule, "toml"));
    }
    m_toml->setPlainText(text.join('\n'));
    const int there = countOf(numberAt(*answer, "there"));
    const int come = m_rules->topLevelItemCount();
    m_there->setText(come == 0 ? tr("Your rules say all of this already.")
                     : there > 0 ? tr("%n rule(s) of the set are there already.", nullptr, there)
                                 : tr("These rules would be kept. They count for this agent alone, and each can be removed."));
    m_keep->setEnabled(come > 0);
}

void PresetDialog::keep() {
    if (m_request || m_list->currentRow() < 0) {
        return;
    }
    m_keep->setEnabled(false);
    const auto& preset = m_presets.at(static_cast<std::size_t>(m_list->currentRow())).get_object();
    m_list->setEnabled(false);
    m_request = m_link.ask("net.allow", {{"agent", m_agent.toStdString()}, {"preset", textAt(preset, "name")}}, this, [this](const Answer& answer) {
        m_request = nullptr;
        m_list->setEnabled(true);
        if (!answer) {
            look(); // some may be kept
            m_bar->say(answer.error());
            return;
        }
        emit kept(static_cast<int>(listAt(*answer, "rules").size()), textAt(*answer, "mode") == "offline");
        accept();
    });
}

} // namespace carrel::ui
