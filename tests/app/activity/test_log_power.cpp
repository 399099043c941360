// SPDX-License-Identifier: Apache-2.0
// Invariant I5 when the power goes: what append() confirmed is on the disk, whatever of the rest is. A disk that is honest about a
// flush and about nothing else is put between SQLite and the file system: writes after the last flush are lost, kept, or torn at a
// sector, each by itself.
#include "app/activity/activity_log.h"
#include "app/activity/verifier.h"

#include <QFileInfo>
#include <QStringList>
#include <QTemporaryDir>
#include <QTest>

#include <cstring>
#include <fstream>
#include <map>
#include <random>
#include <sys/syscall.h>
#include <unistd.h>

using namespace carrel;
using namespace carrel::activity;

namespace {

struct Disk {
    struct Write {
        std::size_t at = 0;
        std::string bytes;
    };
    struct File {
        std::string safe;          // what a flush made sure of
        std::vector<Write> unsafe; // since then
    };
    std::map<std::string, File> files;
    std::string folder; // what is below it counts
    bool on = false;
    std::function<void()> before; // each write and each flush

    [[nodiscard]] File* fileOf(int fd) {
        if (!on) {
            return nullptr;
        }
        char link[64];
        std::snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        char path[4096];
        const auto size = ::readlink(link, path, sizeof path);
        const std::string name(path, size > 0 ? static_cast<std::size_t>(size) : 0);
        if (!name.starts_with(folder + "/") || name.ends_with("-shm") || name.ends_with(".lock")) {
            return nullptr;
        }
        return &files[name];
    }
    static void put(std::string& to, std::size_t at, std::string_view bytes) {
        if (to.size() < at + bytes.size()) {
            to.resize(at + bytes.size());
        }
        std::memcpy(to.data() + at, bytes.data(), bytes.size());
    }
    // What somebody finds who switches it on again.
    void leave(const QString& to, std::mt19937& dice) const {
        constexpr std::size_t kSector = 512;
        for (const auto& [name, file] : files) {
            std::string found = file.safe;
            for (const auto& write : file.unsafe) {
                const auto fate = dice() % 3;
                const auto whole = write.bytes.size();
                const auto kept = fate == 0 ? 0 : fate == 1 ? whole : std::min<std::size_t>(whole, dice() % (whole / kSector + 1) * kSector);
                put(found, write.at, std::string_view(write.bytes).substr(0, kept));
            }
            std::ofstream out((to + "/" + QFileInfo(QString::fromStdString(name)).fileName()).toStdString(), std::ios::binary);
            out.write(found.data(), static_cast<std::streamsize>(found.size()));
        }
    }
} g_disk;

int flush(int fd) {
    if (auto* file = g_disk.fileOf(fd)) {
        g_disk.before();
        for (const auto& write : file->unsafe) {
            Disk::put(file->safe, write.at, write.bytes);
        }
        file->unsafe.clear();
    }
    return 0; // the real disk need not be waited for
}

} // namespace

// In place of the C library's, as SQLite calls them.
extern "C" int fdatasync(int fd) { return flush(fd); }
extern "C" int fsync(int fd) { return flush(fd); }
extern "C" int unlink(const char* path) noexcept { // SQLite flushes the folder after it
    if (g_disk.on) {
        g_disk.files.erase(path);
    }
    return static_cast<int>(::syscall(SYS_unlink, path));
}
extern "C" ssize_t pwrite64(int fd, const void* data, size_t size, off64_t at) {
    if (auto* file = g_disk.fileOf(fd)) {
        g_disk.before();
        file->unsafe.push_back({static_cast<std::size_t>(at), std::string(static_cast<const char*>(data), size)});
    }
    return ::syscall(SYS_pwrite64, fd, data, size, at);
}
extern "C" ssize_t pwrite(int fd, const void* data, size_t size, off_t at) {
    return pwrite64(fd, data, size, at);
}

class TestLogPower : public QObject {
    Q_OBJECT
private slots:
    void whatWasConfirmedOutlivesAPowerCut() {
        constexpr int kEvents = 700; // more pages than the journal holds before it is folded in
        QTemporaryDir folder;
        std::mt19937 dice(20260301);
        std::uint64_t confirmed = 0;
        std::uint64_t underWay = 0;
        int cuts = 0;
        int writes = 0;
        QStringList wrong;
        g_disk.folder = folder.path().toStdString();
        g_disk.before = [&] {
            ++writes;
            if (dice() % 40 != 0) {
                return;
            }
            g_disk.on = false;
            ++cuts;
            QTemporaryDir after;
            g_disk.leave(after.path(), dice);
            auto log = ActivityLog::open(after.filePath("a.db").toStdString());
            if (confirmed == 0 && !log) { // before the first one was confirmed there may be no log yet
                g_disk.on = true;
                return;
            }
            if (!log) {
                wrong << QString::fromStdString(log.error().text());
            } else if (const auto head = (*log)->verify(); !head) {
                wrong << QString::fromStdString(head.error().text());
            } else if (head->seq != confirmed && head->seq != confirmed + underWay) {
                wrong << QString("%1 confirmed, %2 there").arg(confirmed).arg(head->seq);
            }
            g_disk.on = true;
        };
        g_disk.on = true;
        {
            auto log = ActivityLog::open(folder.filePath("a.db").toStdString());
            QVERIFY(log);
            for (int i = 0; i < kEvents; ++i) {
                Event event;
                event.subject = std::string(dice() % 8000, 'x');
                underWay = i % 10 == 0 ? 5 : 1;
                if (underWay == 1) {
                    QVERIFY((*log)->append(std::move(event)));
                } else {
                    QVERIFY((*log)->append(std::vector<WrittenEvent>(underWay, {EventKind::EngineNote, Provenance::Host, event.subject, "{}"})));
                }
                confirmed += underWay;
            }
        }
        g_disk.on = false;
        QVERIFY2(wrong.isEmpty(), qPrintable(wrong.join("; ")));
        QVERIFY2(cuts > 30 && writes > kEvents, qPrintable(QString::number(cuts)));
        QCOMPARE(g_disk.files.size(), std::size_t{1}); // the journal was folded in at the end
        QVERIFY(g_disk.files.begin()->second.safe.size() > std::size_t{1000} * 1000);
    }

    // Everything else that writes, too: what was handed out as signed is there, with what was not flushed by itself before it; a log that
    // is being shortened, and a recording's pieces, are whole at each moment.
    void whatWasHandedOutOutlivesAPowerCut() {
        QTemporaryDir folder;
        std::mt19937 dice(20260302);
        std::array<unsigned char, 32> seed{7};
        const auto key = std::make_shared<const SigningKey>(SigningKey::fromSeed(seed).value());
        std::optional<SignedHead> handedOut;
        std::uint64_t confirmed = 0;
        int cuts = 0;
        QStringList wrong;
        g_disk.files.clear();
        g_disk.folder = folder.path().toStdString();
        g_disk.before = [&] {
            if (!handedOut || dice() % 25 != 0) {
                return;
            }
            g_disk.on = false;
            ++cuts;
            QTemporaryDir after;
            g_disk.leave(after.path(), dice);
            const auto file = after.filePath("a.db").toStdString();
            if (auto log = ActivityLog::open(file); !log) {
                wrong << QString::fromStdString(log.error().text());
            } else if ((*log)->head().seq < confirmed) {
                wrong << QString("%1 confirmed, %2 there").arg(confirmed).arg((*log)->head().seq);
            }
            const auto verdict = verifyLog(file, {key->publicKey(), handedOut});
            if (!verdict || verdict->wrong) {
                wrong << QString::fromStdString((verdict ? verdict->wrong->error : verdict.error()).text());
            }
            g_disk.on = true;
        };
        g_disk.on = true;
        auto log = ActivityLog::open(folder.filePath("a.db").toStdString()).value();
        log->signWith(key);
        for (int round = 0; round < 60; ++round) {
            Event event;
            event.subject = std::string(dice() % 3000, 'x');
            QVERIFY(log->appendUnflushed(std::vector<Event>(20, event)));
            const auto recording = log->beginRecording({"exec", "sh", 80, 24}).value();
            confirmed = log->head().seq;
            QVERIFY(log->addChunk({{recording, 1, 0, 10, 9}, std::string(dice() % 20000, 'y')}));
            confirmed = log->head().seq;
            QVERIFY(log->appendUnflushed({event}));
            handedOut = log->signHead("asked").value();
            confirmed = handedOut->seq;
            QVERIFY(log->search({"xxx", {}, 1}));
            if (round % 7 == 6) {
                QVERIFY(log->cut(confirmed - 30));
            }
        }
        g_disk.on = false;
        log.reset();
        QVERIFY2(wrong.isEmpty(), qPrintable(wrong.join("; ")));
        QVERIFY2(cuts > 30, qPrintable(QString::number(cuts)));
    }

    // That the disk above loses something at all: without flushes, events are gone.
    void theDiskIsNotKind() {
        QTemporaryDir folder;
        std::mt19937 dice(7);
        g_disk.files.clear();
        g_disk.folder = folder.path().toStdString();
        g_disk.before = [] {};
        g_disk.on = true;
        auto log = ActivityLog::open(folder.filePath("a.db").toStdString());
        QVERIFY(log);
        for (int i = 0; i < 50; ++i) {
            QVERIFY((*log)->appendUnflushed({Event{}}));
        }
        g_disk.on = false;
        QTemporaryDir after;
        g_disk.leave(after.path(), dice);
        auto found = ActivityLog::open(after.filePath("a.db").toStdString());
        QVERIFY(found && (*found)->verify()); // still a log, and its chain is whole
        QVERIFY((*found)->head().seq < 50);
    }
};

QTEST_APPLESS_MAIN(TestLogPower)
#include "test_log_power.moc"
