// SPDX-License-Identifier: Apache-2.0
#include "ui/approvals/evidence_view.h"

#include "app/api/answers.h"
#include "ui/changes/change_details.h"
#include "ui/credentials/credential_info.h"
#include "ui/parts/message_bar.h"
#include "ui/parts/tones.h"
#include "ui/text/network_words.h"
#include "ui/text/plain.h"

#include <QHeaderView>
#include <QSplitter>
#include <QTreeWidget>
#include <QVBoxLayout>

#include <algorithm>

namespace carrel::ui {

namespace json = boost::json;
using namespace api;

namespace {

constexpr int kPage = 1000;
constexpr int kIndexRole = Qt::UserRole;

QString notesOf(const ChangeEntry& change) {
    QStringList out;
    if (change.highRisk) {
        out << EvidenceView::tr("High risk: %1").arg(lineOf(change.riskReason));
    }
    if (!change.conflict.empty()) {
        out << EvidenceView::tr("Conflict: %1").arg(lineOf(change.conflict));
    }
    if (!change.linkTarget.empty()) {
        out << EvidenceView::tr("leads to %1").arg(lineOf(change.linkTarget, kWholeColumns));
    }
    if (const auto rights = permissionsText(change); !rights.isEmpty()) {
        out << rights;
    }
    return out.join(QStringLiteral("; "));
}

// What a word of the network's fields is, for a person.
QString fieldText(std::string_view field) {
    return field == "host"     ? EvidenceView::tr("Host")
           : field == "port"   ? EvidenceView::tr("Port")
           : field == "method" ? EvidenceView::tr("Method")
           : field == "path"   ? EvidenceView::tr("Path")
           : field == "name"   ? EvidenceView::tr("Credential")
                               : lineOf(field, 60);
}

QString networkTitle(const json::array& things) {
    const bool anything = std::any_of(things.begin(), things.end(), [](const auto& each) {
        return !each.is_object() || each.get_object().if_contains("method") == nullptr;
    });
    return anything ? EvidenceView::tr("Allowed, programs in the agent's machine may send anything there that they have, what is in your shared "
                                       "folders among it, and get anything back:")
                    : EvidenceView::tr("Allowed, programs in the agent's machine may make this request, with any content and anything behind a ? in the address, "
                                       "and get anything back:");
}

QString titleOf(const std::string& action, const json::array& things) {
    return action == "network"      ? networkTitle(things)
           : action == "credential" ? EvidenceView::tr("Allowed, Carrel puts the value of this credential into requests of the agent's to this host. What "
                                                       "it opens there, the agent can do then, as if it were you. The value does not reach the agent's machine:")
           : action == "forward"    ? EvidenceView::tr("Allowed, what listens at this port of the agent's machine is shown in your browser, at an address of "
                                                       "this computer that the agent is not told:")
                                    : EvidenceView::tr("What it is about:");
}

} // namespace

EvidenceView::EvidenceView(EngineLink& link, QWidget* parent)
    : QWidget(parent)
    , m_link(link)
    , m_title(new PlainLabel({}, this))
    , m_list(new QTreeWidget(this))
    , m_splitter(new QSplitter(Qt::Vertical, this))
    , m_bar(new MessageBar(this)) {
    setObjectName("evidence");
    m_list->setObjectName("changes");
    m_list->setAccessibleName(tr("What it is about"));
    m_list->setRootIsDecorated(false);
    m_list->setUniformRowHeights(true);
    m_splitter->addWidget(m_list);
    m_splitter->setStretchFactor(0, 1);
    m_splitter->setChildrenCollapsible(false);
    auto* all = new QVBoxLayout(this);
    all->setContentsMargins(0, 0, 0, 0);
    all->addWidget(m_title);
    all->addWidget(m_bar);
    all->addWidget(m_splitter, 1);
    connect(m_list, &QTreeWidget::currentItemChanged, this, &EvidenceView::showLines);
}

void EvidenceView::clear() {
    delete m_request;
    delete m_lines;
    m_lines = nullptr;
    m_changes.clear();
    m_list->clear();
    m_bar->clear();
    m_review.clear();
}

void EvidenceView::show(const json::object& shown) {
    clear();
    const auto& approval = objectAt(shown, "approval");
    m_agent = textAt(approval, "agent");
    m_review = textAt(shown, "review");
    if (!m_review.empty()) {
        m_title->setText(tr("The changes, as Carrel has copied them:"));
        m_list->setColumnCount(4);
        m_list->setHeaderLabels({tr("File"), tr("What"), tr("Size"), tr("To be noted")});
        m_list->header()->resizeSection(0, 280);
        m_list->header()->resizeSection(2, 80);
        m_lines = new ChangeDetails(m_link, QString::fromStdString(m_agent), this);
        m_splitter->addWidget(m_lines);
        m_splitter->setStretchFactor(1, 2);
        m_splitter->setSizes({110, 320});
        page(0);
        return;
    }
    // Its fields, of which there are few.
    const auto action = textAt(approval, "action");
    const bool credential = action == "credential";
    const bool network = action == "network" || credential;
    m_title->setText(titleOf(action, listAt(shown, "things")));
    m_list->setColumnCount(2);
    m_list->setHeaderLabels({tr("What"), tr("Value")});
    m_list->header()->resizeSection(0, 140);
    for (const auto& thing : listAt(shown, "things")) {
        if (!thing.is_object()) {
            continue;
        }
        for (const auto& member : thing.get_object()) {
            const auto& field = member.value();
            const auto value = field.is_string() ? std::string(field.get_string()) : json::serialize(field);
            addFact(network ? fieldText(member.key()) : lineOf(std::string(member.key()), 60),
                    network && member.key() != "path" ? hostText(value) : lineOf(value, kWholeColumns));
        }
    }
    if (!flagAt(shown, "complete")) {
        m_bar->say(MessageBar::Kind::Warning, tr("These are not all: there are %n, so it cannot be allowed here.", nullptr,
                                                 static_cast<int>(numberAt(approval, "items"))));
        return;
    }
    if (credential) {
        askCredential(listAt(shown, "things"));
        return;
    }
    emit whole();
}

void EvidenceView::addFact(const QString& what, const QString& value) {
    auto* item = new QTreeWidgetItem(m_list);
    item->setText(0, what);
    item->setText(1, value);
    item->setToolTip(1, toolTipOf(value));
}

// What that credential is bound to, as it is now: how far it reaches is what is decided on.
void EvidenceView::askCredential(const json::array& things) {
    std::string name;
    if (!things.empty() && things.front().is_object()) {
        name = textAt(things.front().get_object(), "name");
    }
    m_request = m_link.ask("credential.list", {}, this, [this, name](const Answer& answer) {
        m_request = nullptr;
        if (!answer) {
            m_bar->say(answer.error().wrap(tr("what the credential is bound to cannot be shown, so it cannot be allowed here").toStdString()));
            return;
        }
        const auto all = credentialsFrom(listAt(*answer, "credentials"));
        const auto of = std::find_if(all.begin(), all.end(), [&](const CredentialInfo& each) { return each.name == name; });
        if (of == all.end()) {
            m_bar->say(MessageBar::Kind::Warning, tr("There is no credential of that name any more, so there is nothing to allow."));
            return;
        }
        addFact(tr("Sent as"), writtenText(*of));
        addFact(tr("Methods"), methodsText(*of));
        addFact(tr("Paths"), pathsText(*of));
        emit whole();
    });
}

void EvidenceView::page(std::uint64_t after) {
    m_request = m_link.ask("changes", {{"agent", m_agent}, {"review", m_review}, {"after", after}, {"limit", kPage}}, this, [this](const Answer& answer) {
        m_request = nullptr;
        if (!answer) {
            m_bar->say(answer.error().wrap(tr("what it would change cannot be shown, so it cannot be allowed here").toStdString()));
            return;
        }
        if (textAt(*answer, "review") != m_review) {
            m_bar->say(MessageBar::Kind::Error, tr("The changes that the engine shows are not those that the request is about."));
            return;
        }
        for (const auto& change : listAt(*answer, "changes")) {
            if (!change.is_object() || !addChange(change.get_object())) {
                m_bar->say(MessageBar::Kind::Error, tr("One of the changes cannot be read, so it cannot be allowed here."));
                return;
            }
        }
        const auto* const next = answer->if_contains("next");
        if (next != nullptr && !next->is_null()) {
            page(numberAt(*answer, "next"));
            return;
        }
        if (m_list->topLevelItemCount() > 0) {
            m_list->setCurrentItem(m_list->topLevelItem(0));
        }
        emit whole();
    });
}

bool EvidenceView::addChange(const json::object& object) {
    const auto change = changeFrom(object);
    if (!change) {
        return false;
    }
    auto* item = new QTreeWidgetItem(m_list);
    item->setData(0, kIndexRole, static_cast<int>(m_changes.size()));
    item->setText(0, lineOf(change->path, kWholeColumns));
    item->setToolTip(0, toolTipOf(item->text(0)));
    item->setText(1, kindSentence(*change));
    item->setToolTip(1, toolTipOf(item->text(1)));
    item->setText(2, sizeOf(*change));
    item->setText(3, notesOf(*change));
    item->setToolTip(3, toolTipOf(item->text(3)));
    if (change->highRisk || !change->conflict.empty()) {
        item->setForeground(3, toneColour(Tone::Bad, palette()));
    }
    m_changes.push_back(*change);
    return true;
}

void EvidenceView::showLines() {
    const auto* const item = m_list->currentItem();
    if (item != nullptr && m_lines != nullptr) {
        m_lines->show(m_review, m_changes.at(static_cast<std::size_t>(item->data(0, kIndexRole).toInt())));
    }
}

} // namespace carrel::ui
