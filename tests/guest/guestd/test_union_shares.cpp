// SPDX-License-Identifier: Apache-2.0
// Shares as guestd mounts and removes them, with the kernel's FUSE, in a user and mount namespace of this process's own; the
// host's end is the clerk's broker, driven by the test.
#include "app/clerk/share_broker.h"
#include "guest/guestd/union_shares.h"
#include "guest/protocol/control.h"
#include "tests/guest/guestd/channel_pair.h"

#include <QTest>
#include <QTemporaryDir>

#include <filesystem>
#include <fstream>
#include <future>
#include <sched.h>
#include <sys/mman.h>

using namespace carrel;
using namespace carrel::guestd;
using namespace carrel::test;
namespace fs = std::filesystem;

namespace {

std::string s_noNamespace; // why there is none

// Root of it, as guestd is in its machine. Before any thread begins.
void enterNamespace() {
    const auto uid = std::to_string(::getuid());
    const auto gid = std::to_string(::getgid());
    if (::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) {
        s_noNamespace = "no user namespace: " + errnoError("unshare").text();
        return;
    }
    std::ofstream("/proc/self/setgroups") << "deny";
    std::ofstream("/proc/self/uid_map") << "0 " + uid + " 1";
    std::ofstream("/proc/self/gid_map") << "0 " + gid + " 1";
    if (::access("/dev/fuse", R_OK | W_OK) != 0) {
        s_noNamespace = errnoError("/dev/fuse").text();
    }
}

constexpr std::uint32_t kPapers = 1;

} // namespace

class TestUnionShares : public QObject {
    Q_OBJECT
private slots:
    void init() {
        if (!s_noNamespace.empty()) {
            if (qEnvironmentVariableIsSet("CI")) {
                QFAIL(s_noNamespace.c_str());
            }
            QSKIP(s_noNamespace.c_str());
        }
        m_folder = std::make_unique<QTemporaryDir>();
        for (const char* part : {"papers", "workspace", "staged"}) {
            fs::create_directory(path(part));
        }
        std::ofstream(path("papers/letter")) << "by the user\n";
        m_shares = std::make_unique<UnionShares>(
            UnionShares::Options{path("workspace").string(), path("staged").string(), 0, {}, [](std::uint32_t) {}});
        m_files = std::make_unique<ChannelPair>(
            [](std::uint32_t) { return StreamKind::Messages; },
            Channel::Options{"files", UnionShares::accept, [this](ChannelEvent&& event) { m_shares->handle(std::move(event)); }});
        clerk::ShareBroker::Events events;
        events.notify = [this](Bytes&& note) { (void)m_files->mux().sendMessage(kPapers, note).has_value(); };
        auto nodes = clerk::NodeTable::adopt(UniqueFd(::memfd_create("nodes", MFD_CLOEXEC)));
        auto broker = clerk::ShareBroker::create(UniqueFd(::open(path("papers").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)),
                                                 std::move(*nodes), {}, std::move(events));
        QVERIFY(broker);
        m_broker = std::move(*broker);
        QVERIFY(m_files->channel->start().has_value());
        m_shares->start(*m_files->channel);
        QVERIFY(m_files->open());
        const auto added = served([this] { return m_shares->add({kPapers, "papers", ShareMode::Review}); });
        QVERIFY2(added, added ? "" : added.error().text().c_str());
    }
    void cleanup() {
        if (m_files) {
            m_files->channel->stop();
        }
        m_shares.reset();
        m_files.reset();
        m_broker.reset();
    }

    void whatIsStagedStays() {
        QVERIFY(served([this]() -> Status { return std::ofstream(path("workspace/papers/new")) << "agent\n", Status(); }));
        QVERIFY(served([this] { return m_shares->remove(kPapers, ShareMounts::Host::Serves); }));
        QVERIFY(!fs::exists(path("workspace/papers")) && !fs::exists(path("papers/new")));
        QVERIFY(served([this] { return m_shares->add({kPapers, "papers", ShareMode::Review}); }));
        QVERIFY(served([this]() -> Status { return fs::exists(path("workspace/papers/new")) ? Status() : fail(ErrorCode::NotFound, ""); }));
    }

    // Another clerk has come that does not have the folder, and nothing that the machine remembers of it counts any more. A
    // program still has a file of it open. Whoever waited for the host here would hold up the hello, and with it all else.
    void theHostServesItNoMore() {
        std::atomic<int> open = -1;
        QVERIFY(served([&]() -> Status {
            std::ofstream(path("workspace/papers/new")) << "agent\n";
            open = ::open(path("workspace/papers/letter").c_str(), O_RDONLY | O_CLOEXEC);
            return open >= 0 ? Status() : Status(failErrno("opening it"));
        }));
        m_files->begin();
        QVERIFY(m_files->open());
        QVERIFY(m_files->until([this] { return !m_files->streams[kPapers].pieces.empty(); })); // it asks, and nobody answers
        auto removed = std::async(std::launch::async, [this] { return m_shares->remove(kPapers, ShareMounts::Host::Gone); });
        const bool soon = removed.wait_for(std::chrono::seconds(60)) == std::future_status::ready; // of kDoorTimeout, 120
        QVERIFY2(soon, "it waits for a host that does not serve it");
        const auto status = removed.get();
        QVERIFY2(status, status ? "" : status.error().text().c_str());
        QVERIFY(m_shares->mounted().empty());
        QVERIFY(!fs::is_empty(path("staged") / std::to_string(kPapers)));
        ::close(open);
    }

private:
    [[nodiscard]] fs::path path(const std::string& name) const { return m_folder->filePath(QString::fromStdString(name)).toStdString(); }
    // Does that elsewhere, with the host answering meanwhile.
    template <class Work> Status served(Work work) {
        auto done = std::async(std::launch::async, std::move(work));
        while (done.wait_for(std::chrono::milliseconds(1)) != std::future_status::ready) {
            (void)m_files->until([this] {
                auto& pieces = m_files->streams[kPapers].pieces;
                for (const auto& piece : std::exchange(pieces, {})) {
                    if (const auto reply = m_broker->handle(asBytes({piece.constData(), static_cast<std::size_t>(piece.size())}))) {
                        (void)m_files->mux().sendMessage(kPapers, *reply).has_value();
                    }
                }
                for (const auto& reply : m_broker->runDeferred()) {
                    (void)m_files->mux().sendMessage(kPapers, reply).has_value();
                }
                return true;
            });
        }
        return done.get();
    }

    std::unique_ptr<QTemporaryDir> m_folder;
    std::unique_ptr<UnionShares> m_shares;
    std::unique_ptr<ChannelPair> m_files;
    std::unique_ptr<clerk::ShareBroker> m_broker;
};

int main(int argc, char** argv) {
    enterNamespace();
    QCoreApplication app(argc, argv);
    TestUnionShares test;
    return QTest::qExec(&test, argc, argv);
}
#include "test_union_shares.moc"
