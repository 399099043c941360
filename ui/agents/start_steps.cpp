// SPDX-License-Identifier: Apache-2.0
#include "ui/agents/start_steps.h"

#include "ui/parts/tones.h"
#include "ui/text/plain.h"

#include <QHBoxLayout>
#include <QProgressBar>
#include <QPushButton>
#include <QVBoxLayout>

namespace carrel::ui {

namespace {
// image, host, machine, kernel, init, modules, root, disk, guestd, channels, agent, shares: how many there are only moves the bar.
constexpr int kUsualSteps = 12;
constexpr int kMostShown = 24; // a guest may name its steps as it likes
} // namespace

StartSteps::StartSteps(QWidget* parent)
    : QWidget(parent)
    , m_title(new PlainLabel({}, this))
    , m_bar(new QProgressBar(this))
    , m_list(new QWidget(this))
    , m_steps(new QVBoxLayout(m_list))
    , m_now(new PlainLabel({}, this))
    , m_why(new PlainLabel({}, this))
    , m_what(new PlainLabel({}, this))
    , m_again(new QPushButton(tr("Try &again"), this))
    , m_doctor(new QPushButton(tr("&Check this computer"), this))
    , m_stop(new QPushButton(tr("Stop"), this)) {
    m_title->setObjectName("startTitle");
    m_why->setObjectName("startWhy");
    m_what->setObjectName("startWhat");
    m_again->setObjectName("startAgain");
    auto bold = m_title->font();
    bold.setBold(true);
    m_title->setFont(bold);
    m_why->setFont(bold);
    m_bar->setTextVisible(false);
    m_bar->setAccessibleName(tr("How far the start is"));
    m_steps->setSpacing(2);
    m_steps->setContentsMargins(0, 0, 0, 0);
    auto* buttons = new QHBoxLayout;
    buttons->addWidget(m_again);
    buttons->addWidget(m_doctor);
    buttons->addWidget(m_stop);
    buttons->addStretch();
    auto* all = new QVBoxLayout(this);
    all->setSpacing(10);
    all->addWidget(m_title);
    all->addWidget(m_bar);
    all->addWidget(m_list);
    all->addWidget(m_now);
    all->addWidget(m_why);
    all->addWidget(m_what);
    all->addLayout(buttons);
    all->addStretch();
    m_now->setVisible(false);
    connect(m_again, &QPushButton::clicked, this, &StartSteps::againWanted);
    connect(m_doctor, &QPushButton::clicked, this, &StartSteps::doctorWanted);
    connect(m_stop, &QPushButton::clicked, this, &StartSteps::stopWanted);
    m_second.setInterval(1000);
    connect(&m_second, &QTimer::timeout, this, &StartSteps::tell);
}

void StartSteps::begin() {
    while (auto* const item = m_steps->takeAt(0)) {
        delete item->widget();
        delete item;
    }
    m_last = nullptr;
    m_step.clear();
    m_now->clear();
    m_now->setVisible(false);
    m_count = 0;
    m_bar->setRange(0, kUsualSteps + 1);
    m_bar->setValue(0);
    m_bar->setVisible(true);
    m_why->setVisible(false);
    m_what->setVisible(false);
    m_again->setVisible(false);
    m_doctor->setVisible(false);
    m_stop->setVisible(true);
    m_since.start();
    m_second.start();
    tell();
}

void StartSteps::beginUnseen() {
    begin();
    m_bar->setRange(0, 0);
}

void StartSteps::tell() {
    const auto seconds = m_since.elapsed() / 1000;
    m_title->setText(tr("The machine starts: %n second(s)", nullptr, static_cast<int>(seconds)));
}

void StartSteps::step(const api::Progress& progress) {
    const auto name = lineOf(progress.step, 40);
    const auto text = lineOf(progress.text, 120);
    if (name == m_step && m_last != nullptr) {
        m_last->setText("… " + text);
        m_now->setText(text);
        return;
    }
    m_step = name;
    if (m_last != nullptr) {
        m_last->setText("✓" + m_last->text().mid(1));
    }
    if (++m_count > kMostShown) {
        return;
    }
    m_last = new PlainLabel("… " + text, m_list);
    m_steps->addWidget(m_last);
    m_now->setText(text);
    m_now->setVisible(m_brief);
    m_bar->setValue(std::min(m_count, kUsualSteps));
}

void StartSteps::setBrief(bool brief) {
    m_brief = brief;
    m_list->setVisible(!brief);
    m_now->setVisible(brief && !m_now->text().isEmpty());
    setSizePolicy(QSizePolicy::Preferred, brief ? QSizePolicy::Maximum : QSizePolicy::Preferred);
}

void StartSteps::over() {
    m_second.stop();
}

void StartSteps::failed(const Error& error) {
    m_second.stop();
    m_bar->setVisible(false);
    m_stop->setVisible(false);
    m_now->setVisible(false);
    if (m_last != nullptr) {
        m_last->setText("✗" + m_last->text().mid(1));
    }
    m_title->setText(tr("The machine did not start"));
    m_why->setText(whatHappened(error));
    m_what->setText(whatToDo(error));
    m_why->setVisible(true);
    m_what->setVisible(!error.hint.empty());
    m_again->setVisible(true);
    m_doctor->setVisible(true);
}

} // namespace carrel::ui
