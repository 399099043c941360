// SPDX-License-Identifier: Apache-2.0
#include "app/images/file_tools.h"
#include "app/images/initrd.h"
#include "tests/app/images/image_fixture.h"

#include <QTemporaryDir>
#include <QTest>

using namespace carrel;
using namespace carrel::images;
using namespace carrel::test;

class TestInitrd : public QObject {
    Q_OBJECT

private slots:
    void init() {
        m_folder = std::make_unique<QTemporaryDir>();
        QVERIFY(writeFile(at("modules.cpio"), fakeModules()));
        QVERIFY(writeFile(at("init"), "init one"));
        QVERIFY(writeFile(at("guestd"), "guestd one"));
        m_inputs = {};
        m_inputs.modules = at("modules.cpio").toStdString();
        m_inputs.carrelInit = at("init").toStdString();
        m_inputs.carrelGuestd = at("guestd").toStdString();
        QVERIFY(writeFile(at("ask"), "ask one"));
        m_inputs.carrelAsk = at("ask").toStdString();
        QVERIFY(writeFile(at("agent"), "agent one"));
        m_inputs.carrelAgent = at("agent").toStdString();
        m_out = at("out").toStdString();
    }

    void holdsModulesFirstThenOurPrograms() {
        QVERIFY(writeFile(at("tool"), "a tool"));
        m_inputs.extraFiles.push_back({at("tool").toStdString(), "tools/helper", 0700});
        const auto made = composeInitrd(m_inputs, m_out);
        QVERIFY2(made, made ? "" : made.error().text().c_str());
        const auto content = readFile(m_out, 1 << 20);
        QVERIFY(content);
        const std::string text(asText(*content));
        QVERIFY(text.starts_with(fakeModules().toStdString()));
        const auto header = text.find("070701", 6);
        QCOMPARE(header % 4, std::size_t{0});
        std::size_t from = 0;
        for (const char* part :
             {"init one", "sbin/carrel-guestd", "guestd one", "carrel/bin/carrel-ask", "ask one", "carrel/bin/carrel-agent", "agent one",
              "tools/helper", "a tool", "TRAILER!!!"}) {
            const auto where = text.find(part, from);
            QVERIFY2(where != std::string::npos, part);
            from = where;
        }
        QVERIFY(hashFile(m_out)->sha256 == made->sha256);
    }

    void isMadeOnceWhileNothingChanges() {
        const auto first = composeInitrd(m_inputs, m_out);
        const auto second = composeInitrd(m_inputs, m_out);
        QVERIFY(first && second);
        QVERIFY(first->outcome == InitrdOutcome::Made);
        QVERIFY(second->outcome == InitrdOutcome::Unchanged);
        QVERIFY(first->sha256 == second->sha256);
    }

    void isMadeAgainWhenAProgramChanges() {
        const auto first = composeInitrd(m_inputs, m_out);
        QVERIFY(writeFile(at("guestd"), "guestd two"));
        const auto second = composeInitrd(m_inputs, m_out);
        QVERIFY(first && second);
        QVERIFY(second->outcome == InitrdOutcome::Made);
        QVERIFY(first->sha256 != second->sha256);
    }

    void isMadeAgainWhenItWasTamperedWith() {
        const auto first = composeInitrd(m_inputs, m_out);
        QVERIFY(writeFile(at("out"), "something else"));
        const auto second = composeInitrd(m_inputs, m_out);
        QVERIFY(first && second);
        QVERIFY(second->outcome == InitrdOutcome::Made);
        QVERIFY(first->sha256 == second->sha256);
    }

    void probeKitNeedsOnlyInit() {
        m_inputs.modules.clear();
        m_inputs.carrelGuestd.clear();
        m_inputs.carrelAsk.clear();
        m_inputs.carrelAgent.clear();
        const auto made = composeInitrd(m_inputs, m_out);
        QVERIFY(made);
        QVERIFY(asText(*readFile(m_out, 1 << 20)).find("guestd") == std::string_view::npos);
    }

    void saysWhatIsMissing() {
        m_inputs.carrelGuestd = at("nowhere").toStdString();
        const auto made = composeInitrd(m_inputs, m_out);
        QVERIFY(!made);
        QVERIFY(made.error().text().find("nowhere") != std::string::npos);
    }

private:
    QString at(const char* name) const { return m_folder->filePath(name); }
    std::unique_ptr<QTemporaryDir> m_folder;
    InitrdInputs m_inputs;
    std::filesystem::path m_out;
};

QTEST_GUILESS_MAIN(TestInitrd)
#include "test_initrd.moc"
