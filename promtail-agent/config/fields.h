// fields.h -- what the blocks of a configuration file hold, said once for all who walk them.
//
// Shape:    for each block there is a function `describe_...(Fields&, Block&)` (blocks.h): one call per key, in the
//           order of the reference page, with the key's name, its meaning and the place of its value. A reader fills
//           the values from YAML, a printer shows them, the reference page names defaults and meanings, a flag finds
//           its field by path.
// Contract: it calls the same keys whatever the values are; rules between keys go through demand().
// Lifetime: names and meanings are literals.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/time.h"
#include "common/yaml.h"

namespace kvasir::agent {

struct Key {
  std::string_view name;
  std::string_view meaning;
};

/// How a duration may be written: Go's form (1h30m) or a bare number of nanoseconds; Prometheus' form (1d) too.
enum class DurationForm { kGo, kPrometheus };

/// A word of the file and what it stands for.
template <class Value>
struct Word {
  std::string_view text;
  Value value;
};

class Fields {
 public:
  using Inside = std::function<void(Fields&)>;
  /// Walks the item at the index; index == count: a new one, put at the end first.
  using Item = std::function<void(Fields&, std::size_t index)>;
  /// Walks the item under the name, which is made if there is none.
  using NamedItem = std::function<void(Fields&, const std::string& name)>;

  virtual ~Fields() = default;

  virtual void text(Key key, std::string& value) = 0;
  /// Shown as <secret>.
  virtual void secret(Key key, std::string& value) = 0;
  /// Shown without user and password.
  virtual void url(Key key, std::string& value) = 0;
  virtual void flag(Key key, bool& value) = 0;
  virtual void integer(Key key, std::int64_t& value) = 0;
  virtual void number(Key key, double& value) = 0;
  virtual void bytes(Key key, std::uint64_t& value) = 0;
  virtual void duration(Key key, Duration& value, DurationForm form) = 0;
  virtual void word(Key key, std::string& value, std::span<const std::string_view> words) = 0;
  virtual void texts(Key key, std::vector<std::string>& values) = 0;
  virtual void secret_texts(Key key, std::vector<std::string>& values) = 0;
  virtual void pairs(Key key, std::map<std::string, std::string>& values) = 0;
  /// Pairs whose names are those of labels.
  virtual void labels(Key key, std::map<std::string, std::string>& values) { pairs(key, values); }
  /// Names, each with a list of secrets.
  virtual void secrets(Key key, std::map<std::string, std::vector<std::string>>& values) = 0;
  /// A part that others read: stages, rules.
  virtual void yaml(Key key, YamlNode& node) = 0;
  /// A map below the key. `type` names it in messages. `given` (may be nullptr) is set when the file has it; a block
  /// with `given` is shown only then.
  virtual void block(Key key, std::string_view type, bool* given, const Inside& inside) = 0;
  virtual void list(Key key, std::string_view type, std::size_t count, const Item& item) = 0;
  virtual void named(Key key, std::string_view type, const std::vector<std::string>& names, const NamedItem& item) = 0;
  /// Keys that stand among these wherever `title` does.
  virtual void shared(std::string_view title, const Inside& inside) = 0;
  /// Known keys without effect, and why they have none.
  virtual void accept(std::initializer_list<std::string_view> names, std::string_view why) = 0;
  /// Keys that stop the start.
  virtual void refuse(std::initializer_list<std::string_view> names, std::string_view why) = 0;
  /// Of the block in its file; 0 where there is none.
  virtual int line() const { return 0; }
  /// A rule between keys; `problem` is reported at `key` if it does not hold.
  virtual void demand(bool holds, std::string_view key, std::string_view problem) = 0;
  /// As demand(), of what is taken but will hardly be meant: told at start and by a check, stops nothing.
  virtual void advise(bool, std::string_view, std::string_view) {}

  void integer(Key key, int& value);
  /// An integer between two bounds, both allowed.
  struct Bounds {
    std::int64_t least;
    std::int64_t most;
  };
  void integer(Key key, int& value, Bounds bounds);
  void integer(Key key, std::uint64_t& value);
  void duration(Key key, Duration& value) { duration(key, value, DurationForm::kGo); }
  /// A time that must not be zero.
  void some_time(Key key, Duration& value, DurationForm form = DurationForm::kGo);
  template <class Value>
  void choice(Key key, Value& value, std::initializer_list<Word<Value>> words);
  /// A list of blocks.
  template <class Block>
  void blocks(Key key, std::string_view type, std::vector<Block>& items, void (*describe)(Fields&, Block&));
};

inline void Fields::integer(Key key, int& value) {
  std::int64_t wide = value;
  integer(key, wide);
  const bool fits = wide >= INT32_MIN && wide <= INT32_MAX;
  demand(fits, key.name, std::string(key.name) + " is out of range");
  if (fits) value = static_cast<int>(wide);
}

inline void Fields::integer(Key key, int& value, Bounds bounds) {
  integer(key, value);
  demand(bounds.least <= value && value <= bounds.most, key.name,
         std::string(key.name) + " " + std::to_string(value) + ": must be " + std::to_string(bounds.least) + " to " +
             std::to_string(bounds.most));
}

inline void Fields::some_time(Key key, Duration& value, DurationForm form) {
  duration(key, value, form);
  demand(value > Duration(0), key.name, std::string(key.name) + " 0s: must be greater than 0");
}

inline void Fields::integer(Key key, std::uint64_t& value) {
  std::int64_t wide = static_cast<std::int64_t>(value);
  integer(key, wide);
  demand(wide >= 0, key.name, std::string(key.name) + " must not be negative");
  if (wide >= 0) value = static_cast<std::uint64_t>(wide);
}

template <class Value>
void Fields::choice(Key key, Value& value, std::initializer_list<Word<Value>> words) {
  std::vector<std::string_view> texts;
  std::string chosen;
  for (const auto& known : words) {
    texts.push_back(known.text);
    if (known.value == value) chosen = known.text;
  }
  word(key, chosen, texts);
  for (const auto& known : words) {
    if (known.text == chosen) value = known.value;
  }
}

template <class Block>
void Fields::blocks(Key key, std::string_view type, std::vector<Block>& items, void (*describe)(Fields&, Block&)) {
  list(key, type, items.size(), [&items, describe](Fields& fields, std::size_t index) {
    if (index == items.size()) items.emplace_back();
    describe(fields, items[index]);
  });
}

}  // namespace kvasir::agent
