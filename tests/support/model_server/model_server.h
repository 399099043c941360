// SPDX-License-Identifier: Apache-2.0
// A model provider for tests: speaks Anthropic's Messages API (anthropic.h) and OpenAI's chat completions (openai.h) on a port of
// 127.0.0.1, HTTP/1.1, on request with TLS, and plays a scenario (scenario.h). It is strict about what clients send, and nothing in
// it depends on the clock: it waits where the scenario holds, and a test lets it go on.
//
//   POST /v1/messages, POST /v1/chat/completions    a turn of the scenario
//   GET /v1/models                                  the scenario's models, in the shape of the API whose headers came; no turn
// The same key opens both.
//
// What is refused: another path (404) or method (405), a body that is not application/json (400), a wrong key (401), and whatever
// the API itself refuses (400, 404 for a model). Unless the scenario expects it, that fails the scenario, as does a request for
// which there is no turn, and a turn that nobody asked for: see failures().
//
// Ownership: the test's. Thread: its own ones, one for each connection; the calls may come from any.
#pragma once

#include "tests/support/model_server/script.h"

#include "guest/protocol/unique_fd.h"

#include <openssl/ssl.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <set>
#include <thread>

namespace carrel::test::model {

// How the sending of a response ended.
enum class Delivery {
    Underway,
    Whole,
    Cut,        // as the scenario says
    ClientLeft, // before its end
    Stopped,    // the server was
};

struct RecordedRequest {
    HttpRequest http;
    std::optional<Conversation> conversation; // of a good one
    int status = 0;                           // that it was answered with
    std::string played;                       // "turn 2", "aside 1"; empty: none
    Delivery delivery = Delivery::Underway;
};

struct ModelServerOptions {
    std::string certificatePem; // with TLS: the chain, the own certificate first
    std::string keyPem;         // its key, PKCS #8 in the clear
    std::uint16_t port = 0;     // 0: any free one
    std::function<void(const std::string&)> log; // a line for each request; called on threads of the server's, it must not call back
};

// A guard against a hang, never what decides a test.
inline constexpr std::chrono::seconds kGuard{120};

class ModelServer {
public:
    // Io: the port cannot be had. Malformed: the certificate or its key.
    [[nodiscard]] static Result<std::unique_ptr<ModelServer>> start(Scenario scenario, ModelServerOptions options = {});
    ~ModelServer(); // ends what is underway
    ModelServer(const ModelServer&) = delete;
    ModelServer& operator=(const ModelServer&) = delete;

    [[nodiscard]] std::uint16_t port() const { return m_port; }
    [[nodiscard]] std::string url() const; // "http://127.0.0.1:PORT", without "/v1"

    // Lets every hold of this name pass, those that come later too.
    void release(const std::string& name);
    // False: the guard ran out.
    [[nodiscard]] bool waitUntilHeld(const std::string& name, std::chrono::milliseconds guard = kGuard) const;
    [[nodiscard]] bool waitForRequests(std::size_t count, std::chrono::milliseconds guard = kGuard) const;
    // Until so many responses ended, in whatever way.
    [[nodiscard]] bool waitForDeliveries(std::size_t count, std::chrono::milliseconds guard = kGuard) const;

    [[nodiscard]] std::vector<RecordedRequest> requests() const; // in the order in which they came
    // What did not go as the scenario says, one line each, with the turns that nobody asked for. Empty: all of it was played.
    [[nodiscard]] std::vector<std::string> failures() const;

private:
    class Connection;
    struct FreeContext {
        void operator()(SSL_CTX* context) const { ::SSL_CTX_free(context); }
    };
    explicit ModelServer(Scenario scenario, ModelServerOptions options);
    [[nodiscard]] Status useTls();
    [[nodiscard]] Status listen();
    void accept();
    // What a request is answered with; it is recorded as `index`.
    [[nodiscard]] Reply answer(const HttpRequest& request, std::size_t& index);
    [[nodiscard]] Judged<Reply> judge(const HttpRequest& request, Api api, RecordedRequest& record, const std::string& name);
    [[nodiscard]] Reply replyOf(const Turn& turn, const Conversation& seen, const std::string& name);
    [[nodiscard]] Reply errorReply(Api api, const ApiError& error) const;
    [[nodiscard]] Reply unreadable(const ApiError& error); // no request that could be read, so no record
    void delivered(std::size_t index, Delivery how);
    template <class Ready> [[nodiscard]] bool waitFor(std::chrono::milliseconds guard, Ready ready) const;

    ModelServerOptions m_options;
    std::unique_ptr<SSL_CTX, FreeContext> m_tls;
    UniqueFd m_listener;
    std::uint16_t m_port = 0;
    mutable std::mutex m_mutex; // of all that follows
    mutable std::condition_variable m_changed;
    bool m_end = false;
    Script m_script;
    Numbers m_numbers;
    std::vector<RecordedRequest> m_requests;
    std::multiset<std::string> m_held;
    std::set<std::string> m_released;
    std::list<std::unique_ptr<Connection>> m_connections;
    std::jthread m_accepting;
};

} // namespace carrel::test::model
