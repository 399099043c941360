// SPDX-License-Identifier: Apache-2.0
// Memory for the one JSON text that holds a secret, on its way to a clerk: overwritten when it is given back. An object made with it
// keeps it when it is moved; a copy would not. Thread: any.
#pragma once

#include <boost/json/storage_ptr.hpp>

namespace carrel::egress {

[[nodiscard]] boost::json::storage_ptr wipingStorage();

} // namespace carrel::egress
