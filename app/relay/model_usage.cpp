// SPDX-License-Identifier: Apache-2.0
#include "app/relay/model_usage.h"

#include "app/relay/model_paths.h"

#include <algorithm>

namespace carrel::relay {

namespace {

constexpr std::size_t kLongestStop = 7; // "[DONE]", and what some put around it

void appendName(std::string& to, std::string_view piece) {
    for (const char c : piece) {
        if (to.size() < kMaxModelName) {
            to.push_back(c > ' ' && c < 0x7f ? c : '?');
        }
    }
}

bool isModel(std::string_view path) {
    return path == "model" || path == "message.model" || path == "response.model" || path == "modelVersion" || path == "response.modelVersion";
}

// Why it stopped: then the account that came with it, or before, is the last.
bool isStop(std::string_view path) {
    return path == "delta.stop_reason" || path == "stop_reason" || path == "choices.finish_reason" || path == "candidates.finishReason" ||
           path == "response.candidates.finishReason" || path == "done_reason";
}

// What a model says, in each of the forms.
bool isText(std::string_view path) {
    static constexpr std::array<std::string_view, 23> kAll{"delta.text",
                                                           "delta.thinking",
                                                           "delta.partial_json",
                                                           "content.text",
                                                           "content.thinking",
                                                           "choices.delta.content",
                                                           "choices.delta.reasoning_content",
                                                           "choices.delta.reasoning",
                                                           "choices.delta.refusal",
                                                           "choices.delta.tool_calls.function.arguments",
                                                           "choices.message.content",
                                                           "choices.message.reasoning_content",
                                                           "choices.message.reasoning",
                                                           "choices.message.tool_calls.function.arguments",
                                                           "choices.text",
                                                           "delta",
                                                           "output.content.text",
                                                           "output.arguments",
                                                           "candidates.content.parts.text",
                                                           "response.candidates.content.parts.text",
                                                           "message.content",
                                                           "message.thinking",
                                                           "response"};
    static constexpr std::array<std::string_view, 3> kBelow{"content.input.", "candidates.content.parts.functionCall.args.",
                                                            "response.candidates.content.parts.functionCall.args."};
    return std::find(kAll.begin(), kAll.end(), path) != kAll.end() ||
           std::any_of(kBelow.begin(), kBelow.end(), [&](std::string_view each) { return path.starts_with(each); });
}

std::uint64_t bounded(std::uint64_t tokens) {
    return std::min(tokens, kMostTokens);
}

} // namespace

const ModelUsage::Path* ModelUsage::pathOf(std::string_view path) {
    static constexpr std::array kAll{
        // Anthropic: beside each other.
        Path{"message.usage.input_tokens", What::Input},
        Path{"message.usage.output_tokens", What::OutputSoFar},
        Path{"message.usage.cache_read_input_tokens", What::CacheRead},
        Path{"message.usage.cache_creation_input_tokens", What::CacheWrite},
        Path{"usage.cache_read_input_tokens", What::CacheRead},
        Path{"usage.cache_creation_input_tokens", What::CacheWrite},
        // Anthropic, and OpenAI's responses, whose input has what was cached within it.
        Path{"usage.input_tokens", What::Input},
        Path{"usage.output_tokens", What::Output},
        Path{"usage.input_tokens_details.cached_tokens", What::Cached},
        Path{"usage.input_tokens_details.cache_write_tokens", What::Written},
        Path{"response.usage.input_tokens_details.cache_write_tokens", What::Written},
        Path{"response.usage.input_tokens", What::InputWithCached},
        Path{"response.usage.output_tokens", What::Output},
        Path{"response.usage.input_tokens_details.cached_tokens", What::Cached},
        // OpenAI's chat completions.
        Path{"usage.prompt_tokens", What::InputWithCached},
        Path{"usage.completion_tokens", What::Output},
        Path{"usage.prompt_tokens_details.cached_tokens", What::Cached},
        Path{"usage.prompt_tokens_details.cache_write_tokens", What::Written},
        // Gemini: thoughts are beside the answer.
        Path{"usageMetadata.promptTokenCount", What::InputWithCached},
        Path{"usageMetadata.cachedContentTokenCount", What::Cached},
        Path{"usageMetadata.toolUsePromptTokenCount", What::Tools},
        Path{"usageMetadata.candidatesTokenCount", What::Output},
        Path{"usageMetadata.thoughtsTokenCount", What::Thoughts},
        Path{"response.usageMetadata.promptTokenCount", What::InputWithCached},
        Path{"response.usageMetadata.cachedContentTokenCount", What::Cached},
        Path{"response.usageMetadata.toolUsePromptTokenCount", What::Tools},
        Path{"response.usageMetadata.candidatesTokenCount", What::Output},
        Path{"response.usageMetadata.thoughtsTokenCount", What::Thoughts},
        // Ollama's own.
        Path{"prompt_eval_count", What::Input},
        Path{"eval_count", What::Output}};
    const auto* const found = std::find_if(kAll.begin(), kAll.end(), [&](const Path& each) { return each.path == path; });
    return found == kAll.end() ? nullptr : found;
}

ModelUsage::ModelUsage(std::string_view method, std::string_view path)
    : m_isGeneration(modelRequestOf(method, path) == ModelRequest::Answers)
    , m_isNamedByPath(!modelNamedBy(path).empty())
    , m_mayAskForLater(mayAskForLater(path))
    , m_asked({[this](std::string_view at, std::uint64_t) { noteLater(at, true); },
               [this](std::string_view at, std::string_view piece, JsonScan::Sinks::Piece which) {
                   noteLater(at, true);
                   if (at == "model" && !m_isNamedByPath) {
                       appendName(m_askedName, piece);
                       if (which == JsonScan::Sinks::Piece::Last) {
                           m_askedModel = std::exchange(m_askedName, {});
                       }
                   }
               },
               [this](std::string_view at, bool value) { noteLater(at, value); }})
    , m_answer({[this](std::string_view at, std::uint64_t value) { number(at, value); },
                [this](std::string_view at, std::string_view piece, JsonScan::Sinks::Piece which) { text(at, piece, which); },
                [](std::string_view, bool) {}}) {
    appendName(m_askedModel, modelNamedBy(path));
}

// Whatever is not plainly false a host may take for true.
void ModelUsage::noteLater(std::string_view at, bool value) {
    m_asksForLater = m_asksForLater || (value && isSameWord(at, "background"));
}

void ModelUsage::request(ByteSpan piece) {
    m_requestBytes += piece.size();
    m_asked.feed(asText(piece));
}

std::optional<std::string> ModelUsage::whyNotOn() const {
    if (!m_mayAskForLater) {
        return std::nullopt;
    }
    if (m_asksForLater) {
        return "What a model does in the background cannot be counted; ask for an answer at once";
    }
    return m_asked.isBad() ? std::optional<std::string>("Whether this asks for something to be done in the background cannot be told, since it is not plain JSON")
                           : std::nullopt;
}

void ModelUsage::response(int status, const Fields& fields) {
    m_status = status;
    const auto coding = std::find_if(fields.begin(), fields.end(), [](const Field& field) { return isField(field, "content-encoding"); });
    if (coding == fields.end() || isSameWord(coding->value, "identity")) {
        return;
    }
    if (const auto which = Unpacker::codingOf(fields); which != Unpacker::Coding::None) {
        m_unpacker.emplace(which);
    } else {
        m_isPacked = true;
    }
}

void ModelUsage::response(ByteSpan piece) {
    if (m_status / 100 != 2) {
        return;
    }
    if (m_isPacked) {
        m_packed += piece.size();
    } else if (!m_unpacker) {
        readText(asText(piece));
    } else if (m_unpacker->feed(piece, [this](ByteSpan out) { readText(asText(out)); }) != Unpacker::Outcome::Fine) {
        m_packed += piece.size();
    }
}

void ModelUsage::readText(std::string_view text) {
    constexpr std::string_view kMark = "\xef\xbb\xbf";
    while (m_form == Form::Unknown && !text.empty()) {
        const char c = text.front();
        if (m_mark < kMark.size() && c == kMark[m_mark]) {
            ++m_mark;
        } else if (c == '{' || c == '[') { // no line of an event's begins so
            m_form = Form::Json;
            break;
        } else if (c != ' ' && c != '\t' && c != '\r' && c != '\n') {
            m_form = Form::Events;
            break;
        }
        text.remove_prefix(1);
    }
    if (m_form == Form::Json) {
        m_partBytes += text.size();
        m_answer.feed(text);
    } else if (m_form == Form::Events) {
        readEvents(text);
    }
}

void ModelUsage::readEvents(std::string_view text) {
    constexpr std::string_view kData = "data";
    while (!text.empty()) {
        const char c = text.front();
        if (c == '\n' && std::exchange(m_afterCr, false)) {
            text.remove_prefix(1);
            continue;
        }
        m_afterCr = c == '\r';
        if (c == '\n' || c == '\r') {
            lineEnded();
            text.remove_prefix(1);
            continue;
        }
        m_isLineEmpty = false;
        switch (m_line) {
        case Line::Name:
            if (c == ':') {
                m_line = m_field == kData ? Line::Blank : Line::Other;
            } else if (m_field.size() <= kData.size()) {
                m_field.push_back(c);
            }
            text.remove_prefix(1);
            continue;
        case Line::Blank:
            m_line = Line::Data;
            text.remove_prefix(c == ' ' ? 1 : 0);
            continue;
        case Line::Data:
        case Line::Other:
            break;
        }
        const auto line = text.substr(0, text.find_first_of("\r\n"));
        if (m_line == Line::Data) {
            m_partBytes += line.size();
            m_answer.feed(line);
        }
        text.remove_prefix(line.size());
    }
}

void ModelUsage::lineEnded() {
    if (m_isLineEmpty) { // the event's end
        endPart();
    } else if (m_line == Line::Data) {
        m_answer.feed("\n");
    }
    m_line = Line::Name;
    m_field.clear();
    m_isLineEmpty = true;
}

// What could not be read is taken for text, all of it.
void ModelUsage::endPart() {
    const bool isOnlyAWord = m_form == Form::Events && m_partBytes <= kLongestStop;
    m_text += !m_answer.isBad() ? m_partText : isOnlyAWord ? 0 : m_partBytes;
    m_partBytes = m_partText = 0;
    m_stopped = m_stopped || std::exchange(m_partStopped, false); // its account may stand on either side of the reason
    m_name.clear();
    m_answer.restart();
}

void ModelUsage::number(std::string_view path, std::uint64_t value) {
    if (const auto* known = pathOf(path)) {
        auto& told = m_told.at(static_cast<std::size_t>(known->what));
        told = std::max(told.value_or(0), value);
        m_partStopped = m_partStopped || path.starts_with("response.usage."); // OpenAI's responses tell it once, when they are complete
    }
}

void ModelUsage::text(std::string_view path, std::string_view piece, JsonScan::Sinks::Piece which) {
    const bool isLast = which == JsonScan::Sinks::Piece::Last;
    if (isText(path)) {
        m_partText += piece.size();
    } else if (isStop(path)) {
        m_partStopped = m_partStopped || isLast;
    } else if (isModel(path) && m_model.empty()) {
        appendName(m_name, piece);
        if (isLast) {
            m_model.swap(m_name);
        }
    }
    if (isLast) {
        m_name.clear();
    }
}

ModelUse ModelUsage::finish(End how) const {
    ModelUse out;
    out.status = m_status;
    out.model = m_model.empty() ? m_askedModel : m_model;
    const bool hasAnswered = m_status / 100 == 2;
    if (how == End::Refused || (m_status != 0 && !hasAnswered)) {
        return out;
    }
    const bool knowsInput = isTold(What::Input) || isTold(What::InputWithCached);
    const bool knowsOutput = isTold(What::Output) || (m_form == Form::Json && knowsInput); // what makes vectors tells of no output
    // OpenAI's responses have what was cached within the same name by which Anthropic has it beside: that it is told of says which it is.
    const auto input = std::max(told(What::Input), told(What::InputWithCached));
    const auto cached = std::min(input, told(What::Cached));
    const auto written = std::min(input - cached, told(What::Written));
    out.input = bounded(input - cached - written + told(What::Tools));
    out.cacheRead = bounded(cached + told(What::CacheRead));
    out.cacheWrite = bounded(written + told(What::CacheWrite));
    out.output = bounded(told(What::Output) + told(What::Thoughts));
    const bool isLastAccount = how == End::Whole || m_stopped;
    if (knowsInput && knowsOutput && isLastAccount) {
        return out;
    }
    const auto said = m_text + (!m_answer.isBad() ? m_partText : m_partBytes);
    const bool speaks = m_form == Form::Events && said > 0;
    if (!knowsInput && !knowsOutput && !m_isGeneration && !speaks) {
        return out;
    }
    out.counted = ModelUse::Counted::Estimated;
    if (!knowsInput) {
        out.input = bounded(m_requestBytes / kBytesPerToken);
    }
    // What is packed in a way that cannot be read was four times as long, about.
    const auto guess = said / kBytesPerToken + m_packed;
    out.output = bounded(std::max({out.output, told(What::OutputSoFar), guess}));
    return out;
}

} // namespace carrel::relay
