// SPDX-License-Identifier: Apache-2.0
#include "app/files/risk.h"

#include "app/files/line_diff.h"

#include <algorithm>
#include <array>
#include <vector>

namespace carrel::files {

namespace {

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

struct Rule {
    std::string_view name;
    const char* why;
};

// Whole names, wherever they stand.
constexpr std::array kNames{
    Rule{".envrc", "direnv runs it on entering the folder"},
    Rule{".env", "programs take settings and secrets from it"},
    Rule{".bashrc", "a shell runs it when it starts"},
    Rule{".bash_profile", "a shell runs it when it starts"},
    Rule{".bash_login", "a shell runs it when it starts"},
    Rule{".bash_logout", "a shell runs it when it ends"},
    Rule{".profile", "a shell runs it at login"},
    Rule{".zshrc", "a shell runs it when it starts"},
    Rule{".zshenv", "a shell runs it when it starts"},
    Rule{".zprofile", "a shell runs it when it starts"},
    Rule{".zlogin", "a shell runs it when it starts"},
    Rule{".inputrc", "the shell's command line obeys it"},
    Rule{".vimrc", "an editor runs it when it starts"},
    Rule{".exrc", "an editor runs it when it starts"},
    Rule{".nvimrc", "an editor runs it when it starts"},
    Rule{".nvim.lua", "an editor runs it when it starts"},
    Rule{".dir-locals.el", "an editor runs it when it opens a file here"},
    Rule{".gdbinit", "the debugger runs it when it starts"},
    Rule{".lldbinit", "the debugger runs it when it starts"},
    Rule{".gitconfig", "git runs commands named in it"},
    Rule{".gitmodules", "git fetches and runs by it"},
    Rule{".gitattributes", "git chooses filters and drivers by it"},
    Rule{".pre-commit-config.yaml", "it names commands that run on a commit"},
    Rule{".npmrc", "npm obeys it"},
    Rule{".yarnrc", "yarn obeys it"},
    Rule{".yarnrc.yml", "yarn obeys it"},
    Rule{".pypirc", "Python's upload tools obey it"},
    Rule{"pip.conf", "pip obeys it"},
    Rule{".netrc", "programs take passwords from it"},
    Rule{".python-version", "it chooses which program runs"},
    Rule{".tool-versions", "it chooses which programs run"},
    Rule{"mise.toml", "it can run commands on entering the folder"},
    Rule{".mise.toml", "it can run commands on entering the folder"},
    Rule{"sitecustomize.py", "Python runs it when it starts"},
    Rule{"usercustomize.py", "Python runs it when it starts"},
    Rule{"conftest.py", "a test run executes it"},
    Rule{"setup.py", "an installation runs it"},
    Rule{"package.json", "it names commands that npm runs"},
    Rule{"makefile", "make runs the commands in it"},
    Rule{"gnumakefile", "make runs the commands in it"},
    Rule{"justfile", "just runs the commands in it"},
    Rule{"cmakelists.txt", "a build runs it, and editors start builds by themselves"},
    Rule{"cmakepresets.json", "a build obeys it"},
    Rule{"build.rs", "a build runs it, and editors start builds by themselves"},
    Rule{"build.gradle", "a build runs it"},
    Rule{"build.gradle.kts", "a build runs it"},
    Rule{"authorized_keys", "it lets others log in"},
    // With the first of them any folder can be a git repository (a bare one needs no .git), and git obeys the other ones.
    Rule{"head", "with it git takes the folder for a repository, and obeys what lies there"},
    Rule{"config", "git obeys it where the folder can be a repository, and other programs do"},
    Rule{"config.worktree", "git obeys it where the folder can be a repository"},
    Rule{"commondir", "git obeys what it names where the folder can be a repository"},
    Rule{"autorun.inf", "some systems run what it names"},
    Rule{"desktop.ini", "some systems obey it"},
    Rule{"claude.md", "other agents obey it"},
    Rule{"agents.md", "other agents obey it"},
    Rule{".mcp.json", "it names programs that other agents start"},
};

// Anything beneath a folder of that name.
constexpr std::array kFolders{
    Rule{".git", "git obeys or runs what lies there"},
    Rule{".husky", "git hooks run from there"},
    Rule{".githooks", "git hooks run from there"},
    Rule{".vscode", "an editor runs tasks and programs named there"},
    Rule{".idea", "an editor runs tasks and programs named there"},
    Rule{".zed", "an editor runs tasks and programs named there"},
    Rule{".cursor", "an editor obeys what lies there"},
    Rule{".claude", "other agents obey what lies there"},
    Rule{".devcontainer", "an editor runs what is named there"},
    Rule{".github", "a build service runs what lies there"},
    Rule{".gitlab", "a build service runs what lies there"},
    Rule{".ssh", "remote logins obey it"},
    Rule{".gnupg", "it holds keys"},
    Rule{".cargo", "a build obeys what lies there"},
    Rule{"autostart", "the desktop runs what lies there at login"},
    Rule{".config", "programs obey what lies there"},
};

// With a dot in front and yet obeyed by nothing that runs anything.
constexpr std::array kHarmless{std::string_view(".gitignore"), std::string_view(".gitkeep"), std::string_view(".keep"),
                               std::string_view(".editorconfig"), std::string_view(".dockerignore"),
                               std::string_view(".npmignore")};

constexpr std::array kEndings{
    Rule{".desktop", "the desktop runs the command in it"},
    Rule{".service", "the system runs the command in it"},
    Rule{".timer", "the system runs commands by it"},
    Rule{".code-workspace", "an editor runs tasks named in it"},
    Rule{".pth", "Python runs lines of it when it starts"},
    Rule{".lnk", "opening it runs what it names"},
    Rule{".url", "opening it follows what it names"},
    Rule{".scf", "some systems obey it when its folder is shown"},
    Rule{".reg", "opening it changes the system's settings"},
    Rule{".exe", "it is a program"},
    Rule{".com", "it is a program"},
    Rule{".scr", "it is a program"},
    Rule{".msi", "opening it installs software"},
    Rule{".bat", "it is a program"},
    Rule{".cmd", "it is a program"},
    Rule{".ps1", "it is a program"},
    Rule{".vbs", "it is a program"},
    Rule{".hta", "it is a program"},
    Rule{".jar", "it is a program"},
    Rule{".sh", "it is a program"},
    Rule{".appimage", "it is a program"},
    Rule{".so", "programs load it"},
    Rule{".dll", "programs load it"},
    Rule{".dylib", "programs load it"},
    Rule{".docm", "it can hold macros that run when it is opened"},
    Rule{".dotm", "it can hold macros that run when it is opened"},
    Rule{".xlsm", "it can hold macros that run when it is opened"},
    Rule{".xltm", "it can hold macros that run when it is opened"},
    Rule{".xlsb", "it can hold macros that run when it is opened"},
    Rule{".xlam", "it can hold macros that run when it is opened"},
    Rule{".pptm", "it can hold macros that run when it is opened"},
    Rule{".potm", "it can hold macros that run when it is opened"},
    Rule{".ppam", "it can hold macros that run when it is opened"},
    Rule{".ppsm", "it can hold macros that run when it is opened"},
    Rule{".doc", "its old format can hold macros that run when it is opened"},
    Rule{".xls", "its old format can hold macros that run when it is opened"},
    Rule{".ppt", "its old format can hold macros that run when it is opened"},
};

RiskVerdict high(std::string reason) {
    return {Risk::High, std::move(reason)};
}

// Characters that make a name look like another: control, zero-width, direction (Unicode general category Cf,
// the usual ones). Not the list of app/clerk/hidden_names.cpp, and not to be made one with it: that one has what a disk leaves
// out of a name (Default_Ignorable_Code_Point), also what stands in many an honest name, such as the selector behind an emoji,
// which is worth no warning; this one has what a reader is deceived by, also control characters and line separators, which
// every disk keeps.
bool hasInvisible(std::string_view name) {
    for (std::size_t i = 0; i < name.size(); ++i) {
        const auto c = static_cast<std::uint8_t>(name[i]);
        if (c < 0x20 || c == 0x7f) {
            return true;
        }
        const std::string_view rest = name.substr(i);
        if (rest.starts_with("\xef\xbb\xbf") || rest.starts_with("\xc2\xad") ||
            rest.starts_with("\xd8\x9c") || rest.starts_with("\xc2\x85") ||
            rest.starts_with("\xe1\xa0\x8e")) {
            return true;
        }
        if (rest.size() >= 3 && c == 0xe2) {
            const auto second = static_cast<std::uint8_t>(rest[1]);
            const auto third = static_cast<std::uint8_t>(rest[2]);
            const bool general =
                second == 0x80 && ((third >= 0x8b && third <= 0x8f) || (third >= 0xa8 && third <= 0xae));
            const bool marks = second == 0x81 && third >= 0xa0 && third <= 0xaf;
            if (general || marks) {
                return true;
            }
        }
    }
    return false;
}

// vfat, exfat and ntfs know no case, and no dots or blanks at a name's end: "Makefile." is the makefile there.
std::string asADiskMayTakeIt(std::string_view name) {
    std::string out = lowered(name);
    out.erase(out.find_last_not_of(". ") + 1);
    return out;
}

// Short names as vfat and ntfs make them up ("GIT~1" for ".git"), and letters that fold to other ones where a rule would
// apply (".\u017fsh"): names with a dot in front are ASCII by custom.
bool mayBeTakenForAnother(std::string_view name) {
    const auto stem = name.substr(0, name.find('.'));
    const auto tilde = stem.rfind('~');
    const bool isShort = tilde != std::string_view::npos && tilde > 0 && tilde + 1 < stem.size() && stem.size() <= 8 &&
                         stem.find_first_not_of("0123456789", tilde + 1) == std::string_view::npos;
    const bool folds = name.starts_with('.') &&
                       std::any_of(name.begin(), name.end(), [](char c) { return static_cast<std::uint8_t>(c) >= 0x80; });
    return isShort || folds;
}

// Of a repository's own folder what git only stores and reads: a commit's bytes, where branches stand. A warning at each of
// them would bury the ones that count (hooks, config). gitrepository-layout(5); what is not named here is high.
bool isGitData(const std::vector<std::string_view>& parts, std::size_t git) {
    static constexpr std::array kStores{"objects", "refs", "logs"};
    static constexpr std::array kFiles{"HEAD", "ORIG_HEAD", "FETCH_HEAD", "index", "packed-refs", "description", "COMMIT_EDITMSG"};
    if (git + 1 >= parts.size()) {
        return false; // .git itself: as a file it names another repository
    }
    const auto first = parts[git + 1];
    if (git + 2 == parts.size()) {
        return std::find(kFiles.begin(), kFiles.end(), first) != kFiles.end() ||
               std::find(kStores.begin(), kStores.end(), first) != kStores.end();
    }
    // objects/info names other repositories to read from.
    return std::find(kStores.begin(), kStores.end(), first) != kStores.end() &&
           !(first == "objects" && asADiskMayTakeIt(parts[git + 2]) == "info");
}

RiskVerdict judgeName(const SharePath& path) {
    const auto parts = path.components();
    for (std::size_t i = 0; i < parts.size(); ++i) {
        const std::string part = asADiskMayTakeIt(parts[i]);
        for (const Rule& rule : kFolders) {
            if (part == rule.name && !(parts[i] == ".git" && isGitData(parts, i))) {
                return high(rule.why);
            }
        }
        if (!isUtf8(parts[i])) {
            return high("its name is no valid text");
        }
        if (hasInvisible(parts[i])) {
            return high("its name holds invisible characters");
        }
        if (mayBeTakenForAnother(parts[i])) {
            return high("some disks take its name for that of another file");
        }
    }
    const std::string name = asADiskMayTakeIt(path.name());
    const bool isData = std::any_of(parts.begin(), parts.end(), [&](const auto& part) {
        return part == ".git" && isGitData(parts, static_cast<std::size_t>(&part - parts.data()));
    });
    for (const Rule& rule : kNames) {
        if (name == rule.name && !isData) {
            return high(rule.why);
        }
    }
    // There are more of them than any list knows: .hg/hgrc, .screenrc, whatever is invented next.
    for (const auto part : parts) {
        const bool harmless = std::find(kHarmless.begin(), kHarmless.end(), part) != kHarmless.end();
        if (part.starts_with('.') && part != ".git" && !harmless) {
            return high("programs take their settings from what has a dot in front of its name");
        }
    }
    for (const Rule& rule : kEndings) {
        if (name.ends_with(rule.name)) {
            return high(rule.why);
        }
    }
    // A bare git repository's, and other programs'.
    if ((parts.size() >= 2 && asADiskMayTakeIt(parts[parts.size() - 2]) == "hooks")) {
        return high("programs run what lies in a hooks folder");
    }
    return {};
}

// Who else could do what with it. Of a new one only that anybody could change it; of one that was there everything that
// its rights do not give today: a file of the user's alone must not be opened to others in passing.
RiskVerdict judgeReach(const FrozenEntry& entry) {
    struct Right {
        std::uint32_t bit;
        const char* why;
    };
    static constexpr Right kRights[] = {{0002, "everybody on this computer could change it"},
                                        {0004, "everybody on this computer could read it"},
                                        {0001, "everybody on this computer could enter it"},
                                        {0020, "the accounts of its group could change it"},
                                        {0040, "the accounts of its group could read it"},
                                        {0010, "the accounts of its group could enter it"}};
    std::uint32_t added = entry.wanted.kind == NodeKind::Absent ? 0 : entry.wanted.mode & 0077U;
    bool before = false;
    for (const auto* stood : {&entry.base, &entry.target}) { // a rename: also of what stands where it goes
        if (stood->kind == NodeKind::File || stood->kind == NodeKind::Directory) {
            added = before ? added | (entry.wanted.mode & 0077U & ~stood->mode) : added & ~stood->mode;
            before = true;
        }
    }
    for (const Right& right : kRights) {
        if ((added & right.bit) != 0 && (before || right.bit == 0002U)) {
            return high(right.why);
        }
    }
    return {};
}

} // namespace

std::string lowered(std::string_view text) {
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(), lower);
    return out;
}

bool isCaseTwin(std::string_view a, std::string_view b) {
    return a != b && a.size() == b.size() &&
           std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return lower(x) == lower(y); });
}

RiskVerdict judgeRisk(const FrozenEntry& entry, std::string_view head) {
    if (entry.wanted.kind == NodeKind::Symlink) {
        return high("it is a link: whoever writes to it writes elsewhere");
    }
    if (auto verdict = judgeName(entry.path); verdict.risk == Risk::High) {
        return verdict;
    }
    if (entry.from) {
        if (auto verdict = judgeName(*entry.from); verdict.risk == Risk::High) {
            return verdict;
        }
    }
    if (entry.wanted.kind == NodeKind::File) {
        if ((entry.wanted.mode & 0111U) != 0) {
            return high("it can be run as a program");
        }
        if (head.starts_with("#!")) {
            return high("it is a script");
        }
        if (head.starts_with("\x7f"
                             "ELF") ||
            (head.starts_with("MZ") && !looksLikeText(head.substr(0, 512)))) {
            return high("it is a program");
        }
        if (head.find("vbaProject.bin") != std::string_view::npos) {
            return high("it holds macros that can run when it is opened");
        }
    }
    return judgeReach(entry);
}

} // namespace carrel::files
