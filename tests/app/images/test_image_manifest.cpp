// SPDX-License-Identifier: Apache-2.0
#include "app/images/manifest.h"

#include <QByteArray>
#include <QTest>

using namespace carrel;
using namespace carrel::images;

namespace {

Manifest example() {
    Manifest made;
    made.kernelRelease = "6.1.0-56-cloud-amd64";
    made.recipe = "abc";
    for (const auto name : {kBasePart, kModulesPart, kElfKernelPart, kKernelPart}) {
        made.parts.push_back({std::string(name), 5, files::Sha256::of(name)});
    }
    made.packages = {{"bash", "5.2.15-2+b8", "amd64"}, {"tzdata", "2026a-0", "all"}};
    return made;
}

} // namespace

class TestImageManifest : public QObject {
    Q_OBJECT

private slots:
    void readsWhatItWrote() {
        const auto back = Manifest::parse(example().toJson());
        QVERIFY2(back, back ? "" : back.error().text().c_str());
        QVERIFY(*back == example());
    }

    void idFollowsThePartsAndNothingElse() {
        Manifest other = example();
        other.recipe = "another";
        other.packages.clear();
        QVERIFY(other.id() == example().id());
        other.parts[0].size = 6;
        QVERIFY(other.id() != example().id());
    }

    void refusesATamperedManifest_data() {
        QTest::addColumn<QByteArray>("from");
        QTest::addColumn<QByteArray>("to");
        QTest::newRow("id of other parts") << QByteArray("\"size\":5") << QByteArray("\"size\":6");
        QTest::newRow("schema") << QByteArray("\"schema\":1") << QByteArray("\"schema\":2");
        QTest::newRow("origin") << QByteArray("built here") << QByteArray("found");
        QTest::newRow("unknown field") << QByteArray("\"schema\":1") << QByteArray("\"schema\":1,\"more\":1");
        QTest::newRow("repeated field")
            << QByteArray("\"schema\":1") << QByteArray("\"schema\":1,\"schema\":1");
        QTest::newRow("unknown part") << QByteArray("\"vmlinuz\"") << QByteArray("\"../../etc\"");
        QTest::newRow("repeated part") << QByteArray("\"vmlinuz\"") << QByteArray("\"vmlinux\"");
        QTest::newRow("not JSON") << QByteArray("{") << QByteArray("[");
    }
    void refusesATamperedManifest() {
        QFETCH(QByteArray, from);
        QFETCH(QByteArray, to);
        QByteArray text = QByteArray::fromStdString(example().toJson());
        QVERIFY(text.contains(from));
        text.replace(from, to);
        QVERIFY(!Manifest::parse(text.toStdString()));
    }

    void aListOfProgramsIsAPartThatMayBeThere() {
        Manifest made = example();
        made.parts.insert(made.parts.begin() + 2, {std::string(kProgramsPart), 5, files::Sha256::of(kProgramsPart)});
        const auto read = Manifest::parse(made.toJson());
        QVERIFY(read && read->find(kProgramsPart) != nullptr);
    }

    void refusesAMissingPart() {
        Manifest made = example();
        made.parts.erase(made.parts.begin());
        QVERIFY(!Manifest::parse(made.toJson()));
        made = example();
        made.parts.resize(2); // no kernel of either kind
        QVERIFY(!Manifest::parse(made.toJson()));
        made = example();
        made.parts.resize(3); // one kernel is enough
        QVERIFY(Manifest::parse(made.toJson()));
    }

    void readsPackages() {
        const auto packages = parsePackages("bash\t5.2\tamd64\ntzdata\t2026a\tall\n");
        QVERIFY(packages && packages->size() == 2 && packages->at(1).version == "2026a");
        QVERIFY(!parsePackages("bash 5.2\n"));
    }

    void idsAreSixtyFourDigits() {
        QVERIFY(ImageId::parse(example().id().text()));
        QVERIFY(!ImageId::parse("../x"));
        QVERIFY(!ImageId::parse(example().id().shortText()));
    }
};

QTEST_GUILESS_MAIN(TestImageManifest)
#include "test_image_manifest.moc"
