// SPDX-License-Identifier: Apache-2.0
// Whose model an agent thinks with: one of the providers that there are, one that Carrel knows of and that is added here with its key,
// a server on this computer, or another at an address of its own. What the agent may reach by that is said before it is agreed to.
// A key is handed to the engine as a credential's value is, and is in no field any more once the button is pressed. Deletes itself.
// Thread: the window's.
#pragma once

#include "app/api/secret_bytes.h"
#include "ui/engine/engine_link.h"
#include "ui/providers/provider_info.h"

#include <QDialog>
#include <QPointer>
#include <QTimer>

class QComboBox;
class QFormLayout;
class QLineEdit;
class QListWidget;
class QPushButton;

namespace carrel::ui {

class MessageBar;
class PlainLabel;
class ProblemLabel;
class SecretEdit;

class ModelDialog : public QDialog {
    Q_OBJECT
public:
    // `there`: those that there are.
    ModelDialog(EngineLink& link, const QString& agent, QVector<ProviderInfo> there, QWidget* parent);

signals:
    void chosen(); // the agent uses it
    void added();  // there is one more, whether it is used or not

private:
    enum class What { There, Preset, Other };
    void fill(QFormLayout& form);
    void presetsRead(const Answer& answer);
    void addChoice(const QString& text, What what, int index);
    void choose();
    [[nodiscard]] What what() const;
    [[nodiscard]] const ProviderInfo* provider() const; // that there is
    [[nodiscard]] const ProviderPreset* preset() const;
    [[nodiscard]] bool wantsKey() const;
    [[nodiscard]] boost::json::object parameters() const; // of provider.add
    [[nodiscard]] QString freeName(const QString& wanted) const;
    void consider();          // what it comes to is asked for soon
    void askConsequence();
    void previewed(const Answer& answer);
    void addPreviewed(const Answer& answer);
    void agree();
    void add();
    void addNow();
    void use(const std::string& name);
    void failed(const Answer& answer);
    void unlock();

    EngineLink& m_link;
    QString m_agent;
    QVector<ProviderInfo> m_there;
    QVector<ProviderPreset> m_presets;
    QListWidget* m_choices;
    QWidget* m_fields;
    QFormLayout* m_form;
    QLineEdit* m_name;
    QComboBox* m_api;
    QLineEdit* m_url;
    QLineEdit* m_model;
    SecretEdit* m_key;
    ProblemLabel* m_problem;
    PlainLabel* m_consequence;
    MessageBar* m_bar;
    QPushButton* m_agree;
    QTimer m_soon;
    QPointer<Request> m_preview;
    bool m_busy = false;
};

} // namespace carrel::ui
