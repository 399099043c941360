// SPDX-License-Identifier: Apache-2.0
#include "app/agents/agent_record.h"

#include <QFile>
#include <QTemporaryDir>
#include <QTest>

using namespace carrel;
using namespace carrel::agents;

class TestAgentRecord : public QObject {
    Q_OBJECT
private slots:
    void comesBackAsItWas();
    void comesBackWithTheLongestNames();
    void laterVersionIsRefused();
    void damageIsRefused();
    void oneFromBeforeHasNoNetwork();
    void names();
    void shareNames();

private:
    [[nodiscard]] static AgentRecord sample();
    QTemporaryDir m_folder;
    const std::filesystem::path m_file = m_folder.filePath("agent.json").toStdString();
};

AgentRecord TestAgentRecord::sample() {
    AgentRecord record;
    record.id = "0123456789abcdef";
    record.name = "clerk";
    record.memoryMib = 2048;
    record.cpus = 3;
    record.image = std::string(64, 'c');
    record.createdMs = 1'700'000'000'123;
    record.nextShareId = 9;
    record.running = true;
    record.unclean = true;
    record.accelerator = "hardware";
    record.network = egress::NetMode::Ask;
    record.limits = {8192, std::uint64_t{2} << 30U};
    record.shares.push_back({1, "papers", "/home/ada/papers", 2, 3, ShareMode::ReadOnly, 0});
    record.shares.push_back({8, "folder", "/home/ada/b\xe9t", UINT64_MAX, 5, ShareMode::Review, 17});
    record.shares.push_back({9, "auto", "/home/ada/auto", 4, 5, ShareMode::Auto, 1, true, 1'700'000'000'000'000'000});
    return record;
}

void TestAgentRecord::comesBackAsItWas() {
    QVERIFY(save(sample(), m_file));
    const auto back = load(m_file);
    QVERIFY2(back.has_value(), back ? "" : back.error().text().c_str());
    const auto wanted = sample();
    QCOMPARE(back->id, wanted.id);
    QCOMPARE(back->name, wanted.name);
    QCOMPARE(back->memoryMib, wanted.memoryMib);
    QCOMPARE(back->cpus, wanted.cpus);
    QCOMPARE(back->image, wanted.image);
    QCOMPARE(back->createdMs, wanted.createdMs);
    QCOMPARE(back->nextShareId, wanted.nextShareId);
    QVERIFY(back->running && back->unclean);
    QCOMPARE(back->accelerator, wanted.accelerator);
    QVERIFY(back->network == wanted.network && back->limits == wanted.limits);
    QCOMPARE(back->shares.size(), wanted.shares.size());
    for (std::size_t n = 0; n < wanted.shares.size(); ++n) {
        const auto& is = back->shares[n];
        const auto& was = wanted.shares[n];
        QCOMPARE(is.id, was.id);
        QCOMPARE(is.name, was.name);
        QCOMPARE(is.dir, was.dir);
        QCOMPARE(is.device, was.device);
        QCOMPARE(is.inode, was.inode);
        QVERIFY(is.mode == was.mode);
        QCOMPARE(is.staged, was.staged);
        QCOMPARE(is.revoked, was.revoked);
        QCOMPARE(is.bornNs, was.bornNs);
    }
}

void TestAgentRecord::oneFromBeforeHasNoNetwork() {
    QVERIFY(save(sample(), m_file));
    QFile file(QString::fromStdString(m_file.string()));
    QVERIFY(file.open(QIODevice::ReadWrite));
    const auto written = file.readAll();
    const auto put = [&](QByteArray text) {
        file.seek(0);
        file.resize(0);
        file.write(text);
        file.flush();
    };
    QVERIFY(written.contains(R"(,"network":"ask")"));
    put(QByteArray(written).replace(R"(,"network":"ask")", ""));
    const auto before = load(m_file);
    QVERIFY(before && before->network == egress::NetMode::Offline);
    put(QByteArray(written).replace(R"("network":"ask")", R"("network":"open")"));
    QVERIFY(!load(m_file));
    // Nor had it limits; and one that is none is no reason to go without.
    const QByteArray limits = R"(,"network_rate":8192,"network_day":2147483648)";
    QVERIFY(written.contains(limits));
    put(QByteArray(written).replace(limits, ""));
    const auto unlimited = load(m_file);
    QVERIFY(unlimited && unlimited->limits == egress::Limits{});
    put(QByteArray(written).replace(R"("network_day":2147483648)", R"("network_day":5)"));
    QVERIFY(!load(m_file));
    // Without limits it is one that such a version reads.
    auto none = sample();
    none.limits = {};
    QVERIFY(save(none, m_file));
    QFile saved(QString::fromStdString(m_file.string())); // another one in its place
    QVERIFY(saved.open(QIODevice::ReadOnly));
    const auto text = saved.readAll();
    QVERIFY(text.contains("\"network\"") && !text.contains("network_"));
}

// Control characters take the most room when they are written.
void TestAgentRecord::comesBackWithTheLongestNames() {
    auto record = sample();
    record.shares.clear();
    for (std::uint32_t n = 1; n <= 64; ++n) {
        record.shares.push_back(
            {n, std::string(255, '\x01'), "/" + std::string(4094, '\x01'), UINT64_MAX, UINT64_MAX, ShareMode::Review, 0});
    }
    QVERIFY(save(record, m_file));
    const auto back = load(m_file);
    QVERIFY2(back.has_value(), back ? "" : back.error().text().c_str());
    QCOMPARE(back->shares.size(), std::size_t{64});
    QCOMPARE(back->shares.at(63).dir, record.shares.at(63).dir);
}

void TestAgentRecord::laterVersionIsRefused() {
    QVERIFY(save(sample(), m_file));
    QFile file(QString::fromStdString(m_file.string()));
    QVERIFY(file.open(QIODevice::ReadWrite));
    auto text = file.readAll();
    QVERIFY(text.contains("\"schema\":1"));
    text.replace("\"schema\":1", "\"schema\":2");
    file.seek(0);
    file.write(text);
    file.close();
    const auto back = load(m_file);
    QVERIFY(!back);
    QVERIFY(back.error().code == ErrorCode::Unsupported);
}

void TestAgentRecord::damageIsRefused() {
    QVERIFY(save(sample(), m_file));
    QFile file(QString::fromStdString(m_file.string()));
    QVERIFY(file.open(QIODevice::ReadOnly));
    const auto whole = file.readAll();
    file.close();
    for (const auto& bad : {whole.left(whole.size() - 1), QByteArray(whole).replace("review", "write"),
                            QByteArray(whole).replace("\"cpus\":3", "\"cpus\":-3"),
                            QByteArray(whole).replace("\"unclean\":true,", "")}) {
        QVERIFY(bad != whole);
        QVERIFY(file.open(QIODevice::WriteOnly | QIODevice::Truncate));
        file.write(bad);
        file.close();
        QVERIFY2(!load(m_file), bad.constData());
    }
    QVERIFY(file.remove());
    QVERIFY(load(m_file).error().code == ErrorCode::NotFound);
}

void TestAgentRecord::names() {
    for (const char* good : {"a", "clerk", "a-b-9", "abcdefghijklmnopqrstuvwxyz012345"}) {
        QVERIFY2(checkAgentName(good), good);
    }
    for (const char* bad :
         {"", "A", "9a", "-a", "a b", "a/b", "..", "a.b", "\xc3\xa4", "abcdefghijklmnopqrstuvwxyz0123456"}) {
        QVERIFY2(!checkAgentName(bad), bad);
    }
}

void TestAgentRecord::shareNames() {
    std::vector<ShareRecord> taken;
    const auto choose = [&](const std::string& dir) {
        const auto name = chooseShareName(taken, dir);
        taken.push_back(
            {static_cast<std::uint32_t>(taken.size() + 1), name, dir, 0, 0, ShareMode::Review, 0});
        return name;
    };
    QCOMPARE(choose("/a/papers"), "papers");
    QCOMPARE(choose("/b/papers"), "papers-2");
    QCOMPARE(choose("/c/papers"), "papers-3");
    QCOMPARE(choose("/c/b\xe9t"), "folder");
    QCOMPARE(choose("/c/line\nbreak"), "folder-2");
    const std::string longest(255, 'x');
    QCOMPARE(choose("/c/" + longest), longest);
    QCOMPARE(choose("/d/" + longest).size(), longest.size());
}

QTEST_GUILESS_MAIN(TestAgentRecord)
#include "test_agent_record.moc"
