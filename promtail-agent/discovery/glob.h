// glob.h -- path patterns of __path__ and __path_exclude__.
//
// Syntax:   * any run without '/', ? one character, [abc] [a-z] [!a] [^a], {a,b{c,d}}, \ escapes, ** any number of
//           segments where it stands alone between slashes. A leading dot is not special.
// Limits:   kGlobAlternativesMax expansions of braces, kGlobDepthMax directories below a **; links into a parent stop
//           there.
// Threads:  Glob is immutable; a DirectoryCache belongs to one thread.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace kvasir::agent {

inline constexpr std::size_t kGlobAlternativesMax = 1000;
inline constexpr int kGlobDepthMax = 40;

/// Listings of one round of look-ups, so that many patterns over one directory read it once.
class DirectoryCache {
 public:
  struct Item {
    std::string name;
    bool directory = false;  // or a link to one
  };
  /// Sorted by name; empty if it cannot be read.
  const std::vector<Item>& list(const std::string& directory);

 private:
  std::map<std::string, std::vector<Item>> listings_;
};

class Glob {
 public:
  /// A relative pattern is taken from the working directory.
  explicit Glob(std::string_view pattern);

  bool matches(std::string_view path) const;
  /// Every path that exists and matches, sorted, without duplicates; directories too. A pattern that names an existing
  /// file by its letters is that file.
  std::vector<std::string> expand(DirectoryCache& cache) const;
  /// The directories that hold the last segments of the pattern and exist, without those below a **: worth watching for
  /// new files.
  std::vector<std::string> directories(DirectoryCache& cache) const;
  const std::string& pattern() const { return pattern_; }

 private:
  using Segments = std::vector<std::string>;
  struct Walk;

  std::string pattern_;
  std::vector<Segments> alternatives_;
};

/// One path segment against one pattern segment (no braces, no '/').
bool match_segment(std::string_view pattern, std::string_view name);

}  // namespace kvasir::agent
