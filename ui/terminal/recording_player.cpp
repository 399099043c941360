// SPDX-License-Identifier: Apache-2.0
#include "ui/terminal/recording_player.h"

#include "app/api/answers.h"
#include "guest/protocol/share_path.h"
#include "ui/parts/message_bar.h"
#include "ui/terminal/guest_strip.h"
#include "ui/terminal/recording_link.h"
#include "ui/terminal/terminal_view.h"
#include "ui/text/plain.h"

#include <QCheckBox>
#include <QComboBox>
#include <QDateTime>
#include <QHBoxLayout>
#include <QKeyEvent>
#include <QLabel>
#include <QLocale>
#include <QPushButton>
#include <QSignalBlocker>
#include <QSlider>
#include <QStyle>
#include <QVBoxLayout>

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

namespace carrel::ui {

namespace json = boost::json;
using api::player::Drawn;
using api::player::Piece;

namespace {

constexpr std::array kSpeeds{0.5, 1.0, 2.0, 4.0, 8.0, 16.0};
constexpr int kUsualSpeed = 1;
constexpr std::int64_t kStepUs = 5'000'000;
constexpr std::uint64_t kSliderUs = 100'000; // of one step of the slider
constexpr int kTellMs = 100;
constexpr std::int64_t kLeastWaitMs = 10; // no screen shows more pictures in a second
constexpr std::int64_t kMostWaitMs = 60'000;

int onSlider(std::uint64_t us) {
    return static_cast<int>(std::min<std::uint64_t>(us / kSliderUs, std::numeric_limits<int>::max()));
}

// A click on it goes where it points, as on other players.
class SeekBar : public QSlider {
public:
    explicit SeekBar(QWidget* parent)
        : QSlider(Qt::Horizontal, parent) {}

protected:
    void mousePressEvent(QMouseEvent* event) override {
        if (event->button() == Qt::LeftButton && maximum() > 0) {
            setValue(QStyle::sliderValueFromPosition(minimum(), maximum(), event->pos().x(), std::max(width(), 1), layoutDirection() == Qt::RightToLeft));
        }
        QSlider::mousePressEvent(event);
    }
};

} // namespace

RecordingPlayer::RecordingPlayer(EngineLink& engine, QString agent, QWidget* parent)
    : QWidget(parent)
    , m_engine(engine)
    , m_agent(std::move(agent))
    , m_bar(new MessageBar(this))
    , m_strip(new GuestStrip({}, this))
    , m_view(new TerminalView(this))
    , m_list(new QPushButton(tr("&All recordings"), this))
    , m_play(new QPushButton(this))
    , m_slider(new SeekBar(this))
    , m_where(new PlainLabel({}, this))
    , m_speed(new QComboBox(this))
    , m_short(new QCheckBox(tr("S&horten pauses"), this)) {
    setObjectName("recordingPlayer");
    m_time.start();
    m_bar->setObjectName("recordingBar");
    m_view->setObjectName("recordingView");
    m_view->setReplay(true);
    m_view->setAccessibleDescription(tr("What is shown in it was drawn by the agent's machine. Nothing can be typed. Space plays and stops, the arrows go back and on."));
    m_view->installEventFilter(this);
    m_list->setObjectName("recordingList");
    m_play->setObjectName("recordingPlay");
    m_slider->setObjectName("recordingSeek");
    m_slider->setAccessibleName(tr("Where in the recording"));
    m_slider->setSingleStep(static_cast<int>(kStepUs / static_cast<std::int64_t>(kSliderUs)));
    m_where->setObjectName("recordingWhere");
    m_speed->setObjectName("recordingSpeed");
    m_speed->setAccessibleName(tr("Speed"));
    for (const double speed : kSpeeds) {
        m_speed->addItem(tr("%1 ×").arg(speed), speed);
    }
    m_speed->setCurrentIndex(kUsualSpeed);
    m_short->setObjectName("recordingShort");
    m_short->setToolTip(toolTipOf(tr("Where nothing happened for longer than two seconds, it goes on after two.")));
    arrange();

    m_tick.setSingleShot(true);
    m_tell.setInterval(kTellMs);
    connect(&m_tick, &QTimer::timeout, this, &RecordingPlayer::order);
    connect(&m_tell, &QTimer::timeout, this, &RecordingPlayer::tell);
    connect(m_list, &QPushButton::clicked, this, &RecordingPlayer::listWanted);
    connect(m_play, &QPushButton::clicked, this, &RecordingPlayer::toggle);
    connect(m_bar, &MessageBar::acted, this, [this] { open(m_recording, position(), Begin::Standing); });
    connect(m_slider, &QSlider::valueChanged, this, [this](int value) { seek(std::min(static_cast<std::uint64_t>(value) * kSliderUs, m_length)); });
    connect(m_speed, &QComboBox::currentIndexChanged, this, [this] {
        m_clock.setSpeed(m_speed->currentData().toDouble(), now());
        schedule();
    });
    connect(m_short, &QCheckBox::toggled, this, &RecordingPlayer::schedule);
    tell();
}

RecordingPlayer::~RecordingPlayer() = default;

void RecordingPlayer::arrange() {
    auto* controls = new QHBoxLayout;
    controls->setContentsMargins(8, 4, 8, 4);
    controls->setSpacing(8); // not that of the rows
    controls->addWidget(m_list);
    controls->addWidget(m_play);
    controls->addWidget(m_slider, 1);
    controls->addWidget(m_where);
    controls->addWidget(m_speed);
    controls->addWidget(m_short);
    auto* all = new QVBoxLayout(this);
    all->setContentsMargins(0, 0, 0, 0);
    all->setSpacing(0);
    all->addWidget(m_bar);
    all->addLayout(controls);
    all->addWidget(m_strip);
    all->addWidget(m_view, 1);
    m_where->setTextInteractionFlags(Qt::NoTextInteraction);
    m_where->setWordWrap(false);
    QWidget* before = m_list;
    for (QWidget* each : {static_cast<QWidget*>(m_play), static_cast<QWidget*>(m_slider), static_cast<QWidget*>(m_speed), static_cast<QWidget*>(m_short), static_cast<QWidget*>(m_view)}) {
        setTabOrder(before, each);
        before = each;
    }
}

void RecordingPlayer::open(const RecordingInfo& recording, std::uint64_t fromUs, Begin begin) {
    close();
    m_recording = recording;
    m_length = recording.lastUs;
    const auto title = lineOf(recording.title, 80);
    const auto when = QLocale().toString(QDateTime::fromMSecsSinceEpoch(recording.startedMs), QLocale::ShortFormat);
    m_strip->say(tr("Recording %1 of %2: %3. Drawn by the agent's machine at the time. Nothing can be typed.").arg(recording.number).arg(when, title));
    m_view->setAccessibleName(tr("Recording %1 of agent %2: %3").arg(recording.number).arg(m_agent, title));
    m_link = new RecordingLink(this);
    connect(m_link, &RecordingLink::frame, this, &RecordingPlayer::take);
    connect(m_link, &RecordingLink::drawn, this, &RecordingPlayer::drawn);
    connect(m_link, &RecordingLink::failed, this, &RecordingPlayer::failed);
    if (const auto started = m_link->start(); !started) {
        failed(started.error());
        return;
    }
    if (begin == Begin::Playing) {
        m_clock.run(now());
        m_tell.start();
    }
    seek(std::min(fromUs, m_length));
    m_view->setFocus();
}

void RecordingPlayer::close() {
    endLink();
    m_clock = PlaybackClock();
    m_clock.setSpeed(m_speed->currentData().toDouble(), now());
    m_length = 0;
    m_bar->clear();
    m_view->clearAll();
    tell();
}

void RecordingPlayer::endLink() {
    delete m_request;
    m_tick.stop();
    m_tell.stop();
    m_ahead.clear();
    m_more = false;
    m_waits = false;
    m_nextUs.reset();
    if (m_link != nullptr) {
        m_link->disconnect(this);
        m_link->deleteLater(); // it may be the one that tells
        m_link = nullptr;
    }
}

std::uint64_t RecordingPlayer::position() const {
    return std::min(m_clock.at(now()), m_length);
}

void RecordingPlayer::play() {
    if (m_link == nullptr || m_clock.runs()) {
        return;
    }
    const bool over = position() >= m_length && !m_waits;
    m_clock.run(now());
    m_tell.start();
    if (over) {
        seek(0);
    } else {
        schedule();
    }
    tell();
}

void RecordingPlayer::stand() {
    m_clock.stand(now());
    m_tick.stop();
    m_tell.stop();
    tell();
}

void RecordingPlayer::toggle() {
    if (m_clock.runs()) {
        stand();
    } else {
        play();
    }
}

void RecordingPlayer::seek(std::uint64_t us) {
    if (m_link == nullptr) {
        return;
    }
    m_bar->clear();
    m_clock.jump(us, now());
    ++m_order; // what is under way is not what is wanted any more
    m_tick.stop();
    m_ahead.clear();
    m_nextUs.reset();
    fetch({{"at_us", us}}, true);
    tell();
}

void RecordingPlayer::step(std::int64_t us) {
    const auto here = static_cast<std::int64_t>(position());
    seek(std::min(static_cast<std::uint64_t>(std::max<std::int64_t>(here + us, 0)), m_length));
}

void RecordingPlayer::faster(int steps) {
    m_speed->setCurrentIndex(std::clamp(m_speed->currentIndex() + steps, 0, m_speed->count() - 1));
}

void RecordingPlayer::fetch(json::object params, bool anew) {
    delete m_request;
    m_waits = true;
    params["agent"] = m_agent.toStdString();
    params["recording"] = m_recording.number;
    m_request = m_engine.ask("recording.read", std::move(params), this, [this, anew](const Answer& answer) { fetched(answer, anew); });
}

void RecordingPlayer::fetched(const Answer& answer, bool anew) {
    m_request = nullptr; // it goes by itself
    m_waits = false;
    if (!answer) {
        failed(answer.error());
        return;
    }
    for (const auto& each : api::listAt(*answer, "chunks")) {
        const auto* text = each.is_object() ? each.get_object().if_contains("data_b64") : nullptr;
        auto bytes = text != nullptr && text->is_string() ? fromBase64(std::string_view(text->get_string())) : Result<std::string>(fail(ErrorCode::Malformed, ""));
        if (!bytes) {
            failed(Error{ErrorCode::Malformed, tr("the engine's answer has no form that can be read").toStdString(), {}, 0, nullptr});
            return;
        }
        const auto& row = each.get_object();
        m_ahead.push_back({api::numberAt(row, "number"), api::numberAt(row, "first_us"), api::numberAt(row, "last_us"), std::move(*bytes)});
        m_length = std::max(m_length, m_ahead.back().lastUs); // of one that goes on there is more by now
    }
    m_more = api::numberAt(*answer, "next") != 0;
    if (m_ahead.empty()) {
        atEnd();
        return;
    }
    giveNext(anew ? Piece::How::BeginsAnew : Piece::How::GoesOn);
}

void RecordingPlayer::giveNext(Piece::How how) {
    auto next = std::move(m_ahead.front());
    m_ahead.pop_front();
    m_given = next.number;
    m_link->give({how, next.firstUs, std::move(next.data)});
    order();
}

void RecordingPlayer::order() {
    if (m_link == nullptr || m_waits) {
        return;
    }
    m_waits = true;
    m_link->drawUntil(++m_order, m_clock.at(now()));
}

void RecordingPlayer::drawn(const Drawn& drawn) {
    if (drawn.order != m_order) {
        return;
    }
    m_waits = false;
    m_nextUs = drawn.nextUs;
    if (m_nextUs) {
        schedule();
    } else if (!m_ahead.empty() && m_ahead.front().firstUs <= m_clock.at(now())) {
        giveNext(Piece::How::GoesOn);
    } else if (!m_ahead.empty()) {
        schedule();
    } else if (m_more) {
        fetch({{"after", m_given}}, false);
    } else {
        atEnd();
    }
}

// When the next is to be drawn; nothing while it stands.
void RecordingPlayer::schedule() {
    m_tick.stop();
    if (!m_clock.runs() || m_waits || m_link == nullptr) {
        return;
    }
    const auto next = m_nextUs ? m_nextUs : m_ahead.empty() ? std::nullopt : std::optional(m_ahead.front().firstUs);
    if (!next) {
        order();
        return;
    }
    if (m_short->isChecked()) {
        m_clock.shortenPause(*next, now());
    }
    m_tick.start(static_cast<int>(std::clamp(m_clock.waitFor(*next, now()), kLeastWaitMs, kMostWaitMs)));
}

void RecordingPlayer::atEnd() {
    const bool ran = m_clock.runs();
    if (ran || m_clock.at(now()) > m_length) {
        m_clock.jump(m_length, now());
    }
    stand();
    if (m_recording.empty && m_length == 0) {
        m_bar->say(MessageBar::Kind::Note, m_recording.goesOn ? tr("Nothing of this recording is kept yet.") : tr("This recording is empty: nothing was shown in its terminal."));
    } else if (ran && m_recording.goesOn) {
        m_bar->say(MessageBar::Kind::Note, tr("The terminal goes on. This is what was kept of it by now."));
    } else if (ran && !m_recording.endedMs) {
        m_bar->say(MessageBar::Kind::Note, tr("The recording is broken off here: Carrel's engine ended before the terminal did."));
    }
}

void RecordingPlayer::take(api::terminal::Frame& frame) {
    const auto before = std::pair(m_view->grid().screen().rows, m_view->grid().screen().columns);
    const auto size = std::pair(frame.screen.rows, frame.screen.columns);
    frame.scrolled.clear(); // what came before is sought by its moment
    m_view->take(std::move(frame));
    if (size != before) {
        m_view->fit(size.first, size.second);
    }
}

void RecordingPlayer::failed(const Error& error) {
    const auto where = position();
    endLink();
    m_clock.stand(now());
    m_clock.jump(where, now());
    m_bar->say(error.wrap(tr("This recording cannot be played on").toStdString()));
    m_bar->offer(tr("Try again"));
    tell();
}

void RecordingPlayer::tell() {
    const auto here = position();
    const bool runs = m_clock.runs();
    m_play->setText(runs ? tr("Pause") : tr("Play"));
    m_play->setEnabled(m_link != nullptr);
    m_slider->setEnabled(m_link != nullptr && m_length > 0);
    const auto words = [this](std::uint64_t at) { return tr("%1 of %2").arg(durationText(at), durationText(m_length)); };
    m_where->setText(words(here));
    m_where->setMinimumWidth(m_where->fontMetrics().horizontalAdvance(words(m_length))); // so that nothing beside it moves
    m_slider->setAccessibleDescription(words(here));
    const QSignalBlocker quiet(m_slider);
    m_slider->setRange(0, onSlider(m_length));
    m_slider->setPageStep(std::max(onSlider(m_length) / 10, 1));
    if (!m_slider->isSliderDown()) {
        m_slider->setValue(onSlider(here));
    }
}

void RecordingPlayer::keyPressEvent(QKeyEvent* event) {
    if (event->modifiers() != Qt::NoModifier && event->modifiers() != Qt::KeypadModifier) {
        QWidget::keyPressEvent(event);
        return;
    }
    switch (event->key()) {
    case Qt::Key_Space:
        return toggle();
    case Qt::Key_Left:
        return step(-kStepUs);
    case Qt::Key_Right:
        return step(kStepUs);
    case Qt::Key_Up:
        return faster(1);
    case Qt::Key_Down:
        return faster(-1);
    case Qt::Key_Home:
        return seek(0);
    case Qt::Key_End:
        return seek(m_length);
    default:
        QWidget::keyPressEvent(event);
    }
}

void RecordingPlayer::hideEvent(QHideEvent* event) {
    QWidget::hideEvent(event);
    stand();
}

bool RecordingPlayer::eventFilter(QObject* watched, QEvent* event) {
    if (watched == m_view && event->type() == QEvent::Resize) {
        const auto& screen = m_view->grid().screen();
        if (screen.rows > 0) {
            QMetaObject::invokeMethod(this, [this] { m_view->fit(m_view->grid().screen().rows, m_view->grid().screen().columns); }, Qt::QueuedConnection);
        }
    }
    return QWidget::eventFilter(watched, event);
}

} // namespace carrel::ui
