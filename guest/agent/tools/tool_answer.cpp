// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/tools/tool_answer.h"

#include "guest/agent/tools/shown_text.h"

namespace carrel::agent {

ToolOutcome failedOutcome(const Error& error) {
    return {mended(error.text()) + "." + (error.hint.empty() ? "" : " Hint: " + mended(error.hint) + "."), ToolEnd::Failed};
}

Result<std::string> placeOf(std::string_view path, const std::string& folder) {
    if (path.empty() || path.find('\0') != std::string_view::npos) {
        return fail(ErrorCode::InvalidArgument, path.empty() ? "the path is empty" : "a path cannot hold a NUL");
    }
    return path.front() == '/' ? std::string(path) : folder + "/" + std::string(path);
}

} // namespace carrel::agent
