// escaping.h -- text encodings that template functions offer: HTML, JavaScript, URL query, base64.
//
// Errors:   decoders: invalid_argument, worded as Go words it.
// Threads:  free functions without state.
#pragma once

#include <string>
#include <string_view>

#include "common/result.h"

namespace kvasir::gotemplate {

std::string escape_html(std::string_view text);
std::string escape_js(std::string_view text);
/// url.QueryEscape: space becomes `+`.
std::string escape_query(std::string_view text);
/// `invalid URL escape "%zz"`.
Result<std::string> unescape_query(std::string_view text);

std::string encode_base64(std::string_view bytes);
/// Standard alphabet with padding; CR and LF are ignored. `illegal base64 data at input byte 0`.
Result<std::string> decode_base64(std::string_view text);

}  // namespace kvasir::gotemplate
