// SPDX-License-Identifier: Apache-2.0
#include "app/desktop/approval_notices.h"

#include <algorithm>
#include <vector>

namespace carrel::desktop {
namespace {

constexpr std::size_t kOverKept = 1024; // far more than there are threads that could be late

} // namespace

ApprovalNotices::ApprovalNotices(Notifier& to, NameOf nameOf)
    : m_to(to)
    , m_nameOf(std::move(nameOf)) {}

void ApprovalNotices::changed(const policy::Approval& approval, std::uint64_t number) {
    const bool open = approval.state == policy::ApprovalState::Open;
    const Waiting waiting{approval.id,           approval.revision, open ? m_nameOf(approval.agent) : std::string(),
                          approval.action,       approval.question.risk,
                          approval.question.itemCount};
    // The notifier under the lock, too: it would otherwise hear in another order.
    const std::lock_guard lock(m_mutex);
    auto [at, isNew] = m_last.try_emplace(approval.id);
    if (!isNew && number <= at->second.number) {
        return;
    }
    m_over += (open ? 0U : 1U);
    m_over -= (!isNew && !at->second.open ? 1U : 0U);
    at->second = {number, open};
    open ? m_to.show(waiting) : m_to.withdraw(approval.id);
    if (m_over <= kOverKept) {
        return;
    }
    std::vector<std::uint64_t> numbers;
    for (const auto& [id, last] : m_last) {
        if (!last.open) {
            numbers.push_back(last.number);
        }
    }
    std::nth_element(numbers.begin(), numbers.begin() + static_cast<std::ptrdiff_t>(numbers.size() / 2), numbers.end());
    const auto from = numbers[numbers.size() / 2];
    m_over -= std::erase_if(m_last, [from](const auto& each) { return !each.second.open && each.second.number < from; });
}

} // namespace carrel::desktop
