// SPDX-License-Identifier: Apache-2.0
// An agent program that plays its side of the Agent Client Protocol by a script: a list of steps, done in their order. What is not as the
// script expects ends it with status 3 and a sentence on the standard error. After the last step it reads until its input ends. It is
// written from the protocol's text and shares no code with what it tests.
//
//   {"expect": METHOD, "params": SUBSET?, "result": JSON?, "error": {code, message}?, "as": NAME?}
//         the next message that is asked or told; answered with the result or the error, or later, by its name
//   {"answer": NAME, "result": JSON?, "error": {…}?}
//   {"update": {"sessionUpdate": …}, "times": N?, "session": ID?}  "#" in its texts is the number of the time, from 1
//   {"ask": METHOD, "params": {…}, "answered": SUBSET?, "refused": SUBSET?, "keep": {NAME: FIELD}?, "as": NAME?}
//         asks the client and waits for its answer; with a name it does not wait yet. "$NAME" in the params of a later step is what was kept
//   {"answered": NAME, "result": SUBSET?, "error": SUBSET?}  waits for that
//   {"note": METHOD, "params": {…}}     a notification; "$id:NAME" in its params is the number of a request of that name
//   {"print": TEXT, "times": N?}        a line of whatever; {"long": N}: so many bytes without an end of line; {"byte": N}
//   {"complain": TEXT}                  on the standard error
//   {"variables": [NAME…]}              tells their values, as text of the agent's
//   {"touch": PATH}, {"until": PATH}    makes that file; waits until it is there
//   {"close": true}                     its output; {"stubborn": true}: neither SIGTERM nor the end of its input ends it any more
//   {"end": STATUS}, {"die": SIGNAL}
//
// A SUBSET says what must be there: of an object these fields, of a list all entries, a text "*" is anything.
#pragma once

#include <boost/json.hpp>

#include <deque>
#include <map>
#include <string>

namespace carrel::test {

class PlayedAgent {
public:
    explicit PlayedAgent(boost::json::array script)
        : m_script(std::move(script)) {}
    [[nodiscard]] int play();

private:
    void step(const boost::json::object& step);
    void expect(const boost::json::object& step);
    void ask(const boost::json::object& step);
    void settle(const std::string& name, const boost::json::object& step, std::string_view result, std::string_view error);
    void update(const boost::json::object& step);
    void answer(const boost::json::value& id, const boost::json::object& step);
    [[nodiscard]] boost::json::object next(); // from the client; never an answer
    [[nodiscard]] boost::json::object answerTo(std::int64_t id);
    [[nodiscard]] boost::json::object read();
    void readLine();
    void keepAnswer(boost::json::object message);
    [[nodiscard]] boost::json::value filled(const boost::json::value& value, std::uint64_t time) const;

    boost::json::array m_script;
    std::string m_buffer;
    std::deque<boost::json::object> m_waiting; // of the client, in order
    std::map<std::int64_t, boost::json::object> m_answers;
    std::map<std::string, boost::json::value> m_open; // ids of the client's
    std::map<std::string, std::int64_t> m_asked;
    std::map<std::string, std::string> m_kept;
    std::int64_t m_nextId = 1;
    bool m_isStubborn = false;
};

} // namespace carrel::test
