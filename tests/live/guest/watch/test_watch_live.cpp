// SPDX-License-Identifier: Apache-2.0
// What the guest's kernel sees of the agent's programs in a real machine: each by its name, with the tree that they form, and none missing.
#include "guest/protocol/watch_event.h"
#include "tests/live/guest/guestd/machine_rig.h"

#include <QTest>
#include <boost/json.hpp>

#include <algorithm>
#include <set>

namespace json = boost::json;
using namespace carrel;
using namespace carrel::test;
using namespace carrel::watch;
using namespace std::chrono_literals;

namespace {

// An event with its own texts.
struct Seen {
    std::string kind; // started, ended, a deed, renamed, net, a right's number, lost
    std::string subject, more, hash;
    std::uint32_t count = 0;
    Process process, parent;
    int code = 0, signal = 0;
};

std::string joined(const std::vector<std::string_view>& words) {
    std::string out;
    for (const auto word : words) {
        out += (out.empty() ? "" : " ") + std::string(word);
    }
    return out;
}

Seen seenOf(const Event& event) {
    static const char* const kDeeds[] = {"", "written", "created", "folder made", "linked", "deleted", "folder deleted", "mode"};
    Seen out;
    out.count = event.count;
    out.process = event.process;
    if (const auto* started = std::get_if<Started>(&event.what)) {
        out.kind = "started";
        out.subject = started->program;
        out.more = joined(started->arguments);
        out.parent = started->parent;
        if (started->content) {
            out.hash = QByteArray(reinterpret_cast<const char*>(started->content->data()), qsizetype(started->content->size())).toHex().toStdString();
        }
    } else if (const auto* ended = std::get_if<Ended>(&event.what)) {
        out.kind = "ended";
        out.code = ended->code;
        out.signal = ended->signal;
        out.more = ended->mostKibibytes > 0 ? "memory" : "";
    } else if (const auto* file = std::get_if<FileDone>(&event.what)) {
        out.kind = kDeeds[static_cast<int>(file->deed)];
        out.subject = file->path;
        out.more = std::to_string(file->mode);
    } else if (const auto* renamed = std::get_if<Renamed>(&event.what)) {
        out.kind = "renamed";
        out.subject = renamed->from;
        out.more = renamed->to;
    } else if (const auto* net = std::get_if<NetTried>(&event.what)) {
        out.kind = "net";
        out.subject = net->name;
        out.more = std::to_string(static_cast<int>(net->transport)) + " " + std::to_string(net->port);
    } else if (const auto* right = std::get_if<RightTried>(&event.what)) {
        out.kind = "right " + std::to_string(static_cast<int>(right->right));
        out.subject = right->text;
    } else {
        const auto& lost = std::get<Lost>(event.what);
        out.kind = lost.restarted ? "restarted" : "lost";
        out.more = std::to_string(lost.programs) + " " + std::to_string(lost.files);
    }
    return out;
}

} // namespace

class TestWatchLive : public QObject {
    Q_OBJECT
    MachineRig m_rig;
    Ask m_ask;
    std::vector<Seen> m_seen;

    // Fetches until there is one like that, or the machine tells nothing more of it for long.
    const Seen* await(const std::function<bool(const Seen&)>& like) {
        for (int quiet = 0; quiet < 10;) {
            const auto found = std::find_if(m_seen.begin(), m_seen.end(), like);
            if (found != m_seen.end()) {
                return &*found;
            }
            m_ask.wait = 3s;
            const auto answer = m_rig.call(std::string(kMethod), paramsOf(m_ask));
            if (!answer || !answer->is_object()) {
                qWarning("%s", answer ? "no object" : answer.error().text().c_str());
                return nullptr;
            }
            auto told = toldFrom(m_ask, answer->get_object());
            if (!told || !told->why.empty()) {
                qWarning("%s", told ? told->why.c_str() : told.error().text().c_str());
                return nullptr;
            }
            const auto count = readBatch(told->batch, [&](const Event& event) {
                m_seen.push_back(seenOf(event));
                return Status();
            });
            if (!count) {
                qWarning("%s", count.error().text().c_str());
                return nullptr;
            }
            quiet = *count == 0 ? quiet + 1 : 0;
            m_ask = {told->book, told->first + *count - 1, {}};
        }
        return nullptr;
    }
    const Seen* await(const std::string& kind, const std::string& subject) {
        return await([&](const Seen& each) { return each.kind == kind && each.subject == subject; });
    }
    void shell(const std::string& script) {
        m_seen.clear();
        const auto result = m_rig.run({"sh", "-c", script});
        if (result.end != "{\"exit\":{\"code\":0}}") {
            qWarning("%s%s%s", result.out.constData(), result.err.constData(), result.end.constData());
        }
    }

private slots:
    void initTestCase() {
        const QString problem = m_rig.boot();
        if (problem.contains(QStringLiteral("CARREL_TEST_IMAGE"))) {
            QSKIP(qPrintable(problem));
        }
        QVERIFY2(problem.isEmpty(), qPrintable(problem));
        QVERIFY2(m_rig.greet(), m_rig.console().constData());
    }

    // A program is named by its file, whatever path it was reached by; a half of the shell that runs none of its own is the shell.
    void programsHaveTheirTree() {
        shell("(env -i /proc/self/root/bin/true one 'two three'); sh -c 'exit 7'; sh -c 'kill -9 $$'; true");
        const auto* top = await([](const Seen& each) { return each.kind == "started" && each.more.starts_with("sh -c (env"); });
        QVERIFY2(top != nullptr, m_rig.console().constData());
        const auto shellIs = top->process;
        QCOMPARE(top->subject, std::string("/usr/bin/dash"));
        QVERIFY(top->parent == Process{}); // guestd started it
        const auto* env = await([](const Seen& each) { return each.kind == "started" && each.subject == "/usr/bin/env"; });
        QVERIFY(env != nullptr && env->parent == shellIs);
        const auto envIs = env->process;
        const auto* program = await([](const Seen& each) { return each.kind == "started" && each.more == "/proc/self/root/bin/true one two three"; });
        QVERIFY(program != nullptr);
        QCOMPARE(program->subject, std::string("/usr/bin/true"));
        QCOMPARE(program->hash, m_rig.run({"sha256sum", "/usr/bin/true"}).out.left(64).toStdString()); // the same that its control goes by
        QVERIFY(program->process == envIs); // the same process runs another program
        QVERIFY(await([](const Seen& each) { return each.kind == "ended" && each.code == 7 && each.more == "memory"; }) != nullptr);
        QVERIFY(await([](const Seen& each) { return each.kind == "ended" && each.signal == 9; }) != nullptr);
        QVERIFY(await([&](const Seen& each) { return each.kind == "ended" && each.process == shellIs && each.code == 0; }) != nullptr);
    }

    void filesAreTold() {
        shell("cd /tmp && rm -rf w && mkdir w && cd w && echo a > new && echo b >> new && chmod 4711 new && mv new old && ln old hard &&"
              "ln -s old soft && rm hard && cat old > /dev/null && ! mkdir /tmp/w 2>/dev/null && ! rm /tmp/w/none 2>/dev/null; rm soft old; rmdir /tmp/w");
        QVERIFY(await("folder made", "/tmp/w") != nullptr);
        QVERIFY(await("created", "/tmp/w/new") != nullptr);
        QVERIFY(await("written", "/tmp/w/new") != nullptr);
        const auto* mode = await("mode", "/tmp/w/new");
        QVERIFY(mode != nullptr);
        QCOMPARE(mode->more, std::to_string(04711));
        const auto* renamed = await("renamed", "/tmp/w/new");
        QVERIFY(renamed != nullptr);
        QCOMPARE(renamed->more, std::string("/tmp/w/old"));
        QVERIFY(await("linked", "/tmp/w/hard") != nullptr);
        QVERIFY(await("linked", "/tmp/w/soft") != nullptr);
        QVERIFY(await("deleted", "/tmp/w/hard") != nullptr);
        QVERIFY(await("folder deleted", "/tmp/w") != nullptr);
        QCOMPARE(std::count_if(m_seen.begin(), m_seen.end(), [](const Seen& each) { return each.kind == "folder made"; }), 1); // the other was refused
        QVERIFY(std::none_of(m_seen.begin(), m_seen.end(), [](const Seen& each) { return each.subject == "/tmp/w/none" || each.subject == "/dev/null"; }));
    }

    void connectionsAreTold() {
        shell("python3 -c 'import socket\n"
              "for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):\n"
              "  s = socket.socket(socket.AF_INET, kind); s.settimeout(3)\n"
              "  try: s.connect((\"203.0.113.9\", 4433))\n"
              "  except OSError: pass\n"
              "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
              "try: s.sendto(b\"x\", (\"203.0.113.9\", 4434))\n"
              "except OSError: pass'");
        const auto tried = [](const char* what) { return [what](const Seen& each) { return each.kind == "net" && each.more == what; }; };
        QVERIFY(await(tried("1 4433")) != nullptr);
        QVERIFY(await(tried("2 4433")) != nullptr);
        QVERIFY(await(tried("2 4434")) != nullptr); // without being connected
        shell("getent ahosts example.org > /dev/null; python3 -c 'import socket\n"
              "try: socket.create_connection((\"example.org\", 443), 3)\n"
              "except OSError: pass'");
        QVERIFY(await("net", "example.org") != nullptr);
    }

    void rightsAreTold() {
        shell("unshare -U -m true; unshare -n true; true");
        QVERIFY(await([](const Seen& each) { return each.kind == "right 1" && each.subject.find("user") != std::string::npos; }) != nullptr);
        QVERIFY(await([](const Seen& each) { return each.kind == "right 1" && each.subject.find("network") != std::string::npos; }) != nullptr);
        shell("mkdir -p /tmp/m && mount -t tmpfs none /tmp/m && umount /tmp/m; true");
        QVERIFY(await("right 2", "tmpfs") != nullptr);
        shell("python3 -c 'import ctypes; ctypes.CDLL(None).syscall(175, 0, 0, 0)'; true"); // init_module
        QVERIFY(await([](const Seen& each) { return (each.kind == "right 8" && each.subject == "SYS_MODULE") || (each.kind == "right 7" && each.subject == "init_module"); }) != nullptr);
    }

    // What it does to be missed: a name of its own making, a new namespace, a file without a name.
    void nothingIsHiddenByNamespaces() {
        shell("cp /bin/true /tmp/elsewhere; unshare -U -r -m -p -f /tmp/elsewhere inside; "
              "python3 -c 'import os; f = os.memfd_create(\"nameless\"); os.write(f, open(\"/bin/true\", \"rb\").read()); os.execv(\"/proc/self/fd/%d\" % f, [\"m\"])'; true");
        QVERIFY(await([](const Seen& each) { return each.kind == "started" && each.more == "/tmp/elsewhere inside"; }) != nullptr);
        QVERIFY(await([](const Seen& each) { return each.kind == "started" && each.subject.find("nameless") != std::string::npos; }) != nullptr);
    }

    void manyProgramsAreAllTold() {
        constexpr int kPrograms = 500;
        shell("i=0; while [ $i -lt 500 ]; do /bin/true $i; echo $i > /tmp/many.$i; i=$((i+1)); done; rm /tmp/many.*; /bin/true last");
        QVERIFY(await([](const Seen& each) { return each.kind == "started" && each.more == "/bin/true last"; }) != nullptr);
        std::set<std::string> told;
        for (const auto& each : m_seen) {
            if (each.kind == "started" && each.subject == "/usr/bin/true") {
                told.insert(each.more);
            }
            QVERIFY2(each.kind != "lost", each.more.c_str());
        }
        QCOMPARE(static_cast<int>(told.size()), kPrograms + 1);
    }
};

QTEST_GUILESS_MAIN(TestWatchLive)
#include "test_watch_live.moc"
