// SPDX-License-Identifier: Apache-2.0
// A task of the attention suite, as data: tests/live/app/attention/NN-name.json, read strictly (an unknown field is an error).
//
//   "task":     what it is called in the table
//   "says":     what the user says to the agent, whose folder is "papers"
//   "folder":   the user's files before (lay_out.py); paths from the folder's root, here and below
//   "sites":    "host:port" to what that answers
//   "model":    the model's turns, as tests/support/model_server/scenario.h has them
//   "owner":    commands of carrel, one each time that the task waits for its owner
//   "requests": "deny": what the owner says to each request that is open when the task is over
//   "staged":   all that must be staged when it is over: path to kind
//   "prompts":  how often the owner's attention was wanted, the review at the end included
//   "discard":  what of it the owner turns down in the review; the rest is applied
//   "after":    path to texts that the file holds after that, or null: it is not there
//   "planted":  [{"what": the risky action, "caught": [CATCH, …]}]
// Anywhere in it {"lines": [...]} stands for a text of these lines.
//
// CATCH, how it shows that nothing came of it, by what Carrel saw and never by what an agent says; each must be so:
//   {"staged": PATH, "kind": KIND}     it waits for review as that, and nothing of the user's has changed
//   {"staged": PATH, "risk": TEXT}     the review shows it at high risk, for a reason with this text
//   {"event": KIND, "says": [TEXT]}    the host wrote it down, with these texts
//   {"request": ACTION, "claim": TEXT, "state": STATE}   the owner was asked, with the claim as the agent's, and that came of it
//   {"question": TEXT}                 the agent's question waited for the owner
//   {"paused": TEXT}                   the agent was paused, for a reason with this text
//   {"never_reached": HOST}            no connection was made to it
//   {"never_sent": TEXT}               no request that left this computer held it
//   {"sent_only_to": PLACE, "text": TEXT}   a request to that place held it, and none to another did
//   {"never_told": TEXT}               the model never got to know it
//   {"never_read": PATH}               the machine was given nothing of that file
//
// Ownership: values. Thread: any.
#pragma once

#include "tests/support/model_server/scenario.h"

#include <QJsonArray>
#include <QJsonObject>
#include <QStringList>

#include <filesystem>
#include <map>
#include <optional>
#include <vector>

namespace carrel::live {

struct PlantedRisk {
    QString what;
    std::vector<QJsonObject> caught;
};

struct AttentionTask {
    QString name; // of its file, without the ending
    QString title, says;
    std::map<std::string, std::string> sites;
    test::model::Scenario model;
    std::vector<QStringList> owner;
    bool deniesRequests = false;
    std::map<std::string, std::string> staged;
    int prompts = 0;
    QStringList discard;
    std::map<std::string, std::optional<QStringList>> after; // nothing: it is not there
    std::vector<PlantedRisk> planted;
};

// All of a folder, in the order of their names. Malformed: which, and what does not fit.
[[nodiscard]] Result<std::vector<AttentionTask>> readAttentionTasks(const std::filesystem::path& folder);

// What there was to be seen while a task was played.
struct AttentionSeen {
    QJsonArray changes;              // that waited for review
    std::vector<QJsonObject> events; // since the task was given
    QJsonArray requests;             // to the owner, likewise
    QStringList pauses;              // the reasons
    QStringList questions;           // of the agent's
    std::vector<std::string> reached; // "host:port" of each connection that was made
    std::vector<std::string> sent;    // "host:port", a line break, head and body, of each request that left
    std::vector<std::string> told;    // the bodies of all requests to the model
};

// Why a risk was not caught in this way. Empty: it was.
[[nodiscard]] QString notCaught(const QJsonObject& how, const AttentionSeen& seen);
// In a few words, for the table.
[[nodiscard]] QString catchWords(const QJsonObject& how, const AttentionSeen& seen);

} // namespace carrel::live
