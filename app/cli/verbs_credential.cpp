// SPDX-License-Identifier: Apache-2.0
// Credentials: kept for agents that never see them.
#include "app/cli/render_approval.h"
#include "app/cli/secret_prompt.h"

#include <memory>

namespace carrel::cli {

namespace json = boost::json;

namespace {

struct CredentialOptions {
    std::string name;
    std::vector<std::string> hosts, methods, paths, agents;
    std::string header, format, basic, env;
};

std::string joined(const json::object& of, std::string_view key, std::string_view none) {
    std::string out;
    for (const auto& each : listAt(of, key)) {
        if (each.is_string()) {
            out += (out.empty() ? "" : ", ") + shown(std::string(each.get_string()), 253);
        }
    }
    return out.empty() ? std::string(none) : out;
}

std::string writtenAs(const json::object& of) {
    const auto header = shown(textAt(of, "header"), 64) + ": ";
    const auto user = textAt(of, "basic");
    return user.empty() ? header + shown(textAt(of, "format"), 200) : header + "Basic, with the user " + shown(user, 128);
}

std::string keptText(const json::object& of) {
    return textAt(of, "kept") == "keyring" ? "the keyring" : "the sealed file";
}

std::string addedText(const json::object& result) {
    const auto& of = objectAt(result, "credential");
    std::string out = "Credential " + shown(textAt(of, "name"), 64) + " is kept in " + keptText(of) + ".\nIt goes to " + joined(of, "hosts", "nowhere") +
                      " alone, as " + writtenAs(of) + "; these hosts get no other key.\n";
    if (const auto env = textAt(of, "env"); !env.empty()) {
        out += "What stands for it is in the variable " + shown(env, 64) + " of each agent that may use it, from its next command on.\n";
    }
    const auto& rules = listAt(result, "rules");
    return out + (rules.empty() ? "Each first use is decided by the rules, and asked where none speaks of it.\n" : "By these rules it is used without asking:\n" + rulesText(rules));
}

std::string listText(const json::object& result) {
    const auto& all = listAt(result, "credentials");
    if (all.empty()) {
        return "There are no credentials. Add one: carrel credential add NAME --host HOST\n";
    }
    Table table({"NAME", "HOSTS", "WRITTEN AS", "METHODS", "PATHS", "AGENTS", "VARIABLE", "KEPT IN", "LAST USED"});
    for (const auto& value : all) {
        if (value.is_object()) {
            const auto& of = value.get_object();
            const auto used = textAt(of, "used");
            table.add({shown(textAt(of, "name"), 64), joined(of, "hosts", ""), writtenAs(of), joined(of, "methods", "any"), joined(of, "paths", "any"),
                       joined(of, "agents", "any, by a rule"), shown(textAt(of, "env"), 64), keptText(of), used.empty() ? "never" : timeText(used)});
        }
    }
    return table.text();
}

std::string testText(const json::object& result) {
    const auto& of = objectAt(result, "credential");
    std::string out = "The value of " + shown(textAt(of, "name"), 64) + (flagAt(result, "there") ? " is in " + keptText(of) + ".\n"
                                                                                            : " cannot be had: " + shown(textAt(result, "why"), 400) + ".\n");
    const auto& uses = listAt(result, "uses");
    if (uses.empty()) {
        return out + "No agent may use it.\n";
    }
    Table table({"AGENT", "HOST", "USED", "BY", "NETWORK"});
    for (const auto& value : uses) {
        if (value.is_object()) {
            const auto& use = value.get_object();
            const auto answer = textAt(use, "answer");
            const auto rule = numberAt(use, "rule");
            table.add({shown(textAt(use, "agent"), 40), shown(textAt(use, "host"), 253),
                       answer == "allow" ? "yes" : answer == "ask" ? "when you allow it" : "no", rule == 0 ? "" : "rule " + std::to_string(rule),
                       shown(textAt(use, "network"), 20)});
        }
    }
    return out + table.text() + "Nothing was sent.\n";
}

int add(Context& context, const CredentialOptions& options) {
    TypedSecret value;
    if (auto read = value.read("Value of " + shown(options.name, 64) + " (it is not shown)"); !read) {
        return context.failed(read.error());
    }
    const auto secret = value.hand(context);
    if (!secret) {
        return context.failed(secret.error());
    }
    json::object params{{"name", options.name}, {"hosts", json::value_from(options.hosts)}, {"secret", *secret}};
    const auto put = [&](const char* name, const auto& given) {
        if (!given.empty()) {
            params[name] = json::value_from(given);
        }
    };
    put("header", options.header);
    put("format", options.format);
    put("basic", options.basic);
    put("methods", options.methods);
    put("paths", options.paths);
    put("agents", options.agents);
    put("env", options.env);
    return context.show("credential.add", std::move(params), addedText);
}

int unlock(Context& context) {
    const auto now = context.call("credential.lock", json::object{{"look", true}});
    if (!now) {
        return context.failed(now.error());
    }
    const bool isNew = textAt(*now, "sealed") == "absent";
    TypedSecret passphrase;
    if (auto read = passphrase.read(isNew ? "A new passphrase for the file of credentials" : "The passphrase of the credentials"); !read) {
        return context.failed(read.error());
    }
    if (isNew && TypedSecret::isAsked()) {
        TypedSecret again;
        if (auto read = again.read("The same once more"); !read) {
            return context.failed(read.error());
        }
        if (!again.isSameAs(passphrase)) {
            return context.failed(Error{ErrorCode::InvalidArgument, "these two are not the same", "Try again.", 0, nullptr});
        }
    }
    const auto secret = passphrase.hand(context);
    if (!secret) {
        return context.failed(secret.error());
    }
    return context.show("credential.unlock", json::object{{"secret", *secret}}, [](const json::object&) {
        return std::string("The file of credentials is open until the engine ends, or: carrel credential lock\n");
    });
}

void addAdd(CLI::App& credential, Context& context, const std::shared_ptr<CredentialOptions>& options) {
    auto* verb = credential.add_subcommand("add", "Keep a credential, bound to its hosts; its value is asked for, or read from standard input");
    const auto list = [&](const char* name, std::vector<std::string>& into, const char* help, const char* type) {
        return verb->add_option(name, into, help)->delimiter(',')->type_name(type)->allow_extra_args(false);
    };
    verb->add_option("NAME", options->name, "What you, rules and the timeline call it")->required();
    list("--host", options->hosts, "Where alone it goes; may be given several times", "H")->required();
    verb->add_option("--header", options->header, "The header field that holds it; Authorization where not given")->type_name("FIELD");
    auto* format = verb->add_option("--format", options->format, "What the field holds, {} for the value; \"Bearer {}\" where not given")->type_name("TEXT");
    verb->add_option("--basic", options->basic, "Basic authentication with this user, as git over https has it")->type_name("USER")->excludes(format);
    list("--methods", options->methods, "Only with these: GET,POST", "M");
    list("--paths", options->paths, "Only at these paths; /api/* for all below /api/", "P");
    list("--agents", options->agents, "Who may use it without asking, by a rule; no others then", "A");
    verb->add_option("--env", options->env, "The variable that holds what stands for it in an agent's machine")->type_name("VAR");
    verb->footer("The agent's machine gets a placeholder of the same shape, and the clerk puts the value in its place, at these hosts alone.\n"
                 "Examples: carrel credential add models --host api.example.org --header x-api-key --format '{}' --env API_KEY --agents clerk\n"
                 "          carrel credential add hosting --host git.example.org --basic ada --env GIT_TOKEN < token-file");
    verb->callback([&context, options] { context.action = [&context, options] { return add(context, *options); }; });
}

} // namespace

void addCredentialVerbs(CLI::App& app, Context& context) {
    auto* credential = app.add_subcommand("credential", "Keep keys that agents use and never see");
    credential->require_subcommand(1);
    auto options = std::make_shared<CredentialOptions>();
    addAdd(*credential, context, options);
    credential->add_subcommand("list", "List the credentials; no value is shown")->callback([&context] {
        context.action = [&context] { return context.show("credential.list", json::object{}, listText); };
    });
    auto* remove = credential->add_subcommand("remove", "Take a credential away, with its value; what uses it is cut");
    remove->add_option("NAME", options->name, "As 'carrel credential list' shows it")->required();
    remove->callback([&context, options] {
        context.action = [&context, options] {
            return context.show("credential.remove", json::object{{"name", options->name}}, [](const json::object& result) {
                const auto left = textAt(result, "left");
                return "Credential " + shown(textAt(objectAt(result, "credential"), "name"), 64) + " is gone.\n" +
                       (left.empty() ? "" : shown(left, 400) + "\n");
            });
        };
    });
    auto* test = credential->add_subcommand("test", "Say whether a credential's value is there, and who could use it where; nothing is sent");
    test->add_option("NAME", options->name, "As 'carrel credential list' shows it")->required();
    test->callback([&context, options] {
        context.action = [&context, options] { return context.show("credential.test", json::object{{"name", options->name}}, testText); };
    });
    credential->add_subcommand("unlock", "Open the file of credentials, for a computer without a keyring; its passphrase is asked for")->callback([&context] {
        context.action = [&context] { return unlock(context); };
    });
    credential->add_subcommand("lock", "Forget the key of that file")->callback([&context] {
        context.action = [&context] {
            return context.show("credential.lock", json::object{}, [](const json::object& result) {
                return std::string(textAt(result, "sealed") == "absent" ? "There is no such file.\n" : "The file of credentials is locked.\n");
            });
        };
    });
}

} // namespace carrel::cli
