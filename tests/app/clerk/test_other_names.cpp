// SPDX-License-Identifier: Apache-2.0
// A disk that knows what is hidden by other names, too: it is served by none of them, and no change goes through one.
#include "app/agents/services.h"
#include "app/files/tree.h"
#include "tests/app/clerk/other_names_disk.h"
#include "tests/app/files/files_world.h"

#include <QTemporaryDir>
#include <QTest>

using namespace carrel;
using namespace carrel::clerk;
using namespace carrel::clerk::test;
using files::test::path;
using files::test::writeFile;
using lower::kRootNode;

namespace {

#define NEED(condition, what)                                                                                          \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            return std::string("line ") + std::to_string(__LINE__) + ": " #condition ": " + (what);                    \
        }                                                                                                              \
    } while (false)

const OtherNames kNames{{"SSH~1", ".ssh"}, {"ENV~1", ".env"}, {"GREEN~1.TXT", "green tomatoes.txt"}};

} // namespace

class TestOtherNames : public QObject {
    Q_OBJECT
private slots:
    void init() {
        m_dir = std::make_unique<QTemporaryDir>();
        m_folder = m_dir->path().toStdString() + "/folder";
        m_mount = m_dir->path().toStdString() + "/mount";
        for (const std::string& made : {m_folder, m_mount, m_folder + "/.ssh", m_folder + "/sub"}) {
            QCOMPARE(::mkdir(made.c_str(), 0755), 0);
        }
        for (const char* file : {"/.ssh/id_rsa", "/.env", "/green tomatoes.txt", "/sub/plain"}) {
            writeFile(m_folder + file, "text\n");
        }
    }

    // I1: what no listing shows is not there.
    void onlyListedNamesAreServed() {
        const std::string complaint = onSuchADisk(m_folder, m_mount, kNames, [&]() -> std::string {
            struct stat st {};
            NEED(::stat((m_mount + "/SSH~1/id_rsa").c_str(), &st) == 0, "the disk does not answer to it");
            ShareBroker::Options options;
            options.hidden = agents::kHiddenNames;
            options.watchHost = false;
            Guest guest(m_mount, options);
            for (int i = 0; i < 2; ++i) { // also when it was asked for before
                for (const auto& [other, name] : kNames) {
                    const Answer answer = guest.lookup(kRootNode, other);
                    NEED(answer.error == 0 && answer.as<lower::EntryOut>().nodeid == 0, other);
                }
                NEED(guest.node(kRootNode, "green tomatoes.txt") != 0, "what is listed is not there");
                NEED(guest.node(guest.node(kRootNode, "sub"), "plain") != 0, "what is listed is not there");
                NEED(guest.list(kRootNode).size() == 2, "the listing");
            }
            return {};
        });
        if (complaint.starts_with("-")) {
            QSKIP(complaint.c_str() + 1);
        }
        QVERIFY2(complaint.empty(), complaint.c_str());
    }

    // I4, I10: nor is anything changed by such a name, or put beneath one.
    void noChangeGoesThroughOne() {
        const std::string complaint = onSuchADisk(m_folder, m_mount, kNames, [&]() -> std::string {
            files::test::World w;
            const UniqueFd root(::open(m_mount.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
            for (const char* other : {"SSH~1", "SSH~1/id_rsa", "SSH~1/new", "ENV~1"}) {
                const auto place = files::pin(root.get(), path(other));
                NEED(!place && place.error().code == ErrorCode::Conflict, other);
            }
            for (const char* name : {"green tomatoes.txt", "sub/plain", "sub/new", "new"}) {
                const auto place = files::pin(root.get(), path(name));
                NEED(place, std::string(name) + ": " + place.error().text());
            }
            w.content(ChangeKind::Created, "SSH~1/authorized_keys", "ssh-ed25519 AAAA\n");
            w.content(ChangeKind::Created, "ENV~1", "x\n");
            w.content(ChangeKind::Created, "sub/new", "x\n");
            auto review = w.review();
            const auto set = review->freeze(root.get(), "s1", w.claims, w.guest);
            NEED(set, set.error().text());
            NEED(set->entries.size() == 3, std::to_string(set->entries.size()));
            for (const auto& entry : set->entries) {
                NEED((entry.conflict == files::ConflictKind::None) == (entry.path.text() == "sub/new"), entry.path.text());
            }
            const auto applied = review->apply(root.get(), set->id, files::test::everything(*set));
            NEED(applied, applied.error().text());
            for (const auto& entry : applied->entries) {
                const bool isNew = entry.path.text() == "sub/new"; // and this disk is read-only
                NEED(entry.outcome == (isNew ? files::Outcome::Failed : files::Outcome::Conflict), entry.path.text());
            }
            return {};
        });
        if (complaint.starts_with("-")) {
            QSKIP(complaint.c_str() + 1);
        }
        QVERIFY2(complaint.empty(), complaint.c_str());
    }

private:
    std::unique_ptr<QTemporaryDir> m_dir;
    std::string m_folder, m_mount;
};

QTEST_GUILESS_MAIN(TestOtherNames)
#include "test_other_names.moc"
