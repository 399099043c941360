// SPDX-License-Identifier: Apache-2.0
// Model providers: whose models agents use, and which of them uses which.
#include "app/cli/render_approval.h"
#include "app/cli/review_dialogue.h"
#include "app/cli/secret_prompt.h"

#include <iostream>
#include <memory>

namespace carrel::cli {

namespace json = boost::json;

namespace {

constexpr std::size_t kMostUrl = 1100;

struct ProviderOptions {
    std::string name, agent;
    std::string preset, api, url, model;
    std::uint64_t window = 0;
    bool noKey = false, force = false, yes = false;
};

std::string urlOf(const json::object& of) {
    return shown(textAt(of, "url"), kMostUrl);
}

std::string windowOf(const json::object& of) {
    const auto window = numberAt(of, "window");
    return window == 0 ? std::string() : std::to_string(window);
}

// Two sentences or three: what would be kept, or is.
std::string wordsOf(const json::object& result) {
    const auto& of = objectAt(result, "provider");
    std::string out = "The model " + shown(textAt(of, "model"), 200) + " at " + urlOf(of) + ", which speaks as " + shown(textAt(of, "api"), 16) + " does" +
                      (windowOf(of).empty() ? "" : ", with room for " + windowOf(of) + " tokens") + ".\n";
    if (flagAt(of, "this_computer")) {
        out += "It is on this computer. Agents that use it reach " + shown(textAt(of, "guest_url"), kMostUrl) + ", this one port, and no other of this computer.\n";
    }
    const auto* key = result.if_contains("key");
    if (key == nullptr || !key->is_object()) {
        return out + "It gets no key.\n";
    }
    return out + "Its key goes to " + shown(textAt(of, "host"), 253) + " alone, as " + shown(textAt(key->get_object(), "header"), 64) + ": " +
           shown(textAt(key->get_object(), "format"), 200) + ", and is kept in " +
           (textAt(key->get_object(), "kept") == "keyring" ? "the keyring" : "the sealed file") + "; that host gets no other key from agents.\n";
}

std::string addedText(const json::object& result) {
    const auto name = shown(textAt(objectAt(result, "provider"), "name"), 40);
    return "Model provider " + name + " is kept.\n" + wordsOf(result) + "No agent uses it yet. Let one: carrel provider use AGENT " + name + "\n";
}

std::string agentsOf(const json::object& of) {
    std::string out;
    for (const auto& each : listAt(of, "agents")) {
        if (each.is_string()) {
            out += (out.empty() ? "" : ", ") + shown(std::string(each.get_string()), 40);
        }
    }
    return out.empty() ? "nobody" : out;
}

std::string listText(const json::object& result) {
    const auto& all = listAt(result, "providers");
    if (all.empty()) {
        return "No model yet. Add one: carrel provider add NAME --preset anthropic\n"
               "What else Carrel knows of, models on this computer among it: carrel provider presets\n";
    }
    Table table({"NAME", "MODEL", "ADDRESS", "SPEAKS AS", "WINDOW", "KEY", "USED BY"});
    for (const auto& value : all) {
        if (value.is_object()) {
            const auto& of = value.get_object();
            const auto key = textAt(of, "credential");
            table.add({shown(textAt(of, "name"), 40), shown(textAt(of, "model"), 200), urlOf(of), shown(textAt(of, "api"), 16), windowOf(of),
                       key.empty() ? "none" : "credential " + shown(key, 64), agentsOf(of)});
        }
    }
    return table.text();
}

std::string presetListText(const json::object& result) {
    Table table({"PRESET", "ADDRESS", "MODEL", "KEY", "ABOUT"});
    for (const auto& value : listAt(result, "presets")) {
        if (value.is_object()) {
            const auto& of = value.get_object();
            const auto model = textAt(of, "model");
            table.add({shown(textAt(of, "name"), 40), urlOf(of), model.empty() ? "to be named" : shown(model, 200), flagAt(of, "key") ? "yes" : "no",
                       shown(textAt(of, "about"), 200)});
        }
    }
    return table.text() + "Add one: carrel provider add NAME --preset PRESET\n";
}

std::string testText(const json::object& result) {
    std::string out;
    for (const auto& value : listAt(result, "checks")) {
        if (value.is_object()) {
            out += std::string(flagAt(value.get_object(), "good") ? "good   " : "wrong  ") + shown(textAt(value.get_object(), "words"), 2000) + "\n";
        }
    }
    Table table({"AGENT", "USES IT", "REACHES IT", "NETWORK"});
    const auto& agents = listAt(result, "agents");
    for (const auto& value : agents) {
        if (value.is_object()) {
            const auto& one = value.get_object();
            const auto answer = textAt(one, "answer");
            table.add({shown(textAt(one, "agent"), 40), flagAt(one, "uses") ? "yes" : "no",
                       answer == "allow" ? "yes" : answer == "ask" ? "when you allow it" : "no", shown(textAt(one, "network"), 20)});
        }
    }
    out += agents.empty() ? "There is no agent that could reach it.\n" : table.text();
    for (const auto& each : listAt(result, "not_tried")) {
        out += each.is_string() ? shown(std::string(each.get_string()), 1000) + "\n" : "";
    }
    return out;
}

std::string removedText(const json::object& result) {
    const auto left = textAt(result, "left");
    const auto& of = objectAt(result, "provider");
    const auto agents = agentsOf(of);
    return "Model provider " + shown(textAt(of, "name"), 40) + " is gone" + (textAt(of, "credential").empty() ? "" : ", with its key") + ".\n" +
           (agents == "nobody" ? "" : "Without a model now: " + agents + ".\n") + (left.empty() ? "" : shown(left, 400) + "\n");
}

int add(Context& context, const ProviderOptions& options) {
    json::object params{{"name", options.name}};
    const auto put = [&](const char* name, const std::string& given) {
        if (!given.empty()) {
            params[name] = given;
        }
    };
    put("preset", options.preset);
    put("api", options.api);
    put("url", options.url);
    put("model", options.model);
    if (options.window != 0) {
        params["window"] = options.window;
    }
    if (options.noKey) {
        params["key"] = false;
    }
    auto looked = params;
    looked["preview"] = true;
    const auto preview = context.call("provider.add", looked);
    if (!preview) {
        return context.failed(preview.error());
    }
    if (canAsk()) {
        std::cerr << wordsOf(*preview);
    }
    if (const auto* key = preview->if_contains("key"); key == nullptr || !key->is_object()) {
        if (canAsk() && !options.yes) {
            forgetTyped();
            if (!asksUser("Keep it?", Answer::Letter)) {
                return context.failed(Error{ErrorCode::Cancelled, "no provider was kept", "All is as before.", 0, nullptr});
            }
        }
        return context.show("provider.add", std::move(params), addedText);
    }
    params["key"] = true; // as was shown
    TypedSecret value;
    if (auto read = value.read("Key of " + shown(options.name, 64) + " (it is not shown)"); !read) {
        return context.failed(read.error());
    }
    const auto secret = value.hand(context);
    if (!secret) {
        return context.failed(secret.error());
    }
    params["secret"] = *secret;
    return context.show("provider.add", std::move(params), addedText);
}

// What would come and go, or did.
enum class When { Before, After };
std::string changeText(const json::object& result, When when) {
    const auto agent = shown(textAt(result, "agent"), 40);
    const bool after = when == When::After;
    std::string out;
    if (const auto& come = listAt(result, "rules"); !come.empty()) {
        out += std::string(after ? "By these rules, which count from now on:\n" : "These rules would be kept:\n") + rulesText(come);
    }
    if (const auto& gone = listAt(result, "gone"); !gone.empty()) {
        out += std::string(after ? "These rules are gone, with what went on by them:\n" : "These rules would go, and what goes on by them would be cut:\n") + rulesText(gone);
    }
    if (textAt(result, "mode_before") != textAt(result, "mode")) {
        out += "The agent " + agent + (after ? " was offline. It reaches" : " is offline. It would reach") +
               " this from now on, and nothing else that no rule allows (allowlist).\n";
    }
    return out;
}

std::string usedText(const json::object& result) {
    const auto agent = shown(textAt(result, "agent"), 40);
    const auto& of = objectAt(result, "provider");
    const auto head = of.empty() ? "Agent " + agent + " uses no model now.\n"
                                 : "Agent " + agent + " uses " + shown(textAt(of, "model"), 200) + " of " + shown(textAt(of, "name"), 40) + ".\n";
    return head + changeText(result, When::After);
}

int use(Context& context, const ProviderOptions& options) {
    if (!options.yes && !canAsk()) {
        return context.failed(Error{ErrorCode::Refused, "nothing was changed: there is no terminal to ask on",
                                    "Look at it with 'carrel provider list', then use --yes.", 0, nullptr});
    }
    json::object params{{"agent", options.agent}, {"provider", options.name}};
    if (!options.yes) {
        auto looked = params;
        looked["preview"] = true;
        const auto preview = context.call("provider.use", looked);
        if (!preview) {
            return context.failed(preview.error());
        }
        if (const auto words = changeText(*preview, When::Before); !words.empty()) {
            std::cerr << words;
            forgetTyped();
            if (!asksUser("Do so?", Answer::Letter)) {
                return context.failed(Error{ErrorCode::Cancelled, "nothing was changed", "All is as before.", 0, nullptr});
            }
        }
    }
    return context.show("provider.use", std::move(params), usedText);
}

void addAdd(CLI::App& provider, Context& context, const std::shared_ptr<ProviderOptions>& options) {
    auto* verb = provider.add_subcommand("add", "Keep a model provider; its key is asked for, or read from standard input");
    verb->add_option("NAME", options->name, "What you call it; its key is a credential of the same name")->required();
    verb->add_option("--preset", options->preset, "One that Carrel knows of: carrel provider presets")->type_name("P");
    verb->add_option("--api", options->api, "How it is spoken with; openai is whatever speaks as it does")->type_name("A")->check(CLI::IsMember({"anthropic", "openai", "gemini"}));
    verb->add_option("--url", options->url, "Where it is: https://, or http://localhost:PORT/v1 for a server on this computer")->type_name("U");
    verb->add_option("--model", options->model, "Which of its models")->type_name("M");
    verb->add_option("--window", options->window, "How many tokens fit into one question")->type_name("N")->check(CLI::Range(std::uint64_t{1'000}, std::uint64_t{1'000'000'000}));
    verb->add_flag("--no-key", options->noKey, "It gets none");
    verb->add_flag("--yes", options->yes, "Do not ask");
    verb->footer("It is shown before it is kept, and gives nobody anything by itself: carrel provider use says which agent uses it.\n"
                 "Examples: carrel provider add claude --preset anthropic\n"
                 "          carrel provider add local --preset ollama --model qwen3:8b\n"
                 "          carrel provider add work --api openai --url https://models.example.org/v1 --model large < key-file");
    verb->callback([&context, options] { context.action = [&context, options] { return add(context, *options); }; });
}

} // namespace

void addProviderVerbs(CLI::App& app, Context& context) {
    auto* provider = app.add_subcommand("provider", "Say whose models agents use, on this computer or elsewhere");
    provider->require_subcommand(1);
    auto options = std::make_shared<ProviderOptions>();
    addAdd(*provider, context, options);
    provider->add_subcommand("list", "List the model providers, and which agents use which; no key is shown")->callback([&context] {
        context.action = [&context] { return context.show("provider.list", json::object{}, listText); };
    });
    provider->add_subcommand("presets", "List the model providers that Carrel knows of by itself")->callback([&context] {
        context.action = [&context] { return context.show("provider.presets", json::object{}, presetListText); };
    });
    auto* test = provider->add_subcommand("test", "Say whether a provider is there, its key too, and which agents reach it; its model is asked nothing");
    test->add_option("NAME", options->name, "As 'carrel provider list' shows it")->required();
    test->callback([&context, options] {
        context.action = [&context, options] { return context.show("provider.test", json::object{{"name", options->name}}, testText); };
    });
    auto* use = provider->add_subcommand("use", "Say whose model an agent uses, and let it there, after the rules were shown");
    use->add_option("AGENT", options->agent, "The agent")->required();
    use->add_option("NAME", options->name, "As 'carrel provider list' shows it, or none")->required();
    use->add_flag("--yes", options->yes, "Do not ask");
    use->footer("An agent that is offline reaches its model and nothing else from then on. The rules of the provider that it used before go.\n"
                "Example: carrel provider use clerk local");
    use->callback([&context, options] { context.action = [&context, options] { return carrel::cli::use(context, *options); }; });
    auto* remove = provider->add_subcommand("remove", "Take a provider away, with its key and the rules that let agents there");
    remove->add_option("NAME", options->name, "As 'carrel provider list' shows it")->required();
    remove->add_flag("--force", options->force, "Though agents use it: they are without a model then");
    remove->callback([&context, options] {
        context.action = [&context, options] {
            json::object params{{"name", options->name}};
            if (options->force) {
                params["force"] = true;
            }
            return context.show("provider.remove", std::move(params), removedText);
        };
    });
}

} // namespace carrel::cli
