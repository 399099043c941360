// SPDX-License-Identifier: Apache-2.0
#include "app/desktop/desktop_notifier.h"

#include "app/desktop/session_bus.h"

#include <algorithm>

namespace carrel::desktop {
namespace {

constexpr const char* kService = "org.freedesktop.Notifications";
constexpr const char* kPath = "/org/freedesktop/Notifications";
constexpr std::chrono::milliseconds kGoodbye{1'000};

std::int64_t nowMs() {
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

GVariant* notifyArguments(const NoticeBoard::Step& step) {
    GVariantBuilder hints;
    g_variant_builder_init(&hints, G_VARIANT_TYPE("a{sv}"));
    g_variant_builder_add(&hints, "{sv}", "urgency", g_variant_new_byte(static_cast<guchar>(step.words.urgency)));
    GVariantBuilder actions; // none
    g_variant_builder_init(&actions, G_VARIANT_TYPE("as"));
    constexpr gint32 kAsTheServerDoes = -1;
    return g_variant_new("(susssasa{sv}i)", "Carrel", step.server, "", step.words.summary.c_str(), step.words.body.c_str(),
                         &actions, &hints, kAsTheServerDoes);
}

} // namespace

class DesktopNotifier::Worker {
public:
    explicit Worker(Options options)
        : m_options(std::move(options))
        , m_board(m_options.limits)
        , m_context(g_main_context_new())
        , m_thread([this](const std::stop_token& stop) { run(stop); }) {}
    ~Worker() {
        m_thread.request_stop();
        g_main_context_wakeup(m_context.get());
        m_thread.join();
    }
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;

    template <class Change> void change(Change&& how) {
        {
            const std::lock_guard lock(m_mutex);
            how(m_board);
        }
        g_main_context_wakeup(m_context.get());
    }

private:
    struct UnrefContext {
        void operator()(GMainContext* context) const { g_main_context_unref(context); }
    };

    void run(const std::stop_token& stop) {
        g_main_context_push_thread_default(m_context.get());
        while (!stop.stop_requested()) {
            hear();
            std::optional<NoticeBoard::Step> step;
            std::optional<std::int64_t> due;
            const auto now = nowMs();
            if (now < m_notBefore) {
                due = m_notBefore;
            } else if (!m_absent) {
                const std::lock_guard lock(m_mutex);
                step = m_board.next(now);
                due = m_board.due();
            }
            if (step) {
                take(*step, stop);
            } else if (!stop.stop_requested()) { // hear() may have taken the wake-up that the end comes with
                sleep(due);
            }
            if (m_bus && g_dbus_connection_is_closed(m_bus.get()) != FALSE) {
                leaveBus();
                rest();
            }
        }
        sayGoodbye();
        leaveBus();
        hear(); // what still holds on to the connection
        g_main_context_pop_thread_default(m_context.get());
    }

    // What the service has said so far, before the next step is decided on. No more at a time than an honest one says.
    void hear() {
        constexpr int kMostAtOnce = 64;
        for (int i = 0; i < kMostAtOnce && g_main_context_iteration(m_context.get(), FALSE) != FALSE; ++i) {
        }
    }

    // Until something comes, or it is `due`.
    void sleep(std::optional<std::int64_t> due) {
        GSource* alarm = nullptr;
        if (due) {
            const auto most = std::clamp<std::int64_t>(*due - nowMs(), 0, 3'600'000);
            alarm = g_timeout_source_new(static_cast<guint>(most));
            g_source_set_callback(alarm, [](gpointer) -> gboolean { return G_SOURCE_REMOVE; }, nullptr, nullptr);
            (void)g_source_attach(alarm, m_context.get());
        }
        (void)g_main_context_iteration(m_context.get(), TRUE);
        if (alarm != nullptr) {
            g_source_destroy(alarm);
            g_source_unref(alarm);
        }
    }

    void take(const NoticeBoard::Step& step, const std::stop_token& stop) {
        const Deadline deadline(m_options.answerWithin, stop);
        if (!m_bus && !enterBus(deadline)) {
            return; // what was to be shown still is; there is nothing to close where nothing was shown
        }
        const bool shows = step.kind == NoticeBoard::Step::Kind::Show;
        ErrorOut error;
        const VariantRef answer(g_dbus_connection_call_sync(
            m_bus.get(), kService, kPath, kService, shows ? "Notify" : "CloseNotification",
            shows ? notifyArguments(step) : g_variant_new("(u)", step.server), G_VARIANT_TYPE(shows ? "(u)" : "()"),
            G_DBUS_CALL_FLAGS_NONE, -1, deadline.cancellable(), &error));
        guint32 server = 0;
        if (answer && shows) {
            g_variant_get(answer.get(), "(u)", &server);
        }
        if (answer && (!shows || server != 0)) {
            if (shows) {
                const std::lock_guard lock(m_mutex);
                m_board.shown(step, server, nowMs());
            }
            return;
        }
        if (shows) {
            const std::lock_guard lock(m_mutex);
            m_board.failed(step);
        }
        if (stop.stop_requested()) {
            return;
        }
        if (error.is(G_DBUS_ERROR, G_DBUS_ERROR_SERVICE_UNKNOWN) || error.is(G_DBUS_ERROR, G_DBUS_ERROR_NAME_HAS_NO_OWNER)) {
            m_absent = true; // until the bus says that it has come
            tellOnce("this session has no service for notifications");
        } else if (shows || deadline.passed()) { // a server may say that it no longer knows what it is to close
            rest();
            tellOnce(deadline.passed() ? "the service for notifications does not answer in time"
                                       : "the service for notifications says: " + error.words());
        }
    }

    [[nodiscard]] bool enterBus(const Deadline& deadline) {
        auto bus = openBus(m_options.bus(), deadline);
        if (!bus) {
            rest();
            tellOnce(bus.error().message);
            return false;
        }
        m_bus = std::move(*bus);
        m_closed = g_dbus_connection_signal_subscribe(m_bus.get(), kService, kService, "NotificationClosed", kPath, nullptr,
                                                      G_DBUS_SIGNAL_FLAGS_NONE, onClosed, this, nullptr);
        m_owner = g_dbus_connection_signal_subscribe(m_bus.get(), "org.freedesktop.DBus", "org.freedesktop.DBus",
                                                     "NameOwnerChanged", "/org/freedesktop/DBus", kService,
                                                     G_DBUS_SIGNAL_FLAGS_NONE, onOwner, this, nullptr);
        return true;
    }

    void leaveBus() {
        if (m_bus) {
            g_dbus_connection_signal_unsubscribe(m_bus.get(), m_closed);
            g_dbus_connection_signal_unsubscribe(m_bus.get(), m_owner);
            m_bus.reset();
            m_absent = false;
            const std::lock_guard lock(m_mutex);
            m_board.renewed();
        }
    }

    void rest() { m_notBefore = nowMs() + m_options.tryAgainAfter.count(); }

    void tellOnce(const std::string& why) {
        if (!m_told && m_options.tell) {
            m_told = true;
            m_options.tell("No notifications are shown: " + why + ". What waits is in: carrel approvals");
        }
    }

    void sayGoodbye() {
        const auto left = [this] {
            const std::lock_guard lock(m_mutex);
            return m_board.onScreen();
        }();
        if (!m_bus || left.empty()) {
            return;
        }
        for (const auto server : left) {
            g_dbus_connection_call(m_bus.get(), kService, kPath, kService, "CloseNotification", g_variant_new("(u)", server),
                                   nullptr, G_DBUS_CALL_FLAGS_NO_AUTO_START, -1, nullptr, nullptr, nullptr);
        }
        const Deadline deadline(kGoodbye);
        (void)g_dbus_connection_flush_sync(m_bus.get(), deadline.cancellable(), nullptr);
    }

    static void onClosed(GDBusConnection* /*bus*/, const gchar* /*sender*/, const gchar* /*path*/, const gchar* /*interface*/,
                         const gchar* /*name*/, GVariant* arguments, gpointer data) {
        auto* self = static_cast<Worker*>(data);
        if (g_variant_is_of_type(arguments, G_VARIANT_TYPE("(uu)")) == FALSE) {
            return;
        }
        guint32 server = 0;
        g_variant_get(arguments, "(uu)", &server, nullptr);
        const std::lock_guard lock(self->m_mutex);
        self->m_board.closedByServer(server);
    }

    static void onOwner(GDBusConnection* /*bus*/, const gchar* /*sender*/, const gchar* /*path*/, const gchar* /*interface*/,
                        const gchar* /*name*/, GVariant* arguments, gpointer data) {
        auto* self = static_cast<Worker*>(data);
        if (g_variant_is_of_type(arguments, G_VARIANT_TYPE("(sss)")) == FALSE) {
            return;
        }
        const char* before = nullptr;
        const char* after = nullptr;
        g_variant_get(arguments, "(&s&s&s)", nullptr, &before, &after);
        if (*before != '\0') { // the numbers of the one that has gone mean nothing to another
            const std::lock_guard lock(self->m_mutex);
            self->m_board.renewed();
        }
        if (*after == '\0') {
            // A service that ends over what it is shown would be started again by the next call, for ever.
            self->rest();
        } else {
            if (self->m_absent) {
                const std::lock_guard lock(self->m_mutex);
                self->m_board.renewed();
            }
            self->m_absent = false;
            self->m_notBefore = 0;
        }
    }

    const Options m_options;
    std::mutex m_mutex;
    NoticeBoard m_board; // under m_mutex
    const std::unique_ptr<GMainContext, UnrefContext> m_context;
    // The thread's own.
    Ref<GDBusConnection> m_bus;
    guint m_closed = 0, m_owner = 0;
    bool m_absent = false; // there is a bus, and no service on it
    bool m_told = false;
    std::int64_t m_notBefore = 0;
    std::jthread m_thread; // last: it uses the others
};

DesktopNotifier::DesktopNotifier(Options options)
    : m_worker(std::make_unique<Worker>(std::move(options))) {}

DesktopNotifier::~DesktopNotifier() = default;

void DesktopNotifier::show(const Waiting& waiting) {
    m_worker->change([&](NoticeBoard& board) { board.open(waiting); });
}

void DesktopNotifier::withdraw(std::uint64_t id) {
    m_worker->change([&](NoticeBoard& board) { board.close(id); });
}

} // namespace carrel::desktop
