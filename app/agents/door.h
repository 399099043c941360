// SPDX-License-Identifier: Apache-2.0
// The two clerks at one running machine's door. One serves the folders, and one mechanism its crash, an engine's restart, a
// new share and an ended one: it ends, and a new clerk, confined to the folders that are shared now, takes its channels
// over; a new epoch on each tells the guest. The other has the terminals and the network and can open no folder at all, so that
// whatever becomes of a share, no command and no connection has to end for it, and none keeps a clerk alive that can open what was
// revoked; and so that who reads what the world sends, and for a moment holds a secret, has no file of the user's.
//
// Ownership: the agent's; gone when the machine is. Thread: any; open and renew block and are the caller's to
// serialise; events come on the clerks' reader threads.
#pragma once

#include "app/agents/asked.h"
#include "app/agents/clerk_process.h"
#include "app/egress/egress.h"
#include "guest/protocol/authority_certificate.h"
#include "hypervisor/api/machine.h"

#include <atomic>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stop_token>

namespace carrel::agents {

struct ServedShare {
    enum class Shows { Folder, Nothing }; // Nothing: an empty folder, in the place of one that was revoked
    std::uint32_t id = 0;
    std::string name;
    std::string mode;
    UniqueFd root;     // O_PATH
    std::string table; // name of its node table in the table folder
    Shows shows = Shows::Folder;
};

class Door {
public:
    struct Setup {
        std::string agentId;
        std::string agentName;
        std::string clerkProgram;
        std::filesystem::path tableFolder; // node tables of this machine's life
        std::vector<std::string> hidden;   // patterns of names that no share shows
        bool decidesPrograms = false; // the guest is told which may run, after its hello; until then none does
        std::shared_ptr<egress::Egress> network = {}; // whom the clerk with that channel tells of connections; none: nobody
    };
    struct Events {
        std::function<void(const std::string& method, const boost::json::object& params)> told;
        // Writes first reads down before they happen (file.read of link.h). Without record no read.
        std::function<Status(const boost::json::object& params)> recordReads;
        std::function<void(const std::string& how)> clerkGone; // the one that serves files and control
        std::function<void()> tend; // look at tended() soon, from a thread that may block
        std::function<void(const ask::Question& question, AnswerAsk answer)> asked; // by a program in the machine
    };
    struct Jail {
        pid_t pid = 0;
        std::uint64_t landlockAbi = 0;
    };

    Door(hypervisor::Machine& machine, Setup setup, Events events);
    ~Door();
    Door(const Door&) = delete;
    Door& operator=(const Door&) = delete;

    // Puts a new clerk at the door, with or without one before it, whose process is gone by then; also where this fails.
    // `authority`: what the agent's programs are to trust, which that clerk tells the guest.
    [[nodiscard]] Result<Jail> renew(const std::vector<ServedShare>& shares, const std::optional<AuthorityCertificate>& authority = {});
    // Waits until the guest has answered the hello of this epoch and so has its shares.
    [[nodiscard]] std::future<ClerkProcess::Answer> hello();
    // The same, waiting no longer than a guest that works would need. Cancelled when stopped or called off.
    [[nodiscard]] Status awaitHello(std::stop_token stop = {}, std::chrono::seconds patience = kAnswerPatience);
    // No clerk of this door serves a byte of that folder from here on, whichever shares renew() was given; also while it
    // renews. A clerk that does not confirm it within `patience` is ended.
    void revoke(std::uint32_t share, std::chrono::seconds patience);
    [[nodiscard]] ClerkProcess::Answer request(std::string_view method, boost::json::object params,
                                               const std::vector<int>& descriptors = {}, std::stop_token stop = {},
                                               std::chrono::seconds patience = kAnswerPatience);
    // Ends every wait of request() and awaitHello() with Cancelled, those under way and those to come, until callOn(): so that
    // the agent can be stopped while something else waits for a guest that does not answer.
    void callOff();
    void callOn();
    [[nodiscard]] bool calledOff() const;
    // While the machine's processors stand still: request() and awaitHello() end at once, those under way and those to come,
    // with Cancelled, and ask nothing of the guest, which would carry it out later. Until release().
    void hold();
    void release();
    // The guest's clock is put right, by a message that is on its way to it when this returns. One that could not be sent is no
    // harm: the channel then begins anew, which sets it, too.
    void sendClock();
    // `params` without the session, which is chosen here and answered. With `until` the command's socket is cut as soon
    // as that says so, whoever holds its other end by then; the clerk then ends the command.
    [[nodiscard]] Result<std::uint32_t> exec(boost::json::object params, int socket,
                                             std::optional<std::stop_token> until = {});
    [[nodiscard]] bool alive() const;
    // What the guest last printed on its console; its own word.
    [[nodiscard]] std::string consoleTail();
    // The terminals and the network have a clerk that lives. Where they lost theirs tend() gives them another; its commands and
    // connections are lost.
    [[nodiscard]] bool tended() const;
    [[nodiscard]] Status tend();
    // Ends all clerks and reports nothing more.
    void close();

private:
    // A command that does not outlast its caller's permission: our copy of the clerk's end of its socket. (Of that end,
    // so that the clerk still sees when the caller lets go of the other.)
    struct Leash {
        Leash(UniqueFd socket, std::stop_token until);
        UniqueFd clerksEnd;
        std::stop_callback<std::function<void()>> cut;
    };
    struct Post { // one clerk and what it is for
        std::map<std::uint32_t, std::unique_ptr<Leash>> sessions; // of the terminals'; null: without a leash
        std::shared_ptr<std::atomic<std::size_t>> asks = std::make_shared<std::atomic<std::size_t>>(0); // under way
        std::shared_ptr<ClerkProcess> process; // once, before anything is asked of it
        std::shared_ptr<egress::Egress> network; // once, likewise
        std::atomic<std::uint64_t> clerk = 0;    // as the network knows it; 0: not of this one
        void leaveNetwork();
        // Its reader uses the rest, and others may hold the process for a moment longer.
        ~Post() {
            if (process) {
                process->leave();
            }
            leaveNetwork();
        }
    };
    using Authority = std::optional<AuthorityCertificate>;
    [[nodiscard]] Result<std::shared_ptr<Post>> hire(const std::vector<ServedShare>& shares, const Authority& authority, Jail& jail);
    [[nodiscard]] Status cutLate(const std::shared_ptr<Post>& post, const std::vector<ServedShare>& shares);
    [[nodiscard]] Status attach(Post& post, const std::vector<hypervisor::ChannelId>& channels);
    [[nodiscard]] Result<Jail> replace(const std::shared_ptr<Post>& old, const std::vector<ServedShare>& shares, const Authority& authority);
    void told(Post& from, const std::string& method, const boost::json::object& params);
    void recordReads(Post& from, const boost::json::object& params);
    void asked(Post& from, const boost::json::object& params); // door_asks.cpp
    void joinNetwork(Post& post); // door_network.cpp
    static void toldOfNetwork(Post& from, const std::string& method, const boost::json::object& params);
    void gone(Post& who, const std::string& how);

    hypervisor::Machine& m_machine;
    Setup m_setup;
    Events m_events;
    mutable std::mutex m_mutex;
    std::shared_ptr<Post> m_post;      // control, files, console
    std::shared_ptr<Post> m_terminals; // and the network; never prepared with a share
    std::shared_ptr<Post> m_leaving, m_coming; // while renew() puts the one in the other's place
    std::set<std::uint32_t> m_revoked; // ids are never used again
    std::uint32_t m_nextSession = 1;
    bool m_closed = false;
    std::stop_source m_off;
    std::stop_source m_held;
};

// What is said of an agent whose machine is paused, in the words that the code fits.
[[nodiscard]] Error pausedError(ErrorCode code, const std::string& agent);

} // namespace carrel::agents
