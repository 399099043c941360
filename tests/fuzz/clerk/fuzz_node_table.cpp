// SPDX-License-Identifier: Apache-2.0
// A table left by a broken clerk: valid at first, then overwritten as the input says, then taken over and
// used.
#include "app/clerk/node_table.h"
#include "guest/protocol/bytes.h"

#include <algorithm>
#include <cstdlib>
#include <sys/mman.h>
#include <unistd.h>

using namespace carrel;
using namespace carrel::clerk;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    constexpr NodeTable::Limits kLimits{256, std::size_t{4} << 20};
    const UniqueFd file(::memfd_create("nodes", MFD_CLOEXEC));
    {
        auto table = NodeTable::adopt(UniqueFd(::dup(file.get())), kLimits);
        NodeId parent = 1;
        for (std::uint64_t i = 0; i < 12; ++i) {
            parent =
                table->remember(parent, std::string(1 + i * 20, 'n'), NodeType::Directory, 1, {i, 0, 0, 0})
                    .value();
        }
    }
    const off_t end = ::lseek(file.get(), 0, SEEK_END);
    for (; size >= 4; data += 4, size -= 4) { // where (three bytes), what
        const off_t at = (data[0] | data[1] << 8 | data[2] << 16) % end;
        (void)!::pwrite(file.get(), data + 3, 1, at);
    }
    auto table = NodeTable::adopt(UniqueFd(::dup(file.get())), kLimits);
    if (!table) {
        return 0;
    }
    std::vector<NodeId> ids;
    table->forEach([&ids](const Node& node) { ids.push_back(node.id); });
    for (const NodeId id : ids) {
        const auto node = table->find(id);
        const auto path = table->path(id);
        if (!node || node->parent >= id || (path && path->empty())) {
            std::abort();
        }
    }
    const auto fresh = table->remember(1, "new", NodeType::File, 1, {1, 1, 1, 1});
    if (fresh && !ids.empty() && *fresh <= *std::max_element(ids.begin(), ids.end())) {
        std::abort(); // a number given twice
    }
    for (const NodeId id : ids) {
        (void)table->forget(id, UINT64_MAX);
    }
    return 0;
}
