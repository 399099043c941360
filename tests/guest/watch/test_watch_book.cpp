// SPDX-License-Identifier: Apache-2.0
// What is kept of what the kernel saw: the list of programs whole, the rest folded, and what is lost counted to the last one.
#include "guest/watch/watch_book.h"

#include <QTest>

#include <set>

using namespace carrel;
using namespace carrel::watch;
using namespace std::chrono_literals;

namespace {

constexpr std::uint64_t kBook = 99;

Event program(std::uint32_t pid, std::string_view path = "/bin/true") {
    return {1, 1, {pid, 1}, Started{{1, 1}, 0, path, {"true"}, false, {}}};
}
Event file(std::string_view path, std::uint32_t pid = 7) {
    return {1, 1, {pid, 1}, FileDone{FileDeed::Written, 0, path}};
}

struct Held { // an event with its own texts
    std::string path;
    std::size_t index = 0;
    std::uint32_t count = 0, pid = 0;
    Lost lost;
};

// Fetches all there is, as a host does.
std::vector<Held> fetchAll(WatchBook& book, Ask& ask) {
    std::vector<Held> out;
    for (;;) {
        if (!book.acknowledge(ask)) {
            return {};
        }
        const auto told = book.handOut(ask);
        const auto count = readBatch(told.batch, [&](const Event& event) {
            Held held{{}, event.what.index(), event.count, event.process.pid, {}};
            if (const auto* started = std::get_if<Started>(&event.what)) {
                held.path = started->program;
            } else if (const auto* done = std::get_if<FileDone>(&event.what)) {
                held.path = done->path;
            } else if (const auto* lost = std::get_if<Lost>(&event.what)) {
                held.lost = *lost;
            }
            out.push_back(std::move(held));
            return Status();
        });
        if (!count || *count == 0) {
            return out;
        }
        ask = {told.book, told.first + *count - 1, {}};
    }
}

} // namespace

class TestWatchBook : public QObject {
    Q_OBJECT
    WatchBook::Clock::time_point m_now{std::chrono::hours(1)};
private slots:
    void eventsStayUntilTheyAreAcknowledged() {
        WatchBook book(kBook, {});
        QVERIFY(!book.hasNews({}));
        for (std::uint32_t pid = 1; pid <= 3; ++pid) {
            book.add(program(pid), m_now);
        }
        QVERIFY(book.hasNews({}));
        Ask ask;
        QVERIFY(book.acknowledge(ask).has_value());
        const auto once = book.handOut(ask);
        QCOMPARE(once.first, std::uint64_t{1});
        QVERIFY(!book.hasNews({kBook, 3, {}}) && book.hasNews({kBook, 2, {}}));
        QVERIFY(book.acknowledge(ask).has_value());
        QVERIFY(book.handOut(ask).batch == once.batch); // the answer may have been lost on its way
        ask = {kBook, 2, {}};
        QVERIFY(book.acknowledge(ask).has_value());
        QCOMPARE(book.size(), std::size_t{1});
        const auto rest = book.handOut(ask);
        QCOMPARE(rest.first, std::uint64_t{3});
        QVERIFY(!book.acknowledge({kBook, 4, {}}).has_value()); // never given
        QVERIFY(!book.acknowledge({kBook, 1, {}}).has_value()); // forgotten
        // A host that knows nothing of it is given what is left, with its number.
        QVERIFY(book.acknowledge({}).has_value());
        QCOMPARE(book.handOut({}).first, std::uint64_t{3});
    }

    void theSameAgainIsOneEvent() {
        WatchBook book(kBook, {});
        for (int i = 0; i < 5; ++i) {
            book.add(file("/a"), m_now);
            book.add(file("/a", 8), m_now);
            book.add(program(3), m_now); // never folded
        }
        book.add(file("/a"), m_now + 1001ms);
        Ask ask;
        const auto all = fetchAll(book, ask);
        QCOMPARE(all.size(), std::size_t{8});
        QCOMPARE(all[0].count, 5U);
        QCOMPARE(all[1].count, 5U);
        QCOMPARE(all[7].count, 1U);
        book.add(file("/a"), m_now + 1002ms); // what was handed out stays as it is
        QVERIFY(book.acknowledge({}).has_value()); // also where somebody asks again who knows nothing
        book.add(file("/a"), m_now + 1003ms);
        QCOMPARE(fetchAll(book, ask).at(0).count, 2U);
        QCOMPARE(book.bytes(), std::size_t{0});
    }

    // A build of ten thousand programs, each of which writes some files: all of the programs are there, and each file is counted.
    void aBuildLosesNoProgram() {
        WatchBook book(kBook, {.bytes = 8 * 1024 * 1024, .rate = 100, .burst = 500});
        constexpr std::uint32_t kPrograms = 10'000, kFiles = 4;
        for (std::uint32_t pid = 1; pid <= kPrograms; ++pid) {
            m_now += 2ms;
            book.add(program(pid, "/usr/bin/gcc"), m_now);
            for (std::uint32_t i = 0; i < kFiles; ++i) {
                book.add(file("/build/obj" + std::to_string(pid % 50) + "/" + std::to_string(pid) + "." + std::to_string(i), pid), m_now);
            }
            book.add({1, 1, {pid, 1}, Ended{}}, m_now);
        }
        Ask ask;
        std::size_t started = 0, ended = 0, rows = 0;
        std::uint64_t files = 0;
        for (const auto& each : fetchAll(book, ask)) {
            started += each.index == 0 ? 1 : 0;
            ended += each.index == 1 ? 1 : 0;
            rows += each.index == 2 ? 1 : 0;
            files += each.index == 2 ? each.count : each.index == 6 ? each.lost.files : 0;
            QCOMPARE(each.lost.programs, std::uint64_t{0});
        }
        QCOMPARE(started, std::size_t{kPrograms});
        QCOMPARE(ended, std::size_t{kPrograms});
        QCOMPARE(files, std::uint64_t{kPrograms} * kFiles);
        QVERIFY(rows < 5'000); // 500 and 100 a second, and a quarter as many folders
    }

    void folderStandsForItsFiles() {
        WatchBook book(kBook, {.bytes = 1024 * 1024, .rate = 0, .burst = 4});
        for (int i = 0; i < 10; ++i) {
            book.add(file("/d/" + std::to_string(i)), m_now);
        }
        Ask ask;
        const auto all = fetchAll(book, ask);
        QCOMPARE(all.size(), std::size_t{5});
        QCOMPARE(all[4].path, std::string("/d/"));
        QCOMPARE(all[4].count, 6U);
    }

    void aHostThatDoesNotFetchIsToldWhatWasLost() {
        WatchBook book(kBook, {.bytes = 10'000, .rate = 1e6, .burst = 1e6});
        std::uint64_t files = 0, programs = 0;
        for (std::uint32_t i = 0; i < 1'000; ++i) {
            book.add(file("/" + std::to_string(i)), m_now);
            QVERIFY(book.bytes() <= 5'000); // the other half is for programs
        }
        for (std::uint32_t i = 0; i < 1'000; ++i) {
            book.add(program(i), m_now);
            QVERIFY(book.bytes() <= 10'000);
        }
        book.lose({true, 1, 2, 3, 4});
        Ask ask;
        Lost lost;
        for (const auto& each : fetchAll(book, ask)) {
            programs += each.index == 0 ? 1 : 0;
            files += each.index == 2 ? 1 : 0;
            lost = each.index == 6 ? each.lost : lost;
        }
        QVERIFY(lost == (Lost{true, 1'000 - programs + 1, 1'000 - files + 2, 3, 4}));
        QVERIFY(!book.hasNews(ask));
    }

    void whatCannotBeWrittenIsLost() {
        WatchBook book(kBook, {});
        const std::string longer(kMaxPath + 1, 'p');
        book.add(file(longer), m_now);
        book.add(program(1, longer), m_now);
        Ask ask;
        const auto all = fetchAll(book, ask);
        QCOMPARE(all.size(), std::size_t{1});
        QVERIFY(all[0].lost == (Lost{false, 1, 1, 0, 0}));
    }
};

QTEST_GUILESS_MAIN(TestWatchBook)
#include "test_watch_book.moc"
