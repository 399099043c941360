// SPDX-License-Identifier: Apache-2.0
#include "ui/window/welcome_page.h"

#include "app/api/answers.h"
#include "ui/parts/message_bar.h"
#include "ui/text/plain.h"

#include <QProgressBar>
#include <QPushButton>
#include <QVBoxLayout>

namespace carrel::ui {

WelcomePage::WelcomePage(EngineLink& link, QWidget* parent)
    : QWidget(parent)
    , m_link(link)
    , m_title(new PlainLabel({}, this))
    , m_words(new PlainLabel({}, this))
    , m_action(new QPushButton(this))
    , m_other(new QPushButton(tr("An agent without a folder…"), this))
    , m_progress(new QProgressBar(this))
    , m_step(new PlainLabel({}, this))
    , m_bar(new MessageBar(this)) {
    setObjectName("welcome");
    m_title->setObjectName("welcomeTitle");
    m_action->setObjectName("welcomeAction");
    m_other->setObjectName("welcomeOther");
    m_other->setFlat(true);
    auto large = m_title->font();
    large.setPointSizeF(large.pointSizeF() * 1.6);
    large.setBold(true);
    m_title->setFont(large);
    m_title->setAlignment(Qt::AlignCenter);
    m_words->setAlignment(Qt::AlignCenter);
    m_step->setAlignment(Qt::AlignCenter);
    m_progress->setAccessibleName(tr("How far the guest system is"));
    auto* column = new QWidget(this);
    column->setMaximumWidth(560);
    auto* inner = new QVBoxLayout(column);
    inner->setSpacing(14);
    inner->addWidget(m_title);
    inner->addWidget(m_words);
    inner->addWidget(m_action, 0, Qt::AlignHCenter);
    inner->addWidget(m_other, 0, Qt::AlignHCenter);
    inner->addWidget(m_progress);
    inner->addWidget(m_step);
    inner->addWidget(m_bar);
    auto* across = new QHBoxLayout;
    across->addStretch();
    across->addWidget(column, 1);
    across->addStretch();
    auto* all = new QVBoxLayout(this);
    all->addStretch(2);
    all->addLayout(across);
    all->addStretch(3);
    connect(&link, &EngineLink::ready, this, &WelcomePage::look);
    connect(m_action, &QPushButton::clicked, this, [this] {
        if (m_imageMissing) {
            build();
        } else if (m_any) {
            emit newWanted();
        } else {
            emit folderWanted();
        }
    });
    connect(m_other, &QPushButton::clicked, this, &WelcomePage::newWanted);
    tell();
}

void WelcomePage::setAnyAgents(bool any) {
    m_any = any;
    tell();
}

void WelcomePage::look() {
    m_link.ask("image.list", {}, this, [this](const Answer& answer) {
        if (answer) {
            m_imageMissing = api::listAt(*answer, "images").empty();
            tell();
        }
    });
}

void WelcomePage::tell() {
    m_progress->setVisible(m_building);
    m_step->setVisible(m_building);
    m_action->setVisible(!m_building);
    m_other->setVisible(!m_building && !m_imageMissing && !m_any);
    if (m_imageMissing) {
        m_title->setText(tr("The guest system is missing"));
        m_words->setText(tr("Every agent's machine runs a small Linux system. It is made once on this computer from Debian's packages: one to a few "
                            "minutes, and about 600 MB."));
        m_action->setText(tr("&Make it now"));
        return;
    }
    m_title->setText(m_any ? tr("Choose an agent") : tr("A desk of its own for every agent"));
    m_words->setText(m_any ? tr("Its tasks, its changes, its terminal, its timeline and its folders are shown here.")
                           : tr("An agent works in a Linux machine of its own. It sees the folders that you give it, and what it changes in them waits "
                                "until you have looked at it and said yes. Begin with a folder; then choose the model that the agent thinks with, and type "
                                "what is to be done."));
    m_action->setText(m_any ? tr("&New agent…") : tr("Choose a &folder…"));
}

void WelcomePage::build() {
    m_bar->clear();
    m_progress->setRange(0, 0);
    m_step->clear();
    m_building = m_link.ask("image.build", {}, this, [this](const Answer& answer) {
        m_building = nullptr;
        if (!answer) {
            m_bar->say(answer.error());
        }
        look();
        tell();
    });
    connect(m_building, &Request::progress, this, [this](const api::Progress& progress) {
        m_step->setText(lineOf(progress.text, 120));
        if (progress.fraction) {
            m_progress->setRange(0, 1000);
            m_progress->setValue(static_cast<int>(*progress.fraction * 1000));
        }
    });
    tell();
}

} // namespace carrel::ui
