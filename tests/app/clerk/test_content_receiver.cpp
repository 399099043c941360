// SPDX-License-Identifier: Apache-2.0
// The copy of a changed file that a review freezes: whole and of the announced size, or not at all.
#include "app/clerk/content_receiver.h"

#include <QTemporaryFile>
#include <QTest>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace carrel;
using namespace carrel::clerk;

namespace {

struct Copy {
    explicit Copy(std::uint64_t most, UniqueFd to = {}) {
        if (!to && file.open()) {
            to = UniqueFd(::fcntl(file.handle(), F_DUPFD_CLOEXEC, 0));
        }
        receiver = std::make_unique<ContentReceiver>(
            std::move(to), most, [this](Result<std::uint64_t> size) { done.push_back(std::move(size)); });
    }
    void data(std::string_view text) { receiver->data(asBytes(text)); }
    [[nodiscard]] QByteArray kept() {
        file.seek(0); // the writer's descriptor shares the position
        return file.readAll();
    }
    [[nodiscard]] bool failed(ErrorCode code) const {
        return done.size() == 1 && !done[0] && done[0].error().code == code && receiver->isDone();
    }
    QTemporaryFile file;
    std::vector<Result<std::uint64_t>> done;
    std::unique_ptr<ContentReceiver> receiver;
};

} // namespace

class TestContentReceiver : public QObject {
    Q_OBJECT
private slots:
    void wholeWhenBothSaySo_data() {
        QTest::addColumn<bool>("answerFirst");
        QTest::newRow("the stream ends first") << false;
        QTest::newRow("the answer comes first") << true;
    }
    void wholeWhenBothSaySo() {
        QFETCH(bool, answerFirst);
        Copy copy(10);
        copy.data("hello");
        if (answerFirst) {
            copy.receiver->answered(10);
        }
        copy.data("world");
        QVERIFY(copy.done.empty());
        copy.receiver->end();
        QCOMPARE(copy.done.empty(), !answerFirst);
        if (!answerFirst) {
            copy.receiver->answered(10);
        }
        QCOMPARE(copy.done.size(), std::size_t{1});
        QCOMPARE(copy.done[0].value_or(0), std::uint64_t{10});
        QCOMPARE(copy.kept(), QByteArray("helloworld"));
    }
    void anEmptyFile() {
        Copy copy(0);
        copy.receiver->end();
        copy.receiver->answered(0);
        QCOMPARE(copy.done.size(), std::size_t{1});
        QVERIFY(copy.done[0] && *copy.done[0] == 0);
    }
    void moreThanAllowed() {
        Copy copy(4);
        copy.data("1234");
        QVERIFY(copy.done.empty());
        copy.data("5");
        QVERIFY(copy.failed(ErrorCode::LimitExceeded));
        copy.data("678"); // taken and dropped
        copy.receiver->end();
        copy.receiver->answered(4);
        QCOMPARE(copy.done.size(), std::size_t{1});
        QCOMPARE(copy.kept(), QByteArray("1234"));
    }
    void moreAfterTheEnd() {
        Copy copy(100);
        copy.data("1234");
        copy.receiver->end();
        copy.data("5");
        QVERIFY(copy.failed(ErrorCode::LimitExceeded));
    }
    void anotherAmountThanAnnounced() {
        for (const std::uint64_t announced : {3U, 5U}) {
            Copy copy(100);
            copy.data("1234");
            copy.receiver->end();
            copy.receiver->answered(announced);
            QVERIFY(copy.failed(ErrorCode::Malformed));
        }
    }
    void brokenOff() {
        Copy stale(100);
        stale.data("1234");
        stale.receiver->reset(116); // ESTALE: it was worked on meanwhile
        QVERIFY(stale.failed(ErrorCode::Conflict));
        Copy gone(100);
        gone.receiver->reset(5);
        QVERIFY(gone.failed(ErrorCode::Unavailable));
        gone.receiver->reset(5);
        QCOMPARE(gone.done.size(), std::size_t{1});
        Copy refused(100);
        refused.receiver->answered(fail(ErrorCode::Refused, "no"));
        QVERIFY(refused.failed(ErrorCode::Refused));
    }
    // A file of which the guest wrote little takes no more room here.
    void zerosTakeNoRoom() {
        QTemporaryFile probe;
        struct stat st {};
        QVERIFY(probe.open() && ::ftruncate(probe.handle(), 1 << 20) == 0 && ::fstat(probe.handle(), &st) == 0);
        if (st.st_blocks * 512 > 1 << 19) {
            QSKIP("this file system makes no holes");
        }
        QByteArray text(8 << 20, '\0');
        text.replace(3'000'000, 4, "data");
        for (const int piece : {65'536, 50'000}) { // as frames come, whatever else goes over the channel
            Copy copy(8 << 20);
            for (qsizetype at = 0; at < text.size(); at += piece) {
                const auto some = text.mid(at, piece);
                copy.data({some.constData(), static_cast<std::size_t>(some.size())});
            }
            copy.receiver->end();
            copy.receiver->answered(8 << 20);
            QVERIFY(copy.done.size() == 1 && copy.done[0].value_or(0) == 8 << 20);
            QVERIFY(copy.kept() == text);
            QVERIFY(::fsync(copy.file.handle()) == 0 && ::fstat(copy.file.handle(), &st) == 0);
            QVERIFY2(st.st_blocks * 512 < 1 << 18, qPrintable(QString::number(st.st_blocks)));
        }
    }
    void fullDisk() {
        Copy copy(100, UniqueFd(::open("/dev/full", O_WRONLY | O_CLOEXEC)));
        copy.data("1234");
        QVERIFY(copy.failed(ErrorCode::Io));
        QCOMPARE(copy.done[0].error().sysErrno, ENOSPC);
    }
};

QTEST_GUILESS_MAIN(TestContentReceiver)
#include "test_content_receiver.moc"
