// SPDX-License-Identifier: Apache-2.0
// Rules as files: taking a set in the place of all there are, writing all out, the sets that Carrel comes with.
#include "app/api/display_text.h"
#include "app/cli/render_approval.h"
#include "app/cli/review_dialogue.h"
#include "app/cli/rule_argument.h"
#include "guest/protocol/share_path.h"

#include <cerrno>
#include <fcntl.h>
#include <iostream>
#include <memory>
#include <unistd.h>

namespace carrel::cli {

namespace json = boost::json;

namespace {

constexpr std::size_t kMaxRulesText = 1024 * 1024; // maxLength of toml in app/api/schema/rule.import.json
constexpr char kStandardInput[] = "-";

struct FileOptions {
    std::string file;
    std::string preset;
    bool yes = false;
};

Result<std::string> readRules(const std::string& name) {
    UniqueFd file;
    if (name != kStandardInput) {
        file = UniqueFd(::open(name.c_str(), O_RDONLY | O_CLOEXEC));
        if (!file) {
            return failErrno("cannot open the file of rules");
        }
    }
    std::string text;
    char buffer[16384];
    for (;;) {
        const ssize_t got = ::read(file ? file.get() : STDIN_FILENO, buffer, sizeof buffer);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return failErrno("cannot read the rules");
        }
        if (got == 0) {
            break;
        }
        text.append(buffer, static_cast<std::size_t>(got));
        if (text.size() > kMaxRulesText) {
            return fail(ErrorCode::LimitExceeded, "that is longer than rules can be (1 MiB)", "Is it the right file?");
        }
    }
    if (!isUtf8(text)) {
        return fail(ErrorCode::Malformed, "the rules are not UTF-8", "Is it the right file?");
    }
    return text;
}

std::string exchangeText(const json::object& result, const char* kept, const char* gone) {
    return std::string(kept) + "\n" + rulesText(listAt(result, "rules")) +
           (listAt(result, "gone").empty() ? std::string() : std::string(gone) + "\n" + rulesText(listAt(result, "gone")));
}

int import(Context& context, const FileOptions& options) {
    const bool canBeAsked = canAsk() && options.file != kStandardInput;
    if (!options.yes && !canBeAsked) {
        const bool input = options.file == kStandardInput;
        return context.failed(Error{ErrorCode::Refused,
                                    input ? "no rules were taken: they come from standard input, so nobody can be asked there"
                                          : "no rules were taken: there is no terminal to ask on",
                                    "Use --yes. 'carrel rules export FILE' keeps those that are there now.", 0, nullptr});
    }
    json::object params;
    if (options.preset.empty()) {
        auto text = readRules(options.file);
        if (!text) {
            return context.failed(text.error());
        }
        params["toml"] = std::move(*text);
    } else {
        params["preset"] = options.preset;
    }
    if (!options.yes) {
        auto tried = params;
        tried["preview"] = true;
        const auto preview = context.call("rule.import", std::move(tried));
        if (!preview) {
            return context.failed(preview.error());
        }
        std::cerr << exchangeText(*preview, "These rules would be kept:", "These would go:");
        forgetTyped();
        if (!asksUser("Put them in the place of all rules there are?", Answer::Letter)) {
            return context.failed(Error{ErrorCode::Cancelled, "no rules were taken", "All is as before.", 0, nullptr});
        }
    }
    return context.show("rule.import", std::move(params), [](const json::object& result) {
        return exchangeText(result, "These rules are kept:", "These are gone:");
    });
}

// Never over a file that is there.
Status writeNew(const std::string& name, std::string_view text) {
    const UniqueFd file(::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!file && errno == EEXIST) {
        return fail(ErrorCode::AlreadyExists, "there is a file of that name already: " + name, "Name another one, or take it away first.");
    }
    if (!file) {
        return failErrno("cannot make the file " + name);
    }
    while (!text.empty()) {
        const ssize_t written = ::write(file.get(), text.data(), text.size());
        if (written < 0 && errno != EINTR) {
            const auto error = errnoError("cannot write the file " + name);
            (void)::unlink(name.c_str());
            return fail(error);
        }
        text.remove_prefix(written > 0 ? static_cast<std::size_t>(written) : 0);
    }
    if (::fsync(file.get()) != 0 && errno != EINVAL && errno != EROFS) { // a device has nothing to flush
        const auto error = errnoError("cannot write the file " + name);
        (void)::unlink(name.c_str());
        return fail(error);
    }
    return {};
}

int exportRules(Context& context, const FileOptions& options) {
    const auto result = context.call("rule.export", json::object{});
    if (!result) {
        return context.failed(result.error());
    }
    const auto toml = textAt(*result, "toml");
    if (!options.file.empty() && options.file != kStandardInput) {
        if (auto written = writeNew(options.file, toml); !written) {
            return context.failed(written.error());
        }
    }
    if (context.format == Format::Json) {
        context.printJson(*result);
    } else if (!options.file.empty() && options.file != kStandardInput) {
        context.print("All rules are in " + shown(options.file, 400) + ".\n");
    } else if (::isatty(STDOUT_FILENO) != 0) {
        context.print(api::DisplayText::block(toml, kMaxRulesText * 2).text()); // raw only where no terminal obeys it
    } else {
        context.print(toml);
    }
    return context.done();
}

} // namespace

void addRuleFileVerbs(CLI::App& rules, Context& context) {
    auto options = std::make_shared<FileOptions>();
    auto* take = rules.add_subcommand("import", "Put a set of rules in the place of all there are, after it was shown");
    auto* file = take->add_option("FILE", options->file, "As 'carrel rules export' writes it; - for standard input");
    take->add_option("--preset", options->preset, "Or one of the sets that Carrel comes with ('carrel rules presets')")
        ->type_name("NAME")
        ->excludes(file);
    take->add_flag("--yes", options->yes, "Do not ask");
    take->footer("Also the way out where the file of rules cannot be used. Example: carrel rules import --preset careful");
    take->callback([&context, options] {
        if (options->file.empty() && options->preset.empty()) {
            throw CLI::RequiredError("FILE or --preset NAME");
        }
        context.action = [&context, options] { return import(context, *options); };
    });

    auto* give = rules.add_subcommand("export", "Write all rules out, to keep or to give away");
    give->add_option("FILE", options->file, "A new file; without it, standard output");
    give->footer("Example: carrel rules export rules.toml");
    give->callback([&context, options] { context.action = [&context, options] { return exportRules(context, *options); }; });

    auto* presets = rules.add_subcommand("presets", "List the sets of rules that Carrel comes with");
    presets->footer("Example: carrel rules presets");
    presets->callback([&context] {
        context.action = [&context] { return context.show("rule.presets", json::object{}, [](const json::object& result) {
            return presetsText(result, "carrel rules import --preset NAME");
        }); };
    });
}

} // namespace carrel::cli
