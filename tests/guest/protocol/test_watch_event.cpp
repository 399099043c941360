// SPDX-License-Identifier: Apache-2.0
// What the guest tells of its programs: what is written comes back, and nothing else is taken for it, whatever a hostile guest sends.
#include "guest/protocol/watch_event.h"

#include <QTest>

#include <boost/json.hpp>

#include <random>

using namespace carrel;
using namespace carrel::watch;

namespace {

const Digest kDigest = [] {
    Digest out{};
    out[0] = std::byte{0xab};
    out[31] = std::byte{1};
    return out;
}();

std::vector<Event> oneOfEach() {
    const Process process{4711, 99'000'000'000};
    return {{1, 1'700'000'000'000'000'000, process, Started{{12, 5}, 33, "/usr/bin/gcc", {"gcc", "-c", "", "\xff\x01.c"}, true, kDigest}},
            {1, 0, {1, 0}, Started{{}, 0, "/bin/true", {}, false, {}}},
            {1, 5, process, Ended{0, 3, 1000, 2000, 4096}},
            {1, 5, process, Ended{9, 0, 0, 0, 0}},
            {7, 5, process, FileDone{FileDeed::Written, 0, "/tmp/a"}},
            {1, 5, process, FileDone{FileDeed::ModeChanged, 04755, "/tmp/a"}},
            {1, 5, process, Renamed{"/tmp/a", "/tmp/b"}},
            {2, 5, process, NetTried{Transport::Tcp, 443, std::string_view("\x0a\0\0\x01", 4), "example.org"}},
            {2, 5, process, NetTried{Transport::Other, 0, std::string_view("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01", 16), ""}},
            {1, 5, process, RightTried{Right::RefusedCall, "246"}},
            {1, 5, {}, Lost{false, 0, 12, 0, 1}},
            {1, 5, {}, Lost{true, 0, 0, 0, 0}}};
}

Bytes wireOf(const std::vector<Event>& events) {
    Bytes all;
    for (const auto& event : events) {
        const auto one = toWire(event);
        Q_ASSERT(one.has_value());
        all.insert(all.end(), one->begin(), one->end());
    }
    return batchOf(events.size(), all);
}

Status ignore(const Event&) {
    return {};
}

} // namespace

class TestWatchEvent : public QObject {
    Q_OBJECT
private slots:
    void eventsComeBackAsTheyWere() {
        const auto events = oneOfEach();
        const auto batch = wireOf(events);
        std::size_t at = 0;
        const auto read = readBatch(batch, [&](const Event& event) {
            if (!(event == events.at(at++))) {
                return Status(fail(ErrorCode::Internal, "another event"));
            }
            return Status();
        });
        QVERIFY2(read.has_value(), read ? "" : read.error().text().c_str());
        QCOMPARE(*read, events.size());
        QCOMPARE(readBatch(wireOf({}), ignore).value(), std::size_t{0});
    }

    // Whatever is missing at its end, or is too much, or is another byte: it is refused as a whole, or is something else that is in form.
    void nothingOfABrokenBatchIsTaken() {
        const auto batch = wireOf(oneOfEach());
        std::size_t taken = 0;
        const auto count = [&](const Event&) {
            ++taken;
            return Status();
        };
        for (std::size_t part = 0; part < batch.size(); ++part) {
            QVERIFY(!readBatch(ByteSpan(batch).first(part), count).has_value());
        }
        auto longer = batch;
        longer.push_back({});
        QVERIFY(!readBatch(longer, count).has_value());
        QCOMPARE(taken, std::size_t{0});
        std::mt19937 random(7);
        for (int round = 0; round < 20'000; ++round) {
            auto other = batch;
            other[random() % other.size()] ^= static_cast<std::byte>(1U << (random() % 8U));
            Bytes again;
            std::size_t events = 0;
            const auto read = readBatch(other, [&](const Event& event) {
                auto one = toWire(event);
                if (one) {
                    again.insert(again.end(), one->begin(), one->end());
                    ++events;
                }
                return one ? Status() : fail(one.error());
            });
            if (read) {
                QVERIFY(batchOf(events, again) == other);
            }
        }
    }

    void whatIsOutOfBoundsIsRefused_data() {
        QTest::addColumn<QByteArray>("bytes");
        const auto row = [](const char* name, std::size_t at, std::initializer_list<int> bytes, const Event& event) {
            auto wire = wireOf({event});
            for (const int each : bytes) {
                wire.at(at++) = static_cast<std::byte>(each);
            }
            QTest::newRow(name) << QByteArray(reinterpret_cast<const char*>(wire.data()), qsizetype(wire.size()));
        };
        const auto all = oneOfEach();
        constexpr std::size_t kBody = kBatchHeadBytes + 1 + 4 + 8 + 12;
        row("version", 0, {2}, all[0]);
        row("more events than there are", 1, {2, 0}, all[0]);
        row("fewer", 1, {0, 0}, all[0]);
        row("kind 0", 3, {0}, all[0]);
        row("kind 8", 3, {8}, all[0]);
        row("kind 255", 3, {255}, all[0]);
        row("for nothing", 4, {0, 0, 0, 0}, all[0]);
        row("before 1970", 15, {0xff}, all[0]);
        row("a program without a path", kBody + 16, {0, 0}, all[1]);
        row("a path with a NUL", kBody + 18, {0}, all[1]);
        row("a path that is longer than the rest", kBody + 16, {0xff, 0x0f}, all[1]);
        row("a yes that is none", wireOf({all[1]}).size() - 1, {2}, all[1]);
        row("code and signal", kBody, {9}, all[2]);
        row("signal 128", kBody, {128}, all[3]);
        row("time beyond counting", kBody + 9, {1}, all[3]);
        row("deed 0", kBody, {0}, all[4]);
        row("deed 8", kBody, {8}, all[4]);
        row("mode of what is written", kBody + 1, {1}, all[4]);
        row("mode beyond modes", kBody + 2, {0x1f}, all[5]);
        row("transport 4", kBody, {4}, all[7]);
        row("address of five", kBody + 3, {5}, all[7]);
        row("right 9", kBody, {9}, all[9]);
        row("loss of nothing", kBody, {0}, all[11]);
        row("loss beyond counting", kBody + 8, {1}, all[10]);
        QTest::newRow("nothing") << QByteArray();
        QTest::newRow("too long") << QByteArray(qsizetype(kMaxBatchBytes + 1), '\1');
    }
    void whatIsOutOfBoundsIsRefused() {
        QFETCH(QByteArray, bytes);
        const auto read = readBatch(asBytes(std::string_view(bytes.constData(), std::size_t(bytes.size()))), ignore);
        QVERIFY(!read.has_value());
        QVERIFY(read.error().code == ErrorCode::Malformed);
    }

    void whatWouldBeRefusedIsNotWritten() {
        const std::string longest(kMaxPath, 'p'), longer(kMaxPath + 1, 'p'), far(70'000, 'p');
        QVERIFY(toWire({1, 0, {}, FileDone{FileDeed::Written, 0, longest}}).has_value());
        QVERIFY(!toWire({1, 0, {}, FileDone{FileDeed::Written, 0, longer}}).has_value());
        QVERIFY(!toWire({1, 0, {}, FileDone{FileDeed::Written, 0, far}}).has_value());
        QVERIFY(!toWire({1, 0, {}, FileDone{FileDeed::Written, 0, ""}}).has_value());
        QVERIFY(!toWire({0, 0, {}, FileDone{FileDeed::Written, 0, "/a"}}).has_value());
        QVERIFY(!toWire({1, -1, {}, FileDone{FileDeed::Written, 0, "/a"}}).has_value());
        QVERIFY(!toWire({1, 0, {}, Lost{}}).has_value());
        Event many{1, 0, {}, Started{{}, 0, "/a", std::vector<std::string_view>(kMaxArguments, "x"), false, {}}};
        QVERIFY(toWire(many).has_value());
        std::get<Started>(many.what).arguments.emplace_back("x");
        QVERIFY(!toWire(many).has_value());
        QVERIFY(!toWire({1, 0, {}, Started{{}, 0, "/a", {longest, "xx"}, false, {}}}).has_value());
    }

    void callsComeBackAsTheyWere() {
        const Ask ask{77, 12, std::chrono::milliseconds(2500)};
        QVERIFY(askFrom(paramsOf(ask)).value() == ask);
        auto odd = paramsOf(ask);
        odd["wait_ms"] = kMaxWait.count() + 1;
        QVERIFY(!askFrom(odd).has_value());
        odd = paramsOf(ask);
        odd["more"] = 1;
        QVERIFY(!askFrom(odd).has_value());
        const auto told = toldFrom(ask, answerOf({77, 13, wireOf(oneOfEach()), "no BTF"}));
        QVERIFY(told.has_value());
        QVERIFY(told->batch == wireOf(oneOfEach()));
        QCOMPARE(told->why, std::string("no BTF"));
    }

    // The wrong sequence: told twice, left out, from another start than it says.
    void numbersGoOnOrBeginAnew() {
        const Ask ask{77, 12, {}};
        const auto batch = wireOf({});
        QVERIFY(toldFrom(ask, answerOf({77, 13, batch, {}})).has_value());
        QVERIFY(!toldFrom(ask, answerOf({77, 12, batch, {}})).has_value());
        QVERIFY(!toldFrom(ask, answerOf({77, 14, batch, {}})).has_value());
        QVERIFY(!toldFrom(ask, answerOf({78, 13, batch, {}})).has_value());
        QVERIFY(toldFrom(ask, answerOf({78, 1, batch, {}})).has_value());
        QVERIFY(!toldFrom(ask, answerOf({0, 1, batch, {}})).has_value());
        QVERIFY(!toldFrom({0, 0, {}}, answerOf({0, 1, batch, {}})).has_value());
        QVERIFY(toldFrom({0, 0, {}}, answerOf({78, 300, batch, {}})).has_value()); // a host that does not know where it was
        QVERIFY(!toldFrom({0, 0, {}}, answerOf({78, 0, batch, {}})).has_value());
        auto answer = answerOf({77, 13, batch, {}});
        answer["events"] = "AQA";
        QVERIFY(!toldFrom(ask, answer).has_value());
        answer["events"] = std::string((kMaxBatchBytes / 3 + 2) * 4, 'A');
        QVERIFY(!toldFrom(ask, answer).has_value());
        answer = answerOf({77, 13, batch, "\xff"});
        QVERIFY(!toldFrom(ask, answer).has_value());
        answer = answerOf({77, 13, batch, std::string(301, 'w')});
        QVERIFY(!toldFrom(ask, answer).has_value());
    }
};

QTEST_GUILESS_MAIN(TestWatchEvent)
#include "test_watch_event.moc"
