// SPDX-License-Identifier: Apache-2.0
// The clerk: holds one machine's channels and stands between the guest's bytes and the engine. Speaks the file
// protocol, the control protocol and the sessions; asks the engine for everything else by small typed messages
// (link.h). It is confined before it holds the first byte of the guest's, and ends when the engine does: nobody is at
// the door then, and the guest's requests wait for the next clerk.
// Thread: one event loop; nothing here is called from another thread.
#pragma once

#include "app/clerk/channel_pump.h"
#include "app/clerk/console_reader.h"
#include "app/clerk/content_receiver.h"
#include "app/clerk/document_reader.h"
#include "app/clerk/file_service.h"
#include "app/clerk/forward_desk.h"
#include "app/clerk/guest_asks.h"
#include "app/clerk/guest_clock.h"
#include "app/clerk/guest_rpc.h"
#include "app/clerk/guest_words.h"
#include "app/clerk/link.h"
#include "app/clerk/net_desk.h"
#include "app/clerk/session_relay.h"
#include "guest/protocol/agent_talk.h"
#include "guest/protocol/authority_certificate.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <map>
#include <memory>
#include <string>

namespace carrel::clerk {

class Clerk {
public:
    // `drift`: how long a guest's clock may go by itself.
    explicit Clerk(UniqueFd link, std::chrono::nanoseconds drift = kDriftPatience);
    // Runs until the engine's end of the link closes. The exit status of the process.
    [[nodiscard]] int run();

private:
    using Params = boost::json::object;
    using Descriptors = std::vector<UniqueFd>;
    using Reply = std::function<void(Result<boost::json::object>)>;

    void waitLink();
    void onLink();
    void dispatch(RpcRequest&& request, Descriptors&& descriptors);
    void notify(std::string_view method, Params params);
    void notify(Told told) { notify(told.method, std::move(told.params)); }

    void prepare(const Params& params, Descriptors&& descriptors, const Reply& reply);
    void attach(const Params& params, Descriptors&& descriptors, const Reply& reply);
    void detach(const Params& params, const Reply& reply);
    void attachOne(const std::string& name, UniqueFd fd);
    void attachNetwork(UniqueFd fd, UniqueFd window); // window: none, everything goes over the channel
    [[nodiscard]] std::shared_ptr<ChannelPump> pumpFor(const std::string& name, UniqueFd fd, Mux::Options options);
    void attachConsole(UniqueFd fd);
    [[nodiscard]] std::shared_ptr<ChannelPump>* slotOf(std::string_view name);
    void hello(const Reply& reply);
    void setClock(const Params& params, const Reply& reply);
    void sendClock(std::function<void()> answered);
    void exec(const Params& params, Descriptors&& descriptors, const Reply& reply);
    void readDocument(const Params& params, Descriptors&& descriptors, const Reply& reply);
    void listChanges(const Params& params, const Reply& reply);
    void copyContent(const Params& params, Descriptors&& descriptors, const Reply& reply);
    void forwardEntries(std::string_view method, const Params& params, const Reply& reply);
    void programsPolicy(const Params& params, const Reply& reply);
    void revokeShare(const Params& params, const Reply& reply);
    void readsRecorded(const Params& params, const Reply& reply);
    void answerAsk(const Params& params, const Reply& reply);
    void callAgent(const std::string& method, const Params& params, const Reply& reply);
    void fetchEvents(const Params& params, const Reply& reply);
    // The net.* and forward.* methods. False: it is none.
    [[nodiscard]] bool network(const std::string& method, const Params& params, Descriptors& descriptors, const Reply& reply);

    [[nodiscard]] Mux::Events eventsOf(std::string_view name);
    [[nodiscard]] Mux::Events controlEvents();
    [[nodiscard]] Mux::Events filesEvents();
    [[nodiscard]] Mux::Events networkEvents();
    [[nodiscard]] Mux::Events terminalEvents();
    [[nodiscard]] Status sendControl(std::string_view text);
    // Asks, and again after a pause where the guest answers with an error, until it has greeted or is another's.
    void sayHello();
    void helloFailed(const Error& error);
    void greeted(boost::json::object greeting);
    void helloAgain();
    void forgetHello(); // another epoch, or none
    void answerWaiting(const Result<boost::json::object>& greeting);
    void guestNotification(const std::string& method, const Params& params);
    void channelClosed(std::string_view name, const std::string& why);
    void tellDocuments(const Status& there);

    boost::asio::io_context m_loop;
    boost::asio::posix::stream_descriptor m_link;
    std::string m_agentId;
    std::string m_agentName;
    boost::json::array m_shares; // as hello tells the guest
    std::optional<AuthorityCertificate> m_authority; // likewise
    bool m_programsFollow = false;                   // likewise
    bool m_confined = false;

    std::shared_ptr<ChannelPump> m_control;
    std::shared_ptr<ChannelPump> m_files;
    std::shared_ptr<ChannelPump> m_network;
    std::shared_ptr<ChannelPump> m_terminals;
    std::unique_ptr<ConsoleReader> m_console;
    GuestRpc m_rpc;
    GuestAsks m_asks;
    NetDesk m_net;
    ForwardDesk m_forwards;
    std::unique_ptr<FileService> m_fileService;
    std::map<std::uint32_t, std::shared_ptr<GuestSession>> m_sessions;
    std::vector<std::function<void(Status there)>> m_waitingForTerminals; // documents, until the guest has answered
    std::map<std::uint32_t, std::shared_ptr<ContentReceiver>> m_contents;
    std::uint32_t m_nextContentStream = control::kFirstContentStream;
    std::uint32_t m_nextSession = 1;

    // What the guest answered to the hello of this epoch, or nothing yet; and who waits for it.
    std::optional<boost::json::object> m_greeting;
    std::vector<Reply> m_waitingForGreeting;
    std::uint64_t m_hello = 0; // the one asked last
    unsigned m_helloFailed = 0; // times in this epoch, or with shares that failed
    boost::json::array m_sharesFailed; // as told
    std::optional<Error> m_neverGreets; // asking again would not help
    boost::asio::steady_timer m_helloAgain{m_loop};
    GuestClock m_guestClock;
};

} // namespace carrel::clerk
