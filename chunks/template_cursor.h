// template_cursor.h -- walks a template byte by byte, with variables as single items between the bytes.
#pragma once

#include <cstdint>

#include "chunks/table_reader.h"

namespace kvasir::chunks {

class TemplateCursor {
 public:
  explicit TemplateCursor(const RowTemplate& shape) : shape_(shape) {}

  bool at_end() const { return piece_ == shape_.columns.size() && offset_ == fixed().size(); }
  bool at_variable() const { return offset_ == fixed().size() && piece_ < shape_.columns.size(); }
  /// The byte here; 0 at a variable or the end. (Fixed text holds no NUL.)
  char peek() const { return offset_ < fixed().size() ? fixed()[offset_] : '\0'; }
  char next() {
    const char c = peek();
    if (c != '\0') ++offset_;
    return c;
  }
  /// Steps over the variable. REQUIRES: at_variable().
  std::uint16_t take_variable() {
    offset_ = 0;
    return static_cast<std::uint16_t>(piece_++);
  }
  bool skip(char c) {
    if (peek() != c || c == '\0') return false;
    ++offset_;
    return true;
  }

 private:
  std::string_view fixed() const { return shape_.fixed[piece_]; }

  const RowTemplate& shape_;
  std::size_t piece_ = 0;
  std::size_t offset_ = 0;
};

}  // namespace kvasir::chunks
