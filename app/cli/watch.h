// SPDX-License-Identifier: Apache-2.0
// Verbs that go on until Ctrl-C. Thread: main.
#pragma once

namespace carrel::cli {

// From now on SIGINT ends this process with status 0: what a watch has written is whole lines.
void endOnInterrupt();

} // namespace carrel::cli
