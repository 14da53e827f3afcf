#include "promtail-agent/discovery/glob.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <climits>

#include "common/utf8.h"

namespace kvasir::agent {

namespace {

bool is_directory(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

bool exists(const std::string& path) {
  struct stat status {};
  return ::lstat(path.c_str(), &status) == 0;
}

/// The index of the brace that closes the one at `open`, or npos.
std::size_t closing_brace(std::string_view text, std::size_t open) {
  int depth = 0;
  for (std::size_t i = open; i < text.size(); ++i) {
    if (text[i] == '\\') {
      ++i;
    } else if (text[i] == '{') {
      ++depth;
    } else if (text[i] == '}' && --depth == 0) {
      return i;
    }
  }
  return std::string_view::npos;
}

std::size_t first_brace(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\') {
      ++i;
    } else if (text[i] == '{') {
      return i;
    }
  }
  return std::string_view::npos;
}

std::vector<std::string_view> split_options(std::string_view text) {
  std::vector<std::string_view> options;
  std::size_t start = 0;
  int depth = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\') {
      ++i;
    } else if (text[i] == '{') {
      ++depth;
    } else if (text[i] == '}') {
      --depth;
    } else if (text[i] == ',' && depth == 0) {
      options.push_back(text.substr(start, i - start));
      start = i + 1;
    }
  }
  options.push_back(text.substr(std::min(start, text.size())));
  return options;
}

void expand_braces(std::string_view text, std::vector<std::string>& out) {
  if (out.size() >= kGlobAlternativesMax) return;
  const std::size_t open = first_brace(text);
  const std::size_t close = open == std::string_view::npos ? open : closing_brace(text, open);
  if (close == std::string_view::npos) {
    out.emplace_back(text);
    return;
  }
  for (const std::string_view option : split_options(text.substr(open + 1, close - open - 1))) {
    std::string whole(text.substr(0, open));
    whole.append(option).append(text.substr(close + 1));
    expand_braces(whole, out);
  }
}

std::vector<std::string> split_path(std::string_view path) {
  std::vector<std::string> segments;
  while (!path.empty()) {
    const std::string_view segment = path.substr(0, path.find('/'));
    path.remove_prefix(std::min(path.size(), segment.size() + 1));
    if (!segment.empty() && segment != ".") segments.emplace_back(segment);
  }
  return segments;
}

bool has_meta(std::string_view segment) { return segment.find_first_of("*?[\\") != std::string_view::npos; }

/// A character class at pattern[0] == '['. Sets `used` to its length; false for `used` 0 means it is not closed.
bool match_class(std::string_view pattern, char32_t rune, std::size_t& used) {
  std::size_t i = 1;
  const bool negated = i < pattern.size() && (pattern[i] == '!' || pattern[i] == '^');
  if (negated) ++i;
  bool hit = false;
  bool first = true;
  while (i < pattern.size() && (pattern[i] != ']' || first)) {
    first = false;
    if (pattern[i] == '\\' && i + 1 < pattern.size()) ++i;
    const Rune low = decode_utf8(pattern.substr(i));
    i += low.length;
    Rune high = low;
    if (i + 1 < pattern.size() && pattern[i] == '-' && pattern[i + 1] != ']') {
      high = decode_utf8(pattern.substr(i + 1));
      i += 1 + high.length;
    }
    hit = hit || (low.value <= rune && rune <= high.value);
  }
  used = i < pattern.size() ? i + 1 : 0;
  return used != 0 && hit != negated;
}

/// One pattern element that is not '*' against the front of the name: bytes used of both, or false.
bool match_one(std::string_view pattern, std::string_view name, std::size_t& pattern_used, std::size_t& name_used) {
  if (name.empty()) return false;
  const Rune rune = decode_utf8(name);
  name_used = rune.length;
  pattern_used = 1;
  if (pattern[0] == '?') return true;
  if (pattern[0] == '[') return match_class(pattern, rune.value, pattern_used);
  name_used = 1;
  if (pattern[0] == '\\' && pattern.size() > 1) {
    pattern_used = 2;
    return pattern[1] == name[0];
  }
  return pattern[0] == name[0];
}

bool match_path(const std::vector<std::string>& pattern, std::size_t p, const std::vector<std::string>& path,
                std::size_t n) {
  while (p < pattern.size()) {
    if (pattern[p] == "**") {
      for (std::size_t skip = n; skip <= path.size(); ++skip) {
        if (match_path(pattern, p + 1, path, skip)) return true;
      }
      return false;
    }
    if (n == path.size() || !match_segment(pattern[p], path[n])) return false;
    ++p, ++n;
  }
  return n == path.size();
}

}  // namespace

bool match_segment(std::string_view pattern, std::string_view name) {
  std::size_t p = 0;
  std::size_t n = 0;
  std::size_t star = std::string_view::npos;  // the last '*' and where its match ends so far
  std::size_t star_end = 0;
  while (n < name.size() || p < pattern.size()) {
    std::size_t pattern_used = 0;
    std::size_t name_used = 0;
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      star_end = n;
    } else if (p < pattern.size() && match_one(pattern.substr(p), name.substr(n), pattern_used, name_used)) {
      p += pattern_used;
      n += name_used;
    } else if (star != std::string_view::npos && star_end < name.size()) {
      n = ++star_end;
      p = star + 1;
    } else {
      return false;
    }
  }
  return true;
}

const std::vector<DirectoryCache::Item>& DirectoryCache::list(const std::string& directory) {
  const auto [it, fresh] = listings_.try_emplace(directory);
  if (!fresh) return it->second;
  DIR* handle = ::opendir(directory.c_str());
  if (handle == nullptr) return it->second;
  while (const dirent* found = ::readdir(handle)) {
    const std::string_view name = found->d_name;
    if (name == "." || name == "..") continue;
    Item item{std::string(name), found->d_type == DT_DIR};
    if (found->d_type == DT_LNK || found->d_type == DT_UNKNOWN)
      item.directory = is_directory(directory + "/" + item.name);
    it->second.push_back(std::move(item));
  }
  ::closedir(handle);
  std::sort(it->second.begin(), it->second.end(), [](const Item& a, const Item& b) { return a.name < b.name; });
  return it->second;
}

Glob::Glob(std::string_view pattern) : pattern_(pattern) {
  std::string absolute(pattern);
  if (!absolute.empty() && absolute[0] != '/') {
    char cwd[PATH_MAX];
    if (::getcwd(cwd, sizeof cwd) != nullptr) absolute = std::string(cwd) + "/" + absolute;
  }
  std::vector<std::string> expanded;
  expand_braces(absolute, expanded);
  for (const auto& alternative : expanded) alternatives_.push_back(split_path(alternative));
}

bool Glob::matches(std::string_view path) const {
  const Segments segments = split_path(path);
  return std::any_of(alternatives_.begin(), alternatives_.end(),
                     [&](const Segments& pattern) { return match_path(pattern, 0, segments, 0); });
}

/// Walks the tree along one alternative.
struct Glob::Walk {
  const Segments& pattern;
  DirectoryCache& cache;
  std::vector<std::string>& found;
  bool directories_only;
  std::vector<std::pair<dev_t, ino_t>> above = {};  // directories entered by the ** that is being walked

  void step(const std::string& at, std::size_t p, int depth) {
    if (depth > kGlobDepthMax) return;
    if (directories_only && p + 1 == pattern.size()) {
      if (is_directory(at.empty() ? "/" : at)) found.push_back(at.empty() ? "/" : at);
      return;
    }
    if (p == pattern.size()) {
      found.push_back(at.empty() ? "/" : at);
      return;
    }
    if (pattern[p] == "**") return any_depth(at, p, depth);
    if (!has_meta(pattern[p])) return literal(at, p, depth);
    const bool last = p + 1 == pattern.size();
    for (const auto& item : cache.list(at.empty() ? "/" : at)) {
      if ((last || item.directory) && match_segment(pattern[p], item.name))
        step(at + "/" + item.name, p + 1, depth + 1);
    }
  }

  void literal(const std::string& at, std::size_t p, int depth) {
    const std::string next = at + "/" + pattern[p];
    if (exists(next)) step(next, p + 1, depth + 1);
  }

  void any_depth(const std::string& at, std::size_t p, int depth) {
    struct stat status {};
    if (::stat(at.empty() ? "/" : at.c_str(), &status) != 0) return;
    const std::pair<dev_t, ino_t> identity(status.st_dev, status.st_ino);
    if (std::find(above.begin(), above.end(), identity) != above.end()) return;  // a link into a parent
    above.push_back(identity);
    below(at, p, depth);
    above.pop_back();
  }

  void below(const std::string& at, std::size_t p, int depth) {
    step(at, p + 1, depth + 1);
    if (p + 1 == pattern.size() && !at.empty()) found.push_back(at);
    for (const auto& item : cache.list(at.empty() ? "/" : at)) {
      if (item.directory) {
        step(at + "/" + item.name, p, depth + 1);
      } else if (p + 1 == pattern.size() && !directories_only) {
        found.push_back(at + "/" + item.name);
      }
    }
  }
};

std::vector<std::string> Glob::expand(DirectoryCache& cache) const {
  std::vector<std::string> found;
  if (first_brace(pattern_) != std::string::npos || has_meta(pattern_)) {
    if (!pattern_.empty() && pattern_[0] == '/' && exists(pattern_) && !is_directory(pattern_)) return {pattern_};
  }
  for (const Segments& pattern : alternatives_) Walk{pattern, cache, found, false}.step("", 0, 0);
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  return found;
}

std::vector<std::string> Glob::directories(DirectoryCache& cache) const {
  std::vector<std::string> found;
  for (const Segments& pattern : alternatives_) Walk{pattern, cache, found, true}.step("", 0, 0);
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  return found;
}

}  // namespace kvasir::agent
