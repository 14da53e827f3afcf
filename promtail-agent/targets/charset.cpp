#include "promtail-agent/targets/charset.h"

#include <fmt/format.h>
#include <iconv.h>

#include <algorithm>
#include <cctype>
#include <cerrno>

namespace kvasir::agent {

Result<std::unique_ptr<Charset>> Charset::create(const std::string& name) {
  std::string upper = name;
  std::transform(upper.begin(), upper.end(), upper.begin(), [](unsigned char c) { return std::toupper(c); });
  NewlineForm newline;
  std::string known = upper;
  if (upper == "UTF-16" || upper == "UTF-32") known += "BE";
  if (upper.starts_with("UTF-16")) newline.unit_bytes = 2;
  if (upper.starts_with("UTF-32")) newline.unit_bytes = 4;
  newline.big_endian = newline.unit_bytes > 1 && !upper.ends_with("LE");
  iconv_t converter = ::iconv_open("UTF-8", known.c_str());
  if (converter == reinterpret_cast<iconv_t>(-1)) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("error doing IANA encoding: ianaindex: invalid encoding name {}", name));
  }
  return std::unique_ptr<Charset>(new Charset(converter, newline));
}

Charset::~Charset() { ::iconv_close(static_cast<iconv_t>(converter_)); }

std::string_view Charset::decode(std::string_view line, bool first_of_file) {
  char* in = const_cast<char*>(line.data());
  std::size_t in_left = line.size();
  out_.resize(line.size() * 4 + 16);
  char* out = out_.data();
  std::size_t out_left = out_.size();
  ::iconv(static_cast<iconv_t>(converter_), nullptr, nullptr, nullptr, nullptr);
  while (in_left > 0) {
    if (::iconv(static_cast<iconv_t>(converter_), &in, &in_left, &out, &out_left) != static_cast<std::size_t>(-1))
      break;
    if (errno == E2BIG || out_left < 4) break;
    ++undecodable_;
    const std::size_t step = std::min<std::size_t>(static_cast<std::size_t>(newline_.unit_bytes), in_left);
    in += step;
    in_left -= step;
    for (const char c : {'\xef', '\xbf', '\xbd'}) *out++ = c, --out_left;
  }
  std::string_view text(out_.data(), out_.size() - out_left);
  if (first_of_file && text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  return text;
}

}  // namespace kvasir::agent
