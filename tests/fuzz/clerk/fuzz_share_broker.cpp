// SPDX-License-Identifier: Apache-2.0
// A hostile guest: any bytes, and sequences of requests that are nearly right. Nothing but what the folder
// holds may come back: the text outside of it says so.
#include "app/clerk/share_broker.h"
#include "guest/protocol/lower_wire.h"

#include <cstdlib>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace carrel;
using namespace carrel::clerk;

namespace {

constexpr std::string_view kOutside = "THIS LIES OUTSIDE";

void put(const std::string& path, std::string_view text) {
    const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
    (void)!::write(file.get(), text.data(), text.size());
}

const std::string& folder() {
    static std::string s_base;
    static const std::string s_folder = [] {
        char name[] = "/tmp/fuzz-share-XXXXXX";
        s_base = ::mkdtemp(name);
        std::atexit([] { (void)!std::system(("rm -rf '" + s_base + "'").c_str()); });
        const std::string share = s_base + "/share";
        (void)::mkdir(share.c_str(), 0755);
        (void)::mkdir((share + "/d").c_str(), 0755);
        put(s_base + "/secret", kOutside);
        put(share + "/a", "inside a");
        put(share + "/d/b", "inside b");
        put(share + "/.env", kOutside);
        (void)::symlink("../secret", (share + "/l").c_str());
        (void)::symlink("..", (share + "/d/up").c_str());
        ::usleep(static_cast<useconds_t>(std::chrono::microseconds(kClockTick).count() *
                                         2)); // old enough to be read
        return share;
    }();
    return s_folder;
}

// Bytes that steer the next request: an operation, a node, then its body.
Bytes nextRequest(ByteSpan& from) {
    static constexpr std::uint32_t kLikely[] = {1, 3, 5, 15, 44, 17, 26, 2, 42, 36};
    static constexpr std::string_view kNames[] = {"a", "d", "b", "l", "up", "..", ".env", "../secret", "d/b"};
    const auto take = [&from] {
        const auto value = std::to_integer<std::uint8_t>(from.front());
        from = from.subspan(1);
        return value;
    };
    const std::uint8_t steer = take();
    if (steer >= 0xf0 || from.size() < 3) { // as it comes
        Bytes raw(from.begin(), from.end());
        from = {};
        return raw;
    }
    const std::uint32_t opcode = kLikely[steer % std::size(kLikely)];
    const std::uint64_t node = take() % 16;
    const std::uint8_t detail = take();
    Bytes body;
    if (opcode == 1) {
        const std::string_view name = kNames[detail % std::size(kNames)];
        body = toBytes(name);
        body.push_back(std::byte{0});
    } else if (opcode == 15 || opcode == 44) {
        appendLe(body,
                 lower::ReadIn{0, detail < 128 ? 0U : detail - 128U, std::uint32_t{detail} * 64, 0, 0, 0, 0});
    } else if (opcode == 3) {
        appendLe(body, lower::GetattrIn{});
    } else if (opcode == 26) {
        appendLe(body, lower::InitIn{7, 38, 0, 0, 0, {}});
    } else if (opcode == 2 || opcode == 36) {
        appendLe(body, std::uint64_t{detail});
    }
    if (detail == 255 && !body.empty()) {
        body.pop_back();
    }
    Bytes request;
    appendLe(request, lower::InHeader{static_cast<std::uint32_t>(sizeof(lower::InHeader) + body.size()),
                                      opcode, 9, node, 0, 0, 0, 0, 0});
    request.insert(request.end(), body.begin(), body.end());
    return request;
}

void check(const Bytes& reply) {
    if (reply.size() < sizeof(lower::OutHeader) || loadLe<lower::OutHeader>(reply).len != reply.size() ||
        asText(reply).find(kOutside) != std::string_view::npos) {
        std::abort();
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    ByteSpan bytes(reinterpret_cast<const std::byte*>(data), size);
    auto table = NodeTable::adopt(UniqueFd(::memfd_create("nodes", MFD_CLOEXEC)), {64, std::size_t{4} << 20});
    ShareBroker::Options options;
    options.hidden = {".env"};
    options.descriptors = 2;
    auto broker =
        ShareBroker::create(UniqueFd(::open(folder().c_str(), O_PATH | O_CLOEXEC)), std::move(*table),
                            options, {[](Bytes&& note) { check(note); }, nullptr, nullptr});
    while (!bytes.empty()) {
        if (const auto reply = (*broker)->handle(nextRequest(bytes)); reply) {
            check(*reply);
        }
    }
    for (const Bytes& reply : (*broker)->runDeferred()) {
        check(reply);
    }
    return 0;
}
