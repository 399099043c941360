// SPDX-License-Identifier: Apache-2.0
#include "ui/doctor/doctor_window.h"

#include "app/api/answers.h"
#include "ui/parts/message_bar.h"
#include "ui/parts/tones.h"
#include "ui/text/plain.h"

#include <QClipboard>
#include <QDialogButtonBox>
#include <QFontDatabase>
#include <QGuiApplication>
#include <QLineEdit>
#include <QProgressBar>
#include <QPushButton>
#include <QScrollArea>
#include <QVBoxLayout>

namespace carrel::ui {

namespace json = boost::json;
using namespace api;

namespace {

QString severityWord(const std::string& severity) {
    return severity == "blocker" ? DoctorWindow::tr("Stops everything") : severity == "problem" ? DoctorWindow::tr("Problem") : DoctorWindow::tr("Note");
}

// A command as it is to be typed, with a button that copies it.
QWidget* commandRow(const QString& command, QWidget* parent) {
    auto* row = new QWidget(parent);
    auto* line = new QLineEdit(command, row);
    line->setReadOnly(true);
    line->setFont(QFontDatabase::systemFont(QFontDatabase::FixedFont));
    line->setCursorPosition(0);
    line->setObjectName("command");
    line->setAccessibleName(DoctorWindow::tr("Command that mends it"));
    auto* copy = new QPushButton(DoctorWindow::tr("&Copy"), row);
    copy->setAccessibleName(DoctorWindow::tr("Copy the command"));
    QObject::connect(copy, &QPushButton::clicked, line, [line] { QGuiApplication::clipboard()->setText(line->text()); });
    auto* layout = new QHBoxLayout(row);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->addWidget(line, 1);
    layout->addWidget(copy);
    return row;
}

QWidget* findingCard(const json::object& finding, QWidget* parent) {
    auto* card = new QFrame(parent);
    card->setFrameShape(QFrame::StyledPanel);
    card->setObjectName("finding");
    const auto severity = textAt(finding, "severity");
    auto* word = new PlainLabel(severityWord(severity), card);
    auto palette = word->palette();
    palette.setColor(QPalette::WindowText,
                     toneColour(severity == "blocker" ? Tone::Bad : severity == "problem" ? Tone::Warning : Tone::Note, palette));
    word->setPalette(palette);
    auto* what = new PlainLabel(lineOf(textAt(finding, "what"), 400), card);
    auto bold = what->font();
    bold.setBold(true);
    what->setFont(bold);
    word->setFont(bold);
    auto* layout = new QVBoxLayout(card);
    layout->addWidget(word);
    layout->addWidget(what);
    if (const auto why = textAt(finding, "why"); !why.empty()) {
        layout->addWidget(new PlainLabel(DoctorWindow::tr("Why: %1").arg(lineOf(why, 400)), card));
    }
    if (const auto remedy = textAt(finding, "remedy"); !remedy.empty()) {
        layout->addWidget(new PlainLabel(DoctorWindow::tr("What to do: %1").arg(lineOf(remedy, 400)), card));
    }
    if (const auto command = textAt(finding, "command"); !command.empty()) {
        layout->addWidget(commandRow(lineOf(command, 400), card));
    }
    return card;
}

} // namespace

DoctorWindow::DoctorWindow(EngineLink& link, QWidget* parent)
    : QDialog(parent)
    , m_link(link)
    , m_summary(new PlainLabel({}, this))
    , m_more(new PlainLabel({}, this))
    , m_busy(new QProgressBar(this))
    , m_step(new PlainLabel({}, this))
    , m_bar(new MessageBar(this))
    , m_findings(new QScrollArea(this))
    , m_about(new PlainLabel({}, this)) {
    setObjectName("doctor");
    setWindowTitle(tr("This computer"));
    m_summary->setObjectName("summary");
    auto large = m_summary->font();
    large.setPointSizeF(large.pointSizeF() * 1.25);
    large.setBold(true);
    m_summary->setFont(large);
    m_busy->setRange(0, 0);
    m_busy->setTextVisible(false);
    m_busy->setAccessibleName(tr("This computer is being examined"));
    m_findings->setWidgetResizable(true);
    m_findings->setFrameShape(QFrame::NoFrame);
    m_findings->setAccessibleName(tr("Findings"));
    auto* buttons = new QDialogButtonBox(QDialogButtonBox::Close, this);
    m_again = buttons->addButton(tr("&Examine again"), QDialogButtonBox::ActionRole);
    m_again->setObjectName("examineAgain");
    auto* all = new QVBoxLayout(this);
    for (QWidget* each : {static_cast<QWidget*>(m_summary), static_cast<QWidget*>(m_more), static_cast<QWidget*>(m_busy),
                          static_cast<QWidget*>(m_step), static_cast<QWidget*>(m_bar)}) {
        all->addWidget(each);
    }
    all->addWidget(m_findings, 1);
    all->addWidget(m_about);
    all->addWidget(buttons);
    resize(640, 520);
    connect(m_again, &QPushButton::clicked, this, [this] { examine(Probe::Fresh); });
    connect(buttons, &QDialogButtonBox::rejected, this, &QDialog::reject);
}

void DoctorWindow::examine(Probe probe) {
    delete m_request;
    json::object params;
    if (probe == Probe::Fresh) {
        params["fresh"] = true;
    }
    m_summary->setText(tr("This computer is being examined"));
    m_more->setText(tr("A small machine is started to see what really works; that can take a little."));
    m_bar->clear();
    m_busy->setVisible(true);
    m_step->setVisible(true);
    m_step->clear();
    m_again->setEnabled(false);
    delete m_findings->takeWidget();
    m_about->clear();
    m_request = m_link.ask("doctor", std::move(params), this, [this](const Answer& answer) {
        m_request = nullptr;
        m_busy->setVisible(false);
        m_step->setVisible(false);
        m_again->setEnabled(true);
        if (!answer) {
            m_summary->setText(tr("This computer could not be examined"));
            m_more->clear();
            m_bar->say(answer.error());
            return;
        }
        tell(*answer);
    });
    connect(m_request, &Request::progress, this, [this](const Progress& progress) { m_step->setText(lineOf(progress.text, 120)); });
}

void DoctorWindow::tell(const json::object& report) {
    const auto accelerator = textAt(report, "accelerator");
    m_summary->setText(accelerator.empty()         ? tr("No machine can run on this computer")
                       : accelerator == "hardware" ? tr("Machines run here with hardware virtualization")
                                                   : tr("Machines run here, by software emulation"));
    auto more = lineOf(textAt(report, "reason"), 400);
    if (!more.isEmpty()) {
        more[0] = more[0].toUpper();
        more += more.endsWith('.') ? "" : ".";
    }
    if (accelerator == "software") {
        more += ' ' + tr("Software emulation is slower, and a weaker wall than hardware virtualization.");
    }
    m_more->setText(more);
    auto* list = new QWidget(m_findings);
    auto* layout = new QVBoxLayout(list);
    layout->setContentsMargins(0, 0, 0, 0);
    for (const auto& finding : listAt(report, "findings")) {
        if (finding.is_object()) {
            layout->addWidget(findingCard(finding.get_object(), list));
        }
    }
    if (listAt(report, "findings").empty()) {
        layout->addWidget(new PlainLabel(tr("Nothing is wrong here."), list));
    }
    layout->addStretch();
    m_findings->setWidget(list);
    m_about->setText(tr("%1, Carrel %2. Data in %3%4")
                         .arg(lineOf(textAt(report, "hypervisor")), lineOf(textAt(report, "version"), 40), lineOf(textAt(report, "home"), 400),
                              flagAt(report, "from_cache") ? tr(" (remembered from the last time)") : QString()));
}

} // namespace carrel::ui
