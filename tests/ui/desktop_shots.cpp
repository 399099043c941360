// SPDX-License-Identifier: Apache-2.0
// Makes pictures of every view of the desktop, over a whole engine with a sample folder and staged work:
//   desktop-shots light|dark FOLDER
// screenshots.sh runs it under Xvfb in all its forms. To be looked at by a person; no test decides by them.
#include "tests/ui/desktop_world.h"

#include "tests/ui/dark_palette.h"
#include "ui/agents/agent_page.h"
#include "ui/agents/create_dialog.h"
#include "ui/approvals/approvals_page.h"
#include "ui/approvals/request_view.h"
#include "ui/doctor/doctor_window.h"
#include "ui/text/languages.h"
#include "ui/window/main_window.h"

#include <QAbstractItemView>
#include <QComboBox>
#include <QElapsedTimer>
#include <QLineEdit>
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

} // namespace

int main(int argc, char** argv) {
    QApplication application(argc, argv);
    if (argc != 3) {
        qFatal("desktop-shots light|dark FOLDER");
    }
    QApplication::setStyle(QStyleFactory::create("Fusion"));
    if (std::string_view(argv[1]) == "dark") {
        QApplication::setPalette(darkPalette());
    }
    installLanguages();
    const Album album(QString::fromLocal8Bit(argv[2]));
    DesktopWorld world;
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
    page->showPage("terminalPage");
    album.take(window, "08-terminal");

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
