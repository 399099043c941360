// SPDX-License-Identifier: Apache-2.0
// What every verb needs: the engine, the output, the way to say that something failed.
// Thread: main.
#pragma once

#include "app/api/client.h"
#include "app/api/launcher.h"
#include "app/cli/render.h"
#include "guest/protocol/result.h"

#include <CLI/CLI.hpp>
#include <boost/json.hpp>

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace carrel::cli {

enum class Format { Text, Json };

class Context {
public:
    Format format = Format::Text;
    api::Start start = api::Start::IfNeeded;
    std::string tokenFile; // of a client (client_token.h)
    bool onlyResults = false; // no progress, but on a terminal
    std::function<int()> action; // of the verb that was chosen

    Context();

    // Connects at the first call. Progress goes to the terminal's last line; where there is no terminal, as
    // lines to standard output; with --json nowhere but to a terminal.
    [[nodiscard]] Result<boost::json::object>
    call(std::string_view verb, boost::json::object params,
         const std::function<api::Flow(const boost::json::object&)>& event = {});
    [[nodiscard]] UniqueFd takeDescriptor();

    void print(std::string_view text);
    void printJson(const boost::json::value& value); // one line
    [[nodiscard]] Colour colour() const { return m_colour; }
    // Prints the one line and returns 1.
    [[nodiscard]] int failed(const Error& error);
    // Everything is written, or 1.
    [[nodiscard]] int done(int status = 0);

    // A verb that calls, prints the result as JSON, or renders it.
    using Render = std::function<std::string(const boost::json::object&)>;
    [[nodiscard]] int show(std::string_view verb, boost::json::object params, const Render& render);

private:
    [[nodiscard]] Result<api::Client> connect() const;
    void showProgress(const api::Progress& progress);
    void clearProgress();

    std::optional<api::Client> m_client;
    bool m_errorsAreTerminal = false;
    bool m_progressShown = false;
    bool m_outputBroken = false;
    std::string m_lastProgress;
    Colour m_colour = Colour::No;
};

// The whole command line: every verb, with its options and its help. `command` is what follows the -- of exec.
void addEverything(CLI::App& app, Context& context, const std::vector<std::string>& command);

// The verbs, a file each.
void addMachineVerbs(CLI::App& app, Context& context); // doctor, create, start, stop, delete, list, engine
void addPauseVerbs(CLI::App& app, Context& context); // pause, resume
void addImageVerbs(CLI::App& app, Context& context);
void addShareVerbs(CLI::App& app, Context& context);
void addReviewVerbs(CLI::App& app, Context& context); // changes, diff, apply, discard, undo
void addNetworkVerbs(CLI::App& app, Context& context);  // net
void addExecPolicyVerbs(CLI::App& app, Context& context); // policy exec
void addForwardVerbs(CLI::App& app, Context& context);  // forward
void addCredentialVerbs(CLI::App& app, Context& context); // credential
void addCanaryVerbs(CLI::App& app, Context& context);     // canary
void addProviderVerbs(CLI::App& app, Context& context);   // provider
void addBudgetVerb(CLI::App& app, Context& context);      // budget
void addTaskVerbs(CLI::App& app, Context& context);       // task
void addProgramVerbs(CLI::App& app, Context& context);    // task programs, task install; after task
void addTimelineVerb(CLI::App& app, Context& context);
void addLogVerbs(CLI::App& app, Context& context); // log
void addRecordVerbs(CLI::App& app, Context& context); // record
void addExportVerb(CLI::App& app, Context& context);
void addDemoVerb(CLI::App& app, Context& context);
void addTokenVerbs(CLI::App& app, Context& context);
void addApprovalVerbs(CLI::App& app, Context& context); // approvals
void addDecideVerbs(CLI::App& app, Context& context);   // show, allow, deny
void addRuleVerbs(CLI::App& app, Context& context);
void addSessionVerbs(CLI::App& app, Context& context, const std::vector<std::string>& command); // exec, shell

// A folder or file argument as the engine takes it: absolute; in `key` or `key`_b64.
[[nodiscard]] Status putHostPath(boost::json::object& into, std::string_view key,
                                 const std::string& argument);

} // namespace carrel::cli
