// SPDX-License-Identifier: Apache-2.0
// A file of which little was ever written, on its way from the machine into the folder and back: nowhere on this side does
// it take the room that its size names. 1 GiB by default; CARREL_TEST_EVERY_POINT=1: 5 GiB.
#include "app/clerk/content_receiver.h"
#include "tests/app/files/files_world.h"

#include <QTest>

#include <array>

using namespace carrel;
using namespace carrel::files;
using namespace carrel::files::test;

namespace {

constexpr std::uint64_t kMiB = 1 << 20;
constexpr std::uint64_t kEnough = kMiB; // for a few blocks, with what a file system needs for itself

std::uint64_t roomOf(const std::string& file) {
    struct stat st {};
    const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
    return fd && ::fsync(fd.get()) == 0 && ::fstat(fd.get(), &st) == 0 ? static_cast<std::uint64_t>(st.st_blocks) * 512 : 0;
}

std::uint64_t roomOfAll(const std::string& folder) {
    std::uint64_t room = 0;
    for (const auto& item : fs::recursive_directory_iterator(folder)) {
        room += item.is_regular_file() ? roomOf(item.path().string()) : 0;
    }
    return room;
}

// Three blocks in a file of `size`: at its start, in its middle, and before an end of zeros.
std::array<std::uint64_t, 3> placesIn(std::uint64_t size) {
    return {0, size / 2 + 77, size - 3 * kMiB};
}

// What the machine sends: all bytes, as the wire carries them, through what the clerk has for it.
class WholeOnTheWire : public ContentSource {
public:
    std::string word;
    std::uint64_t room = 0; // that the copy took
    Status fetch(const ChangeEntry& entry, int into, std::uint64_t most) override {
        std::optional<Result<std::uint64_t>> done;
        clerk::ContentReceiver receiver(UniqueFd(::fcntl(into, F_DUPFD_CLOEXEC, 0)), most,
                                        [&](Result<std::uint64_t> size) { done = std::move(size); });
        std::string frame(64 * 1024, '\0');
        for (std::uint64_t at = 0; at < entry.size; at += frame.size()) {
            std::fill(frame.begin(), frame.end(), '\0');
            for (const std::uint64_t place : placesIn(entry.size)) {
                if (place >= at && place + word.size() <= at + frame.size()) {
                    frame.replace(place - at, word.size(), word);
                }
            }
            receiver.data(asBytes(frame));
        }
        receiver.end();
        receiver.answered(entry.size);
        struct stat st {};
        if (::fsync(into) != 0 || ::fstat(into, &st) != 0) {
            return failErrno("test");
        }
        room = static_cast<std::uint64_t>(st.st_blocks) * 512;
        return done && *done ? Status{} : Status(fail(ErrorCode::Internal, "test"));
    }
};

bool holds(const std::string& file, std::uint64_t size, const std::string& word) {
    struct stat st {};
    const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
    std::string got(word.size(), '\0');
    const auto places = placesIn(size);
    return fd && ::fstat(fd.get(), &st) == 0 && static_cast<std::uint64_t>(st.st_size) == size &&
           std::all_of(places.begin(), places.end(), [&](std::uint64_t place) {
               return ::pread(fd.get(), got.data(), got.size(), static_cast<off_t>(place)) ==
                          static_cast<ssize_t>(got.size()) &&
                      got == word;
           });
}

void make(const std::string& file, std::uint64_t size, const std::string& word) {
    const UniqueFd fd(::open(file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
    QVERIFY(fd && ::ftruncate(fd.get(), static_cast<off_t>(size)) == 0);
    for (const std::uint64_t place : placesIn(size)) {
        QCOMPARE(::pwrite(fd.get(), word.data(), word.size(), static_cast<off_t>(place)), static_cast<ssize_t>(word.size()));
    }
}

bool makesHoles(const World& w) {
    make(w.base + "/probe", 64 * kMiB, "probe");
    const std::uint64_t room = roomOf(w.base + "/probe");
    fs::remove(w.base + "/probe");
    return room < kEnough;
}

} // namespace

class TestSparse : public QObject {
    Q_OBJECT
private slots:
    void createdAndTakenBack() {
        World w;
        if (!makesHoles(w)) {
            QSKIP("this file system makes no holes");
        }
        const std::uint64_t size = (qEnvironmentVariableIsSet("CARREL_TEST_EVERY_POINT") ? 5 : 1) * 1024 * kMiB;
        auto review = w.review();
        WholeOnTheWire wire;
        wire.word = "written by the agent";
        ChangeEntry& claim = w.claim(ChangeKind::Created, "disk.img");
        claim.contentChanged = true;
        claim.size = size;
        const auto set = review->freeze(w.root.get(), "s1", w.claims, wire);
        QVERIFY(set && set->entries.size() == 1);
        QCOMPARE(set->entries[0].wanted.size, size);
        QVERIFY2(wire.room < kEnough, qPrintable(QString::number(wire.room)));
        QVERIFY2(roomOfAll(w.data) < kEnough, qPrintable(QString::number(roomOfAll(w.data))));
        const auto applied = review->apply(w.root.get(), set->id, everything(*set));
        QVERIFY2(applied && applied->complete(), applied ? describe(*applied).c_str() : "");
        QVERIFY(holds(w.at("disk.img"), size, wire.word));
        QVERIFY2(roomOf(w.at("disk.img")) < kEnough, qPrintable(QString::number(roomOf(w.at("disk.img")))));
        const auto undone = review->undo(w.root.get(), applied->id);
        QVERIFY2(undone && undone->complete(), undone ? describe(*undone).c_str() : "");
        QVERIFY(!fs::exists(w.at("disk.img")));
    }

    // The user's own version is kept for the undo, and comes back.
    void modifiedAndTakenBack() {
        World w;
        if (!makesHoles(w)) {
            QSKIP("this file system makes no holes");
        }
        constexpr std::uint64_t kSize = 64 * kMiB;
        make(w.at("disk.img"), kSize, "the user's own");
        auto review = w.review();
        WholeOnTheWire wire;
        wire.word = "from the agent";
        ChangeEntry& claim = w.claim(ChangeKind::Modified, "disk.img");
        claim.contentChanged = true;
        claim.size = kSize + kMiB;
        const auto set = review->freeze(w.root.get(), "s1", w.claims, wire);
        QVERIFY(set && set->entries.size() == 1);
        const auto applied = review->apply(w.root.get(), set->id, everything(*set));
        QVERIFY2(applied && applied->complete(), applied ? describe(*applied).c_str() : "");
        QVERIFY(holds(w.at("disk.img"), kSize + kMiB, wire.word));
        QVERIFY(roomOf(w.at("disk.img")) < kEnough);
        QVERIFY2(roomOfAll(w.data) < 2 * kEnough, qPrintable(QString::number(roomOfAll(w.data))));
        const auto undone = review->undo(w.root.get(), applied->id);
        QVERIFY2(undone && undone->complete(), undone ? describe(*undone).c_str() : "");
        QVERIFY(holds(w.at("disk.img"), kSize, "the user's own"));
        QVERIFY(roomOf(w.at("disk.img")) < kEnough);
    }
};

QTEST_GUILESS_MAIN(TestSparse)
#include "test_sparse.moc"
