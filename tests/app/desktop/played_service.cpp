// SPDX-License-Identifier: Apache-2.0
#include "tests/app/desktop/played_service.h"

#include <future>

namespace carrel::desktop::test {

PlayedService::PlayedService(std::string address, std::string name)
    : m_address(std::move(address))
    , m_name(std::move(name))
    , m_context(g_main_context_new())
    , m_loop(g_main_loop_new(m_context, FALSE)) {}

PlayedService::~PlayedService() {
    end();
    g_main_loop_unref(m_loop);
    g_main_context_unref(m_context);
}

void PlayedService::begin() {
    std::promise<void> ready;
    m_thread = std::thread([this, &ready] {
        g_main_context_push_thread_default(m_context);
        ErrorOut error;
        m_bus.reset(g_dbus_connection_new_for_address_sync(
            m_address.c_str(),
            static_cast<GDBusConnectionFlags>(G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT |
                                              G_DBUS_CONNECTION_FLAGS_MESSAGE_BUS_CONNECTION),
            nullptr, nullptr, &error));
        if (!m_bus) {
            g_error("no bus for the played service: %s", error.words().c_str());
        }
        setUp();
        const VariantRef owned(g_dbus_connection_call_sync(
            m_bus.get(), "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "RequestName",
            g_variant_new("(su)", m_name.c_str(), 4U), nullptr, G_DBUS_CALL_FLAGS_NONE, -1, nullptr, &error));
        ready.set_value();
        g_main_loop_run(m_loop);
        for (auto* each : m_unanswered) {
            g_object_unref(each);
        }
        m_unanswered.clear();
        g_dbus_connection_close_sync(m_bus.get(), nullptr, nullptr);
        m_bus.reset();
        while (g_main_context_iteration(m_context, FALSE) != FALSE) {
        }
        g_main_context_pop_thread_default(m_context);
    });
    ready.get_future().wait();
}

void PlayedService::end() {
    if (m_thread.joinable()) {
        inThread([this] { g_main_loop_quit(m_loop); });
        m_thread.join();
    }
}

void PlayedService::inThread(std::function<void()> what) {
    std::promise<void> done;
    auto task = [&] {
        what();
        done.set_value();
    };
    using Task = decltype(task);
    g_main_context_invoke(
        m_context,
        [](gpointer data) -> gboolean {
            (*static_cast<Task*>(data))();
            return G_SOURCE_REMOVE;
        },
        &task);
    done.get_future().wait();
}

void PlayedService::serve(const std::string& path, const char* xml) {
    static const GDBusInterfaceVTable table = {onCall, onGet, nullptr, {}};
    ErrorOut error;
    GDBusNodeInfo* info = g_dbus_node_info_new_for_xml(xml, &error);
    if (info == nullptr) {
        g_error("the played interface is wrong: %s", error.words().c_str());
    }
    for (auto** each = info->interfaces; each != nullptr && *each != nullptr; ++each) {
        (void)g_dbus_connection_register_object(m_bus.get(), path.c_str(), *each, &table, this, nullptr, nullptr);
    }
    g_dbus_node_info_unref(info);
}

void PlayedService::signal(const char* path, const char* interface, const char* name, GVariant* arguments) {
    if (!m_bus) { // a last call came while it was ending
        return;
    }
    (void)g_dbus_connection_emit_signal(m_bus.get(), nullptr, path, interface, name, arguments, nullptr);
}

void PlayedService::onCall(GDBusConnection* /*bus*/, const gchar* sender, const gchar* path, const gchar* interface,
                           const gchar* method, GVariant* arguments, GDBusMethodInvocation* invocation, gpointer self) {
    auto* me = static_cast<PlayedService*>(self);
    std::string error;
    auto* out = me->answer({sender, path, interface, method, arguments}, error);
    if (me->silent) {
        if (out != nullptr) {
            g_variant_unref(g_variant_ref_sink(out));
        }
        me->m_unanswered.push_back(invocation);
    } else if (out != nullptr) {
        g_dbus_method_invocation_return_value(invocation, out);
    } else {
        g_dbus_method_invocation_return_dbus_error(invocation, error.empty() ? "org.carrel.Test.No" : error.c_str(), "played");
    }
}

GVariant* PlayedService::onGet(GDBusConnection* /*bus*/, const gchar* /*sender*/, const gchar* path, const gchar* interface,
                               const gchar* name, GError** error, gpointer self) {
    auto* out = static_cast<PlayedService*>(self)->property(path, interface, name);
    if (out == nullptr) {
        g_set_error_literal(error, G_IO_ERROR, G_IO_ERROR_FAILED, "no such property");
    }
    return out;
}

} // namespace carrel::desktop::test
