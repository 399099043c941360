// SPDX-License-Identifier: Apache-2.0
// What is told of a folder when it is chosen, and what becomes of a placeholder in it.
#include "tests/app/agents/played_guest.h"
#include "tests/support/json_schema.h"

#include <QTest>

#include <fcntl.h>

using namespace carrel;
using namespace carrel::agents;
using namespace carrel::agents::test;
namespace fs = std::filesystem;
namespace json = boost::json;

namespace {

void put(const fs::path& file, const std::string& text = " ") {
    fs::create_directories(file.parent_path());
    std::ofstream(file) << text;
}

UniqueFd opened(const fs::path& folder) {
    return UniqueFd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

std::uint64_t count(const FolderLook& look, clerk::Placeholder kind) {
    const auto found = look.placeholders.find(kind);
    return found == look.placeholders.end() ? 0 : found->second;
}

} // namespace

class TestFolderLook : public QObject {
    Q_OBJECT
private slots:
    void countsWhatIsNotThere() {
        QTemporaryDir dir;
        const fs::path at = dir.path().toStdString();
        const fs::path share = at / "share";
        put(share / "a.odt.nextcloud");
        put(share / "deep/er/b.nextcloud");
        put(share / "deep/c.owncloud");
        put(share / "own.nextcloud", "of the user's own");
        put(share / "d.txt");
        fs::create_directory(share / "folder.nextcloud");
        put(share / "folder.nextcloud/e.nextcloud");
        fs::create_symlink("a.odt.nextcloud", share / "link.nextcloud");
        put(at / "outside/f.nextcloud");
        fs::create_directory_symlink(at / "outside", share / "out");
        const auto look = lookThrough(opened(share).get());
        QCOMPARE(count(look, clerk::Placeholder::Nextcloud), std::uint64_t{3});
        QCOMPARE(count(look, clerk::Placeholder::OwnCloud), std::uint64_t{1});
        QVERIFY(!look.inPart && !look.unreported);
    }

    void isBounded() {
        QTemporaryDir dir;
        const fs::path at = dir.path().toStdString();
        for (int i = 0; i < 50; ++i) {
            put(at / ("f" + std::to_string(i) + ".nextcloud"));
        }
        FolderLookLimits limits;
        limits.names = 50;
        auto look = lookThrough(opened(at).get(), limits);
        QVERIFY(!look.inPart && count(look, clerk::Placeholder::Nextcloud) == 50);
        limits.names = 20;
        look = lookThrough(opened(at).get(), limits);
        QVERIFY(look.inPart && count(look, clerk::Placeholder::Nextcloud) == 20);
        limits.names = 20'000;
        limits.patience = std::chrono::milliseconds(0);
        look = lookThrough(opened(at).get(), limits);
        QVERIFY(look.inPart && look.placeholders.empty());
    }

    void tellsOfTheDrive() {
        QTemporaryDir dir;
        const fs::path at = dir.path().toStdString();
        FolderLookLimits limits;
        for (const auto reports : {clerk::Reports::Changes, clerk::Reports::OnlyItsOwn, clerk::Reports::Unknown}) {
            limits.reports = [&](int) { return reports; };
            json::object share;
            tell(lookThrough(opened(at).get(), limits), share);
            const json::object expected =
                reports == clerk::Reports::OnlyItsOwn ? json::object{{"unreported", true}} : json::object{};
            QVERIFY2(share == expected, json::serialize(share).c_str());
        }
    }

    // To whom chooses the folder, and to nobody later: by then it may be otherwise.
    void toldWhenChosen() {
        AgentWorld w;
        put(w.share() / "a.nextcloud");
        put(w.share() / "b.nextcloud");
        put(w.share() / "c.owncloud");
        const auto added = w.agent->addShare({w.share().string(), ShareMode::Review});
        QVERIFY2(added, added ? "" : added.error().text().c_str());
        const json::array expected{{{"program", "Nextcloud"}, {"files", 2U}}, {{"program", "ownCloud"}, {"files", 1U}}};
        QVERIFY2(added->contains("placeholders") && added->at("placeholders") == json::value(expected), json::serialize(*added).c_str());
        QVERIFY(!added->contains("looked_in_part"));
        QVERIFY(w.agent->describe(Agent::Tell::Chosen).at("shares").as_array().at(0).at("placeholders") ==
                json::value(expected)); // agent.create
        QVERIFY(!w.agent->describeShares().at(0).as_object().contains("placeholders"));
        const carrel::test::Schemas schemas(CARREL_SOURCE_DIR "/app/api/schema");
        const auto schema = schemas.load("share.add.json").at("properties").at("result").as_object();
        const auto problem = schemas.check(json::object{{"share", *added}}, schema);
        QVERIFY2(problem.empty(), problem.c_str());
        const fs::path plain = w.folder / "plain";
        put(plain / "x.txt");
        const auto other = w.agent->addShare({plain.string(), ShareMode::Review});
        QVERIFY(other && !other->contains("placeholders") && !other->contains("unreported"));
    }

    void itsDeletionIsNoneOfTheAgents() {
        AgentWorld w(true);
        QVERIFY(w.start());
        PlayedGuest guest(w);
        put(w.share() / "a.nextcloud");
        guest.remove("a.nextcloud");
        const auto review = w.agent->freeze(quiet, {});
        QVERIFY(review && review->sets.at(0).entries.size() == 1);
        QVERIFY(review->sets.at(0).entries[0].conflict == files::ConflictKind::Unreadable);
        QVERIFY(fs::exists(w.share() / "a.nextcloud"));
    }
};

QTEST_GUILESS_MAIN(TestFolderLook)
#include "test_folder_look.moc"
