// SPDX-License-Identifier: Apache-2.0
#include "app/clerk/clerk.h"

#include "guest/protocol/plain_text.h"
#include "guest/protocol/share_path.h"
#include "guest/protocol/strict_json.h"

#include "hypervisor/confine/confine.h"

#include <sys/prctl.h>


namespace carrel::clerk {

namespace asio = boost::asio;
namespace json = boost::json;

Clerk::Clerk(UniqueFd link, std::chrono::nanoseconds drift)
    : m_link(m_loop, link.release())
    , m_rpc([this](std::string_view text) { return sendControl(text); },
            [this](const std::string& method, const Params& params) { guestNotification(method, params); },
            [this](std::uint64_t id, const std::string& method, const Params& params) {
                return m_asks.ask(id, method, params, m_greeting ? GuestAsks::Greeted::Yes : GuestAsks::Greeted::No,
                                  GuestAsks::Clock::now());
            })
    , m_asks([this](const RpcResponse& response) { return sendControl(toText(response)); },
             [this](Told told) { notify(std::move(told)); })
    , m_net(m_loop, [this](Told told) { notify(std::move(told)); })
    , m_forwards(m_loop, [this](Told told) { notify(std::move(told)); })
    , m_guestClock(m_loop, [this](std::function<void()> answered) { sendClock(std::move(answered)); }, drift) {
    // The descriptor itself stays blocking: a message to the engine waits until it is taken, one from it never does.
}

int Clerk::run() {
    waitLink();
    m_loop.run();
    return 0;
}

void Clerk::waitLink() {
    m_link.async_wait(asio::posix::descriptor_base::wait_read, [this](const boost::system::error_code& ec) {
        if (!ec) {
            onLink();
        }
    });
}

void Clerk::onLink() {
    auto message = receiveLink(m_link.native_handle(), Wait::Never);
    if (!message) {
        if (message.error().code == ErrorCode::Cancelled) {
            waitLink();
            return;
        }
        m_loop.stop(); // the engine is gone: nobody decides any more
        return;
    }
    auto parsed = parseRpc(message->text, {kMaxLinkMessage, 12});
    auto* request = parsed ? std::get_if<RpcRequest>(&*parsed) : nullptr;
    if (request == nullptr || !request->id) {
        m_loop.stop(); // our own engine does not do that
        return;
    }
    dispatch(std::move(*request), std::move(message->descriptors));
    waitLink();
}

void Clerk::dispatch(RpcRequest&& request, Descriptors&& descriptors) {
    const Reply reply = [this, id = *request.id](Result<json::object> result) {
        RpcResponse response{id, json::value(nullptr)};
        if (result) {
            response.result = json::value(std::move(*result));
        } else {
            response.result = fail(std::move(result).error());
        }
        if (!sendLink(m_link.native_handle(), toText(response))) {
            m_loop.stop();
        }
    };
    const std::string& method = request.method;
    if (method == "prepare") {
        prepare(request.params, std::move(descriptors), reply);
    } else if (!m_confined) {
        reply(fail(ErrorCode::Refused, "the clerk is not confined yet"));
    } else if (method == "attach") {
        attach(request.params, std::move(descriptors), reply);
    } else if (method == "detach") {
        detach(request.params, reply);
    } else if (method == "hello") {
        hello(reply);
    } else if (method == "exec") {
        exec(request.params, std::move(descriptors), reply);
    } else if (method == "document.read") {
        readDocument(request.params, std::move(descriptors), reply);
    } else if (method == "changes.list") {
        listChanges(request.params, reply);
    } else if (method == "content.copy") {
        copyContent(request.params, std::move(descriptors), reply);
    } else if (method == "programs.policy") {
        programsPolicy(request.params, reply);
    } else if (method == "changes.settle" || method == "changes.discard") {
        forwardEntries(method, request.params, reply);
    } else if (method == "share.revoke") {
        revokeShare(request.params, reply);
    } else if (method == "reads.recorded") {
        readsRecorded(request.params, reply);
    } else if (method == "ask.answer") {
        answerAsk(request.params, reply);
    } else if (method == "clock") {
        setClock(request.params, reply);
    } else if (talk::isMethod(method)) {
        callAgent(method, request.params, reply);
    } else if (method == watch::kMethod) {
        fetchEvents(request.params, reply);
    } else if (method == "power.off") {
        m_rpc.request("power.off", {}, [reply](Result<json::object> answer) {
            reply(answer ? lastCountFrom(*answer) : std::move(answer));
        });
    } else if (method == "console.tail") {
        reply(json::object{{"text_b64", toBase64(m_console ? m_console->tail() : std::string())}});
    } else if (!network(method, request.params, descriptors, reply)) {
        reply(fail(ErrorCode::Unsupported, "the clerk does not know the request " + method));
    }
}

void Clerk::notify(std::string_view method, Params params) {
    if (!sendLink(m_link.native_handle(), toText(RpcRequest{std::nullopt, std::string(method), std::move(params)}))) {
        m_loop.stop();
    }
}

void Clerk::prepare(const Params& params, Descriptors&& descriptors, const Reply& reply) {
    JsonFields fields(params, "prepare");
    JsonFields agent(fields.object("agent"), "prepare.agent");
    m_agentId = agent.string("id", 64);
    m_agentName = agent.string("name", 64);
    auto shares = FileService::readShares(fields.array("shares", kMaxSharesPerAgent));
    auto authority = takeAuthority(fields, "authority");
    m_programsFollow = fields.optionalBoolean("programs_follow");
    Status read = agent.finish();
    if (read) {
        read = fields.finish();
    }
    if (!read || !shares || m_confined || descriptors.size() != shares->size() * 2) {
        reply(fail(ErrorCode::InvalidArgument, "the clerk was prepared in a wrong way"));
        return;
    }
    m_authority = std::move(authority);
    confine::FileView view;
    for (std::size_t i = 0; i < shares->size(); ++i) {
        view.required.push_back(
            {"/proc/self/fd/" + std::to_string(descriptors[i * 2].get()), confine::Access::ReadOnly});
        m_shares.push_back({{"id", (*shares)[i].id}, {"name", (*shares)[i].name}, {"mode", (*shares)[i].mode}});
    }
    // Everything that needs more than the jail allows is made before it; nothing of the guest's is here yet.
    m_fileService = std::make_unique<FileService>(
        m_loop, FileService::Events{
                    [this](std::uint32_t share, Bytes&& message) {
                        if (m_files && m_files->isOpen()) {
                            m_files->mux().openStream(share, StreamKind::Messages);
                            if (!m_files->mux().sendMessage(share, message)) {
                                m_files->restart();
                            }
                            m_files->flushSoon();
                        }
                    },
                    [this](json::object event) { notify("file.read", std::move(event)); },
                    [this](const std::string& text) {
                        notify("notice", {{"text", plainText(text, kMaxDetailBytes * 4)}}); // a share's name is in it
                    }});
    for (std::size_t i = 0; i < shares->size(); ++i) {
        if (auto added = m_fileService->add((*shares)[i], shares->size(), std::move(descriptors[i * 2]), std::move(descriptors[i * 2 + 1]));
            !added) {
            reply(fail(std::move(added).error()));
            return;
        }
    }
    const int landlockAbi = confine::landlockAbi(); // asked now: the filter below refuses Landlock's own calls
    if (auto files = confine::restrictFiles(view); !files) {
        reply(fail(std::move(files).error()));
        return;
    }
    // I6: no core file may hold what passes through here, and nobody of this user may look into it. Not earlier:
    // it also hides /proc/self/fd, by which the folders were named above.
    if (::prctl(PR_SET_DUMPABLE, 0) != 0) {
        reply(failErrno("forbidding core files of the clerk"));
        return;
    }
    if (auto calls = confine::restrictSyscalls(confine::SyscallProfile::GuestReader); !calls) {
        reply(fail(std::move(calls).error()));
        return;
    }
    m_confined = true;
    reply(json::object{{"landlock_abi", landlockAbi}, {"seccomp", true}});
}

} // namespace carrel::clerk
