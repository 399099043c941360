// SPDX-License-Identifier: Apache-2.0
// The scripts of the guided walk-through (resources/sample, resources/demo), compiled in: the program needs
// no installed files beside it. Thread: constants.
#pragma once

#include <string_view>

namespace carrel::cli {

[[nodiscard]] std::string_view sampleScript(); // make-sample.py, for python3 on this computer
[[nodiscard]] std::string_view workerScript(); // worker.py, for python3 in the machine

} // namespace carrel::cli
