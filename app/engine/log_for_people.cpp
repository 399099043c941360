// SPDX-License-Identifier: Apache-2.0
#include "app/engine/log_for_people.h"

#include "app/api/display_text.h"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

namespace carrel::engine {

namespace {

constexpr std::size_t kMaxColumns = 4000;

class Message final : public spdlog::custom_flag_formatter {
public:
    void format(const spdlog::details::log_msg& message, const std::tm& /*time*/, spdlog::memory_buf_t& to) override {
        const auto clean = api::DisplayText::line({message.payload.data(), message.payload.size()}, kMaxColumns);
        to.append(clean.text().data(), clean.text().data() + clean.text().size());
    }
    [[nodiscard]] std::unique_ptr<custom_flag_formatter> clone() const override { return std::make_unique<Message>(); }
};

} // namespace

std::unique_ptr<spdlog::formatter> lineForPeople() {
    auto out = std::make_unique<spdlog::pattern_formatter>();
    out->add_flag<Message>('*').set_pattern("%Y-%m-%dT%H:%M:%S.%e %l %*");
    return out;
}

void logToStandardError() {
    auto logger = spdlog::stderr_logger_mt("engine");
    logger->set_formatter(lineForPeople());
    spdlog::set_default_logger(logger);
}

} // namespace carrel::engine
