// SPDX-License-Identifier: Apache-2.0
#include "ui/network/forwards_section.h"

#include "app/api/answers.h"
#include "ui/network/forwards_model.h"
#include "ui/network/show_server_dialog.h"
#include "ui/parts/message_bar.h"
#include "ui/parts/table_view.h"
#include "ui/text/plain.h"

#include <QDesktopServices>
#include <QHBoxLayout>
#include <QHeaderView>
#include <QPushButton>
#include <QShortcut>
#include <QVBoxLayout>

#include <utility>

namespace carrel::ui {

using namespace api;

namespace {

constexpr std::chrono::seconds kEvery{1};
constexpr std::chrono::seconds kAgainAfter{2};

} // namespace

ForwardsSection::ForwardsSection(EngineLink& link, const QString& agent, MessageBar& bar, QWidget* parent)
    : QWidget(parent)
    , m_link(link)
    , m_agent(agent)
    , m_bar(bar)
    , m_model(new ForwardsModel(this))
    , m_title(new PlainLabel({}, this))
    , m_view(tableOf(m_model, "forwards", tr("What is shown in your browser"), this))
    , m_open(new QPushButton(tr("&Open in your browser"), this))
    , m_stop(new QPushButton(tr("&Stop showing it"), this))
    , m_show(new QPushButton(tr("Show a se&rver…"), this)) {
    setObjectName("forwardsSection");
    m_title->setObjectName("forwardsTitle");
    m_open->setObjectName("openForward");
    m_stop->setObjectName("stopForward");
    m_show->setObjectName("showServer");
    m_open->setAccessibleName(tr("Open the server that is chosen in your browser"));
    m_stop->setAccessibleName(tr("Stop showing the server that is chosen, at once"));
    m_show->setAccessibleName(tr("Show a server of the agent %1 in your browser").arg(agent));
    auto bold = font();
    bold.setBold(true);
    m_title->setFont(bold);
    setWidths(m_view, {16, 67, 8, 17, 13, 14, 12});
    m_view->horizontalHeader()->setStretchLastSection(true);
    auto* buttons = new QHBoxLayout;
    for (auto* each : {m_open, m_stop, m_show}) {
        buttons->addWidget(each);
    }
    buttons->addStretch();
    auto* all = new QVBoxLayout(this);
    all->setContentsMargins(0, 4, 0, 0);
    all->addWidget(m_title);
    all->addWidget(m_view, 1);
    all->addLayout(buttons);
    m_next.setSingleShot(true);
    connect(&m_next, &QTimer::timeout, this, &ForwardsSection::ask);
    connect(m_open, &QPushButton::clicked, this, &ForwardsSection::open);
    connect(m_stop, &QPushButton::clicked, this, &ForwardsSection::stop);
    connect(m_show, &QPushButton::clicked, this, &ForwardsSection::showServer);
    auto* const stopKey = new QShortcut(QKeySequence::Delete, m_view, nullptr, nullptr, Qt::WidgetShortcut);
    connect(stopKey, &QShortcut::activated, this, &ForwardsSection::stop);
    connect(m_view->selectionModel(), &QItemSelectionModel::selectionChanged, this, &ForwardsSection::check);
    connect(m_model, &QAbstractItemModel::rowsRemoved, this, &ForwardsSection::check);
    connect(&m_link, &EngineLink::ready, this, [this] {
        if (isVisible()) {
            ask();
        }
    });
    check();
}

QWidgetList ForwardsSection::inTabOrder() const {
    return {m_view, m_open, m_stop, m_show};
}

void ForwardsSection::showEvent(QShowEvent* event) {
    QWidget::showEvent(event);
    ask();
}

void ForwardsSection::hideEvent(QHideEvent* event) {
    QWidget::hideEvent(event);
    delete m_request;
    m_next.stop();
}

void ForwardsSection::ask() {
    delete m_request; // whatever it is about to say is older
    m_next.stop();
    if (isVisible()) {
        m_request = m_link.ask("forward.list", {{"agent", m_agent.toStdString()}}, this, [this](const Answer& answer) { take(answer); });
    }
}

void ForwardsSection::take(const Answer& answer) {
    m_request = nullptr;
    m_next.start(answer ? kEvery : kAgainAfter);
    m_model->take(answer ? forwardsFrom(listAt(*answer, "forwards")) : QVector<ForwardInfo>());
    const int count = m_model->rowCount();
    const auto title = !answer      ? tr("What is shown in your browser is not known") // of an engine that is away the window speaks
                       : count == 0 ? tr("Nothing is shown in your browser")
                                    : tr("Shown in your browser: %n server(s)", nullptr, count);
    if (m_title->text() != title) {
        m_title->setText(title);
    }
    if (const int row = m_model->rowOf(m_wanted); row >= 0) {
        m_wanted = 0;
        m_view->selectRow(row);
        m_open->setFocus();
    }
}

void ForwardsSection::check() {
    const bool chosen = chosenRow(m_view) >= 0;
    m_open->setEnabled(chosen);
    m_stop->setEnabled(chosen);
}

void ForwardsSection::open() {
    const int row = chosenRow(m_view);
    if (row < 0) {
        return;
    }
    const auto& one = m_model->at(row);
    if (const auto address = one.address(); address.isEmpty() || !QDesktopServices::openUrl(address)) {
        m_bar.say(MessageBar::Kind::Warning, tr("No browser opens for it."), tr("Type this address into one: %1").arg(lineOf(one.url, kWholeColumns)));
    }
}

// At once, without a question: it is a brake.
void ForwardsSection::stop() {
    const int row = chosenRow(m_view);
    if (row < 0) {
        return;
    }
    const auto& one = m_model->at(row);
    m_link.ask("forward.close", {{"agent", m_agent.toStdString()}, {"number", one.number}}, this, [this, port = one.port](const Answer& answer) {
        if (answer) {
            m_bar.say(MessageBar::Kind::Note, tr("Port %1 of the machine is no longer shown.").arg(port));
        } else if (answer.error().code == ErrorCode::NotFound) {
            m_bar.say(MessageBar::Kind::Note, tr("That was over already."));
        } else {
            m_bar.say(answer.error());
        }
        ask();
    });
}

void ForwardsSection::showServer() {
    auto* const dialog = new ShowServerDialog(m_link, m_agent, this);
    connect(dialog, &ShowServerDialog::shown, this, [this](quint64 number) {
        m_bar.clear();
        m_wanted = number;
        ask();
    });
    dialog->open();
}

} // namespace carrel::ui
