// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/http_client.h"

#include "guest/agent/model_codec.h"
#include "guest/agent/name_lookup.h"
#include "guest/agent/retry_policy.h"

#include <boost/asio/connect.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>

#include <array>

namespace carrel::agent {

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using Code = beast::error_code;
using Tcp = beast::tcp_stream;
using Tls = beast::ssl_stream<beast::tcp_stream>;

constexpr std::size_t kErrorBytes = 64 * 1024;
constexpr int kMostInterim = 8; // of 1xx before the answer

constexpr const char* kReachHint =
    "look whether the server runs and whether its address is right; \"carrel-ask why\" in this machine says "
    "whether Carrel refused the connection";

tl::unexpected<TurnFailure> cancelled() {
    return failTurn(FailureKind::Cancelled, "it was stopped");
}

// Once before OpenSSL is used: no configuration file is read, which could load code.
void prepareOpenSsl() {
    static const int prepared = ::OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_LOAD_SSL_STRINGS, nullptr);
    (void)prepared;
}

// One exchange: straight on, though each step may be timed out or stopped, because each is begun as an asynchronous one and then waited
// for by running the context on this very thread.
class Exchange {
public:
    using Piece = std::function<TurnResult<More>(std::string_view)>;
    using Head = std::function<void(const HttpHead&)>;
    // `head`: null for a POST that is answered by events.
    Exchange(const HttpSettings& settings, const HttpRequest& request, const Head* head, const Piece& piece)
        : m_settings(settings)
        , m_request(request)
        , m_head(head)
        , m_piece(piece) {}

    TurnStatus run(const std::stop_token& stop);

private:
    template <class Start> Code await(Start start);
    TurnStatus connect(Tcp& stream, const std::stop_token& stop);
    template <class Stream> TurnStatus talk(Stream& stream);
    template <class Stream> TurnStatus readBody(Stream& stream);
    TurnStatus shakeHands(Tls& stream);
    TurnStatus judgeHead() const;
    TurnFailure failed(const char* what, Code code) const;
    std::string field(std::string_view name) const;

    const HttpSettings& m_settings;
    const HttpRequest& m_request;
    const Head* m_head;
    const Piece& m_piece;
    asio::io_context m_io;
    asio::executor_work_guard<asio::io_context::executor_type> m_work{m_io.get_executor()};
    bool m_stopped = false;
    beast::flat_buffer m_buffer;
    std::optional<http::response_parser<http::buffer_body>> m_parser;
};

template <class Start> Code Exchange::await(Start start) {
    std::optional<Code> done;
    start([&done](Code code, auto&&...) { done = code; });
    while (!done) {
        m_io.run_one();
    }
    return *done;
}

TurnFailure Exchange::failed(const char* what, Code code) const {
    if (m_stopped) {
        return cancelled().value();
    }
    const bool late = code == beast::error::timeout;
    const bool begun = m_parser && m_parser->is_header_done();
    return failTurn(begun ? FailureKind::Dropped : FailureKind::NoConnection,
                    std::string(what) + " " + m_request.address.authority() +
                        (late ? ": nothing came for too long" : ": " + code.message()),
                    kReachHint)
        .value();
}

TurnStatus Exchange::run(const std::stop_token& stop) {
    const auto onStop = [this](Tcp& stream) {
        return [this, &stream] {
            asio::post(m_io, [this, &stream] {
                m_stopped = true;
                stream.close();
            });
        };
    };
    if (m_request.address.scheme == HttpAddress::Scheme::Http) {
        Tcp stream(m_io);
        const std::stop_callback stopping(stop, onStop(stream));
        if (auto connected = connect(stream, stop); !connected) {
            return connected;
        }
        return talk(stream);
    }
    prepareOpenSsl();
    asio::ssl::context context(asio::ssl::context::tls_client);
    Code ignored; // of a store that is not there: the certificate then fails, with words
    context.set_default_verify_paths(ignored);
    context.add_verify_path(m_settings.trustFolder, ignored);
    ::SSL_CTX_set_min_proto_version(context.native_handle(), TLS1_2_VERSION);
    Tls stream(m_io, context);
    auto& tcp = beast::get_lowest_layer(stream);
    const std::stop_callback stopping(stop, onStop(tcp));
    if (auto connected = connect(tcp, stop); !connected) {
        return connected;
    }
    if (auto shaken = shakeHands(stream); !shaken) {
        return shaken;
    }
    return talk(stream);
}

TurnStatus Exchange::connect(Tcp& stream, const std::stop_token& stop) {
    const auto& address = m_request.address;
    auto endpoints = lookUp(address.host, address.port, m_settings.connect, stop);
    if (!endpoints) {
        return failTurn(std::move(endpoints).error());
    }
    stream.expires_after(m_settings.connect);
    const auto code = await([&](auto done) { stream.async_connect(*endpoints, std::move(done)); });
    if (m_stopped || code) {
        return failTurn(failed("no connection to", code));
    }
    Code ignored;
    stream.socket().set_option(asio::ip::tcp::no_delay(true), ignored);
    return {};
}

TurnStatus Exchange::shakeHands(Tls& stream) {
    const auto& host = m_request.address.host;
    Code noAddress;
    (void)asio::ip::make_address(host, noAddress);
    bool told = false;
    if (noAddress) { // RFC 6066, section 3: names alone
        told = ::SSL_set1_host(stream.native_handle(), host.c_str()) == 1 &&
               ::SSL_set_tlsext_host_name(stream.native_handle(), host.c_str()) == 1;
    } else {
        told = ::X509_VERIFY_PARAM_set1_ip_asc(::SSL_get0_param(stream.native_handle()), host.c_str()) == 1;
    }
    Code code;
    stream.set_verify_mode(asio::ssl::verify_peer, code);
    if (!told || code) {
        return failTurn(FailureKind::NoSuchHost, "TLS cannot be told to look for " + host, "look at the address that is set for the model");
    }
    beast::get_lowest_layer(stream).expires_after(m_settings.connect);
    code = await([&](auto done) { stream.async_handshake(asio::ssl::stream_base::client, std::move(done)); });
    if (m_stopped || !code) {
        return m_stopped ? TurnStatus(cancelled()) : TurnStatus();
    }
    if (const long verified = ::SSL_get_verify_result(stream.native_handle()); verified != X509_V_OK) {
        return failTurn(
            FailureKind::NoSuchHost,
            "the certificate of " + m_request.address.authority() + " is not trusted: " + ::X509_verify_cert_error_string(verified),
            "look at the address and at this computer's clock; a server with a certificate of its own is used by http:// on this "
            "computer, or its authority is put into the machine's trust store");
    }
    return failTurn(failed("no TLS with", code));
}

std::string Exchange::field(std::string_view name) const {
    const auto& head = m_parser->get();
    const auto found = head.find({name.data(), name.size()});
    return found == head.end() ? std::string() : std::string(found->value().data(), found->value().size());
}

template <class Stream> TurnStatus Exchange::talk(Stream& stream) {
    http::request<http::string_body> request{m_head == nullptr ? http::verb::post : http::verb::get,
                                             m_request.address.target(m_request.path), 11};
    request.set(http::field::host, m_request.address.authority());
    request.set(http::field::user_agent, "carrel-agent");
    request.set(http::field::accept, m_head == nullptr ? "text/event-stream" : "*/*");
    request.set(http::field::accept_encoding, "identity");
    request.set(http::field::connection, "close");
    for (const auto& [name, value] : m_request.headers) {
        request.set({name.data(), name.size()}, {value.data(), value.size()});
    }
    if (m_head == nullptr) {
        request.set(http::field::content_type, "application/json");
        request.body() = m_request.body;
        request.prepare_payload();
    }
    auto& tcp = beast::get_lowest_layer(stream);
    tcp.expires_after(m_settings.firstByte);
    // Where writing fails, the server may have answered already, and why it did not want the rest.
    const auto written = await([&](auto done) { http::async_write(stream, request, std::move(done)); });
    if (m_stopped || written == beast::error::timeout) {
        return failTurn(failed("the request cannot be sent to", written));
    }
    for (int interim = 0; interim < kMostInterim; ++interim) {
        m_parser.emplace();
        m_parser->header_limit(static_cast<std::uint32_t>(m_settings.headerBytes));
        m_parser->body_limit(m_settings.answerBytes);
        tcp.expires_after(m_settings.firstByte);
        const auto code = await([&](auto done) { http::async_read_header(stream, m_buffer, *m_parser, std::move(done)); });
        const bool ofGrammar = code.category() == http::make_error_code(http::error::bad_version).category() &&
                               code != http::error::end_of_stream && code != http::error::partial_message;
        if (!m_stopped && code && ofGrammar) {
            return failTurn(FailureKind::Malformed, m_request.address.authority() + " does not answer in HTTP: " + code.message(),
                            "look at the address that is set for the model");
        }
        if (m_stopped || code) {
            return failTurn(failed(written ? "the request cannot be sent to" : "there is no answer from", written ? written : code));
        }
        if (m_parser->get().result_int() >= 200) {
            return readBody(stream);
        }
    }
    return failTurn(FailureKind::Malformed, m_request.address.authority() + " does not come to an answer",
                    "look at the address that is set for the model");
}

// Of an answer that is none: nothing where the events may be read.
TurnStatus Exchange::judgeHead() const {
    const auto type = field("content-type");
    const bool events = beast::iequals(beast::string_view(type).substr(0, 17), "text/event-stream") &&
                        (type.size() == 17 || type[17] == ';' || type[17] == ' ');
    if (!events) {
        return failTurn(FailureKind::Malformed,
                        m_request.address.authority() + " does not stream its answer" +
                            (type.empty() ? "" : " but sends " + type.substr(0, 60)),
                        "look at the address, the path and the kind of interface that are set for the provider");
    }
    if (const auto encoding = field("content-encoding"); !encoding.empty() && !beast::iequals(encoding, "identity")) {
        return failTurn(FailureKind::Malformed, m_request.address.authority() + " packs its answer, which nobody asked for",
                        "look at what stands between here and the provider");
    }
    return {};
}

template <class Stream> TurnStatus Exchange::readBody(Stream& stream) {
    const int status = static_cast<int>(m_parser->get().result_int());
    const bool good = status <= 299 || m_head != nullptr;
    if (m_head != nullptr) {
        (*m_head)({status, field("content-type"), field("location")});
    } else if (good) {
        if (auto judged = judgeHead(); !judged) {
            return judged;
        }
    }
    std::string error;
    std::array<char, 16 * 1024> space{};
    while (!m_parser->is_done() && error.size() < kErrorBytes) {
        auto& body = m_parser->get().body();
        body.data = space.data();
        body.size = space.size();
        body.more = true;
        beast::get_lowest_layer(stream).expires_after(m_settings.idle);
        auto code = await([&](auto done) { http::async_read_some(stream, m_buffer, *m_parser, std::move(done)); });
        if (m_stopped) {
            return cancelled();
        }
        const std::string_view piece(space.data(), space.size() - body.size);
        if (!good) {
            error += piece;
        } else if (!piece.empty()) {
            const auto more = m_piece(piece);
            if (!more) {
                return failTurn(more.error());
            }
            if (*more == More::Enough) {
                return {};
            }
        }
        if (code == http::error::body_limit) {
            return failTurn(FailureKind::TooMuch, "the answer of " + m_request.address.authority() + " is too long and was broken off",
                            "ask the model for less at a time");
        }
        if (code && code != http::error::need_buffer) {
            if (good) {
                return failTurn(failed("the answer broke off, from", code));
            }
            break; // the status says enough
        }
    }
    if (good) {
        return {};
    }
    Answer answer;
    answer.status = status;
    answer.carrelOutcome = field("x-carrel-outcome");
    answer.retryAfter = retryAfter(field("retry-after"), field("retry-after-ms"), field("date"));
    readErrorBody(error, answer);
    return failTurn(failureOf(answer));
}

} // namespace

TurnStatus HttpClient::post(const HttpRequest& request, const std::function<TurnResult<More>(std::string_view)>& piece,
                            const std::stop_token& stop) const {
    if (stop.stop_requested()) {
        return cancelled();
    }
    for (const auto& [name, value] : request.headers) {
        if (value.find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos) {
            return failTurn(FailureKind::Rejected, "what is to be sent as " + name + " holds the end of a line",
                            "keep the key anew, without a line end in it: \"carrel credential add\"");
        }
    }
    return Exchange(m_settings, request, nullptr, piece).run(stop);
}

TurnStatus HttpClient::get(const HttpAddress& address, const std::string& target, const std::function<void(const HttpHead&)>& head,
                           const std::function<TurnResult<More>(std::string_view)>& piece, const std::stop_token& stop) const {
    if (stop.stop_requested()) {
        return cancelled();
    }
    const HttpRequest request{address, target, {}, {}};
    return Exchange(m_settings, request, &head, piece).run(stop);
}

} // namespace carrel::agent
