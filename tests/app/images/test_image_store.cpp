// SPDX-License-Identifier: Apache-2.0
#include "app/images/image_store.h"
#include "app/images/store_folder.h"
#include "tests/app/images/image_fixture.h"

#include <QDir>
#include <QTemporaryDir>
#include <QTest>

#include <fcntl.h>
#include <sys/stat.h>

using namespace carrel;
using namespace carrel::images;
using namespace carrel::test;

class TestImageStore : public QObject {
    Q_OBJECT

private slots:
    void init() {
        m_folder = std::make_unique<QTemporaryDir>();
        QVERIFY(QDir(m_folder->path()).mkdir("recipe"));
        QVERIFY(writeRecipe(m_folder->filePath("recipe"), goodRecipe()));
        m_store = std::make_unique<ImageStore>(m_folder->filePath("images").toStdString());
        QVERIFY(writeFile(at("base"), fakeExt4()));
        QVERIFY(writeFile(at("kernel"), fakeElf()));
        QVERIFY(writeFile(at("modules"), fakeModules()));
    }

    void anEmptyStoreSaysWhatToDo() {
        QVERIFY(m_store->list() && m_store->list()->empty());
        const auto none = m_store->defaultImage();
        QVERIFY(!none && none.error().code == ErrorCode::NotFound);
        QVERIFY(none.error().hint.find("carrel image build") != std::string::npos);
    }

    void buildsOnceThenOnlyWhenForced() {
        const auto first = build();
        QVERIFY2(first, first ? "" : first.error().text().c_str());
        QVERIFY(first->outcome == BuildOutcome::Built);
        QVERIFY(*m_store->defaultImage() == first->id);
        QVERIFY(m_store->verify(first->id));
        const auto again = build();
        QVERIFY(again && again->outcome == BuildOutcome::AlreadyThere && again->id == first->id);
        const auto forced = build(Force::Yes);
        QVERIFY(forced && forced->outcome == BuildOutcome::Built && forced->id == first->id);
        const auto made = m_store->manifest(first->id);
        QVERIFY(made && made->origin == Origin::BuiltHere && made->kernelRelease == "6.1-test");
        QCOMPARE(made->packages.size(), std::size_t{1});
        QCOMPARE(leftovers(), QStringList());
    }

    void aFailedBuildLeavesNothing() {
        QVERIFY(writeRecipe(m_folder->filePath("recipe"),
                            "echo half > $output/base.raw\necho 'failed network: no' >&2\nexit 1\n"));
        const auto result = build();
        QVERIFY(!result && result.error().code == ErrorCode::Unavailable);
        QVERIFY(m_store->list()->empty());
        QCOMPARE(leftovers(), QStringList());
    }

    void aBuildWithoutAKernelIsNoImage() {
        QVERIFY(writeRecipe(m_folder->filePath("recipe"), goodRecipe() + "rm $output/vmlinu?\n"));
        QVERIFY(!build());
        QVERIFY(m_store->list()->empty());
    }

    void theListOfProgramsIsWhatWasMade() {
        const auto without = build();
        QVERIFY(without);
        const auto none = m_store->programs(without->id);
        QVERIFY(none && !*none); // of an older recipe, or an import
        QVERIFY(writeRecipe(m_folder->filePath("recipe"), goodRecipe() + "echo list > $output/programs.tsv\n"));
        const auto made = build();
        QVERIFY(made && made->id != without->id);
        const auto list = m_store->programs(made->id);
        QVERIFY(list && *list);
        QCOMPARE(**list, std::string("list\n"));
        const auto file = m_folder->filePath("images/" + QString::fromStdString(made->id.text()) + "/programs.tsv");
        QVERIFY(QFile::setPermissions(file, QFile::ReadOwner | QFile::WriteOwner) && writeFile(file, "lost\n"));
        const auto changed = m_store->programs(made->id);
        QVERIFY(!changed && changed.error().code == ErrorCode::Refused);
        QVERIFY(!m_store->verify(made->id));
    }

    void bootFilesNoticeADamagedPart_data() {
        QTest::addColumn<QString>("part");
        for (const char* part : {"base.raw", "vmlinux", "modules.cpio"}) {
            QTest::newRow(part) << QString(part);
        }
    }
    void bootFilesNoticeADamagedPart() {
        QFETCH(QString, part);
        const auto made = build();
        QVERIFY(made);
        const auto files = m_store->bootFiles(made->id);
        QVERIFY(files);
        QCOMPARE(files->kernel.filename().string(), std::string("vmlinux"));
        QVERIFY(writeFile(partPath(made->id, part), "other bytes"));
        const auto after = m_store->bootFiles(made->id);
        QVERIFY(!after);
        QVERIFY(after.error().message.find(part.toStdString()) != std::string::npos);
        QVERIFY(!m_store->verify(made->id));
        // Building again heals it.
        QVERIFY(build()->outcome == BuildOutcome::Built);
        QVERIFY(m_store->bootFiles(made->id));
    }

    void theBaseIsHashedOnlyWhenItsStampChanged() {
        const auto made = build();
        QVERIFY(made && m_store->bootFiles(made->id));
        const QString base = partPath(made->id, "base.raw");
        const QString stampPath = partPath(made->id, "base.stamp");
        QFile stamp(stampPath);
        QVERIFY(stamp.open(QIODevice::ReadOnly));
        const QByteArray before = stamp.readAll();
        // Touched but the same: hashed again, found good, and the new stamp is kept.
        const timespec times[2] = {{1, 0}, {1, 0}};
        QCOMPARE(::utimensat(AT_FDCWD, base.toLocal8Bit().constData(), times, 0), 0);
        QVERIFY(m_store->bootFiles(made->id));
        QFile later(stampPath);
        QVERIFY(later.open(QIODevice::ReadOnly));
        QVERIFY(later.readAll() != before);
    }

    void importsARawDisk() {
        const auto id = import();
        QVERIFY2(id, id ? "" : id.error().text().c_str());
        QVERIFY(m_store->verify(*id));
        QVERIFY(m_store->manifest(*id)->origin == Origin::Imported);
        QVERIFY(*m_store->defaultImage() == *id);
        QVERIFY(*m_store->find(id->text().substr(0, 8)) == *id);
        QVERIFY(!m_store->find(id->text().substr(0, 3)));
    }

    void importRefusesOtherFormats_data() {
        QTest::addColumn<QByteArray>("mark");
        QTest::addColumn<int>("offset");
        QTest::newRow("qcow2") << QByteArray("QFI\xfb") << 0;
        QTest::newRow("vmdk") << QByteArray("KDMV") << 0;
        QTest::newRow("vmdk text") << QByteArray("# Disk DescriptorFile") << 0;
        QTest::newRow("vdi") << QByteArray("\x7f\x10\xda\xbe") << 0x40;
        QTest::newRow("vhdx") << QByteArray("vhdxfile") << 0;
        QTest::newRow("vhd") << QByteArray("conectix") << 0;
        QTest::newRow("fixed vhd") << QByteArray("conectix") << 8192 - 512;
        QTest::newRow("dmg") << QByteArray("koly") << 8192 - 512;
        QTest::newRow("luks") << QByteArray("LUKS\xba\xbe") << 0;
        QTest::newRow("gzip") << QByteArray("\x1f\x8b") << 0;
        QTest::newRow("not ext4") << QByteArray("\0\0", 2) << 1024 + 56;
        QTest::newRow("ext2") << QByteArray("\0", 1) << 1024 + 96;
    }
    void importRefusesOtherFormats() {
        QFETCH(QByteArray, mark);
        QFETCH(int, offset);
        // The rest of the file is a good ext4: the foreign mark alone decides.
        QVERIFY(writeFile(at("base"), fakeExt4().replace(offset, mark.size(), mark)));
        const auto id = import();
        QVERIFY(!id);
        QVERIFY(id.error().code == ErrorCode::Refused);
        QVERIFY(m_store->list()->empty());
    }

    void importRefusesWhatIsNoPart() {
        QVERIFY(writeFile(at("kernel"), "MZ"));
        QVERIFY(!import());
        QVERIFY(writeFile(at("kernel"), fakeElf()));
        QVERIFY(writeFile(at("modules"), "PK"));
        QVERIFY(!import());
        QVERIFY(writeFile(at("modules"), fakeModules()));
        QVERIFY(writeFile(at("base"), "short"));
        QVERIFY(!import());
        QVERIFY(QFile::remove(at("base")));
        QVERIFY(QDir(m_folder->path()).mkdir("base"));
        QVERIFY(!import()); // a folder
    }

    void importKeepsHoles() {
        QFile base(at("base"));
        QVERIFY(base.open(QIODevice::ReadWrite) && base.resize(64 * 1024 * 1024));
        base.close();
        const auto id = import();
        QVERIFY(id);
        QVERIFY(m_store->list()->at(0).diskBytes < 4 * 1024 * 1024);
        QVERIFY(m_store->verify(*id));
    }

    void removesAnImage() {
        const auto made = build();
        QVERIFY(made && m_store->remove(made->id));
        QVERIFY(m_store->list()->empty());
        QVERIFY(!m_store->defaultImage());
        QVERIFY(m_store->remove(made->id).error().code == ErrorCode::NotFound);
        QCOMPARE(leftovers(), QStringList());
    }

    void listsABrokenManifestWithItsProblem() {
        const auto made = build();
        QVERIFY(made && writeFile(partPath(made->id, "manifest.json"), "{}"));
        const auto images = m_store->list();
        QVERIFY(images && images->size() == 1);
        QVERIFY(!images->at(0).manifest && !images->at(0).problem.empty());
    }

    void oneWriterAtATime() {
        const auto lock = StoreLock::take(m_folder->filePath("images").toStdString());
        QVERIFY(lock);
        const auto result = build();
        QVERIFY(!result && result.error().code == ErrorCode::Unavailable);
    }

private:
    QString at(const char* name) const { return m_folder->filePath(name); }
    QString partPath(const ImageId& id, const QString& part) const {
        return m_folder->filePath("images/" + QString::fromStdString(id.text()) + "/" + part);
    }
    QStringList leftovers() const {
        return QDir(m_folder->filePath("images"))
            .entryList({".unfinished*"}, QDir::AllEntries | QDir::Hidden);
    }
    Result<BuildResult> build(Force force = Force::No) {
        BuildOptions options;
        options.recipe.recipe = m_folder->filePath("recipe").toStdString();
        options.force = force;
        return m_store->build(options, {});
    }
    Result<ImageId> import() {
        return m_store->importRaw(
            {at("base").toStdString(), at("kernel").toStdString(), at("modules").toStdString(), ""});
    }

    std::unique_ptr<QTemporaryDir> m_folder;
    std::unique_ptr<ImageStore> m_store;
};

QTEST_GUILESS_MAIN(TestImageStore)
#include "test_image_store.moc"
