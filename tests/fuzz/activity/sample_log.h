// SPDX-License-Identifier: Apache-2.0
// A log to be damaged: the same bytes each time, so that what was found is found again. Cut at 3, events 4 … 20, signed at 10 and 20, with a
// recording of two pieces.
#pragma once

#include "app/activity/activity_log.h"
#include "app/activity/database.h"
#include "app/activity/event_rows.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <unistd.h>

namespace carrel::activity::fuzz {

inline void expect(bool good, int line = __builtin_LINE()) {
    if (!good) {
        std::fprintf(stderr, "what line %d expects does not hold\n", line);
        std::abort();
    }
}

inline void run(Database& database, const std::string& sql) {
    expect(database.run(sql).has_value());
}

inline void bindHash(Statement& to, int at, const Hash& hash) {
    to.bindBlob(at, hash.data(), hash.size());
}

// What somebody does who knows how the chain is made: as far as the rows go on one after another.
inline void chainAnew(Database& database, std::uint64_t from) {
    for (;; ++from) {
        auto select = database.prepare("SELECT time_ns, kind, provenance, subject, detail, (SELECT hash FROM event WHERE seq = ?1 - 1) FROM event WHERE seq = ?1");
        if (!select) {
            return;
        }
        select->bind(1, static_cast<std::int64_t>(from));
        auto there = select->step();
        if (!there || !*there) {
            return;
        }
        Hash before{};
        const auto stored = select->text(5);
        std::copy_n(stored.begin(), std::min(stored.size(), before.size()), before.begin());
        const auto kind = select->text(1);
        const auto provenance = select->text(2);
        const auto subject = select->text(3);
        const auto detail = select->text(4);
        const auto hash = chainHash(before, from, select->number(0), {kind, provenance, subject, detail});
        auto update = database.prepare("UPDATE event SET hash = ?2 WHERE seq = ?1");
        if (!hash || !update) {
            return;
        }
        update->bind(1, static_cast<std::int64_t>(from));
        bindHash(*update, 2, *hash);
        if (!update->step()) {
            return;
        }
    }
}

struct Sample {
    std::string folder;
    std::string file;  // to be written anew for each input
    std::string bytes; // as it is
    SignedHead kept;

    Sample() {
        const std::filesystem::path inMemory = "/dev/shm";
        std::error_code error;
        std::string name = ((std::filesystem::is_directory(inMemory, error) ? inMemory : std::filesystem::temp_directory_path()) / "carrel-fuzz-log-XXXXXX").string();
        expect(::mkdtemp(name.data()) != nullptr);
        folder = name;
        file = folder + "/activity.db";
        {
            auto log = ActivityLog::open(file).value();
            fill(*log);
        }
        seal();
        std::ifstream in(file, std::ios::binary);
        bytes.assign(std::istreambuf_iterator<char>(in), {});
    }
    ~Sample() {
        std::error_code error;
        std::filesystem::remove_all(folder, error);
    }
    Sample(const Sample&) = delete;
    Sample& operator=(const Sample&) = delete;

private:
    static void fill(ActivityLog& log) {
        const auto notes = [&](int count) {
            for (int i = 0; i < count; ++i) {
                Event event;
                event.subject = "note " + std::to_string(log.head().seq + 1);
                (void)log.append(event).value();
            }
        };
        notes(10);
        const auto recording = log.beginRecording({"exec", "sh", 80, 24}).value();
        expect(log.addChunk({{recording, 1, 0, 5000, 10}, "the first piece"}).has_value());
        expect(log.addChunk({{recording, 2, 5001, 9000, 10}, std::string(6000, 'x')}).has_value());
        expect(log.endRecording(recording).has_value());
        notes(6);
    }
    // What a clock and chance put in, put out again; then all that depends on it.
    void seal() {
        auto database = Database::open(file).value();
        run(database, "PRAGMA journal_mode=DELETE; UPDATE log SET id = x'00112233445566778899aabbccddeeff', made_ns = 1;"
                      "UPDATE event SET time_ns = seq; UPDATE recording SET started_ns = 11, ended_ns = 14");
        chainAnew(database, 1);
        std::array<unsigned char, 32> seed{1};
        const auto key = SigningKey::fromSeed(seed).value();
        const auto hashOf = [&](std::uint64_t seq) {
            auto select = database.prepare("SELECT hash FROM event WHERE seq = " + std::to_string(seq)).value();
            expect(select.step().value());
            Hash out{};
            const auto stored = select.text(0);
            std::copy_n(stored.begin(), out.size(), out.begin());
            return out;
        };
        LogId id{0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff};
        for (const std::uint64_t seq : {10, 20}) {
            SignedHead head;
            head.log = id;
            head.seq = seq;
            head.timeNs = static_cast<std::int64_t>(seq);
            head.hash = hashOf(seq);
            head.reason = "session";
            expect(key.sign(head).has_value());
            auto insert = database.prepare("INSERT INTO signed_head VALUES (?, ?, ?, ?, ?, ?)").value();
            insert.bind(1, static_cast<std::int64_t>(seq));
            bindHash(insert, 2, head.hash);
            insert.bind(3, head.timeNs);
            insert.bind(4, head.reason);
            insert.bindBlob(5, head.key.data(), head.key.size());
            insert.bindBlob(6, head.signature.data(), head.signature.size());
            expect(!insert.step().value());
            kept = head;
        }
        SignedCut cut;
        cut.log = id;
        cut.seq = 3;
        cut.timeNs = 21;
        cut.hash = hashOf(3);
        expect(key.sign(cut).has_value());
        auto insert = database.prepare("INSERT INTO cut VALUES (3, ?, 21, ?, ?)").value();
        bindHash(insert, 1, cut.hash);
        insert.bindBlob(2, cut.key.data(), cut.key.size());
        insert.bindBlob(3, cut.signature.data(), cut.signature.size());
        expect(!insert.step().value());
        run(database, "DELETE FROM event WHERE seq <= 3; VACUUM");
    }
};

// All that a log tells, asked in each way that a reader asks.
inline std::string toldBy(const std::string& file, std::uint64_t upTo) {
    auto database = Database::openToRead(file);
    if (!database) {
        return "?";
    }
    std::string out;
    const auto limit = std::to_string(upTo);
    for (const auto& [sql, columns] :
         {std::pair{std::string(kEventColumns) + "WHERE seq <= " + limit + " ORDER BY seq", 7}, {std::string(kEventColumns) + "WHERE seq <= " + limit + " ORDER BY seq DESC", 7},
          {std::string(kEventColumns) + "WHERE seq > 3 AND time_ns >= 0 AND kind IN ('engine.note') AND seq <= " + limit + " ORDER BY seq", 7},
          {std::string(kEventColumns) + "WHERE seq = 12", 7},
          {std::string("SELECT id, kind, title, columns, rows, started_ns, ended_ns FROM recording WHERE id = 1"), 7},
          {std::string("SELECT number, first_us, last_us, raw_bytes, data FROM recording_chunk WHERE recording = 1 AND number <= 2 ORDER BY number"), 5},
          {std::string("SELECT data FROM recording_chunk WHERE recording = 1 AND number = 2"), 1},
          {std::string("SELECT number FROM recording_chunk WHERE recording = 1 AND number <= 2 AND first_us <= 6000 ORDER BY first_us DESC, number DESC LIMIT 1"), 1}}) {
        auto select = database->prepare(sql);
        if (!select) {
            return "?";
        }
        for (;;) {
            auto more = select->step();
            if (!more) {
                return "?";
            }
            if (!*more) {
                break;
            }
            for (int column = 0; column < columns; ++column) {
                const auto text = select->text(column);
                out += std::to_string(text.size()) + ":" + text + std::to_string(select->number(column)) + ";";
            }
            out += '\n';
        }
        out += '\n';
    }
    return out;
}

} // namespace carrel::activity::fuzz
