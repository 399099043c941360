// SPDX-License-Identifier: Apache-2.0
// Which names a glob means.
#include "guest/agent/tools/name_glob.h"

#include <QTest>

using namespace carrel;
using namespace carrel::agent;

class TestNameGlob : public QObject {
    Q_OBJECT
private slots:
    void matches_data() {
        QTest::addColumn<QByteArray>("glob");
        QTest::addColumn<QByteArray>("path");
        QTest::addColumn<bool>("does");
        const auto row = [](const char* glob, const char* path, bool does) {
            QTest::newRow((std::string(glob) + " of " + path).c_str()) << QByteArray(glob) << QByteArray(path) << does;
        };
        row("*.cpp", "a.cpp", true);
        row("*.cpp", "src/deep/a.cpp", true); // by its last name
        row("*.cpp", "a.cpp.txt", false);
        row("*.cpp", "x.cpp/a", false);
        row("a?c", "abc", true);
        row("a?c", "ac", false);
        row("src/*.cpp", "src/a.cpp", true);
        row("./src/*.cpp", "src/a.cpp", true);
        row("src/*.cpp", "src/deep/a.cpp", false);
        row("src/**/*.cpp", "src/a.cpp", true);
        row("src/**/*.cpp", "src/deep/er/a.cpp", true);
        row("src/**/*.cpp", "other/src/a.cpp", false);
        row("**/test.cpp", "test.cpp", true);
        row("**/test.cpp", "a/b/test.cpp", true);
        row("**/test.cpp", "a/mytest.cpp", false);
        row("**/a/**/b", "x/a/b", true);
        row("**/a/**/b", "x/a/y/z/b", true);
        row("**/a/**/b", "x/aa/b", false);
        row("src/**", "src/a/b", true);
        row("src/**", "srcs/a", false);
        row("*.{cpp,h}", "a.h", true);
        row("*.{cpp,h}", "a.hpp", false);
        row("{a,b{c,d}}.x", "bd.x", true);
        row("{a,b{c,d}}.x", "b.x", false);
        row("{a,}b", "b", true);
        row("{a}", "{a}", true);
        row("{a", "{a", true);
        row("[a-c]x", "bx", true);
        row("[!a-c]x", "bx", false);
        row("[!a-c]x", "dx", true);
        row("[]x]", "]", true);
        row("[a-]", "-", true);
        row("a/[!b]", "a//", false);
        row("\\*", "*", true);
        row("\\*", "a", false);
        row("*\xc3\xa4*", "m\xc3\xa4rz", true);
    }
    void matches() {
        QFETCH(QByteArray, glob);
        QFETCH(QByteArray, path);
        QFETCH(bool, does);
        const auto read = NameGlob::from(glob.toStdString());
        QVERIFY(read);
        QCOMPARE(read->matches(path.toStdString()), does);
    }

    void refuses() {
        QVERIFY(!NameGlob::from(""));
        QVERIFY(!NameGlob::from("[abc"));
        QVERIFY(!NameGlob::from(std::string(2000, 'a')));
        QVERIFY(!NameGlob::from("{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}"));
    }

    // A matcher that goes back would not come to an end in anybody's lifetime.
    void manyStarsComeToAnEnd() {
        std::string pattern;
        for (int i = 0; i < 100; ++i) {
            pattern += "*a";
        }
        QVERIFY(!NameGlob::from(pattern + "b")->matches(std::string(2000, 'a')));
        QVERIFY(NameGlob::from(pattern)->matches(std::string(2000, 'a')));
    }
};

QTEST_GUILESS_MAIN(TestNameGlob)
#include "test_name_glob.moc"
