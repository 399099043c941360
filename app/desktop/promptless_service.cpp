// SPDX-License-Identifier: Apache-2.0
#include "app/desktop/promptless_service.h"

namespace {

struct PromptlessService {
    SecretService parent;
};
struct PromptlessServiceClass {
    SecretServiceClass parent;
};

void refuse(GError** error) {
    g_set_error_literal(error, SECRET_ERROR, SECRET_ERROR_IS_LOCKED, "the keyring is locked");
}

GVariant* refusePrompt(SecretService* /*self*/, SecretPrompt* /*prompt*/, GCancellable* /*cancellable*/,
                       const GVariantType* /*type*/, GError** error) {
    refuse(error);
    return nullptr;
}

void refusePromptLater(SecretService* self, SecretPrompt* /*prompt*/, const GVariantType* /*type*/, GCancellable* cancellable,
                       GAsyncReadyCallback callback, gpointer data) {
    GTask* task = g_task_new(self, cancellable, callback, data);
    GError* error = nullptr;
    refuse(&error);
    g_task_return_error(task, error);
    g_object_unref(task);
}

GVariant* refusedPrompt(SecretService* /*self*/, GAsyncResult* result, GError** error) {
    return static_cast<GVariant*>(g_task_propagate_pointer(G_TASK(result), error));
}

void setUpClass(gpointer type, gpointer /*data*/) {
    // Not libsecret's own constructor: all that it does is to name the shared bus, and a service that the environment may
    // choose, over what is given with a new object.
    G_OBJECT_CLASS(type)->constructor = G_OBJECT_CLASS(g_type_class_peek(G_TYPE_DBUS_PROXY))->constructor;
    auto* service = static_cast<SecretServiceClass*>(type);
    service->prompt_sync = refusePrompt;
    service->prompt_async = refusePromptLater;
    service->prompt_finish = refusedPrompt;
}

GType promptlessType() {
    static const GType type = [] {
        GTypeInfo info{};
        info.class_size = sizeof(PromptlessServiceClass);
        info.class_init = setUpClass;
        info.instance_size = sizeof(PromptlessService);
        return g_type_register_static(SECRET_TYPE_SERVICE, "CarrelPromptlessService", &info, G_TYPE_FLAG_NONE);
    }();
    return type;
}

} // namespace

namespace carrel::desktop {

// Not secret_service_open_sync(): it takes the connection that g_bus_get() shares (session_bus.h).
Ref<SecretService> openPromptless(GDBusConnection* bus, const Deadline& deadline, GError** error) {
    return Ref<SecretService>(static_cast<SecretService*>(
        g_initable_new(promptlessType(), deadline.cancellable(), error, "g-connection", bus, "g-name", kSecretServiceName,
                       "g-object-path", "/org/freedesktop/secrets", "g-interface-name", "org.freedesktop.Secret.Service",
                       "flags", SECRET_SERVICE_NONE, nullptr)));
}

} // namespace carrel::desktop
