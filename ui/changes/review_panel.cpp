// SPDX-License-Identifier: Apache-2.0
// ReviewPanel's widgets, and what they show. What is decided: review_decide.cpp.
#include "ui/changes/review_panel.h"

#include "ui/changes/change_delegate.h"
#include "ui/changes/change_details.h"
#include "ui/changes/progress_row.h"
#include "ui/text/plain.h"

#include <QCheckBox>
#include <QComboBox>
#include <QHBoxLayout>
#include <QHeaderView>
#include <QLineEdit>
#include <QPushButton>
#include <QSettings>
#include <QShortcut>
#include <QSplitter>
#include <QStackedWidget>
#include <QTreeView>

#include <algorithm>

namespace carrel::ui {

namespace {

constexpr int kUnfolded = 400;         // rows that are shown without being asked for
constexpr int kUnfoldedOfFilter = 2000;
constexpr std::chrono::milliseconds kAfterTyping{150};
constexpr int kNarrow = 860;

} // namespace

ReviewPanel::ReviewPanel(EngineLink& link, QString agent, QWidget* parent)
    : QWidget(parent)
    , m_model(new ChangeTreeModel(this)) {
    auto* const all = new QVBoxLayout(this);
    all->setContentsMargins(0, 0, 0, 0);
    all->setSpacing(0);
    all->addWidget(buildTop());
    m_split = new QSplitter(Qt::Horizontal, this);
    m_split->setObjectName(QStringLiteral("split"));
    m_split->setChildrenCollapsible(false);
    buildTree();
    m_details = new ChangeDetails(link, std::move(agent), m_split);
    m_split->addWidget(m_tree);
    m_split->addWidget(m_details);
    m_split->setStretchFactor(0, 2);
    m_split->setStretchFactor(1, 3);
    m_split->setSizes({500, 600});
    all->addWidget(m_split, 1);
    all->addWidget(buildBottom());
    m_filterLater.setSingleShot(true);
    m_filterLater.setInterval(kAfterTyping);
    connect(&m_filterLater, &QTimer::timeout, this, &ReviewPanel::filter);
    connect(m_model, &ChangeTreeModel::chosenChanged, this, &ReviewPanel::update);
    update();
}

QWidget* ReviewPanel::buildTop() {
    auto* const top = new QWidget(this);
    m_name = new QLineEdit(top);
    m_name->setObjectName(QStringLiteral("filterName"));
    m_name->setPlaceholderText(tr("Find by name"));
    m_name->setAccessibleName(tr("Show only what has this in its name"));
    m_name->setClearButtonEnabled(true);
    m_name->setMaximumWidth(280);
    m_only = new QComboBox(top);
    m_only->setObjectName(QStringLiteral("filterOnly"));
    m_only->setAccessibleName(tr("Which changes to show"));
    m_only->addItems({tr("All changes"), tr("Only high risk"), tr("Only conflicts")});
    m_summary = new PlainLabel({}, top);
    m_summary->setObjectName(QStringLiteral("summary"));
    m_look = new QPushButton(tr("&Look again"), top);
    m_look->setObjectName(QStringLiteral("lookAgain"));
    m_look->setToolTip(tr("See what the agent has changed up to now (F5)"));
    auto* const row = new QHBoxLayout(top);
    row->setContentsMargins(10, 8, 10, 8);
    row->addWidget(m_name, 2);
    row->addWidget(m_only);
    row->addSpacing(8);
    row->addWidget(m_summary, 5);
    row->addWidget(m_look);
    connect(m_name, &QLineEdit::textChanged, &m_filterLater, qOverload<>(&QTimer::start));
    connect(m_name, &QLineEdit::returnPressed, this, [this] {
        filter();
        m_tree->setFocus();
    });
    connect(m_only, &QComboBox::currentIndexChanged, this, &ReviewPanel::filter);
    connect(m_look, &QPushButton::clicked, this, &ReviewPanel::lookWanted);
    const auto shortcut = [&](const QKeySequence& keys, auto then) {
        auto* const made = new QShortcut(keys, this);
        made->setContext(Qt::WidgetWithChildrenShortcut);
        connect(made, &QShortcut::activated, this, then);
    };
    shortcut(QKeySequence::Find, [this] { m_name->setFocus(); });
    shortcut(QKeySequence::Refresh, [this] {
        if (m_look->isEnabled()) {
            emit lookWanted();
        }
    });
    return top;
}

void ReviewPanel::buildTree() {
    m_tree = new QTreeView(m_split);
    m_tree->setObjectName(QStringLiteral("changeTree"));
    m_tree->setAccessibleName(tr("What the agent changed"));
    m_tree->setModel(m_model);
    m_tree->setUniformRowHeights(true);
    m_tree->setAllColumnsShowFocus(true);
    m_tree->setAlternatingRowColors(true);

    m_tree->setFrameShape(QFrame::NoFrame);
    auto* const header = m_tree->header();
    header->setStretchLastSection(false);
    header->setMinimumSectionSize(48);
    header->setSectionResizeMode(ChangeTreeModel::Name, QHeaderView::Stretch);
    for (const auto column : {ChangeTreeModel::What, ChangeTreeModel::Size, ChangeTreeModel::Signs}) {
        header->setSectionResizeMode(column, QHeaderView::Interactive);
    }
    m_tree->viewport()->installEventFilter(this);
    fitColumns();
    m_tree->setItemDelegate(new ChangeDelegate(m_tree));
    connect(m_tree->selectionModel(), &QItemSelectionModel::currentRowChanged, this, &ReviewPanel::showCurrent);
}

// The name comes first: where there is little room the size goes, which the details tell, too, and the rest is as wide as its words.
void ReviewPanel::fitColumns() {
    const int em = fontMetrics().averageCharWidth();
    const bool narrow = m_tree->viewport()->width() < em * 80;
    auto* const header = m_tree->header();
    header->setSectionHidden(ChangeTreeModel::Size, narrow);
    header->resizeSection(ChangeTreeModel::What, em * (narrow ? 12 : 18) + 16);
    header->resizeSection(ChangeTreeModel::Size, em * 8 + 16);
    header->resizeSection(ChangeTreeModel::Signs, em * 12 + 16);
}

bool ReviewPanel::eventFilter(QObject* watched, QEvent* event) {
    if (event->type() == QEvent::Resize && watched == m_tree->viewport()) {
        fitColumns();
    }
    return QWidget::eventFilter(watched, event);
}

QWidget* ReviewPanel::buildBottom() {
    m_bottom = new QStackedWidget(this);
    auto* const buttons = new QWidget(m_bottom);
    m_all = new QCheckBox(tr("&Choose all"), buttons);
    m_all->setObjectName(QStringLiteral("chooseAll"));
    m_chosen = new PlainLabel({}, buttons);
    m_chosen->setObjectName(QStringLiteral("chosen"));
    const auto button = [&](const char* name) {
        auto* const out = new QPushButton(buttons);
        out->setObjectName(QString::fromLatin1(name));
        out->setAutoDefault(false);
        return out;
    };
    m_discard = button("discard");
    m_both = button("keepBoth");
    m_apply = button("apply");
    m_discard->setText(tr("&Discard…"));
    m_discard->setToolTip(tr("Forget what the agent did in what you chose"));
    m_both->setText(tr("Keep &both"));
    m_both->setToolTip(tr("Where both of you changed a file: yours stays, and the agent's is put beside it under a new name"));
    auto bold = m_apply->font();
    bold.setBold(true);
    m_apply->setFont(bold);
    auto* const row = new QHBoxLayout(buttons);
    row->setContentsMargins(10, 8, 10, 8);
    row->addWidget(m_all);
    row->addSpacing(8);
    row->addWidget(m_chosen, 1);
    row->addWidget(m_discard);
    row->addWidget(m_both);
    row->addWidget(m_apply);
    m_progress = new ProgressRow(m_bottom);
    m_progress->setContentsMargins(10, 8, 10, 8);
    m_bottom->addWidget(buttons);
    m_bottom->addWidget(m_progress);
    m_bottom->setSizePolicy(QSizePolicy::Preferred, QSizePolicy::Maximum);
    connect(m_all, &QCheckBox::clicked, this, [this](bool chosen) { m_model->chooseAll(chosen); });
    connect(m_apply, &QPushButton::clicked, this, &ReviewPanel::apply);
    connect(m_discard, &QPushButton::clicked, this, &ReviewPanel::discard);
    connect(m_both, &QPushButton::clicked, this, &ReviewPanel::keepBoth);
    return m_bottom;
}

// Where two panes side by side hold too little they lie one above the other.
void ReviewPanel::resizeEvent(QResizeEvent* event) {
    QWidget::resizeEvent(event);
    const auto wanted = width() < kNarrow ? Qt::Vertical : Qt::Horizontal;
    if (m_split->orientation() != wanted) {
        m_split->setOrientation(wanted);
        m_split->setSizes(wanted == Qt::Vertical ? QList<int>{240, 360} : QList<int>{500, 600});
    }
}

void ReviewPanel::showProgress(bool shown) {
    m_bottom->setCurrentIndex(shown ? 1 : 0);
}

void ReviewPanel::begin() {
    m_review.clear();
    m_filterLater.stop();
    m_details->clear();
    const auto current = m_current; // the tree has none for a while
    m_model->clear();
    m_current = current;
    update();
}

void ReviewPanel::add(std::vector<ChangeEntry> page) {
    m_model->add(std::move(page));
}

void ReviewPanel::finish(const std::string& review, const ReviewSession::Totals& totals) {
    m_review = review;
    m_totals = totals;
    QStringList summary{tr("%n change(s)", nullptr, countOf(totals.changes))};
    if (totals.bytes > 0) {
        summary << tr("%1 of new content").arg(sizeText(totals.bytes));
    }
    if (totals.highRisk > 0) {
        summary << tr("%n of high risk", nullptr, countOf(totals.highRisk));
    }
    if (totals.conflicts > 0) {
        summary << tr("%n conflict(s)", nullptr, countOf(totals.conflicts));
    }
    m_summary->setText(summary.join(QStringLiteral(", ")));
    const bool wanted = !m_name->text().isEmpty() || m_only->currentIndex() != 0;
    if (wanted) {
        filter();
    } else {
        expand();
    }
    update();
}

void ReviewPanel::setBusy(bool busy) {
    m_busy = busy;
    update();
}

void ReviewPanel::filter() {
    m_filterLater.stop();
    if (m_review.empty()) {
        return; // finish() does it
    }
    const auto current = m_current;
    const auto only = m_only->currentIndex() == 1   ? ChangeTreeModel::Only::HighRisk
                      : m_only->currentIndex() == 2 ? ChangeTreeModel::Only::Conflicts
                                                    : ChangeTreeModel::Only::Everything;
    m_model->filter(m_name->text().trimmed(), only);
    m_current = current;
    expand();
}

namespace {

// Rows beneath, up to a bound.
int rowsOf(const QAbstractItemModel& model, const QModelIndex& above, int bound) {
    int rows = model.rowCount(above);
    for (int row = 0; row < model.rowCount(above) && rows <= bound; ++row) {
        rows += rowsOf(model, model.index(row, 0, above), bound - rows);
    }
    return rows;
}

QModelIndex firstFile(const ChangeTreeModel& model, const QModelIndex& above) {
    for (int row = 0; row < model.rowCount(above); ++row) {
        const auto index = model.index(row, 0, above);
        if (model.rowCount(index) == 0) {
            return index;
        }
        if (const auto found = firstFile(model, index); found.isValid()) {
            return found;
        }
    }
    return {};
}

} // namespace

void ReviewPanel::expand() {
    const int bound = m_model->filtered() ? kUnfoldedOfFilter : kUnfolded;
    if (rowsOf(*m_model, {}, bound) <= bound) {
        m_tree->expandAll();
    } else {
        m_tree->expandToDepth(0);
    }
    auto at = m_model->indexOf(m_current);
    if (!at.isValid()) {
        at = firstFile(*m_model, {});
    }
    if (at.isValid()) {
        m_tree->setCurrentIndex(at);
    } else {
        m_details->clear();
    }
}

void ReviewPanel::showCurrent() {
    const auto at = m_tree->currentIndex();
    if (!at.isValid() || m_review.empty()) {
        return;
    }
    m_current = m_model->pathAt(at);
    if (const auto* const entry = m_model->entryAt(at)) {
        m_details->show(m_review, *entry);
    } else {
        m_details->showFolder(m_current);
    }
    update();
}

QString ReviewPanel::chosenText(const ChangeTreeModel::Chosen& chosen) const {
    if (m_review.empty()) {
        return tr("The list is not whole yet.");
    }
    QStringList out;
    if (chosen.picked.empty()) {
        return m_model->filtered() ? tr("Nothing is chosen.") : tr("Nothing is chosen: that means everything.");
    }
    out << tr("%n of %1 changes chosen", nullptr, countOf(chosen.picked.size())).arg(m_totals.changes);
    if (chosen.hidden > 0) {
        out << tr("%n of them not shown by the filter", nullptr, countOf(chosen.hidden));
    }
    if (!chosen.folders.empty()) {
        out << tr("with %n folder(s) that they are in", nullptr, countOf(chosen.folders.size()));
    }
    if (!chosen.highRisk.empty()) {
        out << tr("%n of high risk", nullptr, countOf(chosen.highRisk.size()));
    }
    if (!chosen.conflicts.empty()) {
        out << tr("%n conflict(s) left out", nullptr, countOf(chosen.conflicts.size()));
    }
    return out.join(QStringLiteral(", "));
}

void ReviewPanel::update() {
    const auto chosen = m_model->chosen();
    const bool ready = !m_review.empty() && !m_busy;
    const bool all = chosen.picked.empty() && !m_model->filtered();
    const auto wanted = all ? m_totals.changes : chosen.picked.size() + chosen.folders.size();
    const auto conflicts = all ? m_totals.conflicts : chosen.conflicts.size();
    const auto goes = wanted > conflicts ? wanted - conflicts : 0;
    m_chosen->setText(chosenText(chosen));
    m_apply->setText(all ? tr("&Apply all %n", nullptr, countOf(goes)) : tr("&Apply %n", nullptr, countOf(goes)));
    m_apply->setAccessibleName(tr("Put %n change(s) into your folders", nullptr, countOf(goes)));
    m_apply->setEnabled(ready && goes > 0);
    m_discard->setEnabled(ready && !chosen.picked.empty());
    m_both->setVisible(m_totals.conflicts > 0);
    m_both->setEnabled(ready && !forBoth().empty());
    m_look->setEnabled(!m_busy);
    m_name->setEnabled(!m_review.empty());
    m_only->setEnabled(!m_review.empty());
    m_all->setEnabled(ready && !m_model->flat());
    m_all->setCheckState(chosen.picked.empty() ? Qt::Unchecked : chosen.everything ? Qt::Checked : Qt::PartiallyChecked);
}

void ReviewPanel::restore(QSettings& settings, const QString& key) {
    m_split->restoreState(settings.value(key + QStringLiteral("/split")).toByteArray());
    m_details->setSideBySide(settings.value(key + QStringLiteral("/sideBySide"), true).toBool());
}

void ReviewPanel::save(QSettings& settings, const QString& key) const {
    if (m_split->orientation() == Qt::Horizontal) {
        settings.setValue(key + QStringLiteral("/split"), m_split->saveState());
    }
    settings.setValue(key + QStringLiteral("/sideBySide"), m_details->sideBySide());
}

} // namespace carrel::ui
