// SPDX-License-Identifier: Apache-2.0
#include "ui/credentials/passphrase_dialog.h"

#include "app/api/answers.h"
#include "ui/credentials/hand_secret.h"
#include "ui/credentials/problem_label.h"
#include "ui/credentials/secret_edit.h"
#include "ui/parts/message_bar.h"

#include <QDialogButtonBox>
#include <QLabel>
#include <QPushButton>
#include <QVBoxLayout>

namespace carrel::ui {

namespace {

constexpr std::size_t kLeastBytes = 8, kMostBytes = 4096; // as the engine has it

QWidget* row(const QString& text, QWidget* field, QWidget* parent) {
    auto* out = new QWidget(parent);
    auto* column = new QVBoxLayout(out);
    column->setContentsMargins(0, 0, 0, 0);
    auto* label = new QLabel(text, out);
    label->setBuddy(field);
    column->addWidget(label);
    column->addWidget(field);
    return out;
}

} // namespace

PassphraseDialog::PassphraseDialog(EngineLink& link, QWidget* parent)
    : QDialog(parent)
    , m_link(link)
    , m_words(new PlainLabel({}, this))
    , m_passphrase(new SecretEdit(this))
    , m_again(new SecretEdit(this))
    , m_againRow(row(tr("The same &once more:"), m_again, this))
    , m_problem(new ProblemLabel(this))
    , m_bar(new MessageBar(this)) {
    setAttribute(Qt::WA_DeleteOnClose);
    setObjectName("passphraseDialog");
    setWindowTitle(tr("The passphrase of the credentials"));
    m_words->setObjectName("passphraseWords");
    m_passphrase->setObjectName("passphrase");
    m_again->setObjectName("passphraseAgain");
    m_problem->setObjectName("passphraseProblem");
    m_passphrase->setAccessibleName(tr("Passphrase"));
    m_again->setAccessibleName(tr("The same passphrase once more"));
    auto* buttons = new QDialogButtonBox(QDialogButtonBox::Cancel, this);
    m_open = buttons->addButton(tr("&Open the file"), QDialogButtonBox::AcceptRole);
    m_open->setObjectName("openFile");
    m_open->setDefault(true);
    m_open->setEnabled(false);
    auto* all = new QVBoxLayout(this);
    all->addWidget(m_words);
    all->addWidget(row(tr("&Passphrase:"), m_passphrase, this));
    all->addWidget(m_againRow);
    all->addWidget(m_problem);
    all->addWidget(m_bar);
    all->addStretch();
    all->addWidget(buttons);
    m_againRow->setVisible(false);
    for (auto* each : {m_passphrase, m_again}) {
        connect(each, &QLineEdit::textEdited, m_problem, [this] { complain({}); });
    }
    connect(buttons, &QDialogButtonBox::rejected, this, &QDialog::reject);
    connect(buttons, &QDialogButtonBox::accepted, this, &PassphraseDialog::openFile);
    setMinimumWidth(480);
    m_passphrase->setFocus();
    m_link.ask("credential.lock", {{"look", true}}, this, [this](const Answer& answer) { found(answer); });
}

void PassphraseDialog::found(const Answer& answer) {
    if (!answer) {
        m_bar->say(answer.error());
        return;
    }
    const auto sealed = api::textAt(*answer, "sealed");
    if (sealed == "ready") { // somebody was quicker
        emit opened();
        accept();
        return;
    }
    m_isNew = sealed == "absent";
    m_words->setText(m_isNew ? tr("This computer has no keyring to keep values of credentials in. They go into a file instead, which is sealed with a "
                                  "passphrase that you choose now: eight letters at least, better several words. Carrel does not keep it, "
                                  "and there is no way to what is in the file without it.")
                             : tr("Some credentials are kept in a file that is sealed with your passphrase. It stays open until Carrel's engine ends, "
                                  "or until you lock it."));
    m_againRow->setVisible(m_isNew);
    m_open->setText(m_isNew ? tr("&Make the file") : tr("&Open the file"));
    m_open->setEnabled(true);
    adjustSize();
}

void PassphraseDialog::complain(const QString& what) {
    m_problem->say(what);
    m_passphrase->setAccessibleDescription(what);
}

void PassphraseDialog::openFile() {
    const auto bytes = m_passphrase->bytes();
    if (bytes < kLeastBytes || bytes > kMostBytes) {
        complain(bytes == 0 ? tr("Type the passphrase.") : bytes < kLeastBytes ? tr("That is too short: a passphrase has eight letters at least.")
                                                                             : tr("That is too long for a passphrase."));
        m_passphrase->setFocus();
        return;
    }
    auto passphrase = m_passphrase->take();
    const auto again = m_again->take();
    if (m_isNew && !again.isSameAs(passphrase)) {
        complain(tr("These two are not the same. Type them once more."));
        m_passphrase->setFocus();
        return;
    }
    complain({});
    m_open->setEnabled(false);
    m_bar->say(MessageBar::Kind::Note, m_isNew ? tr("The file is being made…") : tr("The file is being opened…"));
    askWithSecret(m_link, "credential.unlock", {}, std::move(passphrase), this, [this](const Answer& answer) {
        m_open->setEnabled(true);
        m_bar->clear();
        if (answer) {
            emit opened();
            accept();
            return;
        }
        if (answer.error().code == ErrorCode::Refused) {
            complain(tr("That is not the passphrase of this file, or the file is damaged. Try it once more."));
        } else {
            m_bar->say(answer.error());
        }
        m_passphrase->setFocus();
    });
}

} // namespace carrel::ui
