// SPDX-License-Identifier: Apache-2.0
// The agent programs that can work on a task (resources/agent/programs.toml): Carrel's own, which is in every machine, and those of others,
// which are installed in one on request. The list is a part of the program, so that nothing on the disk can change what is run.
// Thread: pure functions.
#pragma once

#include "app/tasks/hands.h"

#include <boost/json/value.hpp>

#include <span>
#include <utility>

namespace carrel::tasks {

inline constexpr std::string_view kBuiltIn = "carrel";

struct ProgramPackage { // of the npm registry
    std::string name, version;
    std::string integrity; // "sha512-…", of what is fetched
};
struct ProgramFile {
    std::string name, text;
};
struct ProgramInstall {
    std::string version;
    std::vector<ProgramPackage> packages;
    std::vector<ProgramFile> files; // beside them
};
// Texts with places in them (program_template.h), by the variable's name.
struct ProgramEnvironment {
    std::map<std::string, std::string> texts;
    std::map<std::string, boost::json::value> json;
};
struct Program {
    std::string name, title;
    std::string about; // in plain words
    std::uint64_t memoryMib = 0; // that a machine needs for it
    std::optional<std::uint64_t> window;
    std::string noKey;
    std::vector<std::string> argv; // texts with places in them
    ProgramEnvironment environment;
    std::vector<std::pair<std::string, ProgramEnvironment>> speaks; // by the model's interface: anthropic, openai, gemini
    std::optional<ProgramInstall> install; // none: it is in every machine
};

// Malformed: with what is wrong. For tests, whether it reads strictly.
[[nodiscard]] Result<std::vector<Program>> programsFrom(std::string_view toml);
// Those of this Carrel, the built-in one first.
[[nodiscard]] const Result<std::vector<Program>>& programs();
// NotFound: none is called that; with what there is. `name` empty: the built-in one.
[[nodiscard]] Result<Program> findProgram(std::string_view name);
[[nodiscard]] std::string folderOf(const Program& program); // in the machine

// `environment`: what providers::environmentFor() gives. NotFound: there is no such program. Unsupported: it does not speak with such a model;
// with what to do. Whether it is installed is not looked at.
[[nodiscard]] Result<Brain> brainOf(const std::string& program, const std::string& provider, const std::map<std::string, std::string>& environment);

// What installs it, as a command in the machine; `script`: of it, what is worth a look before it is run. Precondition: it has an install.
struct Installation {
    std::vector<std::string> argv;
    std::string script;
};
[[nodiscard]] Installation installationOf(const Program& program);

} // namespace carrel::tasks
