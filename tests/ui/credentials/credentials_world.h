// SPDX-License-Identifier: Apache-2.0
// The desktop over an engine with credentials: with a keyring that a test plays, or without one.
#pragma once

#include "tests/app/egress/memory_store.h"
#include "tests/ui/desktop_world.h"
#include "ui/credentials/add_credential_dialog.h"
#include "ui/credentials/credentials_page.h"
#include "ui/credentials/passphrase_dialog.h"
#include "ui/parts/message_bar.h"
#include "ui/parts/question.h"
#include "ui/window/main_window.h"

#include <QAbstractItemView>
#include <QComboBox>
#include <QLabel>
#include <QLineEdit>
#include <QListWidget>
#include <QPushButton>
#include <QTableView>

namespace carrel::ui::test {

struct CredentialsWorld {
    egress::test::Memory memory; // outlives the engine
    DesktopWorld world;
    EngineLink link{EngineLink::Pace{std::chrono::milliseconds(50), std::chrono::seconds(30)}};
    std::unique_ptr<MainWindow> window = std::make_unique<MainWindow>(link);

    enum class Keyring { There, None };
    explicit CredentialsWorld(Keyring keyring = Keyring::There)
        : world(DesktopWorld::Image::There, keyring == Keyring::There ? std::make_unique<egress::test::MemoryStore>(memory) : nullptr) {
        window->show();
        link.start();
    }
    [[nodiscard]] CredentialsPage& page() const { return *find<CredentialsPage>(*window, "credentialsPage"); }
    [[nodiscard]] QPushButton* button(const char* name) const { return find<QPushButton>(page(), name); }
    [[nodiscard]] QAbstractItemModel& list() const { return *find<QAbstractItemView>(page(), "credentials")->model(); }
    [[nodiscard]] QPushButton* emptyAction() const { return find<QPushButton>(*find<QWidget>(page(), "noCredentials"), "emptyAction"); }
    [[nodiscard]] bool isShown() const { // and read
        window->showCredentials();
        return page().isVisible() && (emptyAction()->isVisible() || button("addCredential")->isVisible());
    }
    // As another of the owner's programs would.
    void add(const std::string& name, const std::string& host, std::string_view value, std::vector<std::string> agents = {}) const {
        egress::Credential wanted;
        wanted.name = name;
        wanted.hosts = {host};
        wanted.agents = std::move(agents);
        if (!world.engine->credentials().add(wanted, egress::test::secretOf(value))) {
            qFatal("no credential");
        }
    }
};

} // namespace carrel::ui::test
