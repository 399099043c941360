// SPDX-License-Identifier: Apache-2.0
// How many events a second get from the guest's ring to a durable row of the activity log, beside SQLite alone inserting the same rows in
// the same batches (WAL, synchronous=FULL, one prepared statement).
//
//   bench-watch [EVENTS [ROUNDS]]
//
// ours: a record of the kernel's → guestd's book → a batch → the answer as text → read by the clerk and written anew → read by the
// engine → rows, chained and committed. All by one thread one after the other, though guest, clerk and engine are three processes.
// engine: the last part of that, which bounds them. Medians, with lowest and highest.
#include "app/activity/activity_log.h"
#include "app/agents/watch_rows.h"
#include "app/clerk/guest_words.h"
#include "guest/bpf/watch_record.h"
#include "guest/protocol/rpc.h"
#include "guest/watch/seen.h"
#include "guest/watch/watch_book.h"

#include <sqlite3.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

using namespace carrel;
using Clock = std::chrono::steady_clock;
namespace fs = std::filesystem;

namespace {

[[noreturn]] void give(const char* what) {
    std::fprintf(stderr, "bench-watch: %s\n", what);
    std::exit(1);
}

// A build: a compiler starts, makes two files, deletes one, ends.
std::vector<Bytes> records(std::size_t count) {
    std::vector<Bytes> out;
    const auto push = [&](std::uint16_t kind, std::uint32_t pid, std::string first, const std::string& second) {
        CarrelWatchRecord record{};
        record.kind = kind;
        record.time = record.started = 1'000'000'000ULL + pid;
        record.pid = pid;
        record.parentPid = 1000;
        record.parentStarted = 900'000'000;
        record.numbers[1] = record.numbers[2] = 40'000'000;
        record.first = static_cast<std::uint16_t>(first.size());
        record.second = static_cast<std::uint16_t>(second.size());
        Bytes bytes;
        appendLe(bytes, record);
        const auto text = toBytes(first + second);
        bytes.insert(bytes.end(), text.begin(), text.end());
        out.push_back(std::move(bytes));
    };
    const auto z = [](std::initializer_list<std::string> words) {
        std::string all;
        for (const auto& word : words) {
            all += word + '\0';
        }
        return all;
    };
    for (std::uint32_t i = 0; out.size() < count; ++i) {
        const auto n = std::to_string(i);
        push(CARREL_WATCH_STARTED, i, z({"cc1", "12", "x86_64-linux-gnu", "gcc", "lib", "usr"}),
             z({"/usr/lib/gcc/x86_64-linux-gnu/12/cc1", "-quiet", "-imultiarch", "x86_64-linux-gnu", "module" + n + ".c", "-O2", "-o", "/tmp/cc" + n + ".s"}));
        push(CARREL_WATCH_CREATED, i, z({"cc" + n + ".s", "tmp"}), {});
        push(CARREL_WATCH_WRITTEN, i, z({"module" + n + ".o", "build", "project", "workspace"}), {});
        push(CARREL_WATCH_DELETED, i, z({"cc" + n + ".s", "tmp"}), {});
        push(CARREL_WATCH_ENDED, i, {}, {});
    }
    return out;
}

struct Measured {
    double ours = 0, engine = 0, append = 0, raw = 0; // seconds
    std::size_t rows = 0, batches = 0;
};

using Rows = std::vector<std::tuple<std::string, std::string, std::string>>; // kind, subject, detail

double rawInsert(const fs::path& file, const std::vector<Rows>& batches) {
    sqlite3* db = nullptr;
    sqlite3_stmt* insert = nullptr;
    if (sqlite3_open(file.c_str(), &db) != SQLITE_OK ||
        sqlite3_exec(db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE event (seq INTEGER PRIMARY KEY, time_ns INTEGER NOT NULL, "
                         "kind TEXT NOT NULL, provenance TEXT NOT NULL, subject TEXT NOT NULL, detail TEXT NOT NULL, hash BLOB NOT NULL) STRICT",
                     nullptr, nullptr, nullptr) != SQLITE_OK ||
        sqlite3_prepare_v2(db, "INSERT INTO event VALUES (?, ?, ?, ?, ?, ?, ?)", -1, &insert, nullptr) != SQLITE_OK) {
        give("SQLite does not work here");
    }
    const unsigned char hash[32] = {};
    sqlite3_int64 seq = 0;
    const auto begun = Clock::now();
    for (const auto& batch : batches) {
        sqlite3_exec(db, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr);
        for (const auto& [kind, subject, detail] : batch) {
            const auto text = [&](int at, const std::string& value) {
                sqlite3_bind_text(insert, at, value.data(), static_cast<int>(value.size()), SQLITE_STATIC);
            };
            sqlite3_bind_int64(insert, 1, ++seq);
            sqlite3_bind_int64(insert, 2, 1'700'000'000'000'000'000);
            text(3, kind);
            sqlite3_bind_text(insert, 4, "guest", 5, SQLITE_STATIC);
            text(5, subject);
            text(6, detail);
            sqlite3_bind_blob(insert, 7, hash, sizeof hash, SQLITE_STATIC);
            if (sqlite3_step(insert) != SQLITE_DONE) {
                give("SQLite cannot insert");
            }
            sqlite3_reset(insert);
        }
        if (sqlite3_exec(db, "COMMIT", nullptr, nullptr, nullptr) != SQLITE_OK) {
            give("SQLite cannot commit");
        }
    }
    const double took = std::chrono::duration<double>(Clock::now() - begun).count();
    sqlite3_finalize(insert);
    sqlite3_close(db);
    return took;
}

Measured measure(const std::vector<Bytes>& seen, const fs::path& folder) {
    Measured out;
    auto log = activity::ActivityLog::open(folder / "log");
    if (!log) {
        give(log.error().text().c_str());
    }
    agents::WatchRows rows;
    watch::WatchBook book(7, {.bytes = std::size_t{1} << 30U, .rate = 1e9, .burst = 1e9});
    watch::Ask ask;
    std::vector<Rows> batches;
    double copying = 0;
    const auto begun = Clock::now();
    const auto fetch = [&] {
        for (;;) {
            if (!book.acknowledge(ask)) {
                give("the book");
            }
            const auto text = toText(RpcResponse{1, boost::json::value(watch::answerOf(book.handOut(ask)))});
            const auto atClerk = parseRpc(text, {.bytes = 1024 * 1024, .depth = 12}); // from the channel
            const auto passed = clerk::eventsFrom(ask, std::get<RpcResponse>(*atClerk).result->as_object());
            if (!passed) {
                give(passed.error().text().c_str());
            }
            const auto link = toText(RpcResponse{1, boost::json::value(*passed)});
            const auto engine = Clock::now();
            const auto come = parseRpc(link, {.bytes = 1024 * 1024, .depth = 12});
            const auto told = watch::toldFrom(ask, std::get<RpcResponse>(*come).result->as_object());
            const auto events = rows.rowsOf(told->book, told->first, told->batch);
            if (events->empty()) {
                return;
            }
            const auto read = Clock::now();
            if (auto done = (*log)->append(*events); !done) {
                give(done.error().text().c_str());
            }
            const auto after = Clock::now();
            out.engine += std::chrono::duration<double>(after - engine).count();
            out.append += std::chrono::duration<double>(after - read).count();
            ask = {told->book, told->first + events->size() - 1, {}};
            Rows copy;
            for (const auto& each : *events) {
                copy.emplace_back(activity::toString(each.kind), each.subject, each.detail);
            }
            out.rows += copy.size();
            batches.push_back(std::move(copy));
            copying += std::chrono::duration<double>(Clock::now() - after).count();
        }
    };
    for (std::size_t i = 0; i < seen.size(); ++i) {
        (void)watch::readSeen(seen[i], 1'700'000'000'000'000'000, {}, [&](const watch::Event& event) { book.add(event, Clock::now()); });
        if (i % 4000 == 3999) { // what gathers in a tenth of a second, when there is much
            fetch();
        }
    }
    fetch();
    out.ours = std::chrono::duration<double>(Clock::now() - begun).count() - copying;
    out.batches = batches.size();
    log->reset();
    out.raw = rawInsert(folder / "raw", batches);
    return out;
}

void print(const char* name, std::vector<double> values, const char* format) {
    std::sort(values.begin(), values.end());
    std::printf("%-28s", name);
    for (const auto value : {values[values.size() / 2], values.front(), values.back()}) {
        std::printf(format, value);
    }
    std::printf("\n");
}

} // namespace

int main(int count, char** arguments) {
    const auto events = count > 1 ? std::strtoull(arguments[1], nullptr, 10) : 100'000;
    const auto rounds = count > 2 ? std::strtoull(arguments[2], nullptr, 10) : 5;
    const auto seen = records(events);
    std::vector<double> ours, engine, append, raw, ratio, engineRatio;
    std::size_t batches = 0;
    for (std::size_t round = 0; round < rounds; ++round) {
        std::string name = (fs::temp_directory_path() / "carrel-bench-watch-XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr) {
            give("no folder");
        }
        const auto measured = measure(seen, name);
        fs::remove_all(name);
        if (measured.rows != seen.size()) {
            give("events were lost");
        }
        const auto rows = static_cast<double>(measured.rows);
        ours.push_back(rows / measured.ours);
        engine.push_back(rows / measured.engine);
        append.push_back(rows / measured.append);
        raw.push_back(rows / measured.raw);
        ratio.push_back(measured.raw / measured.ours);
        engineRatio.push_back(measured.raw / measured.engine);
        batches = measured.batches;
    }
    std::printf("%llu events in %zu batches, %llu rounds: median, lowest, highest\n", static_cast<unsigned long long>(events), batches,
                static_cast<unsigned long long>(rounds));
    print("ring to row, events/s", ours, "  %10.0f");
    print("engine's part, events/s", engine, "  %10.0f");
    print("of it the log, events/s", append, "  %10.0f");
    print("SQLite alone, rows/s", raw, "  %10.0f");
    print("ring to row / SQLite", ratio, "  %10.2f");
    print("engine's part / SQLite", engineRatio, "  %10.2f");
    return 0;
}
