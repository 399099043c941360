// SPDX-License-Identifier: Apache-2.0
// The golden vectors of the wire, in golden/: each says what is sent, in words and in bytes. Writing it must
// give exactly those bytes; reading the bytes must give exactly what was said. A change of the wire shows
// here first.
//
//   reader host|guest   who reads it          epoch NONCE TAG    (hexadecimal, the tag as its four wire
//   bytes) hello host|guest    restart               frame TYPE FLAGS STREAM PAYLOAD|- raw HEX bytes that are
//   no frame; written as they are, nothing is read from them spoilt              the reader notices a breach
//   here wire                from here on bytes: hexadecimal, or "zeros N"
#include "tests/guest/protocol/support.h"

#include <QDir>
#include <QFile>
#include <QTest>

using namespace carrel;
using namespace carrel::testing;

class TestGolden : public QObject {
    Q_OBJECT

    struct Vector {
        Side reader = Side::Guest;
        Epoch epoch;
        Bytes written;     // by our encoder, from the words
        QStringList words; // what reading must say
        Bytes wire;
    };

    static Bytes fromHex(const QByteArray& text) {
        const QByteArray raw = QByteArray::fromHex(text);
        return toBytes({raw.constData(), static_cast<std::size_t>(raw.size())});
    }
    static QByteArray toHex(ByteSpan bytes) {
        return QByteArray(reinterpret_cast<const char*>(bytes.data()), static_cast<qsizetype>(bytes.size()))
            .toHex();
    }

    static inline const QMap<QByteArray, FrameType> kTypes{{"data", FrameType::Data},
                                                           {"credit", FrameType::Credit},
                                                           {"reset", FrameType::Reset},
                                                           {"ping", FrameType::Ping},
                                                           {"pong", FrameType::Pong}};
    static inline const QMap<QByteArray, std::uint8_t> kFlags{
        {"-", kFlagNone}, {"more", kFlagMore}, {"end", kFlagEnd}, {"ack", kFlagAck}};

    static QString say(const Frame& frame) {
        return QString("frame %1 %2 %3 %4")
            .arg(QString(kTypes.key(frame.type)), QString(kFlags.key(frame.flags)))
            .arg(frame.stream)
            .arg(frame.payload.empty() ? "-" : QString(toHex(frame.payload)));
    }

    static void readWord(Vector& vector, const QByteArray& line) {
        const auto parts = line.split(' ');
        if (parts[0] == "reader") {
            vector.reader = parts[1] == "host" ? Side::Host : Side::Guest;
        } else if (parts[0] == "epoch") {
            const Bytes nonce = fromHex(parts[1]);
            std::copy(nonce.begin(), nonce.end(), vector.epoch.nonce.begin());
            vector.epoch.tag = loadLe<std::uint32_t>(fromHex(parts[2]));
        } else if (parts[0] == "hello") {
            vector.written =
                std::move(vector.written) +
                (parts[1] == "host" ? encodeHostHello(vector.epoch) : encodeGuestHello(vector.epoch));
            vector.words << "epoch";
        } else if (parts[0] == "restart") {
            vector.written = std::move(vector.written) + encodeGuestRestart();
        } else if (parts[0] == "raw") {
            vector.written = std::move(vector.written) + fromHex(parts[1]);
        } else if (parts[0] == "frame") {
            const Bytes payload = parts[4] == "-" ? Bytes() : fromHex(parts[4]);
            encodeFrame(vector.written, vector.epoch.tag, kTypes.value(parts[1]), kFlags.value(parts[2]),
                        parts[3].toUInt(), payload);
            vector.words << line;
        } else if (parts[0] == "spoilt") {
            vector.words << "spoilt";
        } else {
            QFAIL(line.constData());
        }
    }

    static Vector load(const QString& path) {
        Vector vector;
        QFile file(path);
        if (!file.open(QIODevice::ReadOnly)) {
            return vector;
        }
        bool wire = false;
        for (QByteArray line = file.readLine(); !line.isEmpty(); line = file.readLine()) {
            line = line.trimmed();
            if (line.isEmpty() || line.startsWith('#')) {
                continue;
            }
            if (line == "wire") {
                wire = true;
            } else if (!wire) {
                readWord(vector, line);
            } else if (line.startsWith("zeros ")) {
                vector.wire = std::move(vector.wire) + Bytes(line.mid(6).toUInt());
            } else {
                vector.wire = std::move(vector.wire) + fromHex(line);
            }
        }
        return vector;
    }

private slots:
    void vectors_data() {
        QTest::addColumn<QString>("path");
        const QDir folder(CARREL_SOURCE_DIR "/tests/guest/protocol/golden");
        const auto names = folder.entryList({"*.txt"}, QDir::Files, QDir::Name);
        QVERIFY(names.size() >= 13);
        for (const auto& name : names) {
            QTest::newRow(qPrintable(name)) << folder.filePath(name);
        }
    }
    void vectors() {
        QFETCH(QString, path);
        const Vector vector = load(path);
        QVERIFY(!vector.wire.empty());
        QCOMPARE(toHex(vector.written), toHex(vector.wire));

        for (const std::size_t piece : {std::size_t{1}, std::size_t{4096}, vector.wire.size()}) {
            QStringList words;
            FrameDecoder decoder(vector.reader,
                                 {.frame = [&](Frame&& frame) { words << say(frame); },
                                  .epoch =
                                      [&](const Epoch& epoch) {
                                          words << (epoch == vector.epoch ? "epoch" : "another epoch");
                                      },
                                  .spoilt = [&](std::string_view) { words << "spoilt"; }});
            if (vector.reader == Side::Host) {
                decoder.beginEpoch(vector.epoch);
            }
            for (ByteSpan rest = vector.wire; !rest.empty();) {
                const auto part = rest.first(std::min(piece, rest.size()));
                decoder.feed(part);
                rest = rest.subspan(part.size());
            }
            QCOMPARE(words, vector.words);
        }
    }
};

QTEST_GUILESS_MAIN(TestGolden)
#include "test_golden.moc"
