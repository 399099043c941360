// SPDX-License-Identifier: Apache-2.0
// Clerks that a test plays itself. The engine's side starts a small program (stand_in_clerk_main.cpp) where
// it would start carrel-clerk; that hands its end of the link to the test and lives on, as the process that
// the engine waits for.
#pragma once

#include "app/clerk/link.h"

#include <QTemporaryDir>
#include <boost/json/object.hpp>

#include <atomic>
#include <fcntl.h>
#include <functional>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

namespace carrel::agents::test {

// One started clerk, in the test's hands. Thread: one at a time for each function.
class StandIn {
public:
    StandIn() = default;
    StandIn(UniqueFd link, UniqueFd leash)
        : m_link(std::move(link))
        , m_leash(std::move(leash)) {}

    // The next request; none when the engine closed the link.
    std::optional<RpcRequest> next() {
        auto message = clerk::receiveLink(m_link.get(), clerk::Wait::Block);
        if (!message) {
            m_sessions.clear(); // as a process that ends
            m_descriptors.clear();
            return std::nullopt;
        }
        m_descriptors = std::move(message->descriptors);
        auto parsed = parseRpc(message->text, {clerk::kMaxLinkMessage, 12});
        if (parsed && std::holds_alternative<RpcRequest>(*parsed) && std::get<RpcRequest>(*parsed).method == "exec" &&
            m_descriptors.size() == 1) {
            const int socket = ::fcntl(m_descriptors.front().get(), F_DUPFD_CLOEXEC, 0);
            m_sessions.emplace_back(socket); // a clerk keeps it
        }
        return parsed && std::holds_alternative<RpcRequest>(*parsed)
                   ? std::optional(std::get<RpcRequest>(std::move(*parsed)))
                   : std::nullopt;
    }
    // What came with it.
    [[nodiscard]] const std::vector<UniqueFd>& descriptors() const { return m_descriptors; }
    void answer(std::uint64_t id, Result<boost::json::object> result) {
        RpcResponse response{id, boost::json::value()};
        if (result) {
            response.result = boost::json::value(std::move(*result));
        } else {
            response.result = fail(std::move(result).error());
        }
        (void)clerk::sendLink(m_link.get(), toText(response)).has_value();
    }
    void tell(std::string method, boost::json::object params) {
        (void)clerk::sendLink(m_link.get(), toText(RpcRequest{{}, std::move(method), std::move(params)}))
            .has_value();
    }
    void closeLink() { m_link.reset(); }
    // The process stays, whatever becomes of its link: a clerk that is broken.
    void stay() { (void)clerk::sendLink(m_leash.get(), "stay").has_value(); }
    // The process ends; it is otherwise that of a clerk, which ends with its link.
    void end() { m_leash.reset(); }
    [[nodiscard]] int link() const { return m_link.get(); }

private:
    UniqueFd m_link;
    std::vector<UniqueFd> m_descriptors;
    std::vector<UniqueFd> m_sessions;
    UniqueFd m_leash; // the process ends when it is closed
};

// What the engine is given as the clerk's program, and the clerks that it has started.
class StandInHouse {
public:
    StandInHouse();
    [[nodiscard]] std::string program() const { return m_folder.filePath("clerk").toStdString(); }
    // Waits for the next start. Empty link: none comes any more (close).
    std::optional<StandIn> take();
    void close();

private:
    QTemporaryDir m_folder{"/tmp/carrel-clerk-XXXXXX"};
    UniqueFd m_listener;
};

// Every clerk that is started answers as one with a well-behaved guest would, but for what the test says.
class StandInClerks {
public:
    using Answer = std::optional<Result<boost::json::object>>; // none: never
    using Handler = std::function<Answer(const boost::json::object& params)>;

    StandInClerks();
    ~StandInClerks();
    StandInClerks(const StandInClerks&) = delete;
    StandInClerks& operator=(const StandInClerks&) = delete;

    [[nodiscard]] std::string program() const { return m_house.program(); }
    // From the next request on. Called on a clerk's thread.
    void on(std::string method, Handler handler);
    // The same, told which of them was asked: the first that was started is 1.
    using EachHandler = std::function<Answer(unsigned clerk, const boost::json::object& params)>;
    void onEach(std::string method, EachHandler handler);
    // content.copy is then answered with these bytes; none: the entry has another generation by now.
    using Content = std::function<std::optional<std::string>(const boost::json::object& params)>;
    void onContent(Content content);
    // document.read is answered by this: a viewer's machine. The document to read, the file for its text.
    using Document = std::function<Answer(unsigned clerk, const boost::json::object& params, int document, int text)>;
    void onDocument(Document document);
    // Told of each net.connected, with the socket that came with it, which is the callee's. The clerk answers {}.
    using Connected = std::function<void(const boost::json::object& params, UniqueFd socket)>;
    void onConnected(Connected connected);
    // Told of each request with secrets in a pipe (app/relay/secret_pipe.h), which is the callee's. The clerk answers as without.
    using Piped = std::function<void(const std::string& method, const boost::json::object& params, UniqueFd pipe)>;
    void onPiped(Piped piped);
    // The clerks die, or one of them: the first that was started is 1.
    void dropAll();
    void drop(unsigned clerk);
    // To the engine, from the newest clerk; what begins with "net." from the newest that has the network.
    void tell(std::string method, boost::json::object params);
    void tellFrom(unsigned clerk, std::string method, boost::json::object params);
    [[nodiscard]] unsigned count(const std::string& method) const; // requests of that name so far

private:
    void serve(StandIn& one, unsigned number);
    Answer answerTo(const RpcRequest& request, const std::vector<UniqueFd>& descriptors, unsigned number);

    StandInHouse m_house;
    mutable std::mutex m_mutex;
    std::map<std::string, EachHandler> m_handlers;
    Content m_content;
    Document m_document;
    Connected m_connected;
    Piped m_piped;
    unsigned m_network = 0; // which of them has it
    std::map<std::string, unsigned> m_counts;
    std::list<StandIn> m_clerks;
    std::list<std::thread> m_threads;
    std::thread m_accepting; // last: it uses the rest
};

} // namespace carrel::agents::test
