// SPDX-License-Identifier: Apache-2.0
// The list of providers: durable, read strictly, and never written over where it cannot be read.
#include "app/providers/provider_book.h"

#include <QTemporaryDir>
#include <QTest>

#include <fstream>
#include <sys/stat.h>

using namespace carrel;
using namespace carrel::providers;

namespace {

struct World {
    QTemporaryDir dir;
    std::filesystem::path file = dir.filePath("providers.json").toStdString();
    std::int64_t now = 1000000;
    [[nodiscard]] ProviderBook book() {
        return ProviderBook(file, [this] { return now; });
    }
    static Provider wanted(const std::string& name = "claude") {
        return {name, relay::ModelApi::Anthropic, ModelUrl::parse("https://api.anthropic.com").value(), "a-model", 200000, name, 0};
    }
    static Provider local(const std::string& name = "local") {
        return {name, relay::ModelApi::OpenAi, ModelUrl::parse("http://localhost:11434/v1").value(), "qwen3:8b", {}, {}, 0};
    }
    [[nodiscard]] std::string text() const {
        std::ifstream in(file, std::ios::binary);
        return {std::istreambuf_iterator<char>(in), {}};
    }
    void write(const std::string& text) const { std::ofstream(file, std::ios::binary) << text; }
};

QString withUrl(const char* text) { // moc takes a // in a raw string for a comment
    return QString(text).replace("@", "http://localhost:1");
}

} // namespace

class TestProviderBook : public QObject {
    Q_OBJECT
private slots:
    void keptAndReadAgain() {
        World w;
        auto first = w.book();
        QVERIFY(first.list()->empty() && !std::filesystem::exists(w.file));
        QCOMPARE(first.add(World::local())->createdMs, w.now);
        QVERIFY(first.add(World::wanted()));
        auto second = w.book();
        const auto all = second.list().value();
        QVERIFY(all.size() == 2 && all[0].name == "claude" && all[1].name == "local"); // by name
        auto claude = World::wanted();
        claude.createdMs = w.now;
        QVERIFY(all[0] == claude && second.find("claude").value() == claude);
        struct stat info {};
        QVERIFY(::stat(w.file.c_str(), &info) == 0 && (info.st_mode & 0777) == 0600);
        QCOMPARE(second.remove("claude")->name, std::string("claude"));
        auto third = w.book();
        QVERIFY(third.list()->size() == 1 && third.find("claude").error().code == ErrorCode::NotFound);
        QVERIFY(third.remove("claude").error().code == ErrorCode::NotFound);
    }
    void oneOfAName() {
        World w;
        auto book = w.book();
        QVERIFY(book.add(World::wanted()));
        QVERIFY(book.add(World::wanted()).error().code == ErrorCode::AlreadyExists);
        for (std::size_t i = 1; i < kMaxProviders; ++i) {
            QVERIFY(book.add(World::local("local-" + std::to_string(i))));
        }
        QVERIFY(book.add(World::local("one-more")).error().code == ErrorCode::LimitExceeded);
        QCOMPARE(w.book().list()->size(), kMaxProviders);
    }
    void whatIsNone() {
        World w;
        auto book = w.book();
        const auto refused = [&](const std::function<void(Provider&)>& change) {
            auto one = World::wanted();
            change(one);
            const auto added = book.add(one);
            return !added && added.error().code == ErrorCode::InvalidArgument && !added.error().hint.empty();
        };
        for (const char* name : {"", "none", "A", "a b", "a/b", "../x"}) {
            QVERIFY2(refused([&](Provider& one) { one.name = name; }), name);
        }
        QVERIFY(refused([](Provider& one) { one.name = std::string(kMaxProviderName + 1, 'a'); }));
        QVERIFY(refused([](Provider& one) { one.model = ""; }));
        QVERIFY(refused([](Provider& one) { one.model = "a\nb"; }));
        QVERIFY(refused([](Provider& one) { one.model = " a"; }));
        QVERIFY(refused([](Provider& one) { one.window = 999; }));
        QVERIFY(refused([](Provider& one) { one.window = kMaxWindow + 1; }));
        // A key goes under TLS, and to a name.
        QVERIFY(refused([](Provider& one) { one.url = ModelUrl::parse("http://localhost:11434").value(); }));
        QVERIFY(refused([](Provider& one) { one.url = ModelUrl::parse("http://models.example.org").value(); }));
        QVERIFY(refused([](Provider& one) { one.url = ModelUrl::parse("https://192.0.2.1").value(); }));
        QVERIFY(book.list()->empty() && !std::filesystem::exists(w.file));
    }
    // A bad file is said, nothing is added over it, and nothing of it is lost.
    void aDamagedFile_data() {
        QTest::addColumn<QString>("text");
        const auto row = [](const char* name, const char* text) { QTest::newRow(name) << withUrl(text); };
        row("nothing", "");
        row("half", R"({"schema":1,"providers":[{"name":"a")");
        row("no object", "[]");
        row("another field", R"({"schema":1,"providers":[],"more":1})");
        row("another field of one", R"({"schema":1,"providers":[{"name":"a","api":"openai","url":"@","model":"m","created_ms":1,"key":"x"}]})");
        row("another api", R"({"schema":1,"providers":[{"name":"a","api":"other","url":"@","model":"m","created_ms":1}]})");
        row("no url", R"({"schema":1,"providers":[{"name":"a","api":"openai","url":"localhost","model":"m","created_ms":1}]})");
        row("a key without TLS", R"({"schema":1,"providers":[{"name":"a","api":"openai","url":"@","model":"m","credential":"a","created_ms":1}]})");
        row("twice", R"({"schema":1,"providers":[{"name":"a","api":"openai","url":"@","model":"m","created_ms":1},{"name":"a","api":"openai","url":"@","model":"m","created_ms":1}]})");
        row("a number", R"({"schema":1,"providers":[1]})");
        row("a later version", R"({"schema":2,"providers":[]})");
    }
    void aDamagedFile() {
        QFETCH(QString, text);
        World w;
        w.write(text.toStdString());
        auto book = w.book();
        const auto listed = book.list();
        QVERIFY(!listed && !listed.error().hint.empty());
        QVERIFY(!book.find("a") && !book.add(World::wanted()) && !book.remove("a"));
        QCOMPARE(w.text(), text.toStdString());
        // Mended, it is read without a new start.
        w.write(withUrl(R"({"schema":1,"providers":[{"name":"a","api":"openai","url":"@","model":"m","created_ms":1}]})").toStdString());
        QVERIFY(book.find("a") && book.add(World::wanted()) && w.book().list()->size() == 2);
    }
    void whatCannotBeWrittenIsNotThere() {
        if (::geteuid() == 0) {
            QSKIP("root may write everywhere");
        }
        World w;
        auto book = w.book();
        QVERIFY(book.add(World::local()));
        QVERIFY(::chmod(w.dir.path().toUtf8().constData(), 0500) == 0);
        QVERIFY(!book.add(World::wanted()) && !book.remove("local"));
        QVERIFY(::chmod(w.dir.path().toUtf8().constData(), 0700) == 0);
        QVERIFY(book.list()->size() == 1 && w.book().list()->size() == 1);
    }
};

QTEST_GUILESS_MAIN(TestProviderBook)
#include "test_provider_book.moc"
