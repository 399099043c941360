// SPDX-License-Identifier: Apache-2.0
// What the manual says of the verbs: all that --help says, as text that roff leaves alone.
#include "app/cli/manual/man_page.h"

#include <QTest>

using namespace carrel;

class TestManPage : public QObject {
    Q_OBJECT

private slots:
    void textStaysText_data() {
        QTest::addColumn<QString>("text");
        QTest::addColumn<QString>("roff");
        QTest::newRow("a request") << ".so /etc/shadow" << "\\&.so /etc/shadow";
        QTest::newRow("one in the second line") << "a\n'b" << "a\n\\&\\(aqb";
        QTest::newRow("a point that ends") << "the end." << "the end.";
        QTest::newRow("an escape") << "a\\fBb" << "a\\efBb";
        QTest::newRow("what is copied") << "--no-wait ~/x" << "\\-\\-no\\-wait \\(ti/x";
    }
    void textStaysText() {
        QFETCH(QString, text);
        QFETCH(QString, roff);
        QCOMPARE(QString::fromStdString(cli::roffText(text.toStdString())), roff);
    }

    void everyVerbIsThere() {
        CLI::App app{"All", "carrel"};
        app.require_subcommand(1);
        app.footer("First steps");
        std::string name;
        std::string mode;
        std::vector<std::string> paths;
        bool all = false;
        auto* look = app.add_subcommand("look", "Look at it");
        look->add_option("NAME", name, "The agent")->required();
        look->add_option("PATH", paths, "Only these");
        look->add_option("-m,--mode", mode, "How")->required()->type_name("MODE")->check(CLI::IsMember({"near", "far"}));
        look->add_option("--share", name, "What it sees")->type_name("DIR[:MODE]");
        look->add_flag("--all", all, "All of it");
        look->footer("Example: carrel look desk\n.not a request");
        auto* folders = app.add_subcommand("folders", "Folders");
        folders->require_subcommand(1);
        folders->add_subcommand("add", "Add one");
        const QString expected = QString::fromLatin1(
            ".SS \\fBcarrel look\\fR\n"
            "\\fBcarrel look\\fR \\fB\\-m\\fR, \\fB\\-\\-mode\\fR \\fIMODE\\fR "
            "[\\fIOPTION\\fR]... \\fINAME\\fR [\\fIPATH\\fR]...\n"
            ".PP\n"
            "Look at it.\n"
            ".TP\n\\fINAME\\fR\nThe agent\n"
            ".TP\n\\fIPATH\\fR\nOnly these\n"
            ".TP\n\\fB\\-m\\fR, \\fB\\-\\-mode\\fR \\fIMODE\\fR\nHow: {near,far}\n"
            ".TP\n\\fB\\-\\-share\\fR \\fIDIR[:MODE]\\fR\nWhat it sees\n"
            ".TP\n\\fB\\-\\-all\\fR\nAll of it\n"
            ".PP\n.nf\n"
            "Example: carrel look desk\n\\&.not a request\n"
            ".fi\n"
            ".SS \\fBcarrel folders add\\fR\n"
            "\\fBcarrel folders add\\fR\n"
            ".PP\n"
            "Add one.\n");
        const QString page = QString::fromStdString(cli::roffVerbs(app));
        QVERIFY2(page == expected, qPrintable(page)); // whole: QCOMPARE would cut it off
    }
};

QTEST_GUILESS_MAIN(TestManPage)
#include "test_man_page.moc"
