// SPDX-License-Identifier: Apache-2.0
// The view of a page's table: whole rows, one of them chosen at a time, one line each; the tabulator leaves it. Thread: the window's.
#pragma once

#include <QTableView>

#include <initializer_list>

namespace carrel::ui {

// `called`: by whoever does not see it.
[[nodiscard]] QTableView* tableOf(QAbstractItemModel* model, const char* name, const QString& called, QWidget* parent);
void setWidths(QTableView* view, std::initializer_list<int> letters); // of its columns, from the first
[[nodiscard]] int chosenRow(const QTableView* view);                  // -1: none is

} // namespace carrel::ui
