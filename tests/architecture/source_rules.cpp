// SPDX-License-Identifier: Apache-2.0
#include "tests/architecture/source_rules.h"

#include <QDir>
#include <QDirIterator>
#include <QFile>
#include <QFileInfo>

#include <algorithm>

namespace carrel::testing {

namespace {

constexpr qint64 kLargestText = 4 * 1024 * 1024;

bool isCode(const QString& path) {
    static const QStringList endings{".h", ".hpp", ".cpp", ".cc", ".c"};
    return std::any_of(endings.begin(), endings.end(),
                       [&](const auto& ending) { return path.endsWith(ending); });
}

bool isScript(const QString& path, const QByteArray& content) {
    return path.endsWith(".sh") || path.endsWith(".py") || content.startsWith("#!");
}

bool needsLicence(const QString& path, const QByteArray& content) {
    return isCode(path) || isScript(path, content) || path.endsWith(".cmake") ||
           path.endsWith("CMakeLists.txt");
}

bool startsWithAny(const QString& text, const QStringList& prefixes) {
    return std::any_of(prefixes.begin(), prefixes.end(),
                       [&](const auto& prefix) { return text.startsWith(prefix); });
}

const RoomRule* ruleFor(const SourceRules& rules, const QString& path) {
    const RoomRule* best = nullptr;
    for (const auto& rule : rules.rooms) {
        if (path.startsWith(rule.prefix) && (best == nullptr || rule.prefix.size() > best->prefix.size())) {
            best = &rule;
        }
    }
    return best;
}

bool isQtHeader(const QString& header) {
    static const QRegularExpression qt("^Q(t[A-Z]|[A-Z])");
    return qt.match(header).hasMatch();
}

QString checkOwnInclude(const SourceRules& rules, const RoomRule& rule, const QString& header) {
    if (header.endsWith(".moc") || header.startsWith("ui_")) {
        return rule.qt ? QString() : "includes what Qt's tools generate: Qt belongs to ui/ and tests/";
    }
    if (!startsWithAny(header, rules.topFolders)) {
        return "includes \"" + header + "\": paths of our own headers begin at the root of the tree";
    }
    return startsWithAny(header, rule.allowed)
               ? QString()
               : "includes \"" + header + "\", which " + rule.prefix + " must not know";
}

QString checkSystemInclude(const SourceRules& rules, const RoomRule& rule, const QString& path,
                           const QString& header) {
    if (isQtHeader(header) && !rule.qt) {
        return "includes <" + header + ">: Qt belongs to ui/ and tests/";
    }
    for (const auto& [owned, owners] : rules.ownedHeaders) {
        if (header.startsWith(owned) && !startsWithAny(path, owners)) {
            return "includes <" + header + ">, which belongs to " + owners.join(", ");
        }
    }
    return {};
}

QString checkInclude(const SourceRules& rules, const RoomRule& rule, const QString& path,
                     const QString& line) {
    static const QRegularExpression include(R"(^\s*#\s*include\s*(["<])([^">]+)[">])");
    const auto match = include.match(line);
    if (!match.hasMatch()) {
        return {};
    }
    const QString header = match.captured(2);
    if (header.contains("..")) {
        return "includes \"" + header + "\": a path upwards";
    }
    // Angle brackets are no way around the rule.
    return match.captured(1) == "\"" || startsWithAny(header, rules.topFolders)
               ? checkOwnInclude(rules, rule, header)
               : checkSystemInclude(rules, rule, path, header);
}

} // namespace

QStringList checkFile(const SourceRules& rules, const QString& path, const QByteArray& content) {
    QStringList out;
    const auto say = [&](qsizetype line, const QString& what) {
        out << QString("%1:%2: %3").arg(path).arg(line + 1).arg(what);
    };
    const auto lines = QString::fromUtf8(content).split('\n');
    const bool code = isCode(path);
    if (needsLicence(path, content)) {
        const bool licensed =
            std::any_of(lines.begin(), lines.begin() + std::min<qsizetype>(lines.size(), 3),
                        [](const auto& line) { return line.contains("SPDX-License-Identifier: "); });
        if (!licensed) {
            say(0, "has no SPDX-License-Identifier at its top");
        }
        if (lines.size() - 1 > rules.maxLines) {
            say(lines.size() - 1, QString("is longer than %1 lines").arg(rules.maxLines));
        }
    }
    const RoomRule* rule = code ? ruleFor(rules, path) : nullptr;
    if (code && rule == nullptr) {
        say(0, "is in a room without a rule: say in tree_rules.cpp what it may include");
    }
    for (qsizetype i = 0; i < lines.size(); ++i) {
        if (rule != nullptr) {
            if (const auto wrong = checkInclude(rules, *rule, path, lines[i]); !wrong.isEmpty()) {
                say(i, wrong);
            }
        }
        if (rules.wordsExempt.contains(path)) {
            continue;
        }
        for (const auto& word : rules.words) {
            if (word.pattern.match(lines[i]).hasMatch()) {
                say(i, word.why);
            }
        }
    }
    return out;
}

TreeReport scanTree(const SourceRules& rules, const QString& root) {
    TreeReport report;
    const QDir dir(root);
    const auto take = [&](const QString& absolute) {
        QFile file(absolute);
        if (QFileInfo(file).isSymLink() || file.size() > kLargestText || !file.open(QIODevice::ReadOnly)) {
            return;
        }
        const QByteArray content = file.readAll();
        if (content.contains('\0')) {
            return; // pictures and the like
        }
        ++report.files;
        report.violations += checkFile(rules, dir.relativeFilePath(absolute), content);
    };
    for (const auto& top : rules.topFolders) {
        QDirIterator files(dir.filePath(top), QDir::Files | QDir::Hidden, QDirIterator::Subdirectories);
        while (files.hasNext()) {
            take(files.next());
        }
    }
    for (const auto& name : dir.entryList(QDir::Files | QDir::Hidden)) {
        take(dir.filePath(name));
    }
    return report;
}

std::vector<ForbiddenWord> readForbiddenWords(const QString& file) {
    std::vector<ForbiddenWord> out;
    QFile list(file);
    if (!list.open(QIODevice::ReadOnly)) {
        return out;
    }
    for (const auto& line : QString::fromUtf8(list.readAll()).split('\n')) {
        const auto parts = line.split('\t', Qt::SkipEmptyParts);
        if (!line.startsWith('#') && parts.size() == 2) {
            out.push_back({QRegularExpression(parts[0]), parts[1]});
        }
    }
    return out;
}

std::vector<ForbiddenWord> ownPathAsForbiddenWord(const QString& sourceDir) {
    // A short path such as /src or /app also means something in the files themselves.
    if (QDir::cleanPath(sourceDir).count('/') < 2) {
        return {};
    }
    return {{QRegularExpression("(?<![\\w/.-])" + QRegularExpression::escape(QDir::cleanPath(sourceDir)) +
                                "(?![\\w-])"),
             "names the folder in which this was built"}};
}

} // namespace carrel::testing
