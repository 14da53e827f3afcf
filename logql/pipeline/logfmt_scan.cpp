#include "logql/pipeline/logfmt_scan.h"

#include "logql/pipeline/json_scan.h"

namespace kvasir::logql {

namespace {

constexpr std::string_view kUnexpectedEquals = "unexpected '='";
constexpr std::string_view kUnexpectedQuote = "unexpected '\"'";
constexpr std::string_view kInvalidKey = "invalid key";
constexpr std::string_view kUnterminated = "unterminated quoted value";
constexpr std::string_view kInvalidQuoted = "invalid quoted value";

bool is_blank(char c) { return static_cast<unsigned char>(c) <= ' '; }

}  // namespace

LogfmtScanner::Step LogfmtScanner::fail(std::string_view error, std::size_t at) {
  error_ = error;
  error_at_ = at;
  return Step::kError;
}

LogfmtScanner::Step LogfmtScanner::next(Pair& pair) {
  while (at_ < line_.size() && is_blank(line_[at_])) ++at_;
  if (at_ >= line_.size()) return Step::kEnd;
  const std::size_t begin = at_;
  bool has_high_bytes = false;
  for (; at_ < line_.size(); ++at_) {
    const char c = line_[at_];
    if (is_blank(c) || c == '=') break;
    if (c == '"') return fail(kUnexpectedQuote, at_);
    has_high_bytes |= static_cast<unsigned char>(c) >= 0x80;
  }
  pair = {line_.substr(begin, at_ - begin), {}, false};
  if (pair.key.empty()) return fail(kUnexpectedEquals, at_);
  if (has_high_bytes && pair.key.find("\xef\xbf\xbd") != std::string_view::npos) return fail(kInvalidKey, at_);
  if (at_ >= line_.size() || line_[at_] != '=') return Step::kPair;
  ++at_;
  pair.has_value = true;
  if (at_ >= line_.size() || is_blank(line_[at_])) return Step::kPair;
  return line_[at_] == '"' ? take_quoted(pair) : take_value(pair);
}

LogfmtScanner::Step LogfmtScanner::take_value(Pair& pair) {
  const std::size_t begin = at_;
  for (; at_ < line_.size() && !is_blank(line_[at_]); ++at_) {
    if (line_[at_] == '=') return fail(kUnexpectedEquals, at_);
    if (line_[at_] == '"') return fail(kUnexpectedQuote, at_);
  }
  pair.value = line_.substr(begin, at_ - begin);
  return Step::kPair;
}

LogfmtScanner::Step LogfmtScanner::take_quoted(Pair& pair) {
  const std::size_t begin = ++at_;
  bool escaped = false;
  for (; at_ < line_.size() && line_[at_] != '"'; ++at_) {
    if (line_[at_] != '\\') continue;
    escaped = true;
    ++at_;
  }
  if (at_ >= line_.size()) {
    at_ = line_.size();
    return fail(kUnterminated, at_);
  }
  pair.value = line_.substr(begin, at_ - begin);
  ++at_;
  if (!escaped) return Step::kPair;
  const auto plain = json::unescape(pair.value, arena_, json::Escapes::kLogfmt);
  if (!plain) return fail(kInvalidQuoted, at_);
  pair.value = *plain;
  return Step::kPair;
}

void LogfmtScanner::skip_pair() {
  while (at_ < line_.size() && !is_blank(line_[at_])) ++at_;
}

}  // namespace kvasir::logql
