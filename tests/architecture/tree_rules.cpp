// SPDX-License-Identifier: Apache-2.0
// Which room may know which: the dependency direction of the design, section "Parts". A new room gets its
// line here.
#include "tests/architecture/source_rules.h"

namespace carrel::testing {

SourceRules projectRules(const QString& sourceDir) {
    SourceRules rules;
    rules.topFolders = {"app/",   "hypervisor/", "guest/",      "ui/",
                        "tests/", "resources/",  "installers/", ".ci/"};
    rules.rooms = {
        // The leaf, and what runs inside the machine: nothing of the host side.
        {"guest/protocol/", {"guest/protocol/"}},
        {"guest/", {"guest/"}},
        // The language of agents, for both who speak it.
        {"guest/acp/", {"guest/acp/", "guest/protocol/"}},
        // What the guest's kernel runs, and how it comes into force: known to guestd, knows nobody.
        {"guest/bpf/", {"guest/bpf/", "guest/protocol/"}},
        // What apt installed, from Debian's signature down. Of the worktree it knows how to hash.
        {"guest/packages/", {"guest/packages/", "guest/worktree/sha256.h", "guest/protocol/"}},
        // What guestd makes of what the kernel saw.
        {"guest/watch/", {"guest/watch/", "guest/bpf/", "guest/protocol/"}},
        // What runs agent programs and speaks with them. Of guestd it knows how a process is started in the account of the agent.
        {"guest/runner/", {"guest/runner/", "guest/acp/", "guest/guestd/spawner.h", "guest/protocol/"}},
        // The built-in agent: one agent among others, which guestd starts and nothing else knows.
        {"guest/agent/", {"guest/agent/", "guest/acp/", "guest/protocol/"}},

        {"hypervisor/confine/", {"hypervisor/confine/", "guest/protocol/"}},
        {"hypervisor/api/", {"hypervisor/api/", "guest/protocol/"}},
        {"hypervisor/libvirt/",
         {"hypervisor/libvirt/", "hypervisor/api/", "hypervisor/confine/", "guest/protocol/"}},
        {"hypervisor/hcs/", {"hypervisor/hcs/", "hypervisor/api/", "hypervisor/confine/", "guest/protocol/"}},
        {"hypervisor/vz/", {"hypervisor/vz/", "hypervisor/api/", "hypervisor/confine/", "guest/protocol/"}},
        {"hypervisor/fake/", {"hypervisor/fake/", "hypervisor/api/", "guest/protocol/"}},

        // The jailed process at the door: no machine, no policy, nothing with authority.
        {"app/clerk/", {"app/clerk/", "app/relay/", "hypervisor/confine/", "guest/protocol/"}},
        // TLS and HTTP as bytes in, bytes out: linked by the clerk, so it knows nobody. authority.h is the engine's, too, which keeps what it makes.
        {"app/relay/", {"app/relay/", "guest/protocol/"}},

        // What every compilation reads first knows nothing of ours.
        {"resources/", {"resources/"}},
        {"app/api/", {"app/api/", "guest/protocol/"}},
        {"app/activity/", {"app/activity/", "guest/protocol/"}},
        {"app/files/", {"app/files/", "guest/protocol/"}},
        {"app/policy/", {"app/policy/", "app/activity/", "app/files/", "guest/protocol/"}},
        // Which programs run in agents' machines.
        {"app/exec/", {"app/exec/", "app/policy/", "app/activity/", "app/files/", "guest/protocol/"}},
        // What the user's desktop session offers: the only place that speaks on its bus.
        {"app/desktop/",
         {"app/desktop/", "app/api/display_text.h", "app/policy/", "app/activity/", "app/files/", "app/egress/credentials/", "guest/protocol/"}},
        {"app/egress/",
         {"app/egress/", "app/relay/authority.h", "app/relay/base64.h", "app/relay/canary_words.h", "app/relay/model_api.h", "app/relay/model_use.h", "app/relay/secret_pipe.h", "app/policy/", "app/activity/", "app/files/", "guest/protocol/"}},
        // Who agents' models are, what they cost, and what was used of them. Of the relay it uses what verifies a host's certificate.
        {"app/providers/",
         {"app/providers/", "app/egress/", "app/relay/model_api.h", "app/relay/model_use.h", "app/relay/tls_end.h", "app/policy/", "app/activity/", "app/files/", "guest/protocol/"}},
        {"app/images/", {"app/images/", "app/files/", "hypervisor/api/", "guest/protocol/"}},
        // link.h is what both ends of the engine's line to a clerk share; the others what both must judge alike.
        {"app/agents/",
         {"app/agents/", "app/activity/", "app/exec/", "app/files/", "app/images/", "app/policy/", "app/egress/",
          "app/recording/recorder_wire.h", "app/recording/secret_marks.h", "app/api/spawn_setup.h", "app/clerk/clerk_word.h", "app/clerk/link.h", "app/clerk/hidden_names.h", "app/clerk/placeholders.h", "app/clerk/drives.h", "app/relay/authority.h", "hypervisor/api/", "guest/protocol/"}},
        // The text of documents, from machines that are thrown away; of agents it knows only how a clerk is started.
        {"app/viewer/",
         {"app/viewer/", "app/agents/clerk_process.h", "app/clerk/link.h", "app/files/", "hypervisor/api/", "guest/protocol/"}},
        // What agents are given to do. Of agents, models and the owner's attention it knows what hands.h says, which the engine fills.
        {"app/tasks/", {"app/tasks/", "app/activity/", "app/files/", "guest/protocol/"}},
        {"app/engine/",
         {"app/engine/", "app/agents/", "app/tasks/", "app/viewer/", "app/api/", "app/activity/", "app/exec/", "app/files/", "app/images/",
          "app/policy/", "app/desktop/", "app/egress/", "app/providers/", "app/relay/model_api.h", "app/relay/model_use.h", "hypervisor/api/", "guest/protocol/"}},
        // The one place where a back end is chosen.
        {"app/engine/main.cpp", {"app/", "hypervisor/", "guest/protocol/"}},
        // A client of the engine like the desktop; it jails the helper that faces a guest's terminal output.
        {"app/cli/", {"app/cli/", "app/activity/", "app/api/", "app/export/", "app/recording/chunk.h", "hypervisor/confine/", "guest/protocol/"}},

        // The jailed process that draws a guest's terminal: what the window sees of it is app/api/terminal_wire.h.
        {"app/terminal/", {"app/terminal/", "app/api/", "hypervisor/confine/", "guest/protocol/"}},

        // What is in a recording; and the jailed processes that make and draw one, with the terminal's screen. Of files and logs it knows nothing.
        {"app/recording/", {"app/recording/", "app/terminal/", "app/api/", "hypervisor/confine/", "guest/protocol/"}},

        // Logs and recordings in the forms of other programs: what is read comes in, bytes go out.
        {"app/export/", {"app/export/", "app/activity/", "app/api/", "app/recording/chunk.h", "guest/protocol/"}},

        // guest/protocol is the leaf that app/api speaks with: results, paths.
        {"ui/", {"ui/", "app/api/", "guest/protocol/"}, true},
        {"resources/", {}}, // headers of the build: of the system only
        {"tests/", {"app/", "hypervisor/", "guest/", "ui/", "tests/"}, true},
        {"tests/support/test_precompiled.h", {"resources/cmake/precompiled.h"}, true},
    };
    rules.ownedHeaders = {{"libvirt/", {"hypervisor/libvirt/", "tests/"}},
                          {"sqlite3", {"app/activity/", "tests/"}},
                          {"libsecret/", {"app/desktop/", "tests/"}},
                          {"gio/", {"app/desktop/", "tests/"}},
                          {"glib", {"app/desktop/", "tests/"}},
                          {"vterm", {"app/terminal/"}},
                          {"fuse", {"guest/", "tests/"}},
                          {"bpf/", {"guest/bpf/", "guest/watch/"}},
                          {"boost/beast", {"guest/agent/", "tests/"}}};
    rules.words = readForbiddenWords(sourceDir + "/tests/architecture/forbidden_words.txt");
    for (auto& word : ownPathAsForbiddenWord(sourceDir)) {
        rules.words.push_back(std::move(word));
    }
    rules.wordsExempt = {"tests/architecture/forbidden_words.txt",
                         "tests/architecture/test_source_rules.cpp"};
    return rules;
}

} // namespace carrel::testing
