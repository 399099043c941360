// SPDX-License-Identifier: Apache-2.0
// A service on a bus, played by the test: its calls are answered in a thread of its own, or not at all while it is silent.
#pragma once

#include "app/desktop/glib.h"

#include <atomic>
#include <functional>
#include <string>
#include <thread>
#include <vector>

namespace carrel::desktop::test {

struct PlayedCall {
    std::string sender, path, interface, method;
    GVariant* arguments;
};

class PlayedService {
public:
    virtual ~PlayedService();
    PlayedService(const PlayedService&) = delete;
    PlayedService& operator=(const PlayedService&) = delete;

    std::atomic<bool> silent = false;

protected:
    PlayedService(std::string address, std::string name);
    // From the constructor and the destructor of the one that plays.
    void begin();
    void end();
    // In the service's thread.
    virtual void setUp() = 0;
    // A new value of the answer's type, or nullptr with the name of an error.
    virtual GVariant* answer(const PlayedCall& call, std::string& error) = 0;
    virtual GVariant* property(const std::string& path, const std::string& interface, const std::string& name) = 0;
    void serve(const std::string& path, const char* xml);
    void signal(const char* path, const char* interface, const char* name, GVariant* arguments);
    void inThread(std::function<void()> what);

private:
    static void onCall(GDBusConnection*, const gchar* sender, const gchar* path, const gchar* interface, const gchar* method,
                       GVariant* arguments, GDBusMethodInvocation* invocation, gpointer self);
    static GVariant* onGet(GDBusConnection*, const gchar* sender, const gchar* path, const gchar* interface, const gchar* name,
                           GError** error, gpointer self);

    const std::string m_address, m_name;
    GMainContext* m_context;
    GMainLoop* m_loop;
    Ref<GDBusConnection> m_bus;
    std::vector<GDBusMethodInvocation*> m_unanswered;
    std::thread m_thread;
};

} // namespace carrel::desktop::test
