// SPDX-License-Identifier: Apache-2.0
#include "tests/app/files/files_world.h"

#include <QTemporaryDir>
#include <QTemporaryFile>
#include <QTest>

#include <csignal>
#include <sys/resource.h>

using namespace carrel;
using namespace carrel::files;
using namespace carrel::files::test;

namespace {

class Failing : public StepHook {
public:
    std::string step;
    int before(std::string_view name, std::string_view) override { return name == step ? ENOSPC : 0; }
};

std::size_t filesIn(const std::string& dir) {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(dir), fs::directory_iterator()));
}

} // namespace

class TestContentStore : public QObject {
    Q_OBJECT
private slots:
    void knownHash() {
        QCOMPARE(Sha256::of("abc").hex(),
                 std::string("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
        QVERIFY(!Sha256::parse("BA7816"));
    }

    void keepsAndVerifies() {
        QTemporaryDir dir;
        const std::string at = dir.path().toStdString() + "/store";
        auto store = ContentStore::open(at);
        QVERIFY(store);
        auto stored = store->put(asBytes("some content"));
        QVERIFY(stored && store->has(stored->sha256));
        QCOMPARE(store->read(stored->sha256, 100).value(), std::string("some content"));
        QVERIFY(store->read(stored->sha256, 3).error().code == ErrorCode::LimitExceeded);
        struct stat st {};
        QVERIFY(::stat((at + "/" + stored->sha256.hex()).c_str(), &st) == 0 && (st.st_mode & 0777) == 0400);
        QVERIFY(::stat(at.c_str(), &st) == 0 && (st.st_mode & 0777) == 0700);
        const std::string object = at + "/" + stored->sha256.hex();
        ::chmod(object.c_str(), 0600);
        std::ofstream(object, std::ios::app) << "!";
        QVERIFY(store->read(stored->sha256, 100).error().code == ErrorCode::Malformed);
        QVERIFY(store->openVerified(stored->sha256).error().code == ErrorCode::Malformed);
        QVERIFY(store->put(asBytes("some content"))); // heals it
        QVERIFY(store->openVerified(stored->sha256));
    }

    // I12: whoever filled the incoming file can change nothing afterwards.
    void aHeldDescriptorChangesNothing() {
        QTemporaryDir dir;
        auto store = ContentStore::open(dir.path().toStdString() + "/store");
        auto incoming = store->newIncoming();
        QVERIFY(incoming);
        const UniqueFd clerk(::dup(incoming->get()));
        QVERIFY(::write(clerk.get(), "reviewed", 8) == 8);
        auto stored = store->adopt(incoming->get(), 8);
        QVERIFY(stored && stored->sha256 == Sha256::of("reviewed"));
        QVERIFY(::pwrite(clerk.get(), "sneaked!", 8, 0) == 8);
        QCOMPARE(store->read(stored->sha256, 8).value(), std::string("reviewed"));
        QVERIFY(store->adopt(incoming->get(), 7).error().code == ErrorCode::LimitExceeded);
    }

    void theFileIsFilledAgain() {
        QTemporaryDir dir;
        auto store = ContentStore::open(dir.path().toStdString() + "/store");
        auto incoming = store->newIncoming();
        QVERIFY(incoming);
        const UniqueFd clerk(::dup(incoming->get()));
        QVERIFY(::write(clerk.get(), "the longer one", 14) == 14 && store->adoptLater(incoming->get(), 14));
        struct stat first {};
        struct stat second {};
        QVERIFY(::fstat(incoming->get(), &first) == 0);
        incoming = store->newIncoming(std::move(*incoming));
        QVERIFY(incoming && ::fstat(incoming->get(), &second) == 0);
        QVERIFY(first.st_ino == second.st_ino && second.st_size == 0);
        QVERIFY(::write(clerk.get(), "short", 5) == 5);
        const auto stored = store->adoptLater(incoming->get(), 14);
        QVERIFY(stored && stored->sha256 == Sha256::of("short") && stored->size == 5);
        QCOMPARE(store->read(Sha256::of("the longer one"), 14).value(), std::string("the longer one"));
    }

    void fullDiskLeavesNothing() {
        for (const char* step : {"store.create", "store.write", "store.flush", "store.rename"}) {
            QTemporaryDir dir;
            const std::string at = dir.path().toStdString() + "/store";
            Failing hook;
            hook.step = step;
            auto store = ContentStore::open(at, &hook);
            auto stored = store->put(asBytes("x"));
            QVERIFY(!stored && stored.error().sysErrno == ENOSPC);
            QCOMPARE(filesIn(at), 0U);
        }
    }

    // The size is set last of all. It may be what the disk has no room for, and then nothing gets a name.
    void aHoleTooLargeLeavesNothing() {
        QTemporaryDir dir;
        const std::string at = dir.path().toStdString() + "/store";
        auto store = ContentStore::open(at);
        const std::string zeros(2 << 20, '\0');
        rlimit before{};
        QCOMPARE(::getrlimit(RLIMIT_FSIZE, &before), 0);
        const rlimit small{1 << 20, before.rlim_max};
        const auto handler = ::signal(SIGXFSZ, SIG_IGN);
        QCOMPARE(::setrlimit(RLIMIT_FSIZE, &small), 0);
        const auto stored = store->put(asBytes(zeros));
        (void)::setrlimit(RLIMIT_FSIZE, &before);
        QVERIFY(!stored && stored.error().sysErrno == EFBIG);
        QCOMPARE(filesIn(at), 0U);
        const auto whole = store->put(asBytes(zeros));
        QVERIFY(whole);
        QTemporaryFile copy;
        QVERIFY(copy.open());
        QCOMPARE(::setrlimit(RLIMIT_FSIZE, &small), 0);
        const auto copied = store->copyTo(whole->sha256, copy.handle());
        (void)::setrlimit(RLIMIT_FSIZE, &before);
        (void)::signal(SIGXFSZ, handler);
        QVERIFY(!copied && copied.error().sysErrno == EFBIG);
    }

    // Read like any other, but no name stands for it before it is flushed.
    void whatIsPutOffHasNoName() {
        QTemporaryDir dir;
        const std::string at = dir.path().toStdString() + "/store";
        auto store = ContentStore::open(at);
        std::vector<Sha256> ids;
        for (const std::string text : {"one", "another", "one"}) {
            auto incoming = store->newIncoming();
            QVERIFY(incoming && ::write(incoming->get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()));
            auto stored = store->adoptLater(incoming->get(), 100);
            QVERIFY(stored);
            QCOMPARE(store->read(stored->sha256, 100).value(), text);
            QVERIFY(store->openVerified(stored->sha256) && !store->has(stored->sha256));
            ids.push_back(stored->sha256);
        }
        for (const auto& item : fs::directory_iterator(at)) {
            QVERIFY(item.path().filename().string().starts_with("tmp-")); // what a crash leaves, the next start removes
        }
        QVERIFY(store->flush());
        QCOMPARE(filesIn(at), 2U);
        QVERIFY(store->has(ids[0]) && store->has(ids[1]));
        auto incoming = store->newIncoming();
        QVERIFY(store->adoptLater(incoming->get(), 100));
        store->forgetUnflushed();
        QCOMPARE(filesIn(at), 2U);
        QVERIFY(store->read(Sha256::of(""), 100).error().code == ErrorCode::NotFound);
    }

    // Many are flushed unasked. If that fails, whoever asks in the end must hear of it: the first ones are gone.
    void aFailedFlushIsNotForgotten() {
        QTemporaryDir dir;
        const std::string at = dir.path().toStdString() + "/store";
        Failing hook;
        hook.step = "store.flush";
        auto store = ContentStore::open(at, &hook);
        int kept = 0;
        for (int i = 0; i < 1000 && filesIn(at) >= static_cast<std::size_t>(kept); ++i) {
            auto incoming = store->newIncoming();
            const auto text = std::to_string(i);
            QVERIFY(::write(incoming->get(), text.data(), text.size()) > 0);
            kept += store->adoptLater(incoming->get(), 100) ? 1 : 0;
        }
        QCOMPARE(filesIn(at), 0U);
        QVERIFY(kept > 0 && kept < 1000);
        hook.step.clear();
        auto incoming = store->newIncoming();
        QVERIFY(store->adoptLater(incoming->get(), 100)); // the disk has room again
        const auto flushed = store->flush();
        QVERIFY(!flushed && flushed.error().sysErrno == ENOSPC);
        QCOMPARE(filesIn(at), 0U);
        QVERIFY(store->flush()); // told once
    }

    // A name that is there is believed: so whoever could not flush it must not leave it at that.
    void aNameIsFlushedInTheEnd() {
        QTemporaryDir dir;
        const std::string at = dir.path().toStdString() + "/store";
        Failing hook;
        auto store = ContentStore::open(at, &hook);
        hook.step = "store.names";
        auto stored = store->put(asBytes("x"));
        QVERIFY(!stored && stored.error().sysErrno == ENOSPC);
        QVERIFY(store->has(Sha256::of("x")));
        QVERIFY(!store->flush()); // still owed
        hook.step.clear();
        QVERIFY(store->flush());
        hook.step = "store.names";
        QVERIFY(store->flush()); // and paid
    }

    void collects() {
        QTemporaryDir dir;
        const std::string at = dir.path().toStdString() + "/store";
        auto store = ContentStore::open(at);
        const auto keep = store->put(asBytes("keep"))->sha256;
        const auto drop = store->put(asBytes("drop it"))->sha256;
        QCOMPARE(store->collect({keep}).value(), std::uint64_t{7});
        QVERIFY(store->has(keep) && !store->has(drop));
        std::ofstream(at + "/tmp-1") << "half";
        QVERIFY(ContentStore::open(at));
        QCOMPARE(filesIn(at), 1U);
    }
};

QTEST_GUILESS_MAIN(TestContentStore)
#include "test_content_store.moc"
