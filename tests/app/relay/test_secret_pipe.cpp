// SPDX-License-Identifier: Apache-2.0
#include "app/relay/secret_pipe.h"

#include <QTest>

#include <array>
#include <fcntl.h>
#include <unistd.h>

using namespace carrel;
using namespace carrel::relay;

class TestSecretPipe : public QObject {
    Q_OBJECT
private slots:
    void whatIsPutInComesOut() {
        const std::string key = "-----BEGIN\nline\n-----END\n"; // a line break is no end
        const std::array<std::string_view, 3> texts{"Bearer abcdefgh", key, ""};
        const auto pipe = pipeOf(texts);
        QVERIFY(pipe.has_value());
        const auto out = secretsFrom(*pipe, 3);
        QVERIFY2(out.has_value(), out ? "" : out.error().text().c_str());
        QCOMPARE(view((*out)[0]), texts[0]);
        QCOMPARE(view((*out)[1]), texts[1]);
        QVERIFY((*out)[2].empty());
        QVERIFY(!secretsFrom(*pipe, 3)); // it is empty now
    }
    void theMostThatGoesIn() {
        const std::string most(kMaxPipedSecrets - 1, 'x');
        const std::array<std::string_view, 1> texts{most};
        const auto pipe = pipeOf(texts);
        QVERIFY(pipe.has_value());
        QCOMPARE(secretsFrom(*pipe, 1)->front().size(), most.size());
        const std::array<std::string_view, 2> more{most, ""};
        QVERIFY(pipeOf(more).error().code == ErrorCode::LimitExceeded);
    }
    void whatIsNone() {
        const std::array<std::string_view, 1> nul{std::string_view("a\0b", 3)};
        QVERIFY(pipeOf(nul).error().code == ErrorCode::Malformed);
        const std::array<std::string_view, 1> one{"abc"};
        QVERIFY(!secretsFrom(*pipeOf(one), 2));
        QVERIFY(!secretsFrom(*pipeOf(one), 0));
        QVERIFY(!secretsFrom(UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC)), 0));
        int ends[2] = {-1, -1};
        QVERIFY(::pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0);
        const UniqueFd reading(ends[0]);
        UniqueFd writing(ends[1]);
        QVERIFY(::write(writing.get(), "abc", 4) == 4);
        QVERIFY(!secretsFrom(reading, 1)); // whoever writes is still there
        QVERIFY(::write(writing.get(), "abc", 3) == 3);
        writing.reset();
        QVERIFY(!secretsFrom(reading, 1)); // without its end
    }
};

QTEST_GUILESS_MAIN(TestSecretPipe)
#include "test_secret_pipe.moc"
