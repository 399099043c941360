// SPDX-License-Identifier: Apache-2.0
#include "ui/approvals/approval_store.h"

#include "app/api/answers.h"
#include "ui/text/plain.h"

#include <algorithm>

namespace carrel::ui {

namespace json = boost::json;
using namespace api;

bool ApprovalInfo::isOpen() const {
    return textAt(all, "state") == "open";
}

bool ApprovalInfo::isHighRisk() const {
    return textAt(all, "risk") != "routine";
}

ApprovalStore::ApprovalStore(EngineLink& link)
    : m_link(link)
    , m_news(link, "approval.wait", this) {
    connect(&m_news, &News::told, this, &ApprovalStore::refresh);
}

int ApprovalStore::openCount() const {
    return static_cast<int>(std::count_if(m_approvals.begin(), m_approvals.end(), [](const ApprovalInfo& each) { return each.isOpen(); }));
}

void ApprovalStore::refresh() {
    if (m_list) {
        m_again = true;
        return;
    }
    m_again = false;
    m_coming.clear();
    list(0);
}

void ApprovalStore::list(std::uint64_t after) {
    m_list = m_link.ask("approval.list", {{"closed", true}, {"after", after}}, this, [this](const Answer& answer) { listed(answer); });
}

void ApprovalStore::listed(const Answer& answer) {
    m_list = nullptr;
    if (answer) {
        for (const auto& each : listAt(*answer, "approvals")) {
            if (each.is_object()) {
                m_coming.push_back({numberAt(each.get_object(), "id"), each.get_object()});
            }
        }
        if (const auto next = numberAt(*answer, "next"); next != 0 && !m_again) {
            list(next);
            return;
        }
        m_trouble = lineOf(textAt(objectAt(*answer, "rules_trouble"), "message"), 400);
        if (const auto remedy = textAt(objectAt(*answer, "rules_trouble"), "remedy"); !remedy.empty()) {
            m_trouble += ' ' + lineOf(remedy, 400);
        }
        m_notices.clear();
        for (const auto& each : listAt(*answer, "turned_away")) {
            if (each.is_object()) {
                const auto& one = each.get_object();
                m_notices << tr("The agent %1 asks too much, too soon: %n more request(s) were cancelled without asking you.", nullptr,
                                countOf(numberAt(one, "count")))
                                 .arg(lineOf(textAt(one, "agent"), 40));
            }
        }
        std::sort(m_coming.begin(), m_coming.end(), [](const ApprovalInfo& a, const ApprovalInfo& b) {
            if (a.isOpen() != b.isOpen()) {
                return a.isOpen();
            }
            return a.isOpen() ? a.id < b.id : a.id > b.id;
        });
        m_approvals = std::exchange(m_coming, {});
        emit changed();
    }
    if (m_again) {
        refresh();
    }
}

} // namespace carrel::ui
