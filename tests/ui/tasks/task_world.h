// SPDX-License-Identifier: Apache-2.0
// The page of tasks, shown, over an engine whose tasks and providers the test plays.
#pragma once

#include "app/api/home.h"
#include "tests/ui/tasks/played_tasks.h"
#include "ui/agents/agent_store.h"
#include "ui/engine/engine_link.h"
#include "ui/providers/provider_store.h"
#include "ui/tasks/task_page.h"

#include <QApplication>
#include <QFile>
#include <QIODevice>
#include <QSettings>
#include <QStandardPaths>
#include <QStringLiteral>
#include <QTemporaryDir>
#include <QTest>

#include <unistd.h>

namespace carrel::ui::test {

inline constexpr int kPatience = 60'000; // only a test that fails waits for it

class TaskWorld {
public:
    PlayedTasks played;
    QTemporaryDir folder{QStringLiteral("/tmp/carrel-tasks-XXXXXX")};
    std::unique_ptr<api::Server> server;
    EngineLink link{EngineLink::Pace{std::chrono::milliseconds(50), std::chrono::seconds(30)}};
    std::unique_ptr<ProviderStore> providers = std::make_unique<ProviderStore>(link);
    std::unique_ptr<TaskPage> page;

    TaskWorld() {
        QStandardPaths::setTestModeEnabled(true);
        QSettings().clear();
        qputenv("XDG_RUNTIME_DIR", "");
        qputenv("CARREL_HOME", folder.filePath(QStringLiteral("home")).toUtf8());
        comeUp();
        link.start();
    }
    ~TaskWorld() {
        page.reset();
        server.reset();
    }
    void goDown() { server.reset(); }
    void comeUp() {
        api::Handlers handlers;
        handlers["engine.info"] = [this](api::Call&) -> Result<json::value> {
            return m_schemas.load("engine.info.json").at("examples").as_array().at(0).at("result");
        };
        played.addTo(handlers);
        server = std::move(api::Server::start(api::socketPath(api::openHome().value()).value(), std::move(handlers)).value());
    }
    [[nodiscard]] bool open() {
        if (!QTest::qWaitFor([&] { return link.state() == EngineLink::State::Ready && providers->known(); }, kPatience)) {
            return false;
        }
        page = std::make_unique<TaskPage>(link, *providers, QStringLiteral("desk"), nullptr);
        page->resize(900, 620);
        page->show();
        return QTest::qWaitForWindowExposed(page.get());
    }
    template <class Widget> [[nodiscard]] Widget* find(const char* name) const {
        auto* const found = page->findChild<Widget*>(QString::fromLatin1(name));
        if (found == nullptr) {
            qFatal("there is no %s", name);
        }
        return found;
    }
    void press(const char* name) const {
        QApplication::processEvents(); // so that it stands where it will be
        QTest::mouseClick(find<QWidget>(name), Qt::LeftButton);
    }
    [[nodiscard]] std::string file(const char* name) const { // of the user's own
        QFile out(folder.filePath(QString::fromLatin1(name)));
        if (!out.open(QIODevice::WriteOnly)) {
            qFatal("no file");
        }
        return out.fileName().toStdString();
    }

private:
    carrel::test::Schemas m_schemas{CARREL_SOURCE_DIR "/app/api/schema"};
};

} // namespace carrel::ui::test
