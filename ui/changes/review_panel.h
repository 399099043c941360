// SPDX-License-Identifier: Apache-2.0
// The review that is on the screen: its tree, the change that is looked at, and what a person decides of it. Sends nothing itself:
// decided() is said after the person said yes where that is asked for, and names what was on the screen. Owner: its parent.
// Thread: the window's.
#pragma once

#include "ui/changes/change_tree_model.h"
#include "ui/changes/deeds.h"
#include "ui/changes/review_session.h"

#include <QTimer>
#include <QWidget>

#include <string>
#include <vector>

class QCheckBox;
class QComboBox;
class QLineEdit;
class QPushButton;
class QSettings;
class QSplitter;
class QStackedWidget;
class QTreeView;

namespace carrel::ui {

class ChangeDetails;
class PlainLabel;
class ProgressRow;

class ReviewPanel : public QWidget {
    Q_OBJECT
public:
    ReviewPanel(EngineLink& link, QString agent, QWidget* parent);

    // A review comes: begin, add page by page, finish. Only then can anything be decided.
    void begin();
    void add(std::vector<ChangeEntry> page);
    void finish(const std::string& review, const ReviewSession::Totals& totals);
    // Something is being done, or looked for: nothing else can be decided.
    void setBusy(bool busy);
    // In the place of the buttons, if it takes long enough to be read.
    [[nodiscard]] ProgressRow* progress() const { return m_progress; }
    void showProgress(bool shown);

    void restore(QSettings& settings, const QString& key);
    void save(QSettings& settings, const QString& key) const;

signals:
    void lookWanted();
    // No paths: the whole review.
    void decided(carrel::ui::DeedKind kind, const std::string& review, const std::vector<std::string>& paths);

protected:
    bool eventFilter(QObject* watched, QEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;

private:
    QWidget* buildTop();
    void fitColumns();
    QWidget* buildBottom();
    void buildTree();
    void filter();
    void expand();
    void showCurrent();
    void update();
    [[nodiscard]] QString chosenText(const ChangeTreeModel::Chosen& chosen) const;
    [[nodiscard]] std::vector<const ChangeEntry*> forBoth() const; // what "keep both" would be done with
    void apply();
    void discard();
    void keepBoth();
    void askAboutRisk(DeedKind kind, const ChangeTreeModel::Chosen& chosen, std::vector<std::string> paths);

    ChangeTreeModel* m_model;
    std::string m_review; // empty: not whole yet, nothing can be decided
    ReviewSession::Totals m_totals;
    std::string m_current; // path
    bool m_busy = false;
    QTimer m_filterLater;

    QLineEdit* m_name = nullptr;
    QComboBox* m_only = nullptr;
    QPushButton* m_look = nullptr;
    PlainLabel* m_summary = nullptr;
    QSplitter* m_split = nullptr;
    QTreeView* m_tree = nullptr;
    ChangeDetails* m_details = nullptr;
    QStackedWidget* m_bottom = nullptr;
    QCheckBox* m_all = nullptr;
    PlainLabel* m_chosen = nullptr;
    QPushButton* m_discard = nullptr;
    QPushButton* m_both = nullptr;
    QPushButton* m_apply = nullptr;
    ProgressRow* m_progress = nullptr;
};

} // namespace carrel::ui
