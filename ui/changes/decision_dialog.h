// SPDX-License-Identifier: Apache-2.0
// A question that something depends on, with the files it is about: each on a row of its own, numbered by this window, so that
// none of them can look like a word of ours. What is safe is the default, and what Enter and Escape do; where a word is asked for,
// the other button can be pressed only once it is typed. It does not wait: accepted() tells. Owner: its parent; it deletes itself
// when it closes. Thread: the window's.
#pragma once

#include <QDialog>

#include <string>
#include <utility>
#include <vector>

class QLineEdit;
class QPushButton;
class QVBoxLayout;

namespace carrel::ui {

class DecisionDialog : public QDialog {
    Q_OBJECT
public:
    enum class Weight { Routine, HighRisk };
    struct Question {
        Weight weight = Weight::Routine;
        QString title;
        QString question;   // our words
        QString more;       // our words
        QString whatColumn; // title of the second column; empty: there is none
        std::vector<std::pair<std::string, std::string>> files; // raw: path, and what is to be said of it
        QString yes; // empty: nothing is asked, only told
        QString no;
        QString word; // empty: none is asked for
    };

    DecisionDialog(const Question& question, QWidget* parent);

protected:
    bool eventFilter(QObject* of, QEvent* event) override;

private:
    void addFiles(const Question& question, QVBoxLayout& into);
    void addWord(const Question& question, QVBoxLayout& into);

    QPushButton* m_yes = nullptr;
    QLineEdit* m_word = nullptr;
};

} // namespace carrel::ui
