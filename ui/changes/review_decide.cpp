// SPDX-License-Identifier: Apache-2.0
// What a person decides of ReviewPanel's review. What is sent is the review that was on the screen when the button was pressed,
// and of it what the button and the question named.
#include "ui/changes/review_panel.h"

#include "ui/changes/decision_dialog.h"
#include "ui/text/plain.h"

#include <QTreeView>

#include <algorithm>

namespace carrel::ui {

namespace {

} // namespace

void ReviewPanel::apply() {
    const auto chosen = m_model->chosen();
    if (chosen.picked.empty()) {
        askAboutRisk(DeedKind::Apply, m_model->all(), {});
    } else {
        askAboutRisk(DeedKind::Apply, chosen, chosen.everything ? std::vector<std::string>() : chosen.paths);
    }
}

// Of what is chosen; of nothing, the change that is looked at.
std::vector<const ChangeEntry*> ReviewPanel::forBoth() const {
    auto out = m_model->chosen().conflicts;
    if (const auto* const current = m_model->entryAt(m_tree->currentIndex()); out.empty() && current != nullptr) {
        out.push_back(current);
    }
    std::erase_if(out, [](const ChangeEntry* entry) { return !entry->canKeepBoth(); });
    return out;
}

void ReviewPanel::keepBoth() {
    ChangeTreeModel::Chosen chosen;
    std::vector<std::string> paths;
    for (const auto* entry : forBoth()) {
        chosen.picked.push_back(entry);
        paths.push_back(entry->path);
        if (entry->highRisk) {
            chosen.highRisk.push_back(entry);
        }
    }
    if (!paths.empty()) {
        askAboutRisk(DeedKind::KeepBoth, chosen, std::move(paths));
    }
}

// What is of no high risk can be taken back as easily as it is done: it is not asked about. A question that comes each time is
// no longer read.
void ReviewPanel::askAboutRisk(DeedKind kind, const ChangeTreeModel::Chosen& chosen, std::vector<std::string> paths) {
    if (chosen.highRisk.empty()) {
        emit decided(kind, m_review, paths);
        return;
    }
    const auto all = chosen.picked.size() + chosen.folders.size() - chosen.conflicts.size();
    DecisionDialog::Question question;
    question.weight = DecisionDialog::Weight::HighRisk;
    question.title = tr("Apply what is of high risk");
    question.question = tr("%n change(s) of high risk would go into your folders.", nullptr, countOf(chosen.highRisk.size()));
    QStringList more{tr("They may run programs on this computer or change what it does. Look at each of them before you go on.")};
    more << tr("In all, %n change(s) would be applied.", nullptr, countOf(all));
    if (!chosen.conflicts.empty()) {
        more << tr("%n conflict(s) are left out.", nullptr, countOf(chosen.conflicts.size()));
    }
    question.more = more.join(' ');
    question.whatColumn = tr("Why it is of high risk");
    for (const auto* entry : chosen.highRisk) {
        question.files.emplace_back(entry->path, entry->riskReason);
    }
    question.yes = tr("&Apply %n change(s)", nullptr, countOf(all));
    question.no = tr("Do &not apply");
    question.word = tr("apply");
    auto* const dialog = new DecisionDialog(question, window());
    connect(dialog, &QDialog::accepted, this, [this, kind, review = m_review, paths = std::move(paths)] { emit decided(kind, review, paths); });
    dialog->open();
}

void ReviewPanel::discard() {
    const auto chosen = m_model->chosen();
    if (chosen.picked.empty()) {
        return;
    }
    DecisionDialog::Question question;
    question.title = tr("Discard");
    question.question = tr("Forget %n change(s) for good?", nullptr, countOf(chosen.picked.size()));
    question.more = tr("What the agent did in these files is lost; your own folders stay as they are. This cannot be taken back.");
    question.whatColumn = tr("Change");
    for (const auto* entry : chosen.picked) {
        question.files.emplace_back(entry->path, kindText(*entry).toStdString());
    }
    question.yes = tr("&Discard %n change(s)", nullptr, countOf(chosen.picked.size()));
    question.no = tr("&Keep them");
    auto* const dialog = new DecisionDialog(question, window());
    connect(dialog, &QDialog::accepted, this,
            [this, review = m_review, paths = chosen.everything ? std::vector<std::string>() : chosen.paths] {
                emit decided(DeedKind::Discard, review, paths);
            });
    dialog->open();
}

} // namespace carrel::ui
