// SPDX-License-Identifier: Apache-2.0
#include "tests/app/desktop/played_notifications.h"

#include <algorithm>

namespace carrel::desktop::test {
namespace {

constexpr const char* kName = "org.freedesktop.Notifications";
constexpr const char* kPath = "/org/freedesktop/Notifications";
constexpr const char* kXml = R"xml(<node><interface name="org.freedesktop.Notifications">
<method name="Notify"><arg type="s" direction="in"/><arg type="u" direction="in"/><arg type="s" direction="in"/><arg type="s" direction="in"/>
<arg type="s" direction="in"/><arg type="as" direction="in"/><arg type="a{sv}" direction="in"/><arg type="i" direction="in"/><arg type="u" direction="out"/></method>
<method name="CloseNotification"><arg type="u" direction="in"/></method>
<signal name="NotificationClosed"><arg type="u"/><arg type="u"/></signal></interface></node>)xml";

} // namespace

PlayedNotifications::PlayedNotifications(const std::string& address, std::uint32_t firstNumber)
    : PlayedService(address, kName) {
    m_state.last = firstNumber - 1;
    begin();
}

PlayedNotifications::~PlayedNotifications() {
    end();
}

void PlayedNotifications::setUp() {
    serve(kPath, kXml);
}

void PlayedNotifications::personCloses(std::uint32_t number) {
    change([&](State& state) { state.screen.erase(number); });
    inThread([&] { signal(kPath, kName, "NotificationClosed", g_variant_new("(uu)", number, 2U)); });
}

GVariant* PlayedNotifications::answer(const PlayedCall& call, std::string& /*error*/) {
    const std::lock_guard lock(m_mutex);
    if (call.method == "CloseNotification") {
        std::uint32_t number = 0;
        g_variant_get(call.arguments, "(u)", &number);
        ++m_state.closed;
        if (m_state.screen.erase(number) == 0) {
            return nullptr;
        }
        signal(kPath, kName, "NotificationClosed", g_variant_new("(uu)", number, 3U));
        return g_variant_new("()");
    }
    ++m_state.notified;
    if (m_state.fails) {
        return nullptr;
    }
    if (m_state.answersNothingUseful) {
        return g_variant_new("(u)", 0U);
    }
    const auto text = [&](gsize at) {
        const VariantRef value(g_variant_get_child_value(call.arguments, at));
        return std::string(g_variant_get_string(value.get(), nullptr));
    };
    std::uint32_t number = 0;
    g_variant_get_child(call.arguments, 1, "u", &number);
    const bool replaces = m_state.screen.contains(number);
    if (!replaces) {
        number = ++m_state.last;
    }
    auto& shown = m_state.screen[number];
    const int replaced = replaces ? shown.replaced + 1 : 0;
    const VariantRef actions(g_variant_get_child_value(call.arguments, 5));
    const VariantRef hints(g_variant_get_child_value(call.arguments, 6));
    shown = {text(0), text(2), text(3), text(4), g_variant_n_children(actions.get())};
    guchar urgency = 255;
    (void)g_variant_lookup(hints.get(), "urgency", "y", &urgency);
    shown.urgency = urgency;
    shown.hints = g_variant_n_children(hints.get());
    g_variant_get_child(call.arguments, 7, "i", &shown.timeout);
    shown.replaced = replaced;
    m_state.all.push_back(shown);
    m_state.mostAtOnce = std::max(m_state.mostAtOnce, m_state.screen.size());
    return g_variant_new("(u)", number);
}

} // namespace carrel::desktop::test
