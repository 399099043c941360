// SPDX-License-Identifier: Apache-2.0
// A conversation outlives its program, at whatever byte that ends.
#include "guest/agent/conversation_file.h"
#include "tests/guest/agent/turn_words.h"

#include <QTemporaryDir>
#include <QTest>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <sys/resource.h>
#include <sys/stat.h>

using namespace carrel;
using namespace carrel::agent;
using namespace carrel::agent::test;

namespace {

std::string words(const std::vector<Message>& messages) {
    std::string out;
    for (const auto& message : messages) {
        out += (message.role == Role::User ? "U:" : "A:") + test::words(message) + "\n";
    }
    return out;
}

std::string textOf(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

void write(const std::string& path, std::string_view text) {
    std::ofstream(path, std::ios::binary) << text;
}

} // namespace

class TestConversationFile : public QObject {
    Q_OBJECT
    QTemporaryDir m_folder;
    std::string m_path;

    // A conversation with every kind of part, step by step: what it is after each.
    std::vector<std::string> talk(ConversationFile& file) {
        Conversation of(&file);
        std::vector<std::string> after{""};
        const auto step = [&](const Status& done) {
            if (!done) {
                qFatal("a step failed");
            }
            after.push_back(words(of.messages()));
        };
        step(of.addUser("go\n\xe2\x82\xac"));
        step(of.addTurn({Role::Assistant,
                         {Sealed{"anthropic", {{"type", "thinking"}, {"deep", {1, {{"x", nullptr}}}}}}, Text{"I look."},
                          ToolUse{"a", "read", {{"p", 1}}, {}}, ToolUse{"b", "fly", {}, "no JSON"}}}));
        step(of.addResults({{"a", std::string("x\0y", 3), false}, {"b", "none", true}}));
        step(of.addUser("hurry"));
        step(of.addTurn({Role::Assistant, {Text{"Done."}}}));
        return after;
    }

private slots:
    void init() { m_path = (m_folder.path() + "/" + QTest::currentTestFunction() + ".jsonl").toStdString(); }

    void itComesBackWhole() {
        std::string said;
        {
            auto opened = ConversationFile::open(m_path);
            QVERIFY2(opened.has_value(), opened ? "" : opened.error().text().c_str());
            QVERIFY(opened->messages.empty());
            said = talk(*opened->file).back();
        }
        struct stat status {};
        QCOMPARE(::stat(m_path.c_str(), &status), 0);
        QCOMPARE(int(status.st_mode & 0777), 0600);
        auto opened = ConversationFile::open(m_path);
        QVERIFY(opened.has_value());
        auto again = Conversation::restored(opened->messages, opened->file.get());
        QVERIFY(again.has_value());
        QCOMPARE(words(again->messages()), said);
        QVERIFY(std::get<ToolUse>(again->messages()[1].parts[3]).problem == "no JSON");
        QVERIFY(again->addUser("and now?"));
        opened->file.reset();
        QVERIFY(words(ConversationFile::open(m_path)->messages).ends_with("U:and now?\n"));
    }

    void cutAtEachByte() {
        std::vector<std::string> after;
        {
            auto opened = ConversationFile::open(m_path);
            after = talk(*opened->file);
        }
        const auto whole = textOf(m_path);
        const auto cut = m_path + ".cut";
        for (std::size_t size = 0; size <= whole.size(); ++size) {
            write(cut, std::string_view(whole).substr(0, size));
            auto opened = ConversationFile::open(cut);
            QVERIFY2(opened.has_value(), opened ? "" : opened.error().text().c_str());
            const auto lines = std::size_t(std::count(whole.begin(), whole.begin() + std::ptrdiff_t(size), '\n'));
            auto of = Conversation::restored(opened->messages, opened->file.get());
            QVERIFY(of.has_value());
            if (lines != 3) { // there a call waits for its result, and gets one that says so
                QCOMPARE(words(of->messages()), after[lines == 0 ? 0 : lines - 1]);
            }
            const auto before = words(of->messages());
            if (of->messages().empty() || of->messages().back().role == Role::Assistant) {
                QVERIFY(of->addUser("on")); // behind whole lines alone
            }
            const auto now = words(of->messages());
            opened->file.reset();
            QCOMPARE(words(Conversation::restored(ConversationFile::open(cut)->messages)->messages()), now);
        }
    }

    void aShorterOneInItsPlace() {
        {
            auto opened = ConversationFile::open(m_path);
            (void)talk(*opened->file);
            auto of = Conversation::restored({}, opened->file.get());
            QVERIFY(of->replace("the short of it"));
            QVERIFY(of->addTurn({Role::Assistant, {Text{"I see."}}}));
        }
        QCOMPARE(words(ConversationFile::open(m_path)->messages), std::string("U:the short of it\nA:I see.\n"));
        QVERIFY(textOf(m_path).find("Done.") != std::string::npos); // the whole story is still there
    }

    void oneAtATime() {
        auto first = ConversationFile::open(m_path);
        const auto second = ConversationFile::open(m_path);
        QVERIFY(!second && second.error().code == ErrorCode::Refused && !second.error().hint.empty());
        first->file.reset();
        QVERIFY(ConversationFile::open(m_path).has_value());
    }

    void whatIsNoConversation_data() {
        QTest::addColumn<QByteArray>("text");
        const auto row = [](const char* name, const std::string& text) { QTest::newRow(name) << QByteArray::fromStdString(text); };
        const auto first = j("{'carrel-conversation':1}\n");
        row("something else", "hello\n");
        row("an empty line", "\n");
        row("another JSON", "{}\n");
        row("a later version", j("{'carrel-conversation':2}\n"));
        row("no version", j("{'carrel-conversation':'1'}\n"));
        row("a broken line in the middle", first + j("{'add':{'role':'us\n{'add':{'role':'user','parts':[]}}\n"));
        row("another line", first + "{}\n");
        row("both", first + j("{'add':{'role':'user','parts':[]},'instead':[]}\n"));
        row("another role", first + j("{'add':{'role':'system','parts':[]}}\n"));
        row("another part", first + j("{'add':{'role':'user','parts':[{'picture':'x'}]}}\n"));
        row("two parts in one", first + j("{'add':{'role':'user','parts':[{'text':'x','result':{}}]}}\n"));
        row("a call without a name", first + j("{'add':{'role':'assistant','parts':[{'call':{'id':'a','input':{}}}]}}\n"));
        row("a field too many", first + j("{'add':{'role':'user','parts':[{'result':{'id':'a','text':'','error':false,'x':1}}]}}\n"));
    }
    void whatIsNoConversation() {
        QFETCH(QByteArray, text);
        write(m_path, text.toStdString());
        const auto opened = ConversationFile::open(m_path);
        QVERIFY(!opened);
        QVERIFY(opened.error().code == ErrorCode::Malformed || opened.error().code == ErrorCode::Unsupported);
        QVERIFY(opened.error().message.find(m_path) != std::string::npos && !opened.error().hint.empty());
        QCOMPARE(QByteArray::fromStdString(textOf(m_path)), text); // nothing of it was thrown away
    }

    void whereThereIsNoRoom() {
        ::signal(SIGXFSZ, SIG_IGN);
        auto opened = ConversationFile::open(m_path);
        Conversation of(opened->file.get());
        QVERIFY(of.addUser("go"));
        const auto before = textOf(m_path);
        rlimit old{};
        ::getrlimit(RLIMIT_FSIZE, &old);
        const rlimit small{before.size() + 10, old.rlim_max};
        ::setrlimit(RLIMIT_FSIZE, &small);
        const auto added = of.addTurn({Role::Assistant, {Text{"a word that does not fit"}}});
        ::setrlimit(RLIMIT_FSIZE, &old);
        QVERIFY(!added && !added.error().hint.empty());
        QCOMPARE(textOf(m_path), before); // not half a line
        QVERIFY(of.addTurn({Role::Assistant, {Text{"shorter"}}}));
        opened->file.reset();
        QCOMPARE(words(ConversationFile::open(m_path)->messages), std::string("U:go\nA:shorter\n"));
    }

    void whereItCannotBe() {
        const auto none = ConversationFile::open(m_folder.path().toStdString() + "/none/x");
        QVERIFY(!none && none.error().code == ErrorCode::NotFound && !none.error().hint.empty());
        std::filesystem::create_symlink("elsewhere", m_path);
        QVERIFY(!ConversationFile::open(m_path));
    }
};

QTEST_GUILESS_MAIN(TestConversationFile)
#include "test_conversation_file.moc"
