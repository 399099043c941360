// SPDX-License-Identifier: Apache-2.0
// A field for a secret: what is typed comes out of it once, and stands nowhere afterwards.
#include "ui/credentials/secret_edit.h"

#include <QAccessible>
#include <QClipboard>
#include <QFile>
#include <QGuiApplication>
#include <QTest>

#include <array>
#include <random>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <unistd.h>

using namespace carrel;
using namespace carrel::ui;

namespace {

constexpr std::size_t kLetters = 32, kPart = 8;
constexpr unsigned char kVeil = 0x80; // no letter of a secret has it, so that the veiled one is never found

// Letters that nobody else has, and that stand here veiled alone.
std::array<unsigned char, kLetters> veiledSecret() {
    std::array<unsigned char, kLetters> out{};
    std::random_device random;
    for (auto& each : out) {
        each = static_cast<unsigned char>(('a' + random() % 26) | kVeil);
    }
    return out;
}

// How many parts of it, of some letters each, stand in this process's memory, as bytes or as UTF-16.
int partsInMemory(const std::array<unsigned char, kLetters>& veiled) {
    QFile maps("/proc/self/maps");
    if (!maps.open(QIODevice::ReadOnly)) {
        return -1;
    }
    static std::vector<unsigned char> piece(1 << 20);
    int found = 0;
    for (const auto& line : maps.readAll().split('\n')) {
        if (line.indexOf(" rw") < 0) {
            continue;
        }
        const auto ends = line.left(line.indexOf(' ')).split('-');
        const auto from = ends.at(0).toULongLong(nullptr, 16), to = ends.at(1).toULongLong(nullptr, 16);
        constexpr quint64 kMostOfAHeap = quint64{1} << 29; // what is larger is none
        if (to - from > kMostOfAHeap) {
            continue;
        }
        const auto own = reinterpret_cast<std::uintptr_t>(piece.data()); // what was read a moment ago
        for (auto at = from; at < to;) {
            if (at >= own && at < own + piece.size()) {
                at = own + piece.size();
                continue;
            }
            const auto size = std::min<quint64>(piece.size(), (at < own && own < to ? own : to) - at);
            const iovec into{piece.data(), size}, of{reinterpret_cast<void*>(at), size};
            const auto got = ::process_vm_readv(::getpid(), &into, 1, &of, 1, 0);
            if (got <= 0) {
                break;
            }
            for (const std::size_t step : {1U, 2U}) {
                for (std::size_t i = 0; i + kPart * step <= static_cast<std::size_t>(got); ++i) {
                    for (std::size_t part = 0; part + kPart <= kLetters; part += kPart) {
                        std::size_t same = 0;
                        while (same < kPart && piece[i + same * step] == (veiled[part + same] ^ kVeil) && (step == 1 || piece[i + same * step + 1] == 0)) {
                            ++same;
                        }
                        found += same == kPart ? 1 : 0;
                    }
                }
            }
            at += static_cast<quint64>(got);
            if (static_cast<std::size_t>(got) == piece.size()) {
                at -= kPart * 2; // one may lie across
            }
        }
    }
    return found;
}

void type(SecretEdit& into, const std::array<unsigned char, kLetters>& veiled) {
    for (const auto each : veiled) {
        QTest::keyClick(&into, static_cast<char>(each ^ kVeil));
    }
}

} // namespace

class TestSecretEdit : public QObject {
    Q_OBJECT
private slots:
    void whatIsTypedComesOutOnce() {
        SecretEdit edit(nullptr);
        QVERIFY(edit.isEmpty());
        QTest::keyClicks(&edit, "the value");
        QTest::keyClick(&edit, Qt::Key_Home);
        QTest::keyClick(&edit, Qt::Key_Delete);
        QTest::keyClicks(&edit, "T");
        QCOMPARE(edit.bytes(), std::size_t{9});
        QVERIFY(edit.isPrintable());
        auto taken = edit.take();
        QCOMPARE(std::string(taken.view()), std::string("The value"));
        QVERIFY(edit.isEmpty() && edit.take().empty());
        taken.wipe();
        QVERIFY(taken.empty() && taken.view().empty());
    }
    // Of any alphabet, as a passphrase may be; and with the line end that is copied with a value.
    void itsBytes() {
        SecretEdit edit(nullptr);
        QGuiApplication::clipboard()->setText(QString::fromUtf8("pässwörd \xf0\x9f\x94\x91\r\n"));
        edit.paste();
        QVERIFY(!edit.isPrintable());
        QCOMPARE(edit.bytes(), std::size_t{15});
        QCOMPARE(std::string(edit.take().view()), std::string("p\xc3\xa4ssw\xc3\xb6rd \xf0\x9f\x94\x91"));
        for (const auto& [text, good] : {std::pair{"0123456789", true}, {"0123456789\n", true}, {" 0123456789", false}, {"0123456789 ", false},
                                         {"01234\n56789", false}, {"", false}, {"\n", false}}) {
            QGuiApplication::clipboard()->setText(text);
            edit.paste();
            QVERIFY2(edit.isPrintable() == good, text);
            edit.wipe();
        }
        // One that is too long is too long still, and not cut to a length that would do.
        QGuiApplication::clipboard()->setText(QString(20'000, 'x'));
        edit.paste();
        QVERIFY(edit.bytes() > 4096);
        QGuiApplication::clipboard()->clear();
    }
    void nothingShowsIt() {
        SecretEdit edit(nullptr);
        QTest::keyClicks(&edit, "the value");
        QCOMPARE(edit.echoMode(), QLineEdit::Password);
        QVERIFY(edit.inputMethodHints().testFlag(Qt::ImhHiddenText) && edit.inputMethodHints().testFlag(Qt::ImhSensitiveData) &&
                edit.inputMethodHints().testFlag(Qt::ImhNoPredictiveText));
        QVERIFY(!edit.displayText().contains("value"));
        edit.selectAll();
        QGuiApplication::clipboard()->setText("what was there");
        edit.copy();
        edit.cut();
        QCOMPARE(QGuiApplication::clipboard()->text(), QString("what was there"));
        auto* const accessible = QAccessible::queryAccessibleInterface(&edit);
        QVERIFY(accessible != nullptr && accessible->state().passwordEdit);
        for (const auto text : {QAccessible::Name, QAccessible::Description, QAccessible::Value, QAccessible::Help}) {
            QVERIFY(!accessible->text(text).contains("value"));
        }
    }
    // Neither what was taken, nor what was in its place to make room.
    void nothingComesBack() {
        SecretEdit edit(nullptr);
        QTest::keyClicks(&edit, "the value");
        (void)edit.take();
        edit.undo();
        QVERIFY(edit.isEmpty() && !edit.isUndoAvailable());
        QTest::keyClicks(&edit, "another");
        edit.undo();
        edit.redo();
        QVERIFY(edit.isEmpty());
    }
    // Invariant I6: no core file while there is one, and none of the user's other programs reads this one's memory.
    void noCoreFileMeanwhile() {
        QCOMPARE(::prctl(PR_GET_DUMPABLE), 1);
        {
            const SecretEdit one(nullptr);
            {
                const SecretEdit other(nullptr);
            }
            QCOMPARE(::prctl(PR_GET_DUMPABLE), 0);
        }
        QCOMPARE(::prctl(PR_GET_DUMPABLE), 1);
    }
    void afterwardsItIsNowhereInMemory() {
        const auto secret = veiledSecret();
        QCOMPARE(partsInMemory(secret), 0);
        {
            SecretEdit edit(nullptr);
            edit.show();
            QVERIFY(QTest::qWaitForWindowExposed(&edit));
            type(edit, secret);
            QVERIFY(partsInMemory(secret) >= int(kLetters / kPart)); // the search finds what there is
            auto taken = edit.take();
            QCOMPARE(taken.size(), kLetters);
            QVERIFY(partsInMemory(secret) >= int(kLetters / kPart));
            taken.wipe();
            QCOMPARE(partsInMemory(secret), 0);
        }
        // And where it was not taken at all.
        {
            SecretEdit edit(nullptr);
            type(edit, secret);
        }
        QCOMPARE(partsInMemory(secret), 0);
    }
};

QTEST_MAIN(TestSecretEdit)
#include "test_secret_edit.moc"
