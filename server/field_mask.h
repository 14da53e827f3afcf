// field_mask.h -- hides the values of named fields in log lines, labels and structured metadata from readers who may
// not see them.
//
// Model:    in a JSON line the value of every key of that name becomes "********", at any depth. In every other text
//           `name=value`, `name: value` and their quoted forms are hidden up to the end of the value; where that end
//           cannot be told (a line that begins with `{"`, `{}`, `[{`, `[[` or `["` and is no JSON, a quote that is
//           never closed) up to the end of the line. It hides rather too much.
// Names:    compared without regard to case, as whole words, and as labels are written: `user.email`, `user-email` and
//           `user_email` are one name, in JSON also the key `email` within `user`. A name hides what is below it
//           (`email[a]`, `email.a`) and stands at the end of a path too (`email` hides the key `user.email`), but not
//           within a word (`user_email`).
// Cost:     lines that hold no name are returned as they are; for others it grows with their length.
// Threads:  immutable after building.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace kvasir::server {

inline constexpr std::string_view kMasked = "********";

class FieldMask {
 public:
  FieldMask() = default;
  explicit FieldMask(std::vector<std::string> names);

  bool empty() const { return names_.empty(); }
  bool hides(std::string_view name) const;
  /// The line to show; `storage` holds it when it is not the line itself.
  std::string_view apply(std::string_view line, std::string& storage) const;

 private:
  using Keys = std::vector<std::string>;
  enum class Rest { kRead, kHidden };  // what comes after a value that is hidden in text

  bool may_hold_name(std::string_view text) const;
  bool hides_key(const Keys& above, std::string name) const;
  Keys nearest(const Keys& above, const std::string& key) const;
  void mask_json(std::string_view line, Keys above, std::string& out) const;
  void mask_json_string(std::string_view quoted, const Keys& above, const std::string& key, std::string& out) const;
  void mask_text(std::string_view text, Rest rest, std::string& out) const;
  std::size_t name_at(std::string_view text, std::size_t at, bool parts) const;

  std::vector<std::string> names_;  // as labels are written, in lower case
  std::size_t levels_max_ = 0;      // keys that may be joined in front of another
  std::size_t key_bytes_max_ = 0;   // of a key that is joined in front of another
};

}  // namespace kvasir::server
