// SPDX-License-Identifier: Apache-2.0
// The words of gate-helper. Each prints one line: "ran", "done", or the name of the errno that stood in its way. Thread: one.
#pragma once

namespace carrel::test {

// Whether `word` is one of theirs; its outcome is printed then. `file` may be null where none is needed.
[[nodiscard]] bool tryWay(const char* word, const char* file);   // ways of running a content: ways.cpp
[[nodiscard]] bool tryCalls(const char* word);                   // calls of the system: calls.cpp
void say(const char* outcome);
void sayErrno(); // the name of errno

} // namespace carrel::test
