// SPDX-License-Identifier: Apache-2.0
#include "app/desktop/session_bus.h"

#include <cstdlib>
#include <string_view>
#include <sys/stat.h>
#include <unistd.h>

namespace carrel::desktop {
namespace {

constexpr const char* kBusName = "org.freedesktop.DBus";
constexpr const char* kBusPath = "/org/freedesktop/DBus";

// Each of the addresses that it lists.
bool ofThisComputer(std::string_view address) {
    while (!address.empty()) {
        const auto end = std::min(address.find(';'), address.size());
        if (!address.substr(0, end).starts_with("unix:")) {
            return false;
        }
        address.remove_prefix(std::min(end + 1, address.size()));
    }
    return true;
}

tl::unexpected<Error> busFailed(const ErrorOut& error, const Deadline& deadline) {
    if (deadline.passed()) {
        return fail(ErrorCode::Unavailable, "The session bus does not answer in time");
    }
    // A socket that nobody listens on is what a desktop leaves whose session has ended.
    const bool none = error.is(G_IO_ERROR, G_IO_ERROR_NOT_FOUND) || error.is(G_IO_ERROR, G_IO_ERROR_CONNECTION_REFUSED);
    return fail(none ? ErrorCode::NotFound : ErrorCode::Unavailable, "The session bus cannot be reached: " + error.words());
}

Result<VariantRef> askBus(GDBusConnection* bus, const char* method, GVariant* arguments, const char* answer,
                          const Deadline& deadline) {
    ErrorOut error;
    VariantRef out(g_dbus_connection_call_sync(bus, kBusName, kBusPath, kBusName, method, arguments, G_VARIANT_TYPE(answer),
                                               G_DBUS_CALL_FLAGS_NONE, -1, deadline.cancellable(), &error));
    if (!out) {
        return busFailed(error, deadline);
    }
    return out;
}

} // namespace

std::optional<std::string> sessionBusAddress() {
    if (const char* said = std::getenv("DBUS_SESSION_BUS_ADDRESS"); said != nullptr && *said != '\0') {
        return ofThisComputer(said) ? std::optional<std::string>(said) : std::nullopt;
    }
    const char* runtime = std::getenv("XDG_RUNTIME_DIR");
    if (runtime == nullptr || *runtime != '/') {
        return std::nullopt;
    }
    const std::string socket = std::string(runtime) + "/bus";
    struct stat info {};
    if (::stat(socket.c_str(), &info) != 0 || !S_ISSOCK(info.st_mode) || info.st_uid != ::geteuid()) {
        return std::nullopt;
    }
    const std::unique_ptr<char, decltype(&g_free)> escaped(g_dbus_address_escape_value(socket.c_str()), &g_free);
    return "unix:path=" + std::string(escaped.get());
}

Deadline::Deadline(std::chrono::milliseconds most, std::stop_token stop)
    : m_cancellable(g_cancellable_new())
    , m_watch([this, most, outer = std::move(stop)](const std::stop_token& own) {
        const auto until = std::chrono::steady_clock::now() + most;
        const std::stop_callback wake(outer, [this] {
            const std::lock_guard lock(m_mutex);
            m_done.notify_all();
        });
        std::unique_lock lock(m_mutex);
        (void)m_done.wait_until(lock, own, until, [&] { return outer.stop_requested(); });
        lock.unlock();
        if (!own.stop_requested()) {
            g_cancellable_cancel(m_cancellable.get());
        }
    }) {}

Deadline::~Deadline() = default; // m_watch stops and joins first

Result<Ref<GDBusConnection>> openBus(const std::optional<std::string>& address, const Deadline& deadline) {
    if (!address) {
        return fail(ErrorCode::NotFound, "There is no session bus");
    }
    ErrorOut error;
    Ref<GDBusConnection> bus(g_dbus_connection_new_for_address_sync(
        address->c_str(),
        static_cast<GDBusConnectionFlags>(G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT |
                                          G_DBUS_CONNECTION_FLAGS_MESSAGE_BUS_CONNECTION),
        nullptr, deadline.cancellable(), &error));
    if (!bus) {
        return busFailed(error, deadline);
    }
    g_dbus_connection_set_exit_on_close(bus.get(), FALSE);
    return bus;
}

Result<bool> isServed(GDBusConnection* bus, const char* name, const Deadline& deadline) {
    const auto owned = askBus(bus, "NameHasOwner", g_variant_new("(s)", name), "(b)", deadline);
    if (!owned) {
        return fail(owned.error());
    }
    gboolean is = FALSE;
    g_variant_get(owned->get(), "(b)", &is);
    if (is != FALSE) {
        return true;
    }
    const auto startable = askBus(bus, "ListActivatableNames", nullptr, "(as)", deadline);
    if (!startable) {
        return fail(startable.error());
    }
    const VariantRef names(g_variant_get_child_value(startable->get(), 0));
    GVariantIter each;
    g_variant_iter_init(&each, names.get());
    const char* one = nullptr;
    while (g_variant_iter_next(&each, "&s", &one) != FALSE) {
        if (std::string_view(one) == name) {
            return true;
        }
    }
    return false;
}

} // namespace carrel::desktop
