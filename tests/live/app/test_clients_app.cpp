// SPDX-License-Identifier: Apache-2.0
// What an agent fetches by: git, pip, apt and npm as they are, in a machine without a network device, in ask mode. The hosts are a test's own
// and known to the machine as those of the world are: by a certificate of an authority that it trusts.
#include "tests/live/app/chain_checks.h"
#include "tests/live/app/played_sites.h"
#include "tests/live/app/proxied_world.h"

#include <QCryptographicHash>
#include <QJsonArray>
#include <QStandardPaths>
#include <QTest>

#include <algorithm>

using namespace carrel::live;

namespace {

const QString kAgent = "ann";

bool runs(const QString& program, const QStringList& arguments, const std::filesystem::path& in) {
    QProcess process;
    process.setWorkingDirectory(QString::fromStdString(in.string()));
    process.start(program, arguments);
    const bool good = process.waitForFinished(kGuardMs) && process.exitStatus() == QProcess::NormalExit && process.exitCode() == 0;
    if (!good) {
        qWarning("%s", (process.readAllStandardOutput() + process.readAllStandardError()).constData());
    }
    return good;
}

} // namespace

class TestClientsApp : public QObject {
    Q_OBJECT
private slots:
    void initTestCase();
    void cleanupTestCase();
    void gitClones();
    void pipInstalls();
    void aptInstalls();
    void npmInstalls();
    void aHandfulOfPromptsInAll();
    void whatIsReadFromTakesNoPush();

private:
    [[nodiscard]] bool putUpGit();
    [[nodiscard]] bool putUpPackages();
    [[nodiscard]] bool putUpNpm();
    // Runs it, and allows each destination that is asked about for the rest of the session.
    [[nodiscard]] Ran asking(const QString& script);

    PlayedProxy m_proxy;
    std::unique_ptr<ChainWorld> m_world;
    QStringList m_prompts; // what the owner was shown
};

bool TestClientsApp::putUpGit() {
    const auto at = m_world->folder() / "git";
    std::filesystem::create_directories(at / "work");
    writeFile(at / "work/paper.txt", "a first draft\n");
    const QStringList who{"-c", "user.name=Ada", "-c", "user.email=ada@example.org"};
    m_proxy.putUp("git.example.org:443", repositoriesOf(at));
    return runs("git", {"init", "-q", "-b", "main", "work"}, at) && runs("git", {"add", "."}, at / "work") &&
           runs("git", who + QStringList{"commit", "-qm", "A draft"}, at / "work") && runs("git", {"clone", "-q", "--bare", "work", "papers.git"}, at);
}

bool TestClientsApp::putUpPackages() {
    const auto at = m_world->folder() / "web";
    std::filesystem::create_directories(at / "simple/leaf");
    std::filesystem::create_directories(at / "files");
    // A wheel is a zip with a list of what is in it (PEP 427).
    writeFile(at / "wheel.py", R"(
import zipfile
name = "leaf-1.0.dist-info/"
with zipfile.ZipFile("files/leaf-1.0-py3-none-any.whl", "w") as wheel:
    wheel.writestr("leaf.py", "print('a leaf')\n")
    wheel.writestr(name + "METADATA", "Metadata-Version: 2.1\nName: leaf\nVersion: 1.0\n")
    wheel.writestr(name + "WHEEL", "Wheel-Version: 1.0\nGenerator: a test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
    wheel.writestr(name + "RECORD", "leaf.py,,\n" + "".join(name + each + ",,\n" for each in ("METADATA", "WHEEL", "RECORD")))
)");
    writeFile(at / "simple/leaf/index.html", "<a href=\"https://files.example.org/files/leaf-1.0-py3-none-any.whl\">leaf-1.0-py3-none-any.whl</a>\n");
    m_proxy.putUp("pypi.example.org:443", filesOf(at));
    m_proxy.putUp("files.example.org:443", filesOf(at));
    // A repository of Debian's kind with one package.
    std::filesystem::create_directories(at / "debian/leaf/DEBIAN");
    std::filesystem::create_directories(at / "debian/leaf/usr/share/leaf");
    writeFile(at / "debian/leaf/DEBIAN/control", "Package: leaf\nVersion: 1.0\nArchitecture: all\nMaintainer: Ada <ada@example.org>\nDescription: a leaf\n");
    writeFile(at / "debian/leaf/usr/share/leaf/leaf.txt", "a leaf of Debian's\n");
    m_proxy.putUp("deb.example.org:80", filesOf(at / "debian"));
    return runs("python3", {"wheel.py"}, at) && runs("dpkg-deb", {"--root-owner-group", "--build", "leaf", "leaf_1.0_all.deb"}, at / "debian") &&
           runs("sh", {"-c", "dpkg-scanpackages -m . > Packages"}, at / "debian");
}

// A registry with one package, and this computer's own Node.js and npm for the machine, whose image has none.
bool TestClientsApp::putUpNpm() {
    const auto node = std::filesystem::path(QStandardPaths::findExecutable("node").toStdString());
    const auto npm = std::filesystem::path(QStandardPaths::findExecutable("npm").toStdString());
    if (node.empty() || npm.empty()) {
        return false;
    }
    const auto at = m_world->folder() / "npm";
    std::filesystem::create_directories(at / "tools");
    std::filesystem::create_directories(at / "web/files");
    std::filesystem::create_directories(at / "package");
    std::filesystem::copy(std::filesystem::canonical(node), at / "tools/node");
    const auto program = std::filesystem::canonical(npm).parent_path().parent_path(); // …/npm/bin/npm-cli.js
    std::filesystem::copy(program, at / "tools/npm", std::filesystem::copy_options::recursive | std::filesystem::copy_options::copy_symlinks);
    writeFile(at / "package/package.json", R"({"name": "leaf", "version": "1.0.0", "main": "leaf.js"})");
    writeFile(at / "package/leaf.js", "console.log('a leaf for Node.js')\n");
    if (!runs("tar", {"-czf", "web/files/leaf-1.0.0.tgz", "package"}, at)) {
        return false;
    }
    const auto packed = readFile(at / "web/files/leaf-1.0.0.tgz");
    const auto sum = QCryptographicHash::hash(QByteArray::fromStdString(packed), QCryptographicHash::Sha512).toBase64().toStdString();
    writeFile(at / "web/leaf", R"({"name": "leaf", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": {"name": "leaf", "version": "1.0.0",
        "main": "leaf.js", "dist": {"tarball": "https://npm.example.org/files/leaf-1.0.0.tgz", "integrity": "sha512-)" + sum + R"("}}}})");
    m_proxy.putUp("npm.example.org:443", filesOf(at / "web"));
    return true;
}

Ran TestClientsApp::asking(const QString& script) {
    auto process = m_world->begin({"exec", kAgent, "--", "sh", "-c", script});
    while (process->state() != QProcess::NotRunning) {
        for (const auto& each : m_world->ask({"approvals"}).value("approvals").toArray()) {
            const auto request = each.toObject();
            if (request.value("state").toString() == "open") {
                const auto id = QString::number(request.value("id").toInt());
                m_prompts << QString::fromUtf8(m_world->carrel({"show", id}).out);
                (void)m_world->carrel({"allow", id, "--scope", "session", "--yes"});
            }
        }
        (void)process->waitForFinished(200); // the guard is the test's own
    }
    return finish(*process);
}

void TestClientsApp::initTestCase() {
    if (const auto why = ChainWorld::whyNot(); !why.isEmpty()) {
        QSKIP(qPrintable(why));
    }
    QVERIFY(m_proxy.valid());
    m_world = worldBehind(m_proxy, kAgent);
    QVERIFY(m_world->prepare());
    QVERIFY(putUpGit());
    QVERIFY(putUpPackages());
    QSTATUS(m_world->carrel({"create", kAgent, "--memory", "768"}), 0);
    QSTATUS(m_world->carrel({"start", kAgent}), 0);
    QSTATUS(m_world->carrel({"net", "mode", kAgent, "ask"}), 0);
    const auto trust = "cat > /usr/local/share/ca-certificates/world.crt <<'END'\n" + QString::fromStdString(m_proxy.authorityPem()) + "END\nupdate-ca-certificates";
    QSTATUS(m_world->shell(trust), 0);
}

void TestClientsApp::cleanupTestCase() {
    if (m_world) {
        const auto left = m_world->end();
        QVERIFY2(left.isEmpty(), qPrintable(left));
    }
}

void TestClientsApp::gitClones() {
    QSTATUS(asking("git clone -q https://git.example.org/papers.git /root/papers"), 0);
    QCOMPARE(m_world->shell("cat /root/papers/paper.txt").out, "a first draft\n");
}

void TestClientsApp::pipInstalls() {
    QSTATUS(asking("python3 -m venv /root/venv && /root/venv/bin/pip install -q --index-url https://pypi.example.org/simple leaf"), 0);
    QCOMPARE(m_world->shell("/root/venv/bin/python -c 'import leaf'").out, "a leaf\n");
}

void TestClientsApp::aptInstalls() {
    QSTATUS(asking("rm -f /etc/apt/sources.list /etc/apt/sources.list.d/* && echo 'deb [trusted=yes] http://deb.example.org ./' > /etc/apt/sources.list && "
                   "apt-get -q update && apt-get -q install -y leaf"), 0);
    QCOMPARE(m_world->shell("cat /usr/share/leaf/leaf.txt").out, "a leaf of Debian's\n");
}

void TestClientsApp::npmInstalls() {
    if (!putUpNpm()) {
        QSKIP("this computer has no Node.js with npm that could be lent to the machine");
    }
    QSTATUS(m_world->carrel({"share", "add", kAgent, QString::fromStdString((m_world->folder() / "npm/tools").string()) + ":read-only"}), 0);
    if (m_world->shell("/workspace/tools/node --version").status != 0) {
        QSKIP("this computer's Node.js does not run in the machine: it needs libraries that are not there");
    }
    // Node.js knows the world's authorities by itself; the test's own it has to be told.
    // The registry is its only one: it asks there whether there is a newer npm, too.
    const QString npm = "NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt NPM_CONFIG_REGISTRY=https://npm.example.org/ /workspace/tools/node /workspace/tools/npm/bin/npm-cli.js";
    QSTATUS(asking("mkdir /root/project && cd /root/project && " + npm + " init -y && " + npm + " install leaf"), 0);
    QCOMPARE(m_world->shell("cd /root/project && /workspace/tools/node -e 'require(\"leaf\")'").out, "a leaf for Node.js\n");
    const auto asked = std::ranges::count_if(m_prompts, [](const QString& each) { return each.contains("npm.example.org"); });
    QVERIFY2(asked == 1, qPrintable(m_prompts.join("\n---\n")));
    m_prompts.removeIf([](const QString& each) { return each.contains("npm.example.org"); }); // counted
}

void TestClientsApp::aHandfulOfPromptsInAll() {
    QStringList destinations;
    for (const auto& each : m_prompts) {
        destinations << each.section('\n', 3, 3).simplified();
    }
    QVERIFY2(m_prompts.size() == 4, qPrintable(destinations.join(", ")));
    for (const char* host : {"git.example.org", "pypi.example.org", "files.example.org", "deb.example.org"}) {
        QVERIFY2(std::ranges::count_if(m_prompts, [&](const QString& each) { return each.contains(host); }) == 1, host);
    }
}

// What the preset for source hosting says of a host, and somebody's token that may write there.
void TestClientsApp::whatIsReadFromTakesNoPush() {
    QSTATUS(m_world->carrel({"net", "mode", kAgent, "allowlist"}), 0);
    m_proxy.putUp("code.example.org:443", repositoriesOf(m_world->folder() / "git"));
    const auto allow = [&](const QStringList& fields) {
        return m_world->ask(QStringList{"rules", "add", "--allow", "--agent", kAgent, "--yes", "--action", "network", "--field", "host=code.example.org", "--field",
                                        "port=443"} + fields).contains("rule");
    };
    QVERIFY(allow({"--field", "method=GET", "--field", "method=HEAD"}));
    QVERIFY(allow({"--field", "method=POST", "--field", "path=/**/git-upload-pack"}));
    QSTATUS(m_world->shell("git clone -q https://code.example.org/papers.git /root/code"), 0);
    const auto push = m_world->shell("cd /root/code && echo secrets > stolen.txt && git add . && git -c user.name=n -c user.email=n@localhost commit -qm stolen && "
                                     "git push -q origin HEAD:taken");
    QVERIFY2(push.status != 0 && push.all().contains("403"), push.all().constData());
    for (const auto& request : m_proxy.requests()) {
        QVERIFY(!request.starts_with("code.example.org:443\nPOST /papers.git/git-receive-pack"));
    }
    QVERIFY(!std::filesystem::exists(m_world->folder() / "git/papers.git/refs/heads/taken"));
}

QTEST_GUILESS_MAIN(TestClientsApp)
#include "test_clients_app.moc"
