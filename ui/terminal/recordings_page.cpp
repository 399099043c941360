// SPDX-License-Identifier: Apache-2.0
#include "ui/terminal/recordings_page.h"

#include "app/api/answers.h"
#include "ui/parts/empty_state.h"
#include "ui/parts/message_bar.h"
#include "ui/parts/table_view.h"
#include "ui/terminal/recording_player.h"

#include <QHBoxLayout>
#include <QHeaderView>
#include <QPushButton>
#include <QStackedWidget>
#include <QTableView>
#include <QVBoxLayout>

#include <algorithm>
#include <chrono>
#include <limits>

namespace carrel::ui {

namespace json = boost::json;

namespace {
constexpr std::chrono::seconds kAgainAfter{3};
constexpr std::int64_t kUsOfMs = 1000;
} // namespace

RecordingsPage::RecordingsPage(EngineLink& engine, const QString& agent, QWidget* parent)
    : QWidget(parent)
    , m_engine(engine)
    , m_agent(agent)
    , m_model(new RecordingsModel(this))
    , m_bar(new MessageBar(this))
    , m_stack(new QStackedWidget(this))
    , m_rows(new QStackedWidget(this))
    , m_view(tableOf(m_model, "recordings", tr("Recordings of the terminals of agent %1").arg(agent), this))
    , m_empty(new EmptyState(this))
    , m_play(new QPushButton(tr("P&lay"), this))
    , m_player(new RecordingPlayer(engine, agent, this)) {
    setObjectName("recordingsPage");
    m_bar->setObjectName("recordingsBar");
    m_bar->setClosable(true);
    m_play->setObjectName("play");
    setWidths(m_view, {24, 10, 60, 16});
    m_view->horizontalHeader()->setStretchLastSection(true);
    m_empty->say(tr("No recordings yet"), tr("Each terminal that is opened in this agent's machine is recorded as it happens, with what the machine drew in it."));
    m_rows->addWidget(m_empty);
    m_rows->addWidget(m_view);
    auto* list = new QWidget(this);
    auto* below = new QHBoxLayout;
    below->addWidget(m_play);
    below->addStretch();
    auto* column = new QVBoxLayout(list);
    column->addWidget(m_bar);
    column->addWidget(m_rows, 1);
    column->addLayout(below);
    m_stack->addWidget(list);
    m_stack->addWidget(m_player);
    auto* all = new QVBoxLayout(this);
    all->setContentsMargins(0, 0, 0, 0);
    all->addWidget(m_stack);
    m_again.setSingleShot(true);
    connect(&m_again, &QTimer::timeout, this, [this] { load(0); });
    connect(m_play, &QPushButton::clicked, this, &RecordingsPage::playChosen);
    connect(m_view, &QTableView::activated, this, &RecordingsPage::playChosen);
    connect(m_view->selectionModel(), &QItemSelectionModel::selectionChanged, this, &RecordingsPage::check);
    connect(m_model, &QAbstractItemModel::rowsRemoved, this, &RecordingsPage::check);
    connect(m_player, &RecordingPlayer::listWanted, this, &RecordingsPage::showList);
    connect(&m_engine, &EngineLink::ready, this, [this] {
        if (m_view->isVisible()) {
            load(0);
        }
    });
    check();
}

void RecordingsPage::showEvent(QShowEvent* event) {
    QWidget::showEvent(event);
    if (m_stack->currentWidget() != m_player) {
        load(0);
    }
}

void RecordingsPage::hideEvent(QHideEvent* event) {
    QWidget::hideEvent(event);
    delete m_request;
    m_again.stop();
}

void RecordingsPage::load(std::uint64_t after) {
    delete m_request;
    m_again.stop();
    if (after == 0) {
        m_read.clear();
    }
    m_request = m_engine.ask("recording.list", {{"agent", m_agent.toStdString()}, {"after", after}}, this, [this](const Answer& answer) { loaded(answer); });
}

void RecordingsPage::loaded(const Answer& answer) {
    m_request = nullptr;
    if (!answer) {
        if (answer.error().code != ErrorCode::Unavailable) { // of an engine that is away the window speaks
            m_bar->say(answer.error());
        }
        m_again.start(kAgainAfter);
        return;
    }
    m_read += rowsFrom<RecordingInfo>(api::listAt(*answer, "recordings"), recordingFrom);
    if (const auto next = api::numberAt(*answer, "next"); next != 0) {
        load(next);
        return;
    }
    m_model->take(m_read);
    m_rows->setCurrentWidget(m_model->rowCount() == 0 ? static_cast<QWidget*>(m_empty) : m_view);
    if (chosenRow(m_view) < 0 && m_model->rowCount() > 0) {
        m_view->selectRow(0);
    }
    check();
    m_again.start(kAgainAfter);
}

void RecordingsPage::check() {
    m_play->setEnabled(chosenRow(m_view) >= 0);
}

void RecordingsPage::showList() {
    m_player->close();
    m_stack->setCurrentIndex(0);
    load(0);
    m_view->setFocus();
}

void RecordingsPage::playChosen() {
    const int row = chosenRow(m_view);
    if (row >= 0) {
        const auto recording = m_model->at(row); // the model may change meanwhile
        m_again.stop();
        m_stack->setCurrentWidget(m_player);
        m_player->open(recording, 0, RecordingPlayer::Begin::Playing);
    }
}

void RecordingsPage::showOne(std::uint64_t recording, std::int64_t momentMs) {
    m_bar->clear();
    delete m_request;
    m_again.stop();
    m_request = m_engine.ask("recording.list", {{"agent", m_agent.toStdString()}, {"after", recording - 1}}, this, [this, recording, momentMs](const Answer& answer) {
        m_request = nullptr;
        const auto rows = answer ? rowsFrom<RecordingInfo>(api::listAt(*answer, "recordings"), recordingFrom) : QVector<RecordingInfo>();
        if (rows.isEmpty() || rows.front().number != recording) {
            m_stack->setCurrentIndex(0);
            load(0);
            m_bar->say(answer ? Error{ErrorCode::NotFound, tr("there is no recording %1 any more").arg(recording).toStdString(),
                                      tr("It was left out with the oldest of the log.").toStdString(), 0, nullptr}
                              : answer.error());
            return;
        }
        const auto& one = rows.front();
        const auto since = std::clamp<std::int64_t>(momentMs - one.startedMs, 0, std::numeric_limits<std::int64_t>::max() / kUsOfMs) * kUsOfMs;
        // From its beginning it is watched; where it ended, or in its midst, it is looked at.
        constexpr std::int64_t kBeginningUs = 1'000'000;
        m_stack->setCurrentWidget(m_player);
        m_player->open(one, since < kBeginningUs ? 0 : static_cast<std::uint64_t>(since),
                       since < kBeginningUs ? RecordingPlayer::Begin::Playing : RecordingPlayer::Begin::Standing);
    });
}

} // namespace carrel::ui
