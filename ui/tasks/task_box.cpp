// SPDX-License-Identifier: Apache-2.0
#include "ui/tasks/task_box.h"

#include "ui/parts/tones.h"
#include "ui/tasks/attachments.h"
#include "ui/tasks/task_edit.h"
#include "ui/text/plain.h"

#include <QFileDialog>
#include <QHBoxLayout>
#include <QPainter>
#include <QPushButton>
#include <QStyle>
#include <QToolButton>
#include <QVBoxLayout>

namespace carrel::ui {

namespace {
constexpr qsizetype kMostBytes = 64 * 1024; // task.add.json
} // namespace

// Cut where there is no room.
class TaskBox::Target : public PlainLabel {
public:
    using PlainLabel::PlainLabel;

protected:
    void paintEvent(QPaintEvent* /*event*/) override {
        QPainter painter(this);
        style()->drawItemText(&painter, contentsRect(), Qt::AlignLeft | Qt::AlignVCenter, palette(), isEnabled(),
                              fontMetrics().elidedText(text(), Qt::ElideRight, contentsRect().width()), foregroundRole());
    }
};

TaskBox::TaskBox(QWidget* parent)
    : QWidget(parent)
    , m_target(new Target({}, this))
    , m_new(new QPushButton(tr("&New task instead"), this))
    , m_files(new Attachments(this))
    , m_text(new TaskEdit(this))
    , m_problem(new PlainLabel({}, this))
    , m_attach(new QPushButton(tr("&Attach…"), this))
    , m_model(new QToolButton(this))
    , m_keys(new PlainLabel(tr("Enter sends, Shift+Enter begins a new line"), this))
    , m_send(new QPushButton(tr("&Send"), this)) {
    setObjectName("taskBox");
    for (auto& [widget, name] : {std::pair<QWidget*, const char*>{m_target, "taskTarget"}, {m_new, "newInstead"}, {m_problem, "taskProblem"},
                                 {m_attach, "attach"}, {m_model, "chooseModel"}, {m_send, "send"}}) {
        widget->setObjectName(name);
    }
    m_target->setWordWrap(false);
    m_target->setTextInteractionFlags(Qt::NoTextInteraction);
    m_target->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred);
    m_attach->setAutoDefault(false);
    m_attach->setToolTip(toolTipOf(tr("Gives copies of files with the text, to be read. Files can be dropped here as well.")));
    m_model->setAutoRaise(true);
    m_model->setToolTip(toolTipOf(tr("Which model the agent thinks with")));
    m_keys->setWordWrap(false);
    auto quiet = palette();
    quiet.setColor(QPalette::WindowText, quiet.color(QPalette::PlaceholderText));
    m_keys->setPalette(quiet);
    auto* const above = new QHBoxLayout;
    above->addWidget(m_target, 1);
    above->addWidget(m_new);
    auto* const below = new QHBoxLayout;
    below->addWidget(m_attach);
    below->addWidget(m_model);
    below->addStretch();
    below->addWidget(m_keys);
    below->addWidget(m_send);
    auto* const all = new QVBoxLayout(this);
    all->setContentsMargins(0, 4, 0, 0);
    all->addLayout(above);
    all->addWidget(m_files);
    all->addWidget(m_text);
    all->addWidget(m_problem);
    all->addLayout(below);
    connect(m_text, &TaskEdit::sent, this, &TaskBox::send);
    connect(m_text, &TaskEdit::filesGiven, this, &TaskBox::attach);
    connect(m_text, &QPlainTextEdit::textChanged, this, [this] {
        m_refused.clear();
        check();
    });
    connect(m_send, &QPushButton::clicked, this, &TaskBox::send);
    connect(m_attach, &QPushButton::clicked, this, &TaskBox::chooseFiles);
    connect(m_new, &QPushButton::clicked, this, &TaskBox::newWanted);
    connect(m_model, &QToolButton::clicked, this, &TaskBox::modelWanted);
    connect(m_files, &Attachments::changed, this, &TaskBox::check);
    connect(m_files, &Attachments::refused, this, [this](const QString& why) {
        m_refused << why;
        check();
    });
    setTarget(nullptr);
    setModel({});
    check();
}

void TaskBox::setTarget(const TaskInfo* task) {
    const bool isNew = task == nullptr;
    if (const auto id = isNew ? 0 : task->id; id != m_task) {
        m_drafts.insert(m_task, {m_text->toPlainText(), m_files->paths()});
        m_task = id;
        restore(m_drafts.take(id));
    }
    m_new->setVisible(!isNew);
    m_target->setText(isNew              ? tr("A new task")
                      : task->works()    ? tr("A follow-up, said after the turn that goes on: %1").arg(taskTitle(*task))
                      : task->unsaid > 0 ? tr("A follow-up, after %n that wait(s): %1", nullptr, countOf(task->unsaid)).arg(taskTitle(*task))
                                         : tr("A follow-up: %1").arg(taskTitle(*task)));
    m_target->setToolTip(toolTipOf(isNew ? QString() : taskTitle(*task)));
    m_text->setPlaceholderText(isNew ? tr("What is to be done? For example: sort these receipts into a report") : tr("Say something more about this task"));
    m_text->setAccessibleName(m_target->text());
}

void TaskBox::restore(const Draft& draft) {
    m_text->setPlainText(draft.text);
    m_files->clear();
    m_files->add(draft.files);
}

void TaskBox::carryToNew() {
    auto& draft = m_drafts[0];
    if (m_task != 0 && draft.text.isEmpty() && draft.files.isEmpty()) {
        draft = {m_text->toPlainText(), m_files->paths()};
        restore({});
    }
}

void TaskBox::setModel(const QString& model) {
    m_model->setText(model.isEmpty() ? tr("No model is chosen…") : tr("Model: %1…").arg(QString(model).replace('&', QStringLiteral("&&"))));
    m_model->setAccessibleName(model.isEmpty() ? tr("Choose a model") : tr("Model: %1. Choose another").arg(model));
}

void TaskBox::setSending(bool sending) {
    m_sending = sending;
    m_text->setReadOnly(sending);
    check();
}

void TaskBox::taken() {
    m_text->clear();
    m_files->clear();
}

void TaskBox::suggest(const QString& text) {
    if (m_text->toPlainText().isEmpty()) {
        m_text->setPlainText(text);
        m_text->selectAll();
    }
    focusText();
}

void TaskBox::attach(const QMimeData* dropped) {
    m_refused.clear();
    m_files->add(dropped);
}

void TaskBox::focusText() {
    m_text->setFocus();
}

void TaskBox::chooseFiles() {
    auto* const dialog = new QFileDialog(this, tr("Attach files"));
    dialog->setAttribute(Qt::WA_DeleteOnClose);
    dialog->setFileMode(QFileDialog::ExistingFiles);
    connect(dialog, &QFileDialog::filesSelected, this, [this](const QStringList& files) {
        m_refused.clear();
        m_files->add(files);
    });
    dialog->open();
}

void TaskBox::check() {
    const auto bytes = m_text->toPlainText().toUtf8().size();
    if (bytes > kMostBytes) {
        m_problem->setText(tr("That is longer than a text may be by %1: put it into a file and attach it.").arg(sizeText(static_cast<std::uint64_t>(bytes - kMostBytes))));
    } else {
        m_problem->setText(m_refused.join('\n'));
    }
    m_problem->setVisible(!m_problem->text().isEmpty());
    m_send->setEnabled(!m_sending && bytes <= kMostBytes && !m_text->toPlainText().trimmed().isEmpty());
}

void TaskBox::send() {
    if (m_send->isEnabled()) {
        emit sent(m_text->toPlainText().trimmed(), m_files->paths());
    }
}

} // namespace carrel::ui
