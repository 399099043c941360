// SPDX-License-Identifier: Apache-2.0
// Brings the brokers of all of an agent's shares and the files channel together: hands each request to its
// share's broker, sends the replies and the notifications, and asks again for what a broker put off. A first
// read waits until the engine has written it down; those that come meanwhile share the next batch. Thread:
// the event loop's.
#pragma once

#include "guest/protocol/bytes.h"
#include "guest/protocol/result.h"
#include "guest/protocol/unique_fd.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace carrel::clerk {

struct ShareToServe {
    std::uint32_t id = 0;
    std::string name;
    std::string mode;
    std::vector<std::string> hidden; // patterns of names that are not shown
};

class FileService {
public:
    struct Events {
        std::function<void(std::uint32_t share, Bytes&& message)> send;
        std::function<void(boost::json::object batch)>
            reads; // {batch, files:[…]}, see link.h; then recorded()
        std::function<void(std::string text)> notice;
    };
    FileService(boost::asio::io_context& loop, Events events);
    ~FileService();
    FileService(const FileService&) = delete;
    FileService& operator=(const FileService&) = delete;

    [[nodiscard]] static Result<std::vector<ShareToServe>> readShares(const boost::json::array& shares);
    // Before the jail. `ofShares`: how many there will be; they divide the process's descriptors.
    [[nodiscard]] Status add(const ShareToServe& share, std::size_t ofShares, UniqueFd root,
                             UniqueFd nodeTable);
    [[nodiscard]] bool has(std::uint32_t share) const;
    // Where bytes go that are read: memory of the machine's, as a file.
    void setWindow(UniqueFd file);
    void receive(std::uint32_t share, ByteSpan request);
    void revoke(std::uint32_t share);
    // The engine's answer to the batch of that number. InvalidArgument: that batch was not asked about.
    enum class Verdict { Recorded, NotRecorded };
    [[nodiscard]] Status recorded(std::uint64_t batch, Verdict verdict);
    // The guest sends its unanswered requests again; what was put off for the last epoch is forgotten.
    void newEpoch();

private:
    struct Impl;
    std::shared_ptr<Impl> m_impl;
};

} // namespace carrel::clerk
