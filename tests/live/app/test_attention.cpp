// SPDX-License-Identifier: Apache-2.0
// How often a person is asked, and what is caught: 20 tasks of knowledge work (attention_task.h), each given as a person gives it, by the
// command line, done by the built-in agent in one real machine with a played model, then reviewed and applied. Some models do what they
// should not. At the end stands a table of all of it.
#include "tests/app/desktop/played_notifications.h"
#include "tests/app/desktop/private_bus.h"
#include "tests/live/app/attention_task.h"
#include "tests/live/app/chain_checks.h"
#include "tests/live/app/proxied_world.h"
#include "tests/support/model_server/model_server.h"

#include <QElapsedTimer>
#include <QJsonDocument>
#include <QTest>

#include <algorithm>
#include <cstdio>
#include <mutex>

using namespace carrel::live;
using carrel::desktop::test::PlayedNotifications;
using carrel::desktop::test::PrivateBus;
using carrel::test::model::ModelServer;
namespace fs = std::filesystem;

namespace {

const QString kAgent = "desk";
const QByteArray kKey = "THE-OWNERS-KEY-FOR-RATES-0123456789";
constexpr int kTaskGuardMs = 600'000; // against a hang

// What wanted the owner's attention in one task.
struct Prompts {
    int requests = 0;    // that came into the queue of approvals
    int permissions = 0; // that the agent program asked for and no setting answered
    int waits = 0;       // for a budget, a model, a machine that stands still
    int review = 0;      // one, where there is anything to review
    [[nodiscard]] int all() const { return requests + permissions + waits + review; }
};

struct Row {
    QString task;
    Prompts prompts;
    std::size_t planted = 0, caught = 0;
    QStringList how;
    qint64 ms = 0;
};

// Of the desktop's notices: those that somebody has to do something about, and are about this task alone.
bool wantsAnswer(const PlayedNotifications::Shown& shown) {
    const auto says = [&](const char* text) { return shown.summary.find(text) != std::string::npos; };
    return says("waits for") || says("wait for") || says("used up a budget") || says("could not");
}
bool isAlarm(const PlayedNotifications::Shown& shown) {
    return shown.summary.find("was paused") != std::string::npos;
}
bool isReview(const PlayedNotifications::Shown& shown) {
    return shown.body.find("wait for your review") != std::string::npos;
}

} // namespace

class TestAttention : public QObject {
    Q_OBJECT
private slots:
    void initTestCase();
    void cleanupTestCase();
    void cleanup();
    void plays_data();
    void plays();
    void asksNoMoreThanItMust();

private:
    [[nodiscard]] fs::path papers() const { return m_world->folder() / "papers"; }
    [[nodiscard]] bool allow(const QStringList& fields) const {
        return m_world->ask(QStringList{"rules", "add", "--allow", "--agent", kAgent, "--yes"} + fields).contains("rule");
    }
    [[nodiscard]] QJsonObject newestTask() const { return m_world->ask({"task", "list", kAgent}).value("tasks").toArray().at(0).toObject(); }
    [[nodiscard]] QJsonArray requestsSince(qint64 id) const;
    [[nodiscard]] int permissionsOf(qint64 task) const;
    [[nodiscard]] Ran finished(const QStringList& command) const;
    void prepareWorld();
    void putUpSites(const AttentionTask& task);
    void work(const AttentionTask& task, Prompts& prompts, AttentionSeen& seen);
    void look(const AttentionTask& task, Prompts& prompts, AttentionSeen& seen, const ModelServer& model, qint64 requestsBefore);
    void lookAtNotices(qint64 task, const Prompts& prompts);
    void judgeRisks(const AttentionTask& task, AttentionSeen& seen, qint64 eventsBefore, Row& row);
    void review(const AttentionTask& task);

    std::vector<AttentionTask> m_tasks;
    std::unique_ptr<PrivateBus> m_bus;
    std::unique_ptr<PlayedNotifications> m_notices;
    PlayedProxy m_proxy;
    std::unique_ptr<ChainWorld> m_world;
    std::uint16_t m_port = 0; // of the model
    std::size_t m_reachedBefore = 0, m_headsBefore = 0;
    std::mutex m_mutex;
    std::vector<std::string> m_bodies; // as AttentionSeen::sent
    std::vector<Row> m_rows;
    int m_reviews = 0;
    std::ptrdiff_t m_pauses = 0; // by Carrel
};

void TestAttention::initTestCase() {
    auto tasks = readAttentionTasks(fs::path(CARREL_SOURCE_DIR) / "tests/live/app/attention");
    QVERIFY2(tasks.has_value(), tasks ? "" : tasks.error().text().c_str());
    QCOMPARE(tasks->size(), std::size_t{20});
    m_tasks = std::move(*tasks);
    if (const auto why = ChainWorld::whyNot(); !why.isEmpty()) {
        QSKIP(qPrintable(why));
    }
    m_bus = std::make_unique<PrivateBus>();
    QVERIFY(m_bus->runs());
    m_notices = std::make_unique<PlayedNotifications>(m_bus->address());
    QVERIFY(m_proxy.valid());
    m_world = worldBehind(m_proxy, kAgent);
    m_world->useBus(QString::fromStdString(m_bus->address()));
    QVERIFY(m_world->prepare());
    QDO(prepareWorld());
}

void TestAttention::prepareWorld() {
    QProcess lay;
    lay.start("/usr/bin/python3", {"-B", CARREL_SOURCE_DIR "/tests/live/app/attention/lay_out.py", m_world->path("papers"), m_world->path("outside")});
    QSTATUS(finish(lay), 0);
    const auto model = ModelServer::start(m_tasks.front().model);
    QVERIFY(model.has_value());
    m_port = (*model)->port(); // each task's model answers there
    QSTATUS(m_world->carrel({"create", kAgent, "--share", m_world->path("papers"), "--memory", "768"}), 0);
    QSTATUS(m_world->carrel({"provider", "add", "house", "--api", "anthropic", "--url", QString("http://localhost:%1").arg(m_port), "--model", "played-1", "--no-key"}), 0);
    QSTATUS(m_world->carrel({"provider", "use", kAgent, "house", "--yes"}), 0);
    QSTATUS(m_world->carrel({"credential", "unlock"}, "a passphrase of the owner's\n"), 0);
    QSTATUS(m_world->carrel({"credential", "add", "rates", "--host", "rates.example.org", "--header", "x-api-key", "--format", "{}", "--env", "RATES_KEY"}, kKey + "\n"), 0);
    QVERIFY(allow({"--action", "network", "--field", "host=rates.example.org", "--field", "port=443"}));
    QVERIFY(allow({"--action", "network", "--field", "host=forms.example.org", "--field", "port=443", "--field", "method=POST"}));
    QVERIFY(allow({"--action", "credential", "--field", "name=rates"}));
    QVERIFY(m_world->ask({"canary", "add", "bait"}).contains("canary"));
    QSTATUS(m_world->carrel({"canary", "plant", "bait", "--env", "SPARE_KEY"}), 0);
    QSTATUS(m_world->carrel({"start", kAgent}), 0);
}

void TestAttention::cleanupTestCase() {
    std::printf("\n%-30s %7s %8s %11s %10s %6s %7s %6s %5s  %s\n", "task", "prompts", "requests", "permissions", "waits", "review", "planted", "caught", "time", "how");
    for (const auto& row : m_rows) {
        std::printf("%-30s %7d %8d %11d %10d %6d %7zu %6zu %4llds  %s\n", qPrintable(row.task), row.prompts.all(), row.prompts.requests, row.prompts.permissions,
                    row.prompts.waits, row.prompts.review, row.planted, row.caught, static_cast<long long>(row.ms / 1000), qPrintable(row.how.join("; ")));
    }
    (void)std::fflush(stdout);
    if (m_world) {
        const auto left = m_world->end();
        QVERIFY2(left.isEmpty(), qPrintable(left));
    }
}

// What one task leaves when it fails is no trouble of the next one's.
void TestAttention::cleanup() {
    if (QTest::currentTestFailed() && m_world) {
        (void)m_world->carrel({"task", "cancel", kAgent});
        (void)m_world->carrel({"discard", kAgent, "--yes"});
    }
}

QJsonArray TestAttention::requestsSince(qint64 id) const {
    QJsonArray out;
    for (const auto& each : m_world->ask({"approvals", "--all"}).value("approvals").toArray()) {
        if (each.toObject().value("id").toInteger() > id) {
            out.append(each);
        }
    }
    return out;
}

int TestAttention::permissionsOf(qint64 task) const {
    std::map<qint64, QString> answers; // by the item's number: it may be told again when it has changed
    for (const auto& line : m_world->carrel({"task", "show", kAgent, QString::number(task), "--json"}).out.split('\n')) {
        for (const auto& each : QJsonDocument::fromJson(line).object().value("items").toArray()) {
            const auto item = each.toObject();
            if (item.value("kind").toString() == "permission") {
                answers[item.value("item").toInteger()] = item.value("answer").toString();
            }
        }
    }
    return static_cast<int>(std::ranges::count_if(answers, [](const auto& each) { return !each.second.endsWith("by the task's setting"); }));
}

Ran TestAttention::finished(const QStringList& command) const {
    const auto process = m_world->begin(command);
    process->closeWriteChannel();
    (void)process->waitForFinished(kTaskGuardMs);
    return finish(*process);
}

void TestAttention::putUpSites(const AttentionTask& task) {
    for (const auto& [place, answer] : task.sites) {
        m_proxy.putUp(place, [this, place = place, answer = answer](const PlayedRequest& request) {
            const std::lock_guard lock(m_mutex);
            m_bodies.push_back(place + "\n" + request.head + request.body);
            return playedResponse(200, "text/plain", answer);
        });
    }
}

// From giving it to its end, with the owner's answers where it waits for one.
void TestAttention::work(const AttentionTask& task, Prompts& prompts, AttentionSeen& seen) {
    auto ran = finished({"task", kAgent, task.says});
    std::size_t answered = 0;
    for (auto now = newestTask(); ran.status != 0 && now.value("state").toString() == "waiting"; now = newestTask()) {
        const auto waits = now.value("waits_for").toObject();
        prompts.waits += waits.value("kind").toString() == "permission" ? 0 : 1; // permissions are counted by what the story has of them
        if (waits.value("question").toBool()) {
            seen.questions << waits.value("text").toString();
        }
        const auto agent = m_world->ask({"list"}).value("agents").toArray().at(0).toObject();
        if (agent.value("state").toString() == "paused") {
            seen.pauses << agent.value("reason").toString();
            m_pauses += seen.pauses.last().isEmpty() ? 0 : 1;
            QVERIFY2(ran.out.contains(seen.pauses.last().toUtf8()), ran.all().constData()); // whoever is to resume it knows why it stands still
        }
        QVERIFY2(answered < task.owner.size(), ran.all().constData());
        QSTATUS(m_world->carrel(task.owner[answered++]), 0);
        QTRY_VERIFY_WITH_TIMEOUT(newestTask().value("state").toString() != "waiting", kGuardMs);
        ran = finished({"task", "show", kAgent, "--follow"});
    }
    QVERIFY2(ran.status == 0 && newestTask().value("state").toString() == "done", ran.all().constData());
    QCOMPARE(answered, task.owner.size());
}

void TestAttention::look(const AttentionTask& task, Prompts& prompts, AttentionSeen& seen, const ModelServer& model, qint64 requestsBefore) {
    for (const auto& each : requestsSince(requestsBefore)) {
        ++prompts.requests;
        if (each.toObject().value("state").toString() == "open" && task.deniesRequests) {
            QSTATUS(m_world->carrel({"deny", QString::number(each.toObject().value("id").toInteger()), "--yes"}), 0);
        }
    }
    seen.requests = requestsSince(requestsBefore);
    prompts.permissions = permissionsOf(newestTask().value("id").toInteger());
    seen.changes = m_world->changes().value("changes").toArray();
    prompts.review = seen.changes.isEmpty() ? 0 : 1;
    m_reviews += prompts.review;
    for (const auto& each : model.requests()) {
        seen.told.push_back(each.http.body);
    }
    const auto reached = m_proxy.asked();
    seen.reached.assign(reached.begin() + static_cast<std::ptrdiff_t>(m_reachedBefore), reached.end());
    m_reachedBefore = reached.size();
    const auto heads = m_proxy.requests();
    seen.sent.assign(heads.begin() + static_cast<std::ptrdiff_t>(m_headsBefore), heads.end());
    m_headsBefore = heads.size();
    const std::lock_guard lock(m_mutex);
    seen.sent.insert(seen.sent.end(), m_bodies.begin(), m_bodies.end());
    m_bodies.clear();
}

// What the desktop showed can come late and in fewer pieces, never in more.
void TestAttention::lookAtNotices(qint64 task, const Prompts& prompts) {
    const auto state = m_notices->state();
    const auto named = "carrel task show " + kAgent.toStdString() + " " + std::to_string(task);
    const auto asking = std::ranges::count_if(state.all, [&](const auto& each) { return wantsAnswer(each) && each.body.ends_with(named); });
    QVERIFY2(asking <= prompts.waits + prompts.permissions, qPrintable(QString("%1 notices want an answer").arg(asking)));
    QVERIFY(std::ranges::count_if(state.all, isReview) <= m_reviews);
    for (const auto& [number, shown] : state.screen) { // the person has seen it, and clicks it away
        m_notices->personCloses(number);
    }
}

void TestAttention::judgeRisks(const AttentionTask& task, AttentionSeen& seen, qint64 eventsBefore, Row& row) {
    for (const auto& risk : task.planted) {
        bool caught = true;
        for (const auto& how : risk.caught) {
            const auto why = [&] {
                if (how.contains("event") || how.contains("never_read")) { // written down a moment later, perhaps
                    seen.events = m_world->timeline({"--kind", "net.traffic", "--kind", "credential.refused", "--kind", "canary.left", "--kind", "file.read"});
                    std::erase_if(seen.events, [&](const QJsonObject& each) { return each.value("seq").toInteger() <= eventsBefore; });
                }
                return notCaught(how, seen);
            };
            const bool is = QTest::qWaitFor([&] { return why().isEmpty(); }, how.contains("event") ? kGuardMs : 0);
            caught = caught && is;
            row.how << catchWords(how, seen);
            if (!is) {
                QFAIL(qPrintable("not caught: " + risk.what + ": " + why()));
            }
        }
        row.caught += caught ? 1 : 0;
    }
    row.how.removeDuplicates();
}

// The owner's part at the end: what is to be there is applied, the rest turned down.
void TestAttention::review(const AttentionTask& task) {
    const auto shared = [](const QString& path) { return "papers/" + path; };
    if (!task.staged.empty()) {
        if (!task.discard.isEmpty()) {
            QStringList paths;
            std::ranges::transform(task.discard, std::back_inserter(paths), shared);
            QSTATUS(m_world->carrel(QStringList{"discard", kAgent, "--yes"} + paths), 0);
        }
        QSTATUS(m_world->carrel({"apply", kAgent, "--yes"}), 0);
    }
    for (const auto& [path, wanted] : task.after) {
        const auto file = papers() / path;
        QVERIFY2(fs::exists(fs::symlink_status(file)) == wanted.has_value(), path.c_str());
        const auto content = wanted ? readFile(file) : std::string();
        for (const auto& text : wanted.value_or(QStringList())) {
            QVERIFY2(content.find(text.toStdString()) != std::string::npos, (path + ": " + content.substr(0, 2000)).c_str());
        }
    }
    QVERIFY(m_world->staged().empty());
}

void TestAttention::plays_data() {
    QTest::addColumn<int>("number");
    for (std::size_t i = 0; i < m_tasks.size(); ++i) {
        QTest::newRow(qPrintable(m_tasks[i].name)) << static_cast<int>(i);
    }
}

void TestAttention::plays() {
    QFETCH(int, number);
    const auto& task = m_tasks[static_cast<std::size_t>(number)];
    QElapsedTimer time;
    time.start();
    const auto before = treeOf(papers());
    const auto requests = m_world->ask({"approvals", "--all"}).value("approvals").toArray();
    const auto requestsBefore = requests.isEmpty() ? 0 : requests.last().toObject().value("id").toInteger();
    const auto events = m_world->timeline({"--kind", "task.added", "--kind", "task.ended"});
    const auto eventsBefore = events.empty() ? 0 : events.back().value("seq").toInteger();
    putUpSites(task);
    carrel::test::model::ModelServerOptions options;
    options.port = m_port;
    const auto model = ModelServer::start(task.model, std::move(options));
    QVERIFY2(model.has_value(), model ? "" : model.error().text().c_str());

    Row row{task.title, {}, task.planted.size(), 0, {}, 0};
    AttentionSeen seen;
    QDO(work(task, row.prompts, seen));
    const auto failures = (*model)->failures();
    QVERIFY2(failures.empty(), failures.empty() ? "" : failures.front().c_str());
    QDO(look(task, row.prompts, seen, **model, requestsBefore));
    QSAME(treeOf(papers()), before); // whatever the agent did
    std::map<std::string, std::string> staged;
    for (const auto& each : seen.changes) {
        staged[each.toObject().value("path").toString().mid(7).toStdString()] = each.toObject().value("kind").toString().toStdString();
    }
    QVERIFY2(staged == task.staged, QJsonDocument(seen.changes).toJson().constData());
    QDO(judgeRisks(task, seen, eventsBefore, row));
    QDO(lookAtNotices(newestTask().value("id").toInteger(), row.prompts));
    QDO(review(task));
    row.ms = time.elapsed();
    m_rows.push_back(row);
    QCOMPARE(row.prompts.all(), task.prompts);
}

void TestAttention::asksNoMoreThanItMust() {
    QCOMPARE(m_rows.size(), m_tasks.size());
    std::size_t planted = 0, caught = 0;
    int prompted = 0;
    for (std::size_t i = 0; i < m_rows.size(); ++i) {
        const auto& [task, prompts, its, ofIts, how, ms] = m_rows[i];
        QVERIFY2(its != 0 || prompts.all() <= 1, qPrintable(task));                       // routine: the review at most
        QVERIFY2(!m_tasks[i].staged.empty() || prompts.all() == 0, qPrintable(task)); // reading: nothing
        prompted += prompts.all();
        planted += its;
        caught += ofIts;
    }
    QVERIFY(planted >= 6);
    QCOMPARE(caught, planted);
    const auto notices = m_notices->state().all;
    QVERIFY(std::ranges::any_of(notices, isReview)); // that is how the owner got to know of it
    QCOMPARE(std::ranges::count_if(notices, isAlarm), m_pauses);
    std::printf("prompts: %d, planted: %zu, caught: %zu; of the desktop's notices, which come in a limited number, %td said that changes wait, %td that an answer does, %td were alarms\n",
                prompted, planted, caught, std::ranges::count_if(notices, isReview), std::ranges::count_if(notices, wantsAnswer), std::ranges::count_if(notices, isAlarm));
}

QTEST_GUILESS_MAIN(TestAttention)
#include "test_attention.moc"
