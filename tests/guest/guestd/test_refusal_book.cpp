// SPDX-License-Identifier: Apache-2.0
// guestd's book of refused connections.
#include "guest/guestd/refusal_book.h"

#include <QTest>

using namespace carrel;
using namespace carrel::guestd;
using net::Outcome;

class TestRefusalBook : public QObject {
    Q_OBJECT
private slots:
    void newestFirst() {
        std::uint64_t now = 100;
        RefusalBook book([&now] { return now++; });
        QVERIFY(book.list({}).empty());
        book.note({"example.org", 443}, {Outcome::Denied, "a rule"});
        book.note({"example.org", 80}, {Outcome::Expired, ""});
        book.note({net::Ipv4{203, 0, 113, 9}, 22}, {Outcome::Offline, ""});
        const auto all = book.list({});
        QCOMPARE(all.size(), 3U);
        QVERIFY((all[0] == net::Refusal{102, {net::Ipv4{203, 0, 113, 9}, 22}, Outcome::Offline, "", 1}));
        QVERIFY((all[2] == net::Refusal{100, {"example.org", 443}, Outcome::Denied, "a rule", 1}));
        const auto some = book.list({"example.org"});
        QCOMPARE(some.size(), 2U);
        QCOMPARE(some[0].meant.port, std::uint16_t{80});
        QCOMPARE(book.list({net::Ipv4{203, 0, 113, 9}}).size(), 1U);
        QVERIFY(book.list({"other.example.org"}).empty());
    }

    void theOldestGoes() {
        RefusalBook book;
        for (std::uint16_t port = 1; port <= net::kMaxRefusals + 5; ++port) {
            book.note({"example.org", port}, {Outcome::Denied, ""});
        }
        const auto all = book.list({});
        QCOMPARE(all.size(), net::kMaxRefusals);
        QCOMPARE(all.front().meant.port, std::uint16_t{net::kMaxRefusals + 5});
        QCOMPARE(all.back().meant.port, std::uint16_t{6});
    }

    // Whoever tries for ever is one line, with the last time; with other words it is another.
    void theSameAgainIsCounted() {
        std::uint64_t now = 100;
        RefusalBook book([&now] { return now++; });
        book.note({"first.example.org", 443}, {Outcome::Denied, ""});
        for (int i = 0; i < 1000; ++i) {
            book.note({"example.org", 443}, {Outcome::Denied, "a rule"});
        }
        auto all = book.list({});
        QCOMPARE(all.size(), 2U);
        QVERIFY((all[0] == net::Refusal{1100, {"example.org", 443}, Outcome::Denied, "a rule", 1000}));
        book.note({"first.example.org", 443}, {Outcome::Denied, ""});
        book.note({"example.org", 443}, {Outcome::Denied, "another rule"});
        book.note({"example.org", 443}, {Outcome::Expired, "a rule"});
        all = book.list({});
        QCOMPARE(all.size(), 4U);
        QCOMPARE(all[2].times, std::uint64_t{2}); // what came again stands where it came last
        QVERIFY((all[2].meant == net::Opening{"first.example.org", 443}));
    }
};

QTEST_GUILESS_MAIN(TestRefusalBook)
#include "test_refusal_book.moc"
