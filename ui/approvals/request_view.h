// SPDX-License-Identifier: Apache-2.0
// One request, looked at and decided on. Of one for the network where to, first and large, then what is asked of it there. What Carrel saw, what the agent says (apart, and marked as its word), the changes that it is
// about, the rule that would be kept; then the answer. Everything that is decided on is named with the decision (digest, revision,
// how often it was asked), so that nothing else is allowed by it; what changes meanwhile has to be looked at anew. The safe answer is
// the default; what is of high risk looks different and takes a word to be typed. Looked at, it does not expire for an hour.
// Thread: the window's.
#pragma once

#include "ui/approvals/approval_store.h"
#include "ui/engine/engine_link.h"

#include <QPointer>
#include <QWidget>

class QComboBox;
class QFrame;
class QLabel;
class QLineEdit;
class QPlainTextEdit;
class QPushButton;
class QVBoxLayout;

namespace carrel::ui {

class EvidenceView;
class MessageBar;
class PlainLabel;

class RequestView : public QWidget {
    Q_OBJECT
public:
    RequestView(EngineLink& link, QWidget* parent);

    void look(std::uint64_t id); // 0: at none
    // The store tells that it is other than it was: what is decided on has to be read anew.
    void changed(const ApprovalInfo& now);
    void takeFolder(const QString& directory); // as if it had been chosen

signals:
    void decided();

private:
    void shown(const Answer& answer);
    void fill();
    void fillPlace();
    void fillWhat(const boost::json::object& thing);
    void preview();
    void check();
    void decide(const char* effect);
    void reopen();
    [[nodiscard]] boost::json::object parameters(const char* effect) const;
    [[nodiscard]] bool wantsFolder() const;
    [[nodiscard]] bool rightWord() const;
    [[nodiscard]] std::string scope() const;

    EngineLink& m_link;
    std::uint64_t m_id = 0;
    boost::json::object m_shown; // the answer of approval.show
    ApprovalInfo m_approval;
    bool m_evidenceWhole = false;
    bool m_counted = false; // told to the engine as shown, and held
    std::string m_folder;
    QPointer<Request> m_request;
    QPointer<Request> m_preview;
    QPointer<Request> m_deciding;

    QFrame* m_head;
    PlainLabel* m_place;     // of a request for the network: where to, before all else
    PlainLabel* m_placeNote;
    PlainLabel* m_what;      // of one that is read: the method and the path; the credential that is to be used there
    PlainLabel* m_whatNote;  // what that may do
    PlainLabel* m_risk;
    PlainLabel* m_words;
    PlainLabel* m_riskReason;
    PlainLabel* m_state;
    QFrame* m_claimFrame;
    PlainLabel* m_claim;
    EvidenceView* m_evidence;
    QWidget* m_answer;
    QWidget* m_folderRow;
    PlainLabel* m_folderName;
    QComboBox* m_folderMode;
    QWidget* m_scopeRow;
    QComboBox* m_scope;
    QComboBox* m_time;
    PlainLabel* m_rule;
    QPlainTextEdit* m_toml;
    QWidget* m_wordRow;
    PlainLabel* m_wordLabel;
    QLineEdit* m_word;
    QPushButton* m_deny;
    QPushButton* m_allow;
    QPushButton* m_reopen;
    MessageBar* m_bar;
};

} // namespace carrel::ui
