// SPDX-License-Identifier: Apache-2.0
// Logs as evidence at a whole engine: who signs, when, and how long they are kept.
#include "app/activity/verifier.h"
#include "tests/app/engine/engine_world.h"

#include <QStringList>
#include <QTest>
#include <boost/json.hpp>

#include <atomic>
#include <fstream>

using namespace carrel;
using namespace carrel::engine;
using namespace carrel::engine::test;
namespace json = boost::json;

namespace {

// A keyring that can be locked.
class PlayedKeeper final : public policy::SealKeeper {
public:
    explicit PlayedKeeper(std::shared_ptr<std::atomic<bool>> locked)
        : m_locked(std::move(locked)) {}
    Result<std::optional<Kept>> load() override {
        return *m_locked ? Result<std::optional<Kept>>(fail(ErrorCode::Unavailable, "The keyring is locked", "Unlock it")) : m_kept;
    }
    Status keep(const Kept& kept) override {
        m_kept = kept;
        return {};
    }

private:
    std::shared_ptr<std::atomic<bool>> m_locked;
    std::optional<Kept> m_kept;
};

json::object good(const EngineWorld& w, std::string_view verb, json::object params = {}) {
    params["agent"] = "ann";
    const auto answer = w.ask(verb, std::move(params));
    if (!answer) {
        qFatal("%s", answer.error().text().c_str());
    }
    return answer->as_object();
}

std::string text(const json::object& object, const char* key) {
    return std::string(object.at(key).as_string());
}

} // namespace

class TestLogVerbs : public QObject {
    Q_OBJECT
private slots:
    void aHeadIsHandedOut() {
        EngineWorld w;
        const auto head = good(w, "log.head");
        const auto signedHead = activity::signedHeadFrom(text(head, "head")).value();
        QVERIFY(activity::isGenuine(signedHead) && signedHead.reason == "asked");
        const auto verdict = activity::verifyLog(text(head, "file"), {activity::publicKeyFrom(text(head, "key")).value(), signedHead}).value();
        QVERIFY(!verdict.wrong && verdict.last.seq == signedHead.seq);
        // Its key is in a file that is the owner's alone, and the same for each agent and each engine.
        const auto file = w.folder / "home" / "log.key";
        QCOMPARE(int(std::filesystem::status(file).permissions()), 0600);
        policy::FileSealKeeper keeper(file);
        QCOMPARE(activity::SigningKey::fromSeed(keeper.load().value()->key.bytes).value().publicKey(), signedHead.key);
        QCOMPARE(w.engine->logKeeper().publicKey().value(), signedHead.key);
        QVERIFY(!w.ask("log.head", {{"agent", "nobody"}}));
    }

    // A machine's session ends: what happened in it is signed by then.
    void aSessionsEndIsSigned() {
        EngineWorld w;
        auto agent = w.engine->agent("ann").value();
        w.engine->services().sessionEnded(agent->id(), "1");
        const auto newest = agent->log().newestSignedHead().value();
        QVERIFY(newest && newest->reason == "session" && newest->seq == agent->log().head().seq);
    }

    void aLockedKeyringIsWaitedFor() {
        auto locked = std::make_shared<std::atomic<bool>>(true);
        Engine::Session session;
        session.logKey = std::make_unique<PlayedKeeper>(locked);
        EngineWorld w({"ann"}, std::move(session));
        QStringList complaints;
        w.engine->services().complain = [&](std::string_view line) { complaints << QString::fromUtf8(line.data(), qsizetype(line.size())); };
        auto agent = w.engine->agent("ann").value();
        const auto refused = w.ask("log.head", {{"agent", "ann"}});
        QVERIFY(!refused && refused.error().code == ErrorCode::Unavailable);
        w.engine->services().sessionEnded(agent->id(), "1");
        QCOMPARE(complaints.size(), 1);
        w.engine->logKeeper().lookAfterAll();
        QVERIFY(!agent->log().newestSignedHead().value());
        *locked = false;
        w.engine->logKeeper().lookAfterAll();
        QCOMPARE(agent->log().newestSignedHead().value()->seq, agent->log().head().seq);
        const auto before = agent->log().head().seq;
        w.engine->logKeeper().lookAfterAll(); // there is nothing new
        QCOMPARE(agent->log().head().seq, before);
    }

    void wordsAreFound() {
        EngineWorld w;
        auto agent = w.engine->agent("ann").value();
        for (int i = 0; i < 5; ++i) {
            activity::Event event;
            event.subject = "receipts/monday " + std::to_string(i);
            (void)agent->log().append(event).value();
        }
        auto found = good(w, "log.search", {{"words", "monday"}, {"limit", 2}});
        QCOMPARE(found.at("events").as_array().size(), std::size_t{2});
        QCOMPARE(text(found.at("events").as_array()[0].as_object(), "subject"), std::string("receipts/monday 4"));
        found = good(w, "log.search", {{"words", "monday receipts"}, {"before_seq", found.at("before_seq")}});
        QCOMPARE(found.at("events").as_array().size(), std::size_t{3});
        QVERIFY(found.at("before_seq").is_null());
        QVERIFY(!w.ask("log.search", {{"agent", "ann"}, {"words", " "}}));
        QVERIFY(!w.ask("log.search", {{"agent", "ann"}, {"words", "a"}, {"limit", 1001}}));
    }

    void limitsHold() {
        EngineWorld w;
        auto agent = w.engine->agent("ann").value();
        auto now = good(w, "log.keep");
        QVERIFY(now.at("bytes") == json::value(0) && now.at("age_s") == json::value(0) && now.at("first_seq") == json::value(1));
        std::vector<activity::Event> events;
        for (int i = 0; i < 3000; ++i) {
            activity::Event event;
            event.subject = std::string(1000, 'x');
            event.timeNs = 1;
            events.push_back(event);
        }
        QVERIFY(agent->log().appendUnflushed(std::move(events)));
        for (const auto& wrong : {json::object{{"bytes", 1000}}, json::object{{"age_s", 60}}, json::object{{"bytes", -1}}, json::object{{"age_s", 1e12}}}) {
            auto params = wrong;
            params["agent"] = "ann";
            QVERIFY(!w.ask("log.keep", params));
        }
        now = good(w, "log.keep", {{"bytes", 2'000'000}});
        QVERIFY(now.at("size").to_number<std::uint64_t>() <= 2'000'000 && now.at("first_seq").to_number<std::uint64_t>() > 1000);
        const auto kept = agent->log().query({{}, {activity::EventKind::LogKept}}).value();
        QCOMPARE(kept.size(), std::size_t{1});
        now = good(w, "log.keep", {{"age_s", 24 * 3600}}); // the other stays
        QVERIFY(now.at("bytes") == json::value(2'000'000));
        QVERIFY(now.at("first_seq").to_number<std::uint64_t>() > 3000); // those were of 1970
        const auto head = good(w, "log.head");
        const auto verdict = activity::verifyLog(text(head, "file"), {activity::publicKeyFrom(text(head, "key")).value(), {}}).value();
        QVERIFY2(!verdict.wrong, verdict.wrong ? verdict.wrong->error.text().c_str() : "");
        QVERIFY(verdict.cut);
        // Another engine goes by them.
        QCOMPARE(LogKeeper::limitsOf(w.folder / "home" / "agents" / agent->id()).value(), (LogLimits{2'000'000, 24 * 3600}));
        now = good(w, "log.keep", {{"bytes", 0}, {"age_s", 0}});
        QVERIFY(now.at("bytes") == json::value(0));
    }

    // What cannot be read keeps everything, and is said; setting it anew mends it.
    void limitsThatCannotBeReadLeaveNothingOut() {
        EngineWorld w;
        QStringList complaints;
        auto agent = w.engine->agent("ann").value();
        const auto file = w.folder / "home" / "agents" / agent->id() / "log-limits.json";
        for (const char* bad : {"", "{", R"({"version":2,"bytes":0,"age_s":0})", R"({"version":1,"bytes":5,"age_s":0})", R"({"version":1,"bytes":0,"age_s":0,"more":1})"}) {
            std::ofstream(file) << bad;
            QVERIFY2(!LogKeeper::limitsOf(file.parent_path()), bad);
            QVERIFY(!w.ask("log.keep", {{"agent", "ann"}}));
        }
        const auto before = agent->log().size().value().first;
        w.engine->logKeeper().lookAfterAll();
        QCOMPARE(agent->log().size().value().first, before);
        (void)good(w, "log.keep", {{"bytes", 0}});
        QVERIFY(LogKeeper::limitsOf(file.parent_path()));
    }

    void aClientMayNot() {
        EngineWorld w;
        auto client = w.connected(w.token("editor", "ann")).value();
        for (const char* verb : {"log.head", "log.search", "log.keep"}) {
            const auto answer = client.call(verb, {{"agent", "ann"}, {"words", "a"}});
            QVERIFY(!answer && answer.error().code == ErrorCode::Refused);
        }
    }
};

QTEST_GUILESS_MAIN(TestLogVerbs)
#include "test_log_verbs.moc"
