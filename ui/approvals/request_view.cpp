// SPDX-License-Identifier: Apache-2.0
#include "ui/approvals/request_view.h"

#include "app/api/answers.h"
#include "guest/protocol/change_report.h"
#include "ui/agents/agent_info.h"
#include "ui/approvals/approvals_model.h"
#include "ui/approvals/evidence_view.h"
#include "ui/parts/folder_chooser.h"
#include "ui/parts/message_bar.h"
#include "ui/parts/tones.h"
#include "ui/text/network_words.h"
#include "ui/text/plain.h"

#include <QComboBox>
#include <QFile>
#include <QFontDatabase>
#include <QLineEdit>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QVBoxLayout>

namespace carrel::ui {

namespace json = boost::json;
using namespace api;

namespace {

constexpr char kWhere[] = "desktop";

QWidget* labelled(const QString& text, QWidget* field, QWidget* parent, QWidget* second = nullptr) {
    auto* row = new QWidget(parent);
    auto* layout = new QHBoxLayout(row);
    layout->setContentsMargins(0, 0, 0, 0);
    auto* label = new QLabel(text, row);
    label->setBuddy(field);
    layout->addWidget(label);
    layout->addWidget(field);
    if (second != nullptr) {
        layout->addWidget(second);
    }
    layout->addStretch();
    return row;
}

} // namespace

RequestView::RequestView(EngineLink& link, QWidget* parent)
    : QWidget(parent)
    , m_link(link)
    , m_head(new QFrame(this))
    , m_place(new PlainLabel({}, m_head))
    , m_placeNote(new PlainLabel({}, m_head))
    , m_what(new PlainLabel({}, m_head))
    , m_whatNote(new PlainLabel({}, m_head))
    , m_risk(new PlainLabel({}, m_head))
    , m_words(new PlainLabel({}, m_head))
    , m_riskReason(new PlainLabel({}, m_head))
    , m_state(new PlainLabel({}, m_head))
    , m_claimFrame(new QFrame(this))
    , m_claim(new PlainLabel({}, m_claimFrame))
    , m_evidence(new EvidenceView(link, this))
    , m_answer(new QWidget(this))
    , m_folderName(new PlainLabel({}, this))
    , m_folderMode(new QComboBox(this))
    , m_scope(new QComboBox(this))
    , m_time(new QComboBox(this))
    , m_rule(new PlainLabel({}, this))
    , m_toml(new QPlainTextEdit(this))
    , m_wordLabel(new PlainLabel({}, this))
    , m_word(new QLineEdit(this))
    , m_deny(new QPushButton(tr("&Deny"), this))
    , m_allow(new QPushButton(tr("&Allow"), this))
    , m_reopen(new QPushButton(tr("&Open it again"), this))
    , m_bar(new MessageBar(this)) {
    setObjectName("request");
    for (auto& [widget, name] : {std::pair<QWidget*, const char*>{m_place, "place"}, {m_placeNote, "placeNote"}, {m_what, "what"}, {m_whatNote, "whatNote"}, {m_risk, "risk"}, {m_words, "words"}, {m_claim, "claim"}, {m_state, "state"}, {m_scope, "scope"},
                                 {m_time, "time"}, {m_rule, "rule"}, {m_toml, "toml"}, {m_word, "word"}, {m_deny, "deny"}, {m_allow, "allow"},
                                 {m_reopen, "reopen"}, {m_bar, "requestBar"}}) {
        widget->setObjectName(name);
    }
    auto bold = font();
    bold.setBold(true);
    m_risk->setFont(bold);
    auto large = bold;
    large.setPointSizeF(large.pointSizeF() * 1.2);
    m_words->setFont(large);
    m_what->setFont(large);
    auto largest = bold;
    largest.setPointSizeF(largest.pointSizeF() * 1.8);
    m_place->setFont(largest);
    m_head->setFrameShape(QFrame::StyledPanel);
    m_head->setAutoFillBackground(true);
    auto* head = new QVBoxLayout(m_head);
    for (auto* each : {m_place, m_placeNote, m_what, m_whatNote, m_risk, m_words, m_riskReason, m_state}) {
        head->addWidget(each);
    }
    m_claimFrame->setFrameShape(QFrame::StyledPanel);
    m_claimFrame->setAutoFillBackground(true);
    auto* claimTitle = new PlainLabel(tr("The agent says, and Carrel cannot know whether it is so:"), m_claimFrame);
    auto slanted = font();
    slanted.setItalic(true);
    m_claim->setFont(slanted);
    auto* claim = new QVBoxLayout(m_claimFrame);
    claim->addWidget(claimTitle);
    claim->addWidget(m_claim);

    for (const auto mode : {ShareMode::Review, ShareMode::ReadOnly, ShareMode::Auto}) {
        m_folderMode->addItem(modeText(mode), QString::fromLatin1(modeKey(mode)));
    }
    m_folderMode->setAccessibleName(tr("What becomes of changes in it"));
    auto* choose = new QPushButton(tr("&Choose the folder…"), this);
    choose->setObjectName("chooseFolder");
    m_folderRow = new QWidget(this);
    auto* folder = new QHBoxLayout(m_folderRow);
    folder->setContentsMargins(0, 0, 0, 0);
    folder->addWidget(choose);
    folder->addWidget(m_folderName, 1);
    folder->addWidget(m_folderMode);
    m_scope->addItem(tr("This once"), "once");
    m_scope->addItem(tr("Until the agent is stopped"), "session");
    m_scope->addItem(tr("This agent, from now on"), "agent");
    m_scope->addItem(tr("Every agent, from now on"), "everywhere");
    m_time->addItem(tr("without an end"), 0);
    m_time->addItem(tr("for an hour"), 3600);
    m_time->addItem(tr("for 8 hours"), 8 * 3600);
    m_time->addItem(tr("for a day"), 86400);
    m_time->addItem(tr("for 30 days"), 30 * 86400);
    m_time->setAccessibleName(tr("For how long"));
    m_scopeRow = labelled(tr("A&nswer for:"), m_scope, this, m_time);
    m_toml->setReadOnly(true);
    m_toml->setFont(QFontDatabase::systemFont(QFontDatabase::FixedFont));
    m_toml->setMaximumHeight(fontMetrics().height() * 8);
    m_toml->setAccessibleName(tr("The rule as it would stand in the file"));
    m_wordRow = new QWidget(this);
    auto* word = new QVBoxLayout(m_wordRow);
    word->setContentsMargins(0, 0, 0, 0);
    word->addWidget(m_wordLabel);
    word->addWidget(m_word);
    m_word->setAccessibleName(tr("The word that allows it"));
    m_deny->setDefault(true);
    m_deny->setAutoDefault(true);
    m_allow->setAutoDefault(false);
    auto* buttons = new QHBoxLayout;
    buttons->addStretch();
    buttons->addWidget(m_allow);
    buttons->addWidget(m_deny);
    auto* answer = new QVBoxLayout(m_answer);
    answer->setContentsMargins(0, 0, 0, 0);
    answer->addWidget(m_folderRow);
    answer->addWidget(m_scopeRow);
    answer->addWidget(m_rule);
    answer->addWidget(m_toml);
    answer->addWidget(m_wordRow);
    answer->addLayout(buttons);
    auto* all = new QVBoxLayout(this);
    all->addWidget(m_head);
    all->addWidget(m_claimFrame);
    all->addWidget(m_evidence, 1);
    all->addWidget(m_bar);
    all->addWidget(m_reopen, 0, Qt::AlignLeft);
    all->addWidget(m_answer);

    connect(m_evidence, &EvidenceView::whole, this, [this] {
        m_evidenceWhole = true;
        check();
    });
    connect(choose, &QPushButton::clicked, this, [this] { chooseFolder(this, [this](const QString& directory) { takeFolder(directory); }); });
    connect(m_scope, &QComboBox::currentIndexChanged, this, &RequestView::preview);
    connect(m_time, &QComboBox::currentIndexChanged, this, &RequestView::preview);
    connect(m_word, &QLineEdit::textChanged, this, &RequestView::check);
    connect(m_deny, &QPushButton::clicked, this, [this] { decide("deny"); });
    connect(m_allow, &QPushButton::clicked, this, [this] { decide("allow"); });
    connect(m_reopen, &QPushButton::clicked, this, &RequestView::reopen);
    look(0);
}

void RequestView::look(std::uint64_t id) {
    if (id != m_id) {
        m_bar->clear();
    }
    delete m_request;
    delete m_preview;
    m_id = id;
    m_shown.clear();
    m_approval = {};
    m_evidenceWhole = false;
    m_counted = false;
    m_folder.clear();
    m_evidence->clear();
    m_head->setVisible(false); // nothing of another request's is beside this one's
    m_claimFrame->setVisible(false);
    m_evidence->setVisible(false);
    check();
    setVisible(id != 0);
    if (id == 0) {
        return;
    }
    const QSignalBlocker quietScope(m_scope);
    const QSignalBlocker quietTime(m_time);
    m_scope->setCurrentIndex(0);
    m_time->setCurrentIndex(0);
    m_word->clear();
    m_answer->setVisible(false);
    m_reopen->setVisible(false);
    m_request = m_link.ask("approval.show", {{"id", id}}, this, [this](const Answer& answer) { shown(answer); });
}

void RequestView::changed(const ApprovalInfo& now) {
    if (now.id != m_id || m_deciding || m_request) {
        return;
    }
    const bool another = textAt(now.all, "digest") != textAt(m_approval.all, "digest") || now.isOpen() != m_approval.isOpen() ||
                         numberAt(now.all, "revision") != numberAt(m_approval.all, "revision") ||
                         numberAt(now.all, "asked") != numberAt(m_approval.all, "asked");
    if (!another) {
        return;
    }
    const bool wasOpen = m_approval.isOpen();
    look(m_id);
    if (wasOpen && now.isOpen()) {
        m_bar->say(MessageBar::Kind::Warning, tr("The agent has changed what it asks for. Look at it anew."));
    }
}

void RequestView::shown(const Answer& answer) {
    m_request = nullptr;
    if (!answer) {
        m_bar->say(answer.error());
        return;
    }
    m_shown = *answer;
    m_approval = {m_id, objectAt(m_shown, "approval")};
    fill();
    if (m_approval.isOpen() && !m_counted) {
        // A person looks at it: that is counted, and it does not expire meanwhile.
        m_counted = true;
        m_link.ask("approval.shown", {{"id", m_id}, {"where", kWhere}}, this);
        m_link.ask("approval.hold", {{"id", m_id}}, this, [this, id = m_id](const Answer& held) {
            if (held && id == m_id && m_approval.isOpen()) {
                m_state->setText(tr("It waits for you. Unanswered, it expires at %1, which the agent is told is no denial.")
                                     .arg(momentText(textAt(objectAt(*held, "approval"), "expires"))));
            }
        });
    }
}

void RequestView::fill() {
    const auto& approval = m_approval.all;
    const bool high = m_approval.isHighRisk();
    const bool open = m_approval.isOpen();
    m_head->setVisible(true);
    auto palette = this->palette();
    palette.setColor(QPalette::Window, high && open ? toneBackground(Tone::Bad, palette) : palette.color(QPalette::Base));
    palette.setColor(QPalette::WindowText, palette.color(QPalette::Text));
    m_head->setPalette(palette);
    m_head->setLineWidth(high ? 3 : 1);
    auto riskPalette = m_risk->palette();
    riskPalette.setColor(QPalette::WindowText, toneColour(high ? Tone::Bad : Tone::Note, this->palette()));
    m_risk->setPalette(riskPalette);
    m_risk->setText(high ? tr("⚠ HIGH RISK") : tr("Routine"));
    const auto why = textAt(approval, "risk_reason");
    m_riskReason->setText(lineOf(why, kWholeColumns));
    m_words->setText(lineOf(textAt(approval, "words"), kWholeColumns));
    fillPlace();
    m_riskReason->setVisible(!why.empty());
    auto state = approvalStateText(m_approval);
    if (flagAt(approval, "session_over")) {
        state += ". " + tr("The agent was stopped since; what it asked for can still be done");
    }
    if (numberAt(approval, "asked") > 1) {
        state += ". " + tr("Asked %n time(s)", nullptr, static_cast<int>(numberAt(approval, "asked")));
    }
    m_state->setText(state + '.');
    const auto claim = textAt(approval, "claim");
    m_claimFrame->setVisible(!claim.empty());
    m_claim->setText(lineOf(claim, kWholeColumns));
    auto claimPalette = this->palette();
    claimPalette.setColor(QPalette::Window, toneBackground(Tone::Claim, claimPalette));
    m_claimFrame->setPalette(claimPalette);
    m_reopen->setVisible(!open && textAt(approval, "ended") == "no-answer");
    m_answer->setVisible(open);
    m_evidence->setVisible(open || textAt(m_shown, "review").empty());
    if (m_evidence->isVisibleTo(this)) {
        m_evidence->show(m_shown);
    }
    m_folderRow->setVisible(wantsFolder());
    m_folderName->setText(tr("None is chosen yet."));
    m_scopeRow->setVisible(flagAt(approval, "can_be_rule"));
    const auto word = textAt(m_shown, "confirm");
    m_wordRow->setVisible(high);
    m_wordLabel->setText(word.empty() ? tr("The engine names no word to allow it by, so it cannot be allowed here.")
                                      : tr("To allow it, type this word: %1").arg(lineOf(word, kWholeColumns)));
    m_allow->setText(high ? tr("&Allow all the same") : tr("&Allow"));
    preview();
    check();
}

// The host, then the port, each letter of them: a long name is broken and never cut.
void RequestView::fillPlace() {
    const auto& approval = m_approval.all;
    const auto& things = listAt(m_shown, "things");
    const auto& first = !things.empty() && things.front().is_object() ? things.front().get_object() : json::object();
    const bool credential = textAt(approval, "action") == "credential";
    const auto& place = credential ? first : objectAt(approval, "destination");
    const auto host = textAt(place, "host");
    for (auto* each : {m_place, m_placeNote, m_what, m_whatNote}) {
        each->clear();
        each->setVisible(false);
    }
    if (host.empty()) {
        return;
    }
    const auto port = textAt(place, "port");
    constexpr int kLetters = 36; // of the large ones, in a narrow window
    m_place->setText(brokenText(port.empty() ? hostText(host) : tr("%1 port %2").arg(hostText(host), hostText(port)), kLetters));
    m_place->setAccessibleName(port.empty() ? tr("Where to: %1").arg(hostText(host)) : tr("Where to: %1, port %2").arg(hostText(host), hostText(port)));
    m_place->setVisible(true);
    QStringList notes;
    if (const auto note = hostNote(host); !note.isEmpty()) {
        notes << note;
    }
    if (const auto items = numberAt(approval, "items"); items > 1) {
        notes << tr("It is the first of %n destination(s), which are listed below.", nullptr, countOf(items));
    }
    m_placeNote->setText(notes.join(' '));
    m_placeNote->setVisible(!notes.isEmpty());
    // It is not said twice; what does not begin so is left as it is.
    const auto words = textAt(approval, "words");
    const auto begins = host + ", port " + port + ": ";
    if (words.size() > begins.size() && words.starts_with(begins)) {
        auto rest = lineOf(std::string_view(words).substr(begins.size()), kWholeColumns);
        rest[0] = rest[0].toUpper();
        m_words->setText(brokenText(rest)); // a path may be in it
    }
    m_riskReason->setText(brokenText(m_riskReason->text())); // its names are hosts, without a space
    fillWhat(first);
}

// What is asked of that host: one request of it, or to be there with a key of the owner's.
void RequestView::fillWhat(const json::object& thing) {
    constexpr int kLetters = 48;
    const auto agent = lineOf(textAt(m_approval.all, "agent"), 64);
    if (textAt(m_approval.all, "action") == "credential") {
        m_what->setText(brokenText(tr("with the credential %1").arg(lineOf(textAt(thing, "name"), kWholeColumns)), kLetters));
        m_whatNote->setText(tr("A key of yours: whoever uses it is taken for you there."));
        m_words->setText(tr("The agent %1 asks to use it, without seeing it").arg(agent));
    } else if (const auto method = textAt(thing, "method"); !method.empty()) {
        m_what->setText(brokenText(lineOf(method, 40) + ' ' + lineOf(textAt(thing, "path"), kWholeColumns), kLetters));
        const bool looks = method == "GET" || method == "HEAD" || method == "OPTIONS";
        m_whatNote->setText(looks ? tr("It asks the host for something. The request itself can tell the host something, too.")
                                  : tr("It sends something there, and can change what is there."));
        m_words->setText(tr("The agent %1 asks to make this request").arg(agent));
    } else {
        return;
    }
    m_what->setAccessibleName(tr("What for: %1").arg(m_what->text().remove('\n')));
    m_what->setVisible(true);
    m_whatNote->setVisible(true);
}

bool RequestView::wantsFolder() const {
    return textAt(m_approval.all, "action") == "folder" && !flagAt(m_approval.all, "can_be_rule");
}

bool RequestView::rightWord() const {
    const auto wanted = QString::fromStdString(textAt(m_shown, "confirm")).trimmed();
    const auto typed = m_word->text().trimmed();
    return !wanted.isEmpty() && (typed == wanted || typed == lineOf(textAt(m_shown, "confirm"), kWholeColumns).trimmed());
}

std::string RequestView::scope() const {
    return m_scopeRow->isVisibleTo(m_answer) ? m_scope->currentData().toString().toStdString() : "once";
}

void RequestView::check() {
    const bool open = m_approval.isOpen() && !m_deciding;
    m_deny->setEnabled(open);
    m_allow->setEnabled(open && m_evidenceWhole && (!wantsFolder() || !m_folder.empty()) && (!m_approval.isHighRisk() || rightWord()));
}

json::object RequestView::parameters(const char* effect) const {
    json::object params{{"id", m_id},
                        {"effect", effect},
                        {"scope", scope()},
                        {"digest", textAt(m_approval.all, "digest")},
                        {"revision", numberAt(m_approval.all, "revision")},
                        {"asked", numberAt(m_approval.all, "asked")},
                        {"where", kWhere}};
    if (const auto seconds = m_time->currentData().toInt(); scope() != "once" && seconds > 0) {
        params["seconds"] = seconds;
    }
    return params;
}

// The very rule that would be kept, before it is.
void RequestView::preview() {
    delete m_preview;
    const bool rule = m_approval.isOpen() && scope() != "once";
    m_time->setVisible(rule);
    m_rule->setVisible(rule);
    m_toml->setVisible(rule);
    m_rule->clear();
    m_toml->clear();
    if (!rule) {
        return;
    }
    m_preview = m_link.ask("approval.preview", parameters("allow"), this, [this](const Answer& answer) {
        m_preview = nullptr;
        if (!answer) {
            m_rule->setText(bothOf(answer.error()));
            return;
        }
        const auto& kept = objectAt(*answer, "rule");
        m_rule->setText(tr("Allowed, this rule is kept: %1").arg(lineOf(textAt(kept, "words"), kWholeColumns)));
        m_toml->setPlainText(blockOf(textAt(kept, "toml")));
    });
}

void RequestView::takeFolder(const QString& directory) {
    m_folder = QFile::encodeName(directory).toStdString();
    m_folderName->setText(lineOf(m_folder, kWholeColumns));
    check();
}

void RequestView::decide(const char* effect) {
    if (m_deciding || !m_approval.isOpen()) {
        return;
    }
    const bool allow = std::string_view(effect) == "allow";
    auto params = parameters(effect);
    if (allow && wantsFolder()) {
        putPath(params, "folder", m_folder);
        params["mode"] = m_folderMode->currentData().toString().toStdString();
    }
    m_bar->say(MessageBar::Kind::Note, allow ? tr("It is being allowed…") : tr("It is being denied…"));
    m_deciding = m_link.ask("approval.decide", std::move(params), this, [this, allow, id = m_id](const Answer& answer) {
        m_deciding = nullptr;
        if (id != m_id) { // another is looked at by now; the list tells what became of this one
            check();
            emit decided();
            return;
        }
        if (!answer) {
            look(id); // what there is now
            m_bar->say(answer.error());
            return;
        }
        QStringList trouble;
        for (const char* key : {"effect_trouble", "rule_trouble"}) {
            if (const auto words = textAt(*answer, key); !words.empty()) {
                trouble << lineOf(words, kWholeColumns);
            }
        }
        QString done = allow ? tr("Allowed.") : tr("Denied.");
        if (const auto& applied = objectAt(*answer, "applied"); !applied.empty()) {
            const auto& totals = objectAt(applied, "totals");
            const auto count = static_cast<int>(numberAt(totals, "done"));
            const auto left = static_cast<int>(numberAt(totals, "conflicts") + numberAt(totals, "refused") + numberAt(totals, "failed"));
            done += ' ' + tr("%n change(s) applied.", nullptr, count);
            if (left > 0) {
                trouble << tr("%n change(s) not: look at them in the agent's changes.", nullptr, left);
            }
        }
        if (const auto& forward = objectAt(*answer, "forward"); !forward.empty()) {
            done += ' ' + tr("It is shown at %1; the agent's network page opens and stops it.").arg(lineOf(textAt(forward, "url"), kWholeColumns));
        }
        look(id);
        if (trouble.isEmpty()) {
            m_bar->say(MessageBar::Kind::Note, done);
        } else {
            m_bar->say(MessageBar::Kind::Warning, done, trouble.join(' '));
        }
        emit decided();
    });
    check();
}

void RequestView::reopen() {
    m_link.ask("approval.reopen", {{"id", m_id}, {"where", kWhere}}, this, [this, id = m_id](const Answer& answer) {
        if (id == m_id) {
            look(id);
            if (!answer) {
                m_bar->say(answer.error());
            }
        }
        emit decided();
    });
}

} // namespace carrel::ui
