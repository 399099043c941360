// SPDX-License-Identifier: Apache-2.0
// Agent programs over a whole engine: what is listed, what is refused before anything runs, and by whose word a program is there.
#include "app/engine/task_world.h"
#include "app/tasks/programs.h"
#include "tests/app/engine/running_engine.h"

#include <QTest>

using namespace carrel;
using carrel::engine::test::RunningEngine;
namespace json = boost::json;

namespace {

struct World {
    std::mutex mutex;
    std::vector<json::object> commands;
    RunningEngine e;

    World() {
        for (const char* method : {"net.placeholders", "net.authority"}) {
            e.clerks.on(method, [](const json::object&) { return json::object{}; });
        }
        e.clerks.on("exec", [this](const json::object& params) {
            const std::lock_guard lock(mutex);
            commands.push_back(params);
            return json::object{};
        });
    }
    [[nodiscard]] json::value installed(const std::string& program) const {
        const auto all = e.good("task.programs", {{"agent", "ann"}}).at("programs").as_array();
        for (const auto& each : all) {
            if (each.at("name").as_string() == program) {
                return each.at("installed");
            }
        }
        return nullptr;
    }
    // The end of the last one, as the clerk tells it.
    void end(std::uint64_t session, int code) { e.clerks.tell("exec.ended", {{"session", session}, {"code", code}}); }
};

} // namespace

class TestProgramVerbs : public QObject {
    Q_OBJECT
private slots:
    void theListTellsWhatIsDone() {
        World w;
        const auto all = w.e.good("task.programs").at("programs").as_array();
        QCOMPARE(all.size(), tasks::programs()->size());
        QVERIFY(all[0].at("name").as_string() == "carrel" && all[0].at("install").is_null() && all[0].at("installed").is_null());
        const auto& opencode = all[1].at("install");
        const std::string script(opencode.at("script").as_string());
        QVERIFY(all[1].at("name").as_string() == "opencode" && script.find("npm ci") != std::string::npos && !opencode.at("packages").as_array().empty());
        QVERIFY(w.installed("carrel").as_bool() && !w.installed("opencode").as_bool());
        QVERIFY(w.e.ask("task.programs", {{"agent", "nobody"}}).error().code == ErrorCode::NotFound);
    }

    void whatWouldComeToNothingIsRefused() {
        World w;
        const auto refused = [&](const char* program, ErrorCode code, const char* words) {
            const auto answer = w.e.ask("task.install", {{"agent", "ann"}, {"program", program}});
            QVERIFY(!answer);
            QVERIFY2(answer.error().code == code && (answer.error().text() + answer.error().hint).find(words) != std::string::npos, (answer.error().text() + answer.error().hint).c_str());
        };
        refused("nobody", ErrorCode::NotFound, "opencode");
        refused("carrel", ErrorCode::Conflict, "already");
        refused("opencode", ErrorCode::Refused, "carrel net allow ann package-registries"); // offline
        (void)w.e.good("net.mode", {{"agent", "ann"}, {"mode", "allowlist"}});
        refused("opencode", ErrorCode::Refused, "carrel start ann"); // does not run
        QVERIFY(w.commands.empty());
    }

    void aProgramIsThereOnceItsInstallationEndedWell() {
        World w;
        (void)w.e.good("net.mode", {{"agent", "ann"}, {"mode", "allowlist"}});
        (void)w.e.good("agent.start", {{"agent", "ann"}});
        const auto begin = [&] { return w.e.good("task.install", {{"agent", "ann"}, {"program", "opencode"}}).at("session").to_number<std::uint64_t>(); };
        const auto first = begin();
        {
            const std::lock_guard lock(w.mutex);
            QCOMPARE(w.commands.size(), std::size_t(1));
            QVERIFY(w.commands[0].at("argv") == json::value_from(tasks::installationOf(*tasks::findProgram("opencode")).argv));
        }
        w.end(first, 1);
        const auto other = w.e.good("exec.open", {{"agent", "ann"}, {"argv", {"true"}}, {"tty", nullptr}}).at("session").to_number<std::uint64_t>();
        w.end(other, 0); // of nothing that installs
        const auto second = begin();
        QVERIFY(!w.installed("opencode").as_bool());
        w.end(second, 0);
        QTRY_VERIFY_WITH_TIMEOUT(w.installed("opencode").as_bool(), 60'000);
        QVERIFY(!w.installed("qwen").as_bool());
        const auto begun = w.e.good("timeline", {{"agent", "ann"}});
        QVERIFY(json::serialize(begun).find("install opencode") != std::string::npos);
        // Also for the next engine.
        const auto file = w.e.agent("ann")->tasksFolder().parent_path() / "agent.json";
        const auto kept = [&] {
            const auto record = agents::load(file);
            return record ? record->programs : std::map<std::string, std::string>();
        };
        QTRY_COMPARE_WITH_TIMEOUT(kept().size(), std::size_t(1), 60'000);
        QVERIFY(kept().contains("opencode"));
    }

    // A task for one that is not there says what to do.
    void aTaskNeedsTheProgram() {
        World w;
        (void)w.e.good("provider.add", {{"name", "mine"}, {"api", "openai"}, {"url", "http://localhost:11434/v1"}, {"model", "m"}});
        (void)w.e.good("provider.use", {{"agent", "ann"}, {"provider", "mine"}});
        const auto world = engine::taskWorld(*w.e.w.engine, {});
        const auto id = w.e.agent("ann")->id();
        QVERIFY(world.brain(id, "", ""));
        const auto none = world.brain(id, "opencode", "");
        QVERIFY(!none && none.error().hint == "Install it: carrel task install ann opencode");
    }
};

QTEST_GUILESS_MAIN(TestProgramVerbs)
#include "test_program_verbs.moc"
