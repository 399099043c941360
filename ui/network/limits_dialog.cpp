// SPDX-License-Identifier: Apache-2.0
#include "ui/network/limits_dialog.h"

#include "guest/protocol/byte_amount.h"
#include "ui/text/plain.h"

#include <QDialogButtonBox>
#include <QFormLayout>
#include <QLineEdit>
#include <QPushButton>
#include <QVBoxLayout>

#include <optional>

namespace carrel::ui {

namespace {

QString shownAs(std::uint64_t bytes) {
    return bytes == 0 ? QString() : QString::fromStdString(amountText(bytes));
}

// Nothing written: no limit. None: it cannot be read.
std::optional<std::uint64_t> amountOf(const QLineEdit* field) {
    const auto text = field->text().trimmed().toStdString();
    const auto amount = amountFrom(text);
    return text.empty() ? std::optional<std::uint64_t>(0) : amount == std::uint64_t{0} ? std::nullopt : amount;
}

QLineEdit* fieldOf(const char* name, const QString& called, std::uint64_t now, QWidget* parent) {
    auto* field = new QLineEdit(shownAs(now), parent);
    field->setObjectName(name);
    field->setAccessibleName(called);
    field->setMaxLength(24);
    field->setPlaceholderText(LimitsDialog::tr("no limit"));
    return field;
}

} // namespace

LimitsDialog::LimitsDialog(const QString& agent, std::uint64_t rate, std::uint64_t day, QWidget* parent)
    : QDialog(parent) {
    setAttribute(Qt::WA_DeleteOnClose);
    setObjectName("limitsDialog");
    setWindowTitle(tr("How much the agent %1 may carry").arg(agent));
    auto* all = new QVBoxLayout(this);
    auto* rateField = fieldOf("rate", tr("At most so much a second"), rate, this);
    auto* dayField = fieldOf("day", tr("At most so much a day"), day, this);
    auto* form = new QFormLayout;
    form->addRow(tr("A &second:"), rateField);
    form->addRow(tr("A &day:"), dayField);
    all->addLayout(form);
    all->addWidget(new PlainLabel(tr("For example 5 MiB, or 500 kB. It is for all connections of the agent together, and what is sent and what is "
                                     "received is added up. When a day is used up they are cut, and no other is made until the next day of "
                                     "this computer's clock, or until you allow more."),
                                  this));
    auto* problem = new PlainLabel({}, this);
    problem->setObjectName("problem");
    all->addWidget(problem);
    all->addStretch();
    auto* buttons = new QDialogButtonBox(QDialogButtonBox::Cancel, this);
    auto* change = buttons->addButton(tr("C&hange it"), QDialogButtonBox::AcceptRole);
    change->setObjectName("agree");
    change->setAutoDefault(false);
    buttons->button(QDialogButtonBox::Cancel)->setDefault(true);
    all->addWidget(buttons);
    const auto check = [rateField, dayField, change, problem, rate, day] {
        const auto newRate = amountOf(rateField), newDay = amountOf(dayField);
        problem->setText(newRate && newDay ? QString() : tr("Write a whole number and its unit: kB, MB, GB, KiB, MiB, GiB."));
        change->setEnabled(newRate && newDay && (newRate != rate || newDay != day));
    };
    connect(rateField, &QLineEdit::textChanged, this, check);
    connect(dayField, &QLineEdit::textChanged, this, check);
    check();
    connect(buttons, &QDialogButtonBox::rejected, this, &QDialog::reject);
    connect(buttons, &QDialogButtonBox::accepted, this, [this, rateField, dayField] {
        if (const auto newRate = amountOf(rateField), newDay = amountOf(dayField); newRate && newDay) {
            emit chosen(*newRate, *newDay);
            accept();
        }
    });
    rateField->setFocus();
    setMinimumWidth(460);
}

} // namespace carrel::ui
