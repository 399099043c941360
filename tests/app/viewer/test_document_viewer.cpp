// SPDX-License-Identifier: Apache-2.0
// The viewer over machines that are none and clerks that the test plays: who gets a machine and for how long, and that
// each way in which one can fail becomes words for the entry and holds up nothing.
#include "app/viewer/document_viewer.h"
#include "hypervisor/fake/fake_backend.h"
#include "tests/app/agents/stand_in_clerk.h"

#include <QTemporaryDir>
#include <QTest>

#include <fstream>
#include <future>
#include <semaphore>
#include <set>
#include <sys/mman.h>

using namespace carrel;
using namespace carrel::viewer;
using namespace std::chrono_literals;
using agents::test::StandInClerks;
using State = Reading::State;
namespace json = boost::json;

namespace {

const std::string kAnn(16, 'a');
const std::string kBob(16, 'b');

Version version(const std::string& content, files::DocumentKind kind = files::DocumentKind::Docx) {
    return {files::Sha256::of(content), content.size(), kind};
}

std::string wholeOf(int file) {
    std::string text(4096, '\0');
    const auto got = ::pread(file, text.data(), text.size(), 0);
    text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return text;
}

json::object good(std::uint64_t size) {
    return {{"size", size}, {"cut", false}, {"code", 0}};
}

// What the machines' clerk says where the test wants nothing else: the document with "text of " before it.
StandInClerks::Answer honest(int document, int text) {
    const auto out = "text of " + wholeOf(document) + "\n";
    (void)!::pwrite(text, out.data(), out.size(), 0);
    return good(out.size());
}

struct World {
    QTemporaryDir dir{"/tmp/carrel-viewer-XXXXXX"};
    std::filesystem::path folder = dir.path().toStdString();
    std::shared_ptr<hypervisor::FakeWorld> host = std::make_shared<hypervisor::FakeWorld>();
    std::unique_ptr<hypervisor::Backend> backend = hypervisor::makeFakeBackend(host);
    hypervisor::HomeId home = hypervisor::HomeId::parse("0123456789abcdef").value();
    StandInClerks clerks;
    std::atomic<unsigned> boots = 0;
    std::atomic<bool> noImage = false;
    std::mutex mutex;
    std::vector<std::string> complaints;
    std::map<files::Sha256, std::string> contents;
    std::optional<DocumentViewer> viewer; // ends first

    explicit World(ViewerPatience patience = {}) {
        for (const char* part : {"kernel", "initrd", "base"}) {
            std::ofstream(folder / part) << "x";
        }
        clerks.onDocument([](unsigned, const json::object&, int document, int text) { return honest(document, text); });
        MachineSetup setup{backend.get(), home, folder / "view", clerks.program(), [this]() -> Result<ViewerBoot> {
                               ++boots;
                               if (noImage) {
                                   return fail(ErrorCode::NotFound, "there is no image", "carrel image build");
                               }
                               return ViewerBoot{folder / "kernel", folder / "initrd", folder / "base", "quiet",
                                                 hypervisor::Accelerator::Software};
                           }};
        viewer.emplace(std::move(setup), patience, [this](std::string_view line) {
            const std::lock_guard lock(mutex);
            complaints.emplace_back(line);
        });
    }
    World(const World&) = delete;
    World& operator=(const World&) = delete;

    Version ask(const std::string& content, const std::string& agent = kAnn) {
        const auto wanted = version(content);
        {
            const std::lock_guard lock(mutex);
            contents[wanted.content] = content;
        }
        viewer->ask(agent, wanted, [this](const files::Sha256& id) -> Result<UniqueFd> {
            const std::lock_guard lock(mutex);
            if (!contents.contains(id)) {
                return fail(ErrorCode::NotFound, "it is gone");
            }
            UniqueFd file(::memfd_create("document", MFD_CLOEXEC));
            (void)!::write(file.get(), contents[id].data(), contents[id].size());
            return file;
        });
        return wanted;
    }
    Reading read(const std::string& content, const std::string& agent = kAnn) {
        return viewer->await(agent, ask(content, agent), std::chrono::steady_clock::now() + 60s, {});
    }
    [[nodiscard]] std::vector<hypervisor::MachineId> machines() const {
        std::vector<hypervisor::MachineId> out;
        const auto found = backend->adopt(home);
        for (const auto& machine : *found) {
            out.push_back(machine->id());
        }
        return out;
    }
    [[nodiscard]] bool foldersAreGone() const {
        std::error_code error;
        return std::filesystem::is_empty(folder / "view", error) || error;
    }
};

ViewerPatience shortIdle() {
    ViewerPatience patience;
    patience.idle = 1ms;
    return patience;
}
ViewerPatience tryAgainAtOnce() {
    ViewerPatience patience;
    patience.again = 0ms;
    return patience;
}

} // namespace

class TestDocumentViewer : public QObject {
    Q_OBJECT
private slots:
    void readsAndKeepsTheText() {
        World world;
        QVERIFY(world.viewer->look(kAnn, version("one")).state == State::Unasked);
        const auto reading = world.read("one");
        QVERIFY(reading.state == State::Ready);
        QCOMPARE(*reading.text, std::string("text of one\n"));
        QCOMPARE(*world.read("one").text, *reading.text);
        QCOMPARE(world.clerks.count("document.read"), 1U);
    }

    // I8, as it is asked for; a running one is looked at by the live test.
    void theMachineHasNothing() {
        World world;
        QVERIFY(world.read("one").state == State::Ready);
        const auto machines = world.machines();
        QCOMPARE(machines.size(), std::size_t{1});
        const auto spec = world.host->specOf(machines.front()).value();
        QVERIFY(spec.disk && spec.disk->overlay.empty());
        QVERIFY(!spec.window);
        QVERIFY(spec.commandLine.ends_with(" carrel.viewer=1"));
        for (const auto channel : {hypervisor::ChannelId::Control, hypervisor::ChannelId::Files, hypervisor::ChannelId::Network,
                                   hypervisor::ChannelId::Console}) {
            QVERIFY(!world.host->takeGuestEnd(machines.front(), channel)); // nobody is connected there
        }
        QVERIFY(world.host->takeGuestEnd(machines.front(), hypervisor::ChannelId::Terminals));
    }

    // Whoever asks goes on, and others too, while a machine is at work.
    void askingNeverWaits() {
        World world;
        std::binary_semaphore go(0);
        world.clerks.onDocument([&](unsigned, const json::object&, int document, int text) {
            go.acquire();
            return honest(document, text);
        });
        const auto one = world.ask("one");
        const auto two = world.ask("two");
        QVERIFY(world.viewer->look(kAnn, one).state == State::Waiting);
        QVERIFY(world.viewer->look(kAnn, two).state == State::Waiting);
        QVERIFY(world.viewer->await(kAnn, one, std::chrono::steady_clock::now(), {}).state == State::Waiting);
        go.release();
        QVERIFY(world.viewer->await(kAnn, one, std::chrono::steady_clock::now() + 60s, {}).state == State::Ready);
        go.release();
        QVERIFY(world.viewer->await(kAnn, two, std::chrono::steady_clock::now() + 60s, {}).state == State::Ready);
        QCOMPARE(world.boots.load(), 1U); // one machine for both
    }

    void noMachineServesTwoAgents() {
        World world;
        QVERIFY(world.read("one", kAnn).state == State::Ready);
        QVERIFY(world.viewer->look(kBob, version("one")).state == State::Unasked); // nor is a text another's
        QVERIFY(world.read("one", kBob).state == State::Ready);
        QCOMPARE(world.machines().size(), std::size_t{2});
        QCOMPARE(world.clerks.count("document.read"), 2U);
    }

    void anIdleOneMakesRoom() {
        World world;
        for (const char* agent : {"aaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbb", "cccccccccccccccc"}) {
            QVERIFY(world.read("one", agent).state == State::Ready);
        }
        QVERIFY(world.machines().size() <= ViewerPatience{}.machines);
    }

    void anIdleOneIsEnded() {
        World world(shortIdle());
        QVERIFY(world.read("one").state == State::Ready);
        QTRY_VERIFY_WITH_TIMEOUT(world.machines().empty(), 60'000);
        QTRY_VERIFY_WITH_TIMEOUT(world.foldersAreGone(), 60'000);
        QVERIFY(world.read("two").state == State::Ready); // and another comes
        QCOMPARE(world.boots.load(), 2U);
    }

    void servesSoManyAndNoMore() {
        ViewerPatience patience;
        patience.documents = 2;
        World world(patience);
        for (const char* each : {"one", "two", "three"}) {
            QVERIFY(world.read(each).state == State::Ready);
        }
        QCOMPARE(world.boots.load(), 2U);
    }

    void noImage() {
        World world;
        world.noImage = true;
        const auto reading = world.read("one");
        QVERIFY(reading.state == State::Failed);
        QVERIFY2(reading.why.find("there is no image") != std::string::npos, reading.why.c_str());
        QVERIFY(!world.complaints.empty());
    }

    void itDoesNotStart() {
        World world;
        world.host->failNextStart({ErrorCode::Unavailable, "no memory", {}, 0, {}});
        const auto reading = world.read("one");
        QVERIFY(reading.state == State::Failed);
        QVERIFY2(reading.why.find("did not start") != std::string::npos, reading.why.c_str());
        QVERIFY(world.machines().empty());
        QVERIFY(world.foldersAreGone());
        // Not at each look; after a moment it is tried anew.
        QVERIFY(world.read("one").state == State::Failed);
        QCOMPARE(world.boots.load(), 1U);
    }

    void aMachinesFaultIsTriedAgain() {
        World world(tryAgainAtOnce());
        world.host->failNextStart({ErrorCode::Unavailable, "no memory", {}, 0, {}});
        QVERIFY(world.read("one").state == State::Failed);
        QVERIFY(world.read("one").state == State::Ready);
    }

    void aDocumentsFaultStays() {
        World world(tryAgainAtOnce());
        world.clerks.onDocument([](unsigned, const json::object&, int, int) {
            return json::object{{"size", 0}, {"cut", false}, {"code", 10}};
        });
        QCOMPARE(world.read("one").why, std::string("it is encrypted"));
        QCOMPARE(world.read("one").why, std::string("it is encrypted"));
        QCOMPARE(world.clerks.count("document.read"), 1U);
        QCOMPARE(world.machines().size(), std::size_t{1}); // the machine is none the worse
    }

    void theClerkIsNotConfined() {
        World world;
        world.clerks.on("prepare", [](const json::object&) { return json::object{{"landlock_abi", 0}, {"seccomp", true}}; });
        QVERIFY(world.read("one").state == State::Failed);
        QCOMPARE(world.clerks.count("attach"), 0U); // it was given nothing of the machine's
        QVERIFY(world.machines().empty());
    }

    // The machine dies with a document: the next one has a machine of its own.
    void itDies() {
        World world;
        world.clerks.onDocument([&](unsigned clerk, const json::object&, int document, int text) -> StandInClerks::Answer {
            return clerk == 1 ? fail(ErrorCode::Unavailable, "the agent's machine is gone") : honest(document, text);
        });
        const auto reading = world.read("one");
        QVERIFY(reading.state == State::Failed);
        QCOMPARE(reading.why, std::string("the viewer's machine ended before it answered"));
        QVERIFY(world.read("two").state == State::Ready);
        QCOMPARE(world.machines().size(), std::size_t{1});
    }

    // It may be an earlier document's doing, so it has one more try in a machine that no other has seen.
    void itDiesOnALaterOne() {
        World world;
        std::atomic<unsigned> asked = 0;
        world.clerks.onDocument([&](unsigned, const json::object&, int document, int text) -> StandInClerks::Answer {
            return ++asked == 2 ? fail(ErrorCode::Unavailable, "gone") : honest(document, text);
        });
        QVERIFY(world.read("one").state == State::Ready);
        QVERIFY(world.read("two").state == State::Ready);
        QCOMPARE(world.boots.load(), 2U);
    }

    void theClerkDies() {
        World world;
        world.clerks.onDocument([&](unsigned clerk, const json::object&, int, int) -> StandInClerks::Answer {
            world.clerks.drop(clerk);
            return std::nullopt;
        });
        QVERIFY(world.read("one").state == State::Failed);
        QVERIFY(world.machines().empty());
    }

    void itNeverAnswers() {
        ViewerPatience patience;
        patience.start = patience.reading = 0s;
        patience.answer = 1s;
        World world(patience);
        world.clerks.onDocument([](unsigned, const json::object&, int, int) { return std::nullopt; });
        const auto reading = world.read("one");
        QCOMPARE(reading.why, std::string("the viewer gave no answer in time"));
        QVERIFY(world.machines().empty());
    }

    void whatTheClerkHandsOn_data() {
        QTest::addColumn<QByteArray>("text");
        QTest::addColumn<int>("size");
        QTest::newRow("not UTF-8") << QByteArray("\xff\xfe") << 2;
        QTest::newRow("a NUL") << QByteArray("a\0b", 3) << 3;
        QTest::newRow("less than it says") << QByteArray("abc") << 10; // the rest is zeros
        QTest::newRow("more than was asked for") << QByteArray("abc") << int(kMaxText) + 1;
    }
    void whatTheClerkHandsOn() {
        QFETCH(QByteArray, text);
        QFETCH(int, size);
        World world;
        world.clerks.onDocument([&](unsigned, const json::object&, int, int file) {
            (void)!::pwrite(file, text.constData(), static_cast<std::size_t>(text.size()), 0);
            return good(static_cast<std::uint64_t>(size));
        });
        const auto reading = world.read("one");
        QVERIFY(reading.state == State::Failed);
        QVERIFY(world.machines().empty());
    }

    void aBrokenClerkFillsNoMemory() {
        World world;
        std::atomic<bool> grew = false;
        world.clerks.onDocument([&](unsigned, const json::object&, int document, int text) {
            grew = ::pwrite(text, "x", 1, static_cast<off_t>(kMaxText)) == 1 || ::ftruncate(text, 1 << 30) == 0;
            return honest(document, text);
        });
        QVERIFY(world.read("one").state == State::Ready);
        QVERIFY(!grew);
    }

    void whatIsFrozenNoMore() {
        World world;
        const auto wanted = version("lost");
        world.viewer->ask(kAnn, wanted, [](const files::Sha256&) -> Result<UniqueFd> { return fail(ErrorCode::NotFound, "it is gone"); });
        const auto reading = world.viewer->await(kAnn, wanted, std::chrono::steady_clock::now() + 60s, {});
        QVERIFY(reading.state == State::Failed);
        QVERIFY(reading.why.find("frozen copy") != std::string::npos);
    }

    void tooLargeNeedsNoMachine() {
        World world;
        auto wanted = version("large");
        wanted.size = kMaxDocument + 1;
        world.viewer->ask(kAnn, wanted, {});
        QCOMPARE(world.viewer->look(kAnn, wanted).why, std::string("it is larger than 64 MiB"));
        QCOMPARE(world.boots.load(), 0U);
    }

    void whoIsToldToStopStops() {
        World world;
        std::binary_semaphore go(0);
        world.clerks.onDocument([&](unsigned, const json::object&, int document, int text) {
            go.acquire();
            return honest(document, text);
        });
        const auto one = world.ask("one");
        std::stop_source off;
        off.request_stop();
        QVERIFY(world.viewer->await(kAnn, one, std::chrono::steady_clock::now() + 60s, off.get_token()).state == State::Waiting);
        go.release();
    }

    void anAgentIsForgotten() {
        World world;
        QVERIFY(world.read("one").state == State::Ready);
        world.viewer->forget(kAnn);
        QVERIFY(world.viewer->look(kAnn, version("one")).state == State::Unasked);
        QVERIFY(world.machines().empty());
        QVERIFY(world.foldersAreGone());
    }

    // Also while one is at work, and whoever waits is told.
    void itsEndLeavesNothing() {
        World world;
        world.clerks.onDocument([](unsigned, const json::object&, int, int) { return std::nullopt; });
        const auto one = world.ask("one");
        auto waiting = std::async(std::launch::async, [&] {
            return world.viewer->await(kAnn, one, std::chrono::steady_clock::now() + 60s, {});
        });
        QTRY_COMPARE_WITH_TIMEOUT(world.clerks.count("document.read"), 1U, 60'000);
        world.viewer->stop();
        QVERIFY(waiting.get().state == State::Failed);
        QVERIFY(world.machines().empty());
        QVERIFY(world.foldersAreGone());
        QVERIFY(world.read("two").state == State::Failed); // and none begins
        QCOMPARE(world.boots.load(), 1U);
    }

    void foldersOfAnEarlierEngineGo() {
        World world;
        std::filesystem::create_directories(world.folder / "view" / "0123abcd");
        world.viewer->clearFolders();
        QVERIFY(world.foldersAreGone());
    }
};

QTEST_GUILESS_MAIN(TestDocumentViewer)
#include "test_document_viewer.moc"
