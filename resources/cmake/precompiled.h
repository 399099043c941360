// SPDX-License-Identifier: Apache-2.0
// What nearly every source reads, read once: the standard library's and Boost.JSON's headers are most of what a compiler
// would otherwise do here. Sources still include what they use; a build without this file is the same, only slower.
#pragma once

#include <boost/json.hpp>
#include <tl/expected.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <variant>
#include <vector>
