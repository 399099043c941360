// SPDX-License-Identifier: Apache-2.0
// Foreign text in a window (invariant I11): what a guest or the engine wrote passes app/api/display_text.h here, and is shown as
// plain text, never as markup. Qt guesses that a text is markup where a view takes both, as a label and a tool tip do: those are
// made here. Thread: the window's.
#pragma once

#include "guest/protocol/result.h"

#include <QDateTime>
#include <QLabel>
#include <QString>

#include <cstdint>
#include <string_view>

namespace carrel::ui {

inline constexpr std::size_t kLineColumns = 280;
inline constexpr std::size_t kWholeColumns = 64 * 1024; // what is decided on is shown whole

[[nodiscard]] QString lineOf(std::string_view foreign, std::size_t columns = kLineColumns);
[[nodiscard]] QString blockOf(std::string_view foreign); // several lines

// "What happened: why." and what to do, a line of its own where there is something.
[[nodiscard]] QString whatHappened(const Error& error);
[[nodiscard]] QString whatToDo(const Error& error);
[[nodiscard]] QString bothOf(const Error& error); // on one line

[[nodiscard]] int countOf(std::uint64_t count); // for a text with a plural; more than that is no plainer
[[nodiscard]] QString sizeText(std::uint64_t bytes); // decimal units, as the command line says it
[[nodiscard]] QDateTime momentOf(std::string_view rfc3339); // local time; invalid where it is none
[[nodiscard]] QString momentText(std::string_view rfc3339); // by the user's locale, to the second

// As a tool tip shows it: line by line, nothing of it markup. Given to setToolTip and Qt::ToolTipRole.
[[nodiscard]] QString toolTipOf(const QString& plain);

// A name with no space in it, longer than that: broken into lines, so that a label shows it to its end at any width. No other
// foreign text: it could begin a line of its own.
[[nodiscard]] QString brokenText(const QString& plain, int most = 60);

// A label that never takes its text for markup, breaks lines, and lets it be selected.
class PlainLabel : public QLabel {
    Q_OBJECT
public:
    explicit PlainLabel(const QString& text = {}, QWidget* parent = nullptr);
};

} // namespace carrel::ui
