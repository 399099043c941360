// SPDX-License-Identifier: Apache-2.0
#include "app/cli/context.h"
#include "app/cli/share_argument.h"

#include <memory>

namespace carrel::cli {

namespace json = boost::json;

namespace {

constexpr char kAutoHelp[] =
    "auto: new files, and edits of files that the agent itself has made, settle by themselves, at most 100 files and\n"
    "100 MiB an hour; deletions, renames, programs, risky names and your own files wait for you. Each can be undone.\n";

std::string pathText(const json::object& share) {
    return shown(pathAt(share, "dir"), 400);
}

} // namespace

Result<json::object> shareFrom(const std::string& argument) {
    std::string folder = argument;
    std::string mode = "review";
    for (const std::string known : {"read-only", "review", "auto"}) {
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
    auto mode = std::make_shared<std::string>();
    auto discard = std::make_shared<bool>(false);

    auto* add = share->add_subcommand("add", "Share a folder with an agent");
    add->add_option("NAME", *agent, "The agent")->required();
    add->add_option("DIR[:MODE]", *what, "The folder; the mode is review (the default), read-only or auto")
        ->required();
    add->add_option("--mode", *mode, "The same, apart from the folder's name")->type_name("MODE");
    add->footer(std::string("review: every change waits for your decision. read-only: the agent changes nothing.\n") +
                kAutoHelp + "Example: carrel share add clerk ~/reference:read-only");
    add->callback([&context, agent, what, mode] {
        context.action = [&context, agent, what, mode] {
            auto params = shareFrom(*what);
            if (!params) {
                return context.failed(params.error());
            }
            if (!mode->empty()) {
                (*params)["mode"] = *mode;
            }
            (*params)["agent"] = *agent;
            return context.show("share.add", std::move(*params), [](const json::object& result) {
                const auto& added = objectAt(result, "share");
                return shown(pathAt(added, "dir"), 400) + " is " + shown(textAt(added, "guest_path"), 300) +
                       " in the machine (" + shown(textAt(added, "mode"), 20) + ").\n" + chosenText(added);
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

    auto* change = share->add_subcommand("mode", "Change who decides on what an agent changes in a folder");
    change->add_option("NAME", *agent, "The agent")->required();
    change->add_option("SHARE", *what, "The share's name, as 'carrel share list' shows it")->required();
    change->add_option("MODE", *mode, "review, read-only or auto")->required();
    change->footer(std::string(kAutoHelp) + "To read-only: refused while changes are staged.");
    change->callback([&context, agent, what, mode] {
        context.action = [&context, agent, what, mode] {
            return context.show("share.mode", json::object{{"agent", *agent}, {"share", *what}, {"mode", *mode}},
                                [](const json::object& result) {
                                    const auto& changed = objectAt(result, "share");
                                    return shown(textAt(changed, "name"), 300) + " is shared in mode " +
                                           shown(textAt(changed, "mode"), 20) + " now.\n";
                                });
        };
    });

    auto* revoke = share->add_subcommand("revoke", "End what an agent sees of a folder, and keep what it has staged");
    revoke->add_option("NAME", *agent, "The agent")->required();
    revoke->add_option("SHARE", *what, "The share's name, as 'carrel share list' shows it")->required();
    revoke->footer("At once: programs in the machine get an error. What is staged can still be reviewed and applied;\n"
                   "'carrel share remove' then ends the share for good.");
    revoke->callback([&context, agent, what] {
        context.action = [&context, agent, what] {
            return context.show(
                "share.revoke", json::object{{"agent", *agent}, {"share", *what}}, [](const json::object& result) {
                    const auto& ended = objectAt(result, "share");
                    const auto staged = numberAt(ended, "staged");
                    return "Nothing more of " + pathText(ended) + " reaches the machine. What the agent has read of it "
                           "may remain there.\n" +
                           (staged == 0 ? std::string()
                                        : countText(staged, "change waits", "changes wait") + " for review still.\n");
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
