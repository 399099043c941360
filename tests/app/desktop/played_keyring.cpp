// SPDX-License-Identifier: Apache-2.0
#include "tests/app/desktop/played_keyring.h"

#include <cstdlib>

namespace carrel::desktop::test {
namespace {

constexpr const char* kRoot = "/org/freedesktop/secrets";
constexpr const char* kKeyring = "/org/freedesktop/secrets/collection/login";
constexpr const char* kDefault = "/org/freedesktop/secrets/aliases/default";
constexpr const char* kSession = "/org/freedesktop/secrets/session/one";
constexpr const char* kPrompt = "/org/freedesktop/secrets/prompt/one";
constexpr int kItemPaths = 8;

constexpr const char* kServiceXml = R"xml(<node><interface name="org.freedesktop.Secret.Service">
<method name="OpenSession"><arg type="s" direction="in"/><arg type="v" direction="in"/><arg type="v" direction="out"/><arg type="o" direction="out"/></method>
<method name="SearchItems"><arg type="a{ss}" direction="in"/><arg type="ao" direction="out"/><arg type="ao" direction="out"/></method>
<method name="Unlock"><arg type="ao" direction="in"/><arg type="ao" direction="out"/><arg type="o" direction="out"/></method>
<method name="ReadAlias"><arg type="s" direction="in"/><arg type="o" direction="out"/></method>
<method name="CreateCollection"><arg type="a{sv}" direction="in"/><arg type="s" direction="in"/><arg type="o" direction="out"/><arg type="o" direction="out"/></method>
<property name="Collections" type="ao" access="read"/></interface></node>)xml";
constexpr const char* kKeyringXml = R"xml(<node><interface name="org.freedesktop.Secret.Collection">
<method name="CreateItem"><arg type="a{sv}" direction="in"/><arg type="(oayays)" direction="in"/><arg type="b" direction="in"/><arg type="o" direction="out"/><arg type="o" direction="out"/></method>
<property name="Items" type="ao" access="read"/><property name="Label" type="s" access="read"/><property name="Locked" type="b" access="read"/>
<property name="Created" type="t" access="read"/><property name="Modified" type="t" access="read"/></interface></node>)xml";
constexpr const char* kItemXml = R"xml(<node><interface name="org.freedesktop.Secret.Item">
<method name="GetSecret"><arg type="o" direction="in"/><arg type="(oayays)" direction="out"/></method>
<method name="SetSecret"><arg type="(oayays)" direction="in"/></method><method name="Delete"><arg type="o" direction="out"/></method>
<property name="Locked" type="b" access="read"/><property name="Attributes" type="a{ss}" access="read"/><property name="Label" type="s" access="read"/>
<property name="Created" type="t" access="read"/><property name="Modified" type="t" access="read"/></interface></node>)xml";
constexpr const char* kPromptXml = R"xml(<node><interface name="org.freedesktop.Secret.Prompt">
<method name="Prompt"><arg type="s" direction="in"/></method><method name="Dismiss"/>
<signal name="Completed"><arg type="b"/><arg type="v"/></signal></interface></node>)xml";

std::string itemPath(std::size_t number) {
    std::string out = kKeyring; // in steps: GCC 12 sees a write out of bounds in a sum of them
    out += '/';
    return out += std::to_string(number);
}
std::size_t itemOf(const std::string& path) {
    return static_cast<std::size_t>(std::atoi(path.c_str() + path.rfind('/') + 1));
}

std::map<std::string, std::string> pairsOf(GVariant* table) {
    std::map<std::string, std::string> out;
    GVariantIter each;
    g_variant_iter_init(&each, table);
    const char* name = nullptr;
    const char* value = nullptr;
    while (g_variant_iter_next(&each, "{&s&s}", &name, &value) != FALSE) {
        out[name] = value;
    }
    return out;
}

std::string secretOf(GVariant* secret) {
    const VariantRef bytes(g_variant_get_child_value(secret, 2));
    gsize size = 0;
    const auto* data = static_cast<const char*>(g_variant_get_fixed_array(bytes.get(), &size, 1));
    return {data, size};
}

GVariant* paths(const std::vector<std::string>& from) {
    GVariantBuilder out;
    g_variant_builder_init(&out, G_VARIANT_TYPE("ao"));
    for (const auto& path : from) {
        g_variant_builder_add(&out, "o", path.c_str());
    }
    return g_variant_builder_end(&out);
}

} // namespace

PlayedKeyring::PlayedKeyring(const std::string& address)
    : PlayedKeyring(address, State()) {}

PlayedKeyring::PlayedKeyring(const std::string& address, State state)
    : PlayedService(address, "org.freedesktop.secrets")
    , m_state(std::move(state)) {
    begin();
}

PlayedKeyring::~PlayedKeyring() {
    end();
}

void PlayedKeyring::setUp() {
    serve(kRoot, kServiceXml);
    serve(kKeyring, kKeyringXml);
    serve(kDefault, kKeyringXml);
    serve(kPrompt, kPromptXml);
    for (int i = 0; i < kItemPaths; ++i) {
        serve(itemPath(static_cast<std::size_t>(i)), kItemXml);
    }
}

GVariant* PlayedKeyring::store(GVariant* arguments) {
    const VariantRef properties(g_variant_get_child_value(arguments, 0));
    const VariantRef secret(g_variant_get_child_value(arguments, 1));
    const VariantRef attributes(g_variant_lookup_value(properties.get(), "org.freedesktop.Secret.Item.Attributes", nullptr));
    const VariantRef label(g_variant_lookup_value(properties.get(), "org.freedesktop.Secret.Item.Label", nullptr));
    m_state.items.push_back({pairsOf(attributes.get()), g_variant_get_string(label.get(), nullptr), secretOf(secret.get())});
    return g_variant_new("(oo)", itemPath(m_state.items.size() - 1).c_str(), "/");
}

GVariant* PlayedKeyring::answer(const PlayedCall& call, std::string& error) {
    const std::lock_guard lock(m_mutex);
    ++m_state.calls;
    silent = silent || call.method == m_state.silentFrom;
    if (call.method == "OpenSession") {
        const char* algorithm = nullptr;
        g_variant_get(call.arguments, "(&sv)", &algorithm, nullptr);
        if (std::string(algorithm) != "plain") {
            error = "org.freedesktop.DBus.Error.NotSupported";
            return nullptr;
        }
        return g_variant_new("(vo)", g_variant_new_string(""), kSession);
    }
    if (call.method == "SearchItems") {
        const VariantRef wantedTable(g_variant_get_child_value(call.arguments, 0));
        const auto wanted = pairsOf(wantedTable.get());
        std::vector<std::string> found;
        for (std::size_t i = 0; i < m_state.items.size(); ++i) {
            if (m_state.items[i].attributes == wanted) {
                found.push_back(itemPath(i));
            }
        }
        if (m_state.locked && m_state.hidesLocked) {
            found.clear();
        }
        return g_variant_new("(@ao@ao)", paths(m_state.locked ? std::vector<std::string>() : found),
                             paths(m_state.locked ? found : std::vector<std::string>()));
    }
    if (call.method == "ReadAlias") {
        return g_variant_new("(o)", m_state.hasKeyring ? kKeyring : "/");
    }
    if (call.method == "Unlock") {
        return g_variant_new("(@aoo)", paths({}), kPrompt);
    }
    if (call.method == "CreateCollection") {
        return g_variant_new("(oo)", "/", kPrompt);
    }
    if (call.method == "Prompt") {
        ++m_state.prompts;
        return g_variant_new("()");
    }
    if (m_state.locked) {
        error = "org.freedesktop.Secret.Error.IsLocked";
        return nullptr;
    }
    if (call.method == "CreateItem") {
        return m_state.wantsPrompt ? g_variant_new("(oo)", "/", kPrompt) : store(call.arguments);
    }
    auto& item = m_state.items.at(itemOf(call.path));
    if (call.method == "GetSecret") {
        return g_variant_new("((o@ay@ays))", kSession, g_variant_new_fixed_array(G_VARIANT_TYPE_BYTE, nullptr, 0, 1),
                             g_variant_new_fixed_array(G_VARIANT_TYPE_BYTE, item.secret.data(), item.secret.size(), 1),
                             "text/plain");
    }
    if (call.method == "Delete") { // the paths of the others stay
        item = Item();
        return g_variant_new("(o)", "/");
    }
    if (call.method == "SetSecret") {
        const VariantRef secret(g_variant_get_child_value(call.arguments, 0));
        item.secret = secretOf(secret.get());
        return g_variant_new("()");
    }
    return nullptr;
}

GVariant* PlayedKeyring::property(const std::string& path, const std::string& interface, const std::string& name) {
    const std::lock_guard lock(m_mutex);
    if (name == "Locked") {
        return g_variant_new_boolean(m_state.locked ? TRUE : FALSE);
    }
    if (name == "Created" || name == "Modified") {
        return g_variant_new_uint64(1);
    }
    if (name == "Collections" || name == "Items") {
        return paths({});
    }
    if (interface != "org.freedesktop.Secret.Item" || itemOf(path) >= m_state.items.size()) {
        return g_variant_new_string("login");
    }
    const auto& item = m_state.items[itemOf(path)];
    if (name == "Label") {
        return g_variant_new_string(item.label.c_str());
    }
    GVariantBuilder out;
    g_variant_builder_init(&out, G_VARIANT_TYPE("a{ss}"));
    for (const auto& [key, value] : item.attributes) {
        g_variant_builder_add(&out, "{ss}", key.c_str(), value.c_str());
    }
    return g_variant_builder_end(&out);
}

} // namespace carrel::desktop::test
