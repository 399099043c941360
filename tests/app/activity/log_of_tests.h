// SPDX-License-Identifier: Apache-2.0
// A log with a bit of everything, and the hand of somebody who may write to its file but does not have its key.
#pragma once

#include "app/activity/activity_log.h"
#include "app/activity/database.h"

#include <QString>
#include <QTemporaryDir>

#include <memory>

namespace carrel::activity::tests {

inline std::shared_ptr<const SigningKey> keyOf(unsigned char first) {
    std::array<unsigned char, 32> seed{};
    seed[0] = first;
    return std::make_shared<const SigningKey>(SigningKey::fromSeed(seed).value());
}

inline Event note(std::string subject) {
    Event event;
    event.subject = std::move(subject);
    event.detail = {{"n", 1}};
    return event;
}

inline bool run(const std::string& file, const std::string& sql) {
    auto database = Database::open(file);
    return database && database->run(sql).has_value();
}

// What somebody does who knows how the chain is made: every hash from an event on is right again.
inline bool chainAnew(const std::string& file, std::uint64_t from) {
    auto database = Database::open(file);
    if (!database) {
        return false;
    }
    for (;; ++from) {
        auto select = database->prepare("SELECT time_ns, kind, provenance, subject, detail, (SELECT hash FROM event WHERE seq = ?1 - 1) FROM event WHERE seq = ?1");
        select->bind(1, static_cast<std::int64_t>(from));
        if (!select->step().value()) {
            return true;
        }
        Hash before{};
        const auto stored = select->text(5);
        std::copy(stored.begin(), stored.end(), before.begin());
        const auto kind = select->text(1);
        const auto provenance = select->text(2);
        const auto subject = select->text(3);
        const auto detail = select->text(4);
        const auto hash = chainHash(before, from, select->number(0), {kind, provenance, subject, detail}).value();
        auto update = database->prepare("UPDATE event SET hash = ? WHERE seq = ?");
        update->bindBlob(1, hash.data(), hash.size());
        update->bind(2, static_cast<std::int64_t>(from));
        if (!update->step()) {
            return false;
        }
    }
}

// Events 1 … 24: notes; a recording of two pieces (11 … 14); signed at 10 and at 24.
class LogOfTests {
public:
    LogOfTests()
        : file(m_folder.filePath("activity.db").toStdString()) {
        auto log = ActivityLog::open(file).value();
        log->signWith(key);
        const auto notes = [&](int count) {
            for (int i = 0; i < count; ++i) {
                (void)log->append(note("note " + std::to_string(log->head().seq + 1))).value();
            }
        };
        notes(10);
        first = log->signHead("session").value();
        const auto recording = log->beginRecording({"exec", "sh", 80, 24}).value();
        (void)log->addChunk({{recording, 1, 0, 5'000'000, 10}, "the first piece"}).has_value();
        (void)log->addChunk({{recording, 2, 5'000'001, 9'000'000, 10}, "the second"}).has_value();
        (void)log->endRecording(recording).has_value();
        notes(10);
        last = log->signHead("asked").value();
    }
    [[nodiscard]] QString path(const char* name) const { return m_folder.filePath(name); }

    std::shared_ptr<const SigningKey> key = keyOf(1);
    SignedHead first;
    SignedHead last;

private:
    QTemporaryDir m_folder;

public:
    const std::string file;
};

} // namespace carrel::activity::tests
