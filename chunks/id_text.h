// id_text.h -- ids as text and as bytes: hex of one case, and UUIDs in lower case.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "chunks/column_type.h"

namespace kvasir::chunks {

struct IdShape {
  IdStyle style;
  std::uint32_t bytes;
  friend bool operator==(const IdShape&, const IdShape&) = default;
};

/// Hex of 16 to 64 even digits, or a UUID; empty otherwise. Digits alone count as lower-case hex.
std::optional<IdShape> id_shape_of(std::string_view text);
/// Appends the bytes. False: the text has another shape; nothing was appended.
bool append_id_bytes(IdShape shape, std::string_view text, std::string& out);
/// The bytes of an id written in either case; empty optional if it is no id.
std::optional<std::string> id_bytes_of(std::string_view text);
/// Writes id_text_bytes(shape) characters.
void format_id(IdShape shape, const char* bytes, char* out);

}  // namespace kvasir::chunks
