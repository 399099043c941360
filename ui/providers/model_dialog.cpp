// SPDX-License-Identifier: Apache-2.0
#include "ui/providers/model_dialog.h"

#include "app/api/answers.h"
#include "ui/credentials/hand_secret.h"
#include "ui/credentials/passphrase_dialog.h"
#include "ui/credentials/problem_label.h"
#include "ui/credentials/secret_edit.h"
#include "ui/parts/message_bar.h"
#include "ui/text/network_words.h"
#include "ui/text/plain.h"

#include <QComboBox>
#include <QDialogButtonBox>
#include <QFormLayout>
#include <QLineEdit>
#include <QListWidget>
#include <QPushButton>
#include <QVBoxLayout>

#include <algorithm>

namespace carrel::ui {

namespace json = boost::json;
using namespace api;

namespace {
constexpr int kWhatRole = Qt::UserRole;
constexpr int kIndexRole = Qt::UserRole + 1;
constexpr std::chrono::milliseconds kAfterTyping{250};
} // namespace

ModelDialog::ModelDialog(EngineLink& link, const QString& agent, QVector<ProviderInfo> there, QWidget* parent)
    : QDialog(parent)
    , m_link(link)
    , m_agent(agent)
    , m_there(std::move(there))
    , m_choices(new QListWidget(this))
    , m_fields(new QWidget(this))
    , m_form(new QFormLayout(m_fields))
    , m_name(new QLineEdit(m_fields))
    , m_api(new QComboBox(m_fields))
    , m_url(new QLineEdit(m_fields))
    , m_model(new QLineEdit(m_fields))
    , m_key(new SecretEdit(m_fields))
    , m_problem(new ProblemLabel(this))
    , m_consequence(new PlainLabel({}, this))
    , m_bar(new MessageBar(this)) {
    setAttribute(Qt::WA_DeleteOnClose);
    setObjectName("modelDialog");
    setWindowTitle(tr("A model for %1").arg(agent));
    auto* const explained = new PlainLabel(tr("Which model does the agent think with? Its machine reaches that one over the network. A key that it needs stays on "
                                              "this computer: the machine never sees it."),
                                           this);
    m_choices->setObjectName("choices");
    m_choices->setAccessibleName(tr("Models"));
    m_choices->setSpacing(2);
    m_consequence->setObjectName("consequence");
    m_problem->setObjectName("modelProblem");
    fill(*m_form);
    auto* const buttons = new QDialogButtonBox(QDialogButtonBox::Cancel, this);
    m_agree = buttons->addButton(tr("&Use it"), QDialogButtonBox::AcceptRole);
    m_agree->setObjectName("agree");
    m_agree->setDefault(true);
    auto* const all = new QVBoxLayout(this);
    all->addWidget(explained);
    all->addWidget(m_choices, 1);
    all->addWidget(m_fields);
    all->addWidget(m_problem);
    all->addWidget(m_consequence);
    all->addWidget(m_bar);
    all->addWidget(buttons);
    resize(620, 520);
    m_soon.setSingleShot(true);
    m_soon.setInterval(kAfterTyping);
    connect(&m_soon, &QTimer::timeout, this, &ModelDialog::askConsequence);
    connect(m_choices, &QListWidget::currentRowChanged, this, &ModelDialog::choose);
    for (auto* const each : {m_name, m_url, m_model}) {
        connect(each, &QLineEdit::textEdited, this, &ModelDialog::consider);
    }
    connect(m_api, &QComboBox::activated, this, &ModelDialog::consider);
    connect(m_key, &QLineEdit::textEdited, this, [this] { m_problem->say({}); });
    connect(buttons, &QDialogButtonBox::rejected, this, &QDialog::reject);
    connect(buttons, &QDialogButtonBox::accepted, this, &ModelDialog::agree);
    connect(m_bar, &MessageBar::acted, this, &ModelDialog::unlock);
    for (int i = 0; i < m_there.size(); ++i) {
        addChoice(tr("%1, at %2").arg(modelText(m_there.at(i)), providerPlace(m_there.at(i))), What::There, i);
    }
    link.ask("provider.presets", {}, this, [this](const Answer& answer) { presetsRead(answer); });
    if (m_choices->count() > 0) {
        m_choices->setCurrentRow(0);
    }
    choose();
    m_choices->setFocus();
}

void ModelDialog::fill(QFormLayout& form) {
    form.setContentsMargins(0, 0, 0, 0);
    form.setFieldGrowthPolicy(QFormLayout::AllNonFixedFieldsGrow);
    m_name->setObjectName("providerName");
    m_api->setObjectName("api");
    m_url->setObjectName("url");
    m_model->setObjectName("model");
    m_key->setObjectName("key");
    m_name->setMaxLength(32);
    m_model->setMaxLength(200);
    m_url->setMaxLength(1024);
    m_api->addItem(tr("As OpenAI's, which most servers speak"), QStringLiteral("openai"));
    m_api->addItem(tr("As Anthropic's"), QStringLiteral("anthropic"));
    m_api->addItem(tr("As Gemini's"), QStringLiteral("gemini"));
    m_url->setPlaceholderText(tr("for example: https://models.example.org/v1"));
    m_key->setPlaceholderText(tr("typed or pasted; it is not shown, now or later"));
    form.addRow(tr("&Address:"), m_url);
    form.addRow(tr("&Interface:"), m_api);
    form.addRow(tr("&Model:"), m_model);
    form.addRow(tr("&Key:"), m_key);
    form.addRow(tr("&Name here:"), m_name);
}

void ModelDialog::presetsRead(const Answer& answer) {
    if (!answer) {
        m_bar->say(answer.error());
    } else {
        for (const auto& each : listAt(*answer, "presets")) {
            if (each.is_object()) {
                m_presets.push_back(presetFrom(each.get_object()));
                addChoice(tr("%1…").arg(lineOf(m_presets.back().about, 120)), What::Preset, static_cast<int>(m_presets.size()) - 1);
            }
        }
    }
    addChoice(tr("Another, at an address of its own…"), What::Other, 0);
    if (m_choices->currentRow() < 0) {
        m_choices->setCurrentRow(0);
    }
}

void ModelDialog::addChoice(const QString& text, What what, int index) {
    auto* const item = new QListWidgetItem(text, m_choices);
    item->setData(kWhatRole, static_cast<int>(what));
    item->setData(kIndexRole, index);
}

ModelDialog::What ModelDialog::what() const {
    const auto* const item = m_choices->currentItem();
    return item == nullptr ? What::Other : static_cast<What>(item->data(kWhatRole).toInt());
}

const ProviderInfo* ModelDialog::provider() const {
    return m_choices->currentItem() != nullptr && what() == What::There ? &m_there.at(m_choices->currentItem()->data(kIndexRole).toInt()) : nullptr;
}

const ProviderPreset* ModelDialog::preset() const {
    return m_choices->currentItem() != nullptr && what() == What::Preset ? &m_presets.at(m_choices->currentItem()->data(kIndexRole).toInt()) : nullptr;
}

QString ModelDialog::freeName(const QString& wanted) const {
    const auto isTaken = [this](const QString& name) {
        return std::any_of(m_there.begin(), m_there.end(), [&](const ProviderInfo& each) { return each.name == name.toStdString(); });
    };
    auto out = wanted;
    for (int number = 2; isTaken(out); ++number) {
        out = wanted + '-' + QString::number(number);
    }
    return out;
}

// The fields that are left to say.
void ModelDialog::choose() {
    const auto* const known = preset();
    const bool isNew = provider() == nullptr && m_choices->currentItem() != nullptr;
    m_fields->setVisible(isNew);
    m_problem->say({});
    m_key->wipe();
    if (isNew) {
        m_name->setText(freeName(known != nullptr ? QString::fromStdString(known->name) : QStringLiteral("mine")));
        m_model->setText(known != nullptr ? QString::fromStdString(known->model) : QString());
        m_model->setPlaceholderText(tr("its name, as its server has it"));
        m_url->setText(known != nullptr ? QString::fromStdString(known->url) : QString());
        m_form->setRowVisible(m_url, known == nullptr || !known->key); // a server of one's own may listen elsewhere
        m_form->setRowVisible(m_api, known == nullptr);
        m_form->setRowVisible(m_key, wantsKey());
    }
    consider();
}

bool ModelDialog::wantsKey() const {
    return preset() != nullptr ? preset()->key : m_url->text().trimmed().startsWith(QStringLiteral("https://"));
}

json::object ModelDialog::parameters() const {
    json::object out{{"name", m_name->text().trimmed().toStdString()}};
    const auto* const known = preset();
    const auto url = m_url->text().trimmed().toStdString();
    if (known != nullptr) {
        out["preset"] = known->name;
        if (url != known->url) {
            out["url"] = url;
            out["key"] = known->key; // the same as it was
        }
    } else {
        out["api"] = m_api->currentData().toString().toStdString();
        out["url"] = url;
        out["key"] = wantsKey() && !m_key->isEmpty();
    }
    if (const auto model = m_model->text().trimmed().toStdString(); !model.empty()) {
        out["model"] = model;
    }
    return out;
}

void ModelDialog::consider() {
    if (provider() == nullptr) {
        m_form->setRowVisible(m_key, wantsKey());
    }
    m_consequence->clear();
    delete m_preview;
    m_agree->setEnabled(false);
    m_soon.start();
}

// By the engine's word: what it would keep, or what is still missing.
void ModelDialog::askConsequence() {
    if (m_choices->currentItem() == nullptr || m_busy) {
        return;
    }
    if (const auto* const one = provider()) {
        m_preview = m_link.ask("provider.use", {{"agent", m_agent.toStdString()}, {"provider", one->name}, {"preview", true}}, this,
                               [this](const Answer& answer) { previewed(answer); });
        return;
    }
    auto params = parameters();
    params["preview"] = true;
    m_preview = m_link.ask("provider.add", std::move(params), this, [this](const Answer& answer) { addPreviewed(answer); });
}

void ModelDialog::previewed(const Answer& answer) {
    m_preview = nullptr;
    if (!answer) {
        m_problem->say(bothOf(answer.error()));
        return;
    }
    m_problem->say({});
    QStringList words;
    for (const auto& each : listAt(*answer, "rules")) {
        if (each.is_object()) {
            words << lineOf(textAt(each.get_object(), "words"), kWholeColumns);
        }
    }
    if (words.isEmpty()) {
        words << tr("The rules that there are let it there already.");
    }
    if (!listAt(*answer, "gone").empty()) {
        words << tr("What let it to its model of before goes.");
    }
    if (textAt(*answer, "mode_before") == "offline" && textAt(*answer, "mode") != "offline") {
        words << tr("It has had no network: it reaches this from now on, and nothing else.");
    }
    m_consequence->setText(brokenText(words.join('\n')));
    m_agree->setEnabled(true);
}

void ModelDialog::addPreviewed(const Answer& answer) {
    m_preview = nullptr;
    if (!answer) { // nothing typed yet is no mistake
        const bool nothing = m_model->text().trimmed().isEmpty() || (preset() == nullptr && m_url->text().trimmed().isEmpty());
        m_problem->say(nothing ? QString() : bothOf(answer.error()));
        m_consequence->setText(nothing ? tr("Say which model is meant, as its server names it.") : QString());
        return;
    }
    m_problem->say({});
    const auto made = providerFrom(objectAt(*answer, "provider"));
    const auto& key = objectAt(*answer, "key");
    QStringList words{tr("The agent %1 may connect to %2 without asking, by a rule that you can remove.").arg(m_agent, providerPlace(made))};
    if (!key.empty()) {
        words << (textAt(key, "kept") == "keyring" ? tr("The key goes there alone. It is kept in this computer's keyring.")
                                                   : tr("The key goes there alone. It is kept in the file that your passphrase seals."));
    }
    words << tr("An agent without a network reaches this from now on, and nothing else.");
    m_consequence->setText(brokenText(words.join('\n')));
    m_agree->setEnabled(true);
}

void ModelDialog::agree() {
    if (m_busy || m_choices->currentItem() == nullptr) {
        return;
    }
    if (const auto* const one = provider()) {
        use(one->name);
        return;
    }
    if (preset() != nullptr && preset()->key && m_key->isEmpty()) {
        m_problem->say(tr("Type or paste the key that %1 gave you.").arg(lineOf(preset()->about, 80)));
        m_key->setFocus();
        return;
    }
    if (!m_key->isEmpty() && !m_key->isPrintable()) {
        m_problem->say(tr("That is no key: it holds something that cannot be sent as one. Paste it once more, in one line."));
        m_key->setFocus();
        return;
    }
    add();
}

// First whether there is a place for the key: it is taken out of its field only then.
void ModelDialog::add() {
    m_busy = true;
    m_agree->setEnabled(false);
    if (m_key->isEmpty()) {
        addNow();
        return;
    }
    m_link.ask("credential.lock", {{"look", true}}, this, [this](const Answer& answer) {
        if (!answer) {
            failed(answer);
        } else if (textAt(*answer, "next") == "passphrase") {
            m_busy = false;
            m_agree->setEnabled(true);
            unlock();
        } else {
            addNow();
        }
    });
}

void ModelDialog::addNow() {
    m_bar->say(MessageBar::Kind::Note, tr("It is being kept…"));
    const auto then = [this](const Answer& answer) {
        if (!answer) {
            failed(answer);
            return;
        }
        const auto made = providerFrom(objectAt(*answer, "provider"));
        m_there.push_back(made); // said again, it is there
        emit added();
        use(made.name);
    };
    if (m_key->isEmpty()) {
        m_link.ask("provider.add", parameters(), this, then);
        return;
    }
    auto params = parameters();
    askWithSecret(m_link, "provider.add", std::move(params), m_key->take(), this, then);
}

void ModelDialog::use(const std::string& name) {
    m_busy = true;
    m_agree->setEnabled(false);
    m_link.ask("provider.use", {{"agent", m_agent.toStdString()}, {"provider", name}}, this, [this, name](const Answer& answer) {
        if (answer) {
            emit chosen();
            accept();
            return;
        }
        if (provider() == nullptr) { // it was added all the same: it stands in the list from now on
            auto* const item = new QListWidgetItem(tr("%1, at %2").arg(modelText(m_there.back()), providerPlace(m_there.back())));
            item->setData(kWhatRole, static_cast<int>(What::There));
            item->setData(kIndexRole, static_cast<int>(m_there.size()) - 1);
            m_choices->insertItem(0, item);
            m_choices->setCurrentRow(0);
        }
        failed(answer);
    });
}

void ModelDialog::failed(const Answer& answer) {
    m_busy = false;
    const bool keyGone = provider() == nullptr && wantsKey() && m_key->isEmpty();
    m_bar->say(MessageBar::Kind::Error, whatHappened(answer.error()),
               (whatToDo(answer.error()) + ' ' + (keyGone ? tr("The key has to be typed once more: this window does not keep it.") : QString())).trimmed());
    m_agree->setEnabled(true);
}

// The file that keys are kept in where there is no keyring.
void ModelDialog::unlock() {
    m_bar->clear();
    auto* const dialog = new PassphraseDialog(m_link, this);
    connect(dialog, &PassphraseDialog::opened, this, [this] {
        m_bar->clear();
        agree();
    });
    connect(dialog, &QDialog::rejected, this, [this] {
        m_bar->say(MessageBar::Kind::Note, tr("The key cannot be kept before its file is open."));
        m_bar->offer(tr("G&ive the passphrase…"));
    });
    dialog->open();
}

} // namespace carrel::ui
