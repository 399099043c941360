// SPDX-License-Identifier: Apache-2.0
// The floor of start_bench.py: the least that a window of Qt's with a list and a text can be.
#include <QApplication>
#include <QLabel>
#include <QListWidget>
#include <QMainWindow>
#include <QSplitter>

int main(int argc, char** argv) {
    const QApplication application(argc, argv);
    QMainWindow window;
    auto* splitter = new QSplitter(&window);
    auto* list = new QListWidget(splitter);
    list->addItem("one");
    new QLabel("a text", splitter);
    window.setCentralWidget(splitter);
    window.setWindowTitle("Plain");
    window.resize(1000, 700);
    window.show();
    return QApplication::exec();
}
