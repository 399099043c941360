// SPDX-License-Identifier: Apache-2.0
// A checker for the subset of JSON Schema that app/api/schema uses: type, properties, required,
// additionalProperties (false or a schema), items, enum, anyOf, minimum, maximum, minLength, maxLength,
// maxItems and $ref into common.json. A keyword that it does not know is an error, so that no schema promises
// what is not checked.
#pragma once

#include <boost/json.hpp>

#include <fstream>
#include <iterator>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>

namespace carrel::test {

namespace json = boost::json;

class Schemas {
public:
    explicit Schemas(std::string folder)
        : m_folder(std::move(folder)) {
        m_common = load("common.json");
    }
    [[nodiscard]] json::value load(const std::string& name) const {
        std::ifstream file(m_folder + "/" + name);
        const std::string text((std::istreambuf_iterator<char>(file)), {});
        return json::parse(text);
    }
    // Empty: it fits. Otherwise what does not, and where.
    [[nodiscard]] std::string check(const json::value& value, const json::object& schema,
                                    const std::string& at = "$") const {
        static const std::set<std::string> kNotes{"description", "title",      "$schema",         "$id",
                                                  "examples",    "x-progress", "x-roles",         "x-notifications", "$defs"};
        for (const auto& [key, rule] : schema) {
            const std::string name(key);
            if (kNotes.count(name) != 0) {
                continue;
            }
            if (auto problem = checkOne(name, rule, schema, value, at); !problem.empty()) {
                return problem;
            }
        }
        return {};
    }

private:
    static std::string no(const std::string& at, const std::string& why) { return at + ": " + why; }

    std::string checkOne(const std::string& name, const json::value& rule, const json::object& schema,
                         const json::value& value, const std::string& at) const {
        if (name == "$ref") {
            static const std::string kPrefix = "common.json#/$defs/";
            const std::string target(rule.as_string());
            const auto& definitions = m_common.as_object().at("$defs").as_object();
            if (target.rfind(kPrefix, 0) != 0 || !definitions.contains(target.substr(kPrefix.size()))) {
                return no(at, "a reference to nothing: " + target);
            }
            return check(value, definitions.at(target.substr(kPrefix.size())).as_object(), at);
        }
        if (name == "type") {
            return typeFits(value, std::string(rule.as_string()))
                       ? ""
                       : no(at, "is no " + std::string(rule.as_string()));
        }
        if (name == "enum") {
            for (const auto& one : rule.as_array()) {
                if (one == value) {
                    return {};
                }
            }
            return no(at, "is none of the enumerated: " + json::serialize(value));
        }
        if (name == "anyOf") {
            for (const auto& one : rule.as_array()) {
                if (check(value, one.as_object(), at).empty()) {
                    return {};
                }
            }
            return no(at, "fits none of the alternatives: " + json::serialize(value));
        }
        if (name == "required") {
            for (const auto& key : rule.as_array()) {
                if (value.is_object() && !value.get_object().contains(key.as_string())) {
                    return no(at, "lacks " + std::string(key.as_string()));
                }
            }
            return {};
        }
        if (name == "properties") {
            for (const auto& [key, inner] : rule.as_object()) {
                if (value.is_object() && value.get_object().contains(key)) {
                    if (auto problem =
                            check(value.get_object().at(key), inner.as_object(), at + "." + std::string(key));
                        !problem.empty()) {
                        return problem;
                    }
                }
            }
            return {};
        }
        if (name == "additionalProperties") {
            const auto* properties = schema.if_contains("properties");
            for (const auto& [key, inner] : value.is_object() ? value.get_object() : json::object()) {
                const bool known = properties != nullptr && properties->as_object().contains(key);
                if (!known && rule.is_bool() && !rule.get_bool()) {
                    return no(at, "has the unknown field " + std::string(key));
                }
                if (!known && rule.is_object()) {
                    if (auto problem = check(inner, rule.get_object(), at + "." + std::string(key));
                        !problem.empty()) {
                        return problem;
                    }
                }
            }
            return {};
        }
        if (name == "items") {
            std::size_t index = 0;
            for (const auto& item : value.is_array() ? value.get_array() : json::array()) {
                if (auto problem = check(item, rule.as_object(), at + "[" + std::to_string(index++) + "]");
                    !problem.empty()) {
                    return problem;
                }
            }
            return {};
        }
        return checkBound(name, rule, value, at);
    }

    static std::string checkBound(const std::string& name, const json::value& rule, const json::value& value,
                                  const std::string& at) {
        const auto bound = rule.is_number() ? rule.to_number<double>() : 0.0;
        double measured = 0;
        if (name == "minimum" || name == "maximum") {
            if (!value.is_number()) {
                return {};
            }
            measured = value.to_number<double>();
        } else if (name == "minLength" || name == "maxLength") {
            measured = value.is_string() ? static_cast<double>(value.get_string().size()) : bound;
        } else if (name == "maxItems") {
            measured = value.is_array() ? static_cast<double>(value.get_array().size()) : bound;
        } else {
            return no(at, "the schema has a keyword that nobody checks: " + name);
        }
        const bool fits = name.rfind("min", 0) == 0 ? measured >= bound : measured <= bound;
        return fits ? "" : no(at, "breaks " + name);
    }

    static bool typeFits(const json::value& value, const std::string& type) {
        return (type == "object" && value.is_object()) || (type == "array" && value.is_array()) ||
               (type == "string" && value.is_string()) || (type == "boolean" && value.is_bool()) ||
               (type == "null" && value.is_null()) || (type == "number" && value.is_number()) ||
               (type == "integer" && (value.is_int64() || value.is_uint64()));
    }

    std::string m_folder;
    json::value m_common;
};

} // namespace carrel::test
