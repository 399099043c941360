// SPDX-License-Identifier: Apache-2.0
// Patterns of paths, against what a person would expect of them, and against a slow matcher at random.
#include "app/policy/path_pattern.h"

#include <QTest>

#include <clocale>
#include <fnmatch.h>
#include <random>
#include <vector>

using namespace carrel::policy;

namespace {

std::vector<std::string> split(const std::string& text) {
    std::vector<std::string> out(1);
    for (const char c : text) {
        if (c == '/') {
            out.emplace_back();
        } else {
            out.back().push_back(c);
        }
    }
    return out;
}

// As the words say it, by trying everything.
bool slowly(const std::vector<std::string>& pattern, std::size_t i, const std::vector<std::string>& path, std::size_t j) {
    if (i == pattern.size()) {
        return j == path.size();
    }
    if (pattern[i] == "**") {
        const bool last = i + 1 == pattern.size();
        for (std::size_t skip = j + (last ? 1 : 0); skip <= path.size(); ++skip) {
            if (last ? skip == path.size() : slowly(pattern, i + 1, path, skip)) {
                return true;
            }
        }
        return false;
    }
    return j < path.size() && ::fnmatch(pattern[i].c_str(), path[j].c_str(), FNM_NOESCAPE) == 0 && slowly(pattern, i + 1, path, j + 1);
}

} // namespace

class TestPathPattern : public QObject {
    Q_OBJECT
private slots:
    void asExpected_data() {
        QTest::addColumn<QString>("pattern");
        QTest::addColumn<QStringList>("matches");
        QTest::addColumn<QStringList>("not_");
        QTest::newRow("a name") << "a" << QStringList{"a"} << QStringList{"b", "a/b", "aa"};
        QTest::newRow("within one folder") << "docs/*" << QStringList{"docs/a"} << QStringList{"docs", "docs/a/b", "x/docs/a"};
        QTest::newRow("all below") << "docs/**" << QStringList{"docs/a", "docs/a/b"} << QStringList{"docs", "docsx/a"};
        QTest::newRow("everything") << "**" << QStringList{"a", "a/b/c"} << QStringList{};
        QTest::newRow("below what a star matches") << "proj*/**" << QStringList{"proj1/a", "project/a/b"} << QStringList{"proj1", "x/proj1/a"};
        QTest::newRow("below a name in any folder") << "*/secret/**" << QStringList{"a/secret/x"} << QStringList{"secret/x", "a/b/secret/x", "a/secret"};
        QTest::newRow("a name anywhere") << "**/.env" << QStringList{".env", "a/.env", "a/b/.env"} << QStringList{"a.env", ".env/x"};
        QTest::newRow("any folders between") << "a/**/b" << QStringList{"a/b", "a/x/b", "a/x/y/b"} << QStringList{"a", "b", "a/x"};
        QTest::newRow("anywhere and below") << "**/secret/**" << QStringList{"secret/x", "a/b/secret/c/d"} << QStringList{"secret", "a/secret"};
        QTest::newRow("a dot is a letter") << "*" << QStringList{".hidden"} << QStringList{};
        QTest::newRow("a character") << "?.txt" << QStringList{"a.txt", "\u00e9.txt", "\u6f22.txt", "\U0001f600.txt"} << QStringList{"ab.txt", ".txt"};
        QTest::newRow("one of some characters") << "[\u00e9\u00e8]x" << QStringList{"\u00e9x", "\u00e8x"} << QStringList{"ex", "\u00eax"};
        QTest::newRow("none of some") << "[!a-c]" << QStringList{"d", "\u00e9", "-"} << QStringList{"a", "b", "c", "dd"};
        QTest::newRow("a bracket among some") << "[]a]" << QStringList{"]", "a"} << QStringList{"b", "[]a]"};
        QTest::newRow("a bracket that nothing closes") << "a[b" << QStringList{"a[b"} << QStringList{"ab"};
        QTest::newRow("a backslash is a letter") << "a\\*" << QStringList{"a\\b"} << QStringList{"a*"};
        QTest::newRow("stars") << "*a*b*" << QStringList{"ab", "xaybz", "aabb"} << QStringList{"ba", "a"};
        QTest::newRow("one of some") << "[ab]/?" << QStringList{"a/x", "b/y"} << QStringList{"c/x", "a/xy"};
    }
    void asExpected() {
        QFETCH(QString, pattern);
        QFETCH(QStringList, matches);
        QFETCH(QStringList, not_);
        const auto text = pattern.toStdString();
        QVERIFY(isPathPattern(text));
        for (const auto& path : matches) {
            QVERIFY2(matchesPattern(text, path.toStdString()), qPrintable(path));
        }
        for (const auto& path : not_) {
            QVERIFY2(!matchesPattern(text, path.toStdString()), qPrintable(path));
        }
    }
    void whatIsNone() {
        for (const auto* text : {"a**", "**a", "a/**b/c", "***", "x/a**/**"}) {
            QVERIFY2(!isPathPattern(text), text);
        }
    }
    // Bytes that are no text are characters of their own; and nothing of it depends on where the program runs.
    void strangeBytes() {
        QVERIFY(matchesPattern("?", "\xff") && !matchesPattern("?", "\xff\xfe") && matchesPattern("??", "\xff\xfe"));
        QVERIFY(matchesPattern("a?b", "a\xc3\xa9" "b") && !matchesPattern("[\xc3\xa9]", "\xa9"));
        QVERIFY(matchesPattern(literalPattern("\xffq*"), "\xffq*"));
        for (const char* locale : {"C", "C.UTF-8"}) {
            (void)std::setlocale(LC_ALL, locale);
            QVERIFY(matchesPattern("**/?.key", "a/\xc3\xa9.key"));
        }
    }
    // Reaches: some path in it. Covers: every one, and itself.
    void random() {
        std::mt19937 random(7);
        const auto pick = [&](const std::vector<const char*>& names, std::size_t most) {
            std::string out;
            for (std::size_t i = 1 + random() % most; i > 0; --i) {
                out += (out.empty() ? "" : "/") + std::string(names[random() % names.size()]);
            }
            return out;
        };
        std::vector<std::string> below{""};
        for (std::size_t from = 0, depth = 0; depth < 3; ++depth) {
            const auto end = below.size();
            for (; from < end; ++from) {
                for (const char* name : {"a", "b", "ab"}) {
                    below.push_back(below[from] + "/" + name);
                }
            }
        }
        std::size_t reached = 0, covered = 0;
        for (int round = 0; round < 20'000; ++round) {
            const auto pattern = pick({"a", "b", "*", "a*", "**", "**", "?"}, 4);
            const auto path = pick({"a", "b", "ab"}, 3);
            const auto is = [&](const std::string& text) { return slowly(split(pattern), 0, split(text), 0); };
            QVERIFY2(matchesPattern(pattern, path) == is(path), (pattern + " " + path).c_str());
            bool any = false, all = true;
            for (const auto& rest : below) {
                const bool one = is(path + rest);
                any = any || one;
                all = all && one;
            }
            if (split(pattern).size() <= split(path).size() + 3) { // else what it reaches lies deeper than was tried
                QVERIFY2(reachesInto(pattern, path) == any, (pattern + " " + path).c_str());
            }
            QVERIFY2(!coversAllOf(pattern, path) || all, (pattern + " " + path).c_str());
            reached += any ? 1 : 0;
            covered += coversAllOf(pattern, path) ? 1 : 0;
        }
        QVERIFY(reached > 1000 && covered > 500);
    }
    void noneIsSlow() {
        std::string pattern, path;
        for (int i = 0; i < 1000; ++i) {
            pattern += "**/a*/";
            path += "aa/";
        }
        QVERIFY(!matchesPattern(pattern + "b", path + "a"));
    }
};

QTEST_GUILESS_MAIN(TestPathPattern)
#include "test_path_pattern.moc"
