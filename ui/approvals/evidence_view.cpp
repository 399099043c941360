// SPDX-License-Identifier: Apache-2.0
#include "ui/approvals/evidence_view.h"

#include "app/api/answers.h"
#include "guest/protocol/change_report.h"
#include "ui/parts/message_bar.h"
#include "ui/parts/tones.h"
#include "ui/text/plain.h"

#include <QFontDatabase>
#include <QHeaderView>
#include <QPlainTextEdit>
#include <QSplitter>
#include <QTreeWidget>
#include <QVBoxLayout>

namespace carrel::ui {

namespace json = boost::json;
using namespace api;

namespace {

constexpr int kPage = 1000;
constexpr int kIndexRole = Qt::UserRole;

QString kindText(const std::string& kind) {
    return kind == "created"    ? EvidenceView::tr("created")
           : kind == "modified" ? EvidenceView::tr("modified")
           : kind == "deleted"  ? EvidenceView::tr("deleted")
           : kind == "renamed"  ? EvidenceView::tr("renamed")
           : kind == "mode"     ? EvidenceView::tr("permissions")
           : kind == "link"     ? EvidenceView::tr("link")
                                : lineOf(kind, 20);
}

QString notesOf(const json::object& change) {
    QStringList out;
    if (textAt(change, "risk") == "high") {
        out << EvidenceView::tr("High risk: %1").arg(lineOf(textAt(change, "risk_reason")));
    }
    if (const auto conflict = textAt(change, "conflict"); !conflict.empty()) {
        out << EvidenceView::tr("Conflict: %1").arg(lineOf(conflict));
    }
    if (const auto from = pathAt(change, "from"); !from.empty()) {
        out << EvidenceView::tr("was %1").arg(lineOf(from, kWholeColumns));
    }
    if (const auto target = pathAt(change, "link_target"); !target.empty()) {
        out << EvidenceView::tr("leads to %1").arg(lineOf(target, kWholeColumns));
    }
    const auto before = textAt(change, "old_mode");
    const auto after = textAt(change, "mode");
    if (!before.empty() && before != after && textAt(change, "kind") != "deleted" && textAt(change, "type") != "symlink") {
        out << EvidenceView::tr("permissions %1 → %2").arg(lineOf(before, 8), lineOf(after, 8));
    }
    return out.join(QStringLiteral("; "));
}

} // namespace

EvidenceView::EvidenceView(EngineLink& link, QWidget* parent)
    : QWidget(parent)
    , m_link(link)
    , m_title(new PlainLabel({}, this))
    , m_list(new QTreeWidget(this))
    , m_lines(new QPlainTextEdit(this))
    , m_bar(new MessageBar(this)) {
    setObjectName("evidence");
    m_list->setObjectName("changes");
    m_list->setAccessibleName(tr("What it is about"));
    m_list->setRootIsDecorated(false);
    m_list->setUniformRowHeights(true);
    m_lines->setObjectName("lines");
    m_lines->setReadOnly(true);
    m_lines->setLineWrapMode(QPlainTextEdit::NoWrap);
    m_lines->setFont(QFontDatabase::systemFont(QFontDatabase::FixedFont));
    m_lines->setAccessibleName(tr("The chosen change, line by line"));
    auto* splitter = new QSplitter(Qt::Vertical, this);
    splitter->addWidget(m_list);
    splitter->addWidget(m_lines);
    splitter->setStretchFactor(1, 1);
    auto* all = new QVBoxLayout(this);
    all->setContentsMargins(0, 0, 0, 0);
    all->addWidget(m_title);
    all->addWidget(m_bar);
    all->addWidget(splitter, 1);
    connect(m_list, &QTreeWidget::currentItemChanged, this, &EvidenceView::showLines);
}

void EvidenceView::clear() {
    delete m_request;
    delete m_lineRequest;
    m_changes.clear();
    m_list->clear();
    m_lines->clear();
    m_bar->clear();
    m_review.clear();
}

void EvidenceView::show(const json::object& shown) {
    clear();
    const auto& approval = objectAt(shown, "approval");
    m_agent = textAt(approval, "agent");
    m_review = textAt(shown, "review");
    if (!m_review.empty()) {
        m_title->setText(tr("The changes, as Carrel has copied them:"));
        m_list->setHeaderLabels({tr("File"), tr("What"), tr("Size"), tr("To be noted")});
        m_list->header()->resizeSection(0, 320);
        m_lines->setVisible(true);
        page(0);
        return;
    }
    // Its fields, of which there are few.
    m_title->setText(tr("What it is about:"));
    m_lines->setVisible(false);
    m_list->setHeaderLabels({tr("What"), tr("Value")});
    for (const auto& value : listAt(shown, "things")) {
        if (!value.is_object()) {
            continue;
        }
        for (const auto& member : value.get_object()) {
            const auto& field = member.value();
            auto* item = new QTreeWidgetItem(m_list);
            item->setText(0, lineOf(std::string(member.key()), 60));
            item->setText(1, lineOf(field.is_string() ? std::string(field.get_string()) : json::serialize(field), kWholeColumns));
            item->setToolTip(1, toolTipOf(item->text(1)));
        }
    }
    if (!flagAt(shown, "complete")) {
        m_bar->say(MessageBar::Kind::Warning, tr("These are not all: there are %n.", nullptr, static_cast<int>(numberAt(approval, "items"))));
    }
    emit whole();
}

void EvidenceView::page(std::uint64_t after) {
    m_request = m_link.ask("changes", {{"agent", m_agent}, {"review", m_review}, {"after", after}, {"limit", kPage}}, this, [this](const Answer& answer) {
        m_request = nullptr;
        if (!answer) {
            m_bar->say(answer.error().wrap("what it would change cannot be shown, so it cannot be allowed here"));
            return;
        }
        if (textAt(*answer, "review") != m_review) {
            m_bar->say(MessageBar::Kind::Error, tr("The changes that the engine shows are not those that the request is about."));
            return;
        }
        for (const auto& change : listAt(*answer, "changes")) {
            if (change.is_object()) {
                addChange(change.get_object());
            }
        }
        const auto* const next = answer->if_contains("next");
        if (next != nullptr && !next->is_null()) {
            page(numberAt(*answer, "next"));
            return;
        }
        if (m_list->topLevelItemCount() > 0) {
            m_list->setCurrentItem(m_list->topLevelItem(0));
        }
        emit whole();
    });
}

void EvidenceView::addChange(const json::object& change) {
    auto* item = new QTreeWidgetItem(m_list);
    item->setData(0, kIndexRole, static_cast<int>(m_changes.size()));
    item->setText(0, lineOf(pathAt(change, "path"), kWholeColumns));
    item->setToolTip(0, toolTipOf(item->text(0)));
    item->setText(1, kindText(textAt(change, "kind")));
    if (!textAt(change, "content").empty()) {
        item->setText(2, sizeText(numberAt(change, "size")));
    }
    item->setText(3, notesOf(change));
    item->setToolTip(3, toolTipOf(item->text(3)));
    if (textAt(change, "risk") == "high" || !textAt(change, "conflict").empty()) {
        item->setForeground(3, toneColour(Tone::Bad, palette()));
    }
    m_changes.push_back(change);
}

void EvidenceView::showLines() {
    delete m_lineRequest;
    m_lines->clear();
    const auto* const item = m_list->currentItem();
    if (item == nullptr || m_review.empty()) {
        return;
    }
    const auto index = static_cast<std::size_t>(item->data(0, kIndexRole).toInt());
    json::object path;
    putPath(path, "path", pathAt(m_changes.at(index), "path"));
    m_lineRequest = m_link.ask("diff", {{"agent", m_agent}, {"review", m_review}, {"paths", json::array{path}}, {"limit", 1}}, this,
                               [this](const Answer& answer) {
                                   m_lineRequest = nullptr;
                                   linesCame(answer);
                               });
}

void EvidenceView::linesCame(const Answer& answer) {
    if (!answer) {
        m_lines->setPlainText(bothOf(answer.error()));
        return;
    }
    for (const auto& value : listAt(*answer, "files")) {
        if (!value.is_object()) {
            continue;
        }
        const auto& file = value.get_object();
        const auto diff = textAt(file, "diff");
        const auto why = textAt(file, "no_diff");
        m_lines->setPlainText(diff.empty() ? tr("No lines to show: %1").arg(lineOf(why)) : blockOf(diff));
        return;
    }
    m_lines->setPlainText(tr("No lines to show."));
}

} // namespace carrel::ui
