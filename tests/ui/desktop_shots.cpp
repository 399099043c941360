// SPDX-License-Identifier: Apache-2.0
// Makes pictures of every view of the desktop, over a whole engine with a sample folder and staged work:
//   desktop-shots light|dark FOLDER [tasks]       tasks: those of tasks, and what comes before them
// screenshots.sh runs it under Xvfb in all its forms. To be looked at by a person; no test decides by them.
#include "tests/ui/desktop_world.h"

#include "app/egress/forwards.h"
#include "tests/app/egress/listener.h"
#include "tests/ui/dark_palette.h"
#include "tests/ui/tasks/task_shots.h"
#include "tests/ui/terminal/recorded.h"
#include "ui/agents/agent_page.h"
#include "ui/agents/create_dialog.h"
#include "ui/approvals/approvals_model.h"
#include "ui/approvals/approvals_page.h"
#include "ui/approvals/request_view.h"
#include "ui/credentials/add_credential_dialog.h"
#include "ui/credentials/credentials_page.h"
#include "ui/credentials/passphrase_dialog.h"
#include "ui/doctor/doctor_window.h"
#include "ui/network/mode_dialog.h"
#include "ui/network/network_page.h"
#include "ui/network/preset_dialog.h"
#include "ui/network/show_server_dialog.h"
#include "ui/parts/question.h"
#include "ui/terminal/recording_player.h"
#include "ui/terminal/terminal_pane.h"
#include "ui/text/languages.h"
#include "ui/window/main_window.h"

#include <QAbstractItemView>
#include <QComboBox>
#include <QElapsedTimer>
#include <QLabel>
#include <QLineEdit>
#include <QListWidget>
#include <QPushButton>
#include <QStyleFactory>
#include <QTabWidget>
#include <QTableView>

#include <fstream>

using namespace carrel;
using namespace carrel::ui;
using namespace carrel::ui::test;

namespace {

template <class Done> void until(Done done) {
    QElapsedTimer since;
    since.start();
    while (!done()) {
        if (since.elapsed() > kPatience) {
            qFatal("it does not come");
        }
        QApplication::processEvents(QEventLoop::WaitForMoreEvents, 50);
    }
}

void settle() {
    QElapsedTimer since;
    since.start();
    until([&] { return since.elapsed() > 400; }); // what is under way appears
}

class Album {
public:
    explicit Album(QString folder)
        : m_folder(std::move(folder)) {}
    void take(QWidget& widget, const char* name) const {
        settle();
        const auto file = m_folder + '/' + QString::fromLatin1(name) + ".png";
        if (!widget.grab().save(file)) {
            qFatal("cannot write %s", qPrintable(file));
        }
        qInfo("%s", qPrintable(file));
    }

private:
    QString m_folder;
};

void put(const std::filesystem::path& file, const std::string& text) {
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text;
}

const char kReport[] = "# Autumn report\n\nSales grew by 4 % in September.\nTea is bought from two merchants.\n\n## Costs\n\n- rent 900\n- tea 310\n- paper 45\n";
const char kNewReport[] = "# Autumn report\n\nSales grew by 6.5 % in September and 2 % in October.\nTea is bought from two merchants.\n\n## Costs\n\n- rent 900\n- tea 295\n- paper 45\n- postage 30\n";

policy::Rule networkRule(const std::string& agent, const std::string& host, std::uint16_t port, policy::Effect effect, const std::string& note) {
    policy::Rule out;
    out.effect = effect;
    out.action = policy::Action::Network;
    out.agent = agent;
    out.fields = {{"host", {host}}, {"port", {std::to_string(port)}}};
    out.high = effect == policy::Effect::Allow;
    out.note = note;
    return out;
}

// Which there are, and one that is looked at.
void recordingPictures(const Album& album, DesktopWorld& world, AgentPage& page, MainWindow& window) {
    auto& log = world.engine->agent("desk").value()->log();
    constexpr std::uint64_t kSecond = 1'000'000;
    for (const char* title : {"bash -l", "make report", "bash -l"}) {
        const auto number = log.beginRecording({"terminal", title, 100, 30}).value();
        const std::string before = "\x1b[1;32mroot@desk\x1b[0m:\x1b[1;34m/workspace/papers\x1b[0m# ls --color\r\n\x1b[1;34mautumn\x1b[0m  \x1b[1;34mletters\x1b[0m\r\n";
        const std::string after = "\x1b[1;32mroot@desk\x1b[0m:\x1b[1;34m/workspace/papers\x1b[0m# wc -l autumn/report.md\r\n10 autumn/report.md\r\n";
        (void)log.addChunk({{number, 1, 0, 95 * kSecond, 100}, recorded(0, "", {{0, 'o', before}, {95 * kSecond, 'o', after}}, 100, 30)}).has_value();
        if (number != 3) {
            (void)log.endRecording(number).has_value();
        }
    }
    auto* const pane = page.findChild<TerminalPane*>("terminalPane");
    pane->showRecordings();
    until([&] { return find<QAbstractItemView>(*pane, "recordings")->model()->rowCount() == 3; });
    album.take(window, "52-recordings");
    find<QTableView>(*pane, "recordings")->selectRow(1);
    find<QPushButton>(*pane, "play")->click();
    auto* const player = pane->findChild<RecordingPlayer*>();
    player->stand();
    player->seek(95 * kSecond);
    until([&] { return textOn(*player->view()).contains("10 autumn"); });
    album.take(window, "53-recording");
    page.showPage("timelinePage");
    auto* const events = find<QAbstractItemView>(page, "events");
    until([&] { return events->model()->rowCount() > 0; });
    settle();
    events->setCurrentIndex(events->model()->index(events->model()->rowCount() - 1, 0));
    album.take(window, "54-recording-timeline");
}

// Three connections, something refused, and the ways to change it. The other side is a socket on loopback.
void networkPictures(const Album& album, DesktopWorld& world, MainWindow& window) {
    world.addAgent("scout");
    const auto agent = world.engine->agent("scout").value();
    const egress::test::Listener there;
    std::mutex mutex;
    std::vector<UniqueFd> sockets;
    world.clerks.onConnected([&](const boost::json::object&, UniqueFd socket) {
        egress::test::send(socket, std::string(4321 + 30000 * sockets.size(), 'x'));
        const std::lock_guard lock(mutex);
        sockets.push_back(std::move(socket));
    });
    auto& rules = world.engine->approvals().rules();
    for (const char* name : {"files.example.org", "mirror.example.net", "api.example.com"}) {
        world.nameLeads(name, "127.0.0.1");
        (void)rules.add(networkRule(agent->id(), name, there.port(), policy::Effect::Allow, "the report's tables")).value();
    }
    (void)rules.add(networkRule(agent->id(), "127.0.0.1", there.port(), policy::Effect::Allow, "")).value();
    (void)rules.add(networkRule({}, "*.tracker.example", 443, policy::Effect::Deny, "never")).value();
    world.engine->approvals().rulesChanged();
    world.engine->approvalNews().rulesChanged();
    window.showAgent("scout");
    until([&] { return window.page("scout")->isVisible(); });
    auto* const page = window.page("scout");
    page->showPage("networkPage");
    album.take(window, "16-network-offline");
    (void)agent->setNetwork(egress::NetMode::Allowlist).has_value();
    const auto open = [&](int number, const char* host, std::uint16_t port) {
        world.clerks.tell("net.open", {{"number", number}, {"host", host}, {"port", port}});
    };
    open(1, "files.example.org", there.port());
    open(2, "mirror.example.net", there.port());
    open(3, "api.example.com", there.port());
    open(4, "beacon.tracker.example", 443);
    open(5, "unknown.example", 443);
    until([&] {
        const std::lock_guard lock(mutex);
        return sockets.size() == 3;
    });
    until([&] { return find<QAbstractItemView>(*page, "live")->model()->rowCount() == 3; });
    find<QTableView>(*page, "rules")->selectRow(0);
    find<QTableView>(*page, "live")->selectRow(1);
    (void)(*agent->running())->forwards().open({8000}).value();
    until([&] { return find<QAbstractItemView>(*page, "forwards")->model()->rowCount() == 1; });
    find<QTableView>(*page, "forwards")->selectRow(0);
    album.take(window, "17-network");
    find<QPushButton>(*page, "showServer")->click();
    auto* const server = dialog<ShowServerDialog>("showServerDialog");
    album.take(*server, "36-show-a-server");
    QTest::keyClicks(find<QLineEdit>(*server, "port"), "8080");
    until([&] { return find<QPushButton>(*server, "agree")->isEnabled(); });
    album.take(*server, "37-show-a-server-meaning");
    server->reject();
    find<QPushButton>(*page, "changeMode")->click();
    album.take(*dialog<ModeDialog>("modeDialog"), "18-network-mode");
    dialog<ModeDialog>("modeDialog")->reject();
    find<QPushButton>(*page, "allowPreset")->click();
    until([&] { return find<QPushButton>(*dialog<PresetDialog>("presetDialog"), "agree")->isEnabled(); });
    album.take(*dialog<PresetDialog>("presetDialog"), "19-network-set");
    dialog<PresetDialog>("presetDialog")->reject();
    page->showPage("timelinePage");
    album.take(window, "20-network-timeline");

    (void)agent->setNetwork(egress::NetMode::Ask).has_value();
    open(6, "data.example.org", 443);
    window.showApprovals();
    auto* const list = find<QAbstractItemView>(window, "requests");
    const auto look = [&](const QString& place) {
        until([&] { // the newest of those that wait
            for (int row = 0; row < list->model()->rowCount(); ++row) {
                if (list->model()->index(row, 0).data().toString().contains(place)) {
                    list->setCurrentIndex(list->model()->index(row, 0));
                    return true;
                }
            }
            return false;
        });
        until([&] { return find<QLabel>(window, "place")->text().remove('\n').contains(place); });
    };
    look("data.example.org");
    find<QComboBox>(window, "scope")->setCurrentIndex(2);
    album.take(window, "21-request-network");
    open(7, "192.168.7.1", 8080);
    look("192.168.7.1");
    album.take(window, "22-request-network-high-risk");
    const auto longName = "www.bank.example." + QString("a").repeated(50) + ".xn--pypal-4ve.example";
    world.clerks.tell("net.open", {{"number", 8}, {"host", longName.toStdString()}, {"port", 443}});
    look(longName);
    album.take(window, "23-request-network-long-name");
    window.showAgent("scout");
}

// No keyring: the file that a passphrase seals is made, a credential is added in the window, others by their side, and one is asked for.
void credentialPictures(const Album& album, DesktopWorld& world, MainWindow& window) {
    window.showCredentials();
    auto& page = *find<CredentialsPage>(window, "credentialsPage");
    until([&] { return find<QWidget>(page, "noCredentials")->isVisible(); });
    album.take(window, "24-credentials-none");
    find<QPushButton>(*find<QWidget>(page, "noCredentials"), "emptyAction")->click();
    until([&] { return dialog<PassphraseDialog>("passphraseDialog") != nullptr && find<QPushButton>(*dialog<PassphraseDialog>("passphraseDialog"), "openFile")->isEnabled(); });
    const auto type = [](QDialog* in, const char* field, const char* text) { QTest::keyClicks(find<QLineEdit>(*in, field), text); };
    auto* const passphrase = dialog<PassphraseDialog>("passphraseDialog");
    type(passphrase, "passphrase", "a desk by the window");
    type(passphrase, "passphraseAgain", "a desk by the door");
    find<QPushButton>(*passphrase, "openFile")->click();
    album.take(*passphrase, "25-passphrase-new");
    type(passphrase, "passphrase", "a desk by the window");
    type(passphrase, "passphraseAgain", "a desk by the window");
    find<QPushButton>(*passphrase, "openFile")->click();
    until([&] { return dialog<AddCredentialDialog>("addCredentialDialog") != nullptr; });
    auto* add = dialog<AddCredentialDialog>("addCredentialDialog");
    album.take(*add, "26-credential-new");
    find<QComboBox>(*add, "kind")->setCurrentIndex(3);
    type(add, "credentialName", "Hosting");
    type(add, "hosts", "https://git.example.org/ada");
    type(add, "format", "Token");
    find<QPushButton>(*add, "add")->click();
    album.take(*add, "27-credential-new-wrong");
    add->reject();
    until([&] { return dialog<AddCredentialDialog>("addCredentialDialog") == nullptr; });
    const auto one = [&](const char* name, const char* hosts, int kind, const char* variable, const char* paths, bool picture) {
        until([&] { return !dialog<AddCredentialDialog>("addCredentialDialog"); });
        auto* const empty = find<QPushButton>(*find<QWidget>(page, "noCredentials"), "emptyAction");
        (empty->isVisible() ? empty : find<QPushButton>(page, "addCredential"))->click();
        until([&] { return dialog<AddCredentialDialog>("addCredentialDialog") != nullptr; });
        add = dialog<AddCredentialDialog>("addCredentialDialog");
        type(add, "credentialName", name);
        type(add, "hosts", hosts);
        find<QComboBox>(*add, "kind")->setCurrentIndex(kind);
        if (kind == 2) {
            type(add, "user", "ada");
        }
        type(add, "value", "0123456789abcdef");
        type(add, "variable", variable);
        type(add, "paths", paths);
        if (kind == 2) {
            auto* const agents = find<QListWidget>(*add, "agentsOfIt");
            for (auto* const item : agents->findItems("scout", Qt::MatchExactly)) {
                item->setCheckState(Qt::Checked);
            }
        }
        if (picture) {
            album.take(*add, "28-credential-new-filled");
        }
        find<QPushButton>(*add, "add")->click();
        const auto count = find<QAbstractItemView>(page, "credentials")->model()->rowCount();
        until([&] { return find<QAbstractItemView>(page, "credentials")->model()->rowCount() > count; });
    };
    one("hosting", "git.example.org", 2, "GIT_TOKEN", "/ada/*", true);
    one("models", "api.example.com, eu.api.example.com", 1, "MODELS_KEY", "", false);
    one("tables", "data.example.org", 0, "", "", false);
    find<QTableView>(page, "credentials")->selectRow(0);
    find<QPushButton>(page, "testCredential")->click();
    until([&] { return find<QWidget>(page, "testResult")->isVisible(); });
    album.take(window, "29-credentials");
    find<QPushButton>(page, "removeCredential")->click();
    album.take(*dialog<Question>("question"), "30-credential-remove");
    dialog<Question>("question")->reject();
    find<QPushButton>(page, "lockFile")->click();
    until([&] { return find<QWidget>(page, "lockedBar")->isVisible(); });
    album.take(window, "31-credentials-locked");
    find<QPushButton>(*find<QWidget>(page, "lockedBar"), "")->click();
    until([&] { return dialog<PassphraseDialog>("passphraseDialog") != nullptr && find<QPushButton>(*dialog<PassphraseDialog>("passphraseDialog"), "openFile")->isEnabled(); });
    type(dialog<PassphraseDialog>("passphraseDialog"), "passphrase", "a desk by the door");
    find<QPushButton>(*dialog<PassphraseDialog>("passphraseDialog"), "openFile")->click();
    until([&] { return find<QLabel>(*dialog<PassphraseDialog>("passphraseDialog"), "passphraseProblem")->isVisible(); });
    album.take(*dialog<PassphraseDialog>("passphraseDialog"), "32-passphrase-wrong");
    dialog<PassphraseDialog>("passphraseDialog")->reject();
    window.showAgent("scout");
    window.page("scout")->showPage("networkPage");
    album.take(window, "33-network-with-credentials");

    // As the engine asks for what a request needs, one after the other; of an agent of which nothing waits yet.
    world.addAgent("courier");
    const auto agent = world.engine->agent("courier").value();
    const auto ask = [&](policy::Action action, std::map<std::string, std::string> fields) {
        policy::Ask wanted;
        wanted.agent = agent->id();
        wanted.session = agent->session();
        wanted.action = action;
        wanted.about = fields.begin()->second;
        policy::Request item;
        item.agent = wanted.agent;
        item.session = wanted.session;
        item.action = action;
        item.fields = {fields.begin(), fields.end()};
        wanted.items = {item};
        wanted.evidence = {files::Sha256::of(wanted.about), "request"};
        return world.engine->approvals().queue().submit(std::move(wanted)).value().id;
    };
    const auto choose = [&](std::uint64_t id) {
        window.showApprovals();
        auto* const list = find<QAbstractItemView>(window, "requests");
        until([&] {
            for (int row = 0; row < list->model()->rowCount(); ++row) {
                if (list->model()->index(row, 0).data(ApprovalsModel::IdRole).toULongLong() == id) {
                    list->setCurrentIndex(list->model()->index(row, 0));
                    return true;
                }
            }
            return false;
        });
    };
    const auto look = [&](std::uint64_t id) {
        choose(id);
        until([&] { return find<QWidget>(window, "allow")->isEnabled(); });
    };
    look(ask(policy::Action::Network, {{"host", "api.example.com"}, {"port", "443"}, {"method", "POST"}, {"path", "/v1/repos/ada/report/issues"}}));
    album.take(window, "34-request-method-and-path");
    look(ask(policy::Action::Credential, {{"host", "api.example.com"}, {"name", "models"}}));
    album.take(window, "35-request-credential");
    choose(world.engine->approvals().askForward(agent, 8080, "the preview of the report is ready").value().id);
    until([&] { return find<QWidget>(window, "word")->isVisible(); }); // of high risk
    album.take(window, "38-request-server");
}

} // namespace

int main(int argc, char** argv) {
    QApplication application(argc, argv);
    if (argc != 3 && argc != 4) {
        qFatal("desktop-shots light|dark FOLDER [tasks]");
    }
    QApplication::setStyle(QStyleFactory::create("Fusion"));
    if (std::string_view(argv[1]) == "dark") {
        QApplication::setPalette(darkPalette());
    }
    installLanguages();
    const Album album(QString::fromLocal8Bit(argv[2]));
    PlayedTasks played;
    DesktopWorld world;
    world.playMore = [&](api::Handlers& to) { played.addTo(to); };
    world.goDown();
    world.comeUp();
    EngineLink link;
    MainWindow window(link);
    window.resize(1180, 760);
    window.show();
    settle();
    album.take(window, "01-engine-absent"); // it has not been looked for
    link.start();
    until([&] { return link.state() == EngineLink::State::Ready; });
    album.take(window, "02-nobody-yet");

    window.newAgent();
    auto* const create = dialog<CreateDialog>("createDialog");
    find<QLineEdit>(*create, "name")->setText("desk");
    create->addFolder("/home/ada/papers");
    create->addFolder("/home/ada/photos/2026");
    album.take(*create, "03-new-agent");
    create->reject();

    put(world.papers() / "autumn/report.md", kReport);
    put(world.papers() / "autumn/notes.txt", "call the printer\n");
    put(world.papers() / "letters/bank.txt", "Dear bank,\n");
    world.addAgent("archive", false);
    world.addAgent("desk");
    world.addAgent("letters", false);
    world.failStarts(Error{ErrorCode::Unsupported, "libvirt cannot be used: its session daemon does not start",
                           "install it: sudo apt-get install libvirt-daemon libvirt-clients", 0, {}});
    window.showAgent("letters");
    until([&] { return window.page("letters")->isVisible(); });
    window.page("letters")->start();
    album.take(window, "04-start-failed");
    world.failStarts({});

    world.guest->write("autumn/report.md", kNewReport);
    world.guest->write("autumn/summary.md", "# Summary\n\nA good autumn.\n");
    world.guest->remove("autumn/notes.txt");
    world.guest->write("letters/bank.txt", "Dear bank,\nplease find enclosed the autumn report.\n");
    world.guest->makeFolder(".git");
    world.guest->makeFolder(".git/hooks");
    world.guest->write(".git/hooks/post-commit", "#!/bin/sh\nrm -rf ~\n", 0755);
    window.showAgent("desk");
    auto* const page = window.page("desk");
    page->showPage("changes");
    settle();
    until([&] { return !page->findChildren<QAbstractItemView*>().isEmpty(); });
    settle();
    if (auto* const tree = page->findChild<QAbstractItemView*>("changeTree")) {
        const auto share = tree->model()->index(0, 0);
        for (int i = 0; i < tree->model()->rowCount(share); ++i) {
            const auto folder = tree->model()->index(i, 0, share);
            if (folder.data().toString().contains("autumn")) {
                tree->setCurrentIndex(tree->model()->index(1, 0, folder));
            }
        }
    }
    album.take(window, "05-changes");
    page->showPage("timelinePage");
    album.take(window, "06-timeline");
    page->showPage("foldersPage");
    album.take(window, "07-folders");
    page->showPage("terminalPane");
    album.take(window, "08-terminal");
    recordingPictures(album, world, *page, window);

    taskPictures(played, world.folder(), window, [&](QWidget& of, const char* name) { album.take(of, name); }, [](const auto& done) { until(done); });
    if (argc == 4) { // these alone
        return 0;
    }

    auto& approvals = world.engine->approvals();
    const auto agent = world.engine->agent("desk").value();
    (void)approvals.askApply(agent, {{"papers/autumn"}}, "the report that you asked for on Monday", {});
    window.showApprovals();
    until([&] { return find<QWidget>(window, "allow")->isEnabled(); });
    auto* const scope = find<QComboBox>(window, "scope");
    album.take(window, "09-request");
    scope->setCurrentIndex(2);
    album.take(window, "10-request-with-rule");
    (void)approvals.askApply(agent, {{}}, "everything is ready", {});
    (void)approvals.askFolder(agent, "the photos of the fair, for the report");
    settle();
    auto* const list = find<QAbstractItemView>(window, "requests");
    list->setCurrentIndex(list->model()->index(1, 0));
    album.take(window, "11-request-high-risk");
    list->setCurrentIndex(list->model()->index(2, 0));
    album.take(window, "12-request-folder");

    networkPictures(album, world, window);
    credentialPictures(album, world, window);

    DoctorWindow doctor(link, &window);
    doctor.resize(680, 520);
    doctor.show();
    doctor.examine(DoctorWindow::Probe::Remembered);
    album.take(doctor, "13-this-computer");
    doctor.close();

    window.pauseEverything();
    settle();
    window.showAgent("desk");
    album.take(window, "14-paused");
    world.goDown();
    until([&] { return link.state() == EngineLink::State::Absent; });
    album.take(window, "15-engine-gone");
    return 0;
}
