// SPDX-License-Identifier: Apache-2.0
// The page of changes over the scripted engine, shown; and what its tests do with it.
#pragma once

#include "tests/ui/changes/scripted_engine.h"
#include "ui/changes/changes_page.h"

#include <QApplication>
#include <QDialog>
#include <QSettings>
#include <QTreeView>

namespace carrel::ui::test {

class PageWorld {
public:
    ScriptedEngine engine;
    EngineLink link;
    AgentStore agents{link};
    std::unique_ptr<ChangesPage> page;

    PageWorld() {
        QStandardPaths::setTestModeEnabled(true);
        QSettings().clear();
        link.start();
    }
    // The engine is found before; the page is what the test says.
    [[nodiscard]] bool open() {
        if (!QTest::qWaitFor([&] { return link.state() == EngineLink::State::Ready && agents.known(); }, 60'000)) {
            return false;
        }
        page = std::make_unique<ChangesPage>(link, agents, QStringLiteral("desk"), nullptr);
        page->resize(1100, 680);
        page->show();
        return QTest::qWaitForWindowExposed(page.get());
    }
    template <class Widget> [[nodiscard]] Widget* find(const char* name) const { return test::find<Widget>(*page, name); }
    [[nodiscard]] QTreeView* tree() const { return find<QTreeView>("changeTree"); }
    [[nodiscard]] QModelIndex row(const QString& path) const {
        QModelIndex at;
        for (const auto& name : path.split('/')) {
            const auto& model = *tree()->model();
            QModelIndex next;
            for (int row = 0; row < model.rowCount(at); ++row) {
                next = model.index(row, 0, at).data().toString() == name ? model.index(row, 0, at) : next;
            }
            if (!next.isValid()) {
                return {};
            }
            at = next;
        }
        return at;
    }
    // By the keyboard, as a person does.
    void choose(const QString& path) const {
        tree()->setCurrentIndex(row(path));
        QTest::keyClick(tree(), Qt::Key_Space);
    }
    // Does not come closer than a view of the page: waits in its callers.
    [[nodiscard]] QDialog* dialog() const {
        for (auto* const each : page->findChildren<QDialog*>()) {
            if (each->isVisible()) {
                return each;
            }
        }
        return nullptr;
    }
};

} // namespace carrel::ui::test
