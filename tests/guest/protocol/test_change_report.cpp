// SPDX-License-Identifier: Apache-2.0
// Change entries: what goes out comes back the same, and what makes no sense is refused.
#include "guest/protocol/change_report.h"
#include "guest/protocol/strict_json.h"

#include <QTest>

#include <random>

using namespace carrel;
namespace json = boost::json;

class TestChangeReport : public QObject {
    Q_OBJECT

    static SharePath randomPath(std::mt19937& random) {
        std::string text;
        const auto parts = 1 + random() % 4;
        for (std::size_t i = 0; i < parts; ++i) {
            text += i == 0 ? "" : "/";
            const auto size = 1 + random() % 20;
            for (std::size_t k = 0; k < size; ++k) {
                char c = static_cast<char>(random());
                text += c == '\0' || c == '/' || c == '.' ? 'x' : c;
            }
        }
        return SharePath::parse(text).value();
    }

    static ChangeEntry randomEntry(std::mt19937& random) {
        ChangeEntry entry;
        entry.path = randomPath(random);
        entry.kind = static_cast<ChangeKind>(random() % 6);
        entry.type = static_cast<EntryType>(random() % 3);
        if (entry.kind == ChangeKind::Renamed) {
            entry.from = randomPath(random);
        }
        entry.size = random();
        entry.mode = random() % 010000;
        entry.mtimeNs = static_cast<std::int64_t>(random()) * 2'000'000'000 * (random() % 2 == 0 ? 1 : -1);
        entry.generation = UINT64_MAX - random();
        entry.contentChanged = random() % 2 == 0;
        if (random() % 2 == 0) {
            entry.base = BaseVersion{UINT64_MAX, random(), INT64_MIN, INT64_MAX};
            entry.baseSha256 = std::string(64, "0123456789abcdef"[random() % 16]);
        }
        if (entry.type == EntryType::Symlink) {
            entry.linkTarget = "../" + randomPath(random).text();
        }
        return entry;
    }

    static json::object sample() {
        ChangeEntry entry;
        entry.path = SharePath::parse("report.txt").value();
        return toJson(entry);
    }

private slots:
    void entriesSurviveTheWay() {
        std::mt19937 random(4);
        for (int round = 0; round < 2000; ++round) {
            const auto entry = randomEntry(random);
            const auto text = json::serialize(toJson(entry));
            const auto read = parseJsonObject(text); // also: whatever the path, it is valid JSON
            QVERIFY(read.has_value());
            const auto got = changeEntryFrom(*read);
            QVERIFY2(got.has_value(), text.c_str());
            QVERIFY(*got == entry);
        }
    }

    void theLongestPathFits() {
        ChangeEntry entry;
        std::string text;
        for (int i = 0; i < 16; ++i) {
            text += std::string(255, '\xff') + "/";
        }
        text.pop_back();
        QCOMPARE(text.size(), kMaxPathBytes);
        entry.path = SharePath::parse(text).value();
        entry.type = EntryType::Symlink;
        entry.linkTarget = std::string(kMaxPathBytes, '\xff');
        const auto got = changeEntryFrom(toJson(entry));
        QVERIFY(got.has_value());
        QVERIFY(*got == entry);
        entry.linkTarget += '\xff';
        QVERIFY(!changeEntryFrom(toJson(entry)).has_value());
    }

    void whatIsRefused_data() {
        QTest::addColumn<QByteArray>("key");
        QTest::addColumn<QByteArray>("value"); // JSON; empty: the field is left out
        const auto row = [](const char* name, const char* key, const char* value) {
            QTest::newRow(name) << QByteArray(key) << QByteArray(value);
        };
        row("no path", "path", "");
        row("the share itself", "path", "\"\"");
        row("a path upwards", "path", "\"../x\"");
        row("an absolute path", "path", "\"/x\"");
        row("a path with a NUL", "path", "\"a\\u0000b\"");
        row("both forms of a path", "path_b64", "\"eA==\"");
        row("no kind", "kind", "");
        row("an unknown kind", "kind", "\"chmod\"");
        row("an unknown type", "type", "\"device\"");
        row("a source without a rename", "from", "\"y\"");
        row("a rename without a source", "kind", "\"renamed\"");
        row("a negative size", "size", "-1");
        row("an impossible size", "size", "9223372036854775808");
        row("a file type in the mode", "mode", "33188");
        row("a fraction", "mtime_ns", "1.5");
        row("no generation", "generation", "");
        row("content_changed is a number", "content_changed", "1");
        row("a base with a hole", "base", "{\"inode\":1,\"size\":1,\"mtime_ns\":1}");
        row("a base with more", "base", "{\"inode\":1,\"size\":1,\"mtime_ns\":1,\"ctime_ns\":1,\"x\":1}");
        row("a short hash", "base_sha256", "\"abc\"");
        row("a hash in capitals", "base_sha256",
            "\"ABCDEFABCDEFABCDEFABCDEFABCDEFABCDEFABCDEFABCDEFABCDEFABCDEFABCD\"");
        row("a file with a link's text", "target", "\"x\"");
        row("a link without text", "type", "\"symlink\"");
        row("an unknown field", "applied", "true");
    }
    void whatIsRefused() {
        QFETCH(QByteArray, key);
        QFETCH(QByteArray, value);
        auto object = sample();
        QVERIFY(changeEntryFrom(object).has_value());
        if (value.isEmpty()) {
            object.erase(key.toStdString());
        } else {
            object[key.toStdString()] = json::parse(value.toStdString());
        }
        const auto got = changeEntryFrom(object);
        QVERIFY(!got.has_value());
        QVERIFY(got.error().code == ErrorCode::Malformed);
    }

    void namesOfKindsAreThoseOfTheContract() {
        for (const char* name : {"created", "modified", "deleted", "renamed", "mode", "link"}) {
            QCOMPARE(toString(changeKindFrom(name).value()), std::string_view(name));
        }
        QVERIFY(!changeKindFrom("Created").has_value());
        for (const char* name : {"file", "directory", "symlink"}) {
            QCOMPARE(toString(entryTypeFrom(name).value()), std::string_view(name));
        }
    }
};

QTEST_GUILESS_MAIN(TestChangeReport)
#include "test_change_report.moc"
