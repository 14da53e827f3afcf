// labels.h -- a sorted set of name/value pairs: the identity of a stream or a series.
//
// Shape:    pairs ascend by name, names are unique; an empty value is kept (it is not the same as absent).
// Lifetime: values own their text. LabelView is a pair of views for parameters and locals.
// Threads:  immutable after building; share freely.
// Limits:   none here; ingest validates counts and lengths.
#pragma once

#include <compare>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"

namespace kvasir {

struct Label {
  std::string name;
  std::string value;
  friend auto operator<=>(const Label&, const Label&) = default;
};

struct LabelView {
  std::string_view name;
  std::string_view value;
  friend auto operator<=>(const LabelView&, const LabelView&) = default;
};

/// 64-bit hash of a label set. Two sets may share one: compare the labels on a hit.
struct Fingerprint {
  std::uint64_t value = 0;
  friend auto operator<=>(const Fingerprint&, const Fingerprint&) = default;
};

class Labels {
 public:
  Labels() = default;
  Labels(std::initializer_list<Label> pairs);
  /// Sorts by name; of equal names the last given one stays.
  static Labels from_unsorted(std::vector<Label> pairs);
  /// REQUIRES: ascending unique names (checked in debug builds).
  static Labels from_sorted(std::vector<Label> pairs);

  /// The value, or an empty optional if the name is absent.
  std::optional<std::string_view> get(std::string_view name) const;
  /// The value, or "" if the name is absent.
  std::string_view value_or_empty(std::string_view name) const;
  bool has(std::string_view name) const { return get(name).has_value(); }

  /// Inserts or replaces.
  void set(std::string_view name, std::string_view value);
  void erase(std::string_view name);

  bool empty() const { return pairs_.empty(); }
  std::size_t size() const { return pairs_.size(); }
  auto begin() const { return pairs_.begin(); }
  auto end() const { return pairs_.end(); }
  const Label& operator[](std::size_t i) const { return pairs_[i]; }

  /// xxh64 over name 0xff value 0xff ...; stable across processes and versions (it is stored).
  Fingerprint fingerprint() const;
  /// `{a="x", b="y"}` with Go-style quoting: Loki's text form.
  std::string to_string() const;

  friend auto operator<=>(const Labels&, const Labels&) = default;

 private:
  std::vector<Label> pairs_;
};

/// Appends `text` as a Go double-quoted string literal.
void append_go_quoted(std::string& out, std::string_view text);

}  // namespace kvasir

template <>
struct std::hash<kvasir::Fingerprint> {
  std::size_t operator()(kvasir::Fingerprint f) const noexcept { return f.value; }
};
