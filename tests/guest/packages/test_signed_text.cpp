// SPDX-License-Identifier: Apache-2.0
// Signatures as gpg makes them are read as gpg reads them, or not at all.
#include "tests/guest/packages/signed_repository.h"

#include <QFile>
#include <QTest>

using namespace carrel;
using namespace carrel::test;
using packages::keysFrom;
using packages::signedText;

class TestSignedText : public QObject {
    Q_OBJECT

    SignedRepository m_at;
    std::vector<packages::PublicKey> m_keys;

    QByteArray signedBy(const QByteArray& text, const QList<QByteArray>& keys, const QStringList& more = {}) {
        const auto from = m_at.folder() + "/text";
        const auto to = m_at.folder() + "/signed";
        return writeAll(from, text) && m_at.sign(from, to, keys, more) ? test::readAll(to) : QByteArray();
    }
    [[nodiscard]] std::optional<QByteArray> read(const QByteArray& text) const {
        const auto out = signedText(text.toStdString(), m_keys);
        return out ? std::optional(QByteArray::fromStdString(*out)) : std::nullopt;
    }

private slots:
    void initTestCase() {
        const auto problem = m_at.make();
        if (problem.endsWith("not installed")) {
            QSKIP(qPrintable(problem));
        }
        QVERIFY2(problem.isEmpty(), qPrintable(problem));
        QVERIFY(m_at.makeKey("other") && m_at.makeKey("curve", "ed25519") && m_at.makeKey("small", "rsa1024"));
        const auto keys = keysFrom(asBytes(m_at.keyring("archive").toStdString()));
        QVERIFY2(keys.has_value(), keys ? "" : keys.error().text().c_str());
        QCOMPARE(keys->size(), std::size_t{1});
        m_keys = *keys;
    }

    void textIsWhatWasSigned_data() {
        QTest::addColumn<QByteArray>("text");
        QTest::addColumn<QByteArray>("out");
        const auto row = [](const char* name, const QByteArray& text, const QByteArray& out) { QTest::newRow(name) << text << out; };
        row("plain", "a\nb\n", "a\nb\n");
        row("empty lines", "\n\na\n\n\n", "\n\na\n\n\n");
        row("dashes", "- a\n-----BEGIN PGP SIGNATURE-----\n-\n", "- a\n-----BEGIN PGP SIGNATURE-----\n-\n");
        row("spaces that no signature covers", "a  \t\nb \n", "a\nb\n");
        row("without an end", "a\nb", "a\nb\n");
        row("ends as elsewhere", "a\r\nb\r\n", "a\nb\n");
        row("no ASCII", "\xc3\xa4\xff\n", "\xc3\xa4\xff\n");
    }
    void textIsWhatWasSigned() {
        QFETCH(QByteArray, text);
        QFETCH(QByteArray, out);
        const auto whole = signedBy(text, {"archive"});
        QVERIFY(!whole.isEmpty());
        const auto got = read(whole);
        QVERIFY2(got.has_value(), whole.constData());
        QCOMPARE(*got, out);
    }

    void oneOfSeveralIsEnough() {
        QVERIFY(read(signedBy("a\n", {"curve", "other", "archive"})).has_value());
        QVERIFY(!read(signedBy("a\n", {"curve", "other"})));
    }

    void whatIsWeakerOrNarrowerDoesNotCount() {
        QVERIFY(!read(signedBy("a\n", {"other"})));
        QVERIFY(!read(signedBy("a\n", {"curve"})));
        QVERIFY2(!read(signedBy("a\n", {"archive"}, {"--default-sig-expire", "1d"})), "its end in time is not looked at, so it is refused");
        QVERIFY2(!read(signedBy("a\n", {"archive"}, {"--sig-notation", "!must@example.org=x"})), "what has to be understood and is not");
        QVERIFY(read(signedBy("a\n", {"archive"}, {"--sig-notation", "may@example.org=x"})));
        QVERIFY2(!read(signedBy("a\n", {"archive"}, {"--digest-algo", "SHA512"})), "not what Debian signs with");
        const auto small = keysFrom(asBytes(m_at.keyring("small").toStdString()));
        QVERIFY(!small && small.error().code == ErrorCode::NotFound);
        const auto curve = keysFrom(asBytes(m_at.keyring("curve").toStdString()));
        QVERIFY(!curve && curve.error().code == ErrorCode::NotFound);
    }

    // Whatever is changed: what comes out was signed, or nothing does.
    void anyChangeIsSeen() {
        const auto whole = signedBy("Suite: stable\nSHA256:\n 00 1 main/binary-amd64/Packages\n", {"archive"});
        const auto text = read(whole);
        QVERIFY(text.has_value());
        int accepted = 0;
        for (qsizetype i = 0; i < whole.size(); ++i) {
            for (const char bit : {'\x01', '\x20', '\x80'}) {
                auto changed = whole;
                changed[i] = static_cast<char>(changed[i] ^ bit);
                const auto got = read(changed);
                QVERIFY2(!got || *got == *text, QByteArray::number(i).constData());
                accepted += got.has_value() ? 1 : 0;
            }
            QVERIFY(!read(whole.first(i)) || whole.mid(i).trimmed().isEmpty());
        }
        // Spaces at ends of lines, the checksum of the armour and its comments prove nothing; all the rest does.
        QVERIFY2(accepted < 200, QByteArray::number(accepted).constData());
    }

    void whatIsNoSignedTextIsNone_data() {
        QTest::addColumn<QByteArray>("text");
        const auto row = [](const char* name, const QByteArray& text) { QTest::newRow(name) << text; };
        const QByteArray head = "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n";
        row("nothing", "");
        row("text", "Suite: stable\n");
        row("only a head", head);
        row("without signatures", head + "a\n-----BEGIN PGP SIGNATURE-----\n\n-----END PGP SIGNATURE-----\n");
        row("signatures that are none", head + "a\n-----BEGIN PGP SIGNATURE-----\n\nAAAA\n-----END PGP SIGNATURE-----\n");
        row("no base64", head + "a\n-----BEGIN PGP SIGNATURE-----\n\n!!!!\n-----END PGP SIGNATURE-----\n");
        row("an endless packet", head + "a\n-----BEGIN PGP SIGNATURE-----\n\nwv/////A\n-----END PGP SIGNATURE-----\n");
        row("another head", "-----BEGIN PGP SIGNED MESSAGE-----\nCharset: x\n\na\n");
        row("too long", head + QByteArray(5 * 1024 * 1024, 'a'));
        row("a long line", head + QByteArray(100'000, 'a') + "\n");
        row("a zero", head + QByteArray("a\0b\n", 4));
    }
    void whatIsNoSignedTextIsNone() {
        QFETCH(QByteArray, text);
        QVERIFY(!read(text));
    }

    void keyringsThatAreNone() {
        QVERIFY(!keysFrom({}));
        QVERIFY(!keysFrom(asBytes("-----BEGIN PGP PUBLIC KEY BLOCK-----")));
        auto ring = m_at.keyring("archive");
        QVERIFY(!keysFrom(asBytes(ring.first(ring.size() / 2).toStdString())));
        QByteArray many;
        while (many.size() < 70 * ring.size()) {
            many += ring;
        }
        QVERIFY(keysFrom(asBytes(many.toStdString())).error().code == ErrorCode::LimitExceeded);
    }
};

QTEST_GUILESS_MAIN(TestSignedText)
#include "test_signed_text.moc"
