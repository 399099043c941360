// SPDX-License-Identifier: Apache-2.0
#include "ui/timeline/timeline_page.h"

#include "app/api/answers.h"
#include "ui/parts/message_bar.h"
#include "ui/parts/question.h"
#include "ui/text/plain.h"
#include "ui/timeline/timeline_delegate.h"
#include "ui/timeline/timeline_filter.h"
#include "ui/timeline/timeline_model.h"

#include <QComboBox>
#include <QHeaderView>
#include <QLineEdit>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QScrollBar>
#include <QSplitter>
#include <QTableView>
#include <QToolButton>
#include <QVBoxLayout>

namespace carrel::ui {

namespace json = boost::json;

namespace {
constexpr std::chrono::milliseconds kTakeInAfter{100};
constexpr std::chrono::seconds kAgainAfter{2};
constexpr int kPage = 1000;
constexpr int kNewest = TimelineModel::kMostRows / 2; // what is read at first
constexpr int kAnyGroup = -1;
} // namespace

TimelinePage::TimelinePage(EngineLink& link, const QString& agent, QWidget* parent)
    : QWidget(parent)
    , m_link(link)
    , m_agent(agent)
    , m_model(new TimelineModel(this))
    , m_filter(new TimelineFilter(this))
    , m_search(new QLineEdit(this))
    , m_group(new QComboBox(this))
    , m_says(new QComboBox(this))
    , m_ofProgram(new QToolButton(this))
    , m_view(new QTableView(this))
    , m_detail(new QPlainTextEdit(this))
    , m_never(new QPushButton(tr("&Never again…"), this))
    , m_recording(new QPushButton(tr("Show the &recording"), this))
    , m_count(new PlainLabel({}, this))
    , m_bar(new MessageBar(this)) {
    setObjectName("timelinePage");
    m_filter->setSourceModel(m_model);
    m_search->setObjectName("search");
    m_search->setPlaceholderText(tr("Search"));
    m_search->setAccessibleName(tr("Search in the timeline"));
    m_search->setClearButtonEnabled(true);
    m_group->setObjectName("group");
    m_group->setAccessibleName(tr("Which events are shown"));
    m_group->addItem(tr("Everything"), kAnyGroup);
    for (const auto& [group, words] : {std::pair{EventGroup::Changes, tr("Changes")}, {EventGroup::Commands, tr("Commands")},
                                       {EventGroup::Files, tr("Folders and files")}, {EventGroup::Approvals, tr("Requests and rules")},
                                       {EventGroup::Network, tr("Network")},
                                       {EventGroup::Machine, tr("Machine")}, {EventGroup::Notes, tr("Notes")}}) {
        m_group->addItem(words, static_cast<int>(group));
    }
    m_says->setObjectName("says");
    m_says->setAccessibleName(tr("By who says so"));
    m_says->addItem(tr("Whoever says so"));
    m_says->addItem(tr("Seen by Carrel"));
    m_says->addItem(tr("Said by the machine"));
    m_ofProgram->setObjectName("ofProgram");
    m_ofProgram->setText(tr("Only this program"));
    m_ofProgram->setToolTip(toolTipOf(tr("Only what the program of the chosen event did, and the programs that it started.")));
    m_ofProgram->setCheckable(true);
    m_ofProgram->setEnabled(false);
    m_view->setObjectName("events");
    m_view->setAccessibleName(tr("Timeline of the agent %1").arg(agent));
    m_view->setModel(m_filter);
    m_view->setItemDelegate(new TimelineDelegate(m_view));
    m_view->setSelectionBehavior(QAbstractItemView::SelectRows);
    m_view->setSelectionMode(QAbstractItemView::SingleSelection);
    m_view->setTabKeyNavigation(false);
    m_view->setWordWrap(false);
    m_view->setShowGrid(false);
    m_view->verticalHeader()->setVisible(false);
    m_view->verticalHeader()->setSectionResizeMode(QHeaderView::Fixed);
    m_view->verticalHeader()->setDefaultSectionSize(fontMetrics().height() + 8);
    auto* header = m_view->horizontalHeader();
    header->setStretchLastSection(true);
    header->setHighlightSections(false);
    const int em = fontMetrics().averageCharWidth();
    header->resizeSection(TimelineModel::Time, em * 28);
    header->resizeSection(TimelineModel::WhoSays, em * 24);
    header->resizeSection(TimelineModel::What, em * 28);
    header->resizeSection(TimelineModel::Subject, em * 36);
    header->resizeSection(TimelineModel::Program, em * 24);
    m_detail->setObjectName("detail");
    m_detail->setReadOnly(true);
    m_detail->setAccessibleName(tr("The event that is chosen"));
    m_detail->setPlaceholderText(tr("Choose an event to see all of it."));
    auto* filters = new QHBoxLayout;
    filters->addWidget(m_search, 1);
    filters->addWidget(m_group);
    filters->addWidget(m_says);
    filters->addWidget(m_ofProgram);
    auto* splitter = new QSplitter(Qt::Vertical, this);
    splitter->addWidget(m_view);
    splitter->addWidget(m_detail);
    splitter->setStretchFactor(0, 4);
    splitter->setStretchFactor(1, 1);
    auto* all = new QVBoxLayout(this);
    all->addLayout(filters);
    all->addWidget(m_bar);
    all->addWidget(splitter, 1);
    m_never->setObjectName("never");
    m_never->setAccessibleName(tr("Never let the program of the chosen event run again"));
    m_never->hide();
    m_recording->setObjectName("recording");
    m_recording->hide();
    auto* below = new QHBoxLayout;
    below->addWidget(m_count, 1);
    below->addWidget(m_recording);
    below->addWidget(m_never);
    all->addLayout(below);
    connect(m_never, &QPushButton::clicked, this, &TimelinePage::neverAgain);
    connect(m_view->selectionModel(), &QItemSelectionModel::currentRowChanged, this, &TimelinePage::offerDeeds);
    connect(m_recording, &QPushButton::clicked, this, &TimelinePage::showRecording);

    m_takeIn.setSingleShot(true);
    m_again.setSingleShot(true);
    connect(&m_takeIn, &QTimer::timeout, this, [this] { take(std::exchange(m_told, {})); });
    connect(&m_again, &QTimer::timeout, this, &TimelinePage::load);
    connect(m_search, &QLineEdit::textChanged, this, [this](const QString& text) {
        m_filter->setText(text);
        tellCount();
    });
    connect(m_group, &QComboBox::currentIndexChanged, this, [this] {
        const int group = m_group->currentData().toInt();
        m_filter->setGroup(group == kAnyGroup ? std::nullopt : std::optional(static_cast<EventGroup>(group)));
        tellCount();
    });
    connect(m_says, &QComboBox::currentIndexChanged, this, [this](int index) {
        m_filter->setSays(static_cast<TimelineFilter::Says>(index));
        tellCount();
    });
    connect(m_ofProgram, &QToolButton::toggled, this, [this](bool only) {
        const auto index = m_filter->mapToSource(m_view->currentIndex());
        m_filter->setProcess(only && index.isValid() ? m_model->at(index.row()).process : std::string());
        m_ofProgram->setEnabled(only || (index.isValid() && !m_model->at(index.row()).process.empty()));
        tellCount();
    });
    connect(m_view->selectionModel(), &QItemSelectionModel::currentRowChanged, this, &TimelinePage::showDetail);
    connect(&m_link, &EngineLink::ready, this, [this] {
        if (isVisible()) {
            load();
        }
    });
    tellCount();
}

void TimelinePage::showEvent(QShowEvent* event) {
    QWidget::showEvent(event);
    load();
}

void TimelinePage::hideEvent(QHideEvent* event) {
    QWidget::hideEvent(event);
    delete m_request; // what came is kept, and it goes on from there
    m_again.stop();
}

// Page by page, then by the stream.
void TimelinePage::load() {
    delete m_request;
    m_again.stop();
    m_loading = true;
    m_request = m_link.ask("timeline", {{"agent", m_agent.toStdString()}, {"after_seq", m_model->lastSeq()}, {"newest", kNewest}, {"limit", kPage}}, this,
                           [this](const Answer& answer) { loaded(answer); });
    tellCount();
}

void TimelinePage::loaded(const Answer& answer) {
    m_request = nullptr;
    if (!answer) {
        m_loading = false;
        if (answer.error().code != ErrorCode::Unavailable) { // of an engine that is away the window speaks
            m_bar->say(answer.error());
        }
        m_again.start(kAgainAfter);
        tellCount();
        return;
    }
    m_bar->clear();
    take(api::listAt(*answer, "events"));
    const auto* const next = answer->if_contains("next_seq");
    if (next != nullptr && !next->is_null()) {
        load();
        return;
    }
    m_loading = false;
    follow();
    tellCount();
}

void TimelinePage::follow() {
    m_request = m_link.ask("timeline", {{"agent", m_agent.toStdString()}, {"after_seq", m_model->lastSeq()}, {"follow", true}}, this,
                           [this](const Answer&) { // the agent was deleted, or the engine went away
                               m_request = nullptr;
                               m_again.start(kAgainAfter);
                           });
    connect(m_request, &Request::happened, this, [this](const json::object& event) {
        m_told.push_back(event);
        if (!m_takeIn.isActive()) {
            m_takeIn.start(kTakeInAfter);
        }
    });
}

void TimelinePage::take(const json::array& events) {
    auto* const bar = m_view->verticalScrollBar();
    const bool atEnd = bar->value() >= bar->maximum();
    m_model->add(events);
    if (atEnd) {
        m_view->scrollToBottom();
    }
    tellCount();
}

void TimelinePage::tellCount() {
    const int all = m_model->rowCount();
    const int shown = m_filter->rowCount();
    auto words = m_filter->filters() ? tr("%1 of %n event(s)", nullptr, all).arg(shown) : tr("%n event(s)", nullptr, all);
    if (m_loading) {
        words += ' ' + tr("(reading more…)");
    }
    if (m_model->firstSeq() > 1) {
        words += ' ' + tr("Older ones are in the log: carrel timeline %1").arg(m_agent);
    }
    m_count->setText(words);
}

void TimelinePage::showDetail(const QModelIndex& index) {
    if (!index.isValid()) {
        m_detail->clear();
        m_ofProgram->setEnabled(m_ofProgram->isChecked());
        return;
    }
    const auto& event = m_model->at(m_filter->mapToSource(index).row());
    m_ofProgram->setEnabled(m_ofProgram->isChecked() || !event.process.empty());
    auto text = kindText(event.kind) + " (" + lineOf(event.kind, 40) + "), " + momentText(event.time) + ", " + tr("number %1").arg(event.seq) + '\n' +
                whoSays(event.byGuest) + '\n';
    if (!event.subject.empty()) {
        text += lineOf(event.subject, kWholeColumns) + '\n';
    }
    if (!event.words.isEmpty()) {
        text += event.words + '\n';
    }
    m_detail->setPlainText(text + programsOf(event) + lineOf(event.detail, kWholeColumns));
}

// The tree above it, a program a line, each by its command.
QString TimelinePage::programsOf(const TimelineEvent& event) const {
    QString out;
    int depth = 0;
    for (const auto* program : m_model->programs().lineage(event.process)) {
        out += QString(2 * depth++, ' ') + (program->command.isEmpty() ? program->name : program->name + ": " + program->command) + '\n';
    }
    return out;
}

void TimelinePage::offerDeeds() {
    const auto index = m_filter->mapToSource(m_view->currentIndex());
    m_never->setVisible(index.isValid() && !m_model->at(index.row()).content.empty());
    m_recording->setVisible(index.isValid() && m_model->at(index.row()).recording != 0);
}

void TimelinePage::showRecording() {
    const auto index = m_filter->mapToSource(m_view->currentIndex());
    if (index.isValid() && m_model->at(index.row()).recording != 0) {
        const auto& event = m_model->at(index.row());
        emit recordingWanted(event.recording, momentOf(event.time).toMSecsSinceEpoch());
    }
}

// By its content, whatever it is called next time. The name is the machine's word, and kept as that.
void TimelinePage::neverAgain() {
    const auto index = m_filter->mapToSource(m_view->currentIndex());
    if (!index.isValid() || m_model->at(index.row()).content.empty()) {
        return;
    }
    const auto& event = m_model->at(index.row());
    const auto name = lineOf(event.subject);
    const auto content = event.content;
    auto* const question = new Question(tr("Never again"),
                                        tr("No program with this content will run in the machine of the agent %1 any more, by whichever name. "
                                           "One that runs now is not ended. Somebody who changes one byte of it has another program.")
                                            .arg(m_agent),
                                        name + '\n' + QString::fromStdString(content), tr("&Never let it run again"), this);
    connect(question, &Question::agreed, this, [this, name, content] {
        constexpr int kNoteCharacters = 60; // of any script, within what a rule's note takes
        m_link.ask("programs.deny",
                   {{"agent", m_agent.toStdString()}, {"sha256", content}, {"note", tr("called %1 by the machine").arg(name.left(kNoteCharacters)).toStdString()}},
                   this, [this, name](const Answer& answer) {
                       if (!answer) {
                           m_bar->say(answer.error());
                           return;
                       }
                       m_bar->say(MessageBar::Kind::Note, tr("%1 will not run again.").arg(name), tr("To take that back: carrel policy exec remove %1").arg(m_agent));
                   });
    });
    question->open();
}

} // namespace carrel::ui
