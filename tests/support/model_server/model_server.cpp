// SPDX-License-Identifier: Apache-2.0
#include "tests/support/model_server/model_server.h"

#include "tests/support/model_server/anthropic.h"
#include "tests/support/model_server/body_checks.h"
#include "tests/support/model_server/line.h"
#include "tests/support/model_server/openai.h"

#include <arpa/inet.h>
#include <csignal>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/pem.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>

namespace carrel::test::model {

namespace {

constexpr std::string_view kMessages = "/v1/messages";
constexpr std::string_view kCompletions = "/v1/chat/completions";
constexpr std::string_view kModels = "/v1/models";

// The path tells, elsewhere what only the one API has.
Api apiOf(const HttpRequest& request) {
    if (request.path() == kMessages || request.path() == kCompletions) {
        return request.path() == kMessages ? Api::Anthropic : Api::OpenAi;
    }
    return request.header("anthropic-version").empty() && request.header("x-api-key").empty() ? Api::OpenAi : Api::Anthropic;
}

std::string sized(std::string_view bytes) {
    char size[20];
    (void)std::snprintf(size, sizeof size, "%zx\r\n", bytes.size());
    return std::string(size).append(bytes).append("\r\n");
}

} // namespace

// One client's: reads a request, has it answered, sends the response, and so on.
class ModelServer::Connection {
public:
    Connection(ModelServer& server, UniqueFd socket)
        : m_server(server)
        , m_socket(std::move(socket))
        , m_wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK))
        , m_thread([this] { run(); }) {}
    ~Connection() { stop(); }
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    [[nodiscard]] bool done() const { return m_done; }
    void wake() const { (void)::eventfd_write(m_wake.get(), 1); }
    void stop() {
        m_stopped = true;
        wake();
        (void)::shutdown(m_socket.get(), SHUT_RDWR);
    }

private:
    void run() {
        sigset_t pipe;
        (void)::sigemptyset(&pipe);
        (void)::sigaddset(&pipe, SIGPIPE);
        (void)::pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
        Line line(m_socket.get(), m_server.m_tls.get());
        if (line.begin()) {
            serve(line);
        }
        (void)::shutdown(m_socket.get(), SHUT_RDWR);
        m_done = true;
    }

    void serve(Line& line) {
        for (;;) {
            auto request = line.read();
            if (m_stopped) {
                return;
            }
            if (!request) {
                (void)deliver(line, m_server.unreadable(request.error()));
                line.end();
                return;
            }
            if (!*request) {
                return;
            }
            std::size_t index = 0;
            const auto reply = m_server.answer(**request, index);
            const auto how = deliver(line, reply);
            if (how == Delivery::Whole && (*request)->header("connection") != "close") {
                m_server.delivered(index, how);
                continue;
            }
            if (how == Delivery::Whole) {
                line.end();
            }
            (void)::shutdown(m_socket.get(), SHUT_RDWR);
            m_server.delivered(index, m_stopped ? Delivery::Stopped : how);
            return;
        }
    }

    [[nodiscard]] bool sendHead(Line& line, const Reply& reply) {
        std::string head = "HTTP/1.1 " + std::to_string(reply.status) + " " + reasonPhrase(reply.status) + "\r\n";
        for (const auto& [name, value] : reply.headers) {
            head.append(name).append(": ").append(value).append("\r\n");
        }
        std::size_t length = 0;
        for (const auto& step : reply.steps) {
            length += step.kind == Step::Kind::Bytes ? step.text.size() : 0;
        }
        head += reply.streamed ? "Transfer-Encoding: chunked\r\n\r\n" : "Content-Length: " + std::to_string(length) + "\r\n\r\n";
        return line.send(head);
    }

    Delivery deliver(Line& line, const Reply& reply) {
        // A response without a stream waits before its head: a client sees it whole or not at all.
        if ((reply.hold && !pass(line, *reply.hold)) || (!reply.streamed && !passAll(line, reply)) || !sendHead(line, reply)) {
            return Delivery::ClientLeft;
        }
        auto left = reply.cutAfter;
        for (const auto& step : reply.steps) {
            if (step.kind == Step::Kind::Hold) {
                if (reply.streamed && !pass(line, step.text)) {
                    return Delivery::ClientLeft;
                }
                continue;
            }
            do {
                const auto most = std::min(left.value_or(step.text.size()), step.text.size());
                const auto bytes = std::string_view(step.text).substr(0, most);
                if (!bytes.empty() && !line.send(reply.streamed ? sized(bytes) : std::string(bytes))) {
                    return Delivery::ClientLeft;
                }
                if (left) {
                    *left -= most;
                    if (*left == 0) {
                        return Delivery::Cut;
                    }
                }
            } while (step.kind == Step::Kind::Endless);
        }
        return !reply.streamed || line.send("0\r\n\r\n") ? Delivery::Whole : Delivery::ClientLeft;
    }

    [[nodiscard]] bool passAll(Line& line, const Reply& reply) {
        return std::all_of(reply.steps.begin(), reply.steps.end(),
                           [&](const auto& step) { return step.kind != Step::Kind::Hold || pass(line, step.text); });
    }

    // False: the client left, or the server ends.
    [[nodiscard]] bool pass(Line& line, const std::string& name) {
        std::unique_lock lock(m_server.m_mutex);
        const auto held = m_server.m_held.insert(name);
        m_server.m_changed.notify_all();
        bool stays = true;
        while (stays && !m_server.m_released.contains(name)) {
            lock.unlock();
            stays = !line.hasLeftBefore(m_wake.get());
            eventfd_t woken = 0;
            (void)::eventfd_read(m_wake.get(), &woken);
            lock.lock();
        }
        m_server.m_held.erase(held);
        return stays && !m_stopped;
    }

    ModelServer& m_server;
    UniqueFd m_socket;
    UniqueFd m_wake;
    std::atomic<bool> m_stopped = false;
    std::atomic<bool> m_done = false;
    std::jthread m_thread; // the last: it uses the others
};

ModelServer::ModelServer(Scenario scenario, ModelServerOptions options)
    : m_options(std::move(options))
    , m_script(std::move(scenario)) {}

Result<std::unique_ptr<ModelServer>> ModelServer::start(Scenario scenario, ModelServerOptions options) {
    std::unique_ptr<ModelServer> server(new ModelServer(std::move(scenario), std::move(options)));
    if (!server->m_options.certificatePem.empty()) {
        CARREL_TRY(server->useTls());
    }
    CARREL_TRY(server->listen());
    server->m_accepting = std::jthread([raw = server.get()] { raw->accept(); });
    return server;
}

Status ModelServer::useTls() {
    const auto read = [](const std::string& pem) {
        return std::unique_ptr<BIO, decltype(&::BIO_free)>(::BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), &::BIO_free);
    };
    const auto chain = read(m_options.certificatePem);
    const auto keyText = read(m_options.keyPem);
    m_tls.reset(::SSL_CTX_new(::TLS_server_method()));
    const std::unique_ptr<EVP_PKEY, decltype(&::EVP_PKEY_free)> key(::PEM_read_bio_PrivateKey(keyText.get(), nullptr, nullptr, nullptr), &::EVP_PKEY_free);
    using Certificate = std::unique_ptr<X509, decltype(&::X509_free)>;
    const auto next = [&] { return Certificate(::PEM_read_bio_X509(chain.get(), nullptr, nullptr, nullptr), &::X509_free); };
    const auto own = next();
    if (!m_tls || !key || !own || ::SSL_CTX_use_certificate(m_tls.get(), own.get()) != 1 || ::SSL_CTX_use_PrivateKey(m_tls.get(), key.get()) != 1) {
        return fail(ErrorCode::Malformed, "the model server's certificate and key do not fit each other, or are none");
    }
    while (const auto above = next()) {
        (void)::SSL_CTX_add1_chain_cert(m_tls.get(), above.get());
    }
    return {};
}

Status ModelServer::listen() {
    UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(m_options.port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    const int again = 1;
    if (!listener || ::setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &again, sizeof again) != 0 ||
        ::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 || ::listen(listener.get(), 128) != 0 ||
        ::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
        return failErrno("cannot listen on port " + std::to_string(m_options.port) + " of 127.0.0.1");
    }
    m_port = ntohs(address.sin_port);
    m_listener = std::move(listener);
    return {};
}

void ModelServer::accept() {
    for (;;) {
        UniqueFd socket(::accept4(m_listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
        if (!socket && (errno == ECONNABORTED || errno == EINTR)) {
            continue; // a client that left before it was taken
        }
        if (!socket) {
            return;
        }
        const int atOnce = 1; // each event leaves as it is written
        (void)::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &atOnce, sizeof atOnce);
        const std::lock_guard lock(m_mutex);
        if (m_end) {
            return;
        }
        m_connections.remove_if([](const auto& one) { return one->done(); });
        m_connections.push_back(std::make_unique<Connection>(*this, std::move(socket)));
    }
}

ModelServer::~ModelServer() {
    std::list<std::unique_ptr<Connection>> connections;
    {
        const std::lock_guard lock(m_mutex);
        m_end = true;
        connections.swap(m_connections);
    }
    (void)::shutdown(m_listener.get(), SHUT_RDWR);
    if (m_accepting.joinable()) {
        m_accepting.join();
    }
    for (const auto& one : connections) {
        one->stop();
    }
}

std::string ModelServer::url() const {
    return (m_tls ? "https" : "http") + ("://127.0.0.1:" + std::to_string(m_port));
}

Reply ModelServer::answer(const HttpRequest& request, std::size_t& index) {
    const std::lock_guard lock(m_mutex);
    index = m_requests.size();
    m_numbers.request = index + 1;
    const auto name = "request " + std::to_string(index + 1) + " (" + request.method + " " + request.target + ")";
    RecordedRequest record{request};
    const auto api = apiOf(request);
    auto reply = judge(request, api, record, name);
    if (!reply) {
        record.played = m_script.playRefusal(reply.error(), name) ? m_script.played() : "";
        reply = errorReply(api, reply.error());
    }
    reply->headers.emplace_back(api == Api::Anthropic ? "request-id" : "x-request-id", numbered("req_", m_numbers.request));
    record.status = reply->status;
    if (m_options.log) {
        m_options.log(name + ": " + std::to_string(record.status) + (record.played.empty() ? "" : ", " + record.played));
    }
    m_requests.push_back(std::move(record));
    m_changed.notify_all();
    return std::move(*reply);
}

Judged<Reply> ModelServer::judge(const HttpRequest& request, Api api, RecordedRequest& record, const std::string& name) {
    const auto path = request.path();
    const bool asksModels = path == kModels;
    if (!asksModels && path != kMessages && path != kCompletions) {
        return refuse(api == Api::Anthropic ? "Not Found" : "Invalid URL (" + request.method + " " + path + ")", {}, {}, 404);
    }
    if (request.method != (asksModels ? "GET" : "POST")) {
        return refuse(api == Api::Anthropic ? "Method Not Allowed" : "Not allowed to " + request.method + " on " + path + ".", {}, "method_not_supported", 405);
    }
    const auto& scenario = m_script.scenario();
    CARREL_JUDGE(api == Api::Anthropic ? checkAnthropicHeaders(request, scenario.key) : checkOpenAiHeaders(request, scenario.key));
    if (asksModels) {
        return jsonReply(200, api == Api::Anthropic ? anthropicModels(scenario.models) : openAiModels(scenario.models));
    }
    if (!isJsonType(request.header("content-type"))) {
        return refuse("content-type: should be application/json");
    }
    auto seen = api == Api::Anthropic ? readAnthropic(request, scenario) : readOpenAi(request, scenario);
    CARREL_JUDGE(seen);
    std::string why;
    const auto* turn = m_script.play(*seen, name, why);
    record.conversation = *seen;
    if (turn == nullptr) {
        // Not by refuse(): the complaint is made. 400 is what no client tries again.
        return errorReply(api, {400, "The scenario does not expect this: " + why});
    }
    record.played = m_script.played();
    return replyOf(*turn, *seen, name);
}

Reply ModelServer::replyOf(const Turn& turn, const Conversation& seen, const std::string& name) {
    Reply reply;
    if (const auto* fault = std::get_if<Fault>(&turn.what)) {
        if (fault->body) {
            reply = {fault->status, {{"Content-Type", "text/html"}}};
            addBytes(reply.steps, *fault->body);
        } else {
            reply = errorReply(seen.api, {fault->status, fault->message.value_or(errorWords(fault->status)), {}, fault->code.value_or(errorCode(fault->status))});
        }
        if (fault->retryAfter) {
            reply.headers.emplace_back("Retry-After", *fault->retryAfter);
        }
    } else if (const auto* answer = std::get_if<Answer>(&turn.what)) {
        auto said = seen.stream ? std::string() : onlyStreamed(*answer);
        auto made = said.empty() ? (seen.api == Api::Anthropic ? anthropicReply(*answer, seen, m_numbers) : openAiReply(*answer, seen, m_numbers))
                                 : tl::unexpected<std::string>(std::move(said));
        if (!made) {
            m_script.complain(name + ": its turn " + made.error() + ", and it asks for no stream");
            return errorReply(seen.api, {400, "The scenario does not expect this: it asks for no stream"});
        }
        reply = std::move(*made);
        reply.cutAfter = answer->cutAfter;
    }
    reply.hold = turn.hold;
    return reply;
}

Reply ModelServer::errorReply(Api api, const ApiError& error) const {
    return jsonReply(error.status, errorBody(api, error, numbered("req_", m_numbers.request)));
}

Reply ModelServer::unreadable(const ApiError& error) {
    const std::lock_guard lock(m_mutex);
    m_script.complain("a connection: " + error.message);
    return errorReply(Api::OpenAi, error);
}

void ModelServer::delivered(std::size_t index, Delivery how) {
    const std::lock_guard lock(m_mutex);
    m_requests[index].delivery = how;
    m_changed.notify_all();
}

void ModelServer::release(const std::string& name) {
    const std::lock_guard lock(m_mutex);
    m_released.insert(name);
    for (const auto& one : m_connections) {
        one->wake();
    }
}

template <class Ready> bool ModelServer::waitFor(std::chrono::milliseconds guard, Ready ready) const {
    std::unique_lock lock(m_mutex);
    return m_changed.wait_for(lock, guard, ready);
}

bool ModelServer::waitUntilHeld(const std::string& name, std::chrono::milliseconds guard) const {
    return waitFor(guard, [&] { return m_held.contains(name); });
}

bool ModelServer::waitForRequests(std::size_t count, std::chrono::milliseconds guard) const {
    return waitFor(guard, [&] { return m_requests.size() >= count; });
}

bool ModelServer::waitForDeliveries(std::size_t count, std::chrono::milliseconds guard) const {
    return waitFor(guard, [&] {
        const auto ended = std::count_if(m_requests.begin(), m_requests.end(), [](const auto& one) { return one.delivery != Delivery::Underway; });
        return static_cast<std::size_t>(ended) >= count;
    });
}

std::vector<RecordedRequest> ModelServer::requests() const {
    const std::lock_guard lock(m_mutex);
    return m_requests;
}

std::vector<std::string> ModelServer::failures() const {
    const std::lock_guard lock(m_mutex);
    auto failures = m_script.complaints();
    for (auto& left : m_script.unplayed()) {
        failures.push_back(std::move(left));
    }
    return failures;
}

} // namespace carrel::test::model
