// SPDX-License-Identifier: Apache-2.0
#include "app/tasks/programs.h"

namespace carrel::tasks {

Status checkProgram(const std::string& program) {
    if (!program.empty() && program != kBuiltIn) {
        return fail(ErrorCode::NotFound, "there is no agent program of that name", "See: carrel task programs");
    }
    return {};
}

Result<Brain> brainOf(const std::string& program, const std::string& provider, std::map<std::string, std::string> environment) {
    CARREL_TRY(checkProgram(program));
    const auto api = environment.find("CARREL_MODEL_API");
    if (api == environment.end() || (api->second != "anthropic" && api->second != "openai")) {
        return fail(ErrorCode::Unsupported, "Carrel's own agent does not speak with such a model", "Let the agent use another provider, or another agent program");
    }
    return Brain{std::string(kBuiltIn), provider, {"/run/carrel/bin/carrel-agent"}, std::move(environment)};
}

} // namespace carrel::tasks
