// SPDX-License-Identifier: Apache-2.0
// What an expression means, what it may cost, and what is refused because it would mean something else.
#include "guest/agent/tools/line_pattern.h"

#include <QTest>

#include <fstream>
#include <sys/resource.h>
#include <unistd.h>

using namespace carrel;
using namespace carrel::agent;

class TestLinePattern : public QObject {
    Q_OBJECT
private slots:
    void matches_data() {
        QTest::addColumn<QByteArray>("pattern");
        QTest::addColumn<QByteArray>("line");
        QTest::addColumn<bool>("does");
        const auto row = [](const char* pattern, const char* line, bool does) {
            QTest::newRow((std::string(pattern) + " in " + line).c_str()) << QByteArray(pattern) << QByteArray(line) << does;
        };
        row("a.c", "xabcx", true);
        row("^b", "ab", false);
        row("b$", "ab", true);
        row("^$", "", true);
        row("foo|bar", "a bar", true);
        row("\\bfoo\\b", "a foo.", true);
        row("\\bfoo\\b", "afoo", false);
        row("\\d+-\\d{2}", "x17-04", true);
        row("\\d{3}", "17", false);
        row("\\D", "17", false);
        row("[\\w.-]+@[\\w-]+", "ada.b-c@example-org", true);
        row("^[\\w.-]+$", "a\\b", false); // the backslash itself is none of them
        row("[^\\s]", " \t", false);
        row("[\\]]", "]", true);
        row("[\\]]", "\\", false);
        row("[^\\]a]", "]a", false);
        row("^[a\\-z]+$", "b", false);
        row("^[a\\-z]+$", "a-z", true);
        row("[\\^]", "^", true);
        row("[\\^]", "a", false);
        row("^[\\^-]+$", "^-", true);
        row("^[\\^-]+$", "a", false);
        row("^[-a]+$", "-a", true);
        row("^[-a\\]]+$", "^", false);
        row("^[a^]+$", "a^", true);
        row("^[[:digit:]x]+$", "1x", true);
        row("^[+-]?\\d", "-1", true);
        row("[\\t]", "a\tb", true);
        row("a\\tb", "a\tb", true);
        row("(?:ab)+c", "xababc", true);
        row("(?i)HELLO", "Hello", true);
        row("HELLO", "Hello", false);
        row("a.*?b", "axxb", true);
        row("struct X {", "struct X {", true);
        row("{}", "{}", true);
        row("\\{\\}", "{}", true);
        row("a\\.b", "axb", false);
        row("a/b", "a/b", true);
        row("a\\/b", "a/b", true);
        row("^.$", "\xc3\xa4", true); // a character, not a byte
        row("^[\xc3\xa4\xc3\xb6]$", "\xc3\xb6", true);
        row("[\xc3\xa4\xc3\xb6]", "\xc3\xbc", false);
        row("e", "stra\xdf""e", true); // what is no UTF-8 is looked through all the same
    }
    void matches() {
        QFETCH(QByteArray, pattern);
        QFETCH(QByteArray, line);
        QFETCH(bool, does);
        auto read = LinePattern::from(pattern.toStdString());
        QVERIFY2(read, read ? "" : read.error().message.c_str());
        QCOMPARE(read->matches(line.toStdString(), LinePattern::LineEnd::Whole).value(), does);
    }

    void refuses_data() {
        QTest::addColumn<QByteArray>("pattern");
        for (const char* each : {"", "(?i)", "(", "a)", "[a", "*a", "a\\", "(a)\\1", "(?=a)", "(?<x>a)", "\\p{L}", "\\x41", "[\\p]", "\\<a", "a{5000}", "a.{300}", "(a{15}){15}",
                                 "((a{100}){100}){100}", "(((((((((a{99}){99}){99}){99}){99}){99}){99}){99}){99}){99}", "a{99999999999999999999999}"}) {
            QTest::newRow(each) << QByteArray(each);
        }
        QTest::newRow("long") << QByteArray(1001, 'a');
        QTest::newRow("nul") << QByteArray("a\0b", 3);
    }
    void refuses() {
        QFETCH(QByteArray, pattern);
        const auto read = LinePattern::from(pattern.toStdString());
        QVERIFY(!read);
        QVERIFY(read.error().code == ErrorCode::InvalidArgument && read.error().message.size() > 10);
    }

    void anEndThatWasCutIsNone() {
        auto read = LinePattern::from("a$");
        QVERIFY(!*read->matches("ba", LinePattern::LineEnd::Cut));
        QVERIFY(*read->matches("ba", LinePattern::LineEnd::Whole));
    }

    void holdsANul() { QVERIFY(*LinePattern::from("b$")->matches(std::string_view("a\0b", 3), LinePattern::LineEnd::Whole)); }

    void deepBracketsAreNoDanger() {
        QVERIFY(*LinePattern::from(std::string(499, '(') + "a" + std::string(499, ')'))->matches("a", LinePattern::LineEnd::Whole));
    }

    // An expression of which each byte of a line may lead to a new state: what is remembered stays bounded.
    void whatItRemembersIsBounded() {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
        QSKIP("a sanitizer's own memory hides what is measured");
#else
        auto read = LinePattern::from("(a|b)*a(a|b){14}c");
        std::ifstream statm("/proc/self/statm");
        rlim_t pages = 0;
        statm >> pages;
        rlimit before{};
        QCOMPARE(::getrlimit(RLIMIT_AS, &before), 0);
        const rlimit bounded{pages * static_cast<rlim_t>(::sysconf(_SC_PAGESIZE)) + 40UL * 1024 * 1024, before.rlim_max};
        QCOMPARE(::setrlimit(RLIMIT_AS, &bounded), 0);
        std::uint32_t random = 1;
        bool well = true;
        for (int i = 0; i < 12; ++i) {
            std::string line;
            for (int k = 0; k < 4096; ++k) {
                random = random * 1664525U + 1013904223U;
                line += (random >> 30U) % 2 == 0 ? 'a' : 'b';
            }
            well = well && read->matches(line, LinePattern::LineEnd::Whole).value_or(true) == false;
        }
        QCOMPARE(::setrlimit(RLIMIT_AS, &before), 0);
        QVERIFY(well);
#endif
    }
};

QTEST_GUILESS_MAIN(TestLinePattern)
#include "test_line_pattern.moc"
