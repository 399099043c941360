// SPDX-License-Identifier: Apache-2.0
#include "ui/credentials/credentials_page.h"

#include "app/api/answers.h"
#include "ui/credentials/add_credential_dialog.h"
#include "ui/credentials/credentials_model.h"
#include "ui/credentials/passphrase_dialog.h"
#include "ui/parts/empty_state.h"
#include "ui/parts/message_bar.h"
#include "ui/parts/question.h"
#include "ui/parts/table_view.h"
#include "ui/text/network_words.h"
#include "ui/text/plain.h"

#include <QFormLayout>
#include <QHBoxLayout>
#include <QHeaderView>
#include <QPushButton>
#include <QScrollArea>
#include <QSplitter>
#include <QStackedWidget>
#include <QTableView>
#include <QTreeWidget>
#include <QVBoxLayout>

namespace carrel::ui {

namespace json = boost::json;
using namespace api;

namespace {

constexpr std::chrono::seconds kAgainAfter{10}; // for when they were used
constexpr std::size_t kMostUses = 1000;         // shown of a test

QString answerText(const std::string& answer) {
    return answer == "allow" ? CredentialsPage::tr("without asking") : answer == "ask" ? CredentialsPage::tr("when you allow it") : CredentialsPage::tr("not at all");
}

QString variableText(const CredentialInfo& of) {
    return of.variable.empty() ? CredentialsPage::tr("none") : lineOf(of.variable, kWholeColumns);
}

QString createdText(const CredentialInfo& of) {
    return momentText(of.created);
}

QString placeOfValue(const CredentialInfo& of) {
    return of.inKeyring ? CredentialsPage::tr("in this computer's keyring") : CredentialsPage::tr("in the file that your passphrase seals");
}

} // namespace

CredentialsPage::CredentialsPage(EngineLink& link, AgentStore& agents, QWidget* parent)
    : QWidget(parent)
    , m_link(link)
    , m_agents(agents)
    , m_model(new CredentialsModel(this))
    , m_bar(new MessageBar(this))
    , m_lockedBar(new MessageBar(this))
    , m_stack(new QStackedWidget(this))
    , m_empty(new EmptyState(this))
    , m_some(new QWidget(this))
    , m_view(tableOf(m_model, "credentials", tr("Credentials"), m_some))
    , m_title(new PlainLabel({}, m_some))
    , m_details(new QWidget(m_some))
    , m_result(new PlainLabel({}, m_details))
    , m_uses(new QTreeWidget(m_details))
    , m_add(new QPushButton(tr("&Add a credential…"), m_some))
    , m_test(new QPushButton(tr("&Test it"), m_some))
    , m_remove(new QPushButton(tr("Re&move it…"), m_some))
    , m_openRow(new QWidget(this))
    , m_lock(new QPushButton(tr("&Lock the file"), m_openRow)) {
    setObjectName("credentialsPage");
    layOut();
    m_next.setSingleShot(true);
    connect(&m_next, &QTimer::timeout, this, &CredentialsPage::ask);
    connect(m_empty, &EmptyState::acted, this, &CredentialsPage::add);
    connect(m_add, &QPushButton::clicked, this, &CredentialsPage::add);
    connect(m_test, &QPushButton::clicked, this, &CredentialsPage::test);
    connect(m_remove, &QPushButton::clicked, this, &CredentialsPage::remove);
    connect(m_lock, &QPushButton::clicked, this, &CredentialsPage::lock);
    connect(m_lockedBar, &MessageBar::acted, this, [this] { unlock({}); });
    connect(m_view->selectionModel(), &QItemSelectionModel::selectionChanged, this, &CredentialsPage::choose);
    connect(m_model, &QAbstractItemModel::dataChanged, this, &CredentialsPage::choose);
    connect(m_model, &QAbstractItemModel::rowsRemoved, this, &CredentialsPage::choose);
    connect(&m_link, &EngineLink::ready, this, &CredentialsPage::refresh);
    choose();
}

void CredentialsPage::refresh() {
    if (isVisible()) {
        ask();
    }
}

void CredentialsPage::layOut() {
    for (auto& [widget, name] : {std::pair<QWidget*, const char*>{m_add, "addCredential"}, {m_test, "testCredential"},
                                 {m_remove, "removeCredential"}, {m_lock, "lockFile"}, {m_bar, "credentialsBar"}, {m_lockedBar, "lockedBar"},
                                 {m_result, "testResult"}, {m_uses, "uses"}, {m_details, "credentialDetails"}, {m_empty, "noCredentials"},
                                 {m_openRow, "openRow"}, {m_title, "credentialTitle"}}) {
        widget->setObjectName(name);
    }
    m_bar->setClosable(true);
    setWidths(m_view, {18, 34, 40, 18, 14, 22});
    m_view->horizontalHeader()->setSectionResizeMode(CredentialsModel::Hosts, QHeaderView::Stretch);
    auto large = font();
    large.setBold(true);
    large.setPointSizeF(large.pointSizeF() * 1.15);
    m_title->setFont(large);

    auto* form = new QFormLayout;
    for (const auto& [label, of] : {std::pair<QString, QString (*)(const CredentialInfo&)>{tr("Goes to:"), hostsText},
                                    {tr("Sent as:"), writtenText},
                                    {tr("Methods:"), methodsText},
                                    {tr("Paths:"), pathsText},
                                    {tr("Agents:"), agentsText},
                                    {tr("Variable in their machines:"), variableText},
                                    {tr("Kept:"), placeOfValue},
                                    {tr("Added:"), createdText},
                                    {tr("Last used:"), usedText}}) {
        auto* value = new PlainLabel({}, m_details);
        m_facts.push_back({value, of});
        form->addRow(label, value);
    }
    m_uses->setAccessibleName(tr("Who could use it where"));
    m_uses->setHeaderLabels({tr("Agent"), tr("Host"), tr("Used"), tr("By"), tr("Its network")});
    m_uses->setRootIsDecorated(false);
    m_uses->setUniformRowHeights(true);
    auto* inner = new QVBoxLayout(m_details);
    inner->setContentsMargins(0, 4, 6, 4);
    inner->addLayout(form);
    inner->addSpacing(6);
    inner->addWidget(m_result);
    inner->addWidget(m_uses);
    inner->addStretch();
    auto* scroll = new QScrollArea(m_some);
    scroll->setWidget(m_details);
    scroll->setWidgetResizable(true);
    scroll->setFrameShape(QFrame::NoFrame);
    scroll->setAccessibleName(tr("The credential that is chosen"));
    auto* buttons = new QHBoxLayout;
    for (auto* each : {m_add, m_test, m_remove}) {
        buttons->addWidget(each);
    }
    buttons->addStretch();
    auto* above = new QWidget(m_some);
    auto* aboveColumn = new QVBoxLayout(above);
    aboveColumn->setContentsMargins(0, 0, 0, 0);
    aboveColumn->addWidget(m_view, 1);
    aboveColumn->addLayout(buttons);
    auto* below = new QWidget(m_some);
    auto* belowColumn = new QVBoxLayout(below);
    belowColumn->setContentsMargins(0, 6, 0, 0);
    belowColumn->addWidget(m_title);
    belowColumn->addWidget(scroll, 1);
    auto* splitter = new QSplitter(Qt::Vertical, m_some);
    splitter->setChildrenCollapsible(false);
    splitter->addWidget(above);
    splitter->addWidget(below);
    splitter->setSizes({180, 380});
    auto* some = new QVBoxLayout(m_some);
    some->setContentsMargins(0, 0, 0, 0);
    some->addWidget(splitter);
    m_stack->addWidget(new QWidget(this)); // before anything is known
    m_stack->addWidget(m_empty);
    m_stack->addWidget(m_some);
    m_empty->say(tr("There are no credentials yet"),
                 tr("A credential is a key of yours that agents use and never see: their machines get something else of the same shape, and Carrel puts "
                    "the value in its place, at the hosts that you name and nowhere else."),
                 tr("&Add a credential…"));
    auto* open = new QHBoxLayout(m_openRow);
    open->setContentsMargins(0, 0, 0, 0);
    open->addWidget(new PlainLabel(tr("The file of credentials is open until Carrel's engine ends, or until you lock it."), m_openRow), 1);
    open->addWidget(m_lock);
    m_openRow->setVisible(false);
    auto* all = new QVBoxLayout(this);
    all->addWidget(m_bar);
    all->addWidget(m_lockedBar);
    all->addWidget(m_stack, 1);
    all->addWidget(m_openRow);
}

void CredentialsPage::showEvent(QShowEvent* event) {
    QWidget::showEvent(event);
    ask();
}

void CredentialsPage::hideEvent(QHideEvent* event) {
    QWidget::hideEvent(event);
    delete m_list;
    delete m_sealedRequest;
    m_next.stop();
}

void CredentialsPage::look(const std::string& name) {
    m_wanted = name;
    if (const int row = m_model->rowOf(name); row >= 0) {
        m_view->selectRow(row);
        m_wanted.clear();
    }
}

void CredentialsPage::ask() {
    m_next.stop();
    askSealed();
    if (m_list) {
        m_again = true;
        return;
    }
    m_again = false;
    m_list = m_link.ask("credential.list", {}, this, [this](const Answer& answer) { take(answer); });
}

void CredentialsPage::take(const Answer& answer) {
    m_list = nullptr;
    m_next.start(kAgainAfter);
    if (m_again) {
        ask();
    }
    if (!answer) {
        if (answer.error().code != ErrorCode::Unavailable) { // of an engine that is away the window speaks
            m_bar->say(answer.error());
        }
        return;
    }
    m_model->take(credentialsFrom(listAt(*answer, "credentials")));
    m_stack->setCurrentWidget(m_model->rowCount() == 0 ? static_cast<QWidget*>(m_empty) : m_some);
    if (!m_wanted.empty()) {
        look(m_wanted);
    }
    if (m_model->rowCount() > 0 && current() == nullptr) {
        m_view->selectRow(0);
    }
    tellSealed();
}

const CredentialInfo* CredentialsPage::current() const {
    const int row = chosenRow(m_view);
    return row < 0 || row >= m_model->rowCount() ? nullptr : &m_model->at(row);
}

void CredentialsPage::choose() {
    const auto* const one = current();
    m_test->setEnabled(one != nullptr);
    m_remove->setEnabled(one != nullptr);
    m_details->setVisible(one != nullptr);
    m_title->setText(one != nullptr ? lineOf(one->name, kWholeColumns) : QString());
    for (const auto& [label, of] : std::as_const(m_facts)) {
        label->setText(one != nullptr ? brokenText(of(*one)) : QString());
    }
    if (one == nullptr || one->name != m_tested) { // what was found of another
        m_tested.clear();
        delete m_testing;
        m_result->clear();
        m_uses->clear();
        m_result->setVisible(false);
        m_uses->setVisible(false);
    }
}

void CredentialsPage::askSealed() {
    delete m_sealedRequest;
    m_sealedRequest = m_link.ask("credential.lock", {{"look", true}}, this, [this](const Answer& answer) { takeSealed(answer); });
}

void CredentialsPage::takeSealed(const Answer& answer) {
    m_sealedRequest = nullptr;
    const auto before = std::exchange(m_sealed, answer ? textAt(*answer, "sealed") : std::string());
    if (before != m_sealed) { // what was found before need not be so any more
        m_tested.clear();
        choose();
    }
    tellSealed();
}

void CredentialsPage::tellSealed() {
    m_openRow->setVisible(m_sealed == "ready");
    QStringList kept;
    for (const auto& each : m_model->all()) {
        if (!each.inKeyring) {
            kept << lineOf(each.name, 64);
        }
    }
    if (m_sealed != "locked" || kept.isEmpty()) {
        m_lockedBar->clear();
        return;
    }
    constexpr int kNamed = 5;
    const int more = static_cast<int>(kept.size()) - kNamed;
    auto names = QStringList(kept.mid(0, kNamed)).join(QStringLiteral(", "));
    if (more > 0) {
        names = tr("%1 and %n more", nullptr, more).arg(names);
    }
    const auto what = tr("The file of credentials is locked.");
    const auto words = tr("Until you give its passphrase, requests that need one of these are refused: %1.").arg(names);
    if (m_lockedBar->text() != what + ' ' + words || !m_lockedBar->isVisibleTo(this)) {
        m_lockedBar->say(MessageBar::Kind::Warning, what, words);
        m_lockedBar->offer(tr("&Unlock it…"));
    }
}

// First of all whether there is a place for its value: nobody types one for nothing.
void CredentialsPage::add() {
    m_link.ask("credential.lock", {{"look", true}}, this, [this](const Answer& answer) {
        if (!answer) {
            m_bar->say(answer.error());
            return;
        }
        m_bar->clear();
        const auto next = textAt(*answer, "next");
        if (next == "passphrase") {
            unlock([this] { addNow("file"); });
        } else if (next.empty()) {
            m_bar->say(MessageBar::Kind::Error, tr("It cannot be told now where the value would be kept."), lineOf(textAt(*answer, "why"), kWholeColumns));
        } else {
            addNow(next);
        }
    });
}

void CredentialsPage::addNow(const std::string& place) {
    if (m_adding) {
        m_adding->raise();
        m_adding->activateWindow();
        return;
    }
    QStringList agents;
    for (const auto& each : m_agents.agents()) {
        agents << each.name;
    }
    m_adding = new AddCredentialDialog(m_link, place, m_model->all(), agents, this);
    connect(m_adding, &AddCredentialDialog::passphraseWanted, this, [this] { unlock({}); });
    connect(m_adding, &AddCredentialDialog::added, this, [this](const CredentialInfo& made) {
        const auto words = made.variable.empty()
                               ? tr("Its agents have nothing that stands for it yet: remove it and add it with a variable, where a program needs one.")
                               : tr("What stands for it is in the variable %1 of each agent that may use it, from its next command on.")
                                     .arg(lineOf(made.variable, 64));
        m_bar->say(MessageBar::Kind::Note, tr("The credential %1 is kept %2.").arg(lineOf(made.name, 64), placeOfValue(made)), words);
        m_wanted = made.name;
        ask();
    });
    m_adding->open();
}

void CredentialsPage::unlock(std::function<void()> then) {
    auto* const dialog = new PassphraseDialog(m_link, m_adding ? static_cast<QWidget*>(m_adding) : this);
    connect(dialog, &PassphraseDialog::opened, this, [this, then = std::move(then)] {
        ask();
        if (then) {
            then();
        }
    });
    dialog->open();
}

// At once, without a question: it is a brake.
void CredentialsPage::lock() {
    m_link.ask("credential.lock", {}, this, [this](const Answer& answer) {
        if (!answer) {
            m_bar->say(answer.error());
        } else {
            m_bar->clear();
        }
        ask();
    });
}

void CredentialsPage::test() {
    const auto* const one = current();
    if (one == nullptr) {
        return;
    }
    delete m_testing;
    m_tested = one->name;
    m_testing = m_link.ask("credential.test", {{"name", one->name}}, this, [this](const Answer& answer) { tested(answer); });
}

void CredentialsPage::tested(const Answer& answer) {
    m_testing = nullptr;
    m_uses->clear();
    if (!answer) {
        m_tested.clear();
        choose();
        m_bar->say(answer.error());
        return;
    }
    const auto& uses = listAt(*answer, "uses");
    auto words = flagAt(*answer, "there") ? tr("Its value is where it is kept.")
                                          : tr("Its value cannot be had: %1.").arg(lineOf(textAt(*answer, "why"), kWholeColumns));
    words += ' ' + tr("Nothing was sent.") + ' ' + (uses.empty() ? tr("No agent may use it.") : tr("As things are, it would be used like this:"));
    for (const auto& value : uses) {
        if (value.is_object() && static_cast<std::size_t>(m_uses->topLevelItemCount()) < kMostUses) {
            const auto& use = value.get_object();
            const auto rule = numberAt(use, "rule");
            auto* item = new QTreeWidgetItem(m_uses, {lineOf(textAt(use, "agent"), 64), hostText(textAt(use, "host")), answerText(textAt(use, "answer")),
                                                      rule == 0 ? QString() : tr("rule %1").arg(rule), netModeText(netModeFrom(textAt(use, "network")))});
            for (int column = 0; column < m_uses->columnCount(); ++column) {
                item->setToolTip(column, toolTipOf(item->text(column)));
            }
        }
    }
    constexpr int kShownUses = 8;
    const int rows = std::clamp(m_uses->topLevelItemCount(), 1, kShownUses);
    m_uses->setFixedHeight(m_uses->header()->sizeHint().height() + rows * (m_uses->fontMetrics().height() + 4) + 2 * m_uses->frameWidth());
    if (uses.size() > kMostUses) {
        words += ' ' + tr("These are the first %n of them.", nullptr, static_cast<int>(kMostUses));
    }
    for (int column = 0; column < m_uses->columnCount(); ++column) {
        m_uses->resizeColumnToContents(column);
    }
    m_result->setText(words);
    m_result->setVisible(true);
    m_uses->setVisible(!uses.empty());
}

void CredentialsPage::remove() {
    const auto* const one = current();
    if (one == nullptr) {
        return;
    }
    auto* question = new Question(tr("Remove the credential %1?").arg(lineOf(one->name, 64)),
                                  tr("Its value goes, and with it what stands for it in the machines and the rules that let it be used. What goes on by it is "
                                     "cut at once. The key itself stays good: whoever gave it to you can take it back."),
                                  brokenText(hostsText(*one)), tr("&Remove it"), this);
    connect(question, &Question::agreed, this, [this, name = one->name] {
        m_link.ask("credential.remove", {{"name", name}}, this, [this](const Answer& answer) { removed(answer); });
    });
    question->open();
}

void CredentialsPage::removed(const Answer& answer) {
    if (!answer) {
        m_bar->say(answer.error());
    } else if (const auto left = textAt(*answer, "left"); !left.empty()) {
        m_bar->say(MessageBar::Kind::Warning, tr("The credential is gone, and not all that belonged to it."), lineOf(left, kWholeColumns));
    } else {
        m_bar->clear();
    }
    ask();
}

} // namespace carrel::ui
