// SPDX-License-Identifier: Apache-2.0
// carrel-init's words to the host: whole lines on the console, each written in one go so that kernel messages
// cannot cut them. The engine reads "carrel-init: stage <name>", "carrel-init: failed <step>: <why>" and
// "carrel-init: probe ok" to tell how far a start has come. Thread: PID 1's only thread.
#pragma once

#include <string>
#include <string_view>

namespace carrel::init {

void say(std::string_view text);
void stage(std::string_view name);
void failed(std::string_view step, std::string_view why);
// failed() with errno's text.
void failedErrno(std::string_view step, std::string_view doing);

// Opens the console on 0, 1 and 2, for this process and what it starts.
void openConsole();

} // namespace carrel::init
