// SPDX-License-Identifier: Apache-2.0
// Paths inside a share, UTF-8 and base64.
#include "guest/protocol/share_path.h"

#include <QTest>

#include <random>

using namespace carrel;

class TestSharePath : public QObject {
    Q_OBJECT

private slots:
    void whatIsNoPath_data() {
        QTest::addColumn<QByteArray>("text");
        const auto row = [](const char* name, const QByteArray& text) { QTest::newRow(name) << text; };
        row("absolute", "/etc/passwd");
        row("up", "..");
        row("up in the middle", "a/../b");
        row("up at the end", "a/..");
        row("here", ".");
        row("here in the middle", "a/./b");
        row("two slashes", "a//b");
        row("a slash at the end", "a/");
        row("only a slash", "/");
        row("a NUL", QByteArray("a\0b", 3));
        row("a name too long", QByteArray(256, 'x'));
    }
    void whatIsNoPath() {
        QFETCH(QByteArray, text);
        QVERIFY(!SharePath::parse({text.constData(), static_cast<std::size_t>(text.size())}).has_value());
    }

    void whatIsAPath() {
        for (const char* text :
             {"a", "a/b", "...", "..a", "a..", ".hidden", " ", "a\nb", "\xff\xfe", "-rf", "C:\\x"}) {
            const auto path = SharePath::parse(text);
            QVERIFY(path.has_value());
            QCOMPARE(path->text(), std::string(text));
        }
        QVERIFY(SharePath::parse("")->isRoot());
        QVERIFY(SharePath::parse(std::string(255, 'x')).has_value());
    }

    void lengthIsBounded() {
        std::string text(254, 'x');
        while (text.size() + 255 <= kMaxPathBytes) {
            text += "/" + std::string(254, 'x');
        }
        text += std::string(kMaxPathBytes - text.size() - 1, 'y').insert(0, "/");
        QCOMPARE(text.size(), kMaxPathBytes);
        const auto path = SharePath::parse(text);
        QVERIFY(path.has_value());
        QVERIFY(!SharePath::parse(text + "y").has_value());
        QVERIFY(!path->child("y").has_value());
    }

    void partsFitTogether() {
        const auto path = SharePath::parse("a/b/c.txt").value();
        QCOMPARE(path.name(), std::string_view("c.txt"));
        QCOMPARE(path.parent().text(), std::string("a/b"));
        QCOMPARE(path.components().size(), 3U);
        QVERIFY(path.parent().child("c.txt").value() == path);
        QVERIFY(SharePath().child("a").value() == SharePath::parse("a").value());
        QVERIFY(SharePath().parent().isRoot());
        QVERIFY(SharePath::parse("a").value().parent().isRoot());
        for (const char* name : {"", ".", "..", "a/b"}) {
            QVERIFY(!path.child(name).has_value());
        }
    }

    void containsIsByComponents() {
        const auto a = SharePath::parse("a").value();
        QVERIFY(SharePath().contains(a));
        QVERIFY(a.contains(a));
        QVERIFY(a.contains(SharePath::parse("a/b").value()));
        QVERIFY(!a.contains(SharePath::parse("ab").value()));
        QVERIFY(!a.contains(SharePath()));
    }

    void utf8IsStrict() {
        for (const char* good :
             {"", "text", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xf4\x8f\xbf\xbf"}) {
            QVERIFY(isUtf8(good));
        }
        for (const char* bad :
             {"\xff", "\x80", "\xc3", "\xc0\xaf", "\xe0\x80\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80",
              "\xf8\x88\x80\x80\x80", "\xe2\x82", "\xc3(", "\xf0\x80\x80\x80"}) {
            QVERIFY(!isUtf8(bad));
        }
    }

    void base64OfRfc4648() {
        const std::pair<const char*, const char*> pairs[] = {{"", ""},
                                                             {"f", "Zg=="},
                                                             {"fo", "Zm8="},
                                                             {"foo", "Zm9v"},
                                                             {"foob", "Zm9vYg=="},
                                                             {"fooba", "Zm9vYmE="},
                                                             {"foobar", "Zm9vYmFy"}};
        for (const auto& [plain, coded] : pairs) {
            QCOMPARE(toBase64(plain), std::string(coded));
            QCOMPARE(fromBase64(coded).value(), std::string(plain));
        }
        for (const char* bad : {"Z", "Zg", "Zg=", "Zg===", "=Zg=", "Z===", "====", "Zh==", "Zm9=", "Zg==Zg==",
                                "Zm9\n", "Zm 8", "Zm-_", "Z=g="}) {
            QVERIFY2(!fromBase64(bad).has_value(), bad);
        }
    }

    void base64OfAnyBytes() {
        std::mt19937 random(3);
        for (int round = 0; round < 500; ++round) {
            std::string bytes(random() % 100, '\0');
            for (auto& c : bytes) {
                c = static_cast<char>(random());
            }
            QCOMPARE(fromBase64(toBase64(bytes)).value(), bytes);
        }
    }
};

QTEST_GUILESS_MAIN(TestSharePath)
#include "test_share_path.moc"
