// SPDX-License-Identifier: Apache-2.0
#include "ui/credentials/add_credential_dialog.h"

#include "app/api/answers.h"
#include "ui/credentials/hand_secret.h"
#include "ui/credentials/problem_label.h"
#include "ui/credentials/secret_edit.h"
#include "ui/parts/message_bar.h"

#include <QComboBox>
#include <QDialogButtonBox>
#include <QFormLayout>
#include <QListWidget>
#include <QPushButton>
#include <QScrollArea>
#include <QVBoxLayout>

namespace carrel::ui {

using Field = CredentialForm::Field;
using Kind = CredentialForm::Kind;

namespace {

constexpr std::size_t kLeastBytes = 8, kMostBytes = 4096; // as the engine has it
constexpr int kMostAgents = 64;                           // credential.add.json
constexpr int kAgentsShown = 4;

QWidget* withProblem(QWidget* field, ProblemLabel* problem, QWidget* parent) {
    auto* out = new QWidget(parent);
    auto* column = new QVBoxLayout(out);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(2);
    column->addWidget(field);
    column->addWidget(problem);
    return out;
}

} // namespace

AddCredentialDialog::AddCredentialDialog(EngineLink& link, const std::string& place, QVector<CredentialInfo> there, const QStringList& agents,
                                         QWidget* parent)
    : QDialog(parent)
    , m_link(link)
    , m_there(std::move(there))
    , m_kind(new QComboBox(this))
    , m_value(new SecretEdit(this))
    , m_valueProblem(new ProblemLabel(this))
    , m_agents(new QListWidget(this))
    , m_agentsWords(new PlainLabel({}, this))
    , m_consequence(new PlainLabel({}, this))
    , m_bar(new MessageBar(this))
    , m_form(new QFormLayout)
    , m_scroll(new QScrollArea(this)) {
    setAttribute(Qt::WA_DeleteOnClose);
    setObjectName("addCredentialDialog");
    setWindowTitle(tr("Add a credential"));
    const auto kept = place == "keyring" ? tr("It is kept in this computer's keyring.") : tr("It is kept in the file that your passphrase seals.");
    auto* explained = new PlainLabel(tr("Agents use it and never see it: their machines get something else of the same shape, and Carrel puts the value "
                                        "in its place, at the hosts that you name here and nowhere else.") +
                                         ' ' + kept,
                                     this);
    fill(*m_form, agents);
    auto* fields = new QWidget(this);
    auto* fieldsColumn = new QVBoxLayout(fields);
    fieldsColumn->setContentsMargins(0, 4, 6, 4);
    fieldsColumn->addLayout(m_form);
    fieldsColumn->addStretch(); // what is too much stands below, and not between the fields
    m_scroll->setWidget(fields);
    m_scroll->setWidgetResizable(true);
    m_scroll->setFrameShape(QFrame::NoFrame);
    m_scroll->setFocusPolicy(Qt::NoFocus);
    auto bold = font();
    bold.setBold(true);
    m_consequence->setFont(bold);
    m_consequence->setObjectName("consequence");
    auto* buttons = new QDialogButtonBox(QDialogButtonBox::Cancel, this);
    m_add = buttons->addButton(tr("&Add it"), QDialogButtonBox::AcceptRole);
    m_add->setObjectName("add");
    m_add->setDefault(true);
    auto* all = new QVBoxLayout(this);
    all->addWidget(explained);
    all->addWidget(m_scroll, 1);
    all->addWidget(m_consequence);
    all->addWidget(m_bar);
    all->addWidget(buttons);
    connect(m_kind, &QComboBox::currentIndexChanged, this, &AddCredentialDialog::kindChanged);
    connect(m_agents, &QListWidget::itemChanged, this, &AddCredentialDialog::consequence);
    connect(m_value, &QLineEdit::textEdited, m_valueProblem, [this] {
        m_valueProblem->say({});
        m_value->setAccessibleDescription({});
    });
    connect(m_bar, &MessageBar::acted, this, &AddCredentialDialog::passphraseWanted);
    connect(buttons, &QDialogButtonBox::rejected, this, &QDialog::reject);
    connect(buttons, &QDialogButtonBox::accepted, this, &AddCredentialDialog::add);
    kindChanged();
    resize(640, 550);
    m_name->setFocus();
}

QLineEdit* AddCredentialDialog::addRow(QFormLayout& to, Field field, const QString& label, const char* name, const QString& example) {
    auto* edit = new QLineEdit(this);
    edit->setObjectName(name);
    edit->setPlaceholderText(example);
    auto* problem = new ProblemLabel(this);
    problem->setObjectName(QString::fromLatin1(name) + QStringLiteral("Problem"));
    m_rows.push_back({field, edit, problem});
    auto* both = withProblem(edit, problem, this);
    to.addRow(label, both);
    qobject_cast<QLabel*>(to.labelForField(both))->setBuddy(edit);
    connect(edit, &QLineEdit::textEdited, this, [this, row = m_rows.back()] {
        if (row.edit->text().isEmpty()) { // nothing yet is no mistake
            row.problem->say({});
            row.edit->setAccessibleDescription({});
        } else {
            (void)complain(row, form());
        }
        consequence();
    });
    return edit;
}

void AddCredentialDialog::fill(QFormLayout& form, const QStringList& agents) {
    form.setFieldGrowthPolicy(QFormLayout::AllNonFixedFieldsGrow);
    m_name = addRow(form, Field::Name, tr("&Name:"), "credentialName", tr("for example: hosting"));
    m_hosts = addRow(form, Field::Hosts, tr("&Hosts:"), "hosts", tr("for example: git.example.org, api.example.org"));
    m_kind->setObjectName("kind");
    m_kind->addItem(tr("Bearer token (Authorization: Bearer …)"), static_cast<int>(Kind::Bearer));
    m_kind->addItem(tr("Key in the field x-api-key"), static_cast<int>(Kind::ApiKey));
    m_kind->addItem(tr("User and password, as git over https has them (Basic)"), static_cast<int>(Kind::Basic));
    m_kind->addItem(tr("Another header field, or another form"), static_cast<int>(Kind::Own));
    form.addRow(tr("&Kind:"), m_kind);
    m_user = addRow(form, Field::User, tr("&User:"), "user", tr("for example: ada"));
    m_header = addRow(form, Field::Header, tr("Header &field:"), "header", tr("for example: X-Auth-Token"));
    m_format = addRow(form, Field::Format, tr("F&orm:"), "format", tr("{} stands for the value, as in: Token {}"));
    m_value->setObjectName("value");
    m_value->setPlaceholderText(tr("typed or pasted; it is not shown, now or later"));
    m_valueProblem->setObjectName("valueProblem");
    auto* value = withProblem(m_value, m_valueProblem, this);
    form.addRow(tr("&Value:"), value);
    qobject_cast<QLabel*>(form.labelForField(value))->setBuddy(m_value);
    m_agents->setObjectName("agentsOfIt");
    m_agents->setAccessibleName(tr("Agents that use it without asking"));
    auto colours = m_agents->palette(); // the boxes are drawn by the colour of the window, which is none on a dark list
    colours.setColor(QPalette::Window, colours.color(QPalette::PlaceholderText));
    m_agents->setPalette(colours);
    for (const auto& each : agents) {
        auto* item = new QListWidgetItem(each, m_agents);
        item->setFlags(Qt::ItemIsEnabled | Qt::ItemIsSelectable | Qt::ItemIsUserCheckable);
        item->setCheckState(Qt::Unchecked);
    }
    const int rows = std::min<int>(kAgentsShown, std::max<int>(1, static_cast<int>(agents.size())));
    m_agents->setFixedHeight(rows * std::max(m_agents->sizeHintForRow(0), fontMetrics().height()) + 2 * m_agents->frameWidth());
    m_agents->setVisible(!agents.isEmpty());
    m_agentsWords->setObjectName("agentsWords");
    auto* who = new QWidget(this);
    auto* column = new QVBoxLayout(who);
    column->setContentsMargins(0, 0, 0, 0);
    column->addWidget(m_agents);
    column->addWidget(m_agentsWords);
    form.addRow(tr("A&gents:"), who);
    qobject_cast<QLabel*>(form.labelForField(who))->setBuddy(m_agents);
    m_variable = addRow(form, Field::Variable, tr("Va&riable:"), "variable", tr("that holds what stands for it in a machine: GIT_TOKEN"));
    m_methods = addRow(form, Field::Methods, tr("&Methods:"), "methods", tr("any; or only these: GET, POST"));
    m_paths = addRow(form, Field::Paths, tr("&Paths:"), "paths", tr("any; or only these: /api/* for all below /api/"));
    QWidget* before = m_name;
    for (QWidget* each : std::initializer_list<QWidget*>{m_hosts, m_kind, m_user, m_header, m_format, m_value, m_agents, m_variable, m_methods, m_paths}) {
        setTabOrder(before, each);
        before = each;
    }
}

CredentialForm AddCredentialDialog::form() const {
    CredentialForm out;
    out.name = m_name->text().trimmed();
    out.hosts = m_hosts->text();
    out.kind = static_cast<Kind>(m_kind->currentData().toInt());
    out.user = m_user->text();
    out.header = m_header->text().trimmed();
    out.format = m_format->text();
    out.methods = m_methods->text();
    out.paths = m_paths->text();
    out.variable = m_variable->text().trimmed();
    for (int row = 0; row < m_agents->count(); ++row) {
        if (m_agents->item(row)->checkState() == Qt::Checked) {
            out.agents << m_agents->item(row)->text();
        }
    }
    return out;
}

void AddCredentialDialog::kindChanged() {
    const auto kind = static_cast<Kind>(m_kind->currentData().toInt());
    m_form->setRowVisible(m_user->parentWidget(), kind == Kind::Basic);
    m_form->setRowVisible(m_header->parentWidget(), kind == Kind::Own);
    m_form->setRowVisible(m_format->parentWidget(), kind == Kind::Own);
    consequence();
}

// What it comes to, while it is typed.
void AddCredentialDialog::consequence() {
    const auto typed = form();
    m_agentsWords->setText(m_agents->count() == 0     ? tr("There is no agent yet. Each first use is decided by your rules, and by you where none speaks of it.")
                           : typed.agents.isEmpty() ? tr("None is chosen: any agent may ask for it, and each first use is decided by your rules, and by you where "
                                                         "none speaks of it.")
                                                    : tr("These use it without asking, by a rule that you can remove. No others may."));
    const bool complete = typed.problem(Field::Hosts, m_there).isEmpty() && typed.problem(Field::User, m_there).isEmpty() &&
                          typed.problem(Field::Header, m_there).isEmpty() && typed.problem(Field::Format, m_there).isEmpty();
    const auto info = typed.info();
    m_consequence->setText(complete ? tr("It goes to %1 alone, as %2. No other key of these agents' goes there.").arg(hostsText(info), writtenText(info)) : QString());
}

bool AddCredentialDialog::complain(const Row& row, const CredentialForm& form) const {
    const auto problem = form.problem(row.field, m_there);
    row.problem->say(problem);
    row.edit->setAccessibleDescription(problem);
    return !problem.isEmpty();
}

QString AddCredentialDialog::valueProblem() const {
    if (m_value->isEmpty()) {
        return tr("Type or paste the value.");
    }
    if (!m_value->isPrintable()) {
        return tr("It holds something that cannot stand in a header field: one line, in letters, digits and signs of ASCII, without blanks around it.");
    }
    const auto bytes = m_value->bytes();
    return bytes < kLeastBytes ? tr("That is too short to be kept out of answers: a value has eight letters at least.")
           : bytes > kMostBytes ? tr("That is longer than a value may be.")
                                : QString();
}

void AddCredentialDialog::add() {
    const auto typed = form();
    QWidget* first = nullptr;
    for (const auto& row : std::as_const(m_rows)) { // in the order in which they stand
        if (complain(row, typed) && first == nullptr) {
            first = row.edit;
        }
    }
    const auto problem = valueProblem();
    m_valueProblem->say(problem);
    m_value->setAccessibleDescription(problem);
    if (first == nullptr && !problem.isEmpty()) {
        first = m_value;
    }
    if (first != nullptr) {
        first->setFocus();
        m_scroll->ensureWidgetVisible(first->parentWidget());
        return;
    }
    if (typed.agents.size() > kMostAgents) {
        m_bar->say(MessageBar::Kind::Error, tr("A credential is for at most %n agent(s).", nullptr, kMostAgents));
        return;
    }
    m_add->setEnabled(false);
    m_bar->say(MessageBar::Kind::Note, tr("It is being kept…"));
    askWithSecret(m_link, "credential.add", typed.parameters(), m_value->take(), this, [this](const Answer& answer) { answered(answer); });
}

void AddCredentialDialog::answered(const Answer& answer) {
    m_add->setEnabled(true);
    if (!answer) {
        m_bar->say(MessageBar::Kind::Error, whatHappened(answer.error()),
                   (whatToDo(answer.error()) + ' ' + tr("The value has to be typed once more: this window does not keep it.")).trimmed());
        if (answer.error().code == ErrorCode::Unavailable) { // perhaps the file was locked meanwhile
            m_link.ask("credential.lock", {{"look", true}}, this, [this](const Answer& looked) {
                if (looked && api::textAt(*looked, "next") == "passphrase") {
                    m_bar->offer(tr("G&ive the passphrase…"));
                }
            });
        }
        m_value->setFocus();
        return;
    }
    const auto made = credentialsFrom({api::objectAt(*answer, "credential")});
    emit added(made.isEmpty() ? form().info() : made.front());
    accept();
}

} // namespace carrel::ui
