// SPDX-License-Identifier: Apache-2.0
#include "app/clerk/content_receiver.h"

#include <utility>

namespace carrel::clerk {

namespace {
constexpr std::uint32_t kStale = 116; // ESTALE, Linux numbering (frame.h)
constexpr char kKeeping[] = "keeping the file's content for the review";
}

ContentReceiver::ContentReceiver(UniqueFd file, std::uint64_t maxBytes, Done done)
    : m_file(std::move(file)), m_writer(m_file.get()), m_max(maxBytes), m_done(std::move(done)) {}

void ContentReceiver::data(ByteSpan bytes) {
    if (isDone()) {
        return;
    }
    if (m_ended || bytes.size() > m_max - m_received) {
        settle(fail(ErrorCode::LimitExceeded, "the agent's machine sent more than the file's announced size"));
        return;
    }
    m_received += bytes.size();
    if (const int error = m_writer.write(bytes); error != 0) {
        settle(failErrno(kKeeping, error));
    }
}

void ContentReceiver::end() {
    m_ended = true;
    maybeSettle();
}

void ContentReceiver::reset(std::uint32_t reason) {
    settle(reason == kStale
               ? fail(ErrorCode::Conflict, "the file changed while it was copied", "Look at the changes again")
               : fail(ErrorCode::Unavailable, "the agent's machine broke off the copy of a file"));
}

void ContentReceiver::answered(Result<std::uint64_t> size) {
    if (!size) {
        settle(fail(std::move(size).error()));
        return;
    }
    m_announced = *size;
    maybeSettle();
}

void ContentReceiver::maybeSettle() {
    if (!m_ended || !m_announced) {
        return;
    }
    if (*m_announced != m_received) {
        settle(fail(ErrorCode::Malformed, "the agent's machine sent another amount of bytes than it announced"));
        return;
    }
    if (const int error = m_writer.finish(); error != 0) {
        settle(failErrno(kKeeping, error));
        return;
    }
    settle(m_received);
}

void ContentReceiver::settle(Result<std::uint64_t> outcome) {
    if (auto done = std::exchange(m_done, nullptr)) {
        m_file.reset();
        done(std::move(outcome));
    }
}

} // namespace carrel::clerk
