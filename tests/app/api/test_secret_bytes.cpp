// SPDX-License-Identifier: Apache-2.0
// A secret on its way to the engine: it goes through its socket and nowhere else, and is gone from here then.
#include "app/api/secret_bytes.h"

#include <QTest>

#include <cstring>
#include <sys/prctl.h>
#include <sys/socket.h>

using namespace carrel;
using namespace carrel::api;

namespace {

SecretBytes secretOf(std::string_view text) {
    SecretBytes out(text.size() + 1);
    std::memcpy(out.data(), text.data(), text.size());
    out.resize(text.size());
    return out;
}

struct Sockets {
    UniqueFd ours, theirs;
    Sockets() {
        int ends[2] = {-1, -1};
        if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
            qFatal("no sockets");
        }
        ours = UniqueFd(ends[0]);
        theirs = UniqueFd(ends[1]);
    }
};

} // namespace

class TestSecretBytes : public QObject {
    Q_OBJECT
private slots:
    void movedAndWiped() {
        static_assert(!std::is_copy_constructible_v<SecretBytes> && !std::is_copy_assignable_v<SecretBytes>);
        auto one = secretOf("the value");
        QVERIFY(one.isSameAs(secretOf("the value")) && !one.isSameAs(secretOf("the valuf")) && !one.isSameAs(secretOf("the value ")));
        auto other = std::move(one);
        QVERIFY(one.empty() && one.capacity() == 0); // NOLINT(bugprone-use-after-move): that it is empty is the point
        QCOMPARE(other.view(), std::string_view("the value"));
        other.resize(1000);
        QCOMPARE(other.size(), other.capacity());
        other = secretOf("another");
        QCOMPARE(other.view(), std::string_view("another"));
        other.wipe();
        QVERIFY(other.empty() && other.isSameAs(SecretBytes()));
    }
    void itGoesThroughItsSocket() {
        Sockets s;
        QVERIFY(writeSecret(s.ours, secretOf("the value")));
        char buffer[32];
        QCOMPARE(::recv(s.theirs.get(), buffer, sizeof buffer, 0), ssize_t{9});
        QCOMPARE(std::string_view(buffer, 9), std::string_view("the value"));
    }
    // Nobody waits for a reader that does not read, and nobody is ended by one that has gone.
    void aReaderThatDoesNot() {
        Sockets s;
        const auto full = writeSecret(s.ours, secretOf(std::string(8 << 20, 'x')));
        QVERIFY(!full && full.error().code == ErrorCode::LimitExceeded && full.error().text().find("xx") == std::string::npos);
        Sockets gone;
        gone.theirs.reset();
        QVERIFY(!writeSecret(gone.ours, secretOf("the value")));
    }
    void noCoreWhileThereIsOne() {
        QCOMPARE(::prctl(PR_GET_DUMPABLE), 1);
        {
            const NoCore one;
            {
                const NoCore other;
            }
            QCOMPARE(::prctl(PR_GET_DUMPABLE), 0);
        }
        QCOMPARE(::prctl(PR_GET_DUMPABLE), 1);
    }
};

QTEST_GUILESS_MAIN(TestSecretBytes)
#include "test_secret_bytes.moc"
