// SPDX-License-Identifier: Apache-2.0
#include "ui/parts/table_view.h"

#include <QHeaderView>

namespace carrel::ui {

QTableView* tableOf(QAbstractItemModel* model, const char* name, const QString& called, QWidget* parent) {
    auto* view = new QTableView(parent);
    view->setObjectName(name);
    view->setAccessibleName(called);
    view->setModel(model);
    view->setSelectionBehavior(QAbstractItemView::SelectRows);
    view->setSelectionMode(QAbstractItemView::SingleSelection);
    view->setTabKeyNavigation(false);
    view->setWordWrap(false);
    view->verticalHeader()->setVisible(false);
    view->verticalHeader()->setDefaultSectionSize(view->fontMetrics().height() + 6);
    view->horizontalHeader()->setHighlightSections(false);
    view->setMinimumHeight(3 * view->verticalHeader()->defaultSectionSize()); // its heading and two rows: several stand in a low window
    return view;
}

void setWidths(QTableView* view, std::initializer_list<int> letters) {
    int column = 0;
    for (const int each : letters) {
        view->horizontalHeader()->resizeSection(column++, each * view->fontMetrics().averageCharWidth());
    }
}

int chosenRow(const QTableView* view) {
    const auto rows = view->selectionModel()->selectedRows();
    return rows.isEmpty() ? -1 : rows.front().row();
}

} // namespace carrel::ui
