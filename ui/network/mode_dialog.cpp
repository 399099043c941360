// SPDX-License-Identifier: Apache-2.0
#include "ui/network/mode_dialog.h"

#include "ui/text/plain.h"

#include <QButtonGroup>
#include <QDialogButtonBox>
#include <QPushButton>
#include <QRadioButton>
#include <QStyle>
#include <QVBoxLayout>

namespace carrel::ui {

namespace {

QString effectText(NetMode mode) {
    switch (mode) {
    case NetMode::Offline:
        return ModeDialog::tr("What is connected is cut at once.");
    case NetMode::Allowlist:
        return ModeDialog::tr("What is connected by your answer alone, and by no rule, is cut at once.");
    case NetMode::Ask:
    case NetMode::Unknown:
        break;
    }
    return {};
}

} // namespace

ModeDialog::ModeDialog(const QString& agent, NetMode now, QWidget* parent)
    : QDialog(parent) {
    setAttribute(Qt::WA_DeleteOnClose);
    setObjectName("modeDialog");
    setWindowTitle(tr("The network of the agent %1").arg(agent));
    auto* all = new QVBoxLayout(this);
    auto* group = new QButtonGroup(this);
    for (const auto mode : {NetMode::Offline, NetMode::Ask, NetMode::Allowlist}) {
        auto* radio = new QRadioButton(netModeText(mode), this);
        radio->setObjectName(QString::fromLatin1(netModeKey(mode)));
        radio->setChecked(mode == now);
        const auto effect = mode == now ? QString() : effectText(mode);
        const auto words = effect.isEmpty() ? netModeExplained(mode) : netModeExplained(mode) + ' ' + effect;
        radio->setAccessibleDescription(words);
        group->addButton(radio, static_cast<int>(mode));
        auto* explained = new PlainLabel(words, this);
        explained->setIndent(style()->pixelMetric(QStyle::PM_ExclusiveIndicatorWidth) + style()->pixelMetric(QStyle::PM_RadioButtonLabelSpacing));
        all->addWidget(radio);
        all->addWidget(explained);
        all->addSpacing(6);
    }
    all->addStretch();
    auto* buttons = new QDialogButtonBox(QDialogButtonBox::Cancel, this);
    auto* change = buttons->addButton(tr("C&hange it"), QDialogButtonBox::AcceptRole);
    change->setObjectName("agree");
    change->setAutoDefault(false);
    change->setEnabled(false);
    buttons->button(QDialogButtonBox::Cancel)->setDefault(true);
    all->addWidget(buttons);
    connect(group, &QButtonGroup::idToggled, this, [change, group, now] {
        change->setEnabled(group->checkedId() >= 0 && group->checkedId() != static_cast<int>(now));
    });
    connect(buttons, &QDialogButtonBox::rejected, this, &QDialog::reject);
    connect(buttons, &QDialogButtonBox::accepted, this, [this, group] {
        emit chosen(static_cast<NetMode>(group->checkedId()));
        accept();
    });
    if (auto* const checked = group->checkedButton(); checked != nullptr) {
        checked->setFocus();
    }
    setMinimumWidth(460);
}

} // namespace carrel::ui
