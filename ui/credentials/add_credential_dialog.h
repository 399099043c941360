// SPDX-License-Identifier: Apache-2.0
// A new credential: its name, where it goes and how, its value, who may use it and for what. What is wrong with a field is said beside
// it. The value is in no field any more once the button is pressed, whatever comes of it, and is never shown. Deletes itself.
// Thread: the window's.
#pragma once

#include "ui/credentials/credential_form.h"
#include "ui/engine/engine_link.h"

#include <QDialog>

class QComboBox;
class QFormLayout;
class QLineEdit;
class QListWidget;
class QPushButton;
class QScrollArea;

namespace carrel::ui {

class MessageBar;
class PlainLabel;
class ProblemLabel;
class SecretEdit;

class AddCredentialDialog : public QDialog {
    Q_OBJECT
public:
    // `place`: where the value would be kept, "keyring" or "file". `there`: those that there are.
    AddCredentialDialog(EngineLink& link, const std::string& place, QVector<CredentialInfo> there, const QStringList& agents, QWidget* parent);

signals:
    void added(const carrel::ui::CredentialInfo& credential);
    void passphraseWanted(); // the file was locked meanwhile

private:
    struct Row {
        CredentialForm::Field field;
        QLineEdit* edit;
        ProblemLabel* problem;
    };
    QLineEdit* addRow(QFormLayout& to, CredentialForm::Field field, const QString& label, const char* name, const QString& example);
    void fill(QFormLayout& form, const QStringList& agents);
    [[nodiscard]] CredentialForm form() const;
    void kindChanged();
    void consequence();
    [[nodiscard]] bool complain(const Row& row, const CredentialForm& form) const; // there is something wrong
    [[nodiscard]] QString valueProblem() const;
    void add();
    void answered(const Answer& answer);

    EngineLink& m_link;
    QVector<CredentialInfo> m_there;
    QVector<Row> m_rows;
    QLineEdit* m_name = nullptr;
    QLineEdit* m_hosts = nullptr;
    QComboBox* m_kind;
    QLineEdit* m_user = nullptr;
    QLineEdit* m_header = nullptr;
    QLineEdit* m_format = nullptr;
    SecretEdit* m_value;
    ProblemLabel* m_valueProblem;
    QListWidget* m_agents;
    PlainLabel* m_agentsWords;
    QLineEdit* m_methods = nullptr;
    QLineEdit* m_paths = nullptr;
    QLineEdit* m_variable = nullptr;
    PlainLabel* m_consequence;
    MessageBar* m_bar;
    QPushButton* m_add;
    QFormLayout* m_form;
    QScrollArea* m_scroll;
};

} // namespace carrel::ui
