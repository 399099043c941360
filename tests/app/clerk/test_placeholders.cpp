// SPDX-License-Identifier: Apache-2.0
// Which files only stand for others, and which drives do not tell of what happens on them.
#include "app/clerk/drives.h"
#include "app/clerk/placeholders.h"

#include <QTest>

#include <fcntl.h>
#include <sys/vfs.h>
#include <unistd.h>

using namespace carrel::clerk;

class TestClerkPlaceholders : public QObject {
    Q_OBJECT
private slots:
    void byNameAndSize() {
        QVERIFY(placeholderOf("report.odt.nextcloud", 1) == Placeholder::Nextcloud);
        QVERIFY(placeholderOf("report.odt.nextcloud", 0) == Placeholder::Nextcloud);
        QVERIFY(placeholderOf("report.owncloud", 1) == Placeholder::OwnCloud);
        QVERIFY(!placeholderOf("report.odt.nextcloud", 2)); // so much is the user's own
        QVERIFY(!placeholderOf("report.odt", 1));
        QVERIFY(!placeholderOf(".nextcloud", 1)); // a setting, not a placeholder of nothing
        QVERIFY(!placeholderOf("report.Nextcloud", 1));
        QVERIFY(!placeholderOf("report.nextcloud.txt", 1));
        QVERIFY(!placeholderOf("", 0));
        QVERIFY(programOf(Placeholder::Nextcloud) == "Nextcloud" && programOf(Placeholder::OwnCloud) == "ownCloud");
    }

    void drives() {
        constexpr std::uint64_t kExt4 = 0xef53;
        constexpr std::uint64_t kNfs = 0x6969;
        constexpr std::uint64_t kCifs = 0xff534d42;
        QVERIFY(reportsOf(kExt4) == Reports::Changes);
        QVERIFY(reportsOf(kNfs) == Reports::OnlyItsOwn);
        QVERIFY(reportsOf(kCifs) == Reports::OnlyItsOwn);
        QVERIFY(reportsOf(static_cast<std::uint64_t>(static_cast<std::int32_t>(kCifs))) == Reports::OnlyItsOwn);
        const int root = ::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
        struct statfs info {};
        QVERIFY(root >= 0 && ::fstatfs(root, &info) == 0);
        QVERIFY(reportsOfFolder(root) == reportsOf(static_cast<std::uint64_t>(info.f_type)));
        ::close(root);
        QVERIFY(reportsOfFolder(-1) == Reports::Unknown);
    }
};

QTEST_GUILESS_MAIN(TestClerkPlaceholders)
#include "test_placeholders.moc"
