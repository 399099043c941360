// SPDX-License-Identifier: Apache-2.0
#include "app/egress/day_volume.h"

#include "app/egress/limits.h"

#include <QTemporaryDir>
#include <QTest>

#include <filesystem>
#include <fstream>

using namespace carrel;
using namespace carrel::egress;

namespace {

struct Folder {
    QTemporaryDir dir;
    std::string day = "2026-03-01";
    [[nodiscard]] std::filesystem::path file() const { return dir.filePath("volume.json").toStdString(); }
    [[nodiscard]] DayVolume volume() {
        return DayVolume(file(), [this] { return day; });
    }
    void put(std::string_view text) const { std::ofstream(file()) << text; }
};

} // namespace

class TestDayVolume : public QObject {
    Q_OBJECT
private slots:
    void countsAndIsKept() {
        Folder f;
        {
            auto volume = f.volume();
            QCOMPARE(volume.used(), std::uint64_t{0});
            volume.add(100);
            volume.add(23);
            QCOMPARE(volume.used(), std::uint64_t{123});
            volume.settle();
        }
        QCOMPARE(f.volume().used(), std::uint64_t{123});
    }
    // Whoever is killed has used what it was about to.
    void whatIsCoveredCountsWhereNobodySettles() {
        Folder f;
        {
            auto volume = f.volume();
            volume.add(100);
            QVERIFY(volume.cover(1000));
            QCOMPARE(volume.used(), std::uint64_t{100});
            volume.add(1000);
            QCOMPARE(f.volume().used(), std::uint64_t{1100});
            QVERIFY(volume.cover(50));
        }
        QCOMPARE(f.volume().used(), std::uint64_t{1150});
        {
            auto volume = f.volume();
            QVERIFY(volume.cover(500));
            volume.settle(); // it did not come to that
        }
        QCOMPARE(f.volume().used(), std::uint64_t{1150});
    }
    void anotherDayBeginsAtNothing() {
        Folder f;
        auto volume = f.volume();
        volume.add(100);
        QVERIFY(volume.cover(10) && volume.tellOnce(64) && !volume.tellOnce(64));
        f.day = "2026-03-02";
        QCOMPARE(volume.used(), std::uint64_t{0});
        QVERIFY(volume.tellOnce(64)); // of this day, too
        volume.add(7);
        volume.settle();
        QCOMPARE(f.volume().used(), std::uint64_t{7});
        f.day = "2026-03-03";
        QCOMPARE(f.volume().used(), std::uint64_t{0});
    }
    void theOwnerIsToldOnceEvenByTheNextEngine() {
        Folder f;
        {
            auto volume = f.volume();
            QVERIFY(volume.tellOnce(64));
        }
        QVERIFY(!f.volume().tellOnce(64));
        QVERIFY(f.volume().tellOnce(128)); // more was allowed, and that is used up as well
    }
    void aDamagedFileIsADayThatIsUsedUp() {
        for (const char* each : {"", "{", "[]", R"({"schema":1,"day":"2026-03-01","bytes":-5,"told":0})", R"({"schema":2,"day":"2026-03-01","bytes":5,"told":0})",
                                 R"({"schema":1,"day":"2026-03-01","bytes":5,"told":0,"more":1})"}) {
            Folder f;
            f.put(each);
            auto volume = f.volume();
            QVERIFY2(volume.used() > kMostLimit, each);
            f.day = "2026-03-02"; // the next is another
            QCOMPARE(volume.used(), std::uint64_t{0});
            QVERIFY(volume.cover(5));
            QCOMPARE(f.volume().used(), std::uint64_t{5});
        }
    }
    void whatCannotBeWrittenDownIsNotCovered() {
        Folder f;
        std::filesystem::create_directory(f.file()); // nothing can be put in its place
        auto volume = f.volume();
        QVERIFY(volume.used() > kMostLimit); // it is no file that can be read, either
        f.day = "2026-03-02";
        QCOMPARE(volume.used(), std::uint64_t{0});
        QVERIFY(!volume.cover(1));
    }
    void nothingRunsOver() {
        Folder f;
        auto volume = f.volume();
        volume.add(UINT64_MAX);
        volume.add(UINT64_MAX);
        QVERIFY(volume.cover(UINT64_MAX) && volume.used() > kMostLimit);
        QVERIFY(f.volume().used() > kMostLimit);
    }
};

QTEST_GUILESS_MAIN(TestDayVolume)
#include "test_day_volume.moc"
