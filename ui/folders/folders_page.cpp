// SPDX-License-Identifier: Apache-2.0
#include "ui/folders/folders_page.h"

#include "app/api/answers.h"
#include "guest/protocol/change_report.h"
#include "ui/agents/share_words.h"
#include "ui/folders/folders_model.h"
#include "ui/parts/folder_chooser.h"
#include "ui/parts/message_bar.h"
#include "ui/parts/question.h"
#include "ui/text/plain.h"

#include <QFile>
#include <QHBoxLayout>
#include <QHeaderView>
#include <QMenu>
#include <QPushButton>
#include <QTableView>
#include <QVBoxLayout>

namespace carrel::ui {

namespace json = boost::json;

FoldersPage::FoldersPage(EngineLink& link, AgentStore& store, const QString& agent, QWidget* parent)
    : QWidget(parent)
    , m_link(link)
    , m_store(store)
    , m_agent(agent)
    , m_model(new FoldersModel(store, agent, this))
    , m_view(new QTableView(this))
    , m_bar(new MessageBar(this))
    , m_mode(new QPushButton(tr("&What becomes of changes"), this))
    , m_revoke(new QPushButton(tr("&Take access away"), this))
    , m_remove(new QPushButton(tr("&Remove"), this)) {
    setObjectName("foldersPage");
    m_view->setObjectName("folders");
    m_view->setAccessibleName(tr("Folders of the agent %1").arg(agent));
    m_view->setModel(m_model);
    m_view->setSelectionBehavior(QAbstractItemView::SelectRows);
    m_view->setSelectionMode(QAbstractItemView::SingleSelection);
    m_view->setTabKeyNavigation(false);
    m_view->verticalHeader()->setVisible(false);
    m_view->horizontalHeader()->setStretchLastSection(true);
    m_view->horizontalHeader()->resizeSection(FoldersModel::Folder, 280);
    m_view->horizontalHeader()->resizeSection(FoldersModel::InMachine, 180);
    m_bar->setClosable(true);
    m_mode->setObjectName("mode");
    m_revoke->setObjectName("revoke");
    m_remove->setObjectName("remove");
    auto* add = new QPushButton(tr("&Add folder…"), this);
    add->setObjectName("addFolder");
    auto* modes = new QMenu(m_mode);
    modes->setToolTipsVisible(true);
    for (const auto mode : {ShareMode::Review, ShareMode::ReadOnly, ShareMode::Auto}) {
        auto* action = modes->addAction(modeText(mode));
        action->setToolTip(toolTipOf(modeExplained(mode)));
        connect(action, &QAction::triggered, this, [this, mode] { setMode(mode); });
    }
    m_mode->setMenu(modes);
    auto* buttons = new QHBoxLayout;
    for (auto* each : {add, m_mode, m_revoke, m_remove}) {
        buttons->addWidget(each);
    }
    buttons->addStretch();
    auto* all = new QVBoxLayout(this);
    all->addWidget(m_bar);
    all->addWidget(m_view, 1);
    all->addLayout(buttons);
    connect(add, &QPushButton::clicked, this, [this] { chooseFolder(this, [this](const QString& directory) { addFolder(directory); }); });
    connect(m_revoke, &QPushButton::clicked, this, &FoldersPage::revoke);
    connect(m_remove, &QPushButton::clicked, this, &FoldersPage::remove);
    connect(m_view->selectionModel(), &QItemSelectionModel::selectionChanged, this, &FoldersPage::check);
    connect(m_model, &QAbstractItemModel::dataChanged, this, &FoldersPage::check);
    connect(m_model, &QAbstractItemModel::rowsRemoved, this, &FoldersPage::check);
    check();
}

const ShareInfo* FoldersPage::current() const {
    const auto index = m_view->currentIndex();
    return index.isValid() && m_view->selectionModel()->isRowSelected(index.row()) ? &m_model->at(index.row()) : nullptr;
}

void FoldersPage::check() {
    const auto* const share = current();
    m_mode->setEnabled(share != nullptr && !share->revoked);
    m_revoke->setEnabled(share != nullptr && !share->revoked);
    m_remove->setEnabled(share != nullptr);
}

void FoldersPage::done(const Answer& answer, const QString& what) {
    m_store.refresh();
    if (!answer) {
        m_bar->say(answer.error());
    } else if (!what.isEmpty()) {
        m_bar->say(MessageBar::Kind::Note, what);
    } else {
        m_bar->clear();
    }
}

void FoldersPage::addFolder(const QString& directory) {
    json::object params{{"agent", m_agent.toStdString()}, {"mode", modeKey(ShareMode::Review)}};
    putPath(params, "dir", QFile::encodeName(directory).toStdString());
    m_bar->say(MessageBar::Kind::Note, tr("The folder is being shared…"));
    m_link.ask("share.add", std::move(params), this, [this](const Answer& answer) {
        done(answer, answer ? chosenNotes(api::objectAt(*answer, "share")).join('\n') : QString());
    });
}

void FoldersPage::setMode(ShareMode mode) {
    if (const auto* const share = current(); share != nullptr && share->mode != mode) {
        m_link.ask("share.mode", {{"agent", m_agent.toStdString()}, {"share", share->name}, {"mode", modeKey(mode)}}, this,
                   [this, mode](const Answer& answer) { done(answer, answer ? modeExplained(mode) : QString()); });
    }
}

// At once, without a question: it is a brake, and what waits is kept.
void FoldersPage::revoke() {
    if (const auto* const share = current()) {
        m_link.ask("share.revoke", {{"agent", m_agent.toStdString()}, {"share", share->name}}, this, [this](const Answer& answer) {
            done(answer, tr("Nothing more of the folder reaches the machine. What the agent changed in it can still be reviewed."));
        });
    }
}

void FoldersPage::remove() {
    const auto* const share = current();
    if (share == nullptr) {
        return;
    }
    const auto name = share->name;
    const auto staged = share->staged.value_or(0);
    auto* question = new Question(
        tr("Remove the folder?"),
        staged == 0 ? tr("The agent does not see the folder any more. The folder itself stays as it is.")
                    : tr("%n change(s) of the agent's wait in it, and are forgotten with it. The folder itself stays as it is.", nullptr,
                         countOf(staged)),
        lineOf(share->directory, kWholeColumns), staged == 0 ? tr("&Remove") : tr("&Forget the changes and remove"), this);
    connect(question, &Question::agreed, this, [this, name, staged] { removeNow(name, staged > 0); });
    question->open();
}

void FoldersPage::removeNow(const std::string& share, bool discard) {
    json::object params{{"agent", m_agent.toStdString()}, {"share", share}};
    if (discard) {
        params["discard"] = true;
    }
    m_link.ask("share.remove", std::move(params), this, [this, share, discard](const Answer& answer) {
        if (answer || discard || answer.error().code != ErrorCode::Refused) {
            done(answer, {});
            return;
        }
        auto* question = new Question(tr("Remove the folder all the same?"), whatHappened(answer.error()), lineOf(share, kWholeColumns),
                                      tr("&Forget what waits and remove"), this);
        connect(question, &Question::agreed, this, [this, share] { removeNow(share, true); });
        question->open();
    });
}

} // namespace carrel::ui
