// SPDX-License-Identifier: Apache-2.0
// What a program asks of its shared libraries, as nm(1) and readelf(1) tell. The clerk must not even be able
// to name the functions that start a process or load code (design: I1); seccomp is the second wall, this is
// the first.
#pragma once

#include <QString>
#include <QStringList>

#include <optional>

namespace carrel::testing {

// Undefined dynamic symbols without their versions; nullopt where nm cannot read the file.
[[nodiscard]] std::optional<QStringList> importedSymbols(const QString& program);
[[nodiscard]] std::optional<QStringList> neededLibraries(const QString& program);
// Of a library that programs are linked with (an archive): what its own objects leave to others.
[[nodiscard]] std::optional<QStringList> symbolsWantedBy(const QString& archive);
// Lines of `nm -D --undefined-only`.
[[nodiscard]] QStringList symbolsFromNm(const QString& output);
// Those that start a process or load code.
[[nodiscard]] QStringList startsProcessesOrLoadsCode(const QStringList& symbols);
// Those that start a thread, by themselves or in a library that does.
[[nodiscard]] QStringList startsThreads(const QStringList& symbols);
// Those that open a file or a socket, by themselves or through a library.
[[nodiscard]] QStringList opensSomething(const QStringList& symbols);

} // namespace carrel::testing
