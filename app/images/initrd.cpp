// SPDX-License-Identifier: Apache-2.0
#include "app/images/initrd.h"

#include "app/images/cpio_writer.h"
#include "app/images/file_kinds.h"
#include "app/images/file_tools.h"

namespace carrel::images {

namespace {

constexpr std::uint64_t kMaxInput =
    256ULL * 1024 * 1024; // a program of that size would not fit a small guest
constexpr std::uint64_t kMaxStamp = 64 * 1024;

std::vector<InitrdFile> allFiles(const InitrdInputs& inputs) {
    std::vector<InitrdFile> files{{inputs.carrelInit, "init", 0755}};
    if (!inputs.carrelGuestd.empty()) {
        files.push_back({inputs.carrelGuestd, "sbin/carrel-guestd", 0755});
    }
    if (!inputs.carrelAsk.empty()) {
        files.push_back({inputs.carrelAsk, "carrel/bin/carrel-ask", 0755});
    }
    if (!inputs.carrelAgent.empty()) {
        files.push_back({inputs.carrelAgent, "carrel/bin/carrel-agent", 0755});
    }
    files.insert(files.end(), inputs.extraFiles.begin(), inputs.extraFiles.end());
    return files;
}

Result<std::string> describeInputs(const InitrdInputs& inputs) {
    std::string text = "carrel-initrd 1\n";
    const auto add = [&text](const std::filesystem::path& source, std::string_view path,
                             std::uint32_t mode) -> Status {
        auto stamp = fileStamp(source);
        if (!stamp) {
            return fail(stamp.error().wrap("a part of the machine's initial archive is missing"));
        }
        text += std::string(path) + ' ' + std::to_string(mode) + ' ' + source.string() + ' ' + *stamp + '\n';
        return {};
    };
    if (!inputs.modules.empty()) {
        CARREL_TRY(add(inputs.modules, "modules", 0));
    }
    for (const auto& file : allFiles(inputs)) {
        CARREL_TRY(add(file.source, file.path, file.mode));
    }
    return text;
}

Result<Bytes> assemble(const InitrdInputs& inputs) {
    Bytes archive;
    if (!inputs.modules.empty()) {
        auto modules = readFile(inputs.modules, kMaxInput);
        if (!modules) {
            return fail(std::move(modules).error());
        }
        CARREL_TRY(checkCpio(*modules));
        archive = std::move(*modules);
        archive.resize((archive.size() + 3) / 4 * 4); // the next archive's header must be aligned
    }
    CpioWriter writer;
    for (const auto& file : allFiles(inputs)) {
        const auto content = readFile(file.source, kMaxInput);
        if (!content) {
            return fail(content.error());
        }
        CARREL_TRY(writer.addFile(file.path, file.mode, *content));
    }
    const Bytes own = writer.finish();
    archive.insert(archive.end(), own.begin(), own.end());
    return archive;
}

} // namespace

Result<Initrd> composeInitrd(const InitrdInputs& inputs, const std::filesystem::path& out) {
    const auto inputText = describeInputs(inputs);
    if (!inputText) {
        return fail(inputText.error());
    }
    std::filesystem::path stampPath = out;
    stampPath += ".stamp";
    if (const auto known = readFile(stampPath, kMaxStamp)) {
        const auto hashed = hashFile(out);
        if (hashed && asText(*known) == *inputText + hashed->sha256.hex() + '\n') {
            return Initrd{hashed->sha256, InitrdOutcome::Unchanged};
        }
    }
    const auto archive = assemble(inputs);
    if (!archive) {
        return fail(archive.error().wrap("the machine's initial archive could not be made"));
    }
    const auto hash = files::Sha256::of(ByteSpan(*archive));
    CARREL_TRY(replaceFile(out, *archive));
    CARREL_TRY(replaceFile(stampPath, asBytes(*inputText + hash.hex() + '\n')));
    return Initrd{hash, InitrdOutcome::Made};
}

} // namespace carrel::images
