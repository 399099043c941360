// SPDX-License-Identifier: Apache-2.0
#include "app/engine/describe_change.h"

#include "tests/support/json_schema.h"

#include <QTest>

using namespace carrel;
using files::FrozenEntry;
using files::NodeKind;

class TestDescribeChange : public QObject {
    Q_OBJECT
private slots:
    void bothModesAreTold_data() {
        QTest::addColumn<int>("before");
        QTest::addColumn<int>("after");
        QTest::addColumn<QByteArray>("old"); // none: not told
        const auto row = [](const char* name, NodeKind before, NodeKind after, const char* old) {
            QTest::newRow(name) << static_cast<int>(before) << static_cast<int>(after) << QByteArray(old);
        };
        row("a file", NodeKind::File, NodeKind::File, "0600");
        row("a folder", NodeKind::Directory, NodeKind::Directory, "0600");
        row("a deletion", NodeKind::File, NodeKind::Absent, "0600");
        row("a new file", NodeKind::Absent, NodeKind::File, "");
        row("a link that becomes a file", NodeKind::Symlink, NodeKind::File, "");
    }
    void bothModesAreTold() {
        QFETCH(int, before);
        QFETCH(int, after);
        QFETCH(QByteArray, old);
        agents::ShareRecord share;
        share.name = "papers";
        FrozenEntry entry;
        entry.path = SharePath::parse("diary.txt").value();
        entry.kind = ChangeKind::Modified;
        entry.base.kind = static_cast<NodeKind>(before);
        entry.base.mode = 0600;
        entry.wanted.kind = static_cast<NodeKind>(after);
        entry.wanted.mode = 0644;
        const auto told = engine::describeChange({&share, &entry});
        QVERIFY(told.at("mode").as_string() == "0644");
        const auto* is = told.if_contains("old_mode");
        QCOMPARE(is == nullptr ? QByteArray() : QByteArray(is->as_string().c_str()), old);
        const test::Schemas schemas(CARREL_SOURCE_DIR "/app/api/schema");
        const auto form = schemas.load("common.json").at("$defs").at("change").as_object();
        const auto problem = schemas.check(told, form);
        QVERIFY2(problem.empty(), problem.c_str());
    }
};

QTEST_GUILESS_MAIN(TestDescribeChange)
#include "test_describe_change.moc"
