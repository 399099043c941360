// SPDX-License-Identifier: Apache-2.0
#include "app/images/recipe.h"
#include "tests/app/images/image_fixture.h"

#include <QTemporaryDir>
#include <QTest>

using namespace carrel;
using namespace carrel::images;
using namespace carrel::test;

class TestImageRecipe : public QObject {
    Q_OBJECT

    static Status run(const QTemporaryDir& folder, const ProgressCallback& progress = {},
                      std::stop_token stop = {}) {
        RecipeOptions options;
        options.recipe = folder.path().toStdString();
        return runRecipe(options, folder.path().toStdString(), progress, stop);
    }

private slots:
    void readsProgress() {
        const auto step = parseProgress("step 2/7 installing packages");
        QVERIFY(step && *step == (BuildProgress{2, 7, "installing packages"}));
        for (const char* line :
             {"step", "step 2", "step 2/7", "step 8/7 x", "step 0/7 x", "step a/b c", "note: step 1/2 x"}) {
            QVERIFY2(!parseProgress(line), line);
        }
    }

    void reportsEachStep() {
        QTemporaryDir folder;
        QVERIFY(writeRecipe(folder.path(), "echo 'step 1/2 one'; echo noise; echo 'step 2/2 two'\n"));
        std::vector<std::string> seen;
        QVERIFY(run(folder, [&](const BuildProgress& step) { seen.push_back(step.text); }));
        QVERIFY((seen == std::vector<std::string>{"one", "two"}));
    }

    void explainsFailures_data() {
        QTest::addColumn<QByteArray>("kind");
        QTest::addColumn<int>("code");
        QTest::newRow("tool") << QByteArray("missing-tool") << int(ErrorCode::Unsupported);
        QTest::newRow("ids") << QByteArray("user-namespace") << int(ErrorCode::Unsupported);
        QTest::newRow("network") << QByteArray("network") << int(ErrorCode::Unavailable);
        QTest::newRow("disk") << QByteArray("disk-full") << int(ErrorCode::Io);
        QTest::newRow("packages") << QByteArray("packages") << int(ErrorCode::Malformed);
    }
    void explainsFailures() {
        QFETCH(QByteArray, kind);
        QFETCH(int, code);
        QTemporaryDir folder;
        QVERIFY(writeRecipe(folder.path(),
                            "echo rubbish >&2; echo 'failed " + kind + ": it: broke' >&2; exit 1\n"));
        const auto result = run(folder);
        QVERIFY(!result);
        QCOMPARE(int(result.error().code), code);
        QCOMPARE(result.error().message, std::string("the image could not be built: it: broke"));
        QVERIFY(!result.error().hint.empty());
    }

    void explainsASilentEnd() {
        QTemporaryDir folder;
        QVERIFY(writeRecipe(folder.path(), "exit 3\n"));
        QVERIFY(run(folder).error().message.find("status 3") != std::string::npos);
        QVERIFY(writeRecipe(folder.path(), "kill -9 $$\n"));
        QVERIFY(run(folder).error().message.find("signal 9") != std::string::npos);
    }

    void aStopRequestEndsTheRecipe() {
        QTemporaryDir folder;
        QVERIFY(writeRecipe(folder.path(), "echo 'step 1/1 waiting'\nsleep 1000\n"));
        std::stop_source source;
        const auto result = run(
            folder, [&](const BuildProgress&) { source.request_stop(); }, source.get_token());
        QVERIFY(!result);
        QVERIFY(result.error().code == ErrorCode::Cancelled);
    }

    void hashFollowsTheFiles() {
        QTemporaryDir folder;
        QVERIFY(!recipeHash(folder.path().toStdString()));
        QVERIFY(writeRecipe(folder.path(), "true\n"));
        const auto first = recipeHash(folder.path().toStdString());
        QVERIFY(first);
        QVERIFY(writeFile(folder.filePath("packages.list"), "bash\n"));
        const auto second = recipeHash(folder.path().toStdString());
        QVERIFY(second && *second != *first);
        QVERIFY(writeFile(folder.filePath("README.md"), "words\n"));
        QVERIFY(*recipeHash(folder.path().toStdString()) == *second);
    }
};

QTEST_GUILESS_MAIN(TestImageRecipe)
#include "test_image_recipe.moc"
