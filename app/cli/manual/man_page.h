// SPDX-License-Identifier: Apache-2.0
// The part of carrel(1) that lists the verbs, taken from the command line itself, so that it cannot say anything else than
// carrel VERB --help. Text for roff, man(7). Thread: pure.
#pragma once

#include <CLI/CLI.hpp>

#include <string>
#include <string_view>

namespace carrel::cli {

// Text as it is, whatever roff would make of its characters: no request at the beginning of a line, hyphens that can be copied.
[[nodiscard]] std::string roffText(std::string_view text);
// Every verb that does something, those of verbs too, in the order of --help. What is the same for all, --help and --json, is left
// to the page around it.
[[nodiscard]] std::string roffVerbs(const CLI::App& app);

} // namespace carrel::cli
