// SPDX-License-Identifier: Apache-2.0
// Documents in a review: which changes are some, what an entry says while the viewer is at work and after, and with whose
// bytes. The agent's machine and the viewer's are none; the test plays both clerks.
#include "app/engine/documents.h"
#include "tests/app/agents/agent_world.h"

#include <QTest>
#include <boost/json/serialize.hpp>

#include <semaphore>
#include <sys/stat.h>
#include <unistd.h>

using namespace carrel;
using namespace carrel::engine;
using agents::test::AgentWorld;
using agents::test::StandInClerks;
using files::FrozenEntry;
using files::NodeKind;
namespace json = boost::json;

namespace {

FrozenEntry entryOf(const std::string& path, NodeKind base, NodeKind wanted) {
    FrozenEntry entry;
    entry.path = SharePath::parse(path).value();
    entry.contentChanged = wanted == NodeKind::File;
    entry.base.kind = base;
    entry.wanted.kind = wanted;
    if (base == NodeKind::File) {
        entry.base.content = files::Sha256::of("old");
        entry.baseKept = true;
    }
    if (wanted == NodeKind::File) {
        entry.wanted.content = files::Sha256::of("new");
    }
    return entry;
}

// An agent that staged papers/offer.docx, and a viewer.
struct World {
    AgentWorld ann{true};
    StandInClerks viewerClerks;
    std::unique_ptr<viewer::DocumentViewer> viewer;
    std::binary_semaphore go{1};

    World() {
        std::ofstream(ann.share() / "offer.docx") << "PK\x03\x04\x01 old";
        ann.clerks.on("changes.list", [this](const json::object&) {
            struct stat info {};
            (void)::stat((ann.share() / "offer.docx").c_str(), &info);
            const auto ns = [](const timespec& time) { return time.tv_sec * 1'000'000'000 + time.tv_nsec; };
            ChangeEntry entry;
            entry.path = SharePath::parse("offer.docx").value();
            entry.kind = ChangeKind::Modified;
            entry.type = EntryType::File;
            entry.generation = 1;
            entry.mode = 0644;
            entry.size = 9;
            entry.contentChanged = true;
            entry.base = BaseVersion{info.st_ino, static_cast<std::uint64_t>(info.st_size), ns(info.st_mtim), ns(info.st_ctim)};
            return json::object{{"entries", json::array{toJson(entry)}}, {"next", nullptr}, {"staged", 1}};
        });
        ann.clerks.onContent([](const json::object&) { return std::optional<std::string>("PK\x03\x04\x01 new"); });
        viewerClerks.onDocument([this](unsigned, const json::object&, int document, int text) -> StandInClerks::Answer {
            go.acquire();
            go.release();
            char bytes[64];
            const auto got = ::pread(document, bytes, sizeof bytes, 0);
            const auto out = "same line\n" + std::string(bytes + 6, static_cast<std::size_t>(got) - 6) + " price\n";
            (void)!::pwrite(text, out.data(), out.size(), 0);
            return json::object{{"size", out.size()}, {"cut", false}, {"code", 0}};
        });
        viewer = std::make_unique<viewer::DocumentViewer>(
            viewer::MachineSetup{ann.backend.get(), ann.home, ann.folder / "view", viewerClerks.program(),
                                 [this]() -> Result<viewer::ViewerBoot> {
                                     return viewer::ViewerBoot{ann.folder / "kernel", ann.folder / "initrd", ann.folder / "base", "quiet",
                                                               hypervisor::Accelerator::Software};
                                 }},
            viewer::ViewerPatience{}, [](std::string_view) {});
    }
};

} // namespace

class TestDocuments : public QObject {
    Q_OBJECT
private slots:
    void whichAreSome() {
        const auto modified = documentOf(entryOf("a/Report.DOCX", NodeKind::File, NodeKind::File));
        QVERIFY(modified && modified->before && modified->after && modified->whyNot.empty());
        QVERIFY(modified->kind == files::DocumentKind::Docx);
        const auto created = documentOf(entryOf("a.pdf", NodeKind::Absent, NodeKind::File));
        QVERIFY(created && !created->before && created->after);
        const auto deleted = documentOf(entryOf("a.ods", NodeKind::File, NodeKind::Absent));
        QVERIFY(deleted && deleted->before && !deleted->after);
        for (const char* name : {"a.txt", "docx", ".docx", "a.docx.txt", "folder.docx/readme", "a.doc"}) {
            QVERIFY2(!documentOf(entryOf(name, NodeKind::File, NodeKind::File)), name);
        }
        auto renamed = entryOf("b.docx", NodeKind::File, NodeKind::File);
        renamed.from = SharePath::parse("b.pdf").value();
        QVERIFY(documentOf(renamed)->before->kind == files::DocumentKind::Pdf);
        renamed.from = SharePath::parse("b.bin").value();
        QVERIFY(!documentOf(renamed)); // nothing to compare it with
        renamed.from = SharePath::parse("c.docx").value();
        renamed.contentChanged = false;
        QVERIFY(!documentOf(renamed)); // its content stays
    }

    void aVersionThatWasNotKept() {
        World world;
        auto entry = entryOf("a.pdf", NodeKind::File, NodeKind::File);
        entry.baseKept = false;
        Documents documents(*world.viewer, world.ann.agent);
        const auto told = documents.lookAndCompare(*documentOf(entry));
        QVERIFY2(told.whyNone.find("your version of it was not kept") != std::string::npos, told.whyNone.c_str());
        QVERIFY(!documents.waiting(*documentOf(entry)));
    }

    void waitsThenShows() {
        World world;
        QVERIFY(world.ann.start().value_or(false));
        world.go.acquire();
        const auto opened = world.ann.agent->freeze(agents::test::quiet, {});
        QVERIFY2(opened.has_value(), opened ? "" : opened.error().text().c_str());
        const auto views = opened->select({});
        QCOMPARE(views.size(), std::size_t{1});
        const auto change = documentOf(*views.front().entry);
        QVERIFY(change && change->whyNot.empty());

        Documents documents(*world.viewer, world.ann.agent);
        QCOMPARE(documents.look(*change).document.at("state"), json::value("unasked"));
        documents.askAhead(views);
        auto told = documents.lookAndCompare(*change);
        QCOMPARE(json::serialize(told.document), std::string(R"({"kind":"docx","state":"waiting"})"));
        QVERIFY(!told.diff && !told.whyNone.empty());
        QVERIFY(documents.waiting(*change));

        world.go.release();
        documents.await(*change, std::chrono::steady_clock::now() + std::chrono::seconds(60), {});
        told = documents.lookAndCompare(*change);
        QCOMPARE(told.document.at("state"), json::value("ready"));
        QCOMPARE(told.document.at("same_text"), json::value(false));
        QCOMPARE(*told.diff, std::string("@@ -1,2 +1,2 @@\n same line\n-old price\n+new price\n"));
        QCOMPARE(json::serialize(documents.look(*change).document), std::string(R"({"kind":"docx","state":"ready"})"));
    }

    void whoseVersionItIs() {
        World world;
        QVERIFY(world.ann.start().value_or(false));
        world.viewerClerks.onDocument([](unsigned, const json::object&, int document, int text) -> StandInClerks::Answer {
            char bytes[64];
            const auto got = ::pread(document, bytes, sizeof bytes, 0);
            const bool old = std::string_view(bytes, static_cast<std::size_t>(got)).ends_with("old");
            (void)!::pwrite(text, "x\n", 2, 0);
            return json::object{{"size", old ? 2 : 0}, {"cut", false}, {"code", old ? 0 : 10}};
        });
        const auto opened = world.ann.agent->freeze(agents::test::quiet, {});
        QVERIFY(opened.has_value());
        const auto change = documentOf(*opened->sets.front().entries.begin());
        QVERIFY(change);
        Documents documents(*world.viewer, world.ann.agent);
        documents.askAhead(opened->select({}));
        documents.await(*change, std::chrono::steady_clock::now() + std::chrono::seconds(60), {});
        QCOMPARE(documents.look(*change).document.at("why"), json::value("the agent's version: it is encrypted"));
    }
};

QTEST_GUILESS_MAIN(TestDocuments)
#include "test_documents.moc"
