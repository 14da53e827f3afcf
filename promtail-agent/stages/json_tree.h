// json_tree.h -- a JSON document as nodes, for expressions that look at all of it, and back to text.
//
// Shape:    objects hold their members sorted by key, each key once (the last one given).
// Lifetime: nodes belong to a JsonPool and live until its clear(); texts point into the document or into the pool.
// Text:     compact, keys sorted, HTML characters escaped, as Go's encoding/json writes a map. Integers keep their
//           digits.
// Threads:  one.
#pragma once

#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "promtail-agent/stages/arena.h"
#include "promtail-agent/stages/json_scanner.h"

namespace kvasir::agent {

struct JsonNode;

struct JsonMember {
  std::string_view key;
  const JsonNode* value = nullptr;
};

struct JsonNode {
  JsonType type = JsonType::kNull;
  bool boolean = false;
  double number = 0;
  std::string_view text;  // a string; or the digits of a number that was written as an integer
  std::vector<const JsonNode*> items;
  std::vector<JsonMember> members;

  /// The member's value, or nullptr.
  const JsonNode* find(std::string_view key) const;
};

class JsonPool {
 public:
  void clear() {
    used_ = 0;
    arena_.clear();
  }
  JsonNode* make(JsonType type);
  const JsonNode* null() { return make(JsonType::kNull); }
  const JsonNode* of(bool value);
  const JsonNode* of(double value);
  /// REQUIRES: the text outlives the pool's next clear(); otherwise pass it through arena().
  const JsonNode* of(std::string_view text);
  Arena& arena() { return arena_; }

 private:
  std::deque<JsonNode> nodes_;  // reused from the front, their vectors keep their room
  std::size_t used_ = 0;
  Arena arena_;
};

/// The whole text as one value; nullptr if it is malformed.
const JsonNode* parse_json(std::string_view text, JsonPool& pool);

void append_json(std::string& out, const JsonNode& node);
/// Go's encoding/json: shortest digits, with an exponent below 1e-6 and from 1e21 on.
void append_json_number(std::string& out, double value);

/// Sorts by key and keeps the last of equal keys.
void normalise_members(std::vector<JsonMember>& members);

bool json_equal(const JsonNode& a, const JsonNode& b);

}  // namespace kvasir::agent
