// SPDX-License-Identifier: Apache-2.0
// What is hidden from a machine, and a machine that reports changes of it all the same. Whatever the report
// says, nothing hidden is moved, changed, deleted or confirmed, and none of it becomes an entry that an apply
// carries out.
#include "app/agents/services.h"
#include "app/clerk/hidden_names.h"
#include "tests/app/files/files_world.h"

#include <QTest>

using namespace carrel;
using namespace carrel::files;
using namespace carrel::files::test;

namespace {

bool isHidden(const SharePath& path) {
    static const clerk::HiddenNames names(agents::kHiddenNames);
    for (SharePath at = path; !at.isRoot(); at = at.parent()) {
        if (names.hides(at.parent().text(), at.name())) {
            return true;
        }
    }
    return false;
}

constexpr const char* kKey = "the user's key\n";

// A share with secrets, at its root and beneath folders that a report may rename.
struct SecretWorld : World {
    SecretWorld() {
        for (const char* folder : {".ssh", "proj/.aws", "proj/src", "empty", "other"}) {
            fs::create_directories(at(folder));
        }
        for (const char* file : {".ssh/id_rsa", ".env", "proj/.env", "proj/.aws/credentials", "server.pem"}) {
            writeFile(at(file), kKey, 0600);
        }
        writeFile(at("proj/src/a.txt"), "a\n");
        writeFile(at("note"), "n\n");
    }
    Result<FrozenSet> freezeHidden(FileReview& review) {
        FreezeLimits limits;
        limits.hidden = isHidden;
        return review.freeze(root.get(), "s1", claims, guest, limits);
    }
};

struct Forgery {
    const char* name;
    std::function<void(SecretWorld&)> report;
};

const std::vector<Forgery>& forgeries() {
    static const std::vector<Forgery> all{
        {"file renamed to a shown name", [](SecretWorld& w) { w.renamed(".env", "shown"); }},
        {"file renamed, with other content",
         [](SecretWorld& w) {
             auto& entry = w.renamed(".env", "shown");
             entry.contentChanged = true;
             entry.size = 1;
             w.guest.contents["shown"] = "x";
         }},
        {"folder renamed to a shown name",
         [](SecretWorld& w) { w.renamed(".ssh", "shown", EntryType::Directory); }},
        {"folder renamed as if it were a file", [](SecretWorld& w) { w.renamed(".ssh", "shown"); }},
        {"renamed out of a hidden folder", [](SecretWorld& w) { w.renamed(".ssh/id_rsa", "shown"); }},
        {"renamed out of a folder that is renamed, by its new name",
         [](SecretWorld& w) {
             w.renamed("proj", "moved", EntryType::Directory);
             w.renamed("moved/.env", "shown").base = w.versionOf("proj/.env");
         }},
        {"renamed out of a folder that is renamed, by its old name",
         [](SecretWorld& w) {
             w.renamed("proj", "moved", EntryType::Directory);
             w.renamed("proj/.env", "shown");
         }},
        {"hidden folder out of one that is renamed as if it were a file",
         [](SecretWorld& w) {
             w.renamed("proj", "moved");
             w.renamed("moved/.aws", "shown", EntryType::Directory).base = w.versionOf("proj/.aws");
         }},
        {"shown file onto a hidden one", [](SecretWorld& w) { w.renamed("note", ".env"); }},
        {"shown file into a hidden folder", [](SecretWorld& w) { w.renamed("note", ".ssh/config"); }},
        {"shown folder into a hidden one",
         [](SecretWorld& w) { w.renamed("other", ".ssh/other", EntryType::Directory); }},
        {"deleted", [](SecretWorld& w) { w.claim(ChangeKind::Deleted, ".env"); }},
        {"folder deleted with all in it",
         [](SecretWorld& w) {
             w.claim(ChangeKind::Deleted, ".ssh/id_rsa");
             w.claim(ChangeKind::Deleted, ".ssh", EntryType::Directory);
         }},
        {"deleted in a folder that is renamed",
         [](SecretWorld& w) {
             w.renamed("proj", "moved", EntryType::Directory);
             w.claim(ChangeKind::Deleted, "moved/.env").base = w.versionOf("proj/.env");
         }},
        {"deleted in a folder that is renamed, by its old name",
         [](SecretWorld& w) {
             w.renamed("proj", "moved", EntryType::Directory);
             w.claim(ChangeKind::Deleted, "proj/.env");
         }},
        {"made readable for all", [](SecretWorld& w) { w.claim(ChangeKind::Mode, ".env").mode = 0644; }},
        {"folder made readable for all",
         [](SecretWorld& w) { w.claim(ChangeKind::Mode, ".ssh", EntryType::Directory).mode = 0777; }},
        {"modified", [](SecretWorld& w) { w.content(ChangeKind::Modified, ".env", "x\n"); }},
        {"created over it", [](SecretWorld& w) { w.content(ChangeKind::Created, "server.pem", "x\n"); }},
        {"guessed to the byte", [](SecretWorld& w) { w.content(ChangeKind::Created, ".env", kKey); }},
        {"link in its place", [](SecretWorld& w) { w.link(".env", "note"); }},
        {"file in place of a hidden folder",
         [](SecretWorld& w) { w.content(ChangeKind::Created, ".ssh", "x"); }},
        {"new file in a hidden folder",
         [](SecretWorld& w) {
             w.claim(ChangeKind::Created, ".ssh", EntryType::Directory);
             w.content(ChangeKind::Created, ".ssh/authorized_keys", "ssh-ed25519 AAAA\n");
         }},
        {"new folder deep in a hidden folder",
         [](SecretWorld& w) {
             w.claim(ChangeKind::Created, "proj/.aws/cli", EntryType::Directory);
             w.content(ChangeKind::Created, "proj/.aws/cli/alias", "x\n");
         }},
        {"shown folder into a hidden one of a folder that is renamed",
         [](SecretWorld& w) {
             w.renamed("proj", "moved", EntryType::Directory);
             w.renamed("other", "moved/.aws/other", EntryType::Directory);
         }},
        {"new file in a hidden folder of one that is renamed",
         [](SecretWorld& w) {
             w.renamed("proj", "moved", EntryType::Directory);
             w.content(ChangeKind::Created, "moved/.aws/config", "x\n");
         }},
    };
    return all;
}

bool touches(const FrozenEntry& entry) {
    return isHidden(entry.path) || (entry.from && isHidden(*entry.from));
}

} // namespace

class TestHidden : public QObject {
    Q_OBJECT
private slots:
    void noReportReachesWhatIsHidden_data() {
        QTest::addColumn<int>("index");
        for (std::size_t i = 0; i < forgeries().size(); ++i) {
            QTest::newRow(forgeries()[i].name) << static_cast<int>(i);
        }
    }
    void noReportReachesWhatIsHidden() {
        QFETCH(int, index);
        SecretWorld w;
        forgeries().at(static_cast<std::size_t>(index)).report(w);
        auto review = w.review();
        const auto set = w.freezeHidden(*review);
        QVERIFY2(set, set ? "" : set.error().text().c_str());
        std::size_t refused = 0;
        for (const auto& entry : set->entries) {
            if (touches(entry)) {
                QVERIFY2(entry.conflict == ConflictKind::Refused, entry.path.text().c_str());
                // Nothing of what stands there is in the review, which the guest's word could be compared
                // with.
                QVERIFY(entry.base.kind == NodeKind::Absent && entry.target.kind == NodeKind::Absent);
                ++refused;
            }
        }
        QVERIFY(refused > 0);
        // Left out as "already so" would be told to the guest, without anybody's decision.
        QVERIFY(set->leftOut.empty());
        // Whatever the user chooses, also to replace what is there.
        for (const auto ifFlagged : {IfFlagged::Leave, IfFlagged::Replace}) {
            std::vector<Selected> all;
            for (const auto& entry : set->entries) {
                all.push_back({entry.path, ifFlagged});
            }
            const auto applied = review->apply(w.root.get(), set->id, all);
            QVERIFY2(applied, applied ? "" : applied.error().text().c_str());
            for (const auto& outcome : applied->entries) {
                QVERIFY2(!touches(*set->find(outcome.path)) || outcome.outcome != Outcome::Applied,
                         describe(*applied).c_str());
            }
        }
        // A folder may have moved, and what is hidden in it went along: nothing else happened to it.
        const std::string proj = fs::exists(w.at("proj")) ? "proj" : "moved";
        for (const std::string& secret :
             {std::string(".ssh/id_rsa"), std::string(".env"), std::string("server.pem"), proj + "/.env",
              proj + "/.aws/credentials"}) {
            struct stat now {};
            QVERIFY2(::lstat(w.at(secret).c_str(), &now) == 0, secret.c_str());
            QVERIFY(S_ISREG(now.st_mode) && (now.st_mode & 07777) == 0600);
            QCOMPARE(slurp(w.at(secret)), std::string(kKey));
        }
        QCOMPARE(std::distance(fs::directory_iterator(w.at(".ssh")), fs::directory_iterator()), 1);
        QCOMPARE(std::distance(fs::directory_iterator(w.at(proj + "/.aws")), fs::directory_iterator()), 1);
        QVERIFY(!fs::exists(w.at("shown")));
    }

    // "Already so" is told to the guest at once. It must not learn from it which of its guesses stands there
    // and which does not; and it never saw the name, so it cannot have deleted or renamed it.
    void noAnswerToAGuess_data() {
        QTest::addColumn<QString>("name");
        QTest::newRow("there") << ".env";
        QTest::newRow("not there") << ".netrc";
        QTest::newRow("beneath one that is there") << ".ssh/id_ed25519";
        QTest::newRow("beneath one that is not there") << ".kube/config";
    }
    void noAnswerToAGuess() {
        QFETCH(QString, name);
        const std::string guess = name.toStdString();
        for (const auto kind : {ChangeKind::Deleted, ChangeKind::Mode, ChangeKind::Renamed}) {
            SecretWorld w;
            if (kind == ChangeKind::Renamed) {
                w.renamed(guess, "shown");
            } else {
                w.claim(kind, guess);
            }
            auto review = w.review();
            const auto set = w.freezeHidden(*review);
            QVERIFY(set);
            QVERIFY(set->leftOut.empty());
            QVERIFY(set->entries.at(0).conflict == ConflictKind::Refused);
        }
    }

    // The user's files go with their folder, as with mv; by its name each is as hidden there as it was.
    void folderTakesAlongWhatIsHiddenInIt() {
        SecretWorld w;
        w.renamed("proj", "other/renamed", EntryType::Directory);
        auto review = w.review();
        const auto set = w.freezeHidden(*review);
        QVERIFY(set && set->entries.size() == 1);
        QVERIFY2(set->entries.at(0).conflict == ConflictKind::None,
                 set->entries.at(0).conflictReason.c_str());
        const auto applied = review->apply(w.root.get(), set->id, everything(*set));
        QVERIFY(applied && applied->complete());
        for (const char* secret : {"other/renamed/.env", "other/renamed/.aws/credentials"}) {
            QCOMPARE(slurp(w.at(secret)), std::string(kKey));
            QVERIFY(isHidden(path(secret)));
        }
        // Only names decide. A pattern with a slash would lose its file to a rename of a folder above it.
        for (const auto& pattern : agents::kHiddenNames) {
            QVERIFY2(pattern.find('/') == std::string::npos, pattern.c_str());
        }
        const auto undone = review->undo(w.root.get(), applied->id);
        QVERIFY(undone && undone->complete());
        QCOMPARE(slurp(w.at("proj/.aws/credentials")), std::string(kKey));
    }

    // All that the agent saw in the folder was deleted; what it did not see keeps the folder.
    void folderIsNotDeletedOverWhatIsHiddenInIt() {
        SecretWorld w;
        w.claim(ChangeKind::Deleted, "proj/src/a.txt");
        w.claim(ChangeKind::Deleted, "proj/src", EntryType::Directory);
        w.claim(ChangeKind::Deleted, "proj", EntryType::Directory);
        auto review = w.review();
        const auto set = w.freezeHidden(*review);
        QVERIFY(set && set->entries.size() == 3);
        const auto applied = review->apply(w.root.get(), set->id, everything(*set));
        QVERIFY(applied);
        for (const auto& outcome : applied->entries) {
            QVERIFY2((outcome.outcome == Outcome::Applied) == (outcome.path != path("proj")),
                     describe(*applied).c_str());
        }
        QVERIFY(!fs::exists(w.at("proj/src")));
        QCOMPARE(slurp(w.at("proj/.env")), std::string(kKey));
    }

    // Whatever a disk that knows no case, or folds more than that, opens the secret by.
    void spellings_data() {
        QTest::addColumn<QByteArray>("name");
        QTest::addColumn<bool>("hidden");
        const auto row = [](const char* name, bool hidden) { QTest::addRow("%s", name) << QByteArray(name) << hidden; };
        row(".SSH", true);
        row(".Env", true);
        row(".ENV.local", true);
        row("ID_RSA", true);
        row("Server.PEM", true);
        row(".CARREL-TMP-1", true);
        row(".ssh.", true);
        row(".env. .", true);
        row("server.pem ", true);
        row(".\xc5\xbf\xc5\xbfh", true);                 // long s
        row(".\xc3\x9fh", true);                         // sharp s
        row(".\xe2\x84\xaauBE", true);                   // the Kelvin sign
        row("key.kdb\xe2\x80\x8dX", true);               // a joiner of no width
        row(".s\xc2\xadsh", true);                       // a soft hyphen
        row(".\xf3\xa0\x80\xa0" "env", true);            // a tag
        row("env", false);
        row(".sshd", false);
        row("pem", false);
        row("Stra\xc3\x9f" "e.txt", false);
        row(".\xc5", false);                              // no text
        row(".\xff" "env", false);
        row(".", false);
    }
    void spellings() {
        QFETCH(QByteArray, name);
        QFETCH(bool, hidden);
        QCOMPARE(clerk::HiddenNames(agents::kHiddenNames).hides("", name.toStdString()), hidden);
        QCOMPARE(clerk::HiddenNames(agents::kHiddenNames).hides("folder", name.toStdString()), hidden);
        if (hidden) {
            SecretWorld w;
            w.renamed(name.toStdString(), "shown");
            auto review = w.review();
            const auto set = w.freezeHidden(*review);
            QVERIFY(set && set->entries.size() == 1 && set->entries.front().conflict == ConflictKind::Refused);
        }
    }
    void spellingsOfAWholePath() {
        const clerk::HiddenNames names({"Config/secrets.*", "*.Key"});
        QVERIFY(names.hides("config", "secrets.yml") && names.hides("CONFIG", "Secrets.YML") && names.hides("config.", "secrets.yml"));
        QVERIFY(!names.hides("", "secrets.yml") && !names.hides("config/sub", "secrets.yml"));
        QVERIFY(names.hides("", "a.KEY"));
    }

    // A link of the user's is no way around the names either.
    void notThroughALink() {
        SecretWorld w;
        fs::create_directory_symlink(".ssh", w.at("short"));
        w.claim(ChangeKind::Deleted, "short/id_rsa");
        w.renamed("short/id_rsa", "shown");
        w.content(ChangeKind::Created, "short/authorized_keys", "x\n");
        auto review = w.review();
        const auto set = w.freezeHidden(*review);
        if (set) { // two claims of one file may be refused as a whole
            const auto applied = review->apply(w.root.get(), set->id, everything(*set));
            QVERIFY(applied);
            for (const auto& outcome : applied->entries) {
                QVERIFY2(outcome.outcome != Outcome::Applied, describe(*applied).c_str());
            }
        }
        QCOMPARE(slurp(w.at(".ssh/id_rsa")), std::string(kKey));
        QVERIFY(!fs::exists(w.at(".ssh/authorized_keys")) && !fs::exists(w.at("shown")));
    }

    // What a guest makes under such a name, where the user has nothing of it, is work like any other.
    void newWorkOfSuchANameIsReviewed() {
        SecretWorld w;
        w.claim(ChangeKind::Created, "fresh", EntryType::Directory);
        w.content(ChangeKind::Created, "fresh/.env", "PORT=80\n");
        w.claim(ChangeKind::Created, ".kube", EntryType::Directory);
        w.content(ChangeKind::Created, ".kube/config", "x\n");
        auto review = w.review();
        const auto set = w.freezeHidden(*review);
        QVERIFY(set && set->entries.size() == 4);
        const auto applied = review->apply(w.root.get(), set->id, everything(*set));
        QVERIFY(applied);
        QVERIFY2(applied->complete(), describe(*applied).c_str());
        QCOMPARE(slurp(w.at("fresh/.env")), std::string("PORT=80\n"));
    }
};

QTEST_GUILESS_MAIN(TestHidden)
#include "test_hidden.moc"
