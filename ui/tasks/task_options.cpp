// SPDX-License-Identifier: Apache-2.0
#include "ui/tasks/task_options.h"

#include "app/api/answers.h"
#include "ui/text/plain.h"

#include <QCheckBox>
#include <QClipboard>
#include <QComboBox>
#include <QGuiApplication>
#include <QHBoxLayout>
#include <QPushButton>

namespace carrel::ui {

namespace json = boost::json;
using namespace api;

namespace {
constexpr int kNameRole = Qt::UserRole;
constexpr int kMissingRole = Qt::UserRole + 1;
} // namespace

TaskOptions::TaskOptions(EngineLink& link, const QString& agent, QWidget* parent)
    : QWidget(parent)
    , m_link(link)
    , m_agent(agent)
    , m_program(new QComboBox(this))
    , m_copy(new QPushButton(tr("Copy the &command"), this))
    , m_step(new PlainLabel({}, this))
    , m_ask(new QCheckBox(tr("Ask me where its program asks &leave"), this)) {
    setObjectName("taskOptions");
    m_program->setObjectName("program");
    m_copy->setObjectName("copyInstall");
    m_step->setObjectName("installStep");
    m_ask->setObjectName("askMe");
    m_program->setAccessibleName(tr("Which agent program does it"));
    m_ask->setToolTip(toolTipOf(tr("What happens inside its machine is allowed otherwise. What leaves the machine, and what becomes of your folders, is asked about either way.")));
    auto colours = m_ask->palette(); // the box is drawn by the colour of the window, which is none on a dark one
    colours.setColor(QPalette::Window, colours.color(QPalette::PlaceholderText));
    m_ask->setPalette(colours);
    m_copy->setAutoDefault(false);
    m_step->setWordWrap(false);
    m_step->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred);
    auto* const row = new QHBoxLayout(this);
    row->setContentsMargins(0, 0, 0, 0);
    row->addWidget(m_program);
    row->addWidget(m_copy);
    row->addWidget(m_step, 1);
    row->addWidget(m_ask);
    connect(m_program, &QComboBox::currentIndexChanged, this, &TaskOptions::check);
    connect(m_copy, &QPushButton::clicked, this, [this] { QGuiApplication::clipboard()->setText(installCommand()); });
    m_program->addItem(tr("Its own program"));
    check();
}

void TaskOptions::showEvent(QShowEvent* event) {
    QWidget::showEvent(event);
    refresh();
}

void TaskOptions::hideEvent(QHideEvent* event) {
    QWidget::hideEvent(event);
    delete m_list;
}

void TaskOptions::refresh() {
    delete m_list;
    m_list = m_link.ask("task.programs", {{"agent", m_agent.toStdString()}}, this, [this](const Answer& answer) { take(answer); });
}

void TaskOptions::take(const Answer& answer) {
    m_list = nullptr;
    if (!answer) { // its own does without
        return;
    }
    const auto chosen = m_program->currentData(kNameRole);
    while (m_program->count() > 1) {
        m_program->removeItem(m_program->count() - 1);
    }
    for (const auto& each : listAt(*answer, "programs")) {
        if (!each.is_object()) {
            continue;
        }
        const auto& one = each.get_object();
        const auto* const installed = one.if_contains("installed");
        const bool missing = installed != nullptr && installed->is_bool() && !installed->get_bool();
        const auto title = lineOf(textAt(one, "title"), 40);
        m_program->addItem(missing ? tr("%1 (not installed)").arg(title) : title);
        const int at = m_program->count() - 1;
        m_program->setItemData(at, QString::fromStdString(textAt(one, "name")), kNameRole);
        m_program->setItemData(at, missing, kMissingRole);
        m_program->setItemData(at, toolTipOf(lineOf(textAt(one, "about"))), Qt::ToolTipRole);
        if (chosen == m_program->itemData(at, kNameRole)) {
            m_program->setCurrentIndex(at);
        }
    }
    check();
}

std::string TaskOptions::program() const {
    return m_program->currentData(kNameRole).toString().toStdString();
}

void TaskOptions::check() {
    m_program->setVisible(m_program->count() > 2); // its own and another
    // What an installation fetches and runs is shown there, and takes minutes.
    const bool missing = m_program->currentData(kMissingRole).toBool();
    m_copy->setVisible(missing);
    m_step->setText(missing ? tr("Install it in a terminal: %1").arg(installCommand()) : QString());
}

QString TaskOptions::installCommand() const {
    return QStringLiteral("carrel task install %1 %2").arg(m_agent, QString::fromStdString(program()));
}

void TaskOptions::addTo(json::object& params) const {
    if (const auto name = program(); !name.empty()) {
        params["program"] = name;
    }
    if (m_ask->isChecked()) {
        params["permissions"] = "ask";
    }
}

} // namespace carrel::ui
