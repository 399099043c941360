// SPDX-License-Identifier: Apache-2.0
#include "app/cli/context.h"
#include "app/cli/share_argument.h"

#include <memory>

namespace carrel::cli {

namespace json = boost::json;

Result<json::object> shareFrom(const std::string& argument) {
    std::string folder = argument;
    std::string mode = "review";
    for (const std::string known : {"read-only", "review"}) {
        if (argument.ends_with(":" + known)) {
            folder.resize(argument.size() - known.size() - 1);
            mode = known;
        }
    }
    json::object share;
    CARREL_TRY(putHostPath(share, "dir", folder));
    share["mode"] = mode;
    return share;
}

void addShareVerbs(CLI::App& app, Context& context) {
    auto* share = app.add_subcommand("share", "The folders that an agent sees");
    share->require_subcommand(1);
    auto agent = std::make_shared<std::string>();
    auto what = std::make_shared<std::string>();
    auto discard = std::make_shared<bool>(false);

    auto* add = share->add_subcommand("add", "Share a folder with an agent");
    add->add_option("NAME", *agent, "The agent")->required();
    add->add_option("DIR[:MODE]", *what, "The folder; the mode is review (the default) or read-only")
        ->required();
    add->footer("Example: carrel share add clerk ~/reference:read-only");
    add->callback([&context, agent, what] {
        context.action = [&context, agent, what] {
            auto params = shareFrom(*what);
            if (!params) {
                return context.failed(params.error());
            }
            (*params)["agent"] = *agent;
            return context.show("share.add", std::move(*params), [](const json::object& result) {
                const auto& added = objectAt(result, "share");
                return shown(pathAt(added, "dir"), 400) + " is " + shown(textAt(added, "guest_path"), 300) +
                       " in the machine (" + shown(textAt(added, "mode"), 20) + ").\n";
            });
        };
    });

    auto* remove = share->add_subcommand("remove", "End the sharing of a folder");
    remove->add_option("NAME", *agent, "The agent")->required();
    remove->add_option("SHARE", *what, "The share's name, as 'carrel share list' shows it")->required();
    remove->add_flag("--discard", *discard, "Even if changes are staged in it: forget them");
    remove->callback([&context, agent, what, discard] {
        context.action = [&context, agent, what, discard] {
            json::object params{{"agent", *agent}, {"share", *what}};
            if (*discard) {
                params["discard"] = true;
            }
            return context.show("share.remove", std::move(params), [](const json::object& result) {
                return shown(textAt(result, "removed"), 300) +
                       " is shared no more. What the agent has read of it may remain in its machine.\n";
            });
        };
    });

    auto* list = share->add_subcommand("list", "List the folders that an agent sees");
    list->add_option("NAME", *agent, "The agent")->required();
    list->callback([&context, agent] {
        context.action = [&context, agent] {
            return context.show(
                "share.list", json::object{{"agent", *agent}},
                [](const json::object& result) { return sharesText(listAt(result, "shares")); });
        };
    });
}

} // namespace carrel::cli
