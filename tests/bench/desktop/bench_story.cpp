// SPDX-License-Identifier: Apache-2.0
// How long the story of a task holds up its window while its agent tells it: so many items that come a few a frame, so many updates of
// one text that grows, and the whole of it scrolled from end to end; beside the same words in Qt's own plain text field, which is the
// floor. Worst and median frame, and how much was laid out; by hand:
//   QT_QPA_PLATFORM=offscreen bench-story [UPDATES]
#include "ui/tasks/story_model.h"
#include "ui/tasks/story_view.h"

#include <QApplication>
#include <QElapsedTimer>
#include <QPlainTextEdit>
#include <QScrollBar>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <vector>

using namespace carrel::ui;

namespace {

constexpr int kAFrame = 20; // items that come in one
constexpr int kSteps = 300;

struct Frames {
    double worst = 0;
    double median = 0;
};

Frames framesOf(int count, const std::function<void(int)>& step) {
    std::vector<double> taken;
    for (int i = 0; i < count; ++i) {
        QElapsedTimer timer;
        timer.start();
        step(i);
        QApplication::processEvents();
        taken.push_back(static_cast<double>(timer.nsecsElapsed()) / 1e6);
    }
    std::sort(taken.begin(), taken.end());
    return {taken.back(), taken[taken.size() / 2]};
}

void row(const char* name, const Frames& ours, const Frames& floor, int laid) {
    std::printf("| %s | %.2f | %.2f | %.2f | %.2f | %d |\n", name, ours.median, ours.worst, floor.median, floor.worst, laid);
}

StoryItem item(int number) {
    StoryItem out;
    out.number = static_cast<std::uint64_t>(number);
    out.kind = number % 4 == 0 ? StoryItem::Kind::Tool : StoryItem::Kind::Text;
    out.title = out.kind == StoryItem::Kind::Tool ? QStringLiteral("Read papers/file %1.txt").arg(number) : QString();
    out.text = QStringLiteral("Step %1: what was found there, in a sentence that is broken into two lines where the view is narrow.\n\n- tea\n- paper").arg(number);
    out.status = StoryItem::Status::Completed;
    return out;
}

template <class View> void show(View& view) {
    view.resize(700, 700);
    view.show();
    QApplication::processEvents();
}

Frames scrolled(QAbstractScrollArea& view) {
    auto* const bar = view.verticalScrollBar();
    return framesOf(kSteps + 1, [&](int step) {
        bar->setValue(static_cast<int>(static_cast<double>(bar->maximum()) * step / kSteps));
        view.viewport()->repaint();
    });
}

} // namespace

int main(int argc, char** argv) {
    QApplication application(argc, argv);
    const int updates = argc > 1 ? std::max(kAFrame, std::atoi(argv[1])) : 10'000;
    std::printf("| %d updates | median frame, ms | worst, ms | plain text, median, ms | plain text, worst, ms | blocks laid out |\n|---|---|---|---|---|---|\n", updates);
    StoryModel model(nullptr);
    StoryView view(model, nullptr);
    QPlainTextEdit floor;
    show(view);
    show(floor);
    {
        const auto ours = framesOf(updates / kAFrame, [&](int frame) {
            std::vector<StoryItem> items;
            for (int i = 1; i <= kAFrame; ++i) {
                items.push_back(item(frame * kAFrame + i));
            }
            model.take(std::move(items));
        });
        const int laid = view.work().blocks;
        const auto plain = framesOf(updates / kAFrame, [&](int frame) {
            for (int i = 1; i <= kAFrame; ++i) {
                floor.appendPlainText(item(frame * kAFrame + i).text);
            }
        });
        row("items that come", ours, plain, laid);
    }
    {
        const int before = view.work().blocks;
        auto last = item(updates + 1);
        last.kind = StoryItem::Kind::Text;
        const auto word = [](int i) { return i % 60 == 59 ? QStringLiteral("\n\n") : QStringLiteral("word "); };
        const auto ours = framesOf(updates, [&](int i) {
            last.text += word(i);
            model.take({last});
        });
        const int laid = view.work().blocks - before;
        const auto plain = framesOf(updates, [&](int i) {
            floor.moveCursor(QTextCursor::End);
            floor.insertPlainText(word(i));
        });
        row("a text that grows", ours, plain, laid);
    }
    {
        const int before = view.work().blocks;
        const auto ours = scrolled(view);
        row("scrolled", ours, scrolled(floor), view.work().blocks - before);
    }
    return 0;
}
