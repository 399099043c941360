// SPDX-License-Identifier: Apache-2.0
// Owners for what GLib hands out, for this room's sources only. Thread: each value has one owner.
#pragma once

// A name of GIO's that is a macro where Qt was read before.
#pragma push_macro("signals")
#undef signals
#include <gio/gio.h>
#pragma pop_macro("signals")

#include <chrono>
#include <memory>
#include <string>
#include <thread>

namespace carrel::desktop {

struct Unref {
    void operator()(gpointer object) const { g_object_unref(object); }
};
template <class T> using Ref = std::unique_ptr<T, Unref>;

struct FreeError {
    void operator()(GError* error) const { g_error_free(error); }
};
using ErrorRef = std::unique_ptr<GError, FreeError>;

struct UnrefVariant {
    void operator()(GVariant* value) const { g_variant_unref(value); }
};
using VariantRef = std::unique_ptr<GVariant, UnrefVariant>;

// For a call's GError** argument.
class ErrorOut {
public:
    ErrorOut() = default;
    ~ErrorOut() { g_clear_error(&m_error); }
    ErrorOut(const ErrorOut&) = delete;
    ErrorOut& operator=(const ErrorOut&) = delete;
    GError** operator&() { return &m_error; } // NOLINT(google-runtime-operator): so that it reads as GLib's own calls do
    [[nodiscard]] const GError* get() const { return m_error; }
    [[nodiscard]] bool is(GQuark domain, int code) const { return g_error_matches(m_error, domain, code) != FALSE; }
    // What the peer said, without the prefix that GDBus puts before it.
    [[nodiscard]] std::string words() const {
        if (m_error == nullptr) {
            return "no reason given";
        }
        const ErrorRef copy(g_error_copy(m_error));
        g_dbus_error_strip_remote_error(copy.get());
        return copy->message;
    }

private:
    GError* m_error = nullptr;
};

} // namespace carrel::desktop
