// SPDX-License-Identifier: Apache-2.0
#include "ui/network/network_page.h"

#include "app/api/answers.h"
#include "ui/credentials/credential_info.h"
#include "ui/network/forwards_section.h"
#include "ui/network/limits_dialog.h"
#include "ui/network/live_model.h"
#include "ui/network/mode_dialog.h"
#include "ui/network/preset_dialog.h"
#include "ui/network/refused_model.h"
#include "ui/network/rules_model.h"
#include "ui/parts/message_bar.h"
#include "ui/parts/question.h"
#include "ui/parts/table_view.h"
#include "ui/text/plain.h"

#include <QFrame>
#include <QHBoxLayout>
#include <QHeaderView>
#include <QPushButton>
#include <QShortcut>
#include <QScrollArea>
#include <QSplitter>
#include <QTableView>
#include <QVBoxLayout>

namespace carrel::ui {

namespace json = boost::json;
using namespace api;

namespace {

constexpr std::chrono::seconds kLiveEvery{1};
constexpr std::chrono::seconds kAgainAfter{2};
constexpr int kLatelyEvents = 10'000; // of the log that are looked through at first
constexpr int kPage = 1000;

QWidget* section(QWidget* title, QWidget* view, QLayout* buttons, QWidget* parent) {
    auto* out = new QWidget(parent);
    auto* column = new QVBoxLayout(out);
    column->setContentsMargins(0, 4, 0, 0);
    column->addWidget(title);
    column->addWidget(view, 1);
    if (buttons != nullptr) {
        column->addLayout(buttons);
    }
    return out;
}

} // namespace

NetworkPage::NetworkPage(EngineLink& link, AgentStore& agents, ApprovalStore& approvals, const QString& agent, QWidget* parent)
    : QWidget(parent)
    , m_link(link)
    , m_agents(agents)
    , m_agent(agent)
    , m_live(new LiveModel(this))
    , m_rules(new RulesModel(this))
    , m_refused(new RefusedModel(this))
    , m_bar(new MessageBar(this))
    , m_modeFrame(new QFrame(this))
    , m_mode(new PlainLabel({}, m_modeFrame))
    , m_modeWords(new PlainLabel({}, m_modeFrame))
    , m_limitWords(new PlainLabel({}, m_modeFrame))
    , m_change(new QPushButton(tr("C&hange…"), m_modeFrame))
    , m_limit(new QPushButton(tr("&Limits…"), m_modeFrame))
    , m_offline(new QPushButton(tr("Cut it o&ff"), m_modeFrame))
    , m_keysFrame(new QFrame(this))
    , m_keysTitle(new PlainLabel({}, m_keysFrame))
    , m_keys(new PlainLabel({}, m_keysFrame))
    , m_allKeys(new QPushButton(tr("Cr&edentials…"), m_keysFrame))
    , m_liveTitle(new PlainLabel({}, this))
    , m_liveView(tableOf(m_live, "live", tr("What is connected now"), this))
    , m_cut(new QPushButton(tr("C&ut this connection"), this))
    , m_forwards(new ForwardsSection(link, agent, *m_bar, this))
    , m_rulesTitle(new PlainLabel({}, this))
    , m_rulesView(tableOf(m_rules, "rules", tr("Rules that speak of this agent's network"), this))
    , m_preset(new QPushButton(tr("&Allow a set…"), this))
    , m_remove(new QPushButton(tr("Re&move the rule…"), this))
    , m_refusedTitle(new PlainLabel({}, this))
    , m_refusedView(tableOf(m_refused, "refused", tr("What did not come about lately"), this)) {
    setObjectName("networkPage");
    layOut();
    m_liveNext.setSingleShot(true);
    m_refusedNext.setSingleShot(true);
    connect(&m_liveNext, &QTimer::timeout, this, &NetworkPage::askLive);
    connect(&m_refusedNext, &QTimer::timeout, this, &NetworkPage::askRefused);
    connect(m_change, &QPushButton::clicked, this, &NetworkPage::chooseMode);
    connect(m_limit, &QPushButton::clicked, this, &NetworkPage::chooseLimits);
    connect(m_offline, &QPushButton::clicked, this, [this] { setMode(NetMode::Offline); });
    connect(m_allKeys, &QPushButton::clicked, this, &NetworkPage::credentialsWanted);
    connect(m_cut, &QPushButton::clicked, this, &NetworkPage::cut);
    auto* const cutKey = new QShortcut(QKeySequence::Delete, m_liveView, nullptr, nullptr, Qt::WidgetShortcut);
    connect(cutKey, &QShortcut::activated, this, &NetworkPage::cut);
    connect(m_liveView->selectionModel(), &QItemSelectionModel::selectionChanged, this, &NetworkPage::checkLive);
    connect(m_live, &QAbstractItemModel::rowsRemoved, this, &NetworkPage::checkLive);
    connect(m_preset, &QPushButton::clicked, this, &NetworkPage::choosePreset);
    connect(m_remove, &QPushButton::clicked, this, &NetworkPage::removeRule);
    connect(m_rulesView->selectionModel(), &QItemSelectionModel::selectionChanged, this, &NetworkPage::checkRules);
    connect(m_rules, &QAbstractItemModel::rowsRemoved, this, &NetworkPage::checkRules);
    connect(m_rulesView->horizontalHeader(), &QHeaderView::sectionResized, m_rulesView, &QTableView::resizeRowsToContents);
    connect(&agents, &AgentStore::changed, this, &NetworkPage::fillMode);
    connect(&approvals, &ApprovalStore::changed, this, [this] { // and of rules
        if (isVisible()) {
            askRules();
            askCredentials();
        }
    });
    connect(&m_link, &EngineLink::ready, this, [this] {
        if (isVisible()) {
            begin();
        }
    });
    fillMode();
    fillLimits();
    checkRules();
    checkLive();
}

void NetworkPage::layOut() {
    for (auto& [widget, name] : {std::pair<QWidget*, const char*>{m_mode, "networkMode"}, {m_modeWords, "networkModeWords"}, {m_change, "changeMode"},
                                 {m_limitWords, "networkLimits"}, {m_limit, "changeLimits"},
                                 {m_offline, "goOffline"}, {m_liveTitle, "liveTitle"}, {m_rulesTitle, "rulesTitle"}, {m_refusedTitle, "refusedTitle"},
                                 {m_keysTitle, "keysTitle"}, {m_keys, "keys"}, {m_allKeys, "allKeys"}, {m_cut, "cut"},
                                 {m_preset, "allowPreset"}, {m_remove, "removeRule"}, {m_bar, "networkBar"}}) {
        widget->setObjectName(name);
    }
    m_bar->setClosable(true);
    auto large = font();
    large.setBold(true);
    large.setPointSizeF(large.pointSizeF() * 1.15);
    m_mode->setFont(large);
    m_modeFrame->setFrameShape(QFrame::StyledPanel);
    m_change->setAccessibleName(tr("Change how the agent %1 reaches the network").arg(m_agent));
    m_limit->setAccessibleName(tr("Change how much the agent %1 may carry over the network").arg(m_agent));
    m_offline->setAccessibleName(tr("Cut the agent %1 off the network at once").arg(m_agent));
    auto* words = new QVBoxLayout;
    words->addWidget(m_mode);
    words->addWidget(m_modeWords);
    words->addWidget(m_limitWords);
    auto* mode = new QHBoxLayout(m_modeFrame);
    mode->addLayout(words, 1);
    mode->addWidget(m_change);
    mode->addWidget(m_limit);
    mode->addWidget(m_offline);
    auto bold = font();
    bold.setBold(true);
    m_keysFrame->setFrameShape(QFrame::StyledPanel);
    m_allKeys->setAccessibleName(tr("Show all credentials"));
    m_cut->setAccessibleName(tr("Cut the connection that is chosen, at once"));
    auto* keyWords = new QVBoxLayout;
    keyWords->addWidget(m_keysTitle);
    keyWords->addWidget(m_keys);
    auto* keys = new QHBoxLayout(m_keysFrame);
    keys->addLayout(keyWords, 1);
    keys->addWidget(m_allKeys, 0, Qt::AlignVCenter);
    m_keysTitle->setText(tr("Which credentials reach this agent is not known yet"));
    m_keys->setVisible(false);
    for (auto* title : {m_keysTitle, m_liveTitle, m_rulesTitle, m_refusedTitle}) {
        title->setFont(bold);
    }
    m_rulesTitle->setText(tr("Rules"));
    setWidths(m_liveView, {34, 26, 11, 11, 10, 24, 20});
    m_liveView->horizontalHeader()->setStretchLastSection(true);
    m_rulesView->setWordWrap(true);
    setWidths(m_rulesView, {7, 60, 26});
    m_rulesView->horizontalHeader()->setSectionResizeMode(RulesModel::Words, QHeaderView::Stretch);
    setWidths(m_refusedView, {34, 28, 8, 24, 40});
    m_refusedView->horizontalHeader()->setStretchLastSection(true);
    auto* liveButtons = new QHBoxLayout;
    liveButtons->addWidget(m_cut);
    liveButtons->addStretch();
    auto* buttons = new QHBoxLayout;
    buttons->addWidget(m_preset);
    buttons->addWidget(m_remove);
    buttons->addStretch();
    auto* splitter = new QSplitter(Qt::Vertical, this);
    splitter->setChildrenCollapsible(false);
    splitter->addWidget(section(m_liveTitle, m_liveView, liveButtons, this));
    splitter->addWidget(m_forwards);
    splitter->addWidget(section(m_rulesTitle, m_rulesView, buttons, this));
    splitter->addWidget(section(m_refusedTitle, m_refusedView, nullptr, this));
    splitter->setSizes({140, 110, 170, 110});
    auto* all = new QVBoxLayout(this);
    all->addWidget(m_bar);
    all->addWidget(m_modeFrame);
    all->addWidget(m_keysFrame);
    auto* scroll = new QScrollArea(this); // in a low window
    scroll->setWidgetResizable(true);
    scroll->setFrameShape(QFrame::NoFrame);
    scroll->setFocusPolicy(Qt::NoFocus);
    scroll->setWidget(splitter);
    all->addWidget(scroll, 1);
    QWidgetList order{m_change, m_limit, m_offline, m_allKeys, m_liveView, m_cut};
    order += m_forwards->inTabOrder();
    order += QWidgetList{m_rulesView, m_preset, m_remove, m_refusedView};
    for (int i = 1; i < order.size(); ++i) {
        setTabOrder(order.at(i - 1), order.at(i));
    }
}

json::object NetworkPage::ofAgent() const {
    return {{"agent", m_agent.toStdString()}};
}

void NetworkPage::showEvent(QShowEvent* event) {
    QWidget::showEvent(event);
    begin();
}

void NetworkPage::hideEvent(QHideEvent* event) {
    QWidget::hideEvent(event);
    delete m_liveRequest;
    delete m_keysRequest;
    delete m_rulesRequest;
    delete m_refusedRequest;
    m_liveNext.stop();
    m_refusedNext.stop();
}

void NetworkPage::begin() {
    fillMode();
    askLive();
    askCredentials();
    askRules();
    askRefused();
}

void NetworkPage::fillMode() {
    const auto* const agent = m_agents.find(m_agent);
    if (agent == nullptr) {
        return;
    }
    m_mode->setText(netModeText(agent->network));
    m_modeWords->setText(netModeExplained(agent->network));
    m_offline->setVisible(agent->hasNetwork());
}

void NetworkPage::chooseMode() {
    const auto* const agent = m_agents.find(m_agent);
    auto* const dialog = new ModeDialog(m_agent, agent != nullptr ? agent->network : NetMode::Unknown, this);
    connect(dialog, &ModeDialog::chosen, this, &NetworkPage::setMode);
    dialog->open();
}

void NetworkPage::setMode(NetMode mode) {
    auto params = ofAgent();
    params["mode"] = netModeKey(mode);
    m_link.ask("net.mode", std::move(params), this, [this](const Answer& answer) {
        m_agents.refresh();
        if (!answer) {
            m_bar->say(answer.error());
            return;
        }
        m_bar->clear();
        askLive();
    });
}

void NetworkPage::fillLimits() {
    m_limit->setEnabled(!m_limits.empty());
    const auto words = m_limits.empty() ? tr("How much it may carry is not known yet.") : limitsText(m_limits);
    if (m_limitWords->text() != words) {
        m_limitWords->setText(words);
    }
}

void NetworkPage::chooseLimits() {
    auto* const dialog = new LimitsDialog(m_agent, numberAt(m_limits, "rate"), numberAt(m_limits, "day"), this);
    connect(dialog, &LimitsDialog::chosen, this, &NetworkPage::setLimits);
    dialog->open();
}

void NetworkPage::setLimits(std::uint64_t rate, std::uint64_t day) {
    auto params = ofAgent();
    params["rate"] = rate;
    params["day"] = day;
    m_link.ask("net.limit", std::move(params), this, [this](const Answer& answer) {
        if (!answer) {
            m_bar->say(answer.error());
        } else {
            m_bar->clear();
        }
        askLive();
    });
}

void NetworkPage::askLive() {
    delete m_liveRequest; // whatever it is about to say is older
    m_liveNext.stop();
    if (isVisible()) {
        m_liveRequest = m_link.ask("net.live", ofAgent(), this, [this](const Answer& answer) { takeLive(answer); });
    }
}

void NetworkPage::takeLive(const Answer& answer) {
    m_liveRequest = nullptr;
    m_liveNext.start(answer ? kLiveEvery : kAgainAfter);
    if (!answer) { // of an engine that is away the window speaks
        m_live->take({});
        m_liveTitle->setText(tr("What is connected now is not known"));
        return;
    }
    m_limits = objectAt(*answer, "limits");
    fillLimits();
    m_live->take(liveFrom(listAt(*answer, "connections")));
    const int count = m_live->rowCount();
    auto title = count == 0 ? tr("Nothing is connected") : tr("%n connection(s) now", nullptr, count);
    if (const auto waiting = numberAt(*answer, "waiting"); waiting > 0) {
        title += tr(", %n wait(s) for an answer or for the other side", nullptr, countOf(waiting));
    }
    if (m_liveTitle->text() != title) {
        m_liveTitle->setText(title);
    }
}

void NetworkPage::checkLive() {
    m_cut->setEnabled(chosenRow(m_liveView) >= 0);
}

// At once, without a question: it is a brake.
void NetworkPage::cut() {
    const int row = chosenRow(m_liveView);
    if (row < 0) {
        return;
    }
    const auto& one = m_live->at(row);
    auto params = ofAgent();
    params["number"] = one.number;
    m_link.ask("net.cut", std::move(params), this, [this, place = placeText(one.host, std::to_string(one.port))](const Answer& answer) {
        if (answer) {
            const auto rule = numberAt(objectAt(*answer, "connection"), "rule");
            m_bar->say(MessageBar::Kind::Note, tr("The connection to %1 is cut.").arg(place),
                       rule != 0 ? tr("Rule %1 allows the agent to connect there anew.").arg(rule) : QString());
        } else if (answer.error().code == ErrorCode::NotFound) {
            m_bar->say(MessageBar::Kind::Note, tr("The connection to %1 was over already.").arg(place));
        } else {
            m_bar->say(answer.error());
        }
        askLive();
    });
}

void NetworkPage::askCredentials() {
    delete m_keysRequest;
    m_keysRequest = m_link.ask("credential.list", {}, this, [this](const Answer& answer) { takeCredentials(answer); });
}

// Each in a line: what it is called, and where it goes.
void NetworkPage::takeCredentials(const Answer& answer) {
    m_keysRequest = nullptr;
    if (!answer) {
        m_keysTitle->setText(tr("Which credentials reach this agent is not known now"));
        m_keys->setVisible(false);
        return;
    }
    constexpr int kShown = 3;
    QStringList lines;
    int count = 0;
    for (const auto& each : credentialsFrom(listAt(*answer, "credentials"))) {
        if (each.reaches(m_agent.toStdString()) && ++count <= kShown) {
            const auto line = each.agents.empty() ? tr("%1, at %2, by a rule or when you are asked") : tr("%1, at %2");
            lines << line.arg(lineOf(each.name, 64), hostsText(each));
        }
    }
    if (count > kShown) {
        lines << tr("and %n more", nullptr, count - kShown);
    }
    m_keysTitle->setText(count == 0 ? tr("No credential reaches this agent") : tr("%n credential(s) that it can use, and does not see", nullptr, count));
    m_keys->setText(lines.join('\n'));
    m_keys->setVisible(count > 0);
}

void NetworkPage::askRules() {
    if (m_rulesRequest) {
        m_rulesAgain = true;
        return;
    }
    m_rulesAgain = false;
    m_rulesRequest = m_link.ask("rule.list", {}, this, [this](const Answer& answer) { takeRules(answer); });
}

void NetworkPage::takeRules(const Answer& answer) {
    m_rulesRequest = nullptr;
    if (m_rulesAgain) {
        askRules();
    }
    if (!answer) {
        if (answer.error().code != ErrorCode::Unavailable) {
            m_bar->say(answer.error());
        }
        return;
    }
    if (const auto& trouble = objectAt(*answer, "trouble"); !trouble.empty()) {
        m_bar->say(MessageBar::Kind::Error, lineOf(textAt(trouble, "message"), kWholeColumns), lineOf(textAt(trouble, "remedy"), kWholeColumns));
    }
    m_rules->take(networkRulesOf(listAt(*answer, "rules"), m_agent.toStdString()));
    m_rulesView->resizeRowsToContents();
    const int count = m_rules->rowCount();
    m_rulesTitle->setText(count == 0 ? tr("No rule speaks of this agent's network") : tr("%n rule(s) that speak of it", nullptr, count));
}

void NetworkPage::checkRules() {
    m_remove->setEnabled(chosenRow(m_rulesView) >= 0);
}

void NetworkPage::removeRule() {
    const int row = chosenRow(m_rulesView);
    if (row < 0) {
        return;
    }
    const auto rule = m_rules->at(row);
    QStringList words;
    if (rule.everyAgent) {
        words << tr("It counts for every agent.");
    }
    if (!rule.allows) {
        words << tr("What it denies can then be allowed, by another rule or by your answer.");
    } else if (const int cut = m_live->countOfRule(rule.id); cut > 0) {
        words << tr("%n connection(s) of this agent go on by it, and are cut at once.", nullptr, cut);
    } else {
        words << tr("What goes on by it is cut at once.");
    }
    auto* question = new Question(tr("Remove rule %1?").arg(rule.id), words.join(' '), lineOf(rule.words, kWholeColumns), tr("&Remove it"), this);
    connect(question, &Question::agreed, this, [this, id = rule.id] {
        m_link.ask("rule.remove", {{"id", id}}, this, [this](const Answer& answer) {
            if (!answer) {
                m_bar->say(answer.error());
            } else {
                m_bar->clear();
            }
            askRules();
            askLive();
        });
    });
    question->open();
}

void NetworkPage::choosePreset() {
    auto* const dialog = new PresetDialog(m_link, m_agent, this);
    connect(dialog, &PresetDialog::kept, this, [this](int rules, bool offline) {
        m_bar->say(MessageBar::Kind::Note, tr("%n rule(s) kept. They count from now on.", nullptr, rules),
                   offline ? tr("The agent has no network all the same: change how it reaches it.") : QString());
        askRules();
    });
    dialog->open();
}

// What there is of the newest, then by the stream.
void NetworkPage::askRefused() {
    delete m_refusedRequest;
    m_refusedNext.stop();
    auto params = ofAgent();
    params["kinds"] = {"net.traffic"};
    params["after_seq"] = m_refused->lastSeq();
    params["newest"] = kLatelyEvents;
    params["limit"] = kPage;
    m_refusedRequest = m_link.ask("timeline", std::move(params), this, [this](const Answer& answer) { takeRefused(answer); });
}

void NetworkPage::takeRefused(const Answer& answer) {
    m_refusedRequest = nullptr;
    if (!answer) {
        m_refusedNext.start(kAgainAfter);
        return;
    }
    const auto& events = listAt(*answer, "events");
    m_refused->add(events);
    m_refusedTitle->setText(m_refused->rowCount() == 0 ? tr("Nothing was refused lately") : tr("Refused, or not come about, lately"));
    const auto* const next = answer->if_contains("next_seq");
    if (next != nullptr && !next->is_null() && !events.empty()) {
        askRefused();
    } else {
        follow();
    }
}

void NetworkPage::follow() {
    auto params = ofAgent();
    params["kinds"] = {"net.traffic"};
    params["after_seq"] = m_refused->lastSeq();
    params["follow"] = true;
    m_refusedRequest = m_link.ask("timeline", std::move(params), this, [this](const Answer&) { // the agent was deleted, or the engine went away
        m_refusedRequest = nullptr;
        m_refusedNext.start(kAgainAfter);
    });
    connect(m_refusedRequest, &Request::happened, this, [this](const json::object& event) {
        m_refused->add({event});
        m_refusedTitle->setText(m_refused->rowCount() == 0 ? tr("Nothing was refused lately") : tr("Refused, or not come about, lately"));
    });
}

} // namespace carrel::ui
