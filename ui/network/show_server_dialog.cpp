// SPDX-License-Identifier: Apache-2.0
#include "ui/network/show_server_dialog.h"

#include "app/api/answers.h"
#include "ui/parts/message_bar.h"
#include "ui/parts/tones.h"
#include "ui/text/plain.h"

#include <QComboBox>
#include <QDialogButtonBox>
#include <QEvent>
#include <QFormLayout>
#include <QFrame>
#include <QIntValidator>
#include <QLineEdit>
#include <QPushButton>
#include <QVBoxLayout>

#include <algorithm>

namespace carrel::ui {

using namespace api;

namespace {

constexpr int kHour = 3600;

} // namespace

ShowServerDialog::ShowServerDialog(EngineLink& link, const QString& agent, QWidget* parent)
    : QDialog(parent)
    , m_link(link)
    , m_agent(agent)
    , m_port(new QLineEdit(this))
    , m_time(new QComboBox(this))
    , m_riskFrame(new QFrame(this))
    , m_risk(new PlainLabel(tr("⚠ HIGH RISK"), m_riskFrame))
    , m_what(new PlainLabel({}, m_riskFrame))
    , m_meaning(new PlainLabel({}, m_riskFrame))
    , m_bar(new MessageBar(this)) {
    setAttribute(Qt::WA_DeleteOnClose);
    setObjectName("showServerDialog");
    setWindowTitle(tr("Show a server of the agent %1").arg(agent));
    m_port->setObjectName("port");
    m_port->setValidator(new QIntValidator(1, UINT16_MAX, this));
    m_port->setPlaceholderText(tr("for example 8000"));
    m_time->setObjectName("time");
    m_time->addItem(tr("until you stop it"), 0);
    m_time->addItem(tr("for an hour"), kHour);
    m_time->addItem(tr("for eight hours"), 8 * kHour);
    m_what->setObjectName("what");
    m_meaning->setObjectName("meaning");
    m_bar->setObjectName("showServerBar");
    auto bold = font();
    bold.setBold(true);
    m_risk->setFont(bold);
    m_riskFrame->setObjectName("riskFrame");
    m_riskFrame->setFrameShape(QFrame::Box);
    m_riskFrame->setLineWidth(3);
    m_riskFrame->setAutoFillBackground(true);
    auto* words = new QVBoxLayout(m_riskFrame);
    for (auto* each : {m_risk, m_what, m_meaning}) {
        words->addWidget(each);
    }
    m_riskFrame->setVisible(false);
    auto* form = new QFormLayout;
    form->addRow(tr("&Port in the machine"), m_port);
    form->addRow(tr("&Shown"), m_time);
    auto* buttons = new QDialogButtonBox(QDialogButtonBox::Cancel, this);
    m_agree = buttons->addButton(tr("S&how it all the same"), QDialogButtonBox::ActionRole);
    m_agree->setObjectName("agree");
    m_agree->setAutoDefault(false);
    m_agree->setEnabled(false);
    buttons->button(QDialogButtonBox::Cancel)->setDefault(true);
    auto* all = new QVBoxLayout(this);
    all->addWidget(m_bar);
    all->addWidget(new PlainLabel(tr("Where does the web server listen that the agent %1 runs in its machine?").arg(agent), this));
    all->addLayout(form);
    all->addWidget(m_riskFrame);
    all->addStretch();
    all->addWidget(buttons);
    connect(m_port, &QLineEdit::textChanged, this, &ShowServerDialog::look);
    connect(buttons, &QDialogButtonBox::rejected, this, &QDialog::reject);
    connect(m_agree, &QPushButton::clicked, this, &ShowServerDialog::showIt);
    setMinimumWidth(520);
    colour();
    m_port->setFocus();
}

void ShowServerDialog::changeEvent(QEvent* event) {
    QDialog::changeEvent(event);
    if (event->type() == QEvent::PaletteChange && event->spontaneous()) {
        colour();
    }
}

void ShowServerDialog::colour() {
    auto background = m_riskFrame->palette();
    background.setColor(QPalette::Window, toneBackground(Tone::Bad, palette()));
    m_riskFrame->setPalette(background);
    auto text = m_risk->palette();
    text.setColor(QPalette::WindowText, toneColour(Tone::Bad, palette()));
    m_risk->setPalette(text);
}

boost::json::object ShowServerDialog::wanted() const {
    return {{"agent", m_agent.toStdString()}, {"port", m_port->text().toUInt()}};
}

// What it means, of the port that stands there now.
void ShowServerDialog::look() {
    delete m_request;
    m_bar->clear();
    m_agree->setEnabled(false);
    m_riskFrame->setVisible(false);
    if (!m_port->hasAcceptableInput()) {
        return;
    }
    auto params = wanted();
    params["preview"] = true;
    m_request = m_link.ask("forward.open", std::move(params), this, [this](const Answer& answer) { told(answer); });
}

void ShowServerDialog::told(const Answer& answer) {
    m_request = nullptr;
    if (!answer) {
        m_bar->say(answer.error());
        return;
    }
    m_what->setText(tr("What the agent %1 serves at port %2 of its machine would be shown in your browser.")
                        .arg(lineOf(textAt(*answer, "agent")))
                        .arg(numberAt(*answer, "port")));
    m_meaning->setText(lineOf(textAt(*answer, "meaning"), kWholeColumns));
    m_riskFrame->setVisible(true);
    layout()->activate();
    resize(width(), std::max(height(), layout()->heightForWidth(width()))); // all of it is there to be read
    m_agree->setEnabled(true);
}

void ShowServerDialog::showIt() {
    m_agree->setEnabled(false); // once is enough
    m_port->setEnabled(false);
    auto params = wanted();
    if (const int seconds = m_time->currentData().toInt(); seconds > 0) {
        params["seconds"] = seconds;
    }
    m_request = m_link.ask("forward.open", std::move(params), this, [this](const Answer& answer) {
        m_request = nullptr;
        m_port->setEnabled(true);
        if (!answer) {
            look(); // what it was may be another now
            m_bar->say(answer.error());
            return;
        }
        emit shown(numberAt(objectAt(*answer, "forward"), "number"));
        accept();
    });
}

} // namespace carrel::ui
