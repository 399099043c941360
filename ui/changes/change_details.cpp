// SPDX-License-Identifier: Apache-2.0
#include "ui/changes/change_details.h"

#include "app/api/answers.h"
#include "ui/changes/signs.h"
#include "ui/parts/message_bar.h"
#include "ui/parts/tones.h"
#include "ui/text/plain.h"

#include <QFormLayout>
#include <QHBoxLayout>
#include <QResizeEvent>
#include <QStackedWidget>
#include <QToolButton>
#include <QVBoxLayout>

#include <utility>

namespace carrel::ui {

namespace json = boost::json;

namespace {
constexpr std::chrono::milliseconds kDocumentAgain{1500};
constexpr int kNarrow = 560; // below, two columns hold too little
} // namespace

// What there is to know beside the lines: a word in front of each, so that no name can pass for one.
class ChangeDetails::Facts : public QWidget {
public:
    explicit Facts(QWidget* parent)
        : QWidget(parent)
        , m_form(new QFormLayout(this)) {
        m_form->setContentsMargins(0, 4, 0, 0);
        m_form->setHorizontalSpacing(14);
        m_form->setVerticalSpacing(4);
        m_form->setLabelAlignment(Qt::AlignLeft | Qt::AlignTop);
        m_form->setRowWrapPolicy(QFormLayout::DontWrapRows);
    }
    void clear() {
        while (m_form->rowCount() > 0) {
            m_form->removeRow(0);
        }
    }
    void add(const QString& title, const QString& text, const char* name, std::optional<Mark> mark = std::nullopt) {
        auto* const head = new QWidget(this);
        auto* const row = new QHBoxLayout(head);
        row->setContentsMargins(0, 0, 0, 0);
        row->setSpacing(6);
        auto* const label = new QLabel(head);
        label->setTextFormat(Qt::PlainText);
        label->setText(title);
        if (mark) {
            auto* const sign = new QLabel(head);
            sign->setPixmap(markIcon(*mark, palette()).pixmap(16, 16));
            row->addWidget(sign);
            auto colours = label->palette();
            colours.setColor(QPalette::WindowText, toneColour(*mark == Mark::HighRisk ? Tone::Bad : Tone::Warning, palette()));
            label->setPalette(colours);
            auto bold = label->font();
            bold.setBold(true);
            label->setFont(bold);
        }
        row->addWidget(label);
        row->addStretch(1);
        auto* const said = new PlainLabel(text, this);
        said->setObjectName(QString::fromLatin1(name));
        said->setAccessibleName(title + QStringLiteral(": ") + text);
        m_form->addRow(head, said);
    }

private:
    QFormLayout* m_form;
};

ChangeDetails::ChangeDetails(EngineLink& link, QString agent, QWidget* parent)
    : QWidget(parent)
    , m_link(link)
    , m_agent(std::move(agent))
    , m_top(new QWidget(this))
    , m_name(new PlainLabel({}, m_top))
    , m_what(new PlainLabel({}, m_top))
    , m_facts(new Facts(m_top))
    , m_bar(new QWidget(this))
    , m_note(new MessageBar(this))
    , m_stack(new QStackedWidget(this))
    , m_words(new PlainLabel({}, m_stack))
    , m_view(new DiffView(m_stack)) {
    m_name->setObjectName(QStringLiteral("changeName"));
    m_what->setObjectName(QStringLiteral("changeWhat"));
    m_words->setObjectName(QStringLiteral("noDifference"));
    m_view->setObjectName(QStringLiteral("diffView"));
    m_note->setObjectName(QStringLiteral("documentNote"));
    auto bold = m_name->font();
    bold.setBold(true);
    m_name->setFont(bold);
    auto* const top = new QVBoxLayout(m_top);
    top->setContentsMargins(10, 8, 10, 4);
    top->setSpacing(2);
    top->addWidget(m_name);
    top->addWidget(m_what);
    top->addWidget(m_facts);
    buildBar();
    m_words->setAlignment(Qt::AlignCenter);
    m_words->setMargin(24);
    m_stack->addWidget(m_words);
    m_stack->addWidget(m_view);
    auto* const all = new QVBoxLayout(this);
    all->setContentsMargins(0, 0, 0, 0);
    all->setSpacing(4);
    all->addWidget(m_top);
    all->addWidget(m_note);
    all->addWidget(m_bar);
    all->addWidget(m_stack, 1);
    m_again.setSingleShot(true);
    connect(&m_again, &QTimer::timeout, this, &ChangeDetails::ask);
    clear();
}

void ChangeDetails::buildBar() {
    const auto button = [&](const QString& text, const QString& tip, const char* name) {
        auto* const out = new QToolButton(m_bar);
        out->setText(text);
        out->setToolTip(tip);
        out->setObjectName(QString::fromLatin1(name));
        out->setFocusPolicy(Qt::StrongFocus);
        return out;
    };
    m_where = new QLabel(m_bar);
    m_where->setTextFormat(Qt::PlainText);
    m_previous = button(tr("Previous"), tr("The change before (P)"), "previousChange");
    m_next = button(tr("Next"), tr("The next change (N)"), "nextChange");
    m_threeWays = button(tr("Three versions"), tr("What both of you began with, yours, and the agent's"), "threeWays");
    m_sideBySide = button(tr("Side by side"), tr("Old and new beside each other, or in one column"), "sideBySide");
    m_threeWays->setCheckable(true);
    m_sideBySide->setCheckable(true);
    m_sideBySide->setChecked(true);
    auto* const row = new QHBoxLayout(m_bar);
    row->setContentsMargins(10, 0, 10, 0);
    row->setSpacing(6);
    row->addWidget(m_where);
    row->addStretch(1);
    row->addWidget(m_threeWays);
    row->addWidget(m_sideBySide);
    row->addSpacing(8);
    row->addWidget(m_previous);
    row->addWidget(m_next);
    connect(m_previous, &QToolButton::clicked, this, [this] { m_view->goToChange(-1); });
    connect(m_next, &QToolButton::clicked, this, [this] { m_view->goToChange(1); });
    connect(m_sideBySide, &QToolButton::toggled, this, &ChangeDetails::arrange);
    connect(m_threeWays, &QToolButton::clicked, this, &ChangeDetails::ask);
}

bool ChangeDetails::sideBySide() const {
    return m_sideBySide->isChecked();
}

void ChangeDetails::setSideBySide(bool wanted) {
    m_sideBySide->setChecked(wanted);
}

void ChangeDetails::arrange() {
    m_view->arrange(sideBySide() && width() >= kNarrow ? DiffView::Arrangement::SideBySide : DiffView::Arrangement::OneColumn);
}

void ChangeDetails::resizeEvent(QResizeEvent* event) {
    QWidget::resizeEvent(event);
    arrange();
}

void ChangeDetails::clear() {
    delete m_request;
    m_again.stop();
    m_change.reset();
    m_top->setVisible(false);
    m_note->clear();
    m_view->clear();
    say(tr("Choose a file to see what changed in it."));
}

void ChangeDetails::say(const QString& what) {
    m_words->setText(what);
    m_stack->setCurrentWidget(m_words);
    updateBar();
}

void ChangeDetails::updateBar() {
    const bool lines = m_stack->currentWidget() == m_view;
    const bool conflict = m_change && m_change->canKeepBoth();
    m_bar->setVisible(lines || conflict);
    m_threeWays->setVisible(conflict);
    m_sideBySide->setVisible(lines && !(conflict && m_threeWays->isChecked()));
    m_previous->setVisible(lines);
    m_next->setVisible(lines);
    m_previous->setEnabled(m_view->changes() > 0);
    m_next->setEnabled(m_view->changes() > 0);
    m_where->setText(lines ? tr("%n place(s) differ", nullptr, m_view->changes()) : QString());
}

void ChangeDetails::describe(const ChangeEntry& change) {
    m_top->setVisible(true);
    m_name->setText(lineOf(change.path, kWholeColumns));
    QStringList what{kindSentence(change)};
    if (const auto size = sizeOf(change); !size.isEmpty()) {
        what << (change.hadContent ? tr("%1 now").arg(size) : size);
    }
    if (change.linesAdded > 0 || change.linesRemoved > 0) {
        what << tr("%n line(s) added", nullptr, countOf(change.linesAdded)) << tr("%n removed", nullptr, countOf(change.linesRemoved));
    }
    m_what->setText(what.join(QStringLiteral(" · ")));
    m_facts->clear();
    if (const auto rights = permissionsText(change); !rights.isEmpty()) {
        m_facts->add(tr("Permissions"), rights, "permissions");
    }
    if (change.highRisk) {
        m_facts->add(tr("High risk"), change.riskReason.empty() ? tr("the engine does not say why") : lineOf(change.riskReason, kWholeColumns),
                     "risk", Mark::HighRisk);
    }
    if (!change.conflict.empty()) {
        m_facts->add(tr("Conflict"), lineOf(change.conflict, kWholeColumns), "conflict", Mark::Conflict);
    }
}

void ChangeDetails::show(const std::string& review, const ChangeEntry& change) {
    m_review = review;
    m_change = change;
    m_awaitDocument = false;
    describe(change);
    ask();
}

void ChangeDetails::showFolder(const std::string& path) {
    clear();
    m_top->setVisible(true);
    m_name->setText(lineOf(path, kWholeColumns));
    m_what->setText(tr("A folder; something in it changed."));
    m_facts->clear();
    say(tr("Choose a file in it to see what changed."));
}

void ChangeDetails::ask() {
    delete m_request;
    m_again.stop();
    m_note->clear();
    if (!m_change) {
        return;
    }
    if (m_change->type == ChangeType::Directory) {
        m_view->clear();
        say(m_change->kind == ChangeKind::Deleted ? tr("The folder is deleted.") : tr("A folder has no lines to compare."));
        return;
    }
    say(m_awaitDocument ? tr("The viewer is reading the document…") : tr("Comparing…"));
    json::object params{{"agent", m_agent.toStdString()},
                        {"review", m_review},
                        {"paths", json::array{pathParameter(m_change->path)}},
                        {"limit", 1}};
    if (m_threeWays->isChecked() && m_change->canKeepBoth()) {
        params["three_way"] = true;
    }
    if (m_awaitDocument) {
        params["documents"] = "wait";
    }
    m_request = m_link.ask("diff", std::move(params), this, [this](const Answer& answer) { answered(answer); });
}

void ChangeDetails::answered(const Answer& answer) {
    m_request = nullptr;
    m_view->clear();
    if (!answer) {
        say(tr("The difference could not be shown."));
        m_note->say(answer.error());
        return;
    }
    const auto& files = api::listAt(*answer, "files");
    const auto* const file = files.size() == 1 && files.front().is_object() ? &files.front().get_object() : nullptr;
    if (file == nullptr || api::pathAt(api::objectAt(*file, "change"), "path") != m_change->path) {
        say(tr("The engine did not answer with this file. Look again."));
        return;
    }
    showFile(*file);
}

// Of office files and the like a machine without a network, made for this one file, reads the text; and says how far it is.
// Whether the text is still to come.
bool ChangeDetails::noteDocument(const json::object& file) {
    const auto& document = api::objectAt(api::objectAt(file, "change"), "document");
    const auto state = api::textAt(document, "state");
    if (state == "ready") {
        m_note->say(MessageBar::Kind::Note,
                    tr("Text taken from the document by an offline viewer; layout, pictures and macros are not shown."),
                    api::flagAt(document, "same_text") ? tr("The text is the same: what differs is something that is not shown.")
                    : api::flagAt(document, "cut")     ? tr("There is more text than could be compared.")
                                                       : QString());
    } else if (state == "failed") {
        m_note->say(MessageBar::Kind::Warning, tr("The viewer could not read the document."),
                    lineOf(api::textAt(document, "why"), kWholeColumns));
    } else if (state == "waiting" || state == "unasked") {
        // The next answer comes when the viewer is done; if it came at once all the same, not again at once.
        m_again.start(std::exchange(m_awaitDocument, true) ? kDocumentAgain : std::chrono::milliseconds(0));
        return true;
    }
    m_awaitDocument = false;
    return false;
}

void ChangeDetails::showFile(const json::object& file) {
    if (noteDocument(file)) {
        say(tr("The viewer is reading the document…"));
        return;
    }
    if (const auto& three = api::objectAt(file, "three_way"); !three.empty()) {
        const bool base = api::flagAt(three, "base_known");
        if (base) {
            m_view->show(parseThreeWay(api::textAt(three, "listing")), DiffView::Kind::ThreeWays,
                         tr("began: what both began with   ·   yours   ·   agent: the agent's   ·   both: the same by both"), {});
        } else {
            m_note->say(MessageBar::Kind::Note, tr("Only two versions can be shown."), lineOf(api::textAt(three, "why_no_base"), kWholeColumns));
            m_view->show(parseUnified(api::textAt(three, "listing")), DiffView::Kind::TwoWays, tr("Yours"), tr("The agent's"));
        }
        m_stack->setCurrentWidget(m_view);
        updateBar();
        return;
    }
    const auto* const diff = file.if_contains("diff");
    if (diff == nullptr || !diff->is_string()) {
        const auto why = api::textAt(file, "no_diff");
        say(why.empty() ? tr("There is nothing to show line by line.")
                        : tr("There is nothing to show line by line: %1.").arg(lineOf(why, kWholeColumns)));
        return;
    }
    if (diff->get_string().empty()) {
        say(tr("There are no lines in it that differ."));
        return;
    }
    const auto after = !m_change->conflict.empty()                ? tr("The agent's")
                       : m_change->kind == ChangeKind::Deleted ? tr("After applying: deleted")
                                                               : tr("After applying");
    m_view->show(parseUnified(std::string(diff->get_string())), DiffView::Kind::TwoWays, tr("In your folder now"), after);
    m_view->setAccessibleName(tr("Difference of %1").arg(m_name->text()));
    m_stack->setCurrentWidget(m_view);
    updateBar();
    arrange();
}

} // namespace carrel::ui
