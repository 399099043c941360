// SPDX-License-Identifier: Apache-2.0
// Where only what is listed runs, in a real machine: what dpkg installs of a package that is in a signed index is told to the host, and
// runs when that has sent it back; what is in none is asked about as before. And who makes code may when it is listed as such.
#include "guest/protocol/ask.h"
#include "guest/protocol/control.h"
#include "tests/guest/packages/signed_repository.h"
#include "tests/live/guest/bpf/gate_rig.h"

#include <QFileInfo>
#include <QTest>
#include <boost/json.hpp>

using namespace carrel;
using namespace carrel::test;
namespace json = boost::json;

class TestExecInstalledLive : public QObject {
    Q_OBJECT

private slots:
    void initTestCase();
    void whatIsSignedRunsOnceTheHostHasIt();
    void whatIsAboutToBeInstalledIsLookedAtBefore();
    void whatIsInNoIndexIsAskedAbout();
    void gitCompilesPatternsWhereItMayMakeCode();

private:
    [[nodiscard]] bool put(const QString& from, const QByteArray& to) {
        return m_rig.run({"sh", "-c", "cat > " + to.toStdString()}, test::readAll(from)).end.contains("\"code\":0");
    }
    // The next that is one of these.
    [[nodiscard]] std::optional<RpcRequest> asked();
    [[nodiscard]] bool answer(std::uint64_t id, std::uint64_t number, std::string_view state) {
        const json::value result{{"id", number}, {"state", state}, {"words", ""}};
        return m_rig.control().mux().sendMessage(control::kRpcStream, asBytes(toText(RpcResponse{id, result}))).has_value();
    }

    SignedRepository m_archive;
    GateRig m_rig;
    GateRig::Policy m_policy;
    std::uint64_t m_lastAsked = 0;
};

void TestExecInstalledLive::initTestCase() {
    const auto none = m_archive.make();
    if (none.endsWith("not installed")) {
        QSKIP(qPrintable(none));
    }
    QVERIFY2(none.isEmpty(), qPrintable(none));
    m_rig.bringKeyring(m_archive.folder() + "/keyring.gpg");
    const QString problem = m_rig.prepare();
    if (problem.contains(QStringLiteral("CARREL_TEST_IMAGE"))) {
        QSKIP(qPrintable(problem));
    }
    QVERIFY2(problem.isEmpty(), qPrintable(problem));
    const QByteArray list = m_rig.sh("find /usr /var/lib/dpkg -xdev -type f '(' -perm /111 -o -name '*.so*' ')' -print0 | xargs -0 sha256sum -b | cut -c-64");
    m_policy.mode = "allow";
    m_policy.unknown = "ask";
    for (const auto& hash : list.split('\n')) {
        QCOMPARE(hash.size(), 64);
        m_policy.allow.push_back(hash);
    }
    QVERIFY(put(m_archive.list(), "/var/lib/apt/lists/" + QFileInfo(m_archive.list()).fileName().toUtf8()));
    QVERIFY(put(m_archive.index(), "/var/lib/apt/lists/" + QFileInfo(m_archive.index()).fileName().toUtf8()));
    QVERIFY(put(m_archive.deb(), "/var/cache/apt/archives/tool.deb"));
    QVERIFY(m_rig.setPolicy(m_policy));
}

std::optional<RpcRequest> TestExecInstalledLive::asked() {
    std::optional<RpcRequest> found;
    const bool came = m_rig.until([&] {
        for (const auto& message : m_rig.control().streams[control::kRpcStream].messages) {
            const auto parsed = parseRpc(message.toStdString());
            const auto* request = parsed ? std::get_if<RpcRequest>(&*parsed) : nullptr;
            if (request != nullptr && request->id && *request->id > m_lastAsked && request->method.starts_with("ask.")) {
                found = *request;
                m_lastAsked = *request->id;
                return true;
            }
        }
        return false;
    });
    return came ? found : std::nullopt;
}

void TestExecInstalledLive::whatIsSignedRunsOnceTheHostHasIt() {
    const auto first = m_rig.sh("dpkg -i /var/cache/apt/archives/tool.deb; /usr/bin/tool"); // its own script is unknown, too
    QVERIFY2(first.contains("ermission denied"), first.constData());
    const auto question = asked();
    QVERIFY(question.has_value());
    QCOMPARE(QByteArray::fromStdString(question->method), QByteArray("ask.installed"));
    const auto read = ask::questionFrom(question->method, question->params);
    QVERIFY2(read.has_value(), read ? "" : read.error().text().c_str());
    const auto& installed = std::get<ask::Installed>(*read);
    QVERIFY(installed.last && installed.packages.size() == 1);
    QVERIFY(installed.packages[0].name == "tool" && installed.packages[0].version == "1.0-1");
    QList<QByteArray> hashes;
    for (const auto& each : installed.packages[0].programs) {
        hashes << QByteArray::fromStdString(each.sha256);
        m_policy.allow.push_back(hashes.back());
    }
    std::sort(hashes.begin(), hashes.end());
    QCOMPARE(hashes, m_archive.programsOf(m_archive.deb()));
    QVERIFY2(m_rig.sh("/usr/bin/tool").contains("ermission denied"), "nothing counts by guestd's word alone");
    QVERIFY(m_rig.setPolicy(m_policy));
    QVERIFY(answer(*question->id, 0, "allowed"));
    const auto configured = m_rig.sh("dpkg --configure -a && /usr/bin/tool && dpkg-query -W -f '${Status}' tool");
    QVERIFY2(configured.endsWith("1.0-1\ninstall ok installed"), configured.constData());
}

// As apt of an image does (guest/image/prepare-tree.sh): then the package's own script runs at once, too.
void TestExecInstalledLive::whatIsAboutToBeInstalledIsLookedAtBefore() {
    QVERIFY(m_archive.addPackage("second", "2") && m_archive.refresh());
    QVERIFY(put(m_archive.list(), "/var/lib/apt/lists/" + QFileInfo(m_archive.list()).fileName().toUtf8()));
    QVERIFY(put(m_archive.index(), "/var/lib/apt/lists/" + QFileInfo(m_archive.index()).fileName().toUtf8()));
    QVERIFY(put(m_archive.deb("second"), "/var/cache/apt/archives/second.deb"));
    QCOMPARE(m_rig.sh("mkfifo /tmp/looked; setsid sh -c 'carrel-ask packages; echo $? > /tmp/looked' < /dev/null > /dev/null 2>&1 & echo asks"), QByteArray("asks"));
    const auto question = asked();
    QVERIFY(question.has_value());
    const auto read = ask::questionFrom(question->method, question->params);
    QVERIFY2(read.has_value(), read ? "" : read.error().text().c_str());
    const auto* installed = std::get_if<ask::Installed>(&*read);
    QVERIFY(installed != nullptr && installed->packages.size() == 1 && installed->packages[0].name == "second");
    for (const auto& each : installed->packages[0].programs) {
        m_policy.allow.push_back(QByteArray::fromStdString(each.sha256));
    }
    QVERIFY(m_rig.setPolicy(m_policy));
    QVERIFY(answer(*question->id, 0, "allowed"));
    QCOMPARE(m_rig.sh("cat /tmp/looked"), QByteArray("0"));
    const auto said = m_rig.sh("rm -f /usr/bin/same /usr/bin/empty /usr/lib/lib.so; dpkg -i --force-overwrite /var/cache/apt/archives/second.deb && /usr/bin/second");
    QVERIFY2(said.endsWith("\n2") && !said.contains("ermission denied"), said.constData());
}

void TestExecInstalledLive::whatIsInNoIndexIsAskedAbout() {
    QVERIFY(m_archive.addPackage("stranger", "1"));
    QVERIFY(put(m_archive.deb("stranger"), "/var/cache/apt/archives/stranger.deb"));
    const auto said = m_rig.sh("dpkg-deb -x /var/cache/apt/archives/stranger.deb /root/s && /root/s/usr/bin/stranger");
    QVERIFY2(said.contains("ermission denied"), said.constData());
    const auto question = asked();
    QVERIFY(question.has_value());
    QCOMPARE(QByteArray::fromStdString(question->method), QByteArray("ask.program"));
    QVERIFY(question->params.at("path") == json::value("/root/s/usr/bin/stranger"));
    QVERIFY(answer(*question->id, 0, "denied"));
}

// As guest/image/makes-code.list has it.
void TestExecInstalledLive::gitCompilesPatternsWhereItMayMakeCode() {
    QCOMPARE(m_rig.sh("rm -rf /tmp/g && git init -q /tmp/g && cd /tmp/g && echo abc > x && git add x && echo there"), QByteArray("there"));
    const QByteArray line = "cd /tmp/g && git grep -P 'a.c'";
    const auto without = m_rig.sh(line);
    QVERIFY2(without.contains("JIT"), without.constData());
    auto policy = m_policy;
    policy.code = {m_rig.hashOf("/usr/bin/git")};
    QVERIFY(m_rig.setPolicy(policy));
    QCOMPARE(m_rig.sh(line), QByteArray("x:abc"));
}

QTEST_GUILESS_MAIN(TestExecInstalledLive)
#include "test_exec_installed_live.moc"
