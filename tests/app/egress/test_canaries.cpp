// SPDX-License-Identifier: Apache-2.0
// Canaries on the engine's side: what is one, where they are kept, which clerk is told of them, and what comes of its word that one left.
#include "tests/app/egress/egress_world.h"
#include "tests/app/egress/memory_store.h"

#include <QTemporaryDir>
#include <QTest>

#include <fstream>
#include <set>
#include <sys/stat.h>

using namespace carrel;
using namespace carrel::egress;
using namespace carrel::egress::test;
namespace json = boost::json;

namespace {

const std::string kText = "ghx_9f8A7b6C5d4e3F2q0K";

Canary canary(const std::string& name = "bait", const std::string& text = kText, std::vector<std::string> agents = {}) {
    Canary out;
    out.name = name;
    out.text = text;
    out.agents = std::move(agents);
    return out;
}

struct BookFolder {
    QTemporaryDir dir;
    std::filesystem::path file = dir.filePath("canaries.json").toStdString();
    std::int64_t now = 1'000;
    CanaryBook book{file, [this] { return now; }};
    [[nodiscard]] std::string content() const {
        std::ifstream in(file);
        return {std::istreambuf_iterator<char>(in), {}};
    }
    void write(const std::string& text) const { std::ofstream(file) << text; }
};

struct World : EgressWorld {
    BookFolder canaries;
    struct Raised {
        std::optional<activity::Event> event;
        std::string why;
    };
    std::mutex mutex;
    std::vector<Raised> raised;

    World() {
        egress->stop();
        networks.emplace(Networks::Setup{queue, rules, grants, ProxySettings(), nullptr, [this] { return resolver; },
                                         [this]() -> Result<OwnNetworks> { return OwnNetworks(EgressWorld::own); }, {}, &canaries.book});
        canaries.book.onChange([this] { networks->canariesChanged(); });
        (void)nameLoopback();
        (void)rule(policy::Effect::Allow, "here.example");
        policy::Rule requests;
        requests.effect = policy::Effect::Deny;
        requests.action = policy::Action::Network;
        requests.fields["host"] = {"here.example"};
        requests.fields["method"] = {"TRACE"};
        (void)rules.add(requests); // so that its requests are read
    }
    ~World() override { egress->stop(); }
    // Its requests cannot be read without an authority and roots, which is not what this is about.
    BookWorld credentials;
    void start() {
        const auto keep = [this](activity::Event event) {
            const std::lock_guard lock(eventsMutex);
            events.push_back(std::move(event));
        };
        auto credentialsOfAnn = std::make_shared<AgentCredentials>(*credentials.book, "ann", "ann", credentials.folder);
        std::ofstream(credentials.folder / "roots.pem") << "roots";
        qputenv("SSL_CERT_FILE", QByteArray::fromStdString((credentials.folder / "roots.pem").string()));
        egress = networks->open("ann", "s1", NetMode::Allowlist,
                                {keep, [](activity::Event) -> Status { return {}; },
                                 [this](std::optional<activity::Event> event, const std::string& why) {
                                     const std::lock_guard lock(mutex);
                                     raised.push_back({std::move(event), why});
                                 }},
                                credentialsOfAnn);
        clerk = std::make_shared<ToldClerk>();
        at = egress->attach(clerk);
    }
    bool connect(std::uint64_t number) {
        (void)openThere(number);
        return QTest::qWaitFor([&] { return of(number) == "connected terminate"; }, 60'000);
    }
    Status left(std::uint64_t number, const std::string& name = "bait", const std::string& where = "body", const std::string& form = "gzip") const {
        return egress->told(at, "net.canary", {{"number", number}, {"request", 1}, {"name", name}, {"where", where}, {"form", form}});
    }
    [[nodiscard]] std::size_t alarms() {
        const std::lock_guard lock(mutex);
        return raised.size();
    }
    // The names that the clerk was told last; none: it was not told.
    [[nodiscard]] std::optional<std::string> told() const {
        const std::lock_guard lock(clerk->mutex);
        std::optional<std::string> out;
        for (const auto& each : clerk->all) {
            if (each.method == "net.canaries") {
                out.emplace();
                for (const auto& one : each.params.at("list").as_array()) {
                    *out += std::string(one.at("name").as_string()) + "=" + std::string(one.at("text").as_string()) + " ";
                }
            }
        }
        return out;
    }
};

#define TRY(condition) QTRY_VERIFY_WITH_TIMEOUT(condition, 60'000)

} // namespace

class TestCanaries : public QObject {
    Q_OBJECT
private slots:
    void whatIsOne() {
        QVERIFY(check(canary()));
        QVERIFY(check(canary("a.b-c_1", "https://example.org/?a=b#1")));
        for (const char* name : {"", "With-Capitals", "a b", "a/b"}) {
            QVERIFY(!check(canary(name)));
        }
        for (const std::string text : {"elevenbytes", "with a blank in it", "with\"a-quote-in-it", "with\\a-backslash", "with%41percent-in-it", "with<angles>-in-it",
                                       "with&ampersand-in-it", "caf\xc3\xa9-in-the-morning", "aaaaaaaaaaaaaaaaaaaa", "abcdeabcdeabcdeabcde"}) {
            const auto checked = check(canary("bait", text));
            QVERIFY2(!checked && checked.error().code == ErrorCode::InvalidArgument && !checked.error().hint.empty(), text.c_str());
        }
        QVERIFY(!check(canary("bait", std::string(250, 'x') + "abcdefg")));
        auto planted = canary();
        planted.planted = "two\nlines";
        QVERIFY(!check(planted));
        planted.planted = std::string(401, 'x');
        QVERIFY(!check(planted));
        planted.planted = "papers/caf\xc3\xa9.txt";
        planted.variable = "1X";
        QVERIFY(!check(planted));
        planted.variable = "API_KEY";
        QVERIFY(check(planted));
    }
    void madeOnes() {
        std::set<std::string> all;
        for (int i = 0; i < 50; ++i) {
            for (const auto shape : {CanaryShape::Token, CanaryShape::Text, CanaryShape::Aws}) {
                const auto text = newCanaryText(shape).value();
                QVERIFY2(check(canary("bait", text)), text.c_str());
                QVERIFY(all.insert(text).second);
                QVERIFY(shape != CanaryShape::Token || (text.starts_with("sk-") && text.size() == 48));
                QVERIFY(shape != CanaryShape::Aws || (text.starts_with("AKIA") && text.size() == 20));
                QVERIFY(shape != CanaryShape::Text || text.find_first_not_of("abcdefghijklmnopqrstuvwxyz") == std::string::npos);
                QVERIFY(canaryShapeFrom(toString(shape)) == shape);
            }
        }
        QVERIFY(!canaryShapeFrom("azure"));
    }

    void keptInAFileOfTheOwners() {
        BookFolder b;
        QVERIFY(b.book.list()->empty());
        int changes = 0;
        b.book.onChange([&] { ++changes; });
        QCOMPARE(b.book.add(canary("bait", kText, {"ann"}))->createdMs, std::int64_t{1'000});
        struct stat what {};
        QVERIFY(::stat(b.file.c_str(), &what) == 0 && (what.st_mode & 0777) == 0600);
        QVERIFY(b.book.add(canary("bait", "another-word-of-nobody")).error().code == ErrorCode::AlreadyExists);
        QVERIFY(b.book.add(canary("other", kText)).error().code == ErrorCode::AlreadyExists);
        QVERIFY(b.book.add(canary("Other")).error().code == ErrorCode::InvalidArgument);
        QVERIFY(b.book.plant("none", {}).error().code == ErrorCode::NotFound);
        QVERIFY(b.book.remove("none").error().code == ErrorCode::NotFound);
        QCOMPARE(changes, 1);
        QCOMPARE(b.book.plant("bait", {"papers/a.txt", {}})->planted, std::string("papers/a.txt"));
        const auto planted = b.book.plant("bait", {{}, "API_KEY"});
        QVERIFY(planted && planted->planted == "papers/a.txt" && planted->variable == "API_KEY");
        QVERIFY(b.book.plant("bait", {"two\nlines", {}}).error().code == ErrorCode::InvalidArgument);
        // Another one of the same variable: for another agent, it is another machine's.
        QVERIFY(b.book.add(canary("second", "another-word-of-nobody", {"bob"})));
        QVERIFY(b.book.plant("second", {{}, "API_KEY"}));
        QVERIFY(b.book.add(canary("third", "the-third-word-of-nobody")));
        QVERIFY(b.book.plant("third", {{}, "API_KEY"}).error().code == ErrorCode::AlreadyExists);
        CanaryBook again(b.file);
        QCOMPARE(again.list()->size(), std::size_t{3});
        QVERIFY(again.list()->at(0).text == kText && again.list()->at(0).variable == "API_KEY" && again.list()->at(0).createdMs == 1'000);
        QCOMPARE(again.of("ann")->size(), std::size_t{2});
        QCOMPARE(again.of("eve")->size(), std::size_t{1});
        QVERIFY(again.remove("bait")->text == kText && again.list()->size() == 2);
        for (std::size_t i = again.list()->size(); i < kMaxCanaries; ++i) {
            QVERIFY(again.add(canary("n" + std::to_string(i), "number-" + std::to_string(100'000 + i))));
        }
        QVERIFY(again.add(canary("more", "one-more-than-there-may-be")).error().code == ErrorCode::LimitExceeded);
    }
    // I5: what cannot be written down does not happen; and nothing is written down of what is refused.
    void writtenDownFirst() {
        BookFolder b;
        std::vector<std::string> before;
        bool full = false;
        const auto note = [&](const Canary& of) -> Status {
            before.push_back(of.name + " " + of.planted + " " + std::to_string(CanaryBook(b.file).list()->size()));
            return full ? fail(ErrorCode::Io, "the disk is full") : Status();
        };
        QVERIFY(b.book.add(canary(), note));
        QVERIFY(!b.book.add(canary(), note) && !b.book.plant("none", {}, note) && !b.book.remove("none", note));
        QVERIFY(b.book.plant("bait", {"a", {}}, note));
        QCOMPARE(before, (std::vector<std::string>{"bait  0", "bait a 1"}));
        full = true;
        int changes = 0;
        b.book.onChange([&] { ++changes; });
        QVERIFY(b.book.add(canary("other", "another-word-of-nobody"), note).error().code == ErrorCode::Io);
        QVERIFY(b.book.plant("bait", {"b", {}}, note).error().code == ErrorCode::Io);
        QVERIFY(b.book.remove("bait", note).error().code == ErrorCode::Io);
        QCOMPARE(before.size(), std::size_t{5});
        CanaryBook again(b.file);
        for (auto* const book : {&b.book, &again}) {
            const auto all = book->list();
            QVERIFY(all->size() == 1 && all->at(0).planted == "a");
        }
        QCOMPARE(changes, 0);
    }
    // Logs tell of its name and of where it is: neither holds its text.
    void whatIsToldHoldsItNot() {
        BookFolder b;
        const std::string word = "kovaridulema-1843";
        const auto code = [](const Result<Canary>& answer) { return answer ? ErrorCode::Internal : answer.error().code; };
        QVERIFY(code(b.book.add(canary("my-" + word, "KOVARIDULEMA-1843"))) == ErrorCode::InvalidArgument);
        auto noted = canary("bait", word);
        noted.planted = "it is Kovaridulema-1843";
        QVERIFY(code(b.book.add(noted)) == ErrorCode::InvalidArgument);
        QVERIFY(b.book.add(canary("bait", word)) && b.book.add(canary("other", "Kovari_Dulema_1843")));
        QVERIFY(code(b.book.plant("bait", {"the text is " + word, {}})) == ErrorCode::InvalidArgument);
        QVERIFY(code(b.book.plant("other", {{}, "KOVARI_DULEMA_1843"})) == ErrorCode::InvalidArgument);
        QVERIFY(b.book.plant("bait", {"the text is there", "KOVARIDULEMA"}));
    }
    void aFileThatCannotBeRead_data() {
        QTest::addColumn<QString>("text");
        QTest::newRow("no JSON") << "{";
        QTest::newRow("a later version") << R"({"schema": 2, "canaries": []})";
        QTest::newRow("what is none") << R"({"schema": 1, "canaries": [1]})";
        QTest::newRow("too short") << R"({"schema": 1, "canaries": [{"name": "a", "text": "short", "agents": [], "planted": "", "created_ms": 1}]})";
        QTest::newRow("a field more") << R"({"schema": 1, "canaries": [], "more": 1})";
    }
    void aFileThatCannotBeRead() {
        QFETCH(QString, text);
        BookFolder b;
        b.write(text.toStdString());
        QVERIFY(!b.book.list() && !b.book.add(canary()) && !b.book.remove("bait"));
        QCOMPARE(b.content(), text.toStdString()); // and is left as it is
    }

    void theClerkIsToldOfItsOwn() {
        World w;
        QVERIFY(w.canaries.book.add(canary()));
        QVERIFY(w.canaries.book.add(canary("bobs", "a-word-for-bob-alone", {"bob"})));
        w.start();
        TRY(w.told() == "bait=" + kText + " ");
        QVERIFY(w.canaries.book.add(canary("anns", "a-word-for-ann-alone", {"ann"})));
        TRY(w.told() == "bait=" + kText + " anns=a-word-for-ann-alone ");
        QVERIFY(w.canaries.book.remove("bait") && w.canaries.book.remove("anns"));
        TRY(w.told() == "");
        // The next clerk is told nothing where there is none.
        w.clerk = std::make_shared<ToldClerk>();
        w.at = w.egress->attach(w.clerk);
        QVERIFY(w.connect(1));
        QVERIFY(!w.told());
    }
    void oneThatLeft() {
        World w;
        QVERIFY(w.canaries.book.add(canary()));
        w.start();
        QVERIFY(w.connect(1));
        QVERIFY(w.left(1));
        TRY(w.alarms() == 1);
        TRY(w.of(1) == "cut a request held a canary");
        QVERIFY(w.egress->live().empty());
        const auto& event = *w.raised[0].event;
        QVERIFY(event.kind == activity::EventKind::CanaryLeft && event.subject == "bait" && event.provenance == activity::Provenance::Host);
        QCOMPARE(event.detail, (json::object{{"alert", true}, {"risk", "high"}, {"host", "here.example"}, {"port", w.there.port()}, {"where", "body"}, {"form", "gzip"}}));
        QCOMPARE(w.raised[0].why, "a request for " + w.thereText() + " held the canary bait");
        QVERIFY((w.raised[0].why + json::serialize(event.detail)).find(kText) == std::string::npos);
        QVERIFY(w.left(1)); // what is said of it later is of nothing that there is
        QVERIFY(w.connect(2) && w.left(2, "bait", "target", "base64"));
        TRY(w.alarms() == 2); // each is one: somebody has let the agent go on meanwhile
    }
    // A clerk that is taken over can raise false alarms: of canaries that there are, one for each connection, at most so many in a log.
    void whatABrokenClerkCanDo() {
        World w;
        QVERIFY(w.canaries.book.add(canary()));
        QVERIFY(w.canaries.book.add(canary("bobs", "a-word-for-bob-alone", {"bob"})));
        w.start();
        QVERIFY(w.left(77)); // there is no such connection, or not any more
        QVERIFY(w.connect(1));
        for (const auto& [where, form] : std::vector<std::pair<std::string, std::string>>{{"nowhere", "plain"}, {"body", "rot13"}, {"", ""}}) {
            const auto told = w.left(1, "bait", where, form);
            QVERIFY(!told && told.error().code == ErrorCode::Malformed);
        }
        QVERIFY(!w.egress->told(w.at, "net.canary", {{"number", 1}, {"request", 1}, {"name", "bait"}, {"where", "body"}, {"form", "plain"}, {"text", kText}}));
        QVERIFY(w.left(1, "bobs")); // it is cut, and nobody is told
        TRY(w.of(1).starts_with("cut"));
        QCOMPARE(w.alarms(), std::size_t{0});
        // Where it sees no requests.
        (void)w.rule(policy::Effect::Allow, "there.example");
        w.resolver->names["there.example"] = {{"127.0.0.1"}};
        (void)w.openThere(2, "there.example");
        TRY_OF(w, 2, "connected raw");
        QVERIFY(w.left(2).error().code == ErrorCode::Malformed);
        for (std::uint64_t number = 10; number < 10 + kMaxAlerts + 5; ++number) {
            QVERIFY(w.connect(number) && w.left(number));
            (void)w.there.accept(); // so that there is room for the next
            TRY(w.alarms() == number - 9);
        }
        const std::lock_guard lock(w.mutex);
        QVERIFY(w.raised[kMaxAlerts - 1].event && !w.raised[kMaxAlerts].event);
        QVERIFY(!w.raised.back().why.empty()); // it is paused all the same
    }
    void twiceIsOnceTooMuch() {
        World w;
        QVERIFY(w.canaries.book.add(canary()));
        w.start();
        QVERIFY(w.connect(1));
        {
            const std::lock_guard lock(w.clerk->mutex);
            w.egress->canariesChanged(); // which its thread cannot say now
            QVERIFY(w.left(1));
            const auto twice = w.left(1);
            QVERIFY(!twice && twice.error().code == ErrorCode::Malformed);
        }
        TRY(w.alarms() == 1);
    }
    void aListThatCannotBeRead() {
        World w;
        w.canaries.write("{");
        w.start();
        TRY([&] {
            const std::lock_guard lock(w.eventsMutex);
            return std::any_of(w.events.begin(), w.events.end(), [](const auto& each) {
                return each.kind == activity::EventKind::EngineNote && each.subject.find("none is looked for") != std::string::npos;
            });
        }());
        QVERIFY(!w.told());
    }
};

QTEST_GUILESS_MAIN(TestCanaries)
#include "test_canaries.moc"
