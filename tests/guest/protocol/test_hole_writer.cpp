// SPDX-License-Identifier: Apache-2.0
// Holes where there are zeros: what is read back is the same, and takes less room.
#include "guest/protocol/hole_writer.h"

#include "guest/protocol/unique_fd.h"

#include <QTemporaryFile>
#include <QTest>

#include <csignal>
#include <fcntl.h>
#include <random>
#include <string>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace carrel;

namespace {

struct Written {
    Written() {
        if (!file.open()) {
            qFatal("no temporary file");
        }
    }
    // In pieces of `piece` bytes; 0: of any.
    void write(std::string_view text, std::size_t piece, std::mt19937& random) {
        HoleWriter writer(file.handle());
        while (!text.empty()) {
            const std::size_t some = piece != 0 ? piece : 1 + random() % 20'000;
            QCOMPARE(writer.write(asBytes(text.substr(0, some))), 0);
            text.remove_prefix(std::min(some, text.size()));
        }
        QCOMPARE(writer.finish(), 0);
    }
    [[nodiscard]] std::string text() const {
        std::string out(static_cast<std::size_t>(look().st_size), 'x');
        return ::pread(file.handle(), out.data(), out.size(), 0) == static_cast<ssize_t>(out.size()) ? out : "unread";
    }
    [[nodiscard]] std::size_t room() const { return static_cast<std::size_t>(look().st_blocks) * 512; }
    [[nodiscard]] struct stat look() const {
        struct stat st {};
        (void)::fsync(file.handle());
        (void)::fstat(file.handle(), &st);
        return st;
    }
    QTemporaryFile file;
};

bool makesHoles() {
    Written probe;
    return ::ftruncate(probe.file.handle(), 1 << 20) == 0 && probe.room() < (1 << 19);
}

} // namespace

class TestHoleWriter : public QObject {
    Q_OBJECT
private slots:
    void readsBackTheSame() {
        std::mt19937 random(7);
        for (int round = 0; round < 400; ++round) {
            std::string text;
            for (auto runs = random() % 8; runs > 0; --runs) {
                // Lengths about a block's border, too.
                const std::size_t length = random() % 2 == 0 ? random() % 30'000 : kHoleBlock * (random() % 4) + random() % 3;
                text += std::string(length, random() % 2 == 0 ? '\0' : 'd');
            }
            Written written;
            written.write(text, 0, random);
            if (QTest::currentTestFailed()) {
                return;
            }
            QVERIFY2(written.text() == text, qPrintable(QString("round %1, %2 bytes").arg(round).arg(text.size())));
        }
    }

    void zerosTakeNoRoom_data() {
        QTest::addColumn<int>("piece");
        for (const int piece : {100, 1000, 4096, 5000, 65'536, 1 << 22}) {
            QTest::addRow("pieces of %d", piece) << piece;
        }
    }
    void zerosTakeNoRoom() {
        if (!makesHoles()) {
            QSKIP("this file system makes no holes");
        }
        QFETCH(int, piece);
        std::mt19937 random;
        std::string text(4 << 20, '\0');
        for (const std::size_t at : {std::size_t{0}, std::size_t{1'000'001}, std::size_t{3'000'000}}) {
            text.replace(at, 10, 10, 'd');
        }
        Written written;
        written.write(text, static_cast<std::size_t>(piece), random);
        QVERIFY(written.text() == text);
        // In pieces of less than a block nothing is known to be one.
        QCOMPARE(written.room() < (1 << 18), piece >= 4096);
    }

    // A pipe can neither seek nor be cut: so much for calls that a file without a block of zeros would not need.
    void withoutABlockOfZerosNothingButWrites() {
        int ends[2] = {-1, -1};
        QCOMPARE(::pipe2(ends, O_CLOEXEC), 0);
        const UniqueFd out(ends[0]);
        const UniqueFd in(ends[1]);
        const std::string text =
            "d" + std::string(2 * kHoleBlock - 2, '\0') + "d" + std::string(kHoleBlock - 1, '\0');
        HoleWriter writer(in.get());
        QCOMPARE(writer.write(asBytes(text)), 0);
        QCOMPARE(writer.finish(), 0);
        std::string got(text.size() + 1, 'x');
        QCOMPARE(::read(out.get(), got.data(), got.size()), static_cast<ssize_t>(text.size()));
        QVERIFY(got.starts_with(text));
        QCOMPARE(writer.write(asBytes(std::string(2 * kHoleBlock, '\0') + "d")), ESPIPE);
    }

    void errors() {
        const UniqueFd full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
        HoleWriter writer(full.get());
        QCOMPARE(writer.write(asBytes("text")), ENOSPC);
        // A file that may not grow that far: found at the latest when it gets its size.
        rlimit before{};
        QCOMPARE(::getrlimit(RLIMIT_FSIZE, &before), 0);
        const auto handler = ::signal(SIGXFSZ, SIG_IGN);
        const rlimit small{1 << 20, before.rlim_max};
        QCOMPARE(::setrlimit(RLIMIT_FSIZE, &small), 0);
        Written written;
        HoleWriter large(written.file.handle());
        const int wrote = large.write(asBytes(std::string(2 << 20, '\0')));
        const int finished = large.finish();
        (void)::setrlimit(RLIMIT_FSIZE, &before);
        (void)::signal(SIGXFSZ, handler);
        QCOMPARE(wrote, 0);
        QCOMPARE(finished, EFBIG);
    }
};

QTEST_GUILESS_MAIN(TestHoleWriter)
#include "test_hole_writer.moc"
