// SPDX-License-Identifier: Apache-2.0
// How long the desktop's largest views hold up their window: a review of 10^5 changes and a timeline of 10^5 events, scrolled from
// end to end, beside the same number of rows of plain text in the same views, which is the floor. Worst and median frame; by hand:
//   QT_QPA_PLATFORM=offscreen bench-frames [ROWS]
#include "ui/changes/change_delegate.h"
#include "ui/changes/change_tree_model.h"
#include "ui/timeline/timeline_delegate.h"
#include "ui/timeline/timeline_filter.h"

#include <QApplication>
#include <QElapsedTimer>
#include <QScrollBar>
#include <QStringListModel>
#include <QTableView>
#include <QTreeView>

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

using namespace carrel::ui;

namespace {

constexpr int kSteps = 300;

struct Frames {
    double worst = 0;
    double median = 0;
};

// A frame: a step of the scroll bar, and everything that it makes the view do.
Frames scrolled(QAbstractItemView& view) {
    view.resize(1000, 700);
    view.show();
    QApplication::processEvents();
    auto* const bar = view.verticalScrollBar();
    std::vector<double> taken;
    for (int step = 0; step <= kSteps; ++step) {
        QElapsedTimer timer;
        timer.start();
        bar->setValue(static_cast<int>(static_cast<double>(bar->maximum()) * step / kSteps));
        view.viewport()->repaint();
        QApplication::processEvents();
        taken.push_back(static_cast<double>(timer.nsecsElapsed()) / 1e6);
    }
    std::sort(taken.begin(), taken.end());
    return {taken.back(), taken[taken.size() / 2]};
}

template <class Fill> double filled(Fill fill) {
    QElapsedTimer timer;
    timer.start();
    fill();
    return static_cast<double>(timer.nsecsElapsed()) / 1e6;
}

void row(const char* name, const Frames& ours, const Frames& floor, double longest) {
    std::printf("| %s | %.1f | %.1f | %.1f | %.2f | %.1f |\n", name, ours.median, ours.worst, floor.worst, ours.worst / floor.worst, longest);
}

} // namespace

int main(int argc, char** argv) {
    QApplication application(argc, argv);
    const int rows = argc > 1 ? std::atoi(argv[1]) : 100'000;
    QStringList plain;
    for (int i = 0; i < rows; ++i) {
        plain << QStringLiteral("papers/folder/file %1.txt").arg(i);
    }
    QStringListModel plainModel(plain);
    std::printf("| %d rows | median frame, ms | worst frame, ms | plain rows, worst, ms | ratio | longest piece of filling it, ms |\n|---|---|---|---|---|---|\n", rows);
    {
        ChangeTreeModel model;
        QTreeView view;
        view.setUniformRowHeights(true);
        view.setModel(&model);
        view.setItemDelegate(new ChangeDelegate(&view));
        double longest = 0;
        for (int at = 0; at < rows; at += 1000) {
            std::vector<ChangeEntry> page;
            for (int i = at; i < std::min(rows, at + 1000); ++i) {
                ChangeEntry entry;
                entry.share = "papers";
                entry.path = "papers/folder " + std::to_string(i / 100) + "/file " + std::to_string(i) + ".txt";
                entry.kind = ChangeKind::Modified;
                entry.hasContent = true;
                entry.size = 4711;
                page.push_back(std::move(entry));
            }
            longest = std::max(longest, filled([&] { model.add(std::move(page)); }));
        }
        longest = std::max(longest, filled([&] { view.expandAll(); }));
        QTreeView floor;
        floor.setUniformRowHeights(true);
        floor.setModel(&plainModel);
        row("changes", scrolled(view), scrolled(floor), longest);
    }
    {
        TimelineModel model(nullptr);
        TimelineFilter filter;
        filter.setSourceModel(&model);
        QTableView view;
        view.setItemDelegate(new TimelineDelegate(&view));
        view.setModel(&filter);
        double longest = 0;
        for (int at = 0; at < rows; at += 1000) {
            boost::json::array page;
            for (int i = at; i < std::min(rows, at + 1000); ++i) {
                page.push_back({{"seq", i + 1}, {"time", "2026-03-01T12:00:00.000Z"}, {"kind", "file.read"}, {"provenance", i % 3 == 0 ? "guest" : "host"},
                                {"subject", "papers/file " + std::to_string(i)}, {"detail", {{"size", i}}}, {"hash", ""}});
            }
            longest = std::max(longest, filled([&] { model.add(page); }));
        }
        longest = std::max(longest, filled([&] { filter.setText("file 99"); }));
        filter.setText({});
        QTableView floor;
        floor.setModel(&plainModel);
        row("timeline", scrolled(view), scrolled(floor), longest);
    }
    return 0;
}
