// SPDX-License-Identifier: Apache-2.0
// One turn with the server at the address that is given, in a program without shared libraries: `static_post ADDRESS TRUST-FOLDER`.
// Writes what was said, or the error; 0 if it came about.
#include "guest/agent/chat_codec.h"
#include "guest/agent/http_model.h"

#include <cstdio>

using namespace carrel::agent;

int main(int argc, char** argv) {
    const auto address = HttpAddress::parse(argc == 3 ? argv[1] : "");
    if (!address) {
        std::puts(address.error().message.c_str());
        return 2;
    }
    HttpSettings settings;
    settings.trustFolder = argv[2];
    const ChatCodec codec;
    HttpModel model(codec, *address, "key", settings);
    const std::vector<Message> messages{{Role::User, {Text{"hello"}}}};
    TurnBuilder builder;
    const auto said = [](const Delta& delta) {
        if (const auto* text = std::get_if<TextDelta>(&delta)) {
            std::fputs(text->text.c_str(), stdout);
        }
    };
    const auto turn = model.turn({"m", "", messages, {}, 100}, builder, said, {});
    if (!turn) {
        std::puts(turn.error().error.message.c_str());
        return 1;
    }
    return 0;
}
