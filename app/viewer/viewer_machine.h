// SPDX-License-Identifier: Apache-2.0
// One machine that turns documents into text and is thrown away. It has no network device, no share, no memory in common
// with the host and no disk that can be written: kernel and start-up archive as every machine of Carrel's, and the image's
// base, read-only, for the programs that read documents. At its door stands a clerk of its own, in the clerks' jail, with no
// folder and one channel: it alone takes the machine's bytes (app/clerk/document_reader.h), and hands on plain text of a
// bounded size. The engine opens neither.
//
// What it does without is also what makes it quick. An agent's machine needs about eleven seconds under software emulation on
// two cores, most of them for the agent's own root and the greeting; a kernel, the base mounted read-only and one channel are
// there after two (1.8 s of them the kernel's), so that no machine need stand by for a review that may never come. Loading
// fewer of the kernel's modules could save 0.1 s of it.
//
// The machine is one of its home's, under a random id that is no agent's: an engine that starts ends it where an earlier one
// left it behind.
//
// Ownership: whoever started it; destroying it cuts its power and ends its clerk. Thread: one at a time; every call blocks,
// the destructor too.
#pragma once

#include "app/agents/clerk_process.h"
#include "app/viewer/extraction.h"
#include "hypervisor/api/backend.h"

#include <filesystem>
#include <functional>
#include <memory>
#include <stop_token>

namespace carrel::viewer {

struct ViewerBoot {
    std::filesystem::path kernel, initrd, base;
    std::string commandLine;
    hypervisor::Accelerator accelerator = hypervisor::Accelerator::Software;
};

struct MachineSetup {
    hypervisor::Backend* backend = nullptr;
    hypervisor::HomeId home;
    std::filesystem::path folder; // for the machines' own folders with their sockets: short, made when missing
    std::string clerkProgram;
    std::function<Result<ViewerBoot>()> boot; // verified parts of an image; blocks
};

class ViewerMachine {
public:
    // The machine runs when this returns; it has not answered yet.
    [[nodiscard]] static Result<std::unique_ptr<ViewerMachine>> start(const MachineSetup& setup);
    ~ViewerMachine();
    ViewerMachine(const ViewerMachine&) = delete;
    ViewerMachine& operator=(const ViewerMachine&) = delete;

    struct Text {
        Verdict verdict;
        std::string text; // where there is no fault
    };
    // `limit`: of the reading itself; `patience`: for all of it, the machine's start included. A machine whose fault something
    // was is of no more use.
    [[nodiscard]] Text read(int document, files::DocumentKind kind, std::chrono::seconds limit, std::chrono::seconds patience,
                            std::stop_token stop);
    [[nodiscard]] std::uint32_t documents() const { return m_documents; } // that it was given

private:
    ViewerMachine(std::unique_ptr<hypervisor::Machine> machine, std::filesystem::path folder);
    [[nodiscard]] Status putClerk(const std::string& program);

    std::unique_ptr<hypervisor::Machine> m_machine;
    std::filesystem::path m_folder;
    std::shared_ptr<agents::ClerkProcess> m_clerk;
    std::uint32_t m_documents = 0;
};

} // namespace carrel::viewer
