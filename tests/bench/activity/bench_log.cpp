// SPDX-License-Identifier: Apache-2.0
// What the activity log costs, each beside the same done with SQLite alone in the same run, the two by turns:
//   append   a batch of events, in one transaction ÷ the same rows inserted by a prepared statement: without a chain, without checks
//   durable  the same, flushed; and one event at a time
//   verify   seconds and memory for the whole log ÷ reading the same rows and doing nothing with them
//   search   ÷ the same words asked of FTS5 directly
// bench-log FOLDER [EVENTS]     makes its files in FOLDER and takes them away again; EVENTS: 1,000,000
#include "app/activity/activity_log.h"
#include "app/activity/database.h"
#include "app/activity/event_rows.h"
#include "app/activity/verifier.h"

#include <boost/json.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace carrel;
using namespace carrel::activity;
namespace fs = std::filesystem;

namespace {

constexpr std::size_t kBatch = 512; // as events of a guest come
constexpr std::size_t kAppendRounds = 300;
constexpr std::size_t kSingles = 200;
constexpr std::size_t kVerifyRounds = 3;
constexpr std::size_t kSearchRounds = 15;

[[noreturn]] void die(const std::string& what) {
    std::fprintf(stderr, "bench-log: %s\n", what.c_str());
    std::exit(1);
}
void must(const Status& done) {
    if (!done) {
        die(done.error().text());
    }
}
template <class T> T must(Result<T> made) {
    if (!made) {
        die(made.error().text());
    }
    return std::move(*made);
}

double seconds(const std::function<void()>& what) {
    const auto from = std::chrono::steady_clock::now();
    what();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - from).count();
}

// Of this process, whatever the computer does besides.
double processorSeconds(const std::function<void()>& what) {
    const auto used = [] {
        rusage now{};
        (void)::getrusage(RUSAGE_SELF, &now);
        return static_cast<double>(now.ru_utime.tv_sec + now.ru_stime.tv_sec) + static_cast<double>(now.ru_utime.tv_usec + now.ru_stime.tv_usec) / 1e6;
    };
    const auto from = used();
    what();
    return used() - from;
}

double median(std::vector<double> times) {
    std::ranges::sort(times);
    return times[times.size() / 2];
}

// Programs and files as a build of a C project names them.
Event eventOf(std::uint64_t number) {
    static constexpr std::array kFolders{"src", "include", "tests", "third_party/zlib", "build/CMakeFiles", "docs", "resources", "tools"};
    static constexpr std::array kWords{"parser", "lexer", "socket", "queue", "string", "thread", "matrix", "packet", "window", "buffer", "session", "cipher"};
    const auto folder = std::string(kFolders[number % kFolders.size()]);
    const auto name = std::string(kWords[number / 7 % kWords.size()]) + "_" + std::to_string(number % 5003) + ".c";
    Event event;
    event.provenance = Provenance::Guest;
    event.timeNs = static_cast<std::int64_t>(1'772'000'000'000'000'000 + number * 1'000'000);
    if (number % 2 == 0) {
        event.kind = EventKind::ExecStarted;
        event.subject = "/usr/bin/gcc";
        event.detail = {{"pid", 1000 + number % 30000}, {"parent", 1000 + number % 977},
                        {"argv", boost::json::array{"gcc", "-O2", "-Wall", "-c", folder + "/" + name, "-o", "build/" + name + ".o"}}};
    } else {
        event.kind = EventKind::FileRead;
        event.subject = "/home/ada/project/" + folder + "/" + name;
        event.detail = {{"pid", 1000 + number % 30000}, {"bytes", number % 65536}};
    }
    return event;
}

std::vector<Event> batchAt(std::uint64_t from, std::size_t count) {
    std::vector<Event> out;
    out.reserve(count);
    for (std::uint64_t i = 0; i < count; ++i) {
        out.push_back(eventOf(from + i));
    }
    return out;
}

// The rows that the log would write, as they are stored.
std::vector<EventRow> rowsAt(std::uint64_t from, std::size_t count) {
    std::vector<EventRow> out;
    for (std::uint64_t i = 0; i < count; ++i) {
        const auto event = eventOf(from + i);
        out.push_back({from + i, event.timeNs, std::string(toString(event.kind)), std::string(toString(event.provenance)), event.subject,
                       boost::json::serialize(event.detail), {}});
    }
    return out;
}

// SQLite alone: the log's table and settings, and nothing of the log.
class Plain {
public:
    explicit Plain(const fs::path& file)
        : m_database(must(Database::open(file))) {
        must(m_database.run("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=1000;"
                            "CREATE TABLE event (seq INTEGER PRIMARY KEY CHECK (seq > 0), time_ns INTEGER NOT NULL, kind TEXT NOT NULL, "
                            "provenance TEXT NOT NULL CHECK (provenance IN ('host', 'guest')), subject TEXT NOT NULL, detail TEXT NOT NULL, "
                            "hash BLOB NOT NULL CHECK (length(hash) = 32)) STRICT"));
        m_writer.emplace(must(EventWriter::prepare(m_database)));
    }
    void flush(const char* how) { must(m_database.run(std::string("PRAGMA synchronous=") + how)); }
    void insert(const std::vector<EventRow>& rows) {
        must(m_database.run("BEGIN IMMEDIATE"));
        for (const auto& row : rows) {
            must(m_writer->write(row.seq, row.timeNs, row.text(), row.hash));
        }
        must(m_database.run("COMMIT"));
    }

private:
    Database m_database;
    std::optional<EventWriter> m_writer;
};

void line(const char* what, double ours, double peer, const char* unit) {
    std::printf("%-44s %12.4g %12.4g %-9s %6.2f\n", what, ours, peer, unit, ours / peer);
}

void appends(const fs::path& folder) {
    auto log = must(ActivityLog::open(folder / "append.db"));
    Plain plain(folder / "plain.db");
    std::vector<double> ours[3];
    std::vector<double> peer[3];
    std::array<double, 2> ourProcessor{};
    std::array<double, 2> peersProcessor{};
    std::uint64_t next = 1;
    for (std::size_t round = 0; round <= kAppendRounds; ++round) {
        for (std::size_t flushed = 0; flushed < 2; ++flushed, next += kBatch) {
            plain.flush(flushed != 0 ? "FULL" : "NORMAL");
            auto events = batchAt(next, kBatch);
            const auto rows = rowsAt(next, kBatch);
            std::vector<WrittenEvent> written;
            for (const auto& row : rows) {
                written.push_back({*eventKindFrom(row.kind), Provenance::Guest, row.subject, row.detail});
            }
            const auto ourTurn = [&] {
                ourProcessor[flushed] += processorSeconds([&] {
                    ours[flushed].push_back(kBatch / seconds([&] { must(flushed != 0 ? log->append(written) : log->appendUnflushed(std::move(events))); }));
                });
            };
            const auto peersTurn = [&] {
                peersProcessor[flushed] += processorSeconds([&] { peer[flushed].push_back(kBatch / seconds([&] { plain.insert(rows); })); });
            };
            if (round % 2 == 0) { // who comes second finds the disk busy or awake
                ourTurn();
                peersTurn();
            } else {
                peersTurn();
                ourTurn();
            }
        }
    }
    plain.flush("FULL");
    for (std::size_t i = 0; i < kSingles; ++i, ++next) {
        auto event = eventOf(next);
        const auto rows = rowsAt(next, 1);
        ours[2].push_back(1 / seconds([&] { (void)must(log->append(std::move(event))); }));
        peer[2].push_back(1 / seconds([&] { plain.insert(rows); }));
    }
    line("append, batches of 512, not flushed", median(ours[0]), median(peer[0]), "events/s");
    line("append, batches of 512, each flushed", median(ours[1]), median(peer[1]), "events/s");
    const double all = (kAppendRounds + 1) * kBatch / 1e6;
    line("  processor of an event, not flushed", ourProcessor[0] / all, peersProcessor[0] / all, "us");
    line("  processor of an event, flushed", ourProcessor[1] / all, peersProcessor[1] / all, "us");
    line("append, one by one, each flushed", median(ours[2]), median(peer[2]), "events/s");
}

// In a process of its own, so that its memory is its own.
struct Cost {
    double seconds = 0;
    double mib = 0;
};
Cost inAProcess(const std::function<void()>& what) {
    Cost cost;
    cost.seconds = seconds([&] {
        const auto child = ::fork();
        if (child == 0) {
            what();
            ::_exit(0);
        }
        int state = 0;
        rusage used{};
        if (child < 0 || ::wait4(child, &state, 0, &used) != child || state != 0) {
            die("a part of it failed");
        }
        cost.mib = static_cast<double>(used.ru_maxrss) / 1024;
    });
    return cost;
}

void verifies(const fs::path& file, std::uint64_t events) {
    std::vector<double> ours;
    std::vector<double> peer;
    double mib = 0;
    for (std::size_t round = 0; round < kVerifyRounds; ++round) {
        const auto verified = inAProcess([&] {
            const auto verdict = must(verifyLog(file));
            if (verdict.wrong || verdict.last.seq < events) {
                die("the log is not whole");
            }
        });
        const auto read = inAProcess([&] {
            auto database = must(Database::openToRead(file));
            auto select = must(database.prepare(std::string(kEventColumns) + "ORDER BY seq"));
            std::size_t bytes = 0;
            while (must(select.step())) {
                for (int column = 2; column < 7; ++column) {
                    bytes += select.text(column).size();
                }
            }
            if (bytes == 0) {
                die("nothing was read");
            }
        });
        ours.push_back(verified.seconds);
        peer.push_back(read.seconds);
        mib = std::max(mib, verified.mib);
    }
    line("verify, all of it", median(ours), median(peer), "s");
    const double size = static_cast<double>(fs::file_size(file)) / 1024 / 1024;
    std::printf("%-44s %12.4g MB of memory at most, for a file of %.0f MiB; %.0f events/s\n", "", mib, size, static_cast<double>(events) / median(ours));
}

void searches(const fs::path& file, ActivityLog& log) {
    const auto first = seconds([&] { (void)must(log.search({"parser", {}, 1})); });
    std::printf("%-44s %12.4g s, once\n", "index of the words, of all events", first);
    auto database = must(Database::open(file)); // with the rights and caches of the log's own
    for (const auto& [words, expression] : {std::pair{"cipher_4242.c", "\"cipher_4242.c\""}, {"packet gcc tests", "\"packet\" \"gcc\" \"tests\""},
                                            {"queue*", "\"queue\"*"}, {"nowhere", "\"nowhere\""}}) {
        std::vector<double> ours;
        std::vector<double> peer;
        std::size_t found = 0;
        for (std::size_t round = 0; round <= kSearchRounds; ++round) {
            const auto one = seconds([&] { found = must(log.search({words, {}, 100})).size(); });
            std::size_t also = 0;
            const auto other = seconds([&] {
                auto select = must(database.prepare("SELECT event.seq, time_ns, event.kind, provenance, event.subject, event.detail, hash FROM event_words JOIN event "
                                                    "ON event.seq = event_words.rowid WHERE event_words MATCH ? ORDER BY event_words.rowid DESC LIMIT 100"));
                select.bind(1, expression);
                for (; must(select.step()); ++also) {
                    for (int column = 2; column < 7; ++column) {
                        (void)select.text(column);
                    }
                }
            });
            if (also != found) {
                die("what was found is not the same");
            }
            if (round > 0) {
                ours.push_back(one * 1000);
                peer.push_back(other * 1000);
            }
        }
        line(("search \"" + std::string(words) + "\": " + std::to_string(found)).c_str(), median(ours), median(peer), "ms");
    }
}

} // namespace

int main(int argc, char** argv) {
    if (argc < 2) {
        die("where? bench-log FOLDER [EVENTS]");
    }
    const std::uint64_t events = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1'000'000;
    if (events < kBatch) {
        die("that are too few events");
    }
    const fs::path folder = fs::path(argv[1]) / "bench-log";
    fs::remove_all(folder);
    fs::create_directories(folder);
    std::printf("%-44s %12s %12s %-9s %6s\n", "", "ours", "SQLite alone", "", "ratio");
    appends(folder);
    const auto file = folder / "activity.db";
    {
        auto log = must(ActivityLog::open(file));
        std::array<unsigned char, 32> seed{};
        log->signWith(std::make_shared<const SigningKey>(must(SigningKey::fromSeed(seed))));
        for (std::uint64_t from = 1; from <= events; from += kBatch) {
            must(log->appendUnflushed(batchAt(from, std::min<std::uint64_t>(kBatch, events + 1 - from))));
            if (from / kBatch % 20 == 0) {
                (void)must(log->signHead("interval"));
            }
        }
        (void)must(log->signHead("session"));
    }
    verifies(file, events);
    {
        auto log = must(ActivityLog::open(file));
        searches(file, *log);
    }
    fs::remove_all(folder);
    return 0;
}
