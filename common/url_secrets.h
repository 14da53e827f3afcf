// url_secrets.h -- addresses as logs, pages and metrics may show them.
#pragma once

#include <string>
#include <string_view>

namespace kvasir {

/// `text` with `stand_in` for the `user:password@` of every `scheme://user:password@host` in it. The user and password
/// end at the last `@` before the first of `/ ? #`, white space or the end.
std::string without_userinfo(std::string text, std::string_view stand_in = "********@");

}  // namespace kvasir
