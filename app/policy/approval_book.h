// SPDX-License-Identifier: Apache-2.0
// What the records say: every request with its state. The only place where a state changes, and the same for a record that
// was just written and for one that is read again after a restart; so what a restart finds is what there was.
//
// A record that does not fit (of a request that is not there, or out of its order) changes nothing and is an error. The
// newest kMaxClosed closed requests of each agent are kept, the others are in the log alone.
// Owner: the queue. Thread: the caller serialises.
#pragma once

#include "app/policy/approval_record.h"

#include <functional>
#include <map>

namespace carrel::policy {

inline constexpr std::size_t kMaxClosed = 100; // of one agent

class ApprovalBook {
public:
    // Malformed: it does not fit. Asked before it is written, so that the log has none that does not.
    [[nodiscard]] Status fits(const ApprovalRecord& record) const;
    [[nodiscard]] Status apply(const ApprovalRecord& record);

    [[nodiscard]] const Approval* find(std::uint64_t id) const;
    [[nodiscard]] std::vector<const Approval*> all() const; // by id
    [[nodiscard]] std::vector<const Approval*> of(std::string_view agent) const;
    [[nodiscard]] std::size_t openOf(std::string_view agent) const;
    // The open or allowed one of the agent that is about the same; the newest.
    [[nodiscard]] const Approval* like(const PreparedAsk& ask) const;
    [[nodiscard]] std::uint64_t nextId() const { return m_nextId; }

    // What is counted meanwhile, and no record by itself.
    void count(std::uint64_t id);
    void markSessionOver(std::uint64_t id);
    void forget(std::string_view agent);

private:
    // The request as it is after that; none: the record is about none.
    [[nodiscard]] Result<std::optional<Approval>> after(const ApprovalRecord& record) const;
    void dropOld(const std::string& agent);

    std::map<std::uint64_t, Approval> m_all;
    std::map<std::uint64_t, std::uint64_t> m_closed; // by request: in which order they were closed
    std::uint64_t m_closings = 0;
    std::uint64_t m_nextId = 1;
};

} // namespace carrel::policy
