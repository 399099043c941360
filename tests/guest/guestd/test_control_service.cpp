// SPDX-License-Identifier: Apache-2.0
// The control channel end to end, with shares and a machine that only take notes.
#include "guest/guestd/control_service.h"
#include "guest/protocol/control.h"
#include "tests/guest/guestd/channel_pair.h"
#include "tests/support/authority_certificates.h"

#include <QTest>
#include <boost/json.hpp>

#include <algorithm>
#include <mutex>
#include <set>
#include <thread>

namespace json = boost::json;
using namespace carrel;
using namespace carrel::guestd;
using namespace carrel::test;

namespace {

class FakeContent final : public StagedContent {
public:
    explicit FakeContent(std::size_t size, bool changes)
        : m_size(size)
        , m_changes(changes) {}
    [[nodiscard]] std::uint64_t size() const override { return m_size; }
    [[nodiscard]] Result<Bytes> read(std::size_t max) override {
        const std::size_t take = std::min(max, m_size - m_done);
        m_done += take;
        return Bytes(take, std::byte{'c'});
    }
    [[nodiscard]] Status stillTheSame() override {
        return m_changes ? Status(fail(ErrorCode::Conflict, "it changed")) : Status();
    }

private:
    std::size_t m_size;
    bool m_changes;
    std::size_t m_done = 0;
};

class FakeShares final : public ShareMounts {
public:
    std::vector<ShareSpec> present;
    std::vector<EntryRef> settled;
    std::set<std::uint32_t> goneAtTheHost; // when it was removed
    std::set<std::uint32_t> stuck; // neither comes nor goes

    [[nodiscard]] std::vector<ShareSpec> mounted() const override { return present; }
    [[nodiscard]] Status add(const ShareSpec& share) override {
        if (std::any_of(present.begin(), present.end(), [&](const auto& one) { return one.id == share.id; })) {
            return fail(ErrorCode::AlreadyExists, "it is there already");
        }
        if (stuck.contains(share.id)) {
            return fail(ErrorCode::Unavailable, "the share of before is still in use");
        }
        present.push_back(share);
        return {};
    }
    [[nodiscard]] Status remove(std::uint32_t id, Host host) override {
        if (host == Host::Gone) {
            goneAtTheHost.insert(id);
        }
        if (stuck.contains(id)) {
            return fail(ErrorCode::Io, "no space is left");
        }
        const auto gone = std::erase_if(present, [id](const auto& share) { return share.id == id; });
        return gone > 0 ? Status() : Status(fail(ErrorCode::NotFound, "no such share"));
    }
    [[nodiscard]] Result<ChangePage> changes(std::uint32_t, const SharePath&, std::size_t limit) override {
        ChangePage page;
        for (std::size_t i = 0; i < limit; ++i) { // the longest paths there are
            std::string path;
            for (int part = 0; part < 15; ++part) {
                path += std::string(250, static_cast<char>('\x80' + i % 100)) + "/";
            }
            ChangeEntry entry;
            entry.path = *SharePath::parse(path + std::to_string(1000 + i));
            page.entries.push_back(entry);
        }
        page.staged = limit;
        return page;
    }
    [[nodiscard]] Result<std::unique_ptr<StagedContent>> content(std::uint32_t, const SharePath& path,
                                                                 std::uint64_t generation) override {
        if (path.text() == "gone") {
            return fail(ErrorCode::Conflict, "another generation");
        }
        return std::unique_ptr<StagedContent>(
            std::make_unique<FakeContent>(generation, path.text() == "changes"));
    }
    [[nodiscard]] Result<std::vector<SharePath>> settle(std::uint32_t,
                                                        const std::vector<EntryRef>& entries) override {
        settled = entries;
        return std::vector<SharePath>{*SharePath::parse("kept\xff")};
    }
    [[nodiscard]] Result<std::vector<SharePath>> discard(std::uint32_t,
                                                         const std::vector<EntryRef>&) override {
        return std::vector<SharePath>{};
    }
};

class FakeMachine final : public MachineControl {
public:
    std::vector<std::string> notes;
    std::atomic<bool> off = false;
    [[nodiscard]] Status setClock(std::chrono::nanoseconds time) override {
        notes.push_back("clock " + std::to_string(time.count()));
        return {};
    }
    [[nodiscard]] std::string bootId() override { return "boot-1"; }
    [[nodiscard]] Status adoptAgent(const std::string& name) override {
        notes.push_back("agent " + name);
        return {};
    }
    bool diskIsFull = false;
    [[nodiscard]] Status trust(const AuthorityCertificate& authority) override {
        notes.push_back("trust " + authority.nameHash);
        return diskIsFull ? Status(fail(ErrorCode::Io, "writing the certificate: no space")) : Status();
    }
    [[nodiscard]] Status expectPolicy() override {
        notes.push_back("programs follow");
        return {};
    }
    [[nodiscard]] Status takePolicy(const ProgramsPolicyCall& part) override {
        notes.push_back("policy " + std::to_string(part.part));
        return {};
    }
    void talk(talk::Call call, AgentAnswer answer) override {
        const auto text = std::string(talk::methodOf(call)) + " " + json::serialize(talk::paramsOf(call));
        const std::lock_guard lock(mutex);
        said.push_back({text, std::move(answer)});
        if (!std::holds_alternative<talk::Updates>(call)) {
            said.back().second(json::object{{"said", text}});
        }
    }
    void watch(const watch::Ask& ask, AgentAnswer answer) override {
        const std::lock_guard lock(mutex);
        said.push_back({"watch " + std::to_string(ask.after), std::move(answer)});
    }
    // Answered when the test says so: those that wait for the agent.
    std::mutex mutex;
    std::vector<std::pair<std::string, AgentAnswer>> said;
    [[nodiscard]] Status takeCommands() override {
        notes.push_back("commands");
        return {};
    }
    void endAgent() override { notes.push_back("agent ended"); }
    [[nodiscard]] Status settleDown() override {
        notes.push_back("settled down");
        return {};
    }
    void powerOff() override { off = true; }
    void stage(std::string_view name) override { notes.push_back("stage " + std::string(name)); }
};

} // namespace

class TestControlService : public QObject {
    Q_OBJECT

private slots:
    void init();
    void cleanup();
    void helloBringsSharesInLine();
    void anAuthorityIsTrustedFirst();
    void aPolicyOfPrograms();
    void anAuthorityThatCannotBeTrusted();
    void oneShareHoldsUpNoOther();
    void nothingBeforeHello();
    void badMessagesAreSurvived();
    void longPagesAreCut();
    void contentArrivesWholeOrNotAtAll();
    void cancelledContentEndsWhileTheHostReadsNothing();
    void keptPathsMayBeAnyBytes();
    void newEpochForgetsTheGreeting();
    void powerOffAnswersFirst();
    void powerOffTellsWhatIsStaged();
    void questionsGoOutOnceItIsGreeted();
    void whatIsSaidToTheAgent();
    void whoWaitsForTheAgentHoldsUpNobody();

private:
    json::object ask(std::uint64_t id, const std::string& method, json::object params);
    json::object answerTo(std::uint64_t id);
    static json::object helloFor(const json::array& shares) {
        return {{"version", control::kProtocolVersion},
                {"capabilities", json::array{}},
                {"realtime_ns", 42},
                {"agent", {{"id", "a"}, {"name", "desk"}}},
                {"shares", shares}};
    }
    bool greet(const json::array& shares = {}) { return ask(1, "hello", helloFor(shares)).contains("result"); }

    FakeShares m_shares;
    FakeMachine m_machine;
    std::unique_ptr<ControlService> m_service;
    std::unique_ptr<ChannelPair> m_control, m_files;
};

void TestControlService::init() {
    m_shares = {};
    m_machine.notes.clear();
    m_machine.said.clear();
    m_machine.off = false;
    m_machine.diskIsFull = false;
    m_service = std::make_unique<ControlService>(m_shares, m_machine);
    m_control = std::make_unique<ChannelPair>(
        [](std::uint32_t) { return StreamKind::Messages; },
        Channel::Options{"control", ControlService::accept,
                         [this](ChannelEvent&& event) { m_service->handle(std::move(event)); }});
    m_files = std::make_unique<ChannelPair>(
        [](std::uint32_t id) {
            return id >= control::kFirstContentStream ? StreamKind::Bytes : StreamKind::Messages;
        },
        Channel::Options{"files", [](std::uint32_t) { return std::optional<StreamKind>(); },
                         [](ChannelEvent&&) {}});
    m_service->start(*m_control->channel, *m_files->channel);
    QVERIFY(m_control->channel->start().has_value());
    QVERIFY(m_files->channel->start().has_value());
    QVERIFY(m_control->open() && m_files->open());
}

void TestControlService::cleanup() {
    m_control->channel->stop();
    m_files->channel->stop();
    m_service.reset();
}

json::object TestControlService::answerTo(std::uint64_t id) {
    json::object found;
    m_control->until([&] {
        for (const auto& piece : m_control->streams[control::kRpcStream].pieces) {
            auto object =
                json::parse({piece.constData(), static_cast<std::size_t>(piece.size())}).as_object();
            if (object.contains("id") && object["id"].to_number<std::uint64_t>() == id) {
                found = std::move(object);
                return true;
            }
        }
        return false;
    });
    return found;
}

json::object TestControlService::ask(std::uint64_t id, const std::string& method, json::object params) {
    m_control->mux().openStream(control::kRpcStream, StreamKind::Messages);
    const auto sent = m_control->mux().sendMessage(
        control::kRpcStream, asBytes(toText(RpcRequest{id, method, std::move(params)})));
    return sent ? answerTo(id) : json::object();
}

void TestControlService::helloBringsSharesInLine() {
    m_shares.present = {
        {1, "old", ShareMode::Review}, {2, "same", ShareMode::Review}, {3, "mode", ShareMode::Review}};
    QVERIFY(greet({{{"id", 2}, {"name", "same"}, {"mode", "review"}},
                   {{"id", 3}, {"name", "mode"}, {"mode", "read-only"}},
                   {{"id", 4}, {"name", "new"}, {"mode", "review"}}}));
    const std::vector<ShareSpec> expected{
        {2, "same", ShareMode::Review}, {3, "mode", ShareMode::ReadOnly}, {4, "new", ShareMode::Review}};
    QVERIFY(m_shares.present == expected);
    QVERIFY(m_shares.goneAtTheHost == std::set<std::uint32_t>{1}); // the other is only served in another way
    const std::vector<std::string> notes{"clock 42",    "stage guestd", "agent desk",
                                         "stage agent", "stage shares", "commands",
                                         "stage ready"}; // no command before the shares are there
    QVERIFY(m_machine.notes == notes);
}

// Before commands are taken, and before the answer.
void TestControlService::anAuthorityIsTrustedFirst() {
    auto hello = helloFor({{{"id", 1}, {"name", "papers"}, {"mode", "review"}}});
    hello["authority"] = toJson(authorityOfAda());
    QVERIFY(ask(1, "hello", hello).contains("result"));
    const std::vector<std::string> notes{"clock 42",       "stage guestd", "agent desk", "stage agent",
                                         "trust 3a5a69f0", "stage shares", "commands",   "stage ready"};
    QVERIFY(m_machine.notes == notes);
    hello["authority"] = toJson(authorityOfBob()).at("name_hash");
    QVERIFY(ask(2, "hello", hello).contains("error"));
    QVERIFY(m_machine.notes == notes); // nothing is done that is half understood
}

// A hello that says it follows; and its parts, in the order in which they came.
void TestControlService::aPolicyOfPrograms() {
    auto hello = helloFor({});
    hello["programs_follow"] = true;
    QVERIFY(ask(1, "hello", hello).contains("result"));
    for (std::uint64_t part = 0; part < 3; ++part) {
        QVERIFY(ask(part + 2, "programs.policy",
                    {{"mode", "deny"}, {"unknown", "refuse"}, {"age", 1}, {"deny", json::array{}}, {"allow", json::array{}}, {"part", part}, {"last", part == 2}})
                    .contains("result"));
    }
    const std::vector<std::string> notes{"clock 42", "stage guestd", "agent desk", "stage agent", "programs follow", "stage shares",
                                         "commands", "stage ready",  "policy 0",   "policy 1",    "policy 2"};
    QVERIFY(m_machine.notes == notes);
}

// The agent gets ready all the same, and the host hears of it.
void TestControlService::anAuthorityThatCannotBeTrusted() {
    m_machine.diskIsFull = true;
    auto hello = helloFor({});
    hello["authority"] = toJson(authorityOfAda());
    QVERIFY(ask(1, "hello", hello).contains("result"));
    QVERIFY(m_machine.notes.back() == "stage ready");
    std::string told;
    for (const auto& piece : m_control->streams[control::kRpcStream].pieces) {
        const auto object = json::parse({piece.constData(), static_cast<std::size_t>(piece.size())}).as_object();
        if (object.contains("method") && object.at("method") == "log") {
            told = json::serialize(object.at("params"));
        }
    }
    QVERIFY2(told.find("warning") != std::string::npos && told.find("no space") != std::string::npos, told.c_str());
}

// What could not be done is told; the rest is done, and commands are taken.
void TestControlService::oneShareHoldsUpNoOther() {
    m_shares.present = {{1, "full", ShareMode::Review}, {2, "old", ShareMode::Review}, {3, "mode", ShareMode::Review}};
    m_shares.stuck = {1, 3, 4};
    const json::array wanted{{{"id", 3}, {"name", "mode"}, {"mode", "read-only"}},
                             {{"id", 4}, {"name", "before"}, {"mode", "review"}},
                             {{"id", 5}, {"name", "new"}, {"mode", "review"}}};
    const auto answer = ask(1, "hello", helloFor(wanted));
    const auto text = json::serialize(answer);
    QVERIFY2(answer.contains("result"), text.c_str());
    const auto& failed = answer.at("result").at("shares_failed").as_array();
    QCOMPARE(failed.size(), std::size_t{3});
    const auto is = [&](std::size_t at, std::uint32_t share, const char* why, bool passing) {
        const auto& one = failed.at(at);
        return one.at("share") == json::value(share) && one.at("passing") == json::value(passing) &&
               one.at("why").as_string().find(why) != std::string::npos;
    };
    QVERIFY2(is(0, 1, "no space", false) && is(1, 3, "no space", false) && is(2, 4, "still in use", true), text.c_str());
    QVERIFY2(text.find("already") == std::string::npos, text.c_str()); // told what the matter is, not what follows from it
    const std::vector<ShareSpec> half{
        {1, "full", ShareMode::Review}, {3, "mode", ShareMode::Review}, {5, "new", ShareMode::Review}};
    QVERIFY(m_shares.present == half);
    QVERIFY(std::count(m_machine.notes.begin(), m_machine.notes.end(), "commands") == 1);
    m_shares.stuck.clear();
    const auto again = ask(2, "hello", helloFor(wanted));
    QVERIFY(again.contains("result") && again.at("result").at("shares_failed").as_array().empty());
    QCOMPARE(m_shares.present.size(), std::size_t{3});
}

void TestControlService::nothingBeforeHello() {
    QVERIFY(
        ask(5, "share.add", {{"share", {{"id", 1}, {"name", "x"}, {"mode", "review"}}}}).contains("error"));
    QVERIFY(m_shares.present.empty());
}

void TestControlService::badMessagesAreSurvived() {
    m_control->mux().openStream(control::kRpcStream, StreamKind::Messages);
    for (const char* text :
         {"{", "[]", "null", R"({"jsonrpc":"2.0","id":3,"result":{}})", R"({"jsonrpc":"1.0"})"}) {
        QVERIFY(m_control->mux().sendMessage(control::kRpcStream, asBytes(text)).has_value());
    }
    QVERIFY(greet());
    QVERIFY(ask(9, "hello", {}).contains("error"));
    QVERIFY(ask(10, "clock", {{"realtime_ns", 7}}).contains("result"));
}

void TestControlService::longPagesAreCut() {
    QVERIFY(greet());
    const auto answer = ask(2, "changes.list", {{"share", 1}, {"after", ""}, {"limit", 200}});
    const auto& result = answer.at("result").as_object();
    const auto count = result.at("entries").as_array().size();
    QVERIFY(count > 0 && count < 200);
    QVERIFY(result.contains("next_b64"));
}

void TestControlService::contentArrivesWholeOrNotAtAll() {
    QVERIFY(greet());
    const auto send = [&](std::uint64_t id, const char* path, std::uint32_t stream, std::uint64_t max) {
        return ask(
            id, "content.send",
            {{"share", 1}, {"path", path}, {"generation", 3'000'000}, {"stream", stream}, {"max", max}});
    };
    const std::uint32_t first = control::kFirstContentStream;
    m_control->mux().openStream(control::kRpcStream, StreamKind::Messages);
    QVERIFY(m_control->mux()
                .sendMessage(control::kRpcStream, asBytes(toText(RpcRequest{2,
                                                                            "content.send",
                                                                            {{"share", 1},
                                                                             {"path", "a"},
                                                                             {"generation", 3'000'000},
                                                                             {"stream", first},
                                                                             {"max", 4'000'000}}})))
                .has_value());
    QVERIFY(m_control->until([] { return true; })); // on its way
    QVERIFY(m_files->until([&] { return m_files->streams[first].ended; }));
    QCOMPARE(m_files->streams[first].bytes.size(), 3'000'000);
    QVERIFY(answerTo(2).contains("result"));
    QVERIFY(send(3, "gone", first + 1, 4'000'000).contains("error"));
    QVERIFY(send(4, "a", first + 2, 100).contains("error"));
    // A stream that never began is not reset either: the answer on the control channel is the word.
    QVERIFY(m_files->streams[first + 2].bytes.isEmpty() && !m_files->streams[first + 2].ended);
}

void TestControlService::cancelledContentEndsWhileTheHostReadsNothing() {
    QVERIFY(greet());
    const std::uint32_t stream = control::kFirstContentStream;
    m_files->streams[stream].stalled = true;
    const auto send = [&](std::optional<std::uint64_t> id, const char* method, json::object params) {
        return m_control->mux()
            .sendMessage(control::kRpcStream, asBytes(toText(RpcRequest{id, method, std::move(params)})))
            .has_value();
    };
    QVERIFY(send(
        2, "content.send",
        {{"share", 1}, {"path", "a"}, {"generation", 30'000'000}, {"stream", stream}, {"max", 40'000'000}}));
    QVERIFY(m_control->until([] { return true; }));
    QVERIFY(m_files->until([&] { return m_files->streams[stream].bytes.size() >= kInitialWindow; }));
    QVERIFY(send({}, "cancel", {{"id", 2}}));
    const auto answer = answerTo(2);
    QVERIFY(answer.at("error").as_object().at("data").as_object().at("kind") == "cancelled");
    QVERIFY(m_files->until([&] { return m_files->streams[stream].reset; }));
}

void TestControlService::keptPathsMayBeAnyBytes() {
    QVERIFY(greet());
    const auto answer =
        ask(2, "changes.settle", {{"share", 1}, {"entries", {{{"path", "x"}, {"generation", 4}}}}});
    const auto& kept = answer.at("result").as_object().at("kept").as_array();
    QCOMPARE(kept.size(), 1U);
    QVERIFY(kept[0].as_object().contains("path_b64"));
    QCOMPARE(m_shares.settled.at(0).generation, 4U);
}

void TestControlService::newEpochForgetsTheGreeting() {
    QVERIFY(greet());
    m_control->begin();
    QVERIFY(m_control->open());
    QVERIFY(ask(2, "clock", {{"realtime_ns", 7}}).contains("error"));
    QVERIFY(greet());
}

void TestControlService::powerOffAnswersFirst() {
    QVERIFY(greet());
    QVERIFY(ask(2, "power.off", {}).contains("result"));
    QTRY_VERIFY_WITH_TIMEOUT(m_machine.off, 60'000);
}

void TestControlService::whatIsSaidToTheAgent() {
    QVERIFY(ask(2, "agent.stop", {{"run", 1}}).contains("error")); // hello comes first
    QVERIFY(m_machine.said.empty());
    QVERIFY(greet());
    const json::object start{{"run", 1}, {"argv", {"agent"}}, {"env", json::object()}, {"cwd", "/"}};
    QCOMPARE(ask(3, "agent.start", start).at("result").at("said"), json::value("agent.start " + json::serialize(start)));
    QVERIFY(ask(4, "agent.prompt", {{"run", 1}, {"turn", 1}, {"text", "hello"}, {"files", json::array()}}).contains("result"));
    QVERIFY(ask(5, "agent.cancel", {{"run", 1}}).contains("result"));
    QVERIFY(ask(6, "agent.permit", {{"run", 1}, {"request", 1}, {"option", "yes"}}).contains("result"));
    QVERIFY(ask(7, "agent.mode", {{"run", 1}, {"mode", "ask"}}).contains("result"));
    QVERIFY(ask(8, "agent.stop", {{"run", 1}}).contains("result"));
    const std::lock_guard lock(m_machine.mutex);
    QCOMPARE(m_machine.said.size(), std::size_t{6});
    QVERIFY(ask(9, "agent.stop", {{"run", 0}}).contains("error"));
    QVERIFY(ask(10, "agent.dance", {{"run", 1}}).contains("error"));
    QCOMPARE(m_machine.said.size(), std::size_t{6});
}

// Also when many wait, and whoever waits can be told not to; the answer comes from the machine's own thread.
void TestControlService::whoWaitsForTheAgentHoldsUpNobody() {
    QVERIFY(greet());
    constexpr std::uint64_t kWaiting = 200;
    for (std::uint64_t id = 10; id < 10 + kWaiting; ++id) {
        const auto text = toText(RpcRequest{id, "agent.updates", {{"run", 1}, {"after", id}, {"seconds", 60}}});
        QVERIFY(m_control->mux().sendMessage(control::kRpcStream, asBytes(text)).has_value());
    }
    QVERIFY(ask(2, "clock", {{"realtime_ns", 7}}).contains("result"));
    QVERIFY(ask(3, "changes.discard", {{"share", 1}, {"entries", json::array()}}).contains("result"));
    QVERIFY(m_control->mux().sendMessage(control::kRpcStream, asBytes(toText(RpcRequest{{}, "cancel", {{"id", 11}}}))).has_value());
    QVERIFY(answerTo(11).at("error").at("data").at("kind") == "cancelled");
    std::unique_lock lock(m_machine.mutex);
    QCOMPARE(m_machine.said.size(), static_cast<std::size_t>(kWaiting));
    std::thread([&] {
        m_machine.said[0].second(json::object{{"updates", 1}});
        m_machine.said[1].second(json::object{{"updates", 2}}); // which nobody wants any more
        m_machine.said[2].second(json::object{{"updates", 3}});
    }).join();
    QCOMPARE(answerTo(10).at("result").at("updates"), json::value(1));
    QCOMPARE(answerTo(12).at("result").at("updates"), json::value(3));
    QVERIFY(answerTo(11).contains("error"));
    m_control->begin(); // and what waited for a host that is gone is answered to nobody
    QVERIFY(m_control->open());
    for (auto& [text, answer] : m_machine.said) {
        answer(json::object{{"updates", 4}});
    }
    lock.unlock();
    QVERIFY(greet());
    QVERIFY(m_control->streams[control::kRpcStream].bytes.indexOf("updates") < 0);
}

// What the agent's programs ask: not before the hello has its answer, and the answer finds the one who asked.
void TestControlService::questionsGoOutOnceItIsGreeted() {
    std::mutex mutex;
    std::vector<std::string> answers;
    const auto answered = [&](const Result<ask::Standings>& answer) {
        const std::lock_guard lock(mutex);
        answers.push_back(answer ? answer->at(0).words : answer.error().message);
    };
    m_service->asks().ask(ask::Wait{7, std::chrono::seconds(60)}, answered, HostAsks::Clock::now());
    const auto question = [this] {
        json::object found;
        for (const auto& piece : m_control->streams[control::kRpcStream].pieces) {
            auto object = json::parse({piece.constData(), static_cast<std::size_t>(piece.size())}).as_object();
            if (object.contains("method") && object.at("method") == "ask.wait") {
                found = std::move(object);
            } else if (object.contains("id")) {
                found = {}; // the answer to hello comes before it
            }
        }
        return found;
    };
    QVERIFY(ask(9, "clock", {{"realtime_ns", 7}}).contains("error")); // too early, and answered
    QVERIFY(question().empty());
    QVERIFY(greet());
    QVERIFY(m_control->until([&] { return !question().empty(); }));
    const auto answer = toText(RpcResponse{question().at("id").to_number<std::uint64_t>(),
                                           json::value{{"id", 7}, {"state", "denied"}, {"words", "no"}}});
    QVERIFY(m_control->mux().sendMessage(control::kRpcStream, asBytes(answer)).has_value());
    const auto heard = [&] {
        const std::lock_guard lock(mutex);
        return answers;
    };
    QVERIFY(m_control->until([] { return true; })); // nothing comes back to the host that one could wait for
    QTRY_COMPARE_WITH_TIMEOUT(heard(), std::vector<std::string>{"no"}, 60'000);
    m_service->asks().ask(ask::Folder{"more"}, answered, HostAsks::Clock::now());
    m_control->begin();
    QVERIFY(m_control->open());
    QTRY_COMPARE_WITH_TIMEOUT(heard(), (std::vector<std::string>{"no", "Carrel has restarted, ask again"}), 60'000);
}

// Whatever the agent's programs still wrote on their way out: nobody asks after that.
void TestControlService::powerOffTellsWhatIsStaged() {
    QVERIFY(greet({{{"id", 2}, {"name", "one"}, {"mode", "review"}}, {{"id", 3}, {"name", "two"}, {"mode", "read-only"}}}));
    m_machine.notes.clear();
    m_machine.said.clear();
    const auto answer = ask(2, "power.off", {});
    QVERIFY(answer.contains("result"));
    const json::value expected{{"staged", {{{"share", 2}, {"staged", 1}}, {{"share", 3}, {"staged", 1}}}}};
    QVERIFY2(answer.at("result") == expected, json::serialize(answer).c_str());
    const std::vector<std::string> notes{"agent ended", "settled down"};
    QVERIFY(m_machine.notes == notes);
}

QTEST_GUILESS_MAIN(TestControlService)
#include "test_control_service.moc"
