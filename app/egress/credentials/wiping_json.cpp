// SPDX-License-Identifier: Apache-2.0
#include "app/egress/credentials/wiping_json.h"

#include <boost/json.hpp>
#include <openssl/crypto.h>

#include <new>

namespace carrel::egress {
namespace {

class WipingMemory final : public boost::json::memory_resource {
    void* do_allocate(std::size_t bytes, std::size_t align) override { return ::operator new(bytes, std::align_val_t(align)); }
    void do_deallocate(void* memory, std::size_t bytes, std::size_t align) override {
        ::OPENSSL_cleanse(memory, bytes);
        ::operator delete(memory, std::align_val_t(align));
    }
    bool do_is_equal(const boost::json::memory_resource& other) const noexcept override { return this == &other; }
};

} // namespace

boost::json::storage_ptr wipingStorage() {
    return boost::json::make_shared_resource<WipingMemory>();
}

} // namespace carrel::egress
