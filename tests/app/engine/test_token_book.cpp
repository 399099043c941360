// SPDX-License-Identifier: Apache-2.0
// The clients' tokens: which one is good, for how long, and what is kept of them.
#include "app/engine/clients.h"

#include <QTemporaryDir>
#include <QTest>

#include <fstream>
#include <iterator>
#include <sys/stat.h>
#include <unistd.h>

using namespace carrel;
using namespace carrel::engine;
using namespace std::chrono_literals;
namespace fs = std::filesystem;
namespace json = boost::json;

namespace {

Status noted() {
    return {};
}

struct BookWorld {
    QTemporaryDir dir{"/tmp/carrel-tokens-XXXXXX"};
    fs::path folder = dir.path().toStdString();
    fs::path file = folder / "tokens.json";
    std::shared_ptr<std::atomic<std::int64_t>> now = std::make_shared<std::atomic<std::int64_t>>(1'800'000'000); // seconds
    std::unique_ptr<TokenBook> book = fresh();

    [[nodiscard]] TokenBook::Clock clock() const {
        return [now = now] { return std::chrono::system_clock::time_point(std::chrono::seconds(now->load())); };
    }
    [[nodiscard]] std::unique_ptr<TokenBook> fresh() const { return std::make_unique<TokenBook>(file, clock()); }
    Result<TokenBook::Made> make(const std::string& name, std::chrono::seconds time = 1h) const {
        return book->create(name, {{"0123456789abcdef", "ann"}}, time, noted);
    }
    [[nodiscard]] std::string content() const {
        std::ifstream in(file);
        return {std::istreambuf_iterator<char>(in), {}};
    }
    void write(const std::string& text) const {
        std::ofstream out(file, std::ios::trunc);
        out << text;
    }
};

ErrorCode codeOf(const Result<api::Admission>& admission) {
    return admission ? ErrorCode::Internal : admission.error().code;
}

} // namespace

class TestTokenBook : public QObject {
    Q_OBJECT
private slots:
    void isToldOnceAndKeptAsAHash() {
        BookWorld w;
        const auto made = w.make("editor");
        QVERIFY(made);
        QVERIFY(api::isTokenForm(made->token));
        const auto other = w.make("other");
        QVERIFY(other && other->token != made->token);
        struct stat info {};
        QCOMPARE(::stat(w.file.c_str(), &info), 0);
        QCOMPARE(int(info.st_mode & 0777), 0600);
        const auto kept = w.content();
        QVERIFY(kept.find(made->token.substr(api::kTokenPrefix.size())) == std::string::npos);
        QVERIFY(kept.find(files::Sha256::of(made->token).hex()) != std::string::npos);
        auto again = w.fresh(); // the next engine
        QVERIFY(again->load());
        const auto in = again->admit(made->token);
        QVERIFY(in);
        QVERIFY(in->caller.role == api::Role::Client);
        QCOMPARE(in->caller.client, std::string("editor"));
        QCOMPARE(in->caller.agents, std::vector<std::string>{"0123456789abcdef"});
        QVERIFY(!in->caller.isOwner() && in->caller.mayReach("0123456789abcdef") && !in->caller.mayReach("ann"));
        const auto list = again->list();
        QVERIFY(list && list->size() == 2);
        QCOMPARE(list->at(0).connections, std::size_t(1));
        QVERIFY(list->at(0).usedMs && !list->at(1).usedMs);
    }

    void theRightOneAlone() {
        BookWorld w;
        const auto made = w.make("editor");
        const auto good = made->token;
        for (std::size_t i = 0; i < good.size(); ++i) {
            auto wrong = good;
            wrong[i] = wrong[i] == '0' ? '1' : '0';
            QVERIFY(codeOf(w.book->admit(wrong)) == ErrorCode::Refused);
        }
        for (const auto& wrong : {std::string(), good.substr(1), good + "0", good + std::string(1, '\0'), std::string(1'000'000, 'a'),
                                  files::Sha256::of(good).hex()}) {
            QVERIFY(codeOf(w.book->admit(wrong)) == ErrorCode::Refused);
        }
        QVERIFY(w.book->admit(good));
    }

    void endsWithItsTime() {
        BookWorld w;
        const auto made = w.make("editor", 1h);
        const auto in = w.book->admit(made->token);
        QVERIFY(in && !in->caller.ends.stop_requested());
        *w.now += 3599;
        QVERIFY(w.book->endWhatIsOver().has_value());
        QVERIFY(!in->caller.ends.stop_requested());
        *w.now += 1;
        QVERIFY(!w.book->endWhatIsOver().has_value());
        QVERIFY(in->caller.ends.stop_requested());
        QVERIFY(codeOf(w.book->admit(made->token)) == ErrorCode::Expired); // not the same as refused (I7)
        QVERIFY(w.book->list()->at(0).ended);
        auto again = w.fresh();
        QVERIFY(again->load() && codeOf(again->admit(made->token)) == ErrorCode::Expired);
        QVERIFY(w.make("editor")); // its name is free again
        QVERIFY(codeOf(w.book->admit(made->token)) == ErrorCode::Refused);
    }

    // The engine's own thread, with a clock that is set.
    void endsWithoutBeingAsked() {
        BookWorld w;
        std::vector<std::string> told;
        Clients clients(w.file, [&](std::string_view line) { told.emplace_back(line); }, w.clock());
        const auto made = clients.create("editor", {{"0123456789abcdef", "ann"}}, 60s, noted);
        QVERIFY(made);
        const auto gate = clients.gate("/nowhere");
        const auto in = gate.admit(made->token);
        QVERIFY(in);
        *w.now += 60;
        clients.lookAtTheClock();
        QVERIFY(in->caller.ends.stop_requested());
        for (int i = 0; i < 1000; ++i) { // one line, not a thousand, and nothing of the token in it
            QVERIFY(codeOf(gate.admit(std::string(api::kTokenPrefix) + std::string(64, 'd'))) == ErrorCode::Refused);
        }
        QCOMPARE(told.size(), std::size_t(1));
        QVERIFY(told[0].find("dddd") == std::string::npos);
    }

    void aClockSetBackLengthensNothing() {
        BookWorld w;
        const auto made = w.make("editor", 60s);
        QVERIFY(w.book->admit(made->token));
        *w.now -= 24 * 3600;
        const auto in = w.book->admit(made->token);
        QVERIFY(codeOf(in) == ErrorCode::Unavailable);
        QVERIFY(in.error().message.find("clock") != std::string::npos);
        *w.now += 24 * 3600;
        QVERIFY(w.book->admit(made->token));
    }

    void revokedIsOver() {
        BookWorld w;
        const auto made = w.make("editor");
        const auto other = w.make("other");
        const auto in = w.book->admit(made->token);
        const auto stays = w.book->admit(other->token);
        QVERIFY(w.book->revoke("editor"));
        QVERIFY(in->caller.ends.stop_requested() && !stays->caller.ends.stop_requested());
        QVERIFY(codeOf(w.book->admit(made->token)) == ErrorCode::Refused);
        QVERIFY(w.book->revoke("editor").error().code == ErrorCode::NotFound);
        auto again = w.fresh();
        QVERIFY(again->load());
        QVERIFY(codeOf(again->admit(made->token)) == ErrorCode::Refused && again->admit(other->token));
    }

    void whatMayNotBe_data() {
        QTest::addColumn<QString>("name");
        QTest::addColumn<int>("seconds");
        QTest::addColumn<int>("agents");
        QTest::newRow("no name") << "" << 60 << 1;
        QTest::newRow("capital") << "Editor" << 60 << 1;
        QTest::newRow("blank") << "a b" << 60 << 1;
        QTest::newRow("too long") << QString(33, 'a') << 60 << 1;
        QTest::newRow("escape") << "a\x1b[2J" << 60 << 1;
        QTest::newRow("the owner") << "owner" << 60 << 1;
        QTest::newRow("auto") << "auto" << 60 << 1;
        QTest::newRow("a rule") << "rule" << 60 << 1;
        QTest::newRow("too short") << "editor" << 59 << 1;
        QTest::newRow("no time") << "editor" << 0 << 1;
        QTest::newRow("more than a year") << "editor" << 365 * 86400 + 1 << 1;
        QTest::newRow("for nobody") << "editor" << 60 << 0;
        QTest::newRow("for too many") << "editor" << 60 << 65;
    }
    void whatMayNotBe() {
        QFETCH(QString, name);
        QFETCH(int, seconds);
        QFETCH(int, agents);
        BookWorld w;
        const std::vector<TokenAgent> wanted(std::size_t(agents), {"0123456789abcdef", "ann"});
        bool recorded = false;
        const auto made = w.book->create(name.toStdString(), wanted, std::chrono::seconds(seconds), [&]() -> Status {
            recorded = true;
            return {};
        });
        QVERIFY(!made && made.error().code == ErrorCode::InvalidArgument);
        QVERIFY(!recorded && !fs::exists(w.file));
    }

    void bounds() {
        BookWorld w;
        std::vector<std::string> tokens;
        for (std::size_t i = 0; i < kMaxTokens; ++i) {
            auto made = w.make("c" + std::to_string(i), i == 0 ? 60s : 3600s);
            QVERIFY(made);
            tokens.push_back(made->token);
        }
        QVERIFY(w.make("c1").error().code == ErrorCode::AlreadyExists);
        QVERIFY(w.make("more").error().code == ErrorCode::LimitExceeded);
        QCOMPARE(w.book->list()->size(), kMaxTokens);
        *w.now += 60;
        QVERIFY(w.make("more")); // one has ended
        QVERIFY(w.make("again").error().code == ErrorCode::LimitExceeded);
        std::vector<api::Admission> places;
        for (std::size_t i = 0; i < api::kMaxConnectionsPerToken; ++i) {
            auto in = w.book->admit(tokens[1]);
            QVERIFY(in);
            places.push_back(std::move(*in));
        }
        QVERIFY(codeOf(w.book->admit(tokens[1])) == ErrorCode::LimitExceeded);
        QVERIFY(w.book->admit(tokens[2])); // another's place
        places.pop_back();
        QVERIFY(w.book->admit(tokens[1]));
    }

    // I5: what cannot be recorded does not happen; what takes away does.
    void withoutARecordNoToken() {
        BookWorld w;
        const auto made = w.book->create("editor", {{"0123456789abcdef", "ann"}}, 1h,
                                         []() -> Status { return fail(ErrorCode::Io, "the disk is full"); });
        QVERIFY(!made && !fs::exists(w.file));
        QVERIFY(w.book->list()->empty());
    }
    void theDiskFails() {
        if (::geteuid() == 0) {
            QSKIP("root may write anywhere");
        }
        BookWorld w;
        const auto made = w.make("editor");
        const auto in = w.book->admit(made->token);
        QVERIFY(in);
        ::chmod(w.folder.c_str(), 0500);
        QVERIFY(!w.make("other"));
        QCOMPARE(w.book->list()->size(), std::size_t(1));
        const auto revoked = w.book->revoke("editor");
        QVERIFY(!revoked && revoked.error().message.find("has ended") != std::string::npos);
        QVERIFY(in->caller.ends.stop_requested());
        QVERIFY(codeOf(w.book->admit(made->token)) == ErrorCode::Refused);
        ::chmod(w.folder.c_str(), 0700);
        QVERIFY(w.book->revoke("editor")); // repeated, it is for good
        auto again = w.fresh();
        QVERIFY(again->load() && codeOf(again->admit(made->token)) == ErrorCode::Refused);
    }

    // A book that cannot be read lets nobody in, and nothing is written over it.
    void whatCannotBeReadLetsNobodyIn_data() {
        QTest::addColumn<QByteArray>("from");
        QTest::addColumn<QByteArray>("to");
        QTest::newRow("newer") << QByteArray("\"version\":1") << QByteArray("\"version\":2");
        QTest::newRow("unknown field") << QByteArray("\"version\":1") << QByteArray("\"version\":1,\"admin\":true");
        QTest::newRow("no end") << QByteArray("\"ends_ms\"") << QByteArray("\"end_ms\"");
        QTest::newRow("far end") << QByteArray("\"ends_ms\":1") << QByteArray("\"ends_ms\":9");
        QTest::newRow("no hash") << QByteArray("\"sha256\":\"") << QByteArray("\"sha256\":\"x");
        QTest::newRow("owner") << QByteArray("\"name\":\"editor\"") << QByteArray("\"name\":\"owner\"");
        QTest::newRow("two of one name") << QByteArray("\"name\":\"editor\"") << QByteArray("\"name\":\"other\"");
        QTest::newRow("cut short") << QByteArray("]}") << QByteArray("");
    }
    void whatCannotBeReadLetsNobodyIn() {
        QFETCH(QByteArray, from);
        QFETCH(QByteArray, to);
        BookWorld w;
        const auto made = w.make("editor");
        const auto other = w.make("other");
        QVERIFY(made && other);
        auto text = QByteArray::fromStdString(w.content());
        QVERIFY(text.contains(from));
        w.write(text.replace(from, to).toStdString());
        const auto damaged = w.content();
        auto again = w.fresh();
        QVERIFY(!again->load());
        QVERIFY(!again->admit(made->token) && !again->admit(other->token));
        QVERIFY(!again->list());
        QVERIFY(!again->create("new", {{"0123456789abcdef", "ann"}}, 1h, noted));
        QVERIFY(!again->revoke("editor"));
        QCOMPARE(w.content(), damaged);
    }
};

QTEST_GUILESS_MAIN(TestTokenBook)
#include "test_token_book.moc"
