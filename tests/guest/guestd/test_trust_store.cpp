// SPDX-License-Identifier: Apache-2.0
// The authority's certificate in a store of certificates, as the agent may have left that, and what programs are told of it.
#include "guest/guestd/trust_store.h"
#include "guest/guestd/trust_variables.h"
#include "tests/support/authority_certificates.h"

#include <QTemporaryDir>
#include <QTest>

#include <filesystem>
#include <fstream>
#include <set>
#include <sys/stat.h>
#include <unistd.h>

using namespace carrel;
using namespace carrel::guestd;
using namespace carrel::test;
namespace fs = std::filesystem;

namespace {

const std::string kOther = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
const std::string kAnother = "-----BEGIN CERTIFICATE-----\nBBBB\n-----END CERTIFICATE-----\n";

AuthorityCertificate adas() {
    return authorityOfAda();
}
AuthorityCertificate bobs() {
    return authorityOfBob();
}

std::size_t count(const std::string& text, const std::string& what) {
    std::size_t found = 0;
    for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) {
        ++found;
    }
    return found;
}

// A root of its own, with the paths of an agent's beneath it.
struct Root {
    QTemporaryDir dir;
    fs::path top = dir.path().toStdString();
    fs::path file = top / "usr/local/share/ca-certificates/carrel-agent.crt";
    fs::path folder = top / "etc/ssl/certs";
    fs::path bundle = folder / "ca-certificates.crt";

    [[nodiscard]] Result<TrustStore> keep(const AuthorityCertificate& authority = adas()) const { return keepAuthority(top.string(), authority); }
    void write(const fs::path& path, const std::string& text) const {
        fs::create_directories(path.parent_path());
        std::ofstream(path, std::ios::binary) << text;
    }
    static std::string read(const fs::path& path) {
        std::ifstream in(path, std::ios::binary);
        return {std::istreambuf_iterator<char>(in), {}};
    }
    [[nodiscard]] std::string target(const std::string& name) const {
        std::error_code none;
        return fs::read_symlink(folder / name, none).string();
    }
    [[nodiscard]] std::set<std::string> names() const {
        std::set<std::string> out;
        for (const auto& each : fs::directory_iterator(folder)) {
            out.insert(each.path().filename().string());
        }
        return out;
    }
};

std::string whyNot(const Result<TrustStore>& kept) {
    return kept ? std::string() : kept.error().text();
}

} // namespace

class TestTrustStore : public QObject {
    Q_OBJECT
private slots:
    void besideThoseOfThePackage() {
        Root root;
        root.write(root.bundle, kOther + kAnother);
        const auto kept = root.keep();
        QVERIFY2(kept, whyNot(kept).c_str());
        QVERIFY(*kept == TrustStore::Whole);
        QCOMPARE(Root::read(root.bundle), kOther + kAnother + adas().pem);
        QCOMPARE(Root::read(root.file), adas().pem);
        QCOMPARE(root.target("carrel-agent.pem"), std::string(kAuthorityFile));
        QCOMPARE(root.target("3a5a69f0.0"), std::string("carrel-agent.pem"));
        for (const auto& path : {root.bundle, root.file}) {
            QCOMPARE(fs::status(path).permissions(), fs::perms(0644));
        }
        const std::set<std::string> all{"3a5a69f0.0", "ca-certificates.crt", "carrel-agent.pem"};
        QVERIFY(root.names() == all); // nothing was left behind
    }
    void withoutThePackage() {
        Root root;
        const auto kept = root.keep();
        QVERIFY2(kept, whyNot(kept).c_str());
        QVERIFY(*kept == TrustStore::Alone);
        QCOMPARE(Root::read(root.bundle), adas().pem);
        QCOMPARE(Root::read(root.file), adas().pem);
        QCOMPARE(fs::status(root.folder).permissions(), fs::perms(0755));
    }
    // Nothing that is right is written again: the files stay the very same ones.
    void onceOverRestarts() {
        Root root;
        root.write(root.bundle, kOther);
        QVERIFY(root.keep());
        struct stat bundle {}, file {};
        QVERIFY(::stat(root.bundle.c_str(), &bundle) == 0 && ::stat(root.file.c_str(), &file) == 0);
        const auto text = Root::read(root.bundle);
        const auto names = root.names();
        for (int times = 0; times < 3; ++times) {
            const auto kept = root.keep();
            QVERIFY(kept && *kept == TrustStore::Whole);
        }
        struct stat bundleNow {}, fileNow {};
        QVERIFY(::stat(root.bundle.c_str(), &bundleNow) == 0 && ::stat(root.file.c_str(), &fileNow) == 0);
        QVERIFY(bundle.st_ino == bundleNow.st_ino && file.st_ino == fileNow.st_ino);
        QCOMPARE(Root::read(root.bundle), text);
        QVERIFY(root.names() == names);
    }
    void anotherOneTakesItsPlace() {
        Root root;
        root.write(root.bundle, kOther);
        QVERIFY(root.keep(adas()));
        root.write(root.bundle, Root::read(root.bundle) + kAnother); // the agent's own, behind it
        QVERIFY(root.keep(bobs()));
        QCOMPARE(Root::read(root.bundle), kOther + kAnother + bobs().pem);
        QCOMPARE(Root::read(root.file), bobs().pem);
        QCOMPARE(root.target("3cd76ec3.0"), std::string("carrel-agent.pem"));
        // And where it was cut off between the two files.
        root.write(root.file, adas().pem);
        QVERIFY(root.keep(bobs()));
        QCOMPARE(Root::read(root.bundle), kOther + kAnother + bobs().pem);
        QCOMPARE(Root::read(root.file), bobs().pem);
    }
    void whatTheAgentTookOutComesBack() {
        Root root;
        root.write(root.bundle, kOther);
        QVERIFY(root.keep());
        fs::remove(root.file);
        fs::remove(root.folder / "carrel-agent.pem");
        fs::remove(root.folder / "3a5a69f0.0");
        root.write(root.bundle, kOther);
        QVERIFY(root.keep());
        QCOMPARE(Root::read(root.bundle), kOther + adas().pem);
        QCOMPARE(Root::read(root.file), adas().pem);
        QVERIFY(fs::is_symlink(root.folder / "carrel-agent.pem") && fs::is_symlink(root.folder / "3a5a69f0.0"));
    }
    // OpenSSL counts up from 0.
    void othersOfThatHash() {
        Root root;
        root.write(root.folder / "3a5a69f0.0", kOther);
        fs::create_symlink("another.pem", root.folder / "3a5a69f0.1");
        QVERIFY(root.keep());
        QVERIFY(root.keep());
        QCOMPARE(root.target("3a5a69f0.2"), std::string("carrel-agent.pem"));
        QCOMPARE(Root::read(root.folder / "3a5a69f0.0"), kOther);
        QCOMPARE(root.target("3a5a69f0.1"), std::string("another.pem"));
        QVERIFY(!fs::is_symlink(root.folder / "3a5a69f0.3"));
    }
    void aLinkThatLeadsElsewhere() {
        Root root;
        root.write(root.folder / "carrel-agent.pem", kOther);
        QVERIFY(root.keep());
        QCOMPARE(root.target("carrel-agent.pem"), std::string(kAuthorityFile));
    }
    void whatIsLeftOfACutOffAttempt() {
        Root root;
        root.write(root.folder / "ca-certificates.crt.carrel", "half");
        root.write(root.bundle, kOther);
        QVERIFY(root.keep());
        QCOMPARE(Root::read(root.bundle), kOther + adas().pem);
        QVERIFY(!fs::exists(root.folder / "ca-certificates.crt.carrel"));
    }
    // The root is the agent's: its links lead nowhere else.
    void noWayOut() {
        Root root;
        QTemporaryDir outside;
        const fs::path away = outside.path().toStdString();
        root.write(away / "kept", kOther);
        fs::create_directories(root.top / "etc/ssl");
        fs::create_directory_symlink(away, root.top / "etc/ssl/certs");
        fs::create_directories(root.top / "usr/local/share");
        fs::create_directory_symlink("../../../../../../../../../../.." + away.string(), root.top / "usr/local/share/ca-certificates");
        const auto kept = root.keep();
        QVERIFY(!kept && kept.error().sysErrno != 0);
        QCOMPARE(std::distance(fs::directory_iterator(away), fs::directory_iterator()), std::ptrdiff_t{1});
        // A bundle that is a link is read through it, within the root, and is a file from then on.
        Root linked;
        linked.write(linked.top / "srv/roots.pem", kOther);
        fs::create_directories(linked.folder);
        fs::create_symlink("/srv/roots.pem", linked.bundle);
        QVERIFY(linked.keep());
        QCOMPARE(Root::read(linked.bundle), kOther + adas().pem);
        QCOMPARE(Root::read(linked.top / "srv/roots.pem"), kOther);
        // A link out of it is one into it.
        Root out;
        fs::create_directories(out.folder);
        fs::create_symlink(away / "kept", out.bundle);
        QVERIFY(out.keep());
        QCOMPARE(Root::read(out.bundle), adas().pem);
        QCOMPARE(Root::read(away / "kept"), kOther);
    }
    // What is in its way is told, nobody waits for it, and the rest is done.
    void whatIsInTheWay_data() {
        QTest::addColumn<QByteArray>("place");
        QTest::addColumn<QByteArray>("what");
        QTest::addColumn<QByteArray>("step");
        QTest::newRow("a pipe for a bundle") << QByteArray("etc/ssl/certs/ca-certificates.crt") << QByteArray("pipe") << QByteArray("ca-certificates.crt");
        QTest::newRow("a folder for a bundle") << QByteArray("etc/ssl/certs/ca-certificates.crt") << QByteArray("folder") << QByteArray("ca-certificates.crt");
        QTest::newRow("a bundle beyond bounds") << QByteArray("etc/ssl/certs/ca-certificates.crt") << QByteArray("huge") << QByteArray("ca-certificates.crt");
        QTest::newRow("a folder for a certificate")
            << QByteArray("usr/local/share/ca-certificates/carrel-agent.crt") << QByteArray("folder") << QByteArray("writing the certificate");
        QTest::newRow("a pipe for a certificate") << QByteArray("usr/local/share/ca-certificates/carrel-agent.crt") << QByteArray("pipe") << QByteArray();
        QTest::newRow("a folder for a link") << QByteArray("etc/ssl/certs/carrel-agent.pem") << QByteArray("folder") << QByteArray("linking");
        QTest::newRow("a file for a folder") << QByteArray("etc/ssl") << QByteArray("file") << QByteArray("/etc/ssl/certs");
    }
    void whatIsInTheWay() {
        QFETCH(QByteArray, place);
        QFETCH(QByteArray, what);
        QFETCH(QByteArray, step);
        Root root;
        const auto path = root.top / place.toStdString();
        fs::create_directories(path.parent_path());
        if (what == "pipe") {
            QCOMPARE(::mkfifo(path.c_str(), 0600), 0);
        } else if (what == "folder") {
            fs::create_directories(path / "full");
        } else {
            root.write(path, "");
            fs::resize_file(path, what == "huge" ? std::uintmax_t{64} << 20U : 0);
        }
        const auto kept = root.keep();
        if (step.isEmpty()) { // replaced without being read
            QVERIFY2(kept, whyNot(kept).c_str());
            QCOMPARE(Root::read(root.file), adas().pem);
            return;
        }
        QVERIFY(!kept && kept.error().sysErrno != 0);
        QVERIFY2(kept.error().message.find(step.toStdString()) != std::string::npos, whyNot(kept).c_str());
        if (place != "etc/ssl") {
            QCOMPARE(fs::is_regular_file(root.file), place != "usr/local/share/ca-certificates/carrel-agent.crt");
            QCOMPARE(fs::is_regular_file(root.bundle), place != "etc/ssl/certs/ca-certificates.crt" || what == "huge");
        }
        QVERIFY(!fs::exists(root.folder / "ca-certificates.crt.carrel") && !fs::exists(root.file.string() + ".carrel"));
    }

    void bundles_data() {
        QTest::addColumn<QByteArray>("before");
        QTest::addColumn<QByteArray>("after");
        QTest::addColumn<int>("others");
        const auto ours = adas().pem;
        const auto windows = QByteArray::fromStdString(ours).replace("\n", "\r\n").toStdString();
        const auto row = [](const char* name, const std::string& before, const std::string& after, int others) {
            QTest::newRow(name) << QByteArray::fromStdString(before) << QByteArray::fromStdString(after) << others;
        };
        row("none", "", ours, 0);
        row("it alone", ours, ours, 0);
        row("it behind another", kOther + ours, kOther + ours, 1);
        row("it before another", ours + kOther, ours + kOther, 1);
        row("it twice", ours + kOther + ours, ours + kOther, 1);
        row("it four times", ours + ours + kOther + ours + ours, ours + kOther, 1);
        row("the former", bobs().pem, ours, 0);
        row("the former among others", kOther + bobs().pem + kAnother, kOther + kAnother + ours, 2);
        row("both", bobs().pem + kOther + ours + bobs().pem, kOther + ours, 1);
        row("others twice stay", kOther + kOther, kOther + kOther + ours, 2);
        row("words between them", "# one\n" + kOther + "\n# ours\n" + ours + "# two\n", "# one\n" + kOther + "\n# ours\n" + ours + "# two\n", 1);
        row("no newline at the end", kOther.substr(0, kOther.size() - 1), kOther + ours, 1);
        row("it without a newline", kOther + ours.substr(0, ours.size() - 1), kOther + ours.substr(0, ours.size() - 1), 1);
        row("it in lines of Windows", windows, windows, 0);
        row("one that does not end", kOther + "-----BEGIN CERTIFICATE-----\nCC", kOther + "-----BEGIN CERTIFICATE-----\nCC\n" + ours, 1);
        row("one that does not end, before it", "-----BEGIN CERTIFICATE-----\nCC\n" + ours, "-----BEGIN CERTIFICATE-----\nCC\n" + ours, 0);
        row("an end alone", "-----END CERTIFICATE-----\n" + ours, "-----END CERTIFICATE-----\n" + ours, 0);
        row("other kinds", "-----BEGIN TRUSTED CERTIFICATE-----\nDD\n-----END TRUSTED CERTIFICATE-----\n",
            "-----BEGIN TRUSTED CERTIFICATE-----\nDD\n-----END TRUSTED CERTIFICATE-----\n" + ours, 0);
        row("any bytes", std::string("\0\xff\n\x80", 4), std::string("\0\xff\n\x80\n", 5) + ours, 0);
    }
    void bundles() {
        QFETCH(QByteArray, before);
        QFETCH(QByteArray, after);
        QFETCH(int, others);
        const auto first = bundleWith(before.toStdString(), adas().pem, bobs().pem);
        QCOMPARE(QByteArray::fromStdString(first.text), after);
        QCOMPARE(static_cast<int>(first.others), others);
        const auto second = bundleWith(first.text, adas().pem, bobs().pem);
        QCOMPARE(second.text, first.text);
        QCOMPARE(count(QByteArray::fromStdString(first.text).replace("\r", "").toStdString(), adas().pem.substr(0, adas().pem.size() - 1)), std::size_t{1});
    }

    void variables() {
        QVERIFY(trustVariables(TrustStore::None).empty());
        const auto all = trustVariables(TrustStore::Whole);
        QCOMPARE(all.size(), allTrustVariables().size());
        QCOMPARE(all.at("NODE_EXTRA_CA_CERTS"), std::string("/usr/local/share/ca-certificates/carrel-agent.crt"));
        QCOMPARE(all.at("REQUESTS_CA_BUNDLE"), std::string("/etc/ssl/certs/ca-certificates.crt"));
        QCOMPARE(all.at("SSL_CERT_DIR"), std::string("/etc/ssl/certs"));
        // Where nothing else is in the store, what stands in the place of a program's own roots would take them all away.
        for (const auto& [name, value] : trustVariables(TrustStore::Alone)) {
            QCOMPARE(value, std::string(kAuthorityFile));
            QCOMPARE(all.at(name), value);
        }
        for (const auto& each : allTrustVariables()) {
            QVERIFY(*each.why != '\0');
            QCOMPARE(trustVariables(TrustStore::Alone).contains(each.name), each.effect == TrustVariable::Effect::Adds);
        }
    }
};

QTEST_APPLESS_MAIN(TestTrustStore)
#include "test_trust_store.moc"
