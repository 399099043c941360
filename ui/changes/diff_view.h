// SPDX-License-Identifier: Apache-2.0
// A difference as a person reads it: old left, new right, or both in one column. Paints only the lines that are seen, so that a
// hundred thousand are no more than ten. Every line is plain text through shownLine; signs, line numbers and backgrounds are the
// view's own and stand outside of it. Text of one side can be selected and copied.
//   Up, Down, Page Up, Page Down, Home, End, Left, Right   scroll
//   Shift with Up or Down                                  selects lines
//   N, P                                                   the next change, the one before
// Owner: its parent. Thread: the window's.
#pragma once

#include "ui/changes/diff_document.h"

#include <QAbstractScrollArea>
#include <QCache>
#include <QTextLayout>
#include <QVector>

namespace carrel::ui {

class DiffView : public QAbstractScrollArea {
    Q_OBJECT
public:
    enum class Arrangement { SideBySide, OneColumn };
    enum class Kind { TwoWays, ThreeWays };

    explicit DiffView(QWidget* parent = nullptr);
    ~DiffView() override;

    // The titles are this program's own words.
    void show(DiffDocument document, Kind kind, const QString& left, const QString& right);
    void clear();
    [[nodiscard]] const DiffDocument& document() const { return m_document; }

    void arrange(Arrangement arrangement); // three ways are always in one column
    [[nodiscard]] Arrangement arrangement() const;

    [[nodiscard]] int changes() const { return static_cast<int>(m_changes.size()); } // runs of lines that differ
    void goToChange(int by);                                                          // 1: the next, -1: the one before

    [[nodiscard]] QString selectedText() const;
    void copy() const;
    enum class Side { Left, Right };
    void selectAll(Side side); // of one column: all of it

    [[nodiscard]] QSize sizeHint() const override;
    [[nodiscard]] QSize minimumSizeHint() const override;

protected:
    void paintEvent(QPaintEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;
    void changeEvent(QEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void mouseReleaseEvent(QMouseEvent* event) override;
    void mouseDoubleClickEvent(QMouseEvent* event) override;
    void contextMenuEvent(QContextMenuEvent* event) override;
    void scrollContentsBy(int dx, int dy) override;

private:
    enum class Shows : std::uint8_t { Both, Left, Right }; // of its row
    struct Line {
        std::uint32_t row = 0;
        Shows shows = Shows::Both;
    };
    struct Pane {
        Side side = Side::Left;
        int x = 0;
        int width = 0;
        int gutter = 0; // numbers and sign, before the text
    };
    struct Laid {
        QString text;
        QTextLayout layout;
        QVector<QTextLayout::FormatRange> marks;
    };
    struct Place {
        int line = -1;
        int column = 0; // in the shown text
        bool operator==(const Place&) const = default;
    };

    void arrangeLines();
    void adjustBars();
    [[nodiscard]] bool isOneColumn() const;
    [[nodiscard]] QVector<Pane> panes() const;
    [[nodiscard]] int lineHeight() const;
    [[nodiscard]] int headHeight() const;
    [[nodiscard]] int linesSeen() const;
    [[nodiscard]] const DiffRow& rowOf(int line) const { return m_document.rows[m_lines[line].row]; }
    [[nodiscard]] bool has(int line, Side side) const;
    [[nodiscard]] bool isBand(int line) const; // over the whole width
    [[nodiscard]] QString bandText(const DiffRow& row) const;
    Laid& laid(int line, Side side) const;
    [[nodiscard]] QColor paper(const DiffRow& row, Side side) const;
    void paintHead(QPainter& painter, const QVector<Pane>& panes) const;
    void paintPane(QPainter& painter, int line, const Pane& pane, int y) const;
    void paintGutter(QPainter& painter, int line, const Pane& pane, int y) const;
    void paintTabs(QPainter& painter, const Laid& laid, QPointF at, const QRectF& seen) const;
    [[nodiscard]] QVector<QTextLayout::FormatRange> selectionIn(int line, Side side, int length) const;
    [[nodiscard]] Place placeAt(QPoint point, Side side) const;
    [[nodiscard]] Side sideAt(int x) const;
    void extendByLines(int by);
    void see(int line);

    DiffDocument m_document;
    Kind m_kind = Kind::TwoWays;
    Arrangement m_arrangement = Arrangement::SideBySide;
    QString m_leftTitle;
    QString m_rightTitle;
    QVector<Line> m_lines;
    QVector<std::pair<int, int>> m_changes; // first line, and the one after the last
    int m_change = -1;                      // the one gone to
    int m_columns = 0;                      // of the longest line
    std::uint32_t m_highest = 0;            // line number
    mutable QCache<quint64, Laid> m_laid;
    Side m_side = Side::Left; // of the selection
    Place m_anchor;
    Place m_cursor;
};

} // namespace carrel::ui
