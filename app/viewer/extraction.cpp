// SPDX-License-Identifier: Apache-2.0
#include "app/viewer/extraction.h"

#include "guest/protocol/strict_json.h"

namespace carrel::viewer {

namespace json = boost::json;

namespace {

// guest/viewer/extract/common.py
constexpr std::uint64_t kEncrypted = 10, kDamaged = 11, kOtherKind = 12, kTooSlow = 13, kTooLarge = 14, kNoMemory = 15, kNoProgram = 16;
constexpr std::uint64_t kProcessorTimeSpent = 24; // SIGXCPU, Linux numbering

constexpr char kNothingToReadWith[] = "the image has no program to read it with; make it anew: carrel image build";

std::string tooSlow(std::chrono::seconds limit) {
    return "reading it took longer than " + std::to_string(limit.count()) + " seconds";
}

std::string wordsFor(std::uint64_t code, std::chrono::seconds limit) {
    switch (code) {
    case kEncrypted:
        return "it is encrypted";
    case kDamaged:
        return "it is damaged, or made in a way that the viewer does not know";
    case kOtherKind:
        return "it is not the kind of document that its name says";
    case kTooSlow:
        return tooSlow(limit);
    case kTooLarge:
        return "unpacked it is too large";
    case kNoMemory:
        return "reading it took more memory than a viewer has";
    default:
        return "its reader broke on it";
    }
}

} // namespace

json::array extractCommand(files::DocumentKind kind, std::chrono::seconds limit) {
    // Isolated, without the site's modules, writing no compiled forms: the standard library and the script alone.
    return {"/usr/bin/python3", "-I", "-S", "-B", "-c", extractScript(), files::toString(kind), std::to_string(kMaxText),
            std::to_string(limit.count())};
}

Verdict judge(const Result<json::object>& answer, std::chrono::seconds limit) {
    if (!answer) {
        switch (answer.error().code) {
        case ErrorCode::Malformed:
            return {Fault::Document, "what the viewer made of it is no text"};
        case ErrorCode::Expired:
            return {Fault::Machine, "the viewer gave no answer in time"};
        case ErrorCode::NotFound:
            return {Fault::Machine, kNothingToReadWith};
        case ErrorCode::Cancelled:
            return {Fault::Machine, "the viewer was stopped"};
        default:
            return {Fault::Machine, "the viewer's machine ended before it answered"};
        }
    }
    JsonFields fields(*answer, "document.read");
    Verdict verdict;
    verdict.size = fields.number("size", kMaxText);
    verdict.cut = fields.boolean("cut");
    const auto code = fields.optionalNumber("code", 255);
    const auto signal = fields.optionalNumber("signal", 64);
    if (!fields.finish() || code.has_value() == signal.has_value()) {
        return {Fault::Machine, "the viewer's clerk answered in a wrong form"};
    }
    if (signal) {
        return {Fault::Document, *signal == kProcessorTimeSpent ? tooSlow(limit) : wordsFor(UINT64_MAX, limit)};
    }
    if (*code == kNoProgram) {
        return {Fault::Machine, kNothingToReadWith};
    }
    return *code == 0 ? verdict : Verdict{Fault::Document, wordsFor(*code, limit)};
}

} // namespace carrel::viewer
