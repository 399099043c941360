// SPDX-License-Identifier: Apache-2.0
#include "ui/text/plain.h"

#include "app/api/display_text.h"

#include <QLocale>

#include <algorithm>

namespace carrel::ui {

QString lineOf(std::string_view foreign, std::size_t columns) {
    return QString::fromStdString(api::DisplayText::line(foreign, columns).text());
}

QString blockOf(std::string_view foreign) {
    return QString::fromStdString(api::DisplayText::block(foreign).text());
}

namespace {
QString sentence(std::string_view text) {
    auto out = lineOf(text, kWholeColumns);
    if (!out.isEmpty()) {
        out[0] = out[0].toUpper();
        if (!out.endsWith('.')) {
            out += '.';
        }
    }
    return out;
}
} // namespace

QString whatHappened(const Error& error) {
    return sentence(error.text());
}

QString whatToDo(const Error& error) {
    return sentence(error.hint);
}

QString bothOf(const Error& error) {
    const auto hint = whatToDo(error);
    return hint.isEmpty() ? whatHappened(error) : whatHappened(error) + ' ' + hint;
}

int countOf(std::uint64_t count) {
    constexpr std::uint64_t kMost = 1'000'000'000;
    return static_cast<int>(std::min(count, kMost));
}

QString sizeText(std::uint64_t bytes) {
    return QLocale().formattedDataSize(static_cast<qint64>(bytes), 1, QLocale::DataSizeSIFormat);
}

QDateTime momentOf(std::string_view rfc3339) {
    return QDateTime::fromString(QString::fromLatin1(rfc3339.data(), static_cast<qsizetype>(rfc3339.size())), Qt::ISODateWithMs)
        .toLocalTime();
}

QString momentText(std::string_view rfc3339) {
    const auto moment = momentOf(rfc3339);
    if (!moment.isValid()) {
        return lineOf(rfc3339, 40);
    }
    return QLocale().toString(moment.date(), QLocale::ShortFormat) + ' ' + moment.time().toString(QStringLiteral("HH:mm:ss"));
}

QString toolTipOf(const QString& plain) {
    return plain.isEmpty() ? plain : QStringLiteral("<p style='white-space: pre-wrap'>") + plain.toHtmlEscaped() + QStringLiteral("</p>");
}

QString brokenText(const QString& plain, int most) {
    QString out;
    int run = 0;
    for (const auto each : plain) {
        const bool ends = each.isSpace();
        if (!ends && run >= most && !each.isLowSurrogate()) {
            out += '\n';
            run = 0;
        }
        run = ends ? 0 : run + 1;
        out += each;
    }
    return out;
}

PlainLabel::PlainLabel(const QString& text, QWidget* parent)
    : QLabel(parent) {
    setTextFormat(Qt::PlainText);
    setWordWrap(true);
    setTextInteractionFlags(Qt::TextSelectableByMouse);
    setText(text);
}

} // namespace carrel::ui
